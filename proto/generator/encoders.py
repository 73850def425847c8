"""Prints `kitwire/codec/_encoders.py`: straight-line code that writes each message.

An encoder looks at each field once, by ascending number; it appends what the message is on the wire
to a list, piece by piece, and returns how many bytes that is. A value that is not plainly of the
field's type goes through the check that knows all of the rules, and says what is wrong.
"""

from collections.abc import Sequence

from .facts import BLOCK, FIXED32, FieldFacts, MessageFacts, halved, is_choice

_INTRODUCTION = '''"""Writes every message of the schema; see :mod:`.binary` for the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

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
from .wire import SHORT, shorts, varint

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["ENCODERS", "ENTRY_ENCODERS"]
'''

# Of 64 bits a quarter: what is beyond is checked like what is wrong, and compiled code stays with
# numbers that a machine's word holds beside a tag.
_RANGES = {
    "enum": "-0x8000_0000 <= number <= 0x7FFF_FFFF",
    "int32": "-0x8000_0000 <= number <= 0x7FFF_FFFF",
    "int64": "-0x3FFF_FFFF_FFFF_FFFF <= number <= 0x3FFF_FFFF_FFFF_FFFF",
    "uint32": "0 <= number <= 0xFFFF_FFFF",
    "uint64": "0 <= number <= 0x3FFF_FFFF_FFFF_FFFF",
    "sint32": "-0x8000_0000 <= number <= 0x7FFF_FFFF",
    "sint64": "-0x3FFF_FFFF_FFFF_FFFF <= number <= 0x3FFF_FFFF_FFFF_FFFF",
}
_PLAIN = {"string": ("text", "str"), "bytes": ("block", "bytes"), "bool": ("flag", "bool")}
"""Type → the variable for a value of it, and Python's type."""
_VARIABLES = {
    "number": "int",
    "text": "str",
    "flag": "bool",
    "block": "bytes",
    "size": "i64",
    "at": "i64",
    "chosen": "i64",
    "begin": "i64",
    "entries": "dict[Any, Any]",
    "before": "i64",
}
"""Variables, with the types that a compiler needs to hear of."""
_FIXED = ("float", "double", "fixed32", "sfixed32", "fixed64", "sfixed64")


_PYTHON = {
    **dict.fromkeys((*_RANGES, "fixed32", "sfixed32", "fixed64", "sfixed64"), "int"),
    **{kind: plain for kind, (_, plain) in _PLAIN.items()},
    "float": "float",
    "double": "float",
}
"""Type → Python's type of what was checked."""


def encoders(messages: Sequence[MessageFacts], header: str) -> str:
    """The text of the module, unformatted."""
    return "\n".join([f"# {header}", _INTRODUCTION, *definitions(messages)]) + "\n"


def definitions(messages: Sequence[MessageFacts]) -> list[str]:
    """What the module defines, in lines; the classes are to be found in ``m``."""
    lines = [
        "_SHORT: Final = SHORT",
        '"""Of its own module compiled code takes a name without looking it up."""',
    ]
    fields = [each for message in messages for field in message.fields for each in _parts(field)]
    for tag in sorted(_tags(messages)):
        lines += [f"{_shorts(tag)}: Final = shorts({_varint(tag)!r})"]
    enums = sorted({field.target for field in fields if field.kind == "enum"})
    lines += [f"_{enum}: Final = m.{enum}" for enum in enums]
    for kind in sorted({field.kind for field in fields} & _PYTHON.keys()):
        lines += [f'_check_{kind}: Final[Callable[[object], {_PYTHON[kind]}]] = CHECKS["{kind}"]']
    for message in messages:
        for field in message.fields:
            lines += _entry_encoder(message, field) if field.entry else []
        lines += _encoder(message)
    lines += ["ENCODERS: Final[dict[type[Message], Encode]] = {"]
    lines += [f"m.{message.name}: encode_{message.name}," for message in messages]
    lines += ["}", '"""Class → what writes it."""']
    lines += ["ENTRY_ENCODERS: Final[dict[tuple[type[Message], str], EncodeEntry]] = {"]
    lines += [
        f'(m.{message.name}, "{field.name}"): encode_{message.name}_{field.name},'
        for message in messages
        for field in message.fields
        if field.entry
    ]
    return [*lines, "}", '"""Class and map → what writes the key and the value of an entry."""']


def _tags(messages: Sequence[MessageFacts]) -> set[int]:
    """Those behind which a number may come: a value, or the size of a block."""
    fields = [field for message in messages for field in message.fields]
    tags = {field.number << 3 | BLOCK for field in fields if field.repeated or field.entry}
    parts = [part for field in fields for part in _parts(field)]
    return tags | {part.tag for part in parts if part.kind not in (*_FIXED, "bool")}


def _shorts(tag: int) -> str:
    """The name of the table of what a tag and a number of one byte are."""
    return f"_TAG_{tag}"


def _parts(field: FieldFacts) -> tuple[FieldFacts, ...]:
    return field.entry or (field,)


def _encoder(message: MessageFacts) -> list[str]:
    name = message.name
    choice = is_choice(message.fields)
    lines = [f"_{name}: Final = m.{name}"]
    if choice:
        tags = ", ".join(f'"{field.name}": {field.tag}' for field in message.fields)
        lines += [f"_MEMBERS_{name}: Final[dict[str, int]] = {{{tags}}}"]
    lines += [
        f"def encode_{name}(message: Any, out: list[bytes]) -> i64:",
        f"    if type(message) is not _{name}:",
        f"        check_message(_{name}, message)",
    ]
    if choice:
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
        f"def encode_{message.name}_{field.name}(message: Entry, out: list[bytes]) -> i64:",
        *_function(steps),
    ]


def _function(steps: Sequence[str]) -> list[str]:
    """The body that takes these steps, in each of which `name` is the field's."""
    named = any(line.lstrip().startswith("name = ") for line in steps)
    culprit = "name" if named else '""'
    used = [name for name in _VARIABLES if any(f"{name} = " in line for line in steps)]
    lines = ["    total: i64 = 0"]
    if steps:
        lines += [
            *(f"    {name}: {_VARIABLES[name]}" for name in used),
            *(['    name = ""'] if named else []),
            "    try:",
            *_indent(2, steps),
            "    except (Unwritable, UnicodeEncodeError) as error:",
            f"        raise flaw(error, {culprit}) from None",
        ]
    return [
        *lines,
        "    unknown = message._unknown_fields",
        "    if unknown:",
        "        out.append(bytes(unknown))  # it may be growing still",
        "        total += len(unknown)",
        "    return total",
    ]


def _choice(message: MessageFacts) -> list[str]:
    """Of a oneof with many members only what is there is looked at."""
    members = f"_MEMBERS_{message.name}"
    arms = []
    for field in message.fields:
        arm = [f'name = "{field.proto_name}"', *_checked(field), *_put(field)]
        arms.append((field.tag, arm))
    return [
        "held: Any = None",
        "chosen = 0",
        "values: dict[str, Any] = message.__dict__",
        "for attribute, value in values.items():",
        f"    if value is not None and attribute in {members}:",
        "        if chosen:",
        f"            check_oneofs(shape_of(_{message.name}), message)",
        f"        chosen = {members}[attribute]",
        "        held = value",
        "if chosen:",
        *_indent(1, halved("chosen", arms)),
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
                f"    check_oneofs(shape_of(_{cls}), message)",
                f"{chosen} = True",
            ]
        return ["if held is not None:", *_indent(1, [*choice, *_checked(field), *_put(field)])]
    present = _variable(field)
    if field.kind in _FIXED:
        # By its bytes, as upb compares: -0.0 is not zero.
        present = f"block != {bytes(4 if field.wire == FIXED32 else 8)!r}"
    return [*_checked(field), f"if {present}:", *_indent(1, _put(field, nonzero=True))]


def _variable(field: FieldFacts) -> str:
    """The variable that a value is in when it was checked."""
    return _PLAIN[field.kind][0] if field.kind in _PLAIN else "number"


def _checked(field: FieldFacts) -> list[str]:
    """Take the value that is `held` if it is of the field's type, and complain otherwise."""
    kind = field.kind
    check = f"_check_{kind}"
    if kind == "message":
        return []
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


def _put(field: FieldFacts, *, alone: bool = False, nonzero: bool = False) -> list[str]:
    """Write a value that was checked, and may be known not to be zero.

    Its tag goes before it, unless it is alone.
    """
    tag = b"" if alone else _varint(field.tag)
    kind = field.kind
    if kind == "bool":
        yes, no = (tag + bytes([flag]) for flag in (True, False))
        written = f"{yes!r}" if nonzero else f"{yes!r} if flag else {no!r}"
        return [f"out.append({written})", f"total += {len(yes)}"]
    if kind in _FIXED:
        size = len(tag) + (4 if field.wire == FIXED32 else 8)
        head = [f"out.append({tag!r})"] if tag else []
        return [*head, "out.append(block)", f"total += {size}"]
    if kind == "message":
        return [
            "at = len(out)",
            'out.append(b"")  # the tag and the size, when it is known',
            f"size = encode_{field.target}(held, out)",
            *_size("size", "at", field.tag),
            "total += size",
        ]
    if field.wire != BLOCK:
        zigzag = "number = number << 1 if number >= 0 else (-number << 1) - 1"
        head = [zigzag] if kind in ("sint32", "sint64") else []
        return [*head, *_number("number", None if alone else field.tag)]
    return [
        *(["block = text.encode()"] if kind == "string" else []),
        "size = len(block)",
        *_number("size", field.tag),
        "out.append(block)",
        "total += size",
    ]


def _number(number: str, tag: int | None) -> list[str]:
    """Write a number, behind a tag if there is one, and count both."""
    before = b"" if tag is None else _varint(tag)
    return [
        f"if 0 <= {number} < 0x80:",
        f"    out.append({'_SHORT' if tag is None else _shorts(tag)}[{number}])",
        f"    total += {len(before) + 1}",
        "else:",
        *([f"    out.append({before!r})"] if before else []),
        f"    digits = varint({number})",
        "    out.append(digits)",
        f"    total += len(digits) + {len(before)}",
    ]


def _size(size: str, at: str, tag: int) -> list[str]:
    """Write a tag and the size of what came after that place, and count both."""
    before = _varint(tag)
    return [
        f"if {size} < 0x80:",
        f"    out[{at}] = {_shorts(tag)}[{size}]",
        f"    total += {len(before) + 1}",
        "else:",
        f"    digits = {before!r} + varint({size})",
        f"    out[{at}] = digits",
        "    total += len(digits)",
    ]


def _repeated(field: FieldFacts) -> list[str]:
    return [
        "if type(held) is not list:",
        "    check_list(held)",
        "for held in held:",
        *_indent(1, [*_checked(field), *_put(field)]),
    ]


def _packed(field: FieldFacts) -> list[str]:
    body = _indent(1, [*_checked(field), *_put(field, alone=True)])
    block = _enclosed(field.number << 3 | BLOCK, ["for held in items:", *body])
    return ["items = check_list(held)", "if items:", *_indent(1, block)]


def _map(field: FieldFacts) -> list[str]:
    assert field.entry is not None, "a map has entries"
    key, value = field.entry
    body = [*_checked(key), *_put(key), "held = value", *_checked(value), *_put(value)]
    return [
        "if type(held) is not dict:",
        "    check_map(held)",
        "if held:",
        "    entries = held",
        "    for held, value in entries.items():",
        *_indent(2, _enclosed(field.tag, body)),
    ]


def _enclosed(tag: int, body: Sequence[str]) -> list[str]:
    """Write what the body writes as one block."""
    return [
        "begin = len(out)",
        'out.append(b"")  # the tag and the size, when it is known',
        "before = total",
        "total = 0",
        *body,
        "size = total",
        "total += before",
        *_size("size", "begin", tag),
    ]


def _varint(number: int) -> bytes:
    """Not the library's: what it is printed for must not be needed to print it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
