"""One message to one binary frame: byte for byte what google.protobuf writes.

Fields go by ascending number, then the unknown ones as they came; zero is left out where presence
does not show; a map's entries keep their order. Also here: the facts of the wire that reading
shares with writing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple, assert_never

import betterproto2

from .schema import UNKNOWN, Field, Label, Message, Values, shape_of
from .values import CHECKS, Unwritable, check_list, check_map, check_message, check_oneofs

__all__ = [
    "BLOCK",
    "FIXED",
    "FIXED32",
    "FIXED64",
    "GROUP",
    "GROUP_END",
    "VARINT",
    "encode",
    "varint",
    "wire_type",
    "write_fields",
    "writers_of",
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

_BLOCKS = (betterproto2.TYPE_STRING, betterproto2.TYPE_BYTES, betterproto2.TYPE_MESSAGE)
_ZIGZAG = (betterproto2.TYPE_SINT32, betterproto2.TYPE_SINT64)
_SHORT = tuple(bytes((number,)) for number in range(0x80))

_Payload = Callable[[object], bytes]
"""A value → what stands behind the tag."""
_Write = Callable[[bytearray, object], None]
"""Appends a field with that value."""


class _Writer(NamedTuple):
    """What writes one field."""

    name: str
    proto_name: str
    write: _Write


def wire_type(kind: str) -> int:
    """The wire type of a protobuf type."""
    if kind in FIXED:
        return FIXED32 if FIXED[kind].size == 4 else FIXED64
    return BLOCK if kind in _BLOCKS else VARINT


def varint(number: int) -> bytes:
    """A number from 0 to 2**64 - 1, seven bits a byte, the low ones first."""
    if number < 0x80:
        return _SHORT[number]
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(message: Message) -> bytes:
    """The encoded message.

    Raises:
        TypeError: a field holds a value of a wrong type.
        ValueError: a number is out of range, a text is not Unicode, two members of a oneof are set.
    """
    out = bytearray()
    cls = type(message)
    try:
        _write_message(cls, message, out)
    except Unwritable as error:
        raise error.raised(cls) from None
    return bytes(out)


def _write_message(cls: type[Message], message: object, out: bytearray) -> None:
    values = check_message(cls, message)
    check_oneofs(shape_of(cls), values)
    write_fields(_writers(cls), values, out)


def write_fields(writers: tuple[_Writer, ...], values: Values, out: bytearray) -> None:
    """Append the fields of a message, the unknown ones last."""
    for writer in writers:
        try:
            writer.write(out, values[writer.name])
        except Unwritable as error:
            error.path.append(writer.proto_name)
            raise
    out += values[UNKNOWN]


@cache
def _writers(cls: type[Message]) -> tuple[_Writer, ...]:
    return writers_of(shape_of(cls).fields)


def writers_of(fields: tuple[Field, ...]) -> tuple[_Writer, ...]:
    """What writes the fields of a message that has these."""
    return tuple(_Writer(field.name, field.proto_name, _writer(field)) for field in fields)


# ----------------------------------------------------------------------- fields, by their label


def _writer(field: Field) -> _Write:
    match field.label:
        case Label.IMPLICIT:
            return _implicit(field)
        case Label.EXPLICIT:
            return _explicit(field)
        case Label.REPEATED if wire_type(field.kind) == BLOCK:
            return _repeated(field)
        case Label.REPEATED:
            return _packed(field)
        case Label.MAP:
            return _map(field)
        case _:
            assert_never(field.label)


def _tag(field: Field, wire: int | None = None) -> bytes:
    return varint(field.number << 3 | (wire_type(field.kind) if wire is None else wire))


def _implicit(field: Field) -> _Write:
    tag, payload = _tag(field), _payload(field)
    zero = payload(field.zero())  # by its bytes, as upb compares: -0.0 is not zero

    def write(out: bytearray, value: object) -> None:
        data = payload(value)
        if data != zero:
            out += tag
            out += data

    return write


def _explicit(field: Field) -> _Write:
    tag, payload = _tag(field), _payload(field)

    def write(out: bytearray, value: object) -> None:
        if value is not None:
            out += tag
            out += payload(value)

    return write


def _repeated(field: Field) -> _Write:
    tag, payload = _tag(field), _payload(field)

    def write(out: bytearray, value: object) -> None:
        for item in check_list(value):
            out += tag
            out += payload(item)

    return write


def _packed(field: Field) -> _Write:
    tag, payload = _tag(field, BLOCK), _payload(field)

    def write(out: bytearray, value: object) -> None:
        data = b"".join([payload(item) for item in check_list(value)])
        if data:
            out += tag + varint(len(data)) + data

    return write


def _map(field: Field) -> _Write:
    assert field.entry is not None
    tag = _tag(field, BLOCK)
    (key_tag, key), (value_tag, value) = ((_tag(part), _payload(part)) for part in field.entry)

    def write(out: bytearray, values: object) -> None:
        for name, item in check_map(values).items():
            data = key_tag + key(name) + value_tag + value(item)
            out += tag + varint(len(data)) + data

    return write


# ------------------------------------------------------------------------- values, by their type


def _payload(field: Field) -> _Payload:
    if field.message is not None:
        return _message(field.message)
    check = CHECKS[field.kind]
    if field.kind in FIXED:
        pack = FIXED[field.kind].pack
        return lambda value: pack(check(value))
    if field.kind == betterproto2.TYPE_STRING:
        return lambda value: _block(check(value).encode())
    if field.kind == betterproto2.TYPE_BYTES:
        return lambda value: _block(check(value))
    if field.kind in _ZIGZAG:
        return lambda value: varint(_zigzag(check(value)))
    return lambda value: varint(check(value) & 0xFFFF_FFFF_FFFF_FFFF)


def _message(cls: type[Message]) -> _Payload:
    def payload(value: object) -> bytes:
        out = bytearray()
        _write_message(cls, value, out)
        return _block(out)

    return payload


def _block(data: bytes | bytearray) -> bytes:
    return varint(len(data)) + data


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1
