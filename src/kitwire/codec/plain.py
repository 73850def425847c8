"""Messages as plain data, for people and logs: redacted, everything spelled out.

Not the JSON of the wire (:mod:`kitwire.codec.spelling`): names are those of the schema, defaults
are shown, secrets are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import betterproto2

from ..messages import Timestamp
from .redaction import MASK, redact_jwt, redact_text
from .schema import Field, Label, Message, enum_names, shape_of
from .spelling import spell, spell_bytes, spell_double, spell_key
from .timestamps import format_timestamp

__all__ = ["to_plain"]

_DESCRIPTIONS = frozenset({("SessionDescription", "sdp"), ("TrickleRequest", "candidate_init")})
"""Secret only in part: of these, the text stays and its credentials go."""


def to_plain(value: object) -> object:
    """Plain data that :func:`json.dumps` takes: dicts, lists, str, int, float, bool and ``None``.

    Messages have the schema's field names (``candidateInit`` too), names of enum values (numbers
    where there is none), 64-bit integers as strings, bytes as base64, times as RFC 3339. Fields
    that are zero are there, unset messages as ``None``; unset members of a oneof and unset
    ``optional`` scalars are not. Secret fields are ``<redacted>``; of SDP and candidates only the
    ICE credentials; anything that looks like a JWT is masked wherever it stands.

    Takes messages, enums, scalars, and lists, tuples, sets and mappings of these.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(value, Message):
        return _message(value)
    if isinstance(value, betterproto2.Enum):
        return enum_names(type(value)).get(value, int(value))
    if isinstance(value, Enum):
        return to_plain(value.value)
    if isinstance(value, str):
        return redact_jwt(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return spell_double(value)
    if isinstance(value, (bytes, bytearray)):
        return spell_bytes(value)
    if isinstance(value, Mapping):
        return {spell_key(to_plain(key)): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} is neither a message nor plain data")


def _message(message: Message) -> object:
    if isinstance(message, Timestamp):
        text = format_timestamp(message.seconds, message.nanos)
        if text is not None:
            return text
    plain: dict[str, object] = {}
    for field in shape_of(type(message)).fields:
        value = getattr(message, field.name)
        if value is None and (field.message is None or field.group is not None):
            continue
        plain[field.proto_name] = _field(type(message).__name__, field, value)
    return plain


def _field(owner: str, field: Field, value: object) -> object:
    if field.secret and value:
        if (owner, field.name) in _DESCRIPTIONS and isinstance(value, str):
            return redact_text(value)
        return MASK
    if field.label is Label.MAP and field.entry is not None and isinstance(value, Mapping):
        item = field.entry[1]
        return {spell_key(redact_jwt(str(k))): _value(item, v) for k, v in value.items()}
    if field.label is Label.REPEATED and isinstance(value, (list, tuple)):
        return [_value(field, item) for item in value]
    return _value(field, value)


def _value(field: Field, value: object) -> object:
    if isinstance(value, (bool, int, float)):
        return spell(field, value)
    return to_plain(value)  # messages, text, bytes; and what no field should hold
