"""What the generated encoders share: numbers, blocks, and how an error finds its path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .schema import Values
from .values import Unwritable
from .wire import FIXED, put_number

__all__ = [
    "Encode",
    "EncodeEntry",
    "flaw",
    "put_block",
    "write_double",
    "write_fixed32",
    "write_fixed64",
    "write_float",
    "write_sfixed32",
    "write_sfixed64",
]

Encode = Callable[[object, bytearray], None]
"""Appends a message's fields."""
EncodeEntry = Callable[[Values, bytearray], None]
"""Appends the fields of a map's entry, by its values."""

write_float: Final = FIXED["float"].pack
write_double: Final = FIXED["double"].pack
write_fixed32: Final = FIXED["fixed32"].pack
write_fixed64: Final = FIXED["fixed64"].pack
write_sfixed32: Final = FIXED["sfixed32"].pack
write_sfixed64: Final = FIXED["sfixed64"].pack


def put_block(out: bytearray, block: bytes | bytearray) -> None:
    """Append bytes behind their number."""
    size = len(block)
    if size < 0x80:
        out.append(size)
    else:
        put_number(out, size)
    out += block


def flaw(error: Unwritable | UnicodeEncodeError, name: str) -> Unwritable:
    """What an encoder raises for what it met in the field of that name; of no field with none."""
    if isinstance(error, UnicodeEncodeError):  # which holds the text, so it must not be chained
        error = Unwritable("has surrogates, which UTF-8 cannot carry", ValueError)
    if name:
        error.path.append(name)
    return error
