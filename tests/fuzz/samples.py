"""Random messages made from the official descriptors: every field, edge values, any text."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message as OfficialMessage
from google.protobuf.timestamp_pb2 import Timestamp

from .official import descriptor_of, entry_parts, oneof_name

__all__ = ["populated"]

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


@dataclass(frozen=True, slots=True)
class _Filler:
    rng: random.Random
    density: float
    map_sizes: Sequence[int]

    def fill(self, message: OfficialMessage, *, members: bool = True) -> None:
        """Set each field with a probability, and of every oneof one member if ``members``."""
        if isinstance(message, Timestamp):
            # What JSON can spell: years 1 to 9999.
            seconds = (0, 1, -1, -62_135_596_800, 253_402_300_799, 1_795_412_755)
            message.seconds = self.rng.choice(seconds)
            message.nanos = self.rng.choice((0, 1, 1_000, 120_000_000, 999_999_999))
            return
        groups: dict[str, list[FieldDescriptor]] = {}
        for field in descriptor_of(message).fields:
            group = oneof_name(field)
            if group is not None:
                groups.setdefault(group, []).append(field)
            elif self.rng.random() < self.density:
                self.set(message, field)
        for candidates in groups.values() if members else ():
            self.set(message, self.rng.choice(candidates))

    def set(self, message: OfficialMessage, field: FieldDescriptor) -> None:
        """Set one field."""
        target: object = getattr(message, field.name)
        parts = entry_parts(field)
        if parts is not None:
            self._set_map(cast("dict[object, object]", target), *parts)
        elif field.is_repeated:
            for _ in range(self.rng.choice((1, 2, 3))):
                if field.message_type is not None:
                    self.fill(cast("_Items", target).add())
                else:
                    cast("list[object]", target).append(_scalar(field, self.rng))
        elif isinstance(target, OfficialMessage):
            target.SetInParent()
            self.fill(target)
        else:
            setattr(message, field.name, _scalar(field, self.rng))

    def _set_map(
        self, entries: dict[object, object], key: FieldDescriptor, value: FieldDescriptor
    ) -> None:
        for _ in range(self.rng.choice(self.map_sizes)):
            name = _scalar(key, self.rng)
            if value.message_type is not None:
                self.fill(cast("OfficialMessage", entries[name]))
            else:
                entries[name] = _scalar(value, self.rng)


class _Items(Protocol):
    def add(self) -> OfficialMessage: ...


def populated(
    cls: type[OfficialMessage],
    rng: random.Random,
    *,
    variant: str | None = None,
    density: float = 0.6,
    map_sizes: Sequence[int] = (1, 1, 2, 4),
) -> OfficialMessage:
    """A random message; with ``variant``, one in which that member of the oneof is set.

    google.protobuf writes a map's entries in an order of its own, so that bytes can be compared
    only where maps have one entry.
    """
    message = cls()
    filler = _Filler(rng, density, map_sizes)
    filler.fill(message, members=variant is None)
    if variant is not None:
        filler.set(message, descriptor_of(cls).fields_by_name[variant])
    return message
