"""What a field of each type may hold; the same for both encodings.

A message is built by the application, so that what it holds is checked before it is sent: a wrong
type or a number out of range is the caller's mistake, named by its path. Values are never quoted.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import betterproto2

from .schema import Message, Shape

__all__ = [
    "CHECKS",
    "Unwritable",
    "check_list",
    "check_map",
    "check_message",
    "check_oneofs",
    "float32",
    "integer_range",
]


class Unwritable(Exception):
    """A value that its field cannot hold, on its way up, gathering the path."""

    def __init__(self, problem: str, error: type[TypeError | ValueError]) -> None:
        super().__init__(problem)
        self.problem = problem
        self.error = error
        self.path: list[str] = []

    def raised(self, cls: type[Message]) -> TypeError | ValueError:
        """The exception that the caller gets."""
        where = ".".join((cls.__name__, *reversed(self.path)))
        return self.error(f"{where} {self.problem}")


def _wrong(expected: str, value: object) -> Unwritable:
    return Unwritable(f"must be {expected}, not {type(value).__name__}", TypeError)


def integer_range(kind: str) -> tuple[int, int]:
    """The least and the greatest value of an integer type or an enum."""
    bits = 64 if kind.endswith("64") else 32
    if kind in (betterproto2.TYPE_FIXED32, betterproto2.TYPE_FIXED64) or kind.startswith("u"):
        return 0, (1 << bits) - 1
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def _integer(kind: str) -> Callable[[object], int]:
    low, high = integer_range(kind)

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong("an int", value)
        if not low <= value <= high:
            raise Unwritable(f"is out of the range of {kind}", ValueError)
        return value

    return check


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong("a bool", value)
    return value


def _real(kind: str, narrow: Callable[[float], float]) -> Callable[[object], float]:
    def check(value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _wrong("a float", value)
        try:
            number = narrow(float(value))
        except OverflowError:  # an int beyond any float
            number = math.inf
        if math.isinf(number) and value not in (math.inf, -math.inf):
            raise Unwritable(f"is out of the range of {kind}", ValueError)
        return number

    return check


def float32(value: float) -> float:
    """The 32-bit float that is nearest; beyond the greatest of them, an infinite one."""
    try:
        nearest: float = _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return nearest


_FLOAT32 = struct.Struct("<f")


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong("a str", value)
    try:
        value.encode()
    except UnicodeEncodeError:  # holds the text, so it must not be chained
        raise Unwritable("has surrogates, which UTF-8 cannot carry", ValueError) from None
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, (bytes, bytearray)):
        raise _wrong("bytes", value)
    return bytes(value)


CHECKS: Mapping[str, Callable[[object], Any]] = MappingProxyType(
    {
        **{kind: _integer(kind) for kind in (betterproto2.TYPE_ENUM, *betterproto2.ALL_INT_TYPES)},
        betterproto2.TYPE_BOOL: _bool,
        betterproto2.TYPE_FLOAT: _real(betterproto2.TYPE_FLOAT, float32),
        betterproto2.TYPE_DOUBLE: _real(betterproto2.TYPE_DOUBLE, float),
        betterproto2.TYPE_STRING: _string,
        betterproto2.TYPE_BYTES: _bytes,
    }
)
"""Type → what returns a value fit to be written, or raises :class:`Unwritable`."""


def check_message(cls: type[Message], value: object) -> None:
    """That it is a message of class ``cls``."""
    if type(value) is not cls:
        raise _wrong(f"a {cls.__name__}", value)


def check_list(value: object) -> list[object] | tuple[object, ...]:
    """The items of a repeated field."""
    if not isinstance(value, (list, tuple)):
        raise _wrong("a list", value)
    return value


def check_map(value: object) -> dict[object, object]:
    """The entries of a map."""
    if not isinstance(value, dict):
        raise _wrong("a dict", value)
    return value


def check_oneofs(shape: Shape, message: object) -> None:
    """That of each oneof one member is set at most."""
    for members in shape.oneofs.values():
        found = [field.proto_name for field in members if getattr(message, field.name) is not None]
        if len(found) > 1:
            raise Unwritable(f"may hold one of {' and '.join(found)}, not both", ValueError)
