"""One text frame to one message, as LiveKit's Go server reads protobuf's JSON.

The server's reader is protojson with DiscardUnknown and AllowPartial (livekit protocol
utils/protojson), so reading takes what it takes: names in camel case or as in the schema, enums by
name or number, numbers as strings, base64 of either alphabet with or without padding; unknown
fields and unknown names of enum values are dropped; null is absence. A field, a map key or a member
of a oneof that comes twice is an error.

Compared with Go's protojson 1.36.11 on mutated frames, two differences are known: nesting is
limited to 100 where Go allows 10,000, for which Python's own reader would run out of stack; and a
string that only begins with a number ("5}") is no number here, while Go reads its beginning.
"""

from __future__ import annotations

import json
import math
import re
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import betterproto2

from ..errors import MalformedFrame
from ..messages import Timestamp
from .schema import Field, Label, M, Message, enum_numbers, shape_of
from .timestamps import parse_timestamp
from .values import float32, integer_range

__all__ = ["decode"]

_DEPTH = 100


class _Malformed(Exception):
    """An error on its way up, gathering the path."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []


class _Number(str):
    """A number as it was spelled: what it may be depends on the field."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """An object as it was spelled: a name may come twice."""

    __slots__ = ()


class _Nothing:
    """What an unknown name of an enum value is read as."""


_NOTHING = _Nothing()


def decode(cls: type[M], text: str) -> M:
    """The message of class ``cls`` that ``text`` spells.

    Raises:
        MalformedFrame: when it spells none; ``where`` is the path of the field, ``offset`` a
            position in ``text`` where it is not JSON.
    """
    try:
        return _read_message(cls, _parse(text, cls.__name__))
    except _Malformed as error:
        where = ".".join((cls.__name__, *reversed(error.path)))
        raise MalformedFrame(error.problem, where=where) from None


# ------------------------------------------------------------------------------------ the syntax

# A string, even one without an end, or a bracket. The possessive form keeps this linear.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


def _parse(text: str, where: str) -> object:
    if _too_deep(text):
        raise MalformedFrame(f"arrays and objects nest deeper than {_DEPTH}", where=where)
    try:
        tree: object = json.loads(
            text,
            object_pairs_hook=_Object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        raise MalformedFrame(
            f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}", where=where, offset=error.pos
        ) from None
    _reject_lone_surrogates(text)
    return tree


def _constant(name: str) -> object:
    raise _Malformed(f"not JSON: {name}")


def _too_deep(text: str) -> bool:
    depth = 0
    for token in _TOKEN.finditer(text):
        character = text[token.start()]
        if character in "[{":
            depth += 1
            if depth > _DEPTH:
                return True
        elif character in "]}":
            depth -= 1
    return False


def _reject_lone_surrogates(text: str) -> None:
    """Python reads an escaped half of a pair, of which no UTF-8 can be made; Go refuses it."""
    if "\\ud" not in text and "\\uD" not in text:
        return
    high_ends = -1  # where an escaped high surrogate ended that waits for its low one
    for escape in _ESCAPE.finditer(text):
        code = int(escape[1] or "0", 16)
        paired = high_ends == escape.start()
        if (0xDC00 <= code <= 0xDFFF) is not paired or (high_ends >= 0 and not paired):
            raise _Malformed("a string has half a surrogate pair")
        high_ends = escape.end() if 0xD800 <= code <= 0xDBFF else -1
    if high_ends >= 0:
        raise _Malformed("a string has half a surrogate pair")


# --------------------------------------------------------------------------------------- reading


def _read_message(cls: type[M], tree: object) -> M:
    if type(tree) is not _Object:
        raise _Malformed(f"expected an object, not {_name_of(tree)}")
    shape = shape_of(cls)
    message = object.__new__(cls)  # its constructor would store every zero
    seen: set[str] = set()
    for name, item in tree:
        field = shape.by_name.get(name)
        if field is None:
            continue
        try:
            if field.name in seen:
                raise _Malformed("comes twice")
            seen.add(field.name)
            if item is not None:
                if field.group is not None:
                    _claim(field, seen)
                _READ[field.label](field, item, message)
        except _Malformed as error:
            error.path.append(field.proto_name)
            raise
    return message


def _claim(field: Field, seen: set[str]) -> None:
    """Take the oneof for one member. An unknown name of an enum value takes it too, as in Go."""
    mark = f"oneof {field.group}"
    if mark in seen:
        raise _Malformed(f"another member of {field.group} is set already")
    seen.add(mark)


def _read_single(field: Field, item: object, message: Message) -> None:
    value = _read_value(field, item)
    if value is not _NOTHING:
        setattr(message, field.name, value)


def _read_list(field: Field, item: object, message: Message) -> None:
    if type(item) is not list:
        raise _Malformed(f"expected an array, not {_name_of(item)}")
    found = (_read_value(field, element) for element in item)
    setattr(message, field.name, [value for value in found if value is not _NOTHING])


def _read_map(field: Field, item: object, message: Message) -> None:
    if type(item) is not _Object:
        raise _Malformed(f"expected an object, not {_name_of(item)}")
    assert field.entry is not None
    key_field, value_field = field.entry
    entries: dict[object, object] = {}
    seen: set[object] = set()
    for name, element in item:
        key = _READ_KEY.get(key_field.kind, _read_key)(key_field, name)
        if key in seen:
            raise _Malformed("a key comes twice")
        seen.add(key)
        value = _read_value(value_field, element)
        if value is not _NOTHING:
            entries[key] = value
    setattr(message, field.name, entries)


_READ: Mapping[Label, Callable[[Field, object, Message], None]] = MappingProxyType(
    {
        Label.IMPLICIT: _read_single,
        Label.EXPLICIT: _read_single,
        Label.REPEATED: _read_list,
        Label.MAP: _read_map,
    }
)


def _read_key(field: Field, name: str) -> object:
    return _SCALARS[field.kind](field, name)


def _read_bool_key(field: Field, name: str) -> bool:
    if name not in ("true", "false"):
        raise _Malformed("expected true or false as key")
    return name == "true"


_READ_KEY: Mapping[str, Callable[[Field, str], object]] = MappingProxyType(
    {betterproto2.TYPE_BOOL: _read_bool_key}
)


def _read_value(field: Field, item: object) -> object:
    if field.message is Timestamp:
        return _read_timestamp(item)
    if field.message is not None:
        return _read_message(field.message, item)
    return _SCALARS[field.kind](field, item)


def _read_timestamp(item: object) -> Timestamp:
    parts = parse_timestamp(item) if type(item) is str else None
    if parts is None:
        raise _Malformed(f"expected a time as RFC 3339 spells it, not {_name_of(item)}")
    return Timestamp(seconds=parts[0], nanos=parts[1])


def _read_string(field: Field, item: object) -> str:
    if type(item) is not str:
        raise _Malformed(f"expected a string, not {_name_of(item)}")
    return item


def _read_bool(field: Field, item: object) -> bool:
    if type(item) is not bool:
        raise _Malformed(f"expected true or false, not {_name_of(item)}")
    return item


def _read_bytes(field: Field, item: object) -> bytes:
    """Base64 by either alphabet, padded or not; as in Go, a length of 4 n means padded."""
    text = _read_string(field, item)
    body = text.replace("\r", "").replace("\n", "")
    if "-" in body or "_" in body:
        body = "+" if "+" in body or "/" in body else body.translate(_URL_SAFE)
    if len(text) % 4:
        body = "=" if "=" in body else body + "=" * (-len(body) % 4)
    try:
        return a2b_base64(body, strict_mode=True)
    except ValueError:
        raise _Malformed("expected base64") from None


_URL_SAFE = str.maketrans("-_", "+/")

_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?")


def _spelled(item: object) -> re.Match[str]:
    """A number, or a string that holds one."""
    if type(item) is not _Number and type(item) is not str:
        raise _Malformed(f"expected a number, not {_name_of(item)}")
    found = _NUMBER.fullmatch(item)
    if found is None:
        raise _Malformed("expected a number")
    return found


def _read_integer(field: Field, item: object) -> int:
    """An integer, also as 1.0 or 1e3. Spelled digits are counted first: the sender chose them."""
    sign, whole, fraction, exponent = _spelled(item).groups(default="")
    digits = (whole + fraction).lstrip("0")
    zeros = _exponent(exponent) - len(fraction)
    significant = digits.rstrip("0")
    zeros += len(digits) - len(significant)
    if not significant:
        return 0
    if zeros < 0:
        raise _Malformed("expected an integer")
    low, high = integer_range(field.kind)
    if len(significant) + zeros <= 20:
        number = int(sign + significant + "0" * zeros)
        if low <= number <= high:
            return number
    raise _Malformed(f"out of the range of {field.kind}")


def _exponent(digits: str) -> int:
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-").lstrip("0")
    return sign * int(digits or "0") if len(digits) < 10 else sign * 10**10


def _read_enum(field: Field, item: object) -> object:
    assert field.enum is not None
    if type(item) is str:
        number = enum_numbers(field.enum).get(item)
        return _NOTHING if number is None else field.enum(number)
    if type(item) is not _Number:
        raise _Malformed(f"expected a name or a number, not {_name_of(item)}")
    return field.enum(_read_integer(field, item))


_SPECIAL = MappingProxyType({"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf})


def _read_float(field: Field, item: object) -> float:
    if type(item) is str and item in _SPECIAL:
        return _SPECIAL[item]
    number = float(_spelled(item)[0])
    if field.kind == betterproto2.TYPE_FLOAT:
        number = float32(number)
    if math.isinf(number):
        raise _Malformed(f"out of the range of {field.kind}")
    return number


_SCALARS: Mapping[str, Callable[[Field, object], object]] = MappingProxyType(
    {
        **dict.fromkeys(betterproto2.ALL_INT_TYPES, _read_integer),
        betterproto2.TYPE_ENUM: _read_enum,
        betterproto2.TYPE_BOOL: _read_bool,
        betterproto2.TYPE_FLOAT: _read_float,
        betterproto2.TYPE_DOUBLE: _read_float,
        betterproto2.TYPE_STRING: _read_string,
        betterproto2.TYPE_BYTES: _read_bytes,
    }
)

_NAMES: Mapping[type, str] = MappingProxyType(
    {
        _Object: "an object",
        list: "an array",
        str: "a string",
        _Number: "a number",
        bool: "true or false",
        type(None): "null",
    }
)


def _name_of(item: object) -> str:
    return _NAMES[type(item)]
