"""Nothing that a peer sends costs more than its size: time against size, in one run.

Sixteen times the input may take at most eighty times as long; what is quadratic takes 256 times.
It is more than sixteen where the objects of the smaller input fit into memory that the process has
already, and those of the larger do not: the compiled codec is quick enough to show it (43 times).
Inputs are large enough for a quadratic step to stand out, were it only the copying of bytes.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from kitwire.codec import (
    Message,
    decode_message,
    encode_message,
    message_from_json,
    message_to_json,
    redact_jwt,
    redact_text,
    to_plain,
    unknown_fields,
)
from kitwire.errors import MalformedFrame
from kitwire.messages import (
    DataTrackSubscriberHandles,
    LeaveRequest,
    Ping,
    SessionDescription,
    SignalResponse,
    TrackInfo,
    UpdateSubscription,
    WrappedJoinRequest,
)

from .mutations import varint

GROWTH = 16
ALLOWED = 80
FLOOR = 0.0005
"""Seconds: below it, the clock and fixed costs would be measured."""


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    # The collector counts objects, and would set in somewhere between the two sizes.
    gc.disable()
    yield
    gc.enable()


def seconds(action: Callable[[], object]) -> float:
    begun = time.process_time()
    action()
    return time.process_time() - begun


def check_linear(make: Callable[[int], Callable[[], object]], size: int) -> None:
    """``make(size)`` is an action over an input of about that many pieces."""
    action = make(size)
    small = max(FLOOR, min(seconds(action) for _ in range(5)))
    action = make(size * GROWTH)
    ratios = []
    for _ in range(3):  # a load that comes and goes is not ours
        ratios.append(seconds(action) / small)
        if ratios[-1] < ALLOWED:
            return
    pytest.fail(f"{min(ratios):.0f} times the time for {GROWTH} times {size}")


def block(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A frame that grows with ``n``."""

    name: str
    cls: type[Message]
    data: Callable[[int], bytes]


def entry(n: int) -> bytes:
    return b"\x08" + varint(n)


BINARY = (
    Hostile("empty messages", SignalResponse, lambda n: block(5, b"\x0a\x00" * n)),
    Hostile("unknown numbers", SignalResponse, lambda n: (tag(1000, 0) + b"\x01") * n),
    Hostile("unknown blocks", SignalResponse, lambda n: block(1000, b"x") * n),
    Hostile("one large unknown block", SignalResponse, lambda n: block(1000, bytes(n * 10))),
    Hostile("one large string", SignalResponse, lambda n: block(16, b"x" * n * 10)),
    Hostile(
        "a message merged with unknown fields",
        SignalResponse,
        lambda n: block(8, tag(1000, 0) + b"\x01") * n,
    ),
    Hostile("a message merged with items", SignalResponse, lambda n: block(5, b"\x0a\x00") * n),
    Hostile("members in turn", SignalResponse, lambda n: (block(8, b"") + b"\x90\x01\x05") * n),
    Hostile("groups", SignalResponse, lambda n: (tag(99, 3) * 9 + tag(99, 4) * 9) * n),
    Hostile(
        "groups without end", SignalResponse, lambda n: (tag(99, 3) + tag(99, 4)) * n + b"\x80"
    ),
    Hostile("packed", TrackInfo, lambda n: block(19, b"\x01" * n)),
    Hostile("packed in pieces", TrackInfo, lambda n: block(19, b"\x01") * n),
    Hostile("unknown numbers of enums", TrackInfo, lambda n: block(19, b"\x7f" * n)),
    Hostile(
        "map entries",
        DataTrackSubscriberHandles,
        lambda n: b"".join(block(1, entry(k)) for k in range(n)),
    ),
    Hostile("one map entry", SessionDescription, lambda n: block(4, b"\x0a\x01a") * n),
    Hostile("unknown map entries", SessionDescription, lambda n: block(4, b"\x18\x01") * n),
    Hostile("one large unknown map entry", SessionDescription, lambda n: block(4, b"\x18\x01" * n)),
    Hostile("an error at the end", SignalResponse, lambda n: block(5, b"\x0a\x00" * n + b"\x0a")),
    Hostile("an error in a string", SignalResponse, lambda n: block(16, b"x" * n * 10 + b"\xff")),
)


def decoded(cls: type[Message], data: bytes) -> object:
    try:
        return decode_message(cls, data)
    except MalformedFrame as error:
        return error


@pytest.mark.parametrize("hostile", BINARY, ids=lambda hostile: hostile.name)
def test_binary_decoding_is_linear(hostile: Hostile) -> None:
    def make(size: int) -> Callable[[], object]:
        data = hostile.data(size)
        return lambda: decoded(hostile.cls, data)

    check_linear(make, 10_000)


@pytest.mark.parametrize("hostile", BINARY, ids=lambda hostile: hostile.name)
def test_what_was_decoded_is_encoded_and_shown_in_linear_time(hostile: Hostile) -> None:
    if isinstance(decoded(hostile.cls, hostile.data(10)), MalformedFrame):
        return

    def make(size: int) -> Callable[[], object]:
        message = decode_message(hostile.cls, hostile.data(size))
        return lambda: (
            encode_message(message),
            message_to_json(message),
            to_plain(message),
            unknown_fields(message),
        )

    check_linear(make, 300)


@dataclass(frozen=True, slots=True)
class HostileText:
    """A text that grows with ``n``."""

    name: str
    cls: type[Message]
    text: Callable[[int], str]


TEXTS = (
    HostileText("unknown names", Ping, lambda n: "{" + '"a":1,' * n + '"b":1}'),
    HostileText("a large number", Ping, lambda n: '{"rtt":' + "1" * n * 100 + "}"),
    HostileText("a large fraction", Ping, lambda n: '{"rtt":0.' + "1" * n * 100 + "}"),
    HostileText("a large exponent", Ping, lambda n: '{"rtt":1e' + "1" * n * 100 + "}"),
    HostileText("zeros", Ping, lambda n: '{"rtt":1' + "0" * n * 100 + "e-5}"),
    HostileText("brackets", Ping, lambda n: "[" * n * 10),
    HostileText("siblings", Ping, lambda n: '{"a":[' + "[]," * n + "1]}"),
    HostileText("a string without end", Ping, lambda n: '{"a":"' + '\\"' * n * 10),
    HostileText("quotes", Ping, lambda n: '"' * n * 10),
    HostileText("backslashes", Ping, lambda n: '{"a":"' + "\\" * n * 10),
    HostileText("surrogates", Ping, lambda n: '{"a":"' + "\\ud83d\\ude00" * n + '"}'),
    HostileText("spaces", Ping, lambda n: " " * n * 100 + "{"),
    HostileText("items", UpdateSubscription, lambda n: '{"trackSids":[' + '"a",' * n + '"b"]}'),
    HostileText("messages", TrackInfo, lambda n: '{"layers":[' + "{}," * n + "{}]}"),
    HostileText(
        "unknown names of enums", TrackInfo, lambda n: '{"audioFeatures":[' + '"X",' * n + '"Y"]}'
    ),
    HostileText(
        "keys",
        SessionDescription,
        lambda n: '{"midToTrackId":{' + ",".join(f'"{key}":""' for key in range(n)) + "}}",
    ),
    HostileText(
        "base64", WrappedJoinRequest, lambda n: '{"joinRequest":"' + "AAAA" * n * 10 + '"}'
    ),
    HostileText("lines", WrappedJoinRequest, lambda n: '{"joinRequest":"' + "A_\\n" * n + '"}'),
    HostileText("a name", LeaveRequest, lambda n: '{"' + "a" * n * 100 + '":1}'),
)


@pytest.mark.parametrize("hostile", TEXTS, ids=lambda hostile: hostile.name)
def test_reading_json_is_linear(hostile: HostileText) -> None:
    def make(size: int) -> Callable[[], object]:
        text = hostile.text(size)

        def read() -> object:
            try:
                return message_from_json(hostile.cls, text)
            except MalformedFrame as error:
                return error

        return read

    check_linear(make, 1_000)


FOREIGN = (
    "eyJ",
    "eyJ.",
    "aeyJ",
    "aeyJbc.",
    "eyJ%2E",
    "eyJhbGciOi.eyJ2aWRlbyI6.sig ",
    "Bearer ",
    "Bearer\n\n",
    "bearer",
    "ufrag ",
    "ufrag\t\t",
    "ice-pwd:",
    "ice-pwd: ",
    "ice-pwd:\\/",
    'a"',
    '"token"',
    '"token": ',
    '"token":"',
    "\\'",
    "token=",
    "access_token=&",
    "<",
    "\\",
    " ",
    "%2",
)


@pytest.mark.parametrize("piece", FOREIGN)
@pytest.mark.parametrize("mask", [redact_text, redact_jwt])
def test_masking_is_linear(piece: str, mask: Callable[[str], str]) -> None:
    def make(size: int) -> Callable[[], object]:
        text = piece * size
        return lambda: mask(text)

    check_linear(make, 2_000)


@pytest.mark.parametrize("before", ["eyJ", "Bearer ", "ice-pwd:", "ufrag ", "token=", '"token":"'])
def test_masking_one_long_secret_is_linear(before: str) -> None:
    def make(size: int) -> Callable[[], object]:
        text = before + "a" * size
        return lambda: redact_text(text)

    check_linear(make, 2_000)


def test_the_check_fails_for_what_is_quadratic() -> None:
    def make(size: int) -> Callable[[], object]:
        return lambda: [sum(range(size)) for _ in range(size)]

    with pytest.raises(pytest.fail.Exception, match="times the time for 16 times"):
        check_linear(make, 100)
