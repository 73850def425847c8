"""One WebSocket message ↔ one typed message. The only package that knows betterproto2.

A frame's own type says how it is encoded: bytes are protobuf, text is protobuf's JSON. Whatever the
peer sends, decoding raises :class:`~kitwire.errors.MalformedFrame` and nothing else; unknown fields
survive, and an unknown variant is a message without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import FunctionType
from typing import Final, Literal

from . import binary, json, spelling
from .frames import decode_request, decode_response, encode_request, encode_response
from .plain import to_plain
from .redaction import MASK, redact_jwt, redact_text
from .schema import UNKNOWN, M, Message, shape_of

__all__ = [
    "MASK",
    "Message",
    "decode_message",
    "decode_request",
    "decode_response",
    "encode_message",
    "encode_request",
    "encode_response",
    "implementation",
    "message_from_json",
    "message_to_json",
    "redact_jwt",
    "redact_text",
    "to_plain",
    "unknown_fields",
    "which_variant",
]

implementation: Final[Literal["pure", "compiled"]] = (
    "pure" if isinstance(binary.decode, FunctionType) else "compiled"
)
"""Which codec runs: Python's own, or the same compiled (see the how-to on embedding)."""


def decode_message(cls: type[M], data: bytes | bytearray | memoryview) -> M:
    """Any message of :mod:`kitwire.messages` from its binary encoding.

    Raises:
        MalformedFrame: ``data`` is not one.
    """
    return binary.decode(cls, data)


def encode_message(message: Message) -> bytes:
    """Any message of :mod:`kitwire.messages` in its binary encoding.

    Raises:
        TypeError: a field holds a value of a wrong type.
        ValueError: a number is out of range, a text is not Unicode, two members of a oneof are set.
    """
    return binary.encode(message)


def message_from_json(cls: type[M], text: str) -> M:
    """Any message of :mod:`kitwire.messages` from JSON, read as LiveKit's Go server reads it.

    Raises:
        MalformedFrame: ``text`` is not one.
    """
    return json.decode(cls, text)


def message_to_json(message: Message) -> str:
    """Any message of :mod:`kitwire.messages` as JSON, written as LiveKit's Go server writes it.

    Unknown fields are left out: JSON has no place for them.

    Raises:
        TypeError: a field holds a value of a wrong type.
        ValueError: a number is out of range, a text is not Unicode, two members of a oneof are set.
    """
    return spelling.encode(message)


def which_variant(message: Message) -> tuple[str, object] | None:
    """The member of the message's oneof that is set: its name in the schema, and its value.

    ``None`` when none is set, or one that this version does not know (see :func:`unknown_fields`).

    Raises:
        ValueError: the class has no oneof, or, which decoding never does, two members are set.
    """
    members = _variants(type(message))
    # Looked for in what the message stores, which is little where it was read: see messages/_base.
    found = [
        (members[name], value)
        for name, value in vars(message).items()
        if value is not None and name in members
    ]
    if len(found) > 1:
        names = " and ".join(name for name in members.values() if name in dict(found))
        raise ValueError(f"{type(message).__name__} may hold one of {names}, not both")
    return found[0] if found else None


@cache
def _variants(cls: type[Message]) -> Mapping[str, str]:
    """Attribute → name in the schema, of the members of the class's one oneof."""
    groups = shape_of(cls).oneofs
    if len(groups) != 1:
        raise ValueError(f"{cls.__name__} has no oneof")
    (members,) = groups.values()
    return {member.name: member.proto_name for member in members}


def unknown_fields(message: Message) -> tuple[int, ...]:
    """The numbers of the message's own unknown fields, each once, in the order they came.

    Among them a variant that this version does not know. Fields unknown to nested messages are
    theirs.
    """
    return binary.field_numbers(getattr(message, UNKNOWN))
