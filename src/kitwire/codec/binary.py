"""One binary frame to one message, strictly: what google.protobuf accepts, with the same values.

The rules are those of its C decoder (upb), measured; prose is at
https://protobuf.dev/programming-guides/encoding/. Where the two are silent or differ, upb wins:

- a tag has at most 5 bytes and 32 bits, a length at most 5 bytes and less than 2**31, a value at
  most 10 bytes, of which bits beyond 64 are dropped; varints need not be minimal;
- enum, int32 and uint32 are cut to 32 bits;
- a known number with a wrong wire type is an unknown field, and so is any group;
- field 0 is an error, except inside unknown groups; groups and messages nest to 100;
- a map entry that holds an unknown or mistyped field becomes an unknown field as a whole;
- a message field that comes twice is merged, also as member of a oneof; another member replaces.

Time is linear in the frame: one pass, no value is copied while it grows.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import betterproto2

from ..errors import MalformedFrame
from .schema import UNKNOWN, Field, Label, M, Message, Values, new, shape_of
from .wire import (
    BLOCK,
    FIXED,
    FIXED32,
    FIXED64,
    GROUP,
    GROUP_END,
    VARINT,
    varint,
    wire_type,
    write_fields,
    writers_of,
)

__all__ = ["decode", "field_numbers"]

_ROOM = 100
"""How deep messages and groups may nest: upb's limit. The schema itself is 7 deep."""
_TOO_DEEP = f"groups and messages nest deeper than {_ROOM}"
_MAX_TAG = 0xFFFF_FFFF
_MAX_SIZE = 0x7FFF_FFFF
_MASK64 = 0xFFFF_FFFF_FFFF_FFFF

_Take = Callable[["_Frame", int, int, int], tuple[Any, int]]
"""(frame, position, end, room) → one value and the position after it."""
_Read = Callable[["_Frame", int, int, Values, int], int]
"""(frame, position, end, values, room) → the position after a field whose value went to values."""


class _Malformed(Exception):
    """An error on its way up, gathering the path."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset
        self.path: list[str] = []


class _Frame:
    """The bytes, and the messages whose unknown fields are still growing."""

    __slots__ = ("data", "unfinished")

    def __init__(self, data: bytes) -> None:
        self.data = bytes(data)  # also of a bytearray or a memoryview; bytes are not copied
        self.unfinished: list[Values] = []

    def keep(self, values: Values, raw: bytes) -> None:
        """Add an encoded field to a message's unknown ones."""
        held = values[UNKNOWN]
        if type(held) is bytearray:
            held += raw
        else:
            values[UNKNOWN] = bytearray(raw)
            self.unfinished.append(values)

    def finish(self) -> None:
        for values in self.unfinished:
            values[UNKNOWN] = bytes(values[UNKNOWN])


def decode(cls: type[M], data: bytes) -> M:
    """The message of class ``cls`` that ``data`` encodes.

    Raises:
        MalformedFrame: when ``data`` encodes none; ``where`` is the path of the field, ``offset``
            a position in ``data``.
    """
    frame = _Frame(data)
    values = shape_of(cls).empty()
    try:
        _read_fields(frame, _readers(cls), 0, len(frame.data), values, _ROOM)
    except _Malformed as error:
        where = ".".join((cls.__name__, *reversed(error.path)))
        raise MalformedFrame(error.problem, where=where, offset=error.offset) from None
    frame.finish()
    return new(cls, values)


def field_numbers(data: bytes) -> tuple[int, ...]:
    """The numbers of the fields in ``data``, well-formed as betterproto2 keeps them, each once."""
    numbers: dict[int, None] = {}
    pos = 0
    while pos < len(data):
        tag, after = _tag(data, pos, len(data))
        numbers[tag >> 3] = None
        pos = _skip(data, pos, after, len(data), tag, _ROOM)
    return tuple(numbers)


# ------------------------------------------------------------------------------------- a message


def _read_fields(
    frame: _Frame, readers: Mapping[int, _Reader], pos: int, end: int, values: Values, room: int
) -> None:
    """Read the fields between two positions into ``values``."""
    if room < 0:
        raise _Malformed(_TOO_DEEP, pos)
    data = frame.data
    reader: _Reader | None = None
    try:
        while pos < end:
            start, reader = pos, None
            tag, pos = (data[pos], pos + 1) if data[pos] < 0x80 else _tag(data, pos, end)
            reader = readers.get(tag)
            if reader is not None:
                pos = reader[1](frame, pos, end, values, room)
            else:
                pos = _skip(data, start, pos, end, tag, room)
                frame.keep(values, data[start:pos])
    except _Malformed as error:
        if reader is not None:
            error.path.append(reader[0])
        raise


_Reader = tuple[str, _Read]


@cache
def _readers(cls: type[Message]) -> Mapping[int, _Reader]:
    """Tag → (name, what reads the field) for every tag that the class knows."""
    return _reader_table(shape_of(cls).fields)


def _reader_table(fields: tuple[Field, ...]) -> Mapping[int, _Reader]:
    table: dict[int, _Reader] = {}
    for field in fields:
        wire = BLOCK if field.label is Label.MAP else wire_type(field.kind)
        table[field.number << 3 | wire] = (field.proto_name, _READERS[field.label](field))
        if field.label is Label.REPEATED and wire != BLOCK:
            table[field.number << 3 | BLOCK] = (field.proto_name, _packed(field))
    return table


# ----------------------------------------------------------------------- fields, by their label


def _single(field: Field) -> _Read:
    return _message(field) if field.message is not None else _scalar(field)


def _scalar(field: Field) -> _Read:
    name, others, take = field.name, field.others, _taker(field)

    def read(frame: _Frame, pos: int, end: int, values: Values, room: int) -> int:
        value, pos = take(frame, pos, end, room)
        for other in others:
            values[other] = None
        values[name] = value
        return pos

    return read


def _message(field: Field) -> _Read:
    name, others, cls = field.name, field.others, field.message
    assert cls is not None

    def read(frame: _Frame, pos: int, end: int, values: Values, room: int) -> int:
        pos, stop = _span(frame.data, pos, end)
        for other in others:
            values[other] = None
        message = values[name]
        if message is None:
            message = values[name] = new(cls, shape_of(cls).empty())
        _read_fields(frame, _readers(cls), pos, stop, message.__dict__, room - 1)
        return stop

    return read


def _repeated(field: Field) -> _Read:
    name, take = field.name, _taker(field)

    def read(frame: _Frame, pos: int, end: int, values: Values, room: int) -> int:
        value, pos = take(frame, pos, end, room)
        values[name].append(value)
        return pos

    return read


def _packed(field: Field) -> _Read:
    name, take = field.name, _taker(field)

    def read(frame: _Frame, pos: int, end: int, values: Values, room: int) -> int:
        pos, stop = _span(frame.data, pos, end)
        append = values[name].append
        while pos < stop:
            value, pos = take(frame, pos, stop, room)
            append(value)
        return pos

    return read


def _map(field: Field) -> _Read:
    assert field.entry is not None
    name, (key, value) = field.name, field.entry
    readers, writers = _reader_table(field.entry), writers_of(field.entry)
    tag = varint(field.number << 3 | BLOCK)

    def read(frame: _Frame, pos: int, end: int, values: Values, room: int) -> int:
        pos, stop = _span(frame.data, pos, end)
        entry: Values = {"key": key.zero(), "value": value.zero(), UNKNOWN: b""}
        _read_fields(frame, readers, pos, stop, entry, room - 1)
        if entry[UNKNOWN]:
            # upb does not keep the bytes that came but what it understood, written anew.
            raw = bytearray()
            write_fields(writers, entry, raw)
            frame.keep(values, tag + varint(len(raw)) + raw)
            return stop
        if value.message is not None and entry["value"] is None:
            entry["value"] = new(value.message, shape_of(value.message).empty())
        values[name][entry["key"]] = entry["value"]
        return stop

    return read


_READERS: Mapping[Label, Callable[[Field], _Read]] = MappingProxyType(
    {
        Label.IMPLICIT: _single,
        Label.EXPLICIT: _single,
        Label.REPEATED: _repeated,
        Label.MAP: _map,
    }
)


# ------------------------------------------------------------------------- values, by their type


def _taker(field: Field) -> _Take:
    """What reads one value of the field's type."""
    if field.message is not None:
        return _take_message(field.message)
    if field.enum is not None:
        return _take_varint(_enum(field.enum))
    if field.kind in FIXED:
        return _take_fixed(FIXED[field.kind])
    if field.kind in _VARINTS:
        return _take_varint(_VARINTS[field.kind])
    return _BLOCKS[field.kind]


def _take_varint(convert: Callable[[int], object]) -> _Take:
    def take(frame: _Frame, pos: int, end: int, room: int) -> tuple[Any, int]:
        value, pos = _varint(frame.data, pos, end)
        return convert(value), pos

    return take


def _take_fixed(form: struct.Struct) -> _Take:
    size = form.size

    def take(frame: _Frame, pos: int, end: int, room: int) -> tuple[Any, int]:
        stop = pos + size
        if stop > end:
            raise _Malformed(f"a value of {size} bytes is cut short", pos)
        return form.unpack_from(frame.data, pos)[0], stop

    return take


def _take_message(cls: type[Message]) -> _Take:
    def take(frame: _Frame, pos: int, end: int, room: int) -> tuple[Any, int]:
        pos, stop = _span(frame.data, pos, end)
        message = new(cls, shape_of(cls).empty())
        _read_fields(frame, _readers(cls), pos, stop, message.__dict__, room - 1)
        return message, stop

    return take


def _take_string(frame: _Frame, pos: int, end: int, room: int) -> tuple[str, int]:
    pos, stop = _span(frame.data, pos, end)
    try:
        return frame.data[pos:stop].decode(), stop
    except UnicodeDecodeError as error:
        raise _Malformed("a string is not UTF-8", pos + error.start) from None


def _take_bytes(frame: _Frame, pos: int, end: int, room: int) -> tuple[bytes, int]:
    pos, stop = _span(frame.data, pos, end)
    return frame.data[pos:stop], stop


def _signed32(value: int) -> int:
    return ((value & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000


def _signed64(value: int) -> int:
    return (value ^ 0x8000_0000_0000_0000) - 0x8000_0000_0000_0000


def _unsigned32(value: int) -> int:
    return value & 0xFFFF_FFFF


def _unsigned64(value: int) -> int:
    return value


def _zigzag32(value: int) -> int:
    return _zigzag64(value & 0xFFFF_FFFF)


def _zigzag64(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def _enum(enum: type[betterproto2.Enum]) -> Callable[[int], betterproto2.Enum]:
    members = {int(member): member for member in enum}

    def convert(value: int) -> betterproto2.Enum:
        number = _signed32(value)
        try:
            return members[number]
        except KeyError:
            return enum(number)  # which betterproto2 makes for a number without a name

    return convert


_VARINTS: Mapping[str, Callable[[int], object]] = MappingProxyType(
    {
        betterproto2.TYPE_BOOL: bool,
        betterproto2.TYPE_INT32: _signed32,
        betterproto2.TYPE_INT64: _signed64,
        betterproto2.TYPE_UINT32: _unsigned32,
        betterproto2.TYPE_UINT64: _unsigned64,
        betterproto2.TYPE_SINT32: _zigzag32,
        betterproto2.TYPE_SINT64: _zigzag64,
    }
)
_BLOCKS: Mapping[str, _Take] = MappingProxyType(
    {betterproto2.TYPE_STRING: _take_string, betterproto2.TYPE_BYTES: _take_bytes}
)


# ------------------------------------------------------------------------------------ primitives


def _varint(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A value of at most 10 bytes, cut to 64 bits."""
    value = shift = 0
    start = pos
    while pos < end:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK64, pos
        shift += 7
        if shift == 70:
            raise _Malformed("a number has more than 10 bytes", start)
    raise _Malformed("a number is cut short", start)


def _varint32(data: bytes, pos: int, end: int, what: str, limit: int) -> tuple[int, int]:
    """A tag or a length: at most 5 bytes and ``limit``."""
    value = shift = 0
    start = pos
    while pos < end:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > limit:
                raise _Malformed(f"a {what} is too large", start)
            return value, pos
        shift += 7
        if shift == 35:
            raise _Malformed(f"a {what} has more than 5 bytes", start)
    raise _Malformed(f"a {what} is cut short", start)


def _tag(data: bytes, pos: int, end: int) -> tuple[int, int]:
    return _varint32(data, pos, end, "tag", _MAX_TAG)


def _span(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Where the content of a length-delimited field begins and ends."""
    start = pos
    size, pos = _varint32(data, pos, end, "length", _MAX_SIZE)
    if size > end - pos:
        raise _Malformed(f"a length of {size} exceeds the {end - pos} bytes left", start)
    return pos, pos + size


def _skip(data: bytes, start: int, pos: int, end: int, tag: int, room: int) -> int:
    """The position after an unknown field, which began at ``start`` and whose tag ends at ``pos``.

    Groups are walked with a list, not by recursion: what they nest is the sender's choice.
    """
    if tag < 8:
        raise _Malformed("field number 0", start)
    open_groups: list[int] = []
    while True:
        wire = tag & 7
        if wire == VARINT:
            _, pos = _varint(data, pos, end)
        elif wire == BLOCK:
            _, pos = _span(data, pos, end)
        elif wire in (FIXED32, FIXED64):
            pos += 4 if wire == FIXED32 else 8
            if pos > end:
                raise _Malformed("a value is cut short", start)
        elif wire == GROUP:
            if len(open_groups) == room:
                raise _Malformed(_TOO_DEEP, start)
            open_groups.append(tag >> 3)
        elif wire == GROUP_END:
            if not open_groups or open_groups.pop() != tag >> 3:
                raise _Malformed("the end of a group that did not begin", start)
        else:
            raise _Malformed(f"wire type {wire}", start)
        if not open_groups:
            return pos
        start = pos
        tag, pos = _tag(data, pos, end)
