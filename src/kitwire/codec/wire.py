"""The facts of the wire that reading shares with writing."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

import betterproto2

__all__ = [
    "BLOCK",
    "FIXED",
    "FIXED32",
    "FIXED64",
    "GROUP",
    "GROUP_END",
    "VARINT",
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


def varint(number: int) -> bytes:
    """A number from 0 to 2**64 - 1, seven bits a byte, the low ones first."""
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    out = []
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
