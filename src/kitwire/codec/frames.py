"""One WebSocket message ↔ what one side says to the other.

A frame's own type says how it is encoded: bytes are protobuf, text is protobuf's JSON.
"""

from __future__ import annotations

from typing import Final, Literal, assert_never, overload

from ..config import Encoding
from ..errors import MalformedFrame
from ..messages import SignalRequest, SignalResponse
from . import binary, json, spelling
from .schema import M, Message

__all__ = ["decode_request", "decode_response", "encode_request", "encode_response"]

Frame = bytes | bytearray | memoryview | str
"""A WebSocket message."""

_BINARY: Final = Encoding.BINARY
"""To look a member of an enum up takes longer than to write a small message."""


def decode_response(frame: Frame, *, max_size: int | None = None) -> SignalResponse:
    """What the server says in one WebSocket message.

    ``max_size`` is in bytes, for text as UTF-8.

    Raises:
        MalformedFrame: the frame is no SignalResponse, or larger than ``max_size``.
    """
    if type(frame) is bytes and (max_size is None or len(frame) <= max_size):
        return binary.decode_response(frame)
    return _decode(SignalResponse, frame, max_size)


def decode_request(frame: Frame, *, max_size: int | None = None) -> SignalRequest:
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
    if encoding is _BINARY:
        return binary.encode_request(message)
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


def _decode(cls: type[M], frame: Frame, max_size: int | None) -> M:
    size = _size(cls, frame) if isinstance(frame, str) else len(frame)
    if max_size is not None and size > max_size:
        raise MalformedFrame(
            f"{size} bytes are more than the limit of {max_size}", where=cls.__name__
        )
    return json.decode(cls, frame) if isinstance(frame, str) else binary.decode(cls, frame)


def _size(cls: type[Message], text: str) -> int:
    """In bytes, as UTF-8."""
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        start = error.start
    raise MalformedFrame("the text is not Unicode", where=cls.__name__, offset=start)


def _encode(message: Message, encoding: Encoding) -> bytes | str:
    match encoding:
        case Encoding.BINARY:
            return binary.encode(message)
        case Encoding.JSON:
            return spelling.encode(message)
        case _:
            assert_never(encoding)
