"""The facts of the wire that reading shares with writing."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import betterproto2

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = [
    "BLOCK",
    "FIXED",
    "FIXED32",
    "FIXED64",
    "GROUP",
    "GROUP_END",
    "SHORT",
    "VARINT",
    "shorts",
    "varint",
]

VARINT, FIXED64, BLOCK, GROUP, GROUP_END, FIXED32 = range(6)
"""The wire types."""

FIXED: Mapping[str, struct.Struct] = MappingProxyType(
    {
        betterproto2.TYPE_FLOAT: struct.Struct("<f"),
        betterproto2.TYPE_DOUBLE: struct.Struct("<d"),
        betterproto2.TYPE_FIXED32: struct.Struct("<I"),
        betterproto2.TYPE_SFIXED32: struct.Struct("<i"),
        betterproto2.TYPE_FIXED64: struct.Struct("<Q"),
        betterproto2.TYPE_SFIXED64: struct.Struct("<q"),
    }
)
"""The types of fixed size."""


SHORT: Final = tuple(bytes((number,)) for number in range(0x80))
"""Every number of one byte, written."""
_MORE: Final = tuple(bytes((low | 0x80,)) for low in range(0x80))
"""Seven bits as a byte behind which more follow."""


def shorts(tag: bytes) -> tuple[bytes, ...]:
    """Every number of one byte, written behind a tag."""
    return tuple(tag + short for short in SHORT)


def varint(number: int) -> bytes:
    """A number of at most 64 bits, seven of them a byte, the low ones first.

    A negative one is written as its complement to 2**64.
    """
    if 0 <= number < 0x4000:  # the sizes of nearly all that is not one byte
        few: i64 = number
        return _MORE[few & 0x7F] + SHORT[few >> 7] if few >= 0x80 else SHORT[few]
    if number < 0:
        number += 1 << 64
    written = b""
    if number >= 1 << 56:
        for _ in range(7):
            written += _MORE[number & 0x7F]
            number >>= 7
    rest: i64 = number
    while rest >= 0x80:
        written += _MORE[rest & 0x7F]
        rest >>= 7
    return written + SHORT[rest]
