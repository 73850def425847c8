"""Prints `kitwire/codec/_encoders.py`: straight-line code that writes each message.

An encoder looks at each field once, by ascending number. A value that is not plainly of the field's
type goes through the check that knows all of the rules, and says what is wrong.
"""

from collections.abc import Sequence

from .facts import BLOCK, FIXED32, FieldFacts, MessageFacts, is_choice

_INTRODUCTION = '''"""Writes every message of the schema; see :mod:`.binary` for the rules."""

from __future__ import annotations

from typing import Any, Final

from betterproto2 import Message

from .. import messages as m
from .schema import shape_of
from .values import CHECKS, Unwritable, check_list, check_map, check_message, check_oneofs
from .writing import (
    Encode,
    EncodeEntry,
    Entry,
    flaw,
    write_double,
    write_fixed32,
    write_fixed64,
    write_float,
    write_sfixed32,
    write_sfixed64,
)
from .wire import varint

__all__ = ["ENCODERS", "ENTRY_ENCODERS"]
'''

_RANGES = {
    "enum": "-0x8000_0000 <= number <= 0x7FFF_FFFF",
    "int32": "-0x8000_0000 <= number <= 0x7FFF_FFFF",
    "int64": "-0x8000_0000_0000_0000 <= number <= 0x7FFF_FFFF_FFFF_FFFF",
    "uint32": "0 <= number <= 0xFFFF_FFFF",
    "uint64": "0 <= number <= 0xFFFF_FFFF_FFFF_FFFF",
    "sint32": "-0x8000_0000 <= number <= 0x7FFF_FFFF",
    "sint64": "-0x8000_0000_0000_0000 <= number <= 0x7FFF_FFFF_FFFF_FFFF",
}
_PLAIN = {"string": ("text", "str"), "bytes": ("block", "bytes"), "bool": ("flag", "bool")}
"""Type → the variable for a value of it, and Python's type."""
_VARIABLES = {
    "number": "int",
    "text": "str",
    "flag": "bool",
    "block": "bytes",
    "packed": "list[bytes]",
    "entry": "list[bytes]",
}
"""Variables, with the types that a compiler needs to hear of."""
_FIXED = ("float", "double", "fixed32", "sfixed32", "fixed64", "sfixed64")


def encoders(messages: Sequence[MessageFacts], header: str) -> str:
    """The text of the module, unformatted."""
    return "\n".join([f"# {header}", _INTRODUCTION, *definitions(messages)]) + "\n"


def definitions(messages: Sequence[MessageFacts]) -> list[str]:
    """What the module defines, in lines; the classes are to be found in ``m``."""
    lines = [
        "_SHORT: Final = tuple(bytes((number,)) for number in range(0x80))",
        '"""Every number of one byte, written."""',
    ]
    fields = [each for message in messages for field in message.fields for each in _parts(field)]
    enums = sorted({field.target for field in fields if field.kind == "enum"})
    lines += [f"_{enum}: Final = m.{enum}" for enum in enums]
    for message in messages:
        for field in message.fields:
            lines += _entry_encoder(message, field) if field.entry else []
        lines += _encoder(message)
    for message in messages:
        lines += _members(message) if is_choice(message.fields) else []
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


def _parts(field: FieldFacts) -> tuple[FieldFacts, ...]:
    return field.entry or (field,)


def _encoder(message: MessageFacts) -> list[str]:
    name = message.name
    lines = [
        f"_{name}: Final = m.{name}",
        f"def _encode_{name}(message: Any) -> bytes:",
        f"    if type(message) is not _{name}:",
        f"        check_message(_{name}, message)",
    ]
    if is_choice(message.fields):
        return [*lines, *_function(_choice(message))]
    steps = [f"chosen_{group} = False" for group in message.groups]
    for field in message.fields:
        steps += [f'name = "{field.proto_name}"', f"held = message.{field.name}"]
        steps += _field(field, name)
    return [*lines, *_function(steps)]


def _entry_encoder(message: MessageFacts, field: FieldFacts) -> list[str]:
    """Zeros are left out, as in any message; where an entry is written they are not."""
    assert field.entry is not None, "a map has entries"
    steps = []
    for part in field.entry:
        steps += [f"held = message.{part.name}", *_field(part, "")]
    return [
        f"def _encode_{message.name}_{field.name}(message: Entry) -> bytes:",
        *_function(steps),
    ]


def _function(steps: Sequence[str]) -> list[str]:
    """The body that takes these steps, in each of which `name` is the field's."""
    if not steps:
        return ["    unknown: bytes = message._unknown_fields", "    return unknown"]
    named = any(line.lstrip().startswith(("name = ", "name, ")) for line in steps)
    culprit = "name" if named else '""'
    used = [name for name in _VARIABLES if any(f"{name} = " in line for line in steps)]
    return [
        *(f"    {name}: {_VARIABLES[name]}" for name in used),
        "    out: list[bytes] = []",
        *(['    name = ""'] if named else []),
        "    try:",
        *_indent(2, steps),
        "    except (Unwritable, UnicodeEncodeError) as error:",
        f"        raise flaw(error, {culprit}) from None",
        "    if message._unknown_fields:",
        "        out.append(message._unknown_fields)",
        '    return b"".join(out)',
    ]


def _members(message: MessageFacts) -> list[str]:
    """Member → its name and tag on the wire, and what writes it if that is a message."""
    lines = [f"_MEMBERS_{message.name}: Final[dict[str, tuple[str, bytes, Encode | None]]] = {{"]
    for field in message.fields:
        encode = f"_encode_{field.target}" if field.kind == "message" else None
        lines += [f'"{field.name}": ("{field.proto_name}", {_varint(field.tag)!r}, {encode}),']
    return [*lines, "}"]


def _choice(message: MessageFacts) -> list[str]:
    """Of a oneof with many members only what is there is looked at."""
    members = f"_MEMBERS_{message.name}"
    lines = [
        'chosen = ""',
        "for attribute, value in vars(message).items():",
        f"    if value is not None and attribute in {members}:",
        "        if chosen:",
        f"            check_oneofs(shape_of(_{message.name}), message)",
        "        chosen = attribute",
        "if chosen:",
        "    held = getattr(message, chosen)",
        f"    name, tag, encode = {members}[chosen]",
        "    if encode is not None:",
        "        block = encode(held)",
        "        size = len(block)",
        "        out.append(tag)",
        "        out.append(_SHORT[size] if size < 0x80 else varint(size))",
        "        out.append(block)",
    ]
    for field in message.fields:
        if field.kind != "message":
            body = [*_checked(field), *_put(field, field.tag)]
            lines += _indent(1, [f'elif chosen == "{field.name}":', *_indent(1, body)])
    return lines


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
                f"    check_oneofs(shape_of(_{cls}), message)",
                f"{chosen} = True",
            ]
        body = [*choice, *_checked(field), *_put(field, field.tag)]
        return ["if held is not None:", *_indent(1, body)]
    if field.kind in _FIXED:
        # By its bytes, as upb compares: -0.0 is not zero.
        size = 4 if field.wire == FIXED32 else 8
        return [
            *_checked(field),
            f"if block != {bytes(size)!r}:",
            *_indent(1, _put(field, field.tag)),
        ]
    if field.kind == "bool":
        return [*_checked(field), "if flag:", f"    out.append({_varint(field.tag) + bytes([1])!r})"]
    return [*_checked(field), f"if {_variable(field)}:", *_indent(1, _put(field, field.tag))]


def _variable(field: FieldFacts) -> str:
    """The variable that a value is in when it was checked."""
    return _PLAIN[field.kind][0] if field.kind in _PLAIN else "number"


def _checked(field: FieldFacts) -> list[str]:
    """Take the value that is `held` if it is of the field's type, and complain otherwise."""
    kind = field.kind
    check = f'CHECKS["{kind}"]'
    if kind == "message":
        return [f"block = _encode_{field.target}(held)"]
    if kind in _PLAIN:
        variable, plain = _PLAIN[kind]
        return [f"{variable} = held if type(held) is {plain} else {check}(held)"]
    if kind in _RANGES:
        plain = f"_{field.target}" if kind == "enum" else "int"
        return [
            f"number = held if type(held) is {plain} else {check}(held)",
            f"if not {_RANGES[kind]}:",
            f"    {check}(held)",
        ]
    return [f"block = write_{kind}({check}(held))"]


def _put(field: FieldFacts, tag: int | None) -> list[str]:
    """Write a value that was checked, after its tag where there is one."""
    head = [] if tag is None else [f"out.append({_varint(tag)!r})"]
    kind = field.kind
    if kind == "bool":
        return [*head, "out.append(_SHORT[flag])"]
    if kind in _FIXED:
        return [*head, "out.append(block)"]
    if kind in ("sint32", "sint64"):
        return [*head, "out.append(varint(number << 1 if number >= 0 else (-number << 1) - 1))"]
    if field.wire != BLOCK:
        wide = "varint(number & 0xFFFF_FFFF_FFFF_FFFF)"
        return [*head, f"out.append(_SHORT[number] if 0 <= number < 0x80 else {wide})"]
    return [
        *(["block = text.encode()"] if kind == "string" else []),
        "size = len(block)",
        *head,
        "out.append(_SHORT[size] if size < 0x80 else varint(size))",
        "out.append(block)",
    ]


def _repeated(field: FieldFacts) -> list[str]:
    return [
        "if type(held) is not list:",
        "    check_list(held)",
        "for held in held:",
        *_indent(1, [*_checked(field), *_put(field, field.tag)]),
    ]


def _packed(field: FieldFacts) -> list[str]:
    body = [line.replace("out.", "packed.") for line in (*_checked(field), *_put(field, None))]
    return [
        "packed = []",
        "for held in check_list(held):",
        *_indent(1, body),
        "if packed:",
        f"    out.append({_varint(field.number << 3 | BLOCK)!r})",
        '    block = b"".join(packed)',
        "    out.append(varint(len(block)))",
        "    out.append(block)",
    ]


def _map(field: FieldFacts) -> list[str]:
    assert field.entry is not None, "a map has entries"
    key, value = field.entry
    body = [*_checked(key), *_put(key, key.tag), "held = value", *_checked(value)]
    body = [line.replace("out.", "entry.") for line in (*body, *_put(value, value.tag))]
    return [
        "for held, value in check_map(held).items():",
        "    entry = []",
        *_indent(1, body),
        f"    out.append({_varint(field.tag)!r})",
        '    block = b"".join(entry)',
        "    out.append(varint(len(block)))",
        "    out.append(block)",
    ]


def _varint(number: int) -> bytes:
    """Not the library's: what it is printed for must not be needed to print it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
