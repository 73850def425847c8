"""Both sides of the WebSocket, against websockets' own protocols, raw frames and garbage."""

from __future__ import annotations

import logging
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from kitwire.errors import LocalProtocolError
from kitwire.link.http import BODY_LIMIT, ClientGet, Responded
from kitwire.link.websocket import (
    ClientWebSocket,
    Ended,
    LinkEvent,
    MessageReceived,
    Opened,
    Refused,
    Requested,
    ServerLinkEvent,
    ServerWebSocket,
)

URL = "ws://example.test:7880/rtc/v1?join_request=hush"
HEADERS = (("Authorization", "Bearer hush"), ("User-Agent", "kitwire/test"))
MAX_SIZE = 1000


# ------------------------------------------------------------------- frames, written by hand


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False) -> bytes:
    """A server's frame (RFC 6455 §5.2), unmasked."""
    first = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload


def masked(opcode: int, payload: bytes = b"") -> bytes:
    """A client's frame, masked with zeros."""
    return struct.pack("!BB", 0x80 | opcode, 0x80 | len(payload)) + bytes(4) + payload


def text(words: str) -> bytes:
    return frame(1, words.encode())


def close(code: int, reason: str = "") -> bytes:
    return frame(8, struct.pack("!H", code) + reason.encode())


def deflated(payload: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


PING, PONG = frame(9, b"marco"), frame(10, b"polo")
HUGE = struct.pack("!BBQ", 0x82, 127, 2**62)


# ------------------------------------------------------------------- the client's side


def new_client(max_size: int = MAX_SIZE) -> ClientWebSocket:
    return ClientWebSocket(URL, HEADERS, max_size=max_size)


def accepting(request: bytes, *, extensions: str = "") -> bytes:
    """The 101 that a request deserves (RFC 6455 §4.2.2)."""
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", request)
    assert key is not None
    accept = b64encode(sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    extra = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n{extra}\r\n"
    ).encode()


def opened(*, max_size: int = MAX_SIZE, extensions: str = "") -> ClientWebSocket:
    client = new_client(max_size)
    assert client.receive(accepting(client.outgoing(), extensions=extensions)) == [Opened()]
    assert client.outgoing() == b""
    return client


def sent(client: ClientWebSocket) -> list[tuple[Opcode, bytes]]:
    """What a client queued, as websockets' server reads it."""
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(client.outgoing())
    frames = [event for event in server.events_received() if isinstance(event, Frame)]
    return [(each.opcode, bytes(each.data)) for each in frames]


def far_server(client: ClientWebSocket) -> ServerProtocol:
    """websockets' server, its handshake with the client done."""
    server = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()])
    server.receive_data(client.outgoing())
    (request,) = server.events_received()
    assert isinstance(request, Request)
    assert request.path == "/rtc/v1?join_request=hush"
    assert request.headers["Authorization"] == "Bearer hush"
    assert request.headers["Host"] == "example.test:7880"
    server.send_response(server.accept(request))
    assert client.receive(b"".join(server.data_to_send())) == [Opened()]
    return server


def test_a_conversation_with_websockets_server() -> None:
    client = new_client()
    server = far_server(client)
    assert [type(each).__name__ for each in server.extensions] == ["PerMessageDeflate"]

    client.send("grüße")
    client.send(b"\x00\xff")
    server.receive_data(client.outgoing())
    frames = [event for event in server.events_received() if isinstance(event, Frame)]
    assert [(each.opcode, bytes(each.data)) for each in frames] == [
        (Opcode.TEXT, "grüße".encode()),
        (Opcode.BINARY, b"\x00\xff"),
    ]

    server.send_text("grü".encode()[:-1], fin=False)
    server.send_ping(b"between")
    server.send_continuation("grü".encode()[-1:], fin=True)
    server.send_binary(b"x" * MAX_SIZE)
    assert client.receive(b"".join(server.data_to_send())) == [
        MessageReceived(data="grü"),
        MessageReceived(data=b"x" * MAX_SIZE),
    ]
    server.receive_data(client.outgoing())
    (pong,) = server.events_received()
    assert isinstance(pong, Frame)
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"between")

    server.send_close(1001, "going away")
    (end,) = client.receive(b"".join(server.data_to_send()))
    assert isinstance(end, Ended)
    assert (end.code, end.reason) == (1001, "going away")
    server.receive_data(client.outgoing())
    assert server.close_rcvd == server.close_sent


def test_closing_waits_for_the_peer_and_still_hears_it() -> None:
    client = new_client()
    server = far_server(client)
    client.close(4000, "enough")
    client.close(1000)
    client.send("too late")
    server.receive_data(client.outgoing())
    (frame,) = server.events_received()
    assert isinstance(frame, Frame)
    assert (server.close_rcvd and server.close_rcvd.code) == 4000
    assert client.receive(text("still here")) == [MessageReceived(data="still here")]
    (end,) = client.receive(b"".join(server.data_to_send()))
    assert end == Ended(
        code=4000,
        reason="enough",
        detail="this side and the peer closed the WebSocket with code 4000",
    )
    assert client.outgoing() == b""


def test_secrets_stay_out_of_logs_and_reprs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("websockets", "websockets.client", "websockets.server"):
        caplog.set_level(logging.DEBUG, logger=name)
    client = new_client()
    server = ServerWebSocket(max_size=MAX_SIZE)
    (requested,) = server.receive(client.outgoing())
    server.accept()
    client.receive(server.outgoing())
    server.send("hush")
    (message,) = client.receive(server.outgoing())
    server.receive(b"\xff" * 20)
    refused = Refused(status=401, headers=(("a", "hush"),), body=b"hush")
    ended = Ended(code=1000, reason="hush", detail="")
    shown = " ".join(map(repr, (client, server, requested, message, refused, ended)))
    assert "hush" not in shown
    assert caplog.records == []


REFUSALS: dict[str, tuple[bytes, int, bytes]] = {
    "content-length": (b"HTTP/1.1 401 X\r\nContent-Length: 8\r\n\r\nno grant", 401, b"no grant"),
    "chunked": (
        b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n",
        503,
        b"busy",
    ),
    "until the end": (b"HTTP/1.1 500 X\r\n\r\noops", 500, b"oops"),
    "HTTP/1.0": (b"HTTP/1.0 502 Bad Gateway\r\n\r\nproxy", 502, b"proxy"),
    "cut short": (b"HTTP/1.1 401 X\r\nContent-Length: 80\r\n\r\nno grant", 401, b"no grant"),
    "more than a MiB": (
        b"HTTP/1.1 404 X\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000,
        404,
        b"x" * BODY_LIMIT,
    ),
    "no body": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, b""),
    "200": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", 200, b"OK"),
    "a redirect": (b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 302, b""),
    "after 103": (
        b"HTTP/1.1 103 X\r\n\r\nHTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n",
        429,
        b"",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_keeps_status_and_body(name: str) -> None:
    data, status, body = REFUSALS[name]
    client = new_client()
    events = [*client.receive(data), *client.receive(b""), *client.receive(b"late")]
    (event,) = events
    assert isinstance(event, Refused)
    assert (event.status, event.body) == (status, body)
    client.send("ignored")
    client.close()


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ((b"Accept: ", b"Accept: x"), "its Sec-WebSocket-Accept field is missing or wrong"),
        ((b"Sec-WebSocket-Accept", b"X"), "its Sec-WebSocket-Accept field is missing or wrong"),
        ((b"Upgrade: websocket", b"Upgrade: h2c"), "its Upgrade field is missing or wrong"),
        ((b"Upgrade: websocket\r\n", b""), "its Upgrade field is missing or wrong"),
        ((b"Connection: Upgrade", b"Connection: ,;"), "its Connection field is missing or wrong"),
        ((b"Connection: Upgrade", b"Connection: \x01"), "its connection field is missing or wrong"),
        (
            (b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: hush\r\n\r\n"),
            "it has an extension or subprotocol that was not offered",
        ),
        (
            (b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: hush\r\n\r\n"),
            "it has an extension or subprotocol that was not offered",
        ),
    ],
)
def test_a_wrong_101_ends_the_link(change: tuple[bytes, bytes], detail: str) -> None:
    client = new_client()
    (end,) = client.receive(accepting(client.outgoing()).replace(*change))
    assert end == Ended(detail=f"the server's upgrade is not a WebSocket's: {detail}")
    assert client.receive(text("late")) == []


BROKEN = "the peer broke the WebSocket: "
TOO_BIG = f"{BROKEN}a message is larger than {MAX_SIZE} bytes"
# After the 101: what comes in, the messages it holds, how it ends, the code that the peer is told.
ENDS: dict[str, tuple[bytes, list[bytes | str], Ended, int | None]] = {
    "a close": (
        text("a") + close(1000, "bye"),
        ["a"],
        Ended(code=1000, reason="bye", detail="the peer closed the WebSocket with code 1000"),
        1000,
    ),
    "a close without a code": (
        frame(8),
        [],
        Ended(code=1005, detail="the peer closed the WebSocket with code 1005"),
        None,
    ),
    "data after the close": (
        close(3999) + text("late") + b"\xff\xff",
        [],
        Ended(code=3999, detail="the peer closed the WebSocket with code 3999"),
        3999,
    ),
    "no close": (
        text("a") + PING,
        ["a"],
        Ended(detail="the peer closed the connection without a close frame"),
        None,
    ),
    "half a frame": (
        frame(2, b"abc")[:-1],
        [],
        Ended(detail="the peer closed the connection without a close frame"),
        None,
    ),
    "half a message": (
        frame(2, b"abc", fin=False),
        [],
        Ended(detail="the peer closed the connection without a close frame"),
        None,
    ),
    "text that is not UTF-8": (
        text("a") + frame(1, b"\xff") + text("b"),
        ["a"],
        Ended(detail=f"{BROKEN}a text message is not UTF-8"),
        1007,
    ),
    "UTF-8 cut off": (
        frame(1, b"\xc3", fin=False) + frame(0),
        [],
        Ended(detail=f"{BROKEN}a text message is not UTF-8"),
        1007,
    ),
    "one byte too many": (frame(2, bytes(MAX_SIZE + 1)), [], Ended(detail=TOO_BIG), 1009),
    "fragments too many": (
        frame(2, bytes(MAX_SIZE), fin=False) + PING + frame(0, b"\x00"),
        [],
        Ended(detail=TOO_BIG),
        1009,
    ),
    "announced as enormous": (HUGE, [], Ended(detail=TOO_BIG), 1009),
    "a masked frame": (masked(2, b"a"), [], Ended(detail=f"{BROKEN}incorrect masking"), 1002),
    "an unknown opcode": (frame(3), [], Ended(detail=f"{BROKEN}invalid opcode"), 1002),
    "compression unasked": (
        frame(2, rsv1=True),
        [],
        Ended(detail=f"{BROKEN}reserved bits must be 0"),
        1002,
    ),
    "a continuation of nothing": (
        frame(0),
        [],
        Ended(detail=f"{BROKEN}unexpected continuation frame"),
        1002,
    ),
    "a message inside a message": (
        frame(2, fin=False) + frame(1),
        [],
        Ended(detail=f"{BROKEN}expected a continuation frame"),
        1002,
    ),
    "a close inside a message": (
        frame(2, fin=False) + close(1000, "hush"),
        [],
        Ended(code=1000, detail=f"{BROKEN}incomplete fragmented message"),
        1002,
    ),
    "a close of one byte": (
        frame(8, b"\x03"),
        [],
        Ended(detail=f"{BROKEN}close frame too short"),
        1002,
    ),
    "a close with a forbidden code": (
        close(1006),
        [],
        Ended(detail=f"{BROKEN}invalid status code"),
        1002,
    ),
    "a close with a broken reason": (
        frame(8, b"\x03\xe8\xff"),
        [],
        Ended(detail=f"{BROKEN}the reason of its close frame is not UTF-8"),
        1007,
    ),
    "a long ping": (
        frame(9, bytes(126)),
        [],
        Ended(detail=f"{BROKEN}control frame too long"),
        1002,
    ),
    "a fragmented ping": (
        frame(9, fin=False),
        [],
        Ended(detail=f"{BROKEN}fragmented control frame"),
        1002,
    ),
}


def contents(events: list[LinkEvent] | list[ServerLinkEvent]) -> list[bytes | str]:
    return [event.data for event in events if isinstance(event, MessageReceived)]


@pytest.mark.parametrize("name", ENDS)
def test_an_end(name: str) -> None:
    data, messages, end, told = ENDS[name]
    client = opened()
    events = [*client.receive(data), *client.receive(b"")]
    assert contents(events) == messages
    assert events[-1] == end
    assert len(events) == len(messages) + 1
    closes = [payload for opcode, payload in sent(client) if opcode is Opcode.CLOSE]
    if told is None:
        assert closes in ([], [b""])
    else:
        assert [struct.unpack("!H", payload[:2])[0] for payload in closes] == [told]
    assert client.receive(text("late")) == []
    assert client.receive(b"") == []
    client.send("ignored")
    client.close()
    assert client.outgoing() == b""


@pytest.mark.parametrize("name", ENDS)
def test_an_end_byte_by_byte(name: str) -> None:
    data, messages, end, _ = ENDS[name]
    client = opened()
    events = [event for i in range(len(data)) for event in client.receive(data[i : i + 1])]
    events += client.receive(b"")
    assert contents(events) == messages
    assert events[-1] == end


def test_a_close_behind_a_broken_message_changes_nothing_but_the_echo() -> None:
    # websockets has read on to the close frame, and answered it, before the text is judged.
    client = opened()
    data = frame(1, b"\xff") + close(1000)
    assert client.receive(data) == [Ended(detail=f"{BROKEN}a text message is not UTF-8")]
    assert sent(client) == [(Opcode.CLOSE, struct.pack("!H", 1000))]


def test_messages_in_the_same_bytes_as_the_101() -> None:
    client = new_client()
    data = accepting(client.outgoing()) + text("a") + frame(2, b"b") + PING + close(1000)
    events = client.receive(data)
    assert events[0] == Opened()
    assert contents(events) == ["a", b"b"]
    assert isinstance(events[-1], Ended)
    assert [opcode for opcode, _ in sent(client)] == [Opcode.PONG, Opcode.CLOSE]


def test_the_largest_message_in_fragments_with_pings_between() -> None:
    # websockets alone counts the ping against what is left of the message and fails it.
    client = opened()
    data = (
        frame(2, bytes(MAX_SIZE), fin=False) + frame(9, bytes(125)) + frame(0, fin=False) + frame(0)
    )
    assert client.receive(data) == [MessageReceived(data=bytes(MAX_SIZE))]


DEFLATE = "permessage-deflate"


def test_compressed_messages_are_inflated_up_to_the_limit() -> None:
    client = opened(extensions=DEFLATE)
    exact = frame(2, deflated(bytes(MAX_SIZE)), rsv1=True)
    assert client.receive(exact) == [MessageReceived(data=bytes(MAX_SIZE))]
    assert client.receive(frame(1, b"plain")) == [MessageReceived(data="plain")]


@pytest.mark.parametrize("size", [MAX_SIZE + 1, MAX_SIZE + 125, MAX_SIZE + 126, 5_000_000])
def test_a_bomb_is_not_inflated(size: int) -> None:
    client = opened(extensions=DEFLATE)
    bomb = deflated(bytes(size))
    (end,) = client.receive(frame(2, bomb[:MAX_SIZE], rsv1=True, fin=len(bomb) <= MAX_SIZE))
    assert end == Ended(detail=TOO_BIG)
    assert [struct.unpack("!H", payload[:2])[0] for _, payload in sent(client)] == [1009]


def test_what_does_not_inflate_is_a_broken_frame() -> None:
    client = opened(extensions=DEFLATE)
    (end,) = client.receive(frame(2, b"\xff\xff\xff", rsv1=True))
    assert end == Ended(detail=f"{BROKEN}decompression failed")


def test_closing_before_the_upgrade_is_answered() -> None:
    client = new_client()
    data = accepting(new_client().outgoing())
    client.close()
    client.send("ignored")
    assert client.outgoing() == b""
    (end,) = client.receive(data)
    assert end == Ended(detail="closed on this side before the upgrade was answered")
    assert client.receive(b"") == []
    assert client.outgoing() == b""


def test_a_close_that_is_not_answered() -> None:
    client = opened()
    client.close()
    (end,) = client.receive(b"")
    assert end == Ended(detail="the peer closed the connection without answering our close frame")


def test_a_reason_is_cut_to_what_a_close_frame_holds() -> None:
    client = opened()
    client.close(1000, "ü" * 100)
    ((opcode, payload),) = sent(client)
    assert (opcode, payload) == (Opcode.CLOSE, struct.pack("!H", 1000) + ("ü" * 61).encode())


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_a_code_that_may_not_be_sent(code: int) -> None:
    client = opened()
    with pytest.raises(ValueError, match="is not a close code that may be sent"):
        client.close(code)
    assert client.outgoing() == b""
    client.send("still open")
    assert len(sent(client)) == 1


def test_sending_before_the_upgrade_is_misuse() -> None:
    client = new_client()
    with pytest.raises(LocalProtocolError, match=r"ClientWebSocket\.send: .* not open") as caught:
        client.send("early")
    assert (caught.value.phase, caught.value.allowed) == ("CONNECTING", ("OPEN",))


def test_text_that_utf8_cannot_express_is_misuse() -> None:
    client = opened()
    with pytest.raises(ValueError, match="surrogates not allowed"):
        client.send("\ud800")
    assert client.outgoing() == b""


def test_an_internal_error_of_websockets_ends_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    client = opened()

    def broken(*_: object) -> None:
        raise RuntimeError("hush")

    monkeypatch.setattr(ClientProtocol, "recv_frame", broken)
    assert client.receive(text("a")) == [Ended(detail=f"{BROKEN}RuntimeError")]


@pytest.mark.parametrize("url", ["ftp://example.test/", "ws://user:hush@example.test/", ""])
def test_a_url_that_cannot_be_dialed(url: str) -> None:
    with pytest.raises(ValueError, match="the URL") as caught:
        ClientWebSocket(url, (), max_size=MAX_SIZE)
    assert "hush" not in str(caught.value)


def test_header_fields_that_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="a header field cannot be sent") as caught:
        ClientWebSocket(URL, (("A", "hush\r\n"),), max_size=MAX_SIZE)
    assert "hush" not in str(caught.value)


# ------------------------------------------------------------------- the server's side


def upgrade(change: Callable[[bytes], bytes] = bytes) -> bytes:
    return change(ClientWebSocket(URL, HEADERS, max_size=MAX_SIZE).outgoing())


def test_a_conversation_with_websockets_client() -> None:
    far = ClientProtocol(parse_uri(URL), extensions=[ClientPerMessageDeflateFactory()])
    far.send_request(far.connect())
    server = ServerWebSocket(max_size=MAX_SIZE)
    (requested,) = server.receive(b"".join(far.data_to_send()))
    assert isinstance(requested, Requested)
    assert (requested.path, requested.is_upgrade) == ("/rtc/v1?join_request=hush", True)
    assert ("host", "example.test:7880") in requested.headers
    server.accept()
    far.receive_data(server.outgoing())
    (response,) = far.events_received()
    assert isinstance(response, Response)
    assert far.handshake_exc is None
    assert [type(each).__name__ for each in far.extensions] == ["PerMessageDeflate"]

    far.send_text("grüße".encode())
    far.send_binary(b"b" * MAX_SIZE)
    far.send_ping(b"marco")
    assert server.receive(b"".join(far.data_to_send())) == [
        MessageReceived(data="grüße"),
        MessageReceived(data=b"b" * MAX_SIZE),
    ]
    server.send("antwort")
    server.close(1001, "bye")
    far.receive_data(server.outgoing())
    opcodes = [event.opcode for event in far.events_received() if isinstance(event, Frame)]
    assert opcodes == [Opcode.PONG, Opcode.TEXT, Opcode.CLOSE]
    (end,) = server.receive(b"".join(far.data_to_send()))
    assert isinstance(end, Ended)
    assert end.code == 1001
    assert server.receive(b"") == []


def test_both_sides_of_ours() -> None:
    client, server = new_client(), ServerWebSocket(max_size=MAX_SIZE)
    server.receive(client.outgoing())
    server.accept()
    assert client.receive(server.outgoing()) == [Opened()]
    client.send("a" * MAX_SIZE)
    assert server.receive(client.outgoing()) == [MessageReceived(data="a" * MAX_SIZE)]
    client.close()
    assert server.receive(client.outgoing()) == [
        Ended(code=1000, detail="the peer closed the WebSocket with code 1000")
    ]
    (end,) = client.receive(server.outgoing())
    assert isinstance(end, Ended)


def test_a_client_that_breaks_the_frames_is_told_and_left() -> None:
    server = ServerWebSocket(max_size=MAX_SIZE)
    server.receive(upgrade())
    server.accept()
    server.outgoing()
    (end,) = server.receive(frame(2, b"unmasked"))
    assert end == Ended(detail=f"{BROKEN}incorrect masking")
    assert server.outgoing()[2:4] == struct.pack("!H", 1002)


def test_a_plain_get_is_answered() -> None:
    get = ClientGet("http://example.test/rtc/validate", HEADERS)
    server = ServerWebSocket(max_size=MAX_SIZE)
    (requested,) = server.receive(get.outgoing())
    assert isinstance(requested, Requested)
    assert (requested.path, requested.is_upgrade) == ("/rtc/validate", False)
    with pytest.raises(LocalProtocolError, match="no upgrade waits"):
        server.accept()
    server.respond(200, (("Content-Type", "text/plain"),), b"success")
    (event,) = get.receive(server.outgoing())
    assert isinstance(event, Responded)
    assert (event.status, event.body) == (200, b"success")
    assert server.receive(b"GET / HTTP/1.1\r\n\r\n") == []
    server.respond(200)
    server.accept()
    assert server.outgoing() == b""


def test_an_upgrade_is_refused_with_words() -> None:
    client, server = new_client(), ServerWebSocket(max_size=MAX_SIZE)
    server.receive(client.outgoing())
    server.respond(401, (), b"no permissions to access the room")
    (refused,) = client.receive(server.outgoing())
    assert isinstance(refused, Refused)
    assert (refused.status, refused.body) == (401, b"no permissions to access the room")


def test_an_answer_without_a_body() -> None:
    client, server = new_client(), ServerWebSocket(max_size=MAX_SIZE)
    server.receive(client.outgoing())
    server.respond(204, (), b"left out")
    (refused,) = client.receive(server.outgoing())
    assert isinstance(refused, Refused)
    assert (refused.status, refused.body) == (204, b"")


def test_misuse_of_the_server_changes_nothing() -> None:
    server = ServerWebSocket(max_size=MAX_SIZE)
    for call in (server.accept, lambda: server.respond(200)):
        with pytest.raises(LocalProtocolError, match="waits for its answer"):
            call()
    server.receive(upgrade())
    with pytest.raises(ValueError, match="199 is not a status"):
        server.respond(199)
    with pytest.raises(ValueError, match="a header field cannot be sent"):
        server.respond(200, (("A", "hush\n"),))
    server.accept()
    with pytest.raises(LocalProtocolError, match="waits for its answer"):
        server.accept()
    assert server.outgoing().startswith(b"HTTP/1.1 101")


# What a client may send that is no good request, and the status that it gets.
REQUESTS: dict[str, tuple[bytes, int]] = {
    "garbage": (b"\x16\x03\x01\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "a POST": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405),
    "a HEAD": (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "a CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "blanks": (b"GET / HTTP/1.1\r\nHost: a\r\nA:" + b" " * 300 + b"b\r\n\r\n", 431),
    "endless": (b"GET / HTTP/1.1\r\nA: " + b"a" * 1024 * 1024, 431),
    "no key": (upgrade(lambda data: data.replace(b"-Key:", b"-X:")), 400),
    "an old version": (upgrade(lambda data: data.replace(b"Version: 13", b"Version: 8")), 400),
    "HTTP/1.0": (upgrade(lambda data: data.replace(b"HTTP/1.1", b"HTTP/1.0")), 400),
    "no Connection": (upgrade(lambda data: data.replace(b"Connection: Upgrade\r\n", b"")), 400),
    "a control character": (
        upgrade(lambda data: data.replace(b"-Version: 13", b"-Version: \x01")),
        400,
    ),
    "a body": (
        upgrade(lambda data: data.replace(b"Upgrade: w", b"Content-Length: 3\r\nUpgrade: w")),
        400,
    ),
    "impatience": (upgrade(lambda data: data + masked(1, b"early")), 400),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_bad_request_is_answered_and_ends(name: str) -> None:
    data, status = REQUESTS[name]
    server = ServerWebSocket(max_size=MAX_SIZE)
    (end,) = server.receive(data)
    assert isinstance(end, Ended)
    assert server.outgoing().startswith(f"HTTP/1.1 {status} ".encode())
    assert server.receive(b"more") == []
    server.accept()
    server.respond(200)
    assert server.outgoing() == b""


def test_bytes_between_request_and_answer_end_the_link() -> None:
    server = ServerWebSocket(max_size=MAX_SIZE)
    (requested,) = server.receive(upgrade())
    assert isinstance(requested, Requested)
    (end,) = server.receive(masked(1, b"early"))
    assert end == Ended(detail="bytes came after the request, before its answer")
    assert server.outgoing().startswith(b"HTTP/1.1 400 ")
    server.accept()
    assert server.outgoing() == b""


@pytest.mark.parametrize("before", [b"", b"GET / HT", upgrade()])
def test_a_client_that_leaves_before_its_answer(before: bytes) -> None:
    server = ServerWebSocket(max_size=MAX_SIZE)
    if before:
        server.receive(before)
    (end,) = server.receive(b"")
    assert end == Ended(detail="the client closed the connection before it was answered")
    server.accept()
    server.respond(200)
    assert server.outgoing() == b""


def test_closing_the_server_before_its_answer() -> None:
    server = ServerWebSocket(max_size=MAX_SIZE)
    server.receive(upgrade())
    server.close()
    (end,) = server.receive(b"x")
    assert end == Ended(detail="closed on this side before the request was answered")


# ------------------------------------------------------------------- anything, cut anywhere


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


PLACES = st.lists(st.integers(min_value=0), max_size=8)
FRAMES = st.builds(
    frame,
    st.integers(min_value=0, max_value=15),
    st.binary(max_size=130) | st.text(max_size=9).map(str.encode),
    fin=st.booleans(),
    rsv1=st.booleans(),
)
STREAMS = st.one_of(
    st.binary(max_size=100),
    st.lists(FRAMES | st.sampled_from([data for data, *_ in ENDS.values()]), max_size=6).map(
        b"".join
    ),
    st.lists(
        st.sampled_from([text("a"), frame(2, b"b"), PING, PONG]) | st.binary(max_size=2), max_size=9
    ).map(b"".join),
)


def is_last(event: LinkEvent | ServerLinkEvent) -> bool:
    return isinstance(event, Refused | Ended)


@given(STREAMS, PLACES, st.sampled_from(["", DEFLATE]), st.booleans())
def test_any_frames_end_once_and_the_same_however_they_are_cut(
    data: bytes, places: list[int], extensions: str, closing: bool
) -> None:
    outcomes = []
    for pieces in ([data] if data else [], cut(data, places)):
        client = opened(extensions=extensions)
        if closing:
            client.close()
        events = [
            event for piece in [*pieces, b"", b"late", b""] for event in client.receive(piece)
        ]
        assert [is_last(event) for event in events] == [False] * (len(events) - 1) + [True]
        client.outgoing()
        outcomes.append(events)
    assert outcomes[0] == outcomes[1]


MUTATIONS = st.lists(
    st.tuples(st.integers(min_value=0, max_value=300), st.integers(min_value=0, max_value=255)),
    max_size=3,
)


@given(st.binary(max_size=60) | STREAMS, MUTATIONS, PLACES)
def test_any_answer_to_the_upgrade_ends_once(
    data: bytes, mutations: list[tuple[int, int]], places: list[int]
) -> None:
    client = new_client()
    answer = bytearray(accepting(client.outgoing()) + data)
    for place, value in mutations:
        answer[place % len(answer)] = value
    pieces = [*cut(bytes(answer), places), b"", b"late"]
    events = [event for piece in pieces for event in client.receive(piece)]
    assert [is_last(event) for event in events] == [False] * (len(events) - 1) + [True]


@given(STREAMS, MUTATIONS, PLACES)
def test_any_client_ends_once(
    data: bytes, mutations: list[tuple[int, int]], places: list[int]
) -> None:
    request = bytearray(upgrade())
    for place, value in mutations:
        request[place % len(request)] = value
    server = ServerWebSocket(max_size=MAX_SIZE)
    events: list[ServerLinkEvent] = []
    for piece in cut(bytes(request), places):
        events += server.receive(piece)
    answered = bool(events) and isinstance(events[-1], Requested)
    if answered and isinstance(events[-1], Requested) and events[-1].is_upgrade:
        server.accept()
    for piece in [*cut(data, places), b"", b"late"]:
        events += server.receive(piece)
    assert [is_last(event) for event in events] == [False] * (len(events) - 1) + [True]
    server.outgoing()
