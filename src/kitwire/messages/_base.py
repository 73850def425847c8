"""The base class of every generated message."""

from collections.abc import Callable
from copy import deepcopy
from functools import wraps
from typing import ClassVar, Self

import betterproto2

from kitwire.messages._secrets import SECRET_FIELDS

REDACTED = "<redacted>"
"""What a repr shows instead of a secret."""


class Message(betterproto2.Message):
    """A betterproto2 message that keeps its secrets, and unknown fields when it is copied."""

    _hints: ClassVar[dict[str, type]]

    def __repr__(self) -> str:
        """The fields that are set, in the order of their numbers.

        Secrets are replaced, in nested messages too, and of unknown fields only the size is shown:
        nobody knows what is in them.
        """
        secret = SECRET_FIELDS.get(type(self).__name__, frozenset())
        parts = [
            f"{name}={REDACTED if name in secret else value!r}"
            for name in self._metadata().sorted_field_names
            for value in (getattr(self, name),)
            if value != self._get_field_default(name)
        ]
        if self._unknown_fields:
            parts.append(f"<{len(self._unknown_fields)} unknown bytes>")
        return f"{type(self).__name__}({', '.join(parts)})"

    def __copy__(self, _: object = None) -> Self:
        return self._rebuilt({name: getattr(self, name) for name in self._field_names()})

    def __deepcopy__(self, _: object = None) -> Self:
        return self._rebuilt({name: deepcopy(getattr(self, name)) for name in self._field_names()})

    def _rebuilt(self, values: dict[str, object]) -> Self:
        # betterproto2's own copies lose the unknown fields.
        copied = type(self)(**values)
        copied._unknown_fields = self._unknown_fields
        return copied

    def _metadata(self) -> betterproto2.ProtoClassMetadata:
        # betterproto2 types this property for no class at all.
        return self._betterproto  # type: ignore[arg-type]  # see above

    def _field_names(self) -> tuple[str, ...]:
        return self._metadata().sorted_field_names

    @classmethod
    def _type_hints(cls) -> dict[str, type]:
        # betterproto2 evaluates the hints of the whole class once for every field of it.
        if "_hints" not in cls.__dict__:
            cls._hints = super()._type_hints()
        return cls._hints

    def _get_field_default(self, field_name: str) -> object:
        # betterproto2 silences warnings around this, process-wide and once for every field that it
        # looks at; our classes never warn.
        return self._metadata().default_gen[field_name]()


def supply_zeros(cls: type[betterproto2.Message]) -> None:
    """Let the class hold what an absent field is, so that a message holds only what is present.

    A message that is read has a handful of its fields; to store the zeros of all the others costs
    more than to read it. The constructor stores them all, so that it is the one to ask; except
    where a message is no more than a choice of members, as all that goes over the socket: there
    it, too, is told to store the one that there is.
    """
    zeros = vars(cls())
    for name, zero in zeros.items():
        container = type(zero) if isinstance(zero, (list, dict)) else None
        setattr(cls, name, zero if container is None else _Container(name, container))
    members = [name for name in zeros if name != "_unknown_fields"]
    if len(members) > 1 and all(zeros[name] is None for name in members):
        _store_what_is_given(cls, frozenset(members))


def _store_what_is_given(cls: type[betterproto2.Message], members: frozenset[str]) -> None:
    @wraps(cls.__init__)
    def construct(self: betterproto2.Message, **given: object) -> None:
        for name, value in given.items():
            if name not in members:
                raise TypeError(f"{cls.__name__} has no field of the name {name!r}")
            if value is not None:
                setattr(self, name, value)

    cls.__init__ = construct  # type: ignore[method-assign, assignment]  # the same for callers


class _Container:
    """The list or dict of a message that does not have it yet: made when it is first looked at."""

    __slots__ = ("_make", "_name")

    def __init__(self, name: str, make: Callable[[], object]) -> None:
        self._name = name
        self._make = make

    def __get__(self, message: object, _: type) -> object:
        if message is None:
            return self
        made = self._make()
        setattr(message, self._name, made)
        return made
