"""One WebSocket message ↔ one typed message. The only package that knows betterproto2.

A frame's own type says how it is encoded: bytes are protobuf, text is protobuf's JSON. Whatever the
peer sends, decoding raises :class:`~kitwire.errors.MalformedFrame` and nothing else; unknown fields
survive, and an unknown variant is a message without one.
"""

from __future__ import annotations

from typing import Literal, assert_never, overload

from ..config import Encoding
from ..errors import MalformedFrame
from ..messages import SignalRequest, SignalResponse
from . import binary, json, spelling
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
    "message_from_json",
    "message_to_json",
    "redact_jwt",
    "redact_text",
    "to_plain",
    "unknown_fields",
    "which_variant",
]


def decode_response(frame: bytes | str, *, max_size: int | None = None) -> SignalResponse:
    """What the server says in one WebSocket message.

    ``max_size`` is in bytes, for text as UTF-8.

    Raises:
        MalformedFrame: the frame is no SignalResponse, or larger than ``max_size``.
    """
    if type(frame) is bytes and (max_size is None or len(frame) <= max_size):
        return binary.decode(SignalResponse, frame)  # the way of nearly all, and so without a step
    return _decode(SignalResponse, frame, max_size)


def decode_request(frame: bytes | str, *, max_size: int | None = None) -> SignalRequest:
    """What a client says in one WebSocket message.

    ``max_size`` is in bytes, for text as UTF-8.

    Raises:
        MalformedFrame: the frame is no SignalRequest, or larger than ``max_size``.
    """
    return _decode(SignalRequest, frame, max_size)


@overload
def encode_request(
    message: SignalRequest, *, encoding: Literal[Encoding.BINARY] = Encoding.BINARY
) -> bytes: ...
@overload
def encode_request(message: SignalRequest, *, encoding: Literal[Encoding.JSON]) -> str: ...
@overload
def encode_request(message: SignalRequest, *, encoding: Encoding) -> bytes | str: ...
def encode_request(message: SignalRequest, *, encoding: Encoding = Encoding.BINARY) -> bytes | str:
    """The WebSocket message by which a client says this.

    Raises:
        TypeError: a field holds a value of a wrong type.
        ValueError: a number is out of range, a text is not Unicode, two members of a oneof are set.
    """
    if encoding is Encoding.BINARY:
        return binary.encode(message)
    return _encode(message, encoding)


@overload
def encode_response(
    message: SignalResponse, *, encoding: Literal[Encoding.BINARY] = Encoding.BINARY
) -> bytes: ...
@overload
def encode_response(message: SignalResponse, *, encoding: Literal[Encoding.JSON]) -> str: ...
@overload
def encode_response(message: SignalResponse, *, encoding: Encoding) -> bytes | str: ...
def encode_response(
    message: SignalResponse, *, encoding: Encoding = Encoding.BINARY
) -> bytes | str:
    """The WebSocket message by which a server says this.

    Raises:
        TypeError: a field holds a value of a wrong type.
        ValueError: a number is out of range, a text is not Unicode, two members of a oneof are set.
    """
    return _encode(message, encoding)


def decode_message(cls: type[M], data: bytes) -> M:
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
    groups = shape_of(type(message)).oneofs
    if len(groups) != 1:
        raise ValueError(f"{type(message).__name__} has no oneof")
    (members,) = groups.values()
    found = [
        (member.proto_name, value)
        for member in members
        if (value := getattr(message, member.name)) is not None
    ]
    if len(found) > 1:
        names = " and ".join(name for name, _ in found)
        raise ValueError(f"{type(message).__name__} may hold one of {names}, not both")
    return found[0] if found else None


def unknown_fields(message: Message) -> tuple[int, ...]:
    """The numbers of the message's own unknown fields, each once, in the order they came.

    Among them a variant that this version does not know. Fields unknown to nested messages are
    theirs.
    """
    return binary.field_numbers(getattr(message, UNKNOWN))


def _decode(cls: type[M], frame: bytes | str, max_size: int | None) -> M:
    if isinstance(frame, str):
        try:
            size = len(frame.encode())
        except UnicodeEncodeError as error:
            raise MalformedFrame(
                "the text is not Unicode", where=cls.__name__, offset=error.start
            ) from None
    else:
        size = len(frame)
    if max_size is not None and size > max_size:
        raise MalformedFrame(
            f"{size} bytes are more than the limit of {max_size}", where=cls.__name__
        )
    return json.decode(cls, frame) if isinstance(frame, str) else binary.decode(cls, frame)


def _encode(message: Message, encoding: Encoding) -> bytes | str:
    match encoding:
        case Encoding.BINARY:
            return binary.encode(message)
        case Encoding.JSON:
            return spelling.encode(message)
        case _:
            assert_never(encoding)
