"""Prints `kitwire/codec/_decoders.py`: straight-line code that reads each message.

A decoder tries its fields by ascending number, the order in which everybody writes them; a tag that
is out of order begins the row again, and one that no field has is kept as unknown. Nothing is
looked up that is known here, and nothing is stored but what comes: the classes hold the zeros.
"""

from collections.abc import Iterator, Sequence

from .facts import BLOCK, VARINT, FieldFacts, MessageFacts, halved, is_choice

_INTRODUCTION = '''"""Reads every message of the schema; see :mod:`.binary` for the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from betterproto2 import Message

from .. import messages as m
from ._encoders import ENTRY_ENCODERS
from .reading import (
    TOO_DEEP,
    Decode,
    Growing,
    Malformed,
    chosen_of,
    cut_short,
    displace,
    fault,
    keep,
    keep_entry,
    numbers,
    read_double,
    read_fixed32,
    read_fixed64,
    read_float,
    read_length,
    read_number,
    read_pairs,
    read_sfixed32,
    read_sfixed64,
    read_tag,
    signed32,
    signed64,
    skip,
    too_long,
    zigzag,
)
from .writing import Entry

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["DECODERS"]
'''

_WIDE = {
    "int32": ("0x7FFF_FFFF", "signed32(number)"),
    "int64": ("0x7FFF_FFFF_FFFF_FFFF", "signed64(number)"),
    "uint32": ("0xFFFF_FFFF", "number & 0xFFFF_FFFF"),
    "enum": ("0x7FFF_FFFF", "signed32(number)"),
}
"""What becomes of a number that is beyond the first."""
_FIXED = {"float": 4, "fixed32": 4, "sfixed32": 4, "double": 8, "fixed64": 8, "sfixed64": 8}
"""How many bytes."""


def decoders(messages: Sequence[MessageFacts], header: str) -> str:
    """The text of the module, unformatted."""
    return "\n".join([f"# {header}", _INTRODUCTION, *definitions(messages)]) + "\n"


def definitions(messages: Sequence[MessageFacts]) -> list[str]:
    """What the module defines, in lines; the classes are to be found in ``m``."""
    lines = ["_new: Final = object.__new__", '"""Makes a message that stores nothing yet."""']
    enums = sorted({field.target for message in messages for field in _enums(message)})
    for enum in enums:
        lines += [f"_{enum}: Final = {{int(each): each for each in m.{enum}}}"]
    for message in messages:
        lines += _decoder(message)
    lines += ["DECODERS: Final[dict[type[Message], Decode]] = {"]
    lines += [f"m.{message.name}: decode_{message.name}," for message in messages]
    return [*lines, "}", '"""Class → what reads it."""']


def _enums(message: MessageFacts) -> Iterator[FieldFacts]:
    for field in message.fields:
        for each in field.entry or (field,):
            if each.kind == "enum":
                yield each


# --- a message ---


def _decoder(message: MessageFacts) -> list[str]:
    name = message.name
    lines = [*_names(name, message.fields), f"_{name}: Final = m.{name}"]
    for field in message.fields:
        if field.entry:
            lines += _entry_decoder(message, field)
    for group in message.groups:
        members = ", ".join(f'"{field.name}"' for field in message.members(group))
        lines += [f"_MEMBERS_{name}_{group}: Final = ({members},)"]
    lines += [
        f"def decode_{name}(",
        "    data: bytes, pos: i64, end: i64, room: i64, growing: Growing,",
        f"    into: m.{name} | None = None,",
        f") -> m.{name}:",
    ]
    chosen = [f"chosen_{group}" for group in message.groups]
    if chosen:
        lines += ["    if into is None:", f"        message = _new(_{name})"]
        lines += [f'        {each} = ""' for each in chosen]
        lines += ["    else:", "        message = into"]
        lines += [
            f"        chosen_{group} = chosen_of(into, _MEMBERS_{name}_{group})"
            for group in message.groups
        ]
    else:
        lines += [f"    message = _new(_{name}) if into is None else into"]
    if any(_grows(field) for field in message.fields):
        lines += ["    again = into is not None"]
    keeping = ["keep(message, data[start:pos], growing)"]
    return [*lines, *_body(name, message.fields, keeping, "return message")]


def _grows(field: FieldFacts) -> bool:
    """Whether what comes is added to what the message holds, if this is not the first pass."""
    return field.repeated or field.kind == "map" or (field.kind == "message" and not field.group)


def _names(name: str, fields: Sequence[FieldFacts]) -> list[str]:
    """Tag → name, of every tag that is known."""
    pairs = []
    for field in fields:
        pairs += [f'{tag}: "{field.proto_name}"' for tag in _tags(field)]
    return [f"_NAMES_{name}: Final[Mapping[int, str]] = {{{', '.join(pairs)}}}"]


def _tags(field: FieldFacts) -> list[int]:
    packed = field.repeated and field.wire != BLOCK
    return [field.tag, field.number << 3 | BLOCK] if packed else [field.tag]


def _body(name: str, fields: Sequence[FieldFacts], keeping: list[str], done: str) -> list[str]:
    """From the first tag to the end."""
    steps = (_choice if is_choice(fields) else _row)(name, fields, keeping, done)
    return [
        *_indent(1, [f"{each}: {kind}" for each, kind in _NUMBERS.items() if _sets(steps, each)]),
        "    if room < 0:",
        "        raise Malformed(TOO_DEEP, pos)",
        "    if pos == end:",
        f"        {done}",
        "    start = pos",
        "    tag: i64 = 0",
        "    try:",
        *_indent(2, steps),
        "    except (Malformed, IndexError, UnicodeDecodeError) as error:",
        f"        raise fault(error, pos, tag, _NAMES_{name}) from None",
    ]


_NUMBERS = {"high": "i64", "size": "i64", "stop": "i64", "number": "int"}
"""Variables, with the types that a compiler needs to hear of."""


def _sets(lines: Sequence[str], name: str) -> bool:
    return any(line.lstrip().startswith((f"{name} = ", f"{name}, ")) for line in lines)


def _row(name: str, fields: Sequence[FieldFacts], keeping: list[str], done: str) -> list[str]:
    """The fields by ascending number, each followed by the next."""
    lines = []
    tags = [(tag, field) for field in fields for tag in _tags(field)]
    for tag, field in tags:
        lines += _step(name, field, tag, done) if tag <= 0x7F else []
    lines += _widen()
    for tag, field in tags:
        lines += _step(name, field, tag, done) if tag > 0x7F else []
    lines += [
        f"if {f'tag not in _NAMES_{name}' if fields else 'True'}:",
        *_indent(1, ["pos = skip(data, start, pos, end, tag, room)", *keeping]),
        *_indent(1, [*_end(BLOCK, done), *_tag()]),
    ]
    if any(_grows(field) for field in fields):
        lines += ["again = True"]
    return [*_tag(), "while True:", *_indent(1, lines)]


def _step(name: str, field: FieldFacts, tag: int, done: str) -> list[str]:
    """Read the field where this is its tag, and go on to the next tag."""
    go_on = [*_end(tag, done), *_tag(), *(_widen() if tag > 0x7F else [])]
    if not (field.repeated or field.entry):
        body = [*_field(name, field), *go_on]
    else:
        reading = _packed(field) if tag != field.tag else _field(name, field)
        body = [
            f"{_held(field)} = message.{field.name} if again else {'{}' if field.entry else '[]'}",
            f"message.{field.name} = {_held(field)}",
            *(["again = True"] if len(_tags(field)) > 1 else []),
            "while True:",
            *_indent(1, [*_plain_entries(field, done), *reading]),
            *_indent(1, [*go_on, f"if tag != {tag}:", "    break"]),
        ]
    return [f"if tag == {tag}:  # {field.name}", *_indent(1, body)]


def _held(field: FieldFacts) -> str:
    """The variable for a list or a dict."""
    return f"held_{field.name}"


def _choice(name: str, fields: Sequence[FieldFacts], keeping: list[str], done: str) -> list[str]:
    """The members of a oneof, of which one is to be expected, found by halving."""
    arms = [
        (tag, [*_field(name, field), *_end(tag, done), "continue"])
        for field in fields
        for tag in _tags(field)
    ]
    lines = [
        *_tag(),
        *_widen(),
        *halved("tag", arms),
        "pos = skip(data, start, pos, end, tag, room)",
        *keeping,
        *_end(BLOCK, done),
    ]
    return ["while True:", *_indent(1, lines)]


def _indent(depth: int, lines: Sequence[str]) -> list[str]:
    return ["    " * depth + line for line in lines]


def _tag() -> list[str]:
    """Read the first byte of the next tag, which is all of it for numbers below 16."""
    return ["start = pos", "tag = data[pos]", "pos += 1"]


def _widen() -> list[str]:
    """Read the tag whole. Another pass may find that it is already."""
    return [
        "if tag > 0x7F:",
        "    tag = 0",
        "    high = data[start + 1]",
        "    if high > 0x7F or start + 1 == end:",
        "        tag, pos = read_tag(data, start, end)",
        "    else:",
        "        tag = data[start] & 0x7F | high << 7",
        "        pos = start + 2",
    ]


def _end(tag: int, done: str) -> list[str]:
    """Stop where the message ends. A number of one byte was read without a look at the end."""
    if tag & 7 != VARINT:
        return ["if pos == end:", f"    {done}"]
    return [
        "if pos >= end:",
        "    if pos > end:",
        '        raise cut_short("number", begin)',
        f"    {done}",
    ]


# --- a field ---


def _field(name: str, field: FieldFacts) -> list[str]:
    if field.entry:
        return _entry(name, field)
    here = f"message.{field.name}"
    if field.repeated:
        return [*_value(field), f"{_held(field)}.append({_result(field)})", *_after(field)]
    if field.kind != "message":
        return [*_value(field), *_choose(field), f"{here} = {_result(field)}", *_after(field)]
    chosen = f"chosen_{field.group}"
    held = f'displace(message, {chosen}, "{field.name}") if {chosen} else None'
    if not field.group:
        held = f"{here} if again else None"
    call = f"decode_{field.target}(data, pos, stop, room - 1, growing, {held})"
    lines = [*_span(), f"{here} = {call}", "pos = stop"]
    return [*lines, f'{chosen} = "{field.name}"'] if field.group else lines


def _choose(field: FieldFacts) -> list[str]:
    """Let go of the member that the oneof held."""
    if not field.group:
        return []
    chosen = f"chosen_{field.group}"
    return [
        f"if {chosen}:",
        f'    displace(message, {chosen}, "{field.name}")',
        f'{chosen} = "{field.name}"',
    ]


def _value(field: FieldFacts) -> list[str]:
    """Read one value, up to `_result`."""
    if field.wire == BLOCK:
        return _span()
    if field.kind in _FIXED:
        size = _FIXED[field.kind]
        return [
            f"stop = pos + {size}",
            "if stop > end:",
            f'    raise cut_short("value of {size} bytes", pos)',
        ]
    wide = _WIDE.get(field.kind)
    lines = [
        "begin = pos",
        "number = data[pos]",
        "if number < 0x80:",
        "    pos += 1",
        "else:",
        "    number, pos = read_number(data, pos)",
    ]
    if wide:
        lines += [f"    if number > {wide[0]}:", f"        number = {wide[1]}"]
    return lines


def _result(field: FieldFacts) -> str:
    match field.kind:
        case "message":
            return f"decode_{field.target}(data, pos, stop, room - 1, growing)"
        case "string":
            return "data[pos:stop].decode()"
        case "bytes":
            return "data[pos:stop]"
        case "float" | "double" | "fixed32" | "sfixed32" | "fixed64" | "sfixed64":
            return f"read_{field.kind}(data, pos)[0]"
        case "enum":
            members = f"_{field.target}"
            return f"{members}[number] if number in {members} else m.{field.target}(number)"
        case "bool":
            return "number != 0"
        case "sint32":
            return "zigzag(number & 0xFFFF_FFFF)"
        case "sint64":
            return "zigzag(number)"
        case "int32" | "int64" | "uint32" | "uint64":
            return "number"
        case kind:
            raise ValueError(f"{kind} is no type of protobuf's")


def _after(field: FieldFacts) -> list[str]:
    return ["pos = stop"] if field.wire != VARINT else []


def _span() -> list[str]:
    """Read a length."""
    return [
        "begin = pos",
        "size = data[pos]",
        "if size < 0x80:",
        "    pos += 1",
        "else:",
        "    size, pos = read_length(data, pos, end)",
        "stop = pos + size",
        "if stop > end:",
        "    raise too_long(size, end - pos, begin)",
    ]


def _packed(field: FieldFacts) -> list[str]:
    """Read a block of values."""
    lines = _span()
    if field.kind in _FIXED:
        size = _FIXED[field.kind]
        lines += [
            f"if size % {size}:",
            f'    raise cut_short("value of {size} bytes", stop - size % {size})',
            f"block = [read_{field.kind}(data, at)[0] for at in range(pos, stop, {size})]",
        ]
    else:
        lines += ["block = numbers(data, pos, stop)"]
        if field.kind in _PACKED:
            lines += [f"block = {_PACKED[field.kind]}"]
    result = "block"
    if field.kind == "enum":
        members = f"_{field.target}"
        result = (
            f"[{members}[each] if each in {members} else m.{field.target}(each) for each in block]"
        )
    return [*lines, f"{_held(field)} += {result}", "pos = stop"]


_PACKED = {
    "enum": "[signed32(each) for each in block]",
    "int32": "[signed32(each) for each in block]",
    "int64": "[signed64(each) for each in block]",
    "uint32": "[each & 0xFFFF_FFFF for each in block]",
    "sint32": "[zigzag(each & 0xFFFF_FFFF) for each in block]",
    "sint64": "[zigzag(each) for each in block]",
    "bool": "[each != 0 for each in block]",
}
"""What becomes of a block's numbers."""


# --- an entry of a map ---


def _entry_decoder(message: MessageFacts, field: FieldFacts) -> list[str]:
    """It is a message on the wire, whose values are an entry afterwards."""
    assert field.entry is not None, "a map has entries"
    name = f"{message.name}_{field.name}"
    lines = [
        *_names(name, field.entry),
        f"def decode_{name}(",
        "    data: bytes, pos: i64, end: i64, room: i64, growing: Growing, message: Entry",
        ") -> None:",
    ]
    if any(_grows(part) for part in field.entry):
        lines += ["    again = False"]
    keeping = ["keep(message, data[start:pos], growing)"]
    return [*lines, *_body(name, field.entry, keeping, "return")]


def _plain_entries(field: FieldFacts, done: str) -> list[str]:
    """Of a map from text to text, read those that stand as everybody writes them, in one go."""
    kinds = [part.kind for part in field.entry or ()]
    if kinds != ["string", "string"] or field.tag > 0x7F:
        return []
    return [
        f"if room > 0 and data[start] == {field.tag}:  # and not that tag in more bytes",
        f"    start = read_pairs(data, start, end, {field.tag}, {_held(field)})",
        "    if start == end:",
        f"        {done}",
        "    tag = data[start]",
        "    pos = start + 1",
        f"    if tag != {field.tag}:",
        "        break",
    ]


def _entry(name: str, field: FieldFacts) -> list[str]:
    assert field.entry is not None, "a map has entries"
    key, value = field.entry
    lines = [
        f"entry = Entry({key.zero}, {value.zero})",
        f"decode_{name}_{field.name}(data, pos, stop, room - 1, growing, entry)",
        "if entry._unknown_fields:",
        f'    encode = ENTRY_ENCODERS[_{name}, "{field.name}"]',
        f"    keep_entry(message, {field.number}, encode, entry, growing)",
    ]
    if value.kind == "message":
        lines += [
            "elif entry.value is None:",
            f"    empty = decode_{value.target}(data, pos, pos, room - 1, growing)",
            f"    {_held(field)}[entry.key] = empty",
        ]
    lines += ["else:", f"    {_held(field)}[entry.key] = entry.value"]
    return [*_span(), *lines, "pos = stop"]
