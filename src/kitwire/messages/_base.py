"""The base class of every generated message."""

from typing import Any

import betterproto2

from kitwire.messages._secrets import SECRET_FIELDS

REDACTED = "<redacted>"
"""What stands in a repr where a secret would."""


class Message(betterproto2.Message):
    """A betterproto2 message whose repr shows neither secrets nor unknown bytes."""

    def __repr__(self) -> str:
        """The fields that are set, by ascending number, nested messages likewise."""
        secret = SECRET_FIELDS.get(type(self).__name__, frozenset())
        parts = [
            f"{name}={REDACTED if name in secret else value!r}"
            for name in self._betterproto.sorted_field_names
            for value in (getattr(self, name),)
            if value != self._get_field_default(name)
        ]
        if self._unknown_fields:
            parts.append(f"<{len(self._unknown_fields)} unknown bytes>")
        return f"{type(self).__name__}({', '.join(parts)})"

    def _get_field_default(self, field_name: str) -> Any:
        return self._betterproto.default_gen[field_name]()
