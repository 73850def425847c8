"""What the generated decoders share: the primitives of the wire, and how an error finds its path.

The rules are in :mod:`.binary`. What is here runs once a frame, or for what is rare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from .wire import BLOCK, FIXED, FIXED32, FIXED64, GROUP, GROUP_END, VARINT, varint
from .writing import EncodeEntry, Entry

if TYPE_CHECKING:
    from mypy_extensions import i64  # an int to Python, a machine's own number where compiled

__all__ = [
    "ROOM",
    "TOO_DEEP",
    "Growing",
    "Malformed",
    "chosen_of",
    "cut_short",
    "displace",
    "fault",
    "keep",
    "keep_entry",
    "numbers",
    "read_double",
    "read_fixed32",
    "read_fixed64",
    "read_float",
    "read_length",
    "read_number",
    "read_pairs",
    "read_sfixed32",
    "read_sfixed64",
    "read_tag",
    "signed32",
    "signed64",
    "skip",
    "too_long",
    "zigzag",
]

ROOM: Final = 100
"""How deep messages and groups may nest: upb's limit. The schema itself is 7 deep."""
TOO_DEEP: Final = f"groups and messages nest deeper than {ROOM}"
_MAX_TAG: Final = 0xFFFF_FFFF
_MAX_SIZE: Final = 0x7FFF_FFFF
_MASK64: Final = 0xFFFF_FFFF_FFFF_FFFF

Growing = list[Any]
"""The messages whose unknown fields are still growing, as a bytearray."""


class Malformed(Exception):
    """An error on its way up, gathering the path."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset
        self.path: list[str] = []


# --- errors ---


def fault(error: Exception, pos: i64, tag: i64, names: Mapping[int, str]) -> Malformed:
    """What a decoder of a message raises for what it met.

    Args:
        error: what was raised while a field was read.
        pos: where its value begins.
        tag: the field's; 0 while the tag itself is read.
        names: tag → name in the schema, of the fields that the message knows.
    """
    if isinstance(error, Malformed):
        found = error
    elif isinstance(error, UnicodeDecodeError):
        found = Malformed("a string is not UTF-8", pos + error.start)
    elif tag:  # an IndexError: the data end in the number that a field begins with
        found = cut_short("length" if tag & 7 == BLOCK else "number", pos)
    else:
        found = cut_short("tag", pos - 1)
    if tag in names:
        found.path.append(names[tag])
    return found


def too_long(size: i64, left: i64, offset: i64) -> Malformed:
    """A length that is greater than what is left; with less than nothing it is not there itself."""
    if left < 0:
        return cut_short("length", offset)
    return Malformed(f"a length of {size} exceeds the {left} bytes left", offset)


def cut_short(what: str, offset: i64) -> Malformed:
    """A value that is longer than what is left."""
    return Malformed(f"a {what} is cut short", offset)


# --- numbers ---


def read_number(data: bytes, pos: i64) -> tuple[int, i64]:
    """A value of at most 10 bytes, cut to 64 bits, and the position after it.

    It may read beyond the message that it is in, which its caller sees by the position.

    Raises:
        IndexError: at the end of the data.
        Malformed: for more than 10 bytes.
    """
    # Most numbers have few bytes: a loop would take half as long again. A byte's highest bit, which
    # says that another follows, is added with it and taken away with the next.
    byte: i64 = data[pos]
    value = byte
    if byte < 0x80:
        return value, pos + 1
    byte = data[pos + 1]
    value += (byte - 1) << 7
    if byte < 0x80:
        return value, pos + 2
    byte = data[pos + 2]
    value += (byte - 1) << 14
    if byte < 0x80:
        return value, pos + 3
    byte = data[pos + 3]
    value += (byte - 1) << 21
    if byte < 0x80:
        return value, pos + 4
    byte = data[pos + 4]
    value += (byte - 1) << 28
    if byte < 0x80:
        return value, pos + 5
    byte = data[pos + 5]
    value += (byte - 1) << 35
    if byte < 0x80:
        return value, pos + 6
    return _read_long(data, pos, value)


def _read_long(data: bytes, pos: i64, value: i64) -> tuple[int, i64]:
    """A value of more than 6 bytes, which these begin."""
    at: i64 = pos + 6
    shift: i64 = 42
    while shift < 63:
        byte: i64 = data[at]
        value += (byte - 1) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    byte = data[at]
    if byte > 0x7F:
        raise Malformed("a number has more than 10 bytes", pos)
    # Sixty-four bits are more than an i64 has above zero, so that an int must take over here.
    low: int = value & 0x7FFF_FFFF_FFFF_FFFF
    high: int = byte & 1
    return low | high << 63, at + 1


def _number_within(data: bytes, pos: i64, end: i64) -> tuple[int, i64]:
    """The same, before an end that it must not pass."""
    number = 0
    try:
        number, after = read_number(data, pos)
    except IndexError:
        after = end + 1
    if after > end:
        raise cut_short("number", pos)
    return number, after


def numbers(data: bytes, pos: i64, end: i64) -> list[int]:
    """The values that are packed between two positions."""
    found: list[int] = []
    while pos < end:
        value, pos = _number_within(data, pos, end)
        found.append(value)
    return found


def _read_32(data: bytes, pos: i64, end: i64, what: str, limit: i64) -> tuple[i64, i64]:
    """A tag or a length: at most 5 bytes and ``limit``."""
    value: i64 = 0
    shift: i64 = 0
    start = pos
    while pos < end:
        byte: i64 = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > limit:
                raise Malformed(f"a {what} is too large", start)
            return value, pos
        shift += 7
        if shift == 35:
            raise Malformed(f"a {what} has more than 5 bytes", start)
    raise cut_short(what, start)


def read_tag(data: bytes, pos: i64, end: i64) -> tuple[i64, i64]:
    """A tag, and the position after it."""
    return _read_32(data, pos, end, "tag", _MAX_TAG)


def read_length(data: bytes, pos: i64, end: i64) -> tuple[i64, i64]:
    """A length, and the position after it."""
    if pos + 1 < end and data[pos] > 0x7F and data[pos + 1] < 0x80:  # as most that are not short
        return data[pos] & 0x7F | data[pos + 1] << 7, pos + 2
    return _read_32(data, pos, end, "length", _MAX_SIZE)


def signed32(value: int) -> int:
    """The low 32 bits as a signed number."""
    return ((value & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000


def signed64(value: int) -> int:
    """64 bits as a signed number."""
    return (value ^ 0x8000_0000_0000_0000) - 0x8000_0000_0000_0000


def zigzag(value: int) -> int:
    """A number whose sign is its lowest bit."""
    return (value >> 1) ^ -(value & 1)


# --- values ---


def read_pairs(data: bytes, pos: i64, end: i64, tag: i64, into: dict[str, str]) -> i64:
    """Read entries of a map from text to text, as many as stand as everybody writes them.

    That is: key and value, both, in order, once, and an entry shorter than 128 bytes. The first
    that is anything else is left to the decoder of the entry, which says what is wrong with it.

    Args:
        data: what the map is in.
        pos: where the tag of an entry stands.
        end: where the message ends that has the map.
        tag: that of the map, of one byte.
        into: where they go.

    Returns:
        Where the first that was left stands; or ``end``, or that of another field's tag.
    """
    try:
        while pos + 6 <= end and data[pos] == tag and data[pos + 2] == 0x0A:
            size: i64 = data[pos + 1]
            stop: i64 = pos + 2 + size
            # A key whose size has more bytes than one does not fit into such an entry.
            middle: i64 = pos + 4 + data[pos + 3]
            if size > 0x7F or stop > end or middle + 2 > stop or data[middle] != 0x12:
                break
            if data[middle + 1] != stop - middle - 2:
                break
            into[data[pos + 4 : middle].decode()] = data[middle + 2 : stop].decode()
            pos = stop
    except UnicodeDecodeError:
        pass
    return pos


read_float: Final = FIXED["float"].unpack_from
read_double: Final = FIXED["double"].unpack_from
read_fixed32: Final = FIXED["fixed32"].unpack_from
read_fixed64: Final = FIXED["fixed64"].unpack_from
read_sfixed32: Final = FIXED["sfixed32"].unpack_from
read_sfixed64: Final = FIXED["sfixed64"].unpack_from
"""What reads a value of fixed size, at a position: in a tuple, as struct has it."""


# --- what is not known ---


def skip(data: bytes, start: i64, pos: i64, end: i64, tag: i64, room: i64) -> i64:
    """The position after an unknown field, which began at ``start`` and whose tag ends at ``pos``.

    Groups are walked with a list, not by recursion: what they nest is the sender's choice.
    """
    if tag < 8:
        raise Malformed("field number 0", start)
    open_groups: list[i64] = []
    while True:
        wire = tag & 7
        if wire == VARINT:
            _, pos = _number_within(data, pos, end)
        elif wire == BLOCK:
            begin = pos
            size, pos = read_length(data, pos, end)
            if size > end - pos:
                raise too_long(size, end - pos, begin)
            pos += size
        elif wire in (FIXED32, FIXED64):
            pos += 4 if wire == FIXED32 else 8
            if pos > end:
                raise cut_short("value", start)
        elif wire == GROUP:
            if len(open_groups) == room:
                raise Malformed(TOO_DEEP, start)
            open_groups.append(tag >> 3)
        elif wire == GROUP_END:
            if not open_groups or open_groups.pop() != tag >> 3:
                raise Malformed("the end of a group that did not begin", start)
        else:
            raise Malformed(f"wire type {wire}", start)
        if not open_groups:
            return pos
        start = pos
        tag, pos = read_tag(data, pos, end)


def keep(message: Any, raw: bytes | bytearray, growing: Growing) -> None:  # noqa: ANN401
    """Add an encoded field to the unknown ones of a message or of a map's entry."""
    held = message._unknown_fields
    if type(held) is bytearray:
        held += raw
    else:
        message._unknown_fields = bytearray(raw)
        growing.append(message)


def keep_entry(
    message: object, number: int, encode: EncodeEntry, entry: Entry, growing: Growing
) -> None:
    """Add a map's entry that holds what is unknown to a message's unknown fields.

    upb does not keep the bytes that came but what it understood, written anew.
    """
    content: list[bytes] = []
    size = encode(entry, content)
    raw = b"".join((varint(number << 3 | BLOCK), varint(size), *content))
    keep(message, raw, growing)


# --- oneofs ---


def chosen_of(message: object, members: tuple[str, ...]) -> str:
    """The member of a oneof that a message holds already; empty for none."""
    return next((name for name in members if getattr(message, name) is not None), "")


def displace(message: object, chosen: str, name: str) -> Any:  # noqa: ANN401
    """What a message holds in the member ``name`` of a oneof; if that is another, it goes."""
    if chosen == name:
        return getattr(message, name)
    setattr(message, chosen, None)
    return None


Decode = Callable[..., Any]
"""(data, position, end, room, growing[, message to merge with]) → the message."""
