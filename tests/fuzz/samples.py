"""Random messages made from the official descriptors: every field, edge values, any text."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message as OfficialMessage
from google.protobuf.timestamp_pb2 import Timestamp

from .official import descriptor_of, entry_parts, oneof_name

__all__ = ["fill", "populated"]

TEXTS = (
    "",
    "a",
    "bob",
    "Ünïcödé",
    "日本語",
    "😀🎉",
    "\x00\x1f\x7f",
    'quote " slash \\ / tab\t line\r\n',
    "\u2028\ufeff\uffff",
    "long " * 60,
)
FLOATS = (0.0, -0.0, 1.0, 0.1, -2.5, 1.2e-38, 3.4e38, 1e10, 16777216.0, float("inf"))
INTS = (0, 1, -1, 127, 128, 300, 2**31 - 1, -(2**31), 2**32 - 1, 2**53 + 1, 2**63 - 1, -(2**63))


def _int(bits: int, *, signed: bool) -> Callable[[random.Random], int]:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    edges = [number for number in (*INTS, 2**64 - 1) if low <= number <= high]
    return lambda rng: rng.choice(edges) if rng.random() < 0.7 else rng.randint(low, high)


def _float32(rng: random.Random) -> float:
    number = rng.choice(FLOATS) if rng.random() < 0.5 else rng.uniform(-1e6, 1e6)
    rounded: float = struct.unpack("<f", struct.pack("<f", number))[0]
    return rounded


SCALARS: Mapping[int, Callable[[random.Random], object]] = {
    FieldDescriptor.TYPE_BOOL: lambda rng: rng.random() < 0.6,
    FieldDescriptor.TYPE_INT32: _int(32, signed=True),
    FieldDescriptor.TYPE_INT64: _int(64, signed=True),
    FieldDescriptor.TYPE_UINT32: _int(32, signed=False),
    FieldDescriptor.TYPE_UINT64: _int(64, signed=False),
    FieldDescriptor.TYPE_SINT32: _int(32, signed=True),
    FieldDescriptor.TYPE_SINT64: _int(64, signed=True),
    FieldDescriptor.TYPE_FIXED32: _int(32, signed=False),
    FieldDescriptor.TYPE_FIXED64: _int(64, signed=False),
    FieldDescriptor.TYPE_SFIXED32: _int(32, signed=True),
    FieldDescriptor.TYPE_SFIXED64: _int(64, signed=True),
    FieldDescriptor.TYPE_FLOAT: _float32,
    FieldDescriptor.TYPE_DOUBLE: lambda rng: rng.choice((*FLOATS, 5e-324, 1.7e308, 0.1 + 0.2)),
    FieldDescriptor.TYPE_STRING: lambda rng: rng.choice(TEXTS),
    FieldDescriptor.TYPE_BYTES: lambda rng: rng.randbytes(rng.choice((0, 1, 2, 3, 4, 40))),
}


def _scalar(field: FieldDescriptor, rng: random.Random) -> object:
    if field.enum_type is not None:
        known = [value.number for value in field.enum_type.values]
        return rng.choice([*known, *known, 1000, -7])
    return SCALARS[field.type](rng)


def fill(
    message: OfficialMessage, rng: random.Random, *, density: float = 0.6, members: bool = True
) -> None:
    """Set each field with probability ``density``, and of every oneof one member if ``members``."""
    if isinstance(message, Timestamp):
        # What JSON can spell: years 1 to 9999.
        seconds = rng.choice((0, 1, -1, -62_135_596_800, 253_402_300_799, 1_795_412_755))
        message.seconds = seconds
        message.nanos = rng.choice((0, 1, 1_000, 120_000_000, 999_999_999))
        return
    groups: dict[str, list[FieldDescriptor]] = {}
    for field in descriptor_of(message).fields:
        group = oneof_name(field)
        if group is not None:
            groups.setdefault(group, []).append(field)
        elif rng.random() < density:
            _set(message, field, rng, density)
    for candidates in groups.values() if members else ():
        _set(message, rng.choice(candidates), rng, density)


def _set(
    message: OfficialMessage, field: FieldDescriptor, rng: random.Random, density: float
) -> None:
    target: object = getattr(message, field.name)
    parts = entry_parts(field)
    if parts is not None:
        key, value = parts
        entries = cast("dict[object, object]", target)
        for _ in range(rng.choice((1, 1, 2, 4))):
            name = _scalar(key, rng)
            if value.message_type is not None:
                fill(cast("OfficialMessage", entries[name]), rng, density=density)
            else:
                entries[name] = _scalar(value, rng)
    elif field.is_repeated:
        for _ in range(rng.choice((1, 2, 3))):
            if field.message_type is not None:
                fill(cast("_Items", target).add(), rng, density=density)
            else:
                cast("list[object]", target).append(_scalar(field, rng))
    elif field.message_type is not None:
        part = cast("OfficialMessage", target)
        part.SetInParent()
        fill(part, rng, density=density)
    else:
        setattr(message, field.name, _scalar(field, rng))


class _Items(Protocol):
    def add(self) -> OfficialMessage: ...


def populated(
    cls: type[OfficialMessage], rng: random.Random, *, variant: str | None = None
) -> OfficialMessage:
    """A random message; with ``variant``, one in which that member of the oneof is set."""
    message = cls()
    fill(message, rng, members=variant is None)
    if variant is not None:
        _set(message, descriptor_of(cls).fields_by_name[variant], rng, 0.6)
    return message
