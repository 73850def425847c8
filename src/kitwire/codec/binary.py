"""Messages in binary. Reading is strict: what google.protobuf accepts, with the same values.

The rules are those of its C decoder (upb), measured; prose is at
https://protobuf.dev/programming-guides/encoding/. Where the two are silent or differ, upb wins:

- a tag has at most 5 bytes and 32 bits, a length at most 5 bytes and less than 2**31, a value at
  most 10 bytes, of which bits beyond 64 are dropped; varints need not be minimal;
- enum, int32 and uint32 are cut to 32 bits;
- a known number with a wrong wire type is an unknown field, and so is any group;
- field 0 is an error, except inside unknown groups; groups and messages nest to 100;
- a map entry that holds an unknown or mistyped field becomes an unknown field as a whole;
- a message field that comes twice is merged, also as member of a oneof; another member replaces.

Time is linear in the frame: one pass, no value is copied while it grows.

What is raised to the caller is raised after its ``except`` and not within: an error within holds
the values that it met, and compiled code knows no ``from None`` that would let go of them.
"""

from __future__ import annotations

from ..errors import MalformedFrame
from ..messages import SignalRequest, SignalResponse
from ._decoders import DECODERS, decode_SignalResponse
from ._encoders import ENCODERS, encode_SignalRequest
from .reading import ROOM, Growing, Malformed, read_tag, skip
from .schema import M, Message
from .values import Unwritable

__all__ = ["decode", "decode_response", "encode", "encode_request", "field_numbers"]


def decode(cls: type[M], data: bytes | bytearray | memoryview) -> M:
    """The message of class ``cls`` that ``data`` encodes.

    Raises:
        MalformedFrame: when ``data`` encodes none; ``where`` is the path of the field, ``offset``
            a position in ``data``.
    """
    frame = data if type(data) is bytes else bytes(data)
    growing: Growing = []
    try:
        message: M = DECODERS[cls](frame, 0, len(frame), ROOM, growing)
    except Malformed as error:
        malformed = error
    else:
        if growing:
            _finish(growing)
        return message
    raise _rejected(cls, malformed)


def decode_response(frame: bytes) -> SignalResponse:
    """The same for what a server says, which is nearly all that is read: nothing is looked up.

    Raises:
        MalformedFrame: as :func:`decode`.
    """
    growing: Growing = []
    try:
        message = decode_SignalResponse(frame, 0, len(frame), ROOM, growing)
    except Malformed as error:
        malformed = error
    else:
        if growing:
            _finish(growing)
        return message
    raise _rejected(SignalResponse, malformed)


def _rejected(cls: type[Message], error: Malformed) -> MalformedFrame:
    where = ".".join((cls.__name__, *reversed(error.path)))
    return MalformedFrame(error.problem, where=where, offset=error.offset)


def _finish(growing: Growing) -> None:
    """Let unknown fields be bytes, now that no more are added."""
    for each in growing:
        each._unknown_fields = bytes(each._unknown_fields)


def encode(message: Message) -> bytes:
    """The encoded message: byte for byte what google.protobuf writes.

    Fields go by ascending number, then the unknown ones as they came; zero is left out where
    presence does not show; a map's entries keep their order.

    Raises:
        TypeError: a field holds a value of a wrong type.
        ValueError: a number is out of range, a text is not Unicode, two members of a oneof are set.
    """
    out: list[bytes] = []
    cls = type(message)
    try:
        ENCODERS[cls](message, out)
    except Unwritable as error:
        unwritable = error
    else:
        return b"".join(out)
    raise unwritable.raised(cls)


def encode_request(message: SignalRequest) -> bytes:
    """The same for what a client says.

    Raises:
        TypeError, ValueError: as :func:`encode`.
    """
    out: list[bytes] = []
    try:
        encode_SignalRequest(message, out)
    except Unwritable as error:
        unwritable = error
    else:
        return b"".join(out)
    raise unwritable.raised(SignalRequest)


def field_numbers(data: bytes) -> tuple[int, ...]:
    """The numbers of the fields in ``data``, well-formed as betterproto2 keeps them, each once."""
    numbers: dict[int, None] = {}
    pos = 0
    while pos < len(data):
        tag, after = read_tag(data, pos, len(data))
        numbers[tag >> 3] = None
        pos = skip(data, pos, after, len(data), tag, ROOM)
    return tuple(numbers)
