"""One message to one text frame, as LiveKit's Go server writes protobuf's JSON.

Camel case, names of enum values, 64-bit integers as strings, zero left out where presence does not
show: protojson's defaults (livekit protocol utils/protojson). Unknown fields have no place there.
"""

from __future__ import annotations

import json
import math
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, assert_never

import betterproto2

from ..messages import Timestamp
from .schema import Field, Label, Message, enum_names, shape_of
from .timestamps import format_timestamp
from .values import (
    CHECKS,
    Unwritable,
    check_list,
    check_map,
    check_message,
    check_oneofs,
    float32,
)

__all__ = ["encode", "spell", "spell_bytes", "spell_double", "spell_key"]


def encode(message: Message) -> str:
    """The message as JSON.

    Raises:
        TypeError: a field holds a value of a wrong type.
        ValueError: a number is out of range, a text is not Unicode, two members of a oneof are set.
    """
    cls = type(message)
    try:
        tree = _write_message(cls, message)
    except Unwritable as error:
        raise error.raised(cls) from None
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _write_message(cls: type[Message], message: object) -> object:
    check_message(cls, message)
    if isinstance(message, Timestamp):
        return _write_timestamp(message)
    shape = shape_of(cls)
    check_oneofs(shape, message)
    tree: dict[str, object] = {}
    for field in shape.fields:
        try:
            value = _write_field(field, getattr(message, field.name))
        except Unwritable as error:
            error.path.append(field.proto_name)
            raise
        if value is not None:
            tree[field.json_name] = value
    return tree


def _write_field(field: Field, value: object) -> object:
    """What stands in JSON; ``None`` for a field that does not."""
    match field.label:
        case Label.IMPLICIT:
            checked = CHECKS[field.kind](value)
            return None if _is_zero(checked) else spell(field, checked)
        case Label.EXPLICIT:
            return None if value is None else _write_value(field, value)
        case Label.REPEATED:
            return [_write_value(field, item) for item in check_list(value)] or None
        case Label.MAP:
            assert field.entry is not None
            key, item = field.entry
            entries = check_map(value).items()
            return {
                spell_key(CHECKS[key.kind](k)): _write_value(item, v) for k, v in entries
            } or None
        case _:
            assert_never(field.label)


def _is_zero(value: object) -> bool:
    """Whether a field without presence is left out; -0.0 is not zero, as in Go."""
    return not value and str(value) != "-0.0"


def _write_value(field: Field, value: object) -> object:
    if field.message is not None:
        return _write_message(field.message, value)
    return spell(field, CHECKS[field.kind](value))


def _write_timestamp(message: Timestamp) -> str:
    seconds, nanos = (
        CHECKS[field.kind](getattr(message, field.name)) for field in shape_of(Timestamp).fields
    )
    text = format_timestamp(seconds, nanos)
    if text is None:
        raise Unwritable("is outside the years 1 to 9999", ValueError)
    return text


def spell(field: Field, value: object) -> object:
    """A scalar that fits its field, as JSON holds it."""
    if field.enum is not None and isinstance(value, int):
        return enum_names(field.enum).get(value, int(value))
    return _SPELL.get(field.kind, _as_is)(value)


def spell_key(key: object) -> str:
    """A map's key: in JSON they are strings."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def spell_bytes(value: bytes | bytearray) -> str:
    """Base64, the standard alphabet, padded."""
    return b2a_base64(value, newline=False).decode()


def spell_double(value: float) -> float | str:
    """A float; JSON has no number for the infinite ones and for what is none."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _spell_float(value: float) -> float | str:
    """The fewest digits that give the same 32-bit float: 0.1, not 0.10000000149011612."""
    nearest = float32(value)
    if not math.isfinite(nearest):
        return spell_double(value)
    attempts = (float(f"{nearest:.{digits}g}") for digits in range(1, 10))
    return next(short for short in attempts if float32(short) == nearest)  # 9 always suffice


def _as_is(value: object) -> object:
    return value


_SPELL: Mapping[str, Callable[[Any], object]] = MappingProxyType(
    {
        **dict.fromkeys(betterproto2.INT_64_TYPES, str),
        betterproto2.TYPE_BYTES: spell_bytes,
        betterproto2.TYPE_DOUBLE: spell_double,
        betterproto2.TYPE_FLOAT: _spell_float,
    }
)
