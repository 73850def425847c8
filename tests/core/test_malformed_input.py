"""Whatever a peer sends, in every phase: nothing raises, and what the tables name happens.

First WebSocket messages that are no messages, at the level of Session; then bytes that are no
WebSocket and no HTTP, at the level of Client.
"""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import rtc

from kitwire.commands import LinkId
from kitwire.config import Limits
from kitwire.errors import Origin, Reason
from kitwire.events import (
    Closed,
    FrameRejected,
    Joined,
    ProtocolViolated,
    TokenRefreshed,
    UnknownMessage,
)
from kitwire.session.phases import Phase
from tests.peers.frames import join, leave, said
from tests.peers.lives import SessionLife, configured, snapshot
from tests.peers.virtual_server import ClientLife, frame

RECEIVE_LIMIT = 4096
LIMITS = Limits(receive=RECEIVE_LIMIT, malformed_frames=3)

# --- Messages: frames that are none ---

NOT_MESSAGES: dict[str, bytes | str] = {
    "a tag cut short": b"\x8a",
    "a length cut short": b"\x0a\xff",
    "a length beyond the end": b"\x0a\x05ab",
    "a nested length beyond its message": b"\x0a\x02\x0a\x05",
    "a varint of eleven bytes": b"\x90\x01" + b"\xff" * 10 + b"\x01",
    "field number 0": b"\x00\x00",
    "wire type 6": b"\x0e\x00",
    "wire type 7": b"\x0f\x00",
    "a group that ends without a start": b"\x0c",
    "a group that does not end": b"\xfb\x3f\x08\x01",
    "a group that ends as another": b"\xfb\x3f\xf4\x3f",
    "groups nested 200 deep": b"\xfb\x3f" * 200 + b"\xfc\x3f" * 200,
    "text that is not UTF-8": b"\x82\x01\x02\xff\xfe",
    "a fixed64 cut short": b"\xf9\x3f\x00",
    "a fixed32 cut short": b"\xfd\x3f\x00",
    "random bytes": bytes(range(255, 100, -1)),
    "larger than the limit": said(rtc.SignalResponse(refresh_token="t" * RECEIVE_LIMIT)),
    "an HTTP answer": b"HTTP/1.1 200 OK\r\n\r\n",
    "no JSON": "nonsense",
    "JSON cut short": '{"refreshToken": "t',
    "JSON that is no object": "[]",
    "JSON null": "null",
    "JSON with a wrong type": '{"refreshToken": 7}',
    "JSON with a number too large": '{"pong": "9223372036854775808"}',
    "JSON with two variants": '{"refreshToken": "a", "pong": "1"}',
    "JSON with a key twice": '{"refreshToken": "a", "refreshToken": "b"}',
    "JSON with NaN for a number": '{"pong": NaN}',
    "JSON nested 5000 deep": '{"join":' * 2000 + "1",
    "a text that is not Unicode": "\ud800",
    "an empty text": "",
    "a large text": '{"refreshToken": "' + "t" * RECEIVE_LIMIT + '"}',
}


@pytest.mark.parametrize("name", NOT_MESSAGES)
def test_google_protobuf_rejects_what_the_table_calls_malformed(name: str) -> None:
    data = NOT_MESSAGES[name]
    if isinstance(data, bytes) and "limit" not in name:
        with pytest.raises(DecodeError):
            rtc.SignalResponse.FromString(data)


@pytest.mark.parametrize("name", NOT_MESSAGES)
def test_a_frame_that_is_no_message(name: str) -> None:
    for phase in Phase:
        check_frame_that_is_no_message(NOT_MESSAGES[name], phase)


def check_frame_that_is_no_message(data: bytes | str, phase: Phase) -> None:
    life = SessionLife(configured(limits=LIMITS))
    life.reach(phase)
    life.hear_frame(data)
    assert life.session.phase is phase
    told = life.take()
    if phase in (Phase.SETTLING, Phase.JOINED, Phase.CLOSING):
        (event,) = told
    elif phase is Phase.JOINING:
        assert told == []
        life.hear(join())
        joined, event, *_ = life.events
        assert isinstance(joined, Joined)
    else:
        assert told == []
        return
    assert isinstance(event, FrameRejected)
    assert event.size == len(data)
    assert event.detail
    assert "\n" not in event.detail


@pytest.mark.parametrize("name", NOT_MESSAGES)
def test_a_row_of_them_ends_the_link(name: str) -> None:
    for phase in Phase:
        check_row_ends_the_link(NOT_MESSAGES[name], phase)


def check_row_ends_the_link(data: bytes | str, phase: Phase) -> None:
    life = SessionLife(configured(limits=LIMITS))
    life.reach(phase)
    for count in range(1, 6):
        life.hear_frame(data)
        if phase in (Phase.JOINING, Phase.JOINED, Phase.CLOSING):
            assert life.session.closed is (count >= 3)
        elif phase is Phase.SETTLING:
            # The second attempt to bring the session back has to wait.
            assert life.session.phase is (Phase.WAITING if count >= 3 else phase)
        else:
            assert life.session.phase is phase
    if phase in (Phase.JOINING, Phase.JOINED):
        assert (life.reason.origin, life.reason.reason) == (
            Origin.PROTOCOL,
            Reason.PROTOCOL_ERROR,
        )
    elif phase is Phase.CLOSING:
        assert life.reason.reason is Reason.CLIENT_INITIATED


# --- Messages: well formed, and out of place or out of the ordinary ---

ODDITIES: dict[str, tuple[bytes | str, type]] = {
    "an empty frame": (b"", UnknownMessage),
    "an empty object": ("{}", UnknownMessage),
    "an unknown variant": (b"\xfa\x3f\x00", UnknownMessage),
    "an unknown group": (b"\xfb\x3f\x08\x01\xfc\x3f", UnknownMessage),
    "a known number with a wrong wire type": (b"\x08\x01", UnknownMessage),
    "an unknown name": ('{"ofTheFuture": [1, {"x": null}]}', UnknownMessage),
    "a variant that is null": ('{"refreshToken": null}', UnknownMessage),
    "a second join": (said(join()), ProtocolViolated),
    "a reconnect": (
        said(rtc.SignalResponse(reconnect=rtc.ReconnectResponse())),
        ProtocolViolated,
    ),
    "a variant and unknown fields": (b"\xf8\x3f\x01\x82\x01\x01t", TokenRefreshed),
    "two variants of which the last counts": (
        said(rtc.SignalResponse(pong=1)) + said(rtc.SignalResponse(refresh_token="t")),
        TokenRefreshed,
    ),
    "a varint with bits to spare": (b"\x82\x81\x80\x80\x00\x01t", TokenRefreshed),
    "a token that is empty": (b"\x82\x01\x00", TokenRefreshed),
}


@pytest.mark.parametrize("name", ODDITIES)
def test_google_protobuf_accepts_what_the_table_calls_odd(name: str) -> None:
    data = ODDITIES[name][0]
    if isinstance(data, bytes):
        message = rtc.SignalResponse.FromString(data)
        assert (message.WhichOneof("message") is None) is (ODDITIES[name][1] is UnknownMessage)


@pytest.mark.parametrize("name", ODDITIES)
def test_an_oddity_is_told_and_the_session_goes_on(name: str) -> None:
    for phase in Phase:
        check_oddity_is_told(name, phase)


def check_oddity_is_told(name: str, phase: Phase) -> None:
    data, kind = ODDITIES[name]
    life = SessionLife(configured(limits=LIMITS))
    life.reach(phase)
    before = life.session.deadline
    for _ in range(5):
        life.hear_frame(data)
    if phase is Phase.JOINING and name == "a second join":
        assert [type(event) for event in life.events] == [Joined, *[kind] * 4]
        return
    assert life.session.phase is phase
    assert life.session.deadline == before
    if phase is Phase.JOINING:
        assert life.events == []
        life.hear(join())
        assert [type(event) for event in life.events] == [Joined, *[kind] * 5]
    else:
        told = 5 if phase in (Phase.SETTLING, Phase.JOINED, Phase.CLOSING) else 0
        assert [type(event) for event in life.take()] == [kind] * told


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.text(max_size=40)), max_size=8),
    st.sampled_from(list(Phase)),
)
def test_any_frames_in_any_phase(frames: list[bytes | str], phase: Phase) -> None:
    life = SessionLife(configured(limits=LIMITS))
    life.reach(phase)
    for data in frames:
        life.hear_frame(data)
    life.close()
    life.wait(60.0)
    assert isinstance(life.outputs[-1], Closed)
    assert life.reason is not None


# --- Bytes: what is no HTTP, no upgrade, no WebSocket ---

LOST = Reason.LINK_LOST
REFUSED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"
BAD_UPGRADE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"
)

# For answers to the upgrade: what the client makes of it. None: it still waits.
ANSWERS: dict[str, tuple[bytes, Reason | Phase]] = {
    "the end": (b"", LOST),
    "no HTTP": (b"\x16\x03\x01\x00\xa5 a TLS hello", LOST),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", LOST),
    "HTTP of another age": (b"HTTP/0.9 200\r\n\r\n", Phase.OPENING),  # its body may go on
    "a status that is none": (b"HTTP/1.1 999999 x\r\n\r\n", LOST),
    "a head without end": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, LOST),
    "a head of blanks": (b"HTTP/1.1 200 OK\r\nX:" + b" " * 400 + b"\r\n\r\n", LOST),
    "an upgrade with a wrong key": (BAD_UPGRADE, LOST),
    "an upgrade in HTTP/1.0": (BAD_UPGRADE.replace(b"1.1", b"1.0", 1), LOST),
    "an upgrade to nothing": (b"HTTP/1.1 101 x\r\n\r\n", LOST),
    "half a head": (b"HTTP/1.1 20", Phase.OPENING),
    "a hundred": (b"HTTP/1.1 100 Continue\r\n\r\n", Phase.OPENING),
    "a refusal": (REFUSED, Phase.VALIDATING),
    "a refusal in bad chunks": (
        b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        Phase.VALIDATING,
    ),
    "a refusal without an end to its body": (
        b"HTTP/1.1 500 x\r\n\r\n" + b"z" * 70_000,
        Phase.VALIDATING,
    ),
    "a refusal with two lengths": (
        b"HTTP/1.1 500 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nno",
        LOST,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_to_the_upgrade(name: str) -> None:
    for step in (0, 1, 1000):
        check_answer_to_the_upgrade(*ANSWERS[name], step)


def check_answer_to_the_upgrade(data: bytes, outcome: Reason | Phase, step: int) -> None:
    if step == 1 and len(data) > 10_000:
        step = 999
    life = ClientLife()
    life.hang = True
    life.connect()
    link = life.newest.dial.link
    life.client.dialed(link, now=life.now)
    while (output := life.client.poll()) is not None:  # The honest server is not asked.
        assert output is not None
    for start in range(0, len(data) or 1, step or len(data) or 1):
        life.client.receive(link, data[start : start + (step or len(data))], now=life.now)
    if isinstance(outcome, Phase):
        assert life.client.phase is outcome
    else:
        assert life.client.closed
        last = list(iter(life.client.poll, None))[-1]
        assert isinstance(last, Closed)
        assert last.reason.reason is outcome
        assert "\n" not in last.reason.detail


GETS = [
    b"",
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    REFUSED,
]


@pytest.mark.parametrize("data", GETS, ids=range(len(GETS)))
def test_answers_to_the_question_why(data: bytes) -> None:
    """None of them explains anything, so that the refusal stays the reason."""
    life = ClientLife()
    life.reach(Phase.VALIDATING)
    life.deliver(data)
    assert life.reason.reason is Reason.SERVER_ERROR


# For bytes after the upgrade: whether the link ends, and what becomes an event.
FRAMES: dict[str, tuple[bytes, bool]] = {
    "the end": (b"", True),
    "no frame": (b"HTTP/1.1 200 OK\r\n\r\n" * 9, True),
    "an unknown opcode": (frame(3, b"x"), True),
    "an unknown control frame": (frame(11), True),
    "reserved bits": (frame(2, b"x", rsv=2), True),
    "compression that was not agreed": (frame(2, b"x", rsv=4), True),
    "a masked frame": (b"\x82\x81\x00\x00\x00\x00x", True),
    "a continuation of nothing": (frame(0, b"x"), True),
    "a message inside another": (frame(2, b"x", fin=False) + frame(2, b"y"), True),
    "a control frame in pieces": (frame(9, b"x", fin=False), True),
    "a control frame that is too long": (frame(9, b"x" * 126), True),
    "a text that is not UTF-8": (frame(1, b"\xff\xfe"), True),
    "a text that is half a character": (frame(1, b"\xe2\x82"), True),
    "a message that is too large": (frame(2, b"x" * (RECEIVE_LIMIT + 1)), True),
    "a message that is too large in pieces": (
        frame(2, b"x" * 3000, fin=False) + frame(0, b"x" * 3000, fin=False),
        True,
    ),
    "a length of 2**63": (b"\x82\x7f" + b"\xff" * 8, True),
    "a close": (frame(8, b"\x03\xe8"), True),
    "a close without a code": (frame(8), True),
    "a close of one byte": (frame(8, b"\x03"), True),
    "a close with a code that may not be sent": (frame(8, b"\x03\xed"), True),
    "a close with words that are not UTF-8": (frame(8, b"\x03\xe8\xff"), True),
    "a ping": (frame(9, b"x" * 125), False),
    "a pong that nobody asked for": (frame(10, b"x"), False),
    "half a frame": (frame(2, b"xyz")[:3], False),
    "an empty message": (frame(2), False),
    "an empty text": (frame(1), False),
    "an empty message in pieces": (frame(2, fin=False) + frame(0, fin=False) + frame(0), False),
}


@pytest.mark.parametrize("name", FRAMES)
def test_bytes_after_the_upgrade(name: str) -> None:
    for phase in (Phase.JOINING, Phase.JOINED, Phase.CLOSING):
        for step in (0, 1):
            check_bytes_after_the_upgrade(*FRAMES[name], phase, step)


def check_bytes_after_the_upgrade(data: bytes, ends: bool, phase: Phase, step: int) -> None:
    if len(data) > 1000 and step:
        step = 997
    life = ClientLife(configured(limits=LIMITS))
    life.reach(phase)
    for start in range(0, len(data) or 1, step or len(data) or 1):
        life.deliver(data[start : start + (step or len(data))])
    assert life.client.closed is ends
    if ends:
        assert life.reason.reason is (Reason.CLIENT_INITIATED if phase is Phase.CLOSING else LOST)
    else:
        assert life.client.phase is phase


@pytest.mark.parametrize("phase", [Phase.JOINING, Phase.JOINED, Phase.CLOSING])
def test_what_came_before_the_malformed_part_is_not_lost(phase: Phase) -> None:
    life = ClientLife()
    life.reach(phase)
    before = len(life.events)
    good = frame(2, said(rtc.SignalResponse(refresh_token="kept")))
    first = frame(2, said(join())) if phase is Phase.JOINING else b""
    life.deliver(first + good + good + frame(3))
    kinds = [type(event) for event in life.events[before:]]
    assert kinds == [*[Joined] * bool(first), TokenRefreshed, TokenRefreshed, Closed]
    assert life.client.token == "kept"


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.CLOSED])
@pytest.mark.parametrize("data", [b"", b"x", frame(2, said(leave()))])
def test_bytes_where_there_is_no_link(phase: Phase, data: bytes) -> None:
    life = ClientLife()
    life.reach(phase)
    before = snapshot(life.client)
    for link in (*life.connections, LinkId(1)):
        life.client.receive(link, data, now=life.now)
    assert snapshot(life.client) == before


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6), st.sampled_from(list(Phase)))
def test_any_bytes_in_any_phase(pieces: list[bytes], phase: Phase) -> None:
    life = ClientLife(configured(limits=LIMITS))
    life.reach(phase)
    link = next(reversed(life.connections), None)
    for data in pieces:
        if link is not None:
            life.client.receive(link, data, now=life.now)
        life.settle()
    life.client.close(now=life.now)
    life.hang = True
    life.settle()
    life.wait(60.0)
    assert life.reason is not None
