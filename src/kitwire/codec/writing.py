"""What the generated encoders share: numbers of fixed size, and how an error finds its path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .values import Unwritable
from .wire import FIXED

__all__ = [
    "Encode",
    "EncodeEntry",
    "Entry",
    "flaw",
    "write_double",
    "write_fixed32",
    "write_fixed64",
    "write_float",
    "write_sfixed32",
    "write_sfixed64",
]

Encode = Callable[[Any, list[bytes]], int]
"""Appends what a message is on the wire, in pieces; returns how many bytes they have."""


class Entry:
    """One of a map: on the wire it is a message with these two fields."""

    __slots__ = ("_unknown_fields", "key", "value")

    def __init__(self, key: Any, value: Any) -> None:  # noqa: ANN401 # what the map's types are
        self.key: Any = key
        self.value: Any = value
        self._unknown_fields: Any = b""


EncodeEntry = Callable[[Entry, list[bytes]], int]
"""Appends what an entry is."""

write_float: Final = FIXED["float"].pack
write_double: Final = FIXED["double"].pack
write_fixed32: Final = FIXED["fixed32"].pack
write_fixed64: Final = FIXED["fixed64"].pack
write_sfixed32: Final = FIXED["sfixed32"].pack
write_sfixed64: Final = FIXED["sfixed64"].pack


def flaw(error: Unwritable | UnicodeEncodeError, name: str) -> Unwritable:
    """What an encoder raises for what it met in the field of that name; of no field with none."""
    if isinstance(error, UnicodeEncodeError):  # which holds the text, so it must not be chained
        error = Unwritable("has surrogates, which UTF-8 cannot carry", ValueError)
    if name:
        error.path.append(name)
    return error
