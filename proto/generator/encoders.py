"""Prints `kitwire/codec/_encoders.py`: straight-line code that writes each message.

An encoder looks at each field once, by ascending number. A value that is not plainly of the field's
type goes through the check that knows all of the rules, and says what is wrong.
"""

from collections.abc import Sequence

from .facts import BLOCK, FIXED32, FieldFacts, MessageFacts

_INTRODUCTION = '''"""Writes every message of the schema; see :mod:`.binary` for the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from betterproto2 import Message

from .. import messages as m
from .schema import Values, shape_of
from .values import CHECKS, Unwritable, check_list, check_map, check_message, check_oneofs
from .writing import (
    Encode,
    EncodeEntry,
    flaw,
    put_block,
    write_double,
    write_fixed32,
    write_fixed64,
    write_float,
    write_sfixed32,
    write_sfixed64,
)
from .wire import put_number

__all__ = ["ENCODERS", "ENTRY_ENCODERS"]
'''

_RANGES = {
    "int32": "-0x8000_0000 <= value <= 0x7FFF_FFFF",
    "int64": "-0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF",
    "uint32": "0 <= value <= 0xFFFF_FFFF",
    "uint64": "0 <= value <= 0xFFFF_FFFF_FFFF_FFFF",
    "sint32": "-0x8000_0000 <= value <= 0x7FFF_FFFF",
    "sint64": "-0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF",
}
_PLAIN = {"string": "str", "bytes": "bytes", "bool": "bool"}
_FIXED = ("float", "double", "fixed32", "sfixed32", "fixed64", "sfixed64")


def encoders(messages: Sequence[MessageFacts], header: str) -> str:
    """The text of the module, unformatted."""
    return "\n".join([f"# {header}", _INTRODUCTION, *definitions(messages)]) + "\n"


def definitions(messages: Sequence[MessageFacts]) -> list[str]:
    """What the module defines, in lines; the classes are to be found in ``m``."""
    lines = []
    for message in messages:
        for field in message.fields:
            lines += _entry_encoder(message, field) if field.entry else []
        lines += _encoder(message)
    lines += ["ENCODERS: Final[dict[type[Message], Encode]] = {"]
    lines += [f"m.{message.name}: _encode_{message.name}," for message in messages]
    lines += ["}", '"""Class → what writes it."""']
    lines += ["ENTRY_ENCODERS: Final[dict[tuple[type[Message], str], EncodeEntry]] = {"]
    lines += [
        f'(m.{message.name}, "{field.name}"): _encode_{message.name}_{field.name},'
        for message in messages
        for field in message.fields
        if field.entry
    ]
    return [*lines, "}", '"""Class and map → what writes the key and the value of an entry."""']


def _encoder(message: MessageFacts) -> list[str]:
    name = message.name
    lines = [
        f"def _encode_{name}(message: object, out: bytearray) -> None:",
        f"    values = check_message(m.{name}, message)",
    ]
    lines += [f"    chosen_{group} = False" for group in message.groups]
    return [*lines, *_body(message.fields, name)]


def _entry_encoder(message: MessageFacts, field: FieldFacts) -> list[str]:
    """Zeros are left out, as in any message; where an entry is written they are not."""
    assert field.entry is not None, "a map has entries"
    name = f"{message.name}_{field.name}"
    return [
        f"def _encode_{name}(values: Values, out: bytearray) -> None:",
        *_body(field.entry, ""),
    ]


def _body(fields: Sequence[FieldFacts], cls: str) -> list[str]:
    if not fields:
        return ['    out += values["_unknown_fields"]']
    lines = ['    name = ""', "    try:"]
    for field in fields:
        lines += _indent(2, [f'name = "{field.proto_name}"', f'value = values["{field.name}"]'])
        lines += _indent(2, _field(field, cls))
    return [
        *lines,
        "    except (Unwritable, UnicodeEncodeError) as error:",
        "        raise flaw(error, name) from None",
        '    out += values["_unknown_fields"]',
    ]


def _indent(depth: int, lines: Sequence[str]) -> list[str]:
    return ["    " * depth + line for line in lines]


def _field(field: FieldFacts, cls: str) -> list[str]:
    if field.entry:
        return _map(field)
    if field.repeated:
        return _packed(field) if field.wire != BLOCK else _repeated(field)
    if field.explicit:
        choice = []
        if field.group:
            chosen = f"chosen_{field.group}"
            choice = [
                f"if {chosen}:",
                '    name = ""',
                f"    check_oneofs(shape_of(m.{cls}), values)",
                f"{chosen} = True",
            ]
        body = [*choice, *_checked(field), *_put(field, field.tag)]
        return ["if value is not None:", *_indent(1, body)]
    if field.kind in _FIXED:
        # By its bytes, as upb compares: -0.0 is not zero.
        size = 4 if field.wire == FIXED32 else 8
        return [
            *_checked(field),
            f"block = write_{field.kind}(value)",
            f"if block != {bytes(size)!r}:",
            f"    out += {_varint(field.tag)!r}",
            "    out += block",
        ]
    return [*_checked(field), "if value:", *_indent(1, _put(field, field.tag))]


def _checked(field: FieldFacts) -> list[str]:
    """See that the value is of the field's type."""
    kind = field.kind
    if kind == "message":
        return []
    check = f'value = CHECKS["{kind}"](value)'
    if kind in _RANGES:
        return [f"if type(value) is not int or not {_RANGES[kind]}:", f"    {check}"]
    if kind == "enum":
        return [f"if type(value) is not m.{field.target}:", f"    {check}"]
    if kind in _PLAIN:
        return [f"if type(value) is not {_PLAIN[kind]}:", f"    {check}"]
    return [check]


def _put(field: FieldFacts, tag: int | None) -> list[str]:
    """Write a value that was checked, after its tag where there is one."""
    head = [] if tag is None else [f"out += {_varint(tag)!r}"]
    match field.kind:
        case "message":
            return [
                "content = bytearray()",
                f"_encode_{field.target}(value, content)",
                *head,
                "put_block(out, content)",
            ]
        case "string":
            return ["block = value.encode()", *head, "put_block(out, block)"]
        case "bytes":
            return [*head, "put_block(out, value)"]
        case "bool":
            return [*head, "out.append(1 if value else 0)"]
        case "sint32" | "sint64":
            return [*head, "put_number(out, value << 1 if value >= 0 else (-value << 1) - 1)"]
        case kind if kind in _FIXED:
            return [*head, f"out += write_{kind}(value)"]
        case _:
            return [
                *head,
                "if 0 <= value < 0x80:",
                "    out.append(value)",
                "else:",
                "    put_number(out, value & 0xFFFF_FFFF_FFFF_FFFF)",
            ]


def _repeated(field: FieldFacts) -> list[str]:
    body = [*_checked(field), *_put(field, field.tag)]
    return ["for value in check_list(value):", *_indent(1, body)]


def _packed(field: FieldFacts) -> list[str]:
    body = [line.replace("out", "packed") for line in (*_checked(field), *_put(field, None))]
    return [
        "packed = bytearray()",
        "for value in check_list(value):",
        *_indent(1, body),
        "if packed:",
        f"    out += {_varint(field.number << 3 | BLOCK)!r}",
        "    put_block(out, packed)",
    ]


def _map(field: FieldFacts) -> list[str]:
    assert field.entry is not None, "a map has entries"
    key, value = field.entry
    body = [*_checked(key), *_put(key, key.tag), "value = item", *_checked(value)]
    body = [line.replace("out", "entry") for line in (*body, *_put(value, value.tag))]
    return [
        "for value, item in check_map(value).items():",
        "    entry = bytearray()",
        *_indent(1, body),
        f"    out += {_varint(field.tag)!r}",
        "    put_block(out, entry)",
    ]


def _varint(number: int) -> bytes:
    """Not the library's: what it is printed for must not be needed to print it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
