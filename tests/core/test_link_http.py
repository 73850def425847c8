"""The plain GET: h11's server side as the far end, hostile answers, and every way to cut them."""

from __future__ import annotations

import time
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwire.link.http import HEAD_LIMIT, ClientGet, Ended, HeadBuffer, Responded

URL = "http://example.test:7880/rtc/validate?access_token=hush"


def get(max_body: int = 65536) -> ClientGet:
    return ClientGet(URL, (("Authorization", "Bearer hush"),), max_body=max_body)


def receive_all(link: ClientGet, *pieces: bytes) -> list[Responded | Ended]:
    return [event for piece in pieces for event in link.receive(piece)]


def outcome(event: Responded | Ended) -> tuple[int, bytes] | str:
    match event:
        case Responded(status=status, body=body):
            return status, body
        case Ended(detail=detail):
            return detail


def test_the_request_is_what_h11_reads() -> None:
    link = get()
    server = h11.Connection(h11.SERVER)
    server.receive_data(link.outgoing())
    request = server.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target) == (b"GET", b"/rtc/validate?access_token=hush")
    assert dict(request.headers) == {
        b"host": b"example.test:7880",
        b"connection": b"close",
        b"authorization": b"Bearer hush",
    }
    assert isinstance(server.next_event(), h11.EndOfMessage)
    assert link.outgoing() == b""


def test_a_server_on_h11_is_understood() -> None:
    link = get()
    server = h11.Connection(h11.SERVER)
    server.receive_data(link.outgoing())
    assert isinstance(server.next_event(), h11.Request)
    data = b"".join(
        server.send(event) or b""
        for event in (
            h11.InformationalResponse(status_code=103, headers=[("Link", "</x>")]),
            h11.Response(status_code=401, headers=[("Content-Type", "text/plain")]),
            h11.Data(data=b"no "),
            h11.Data(data=b"permission"),
            h11.EndOfMessage(),
        )
    )
    (event,) = link.receive(data)
    assert isinstance(event, Responded)
    assert (event.status, event.body) == (401, b"no permission")
    assert ("content-type", "text/plain") in event.headers


CHUNKED = b"HTTP/1.1 401 X\r\nTransfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
ANSWERS: dict[str, tuple[bytes, tuple[int, bytes] | str]] = {
    "content-length": (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess", (200, b"success")),
    "bytes beyond the length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nsuccess",
        (200, b"su"),
    ),
    "empty": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", (404, b"")),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\nwhat", (204, b"")),
    "chunked": (
        CHUNKED + b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nT: 1\r\n\r\n",
        (401, b"abcde"),
    ),
    "until the end": (b"HTTP/1.1 500 Oops\r\n\r\nall of this", (500, b"all of this")),
    "HTTP/1.0": (b"HTTP/1.0 502 Bad Gateway\r\nServer: old\r\n\r\nproxy", (502, b"proxy")),
    "HTTP/1.0 with a length": (b"HTTP/1.0 401 No\r\nContent-Length: 2\r\n\r\nno", (401, b"no")),
    "no reason phrase": (b"HTTP/1.1 503\r\nContent-Length: 1\r\n\r\n!", (503, b"!")),
    "bare line feeds": (b"HTTP/1.1 503 X\nContent-Length: 1\n\n!", (503, b"!")),
    "interim answers first": (
        INTERIM + b"HTTP/1.1 102 X\r\n\r\n" + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.",
        (200, b"."),
    ),
    "shorter than its length": (
        b"HTTP/1.1 401 X\r\nContent-Length: 99\r\n\r\nbad token",
        (401, b"bad token"),
    ),
    "a broken chunk": (
        CHUNKED + b"3\r\nabc\r\nzz\r\n",
        (401, b"abc"),
    ),
    "a chunk that never ends its line": (
        CHUNKED + b"3\r\nabc\r\n1;" + b"x" * 1100 + b"\r\ny\r\n",
        (401, b"abc"),
    ),
    "nothing": (b"", "the peer closed the connection without an answer"),
    "half a head": (
        b"HTTP/1.1 200 OK\r\nA: b",
        "the peer closed the connection in the middle of its answer",
    ),
    "after an interim answer": (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        "the peer closed the connection without an answer",
    ),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", "the peer does not speak HTTP"),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", "the peer does not speak HTTP"),
    "HTTP/2": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "the peer does not speak HTTP"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "the peer's HTTP head is malformed"),
    "a low status": (b"HTTP/1.1 099 X\r\n\r\n", "the peer's HTTP head is malformed"),
    "a control character": (
        b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
        "the peer's HTTP head is malformed",
    ),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "the peer's HTTP head is malformed",
    ),
    "a length of 5000 digits": (
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        "the peer's HTTP head is malformed",
    ),
    "gzip transfer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "the peer's HTTP head is malformed",
    ),
    "101 unasked": (
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n",
        "the peer's HTTP head is malformed",
    ),
    "an endless head": (
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (HEAD_LIMIT // 6 + 1) + b"\r\n",
        f"the peer's HTTP head is longer than {HEAD_LIMIT} bytes",
    ),
    "an endless line": (
        b"HTTP/1.1 200 " + b"x" * HEAD_LIMIT,
        f"the peer's HTTP head is longer than {HEAD_LIMIT} bytes",
    ),
}
LONGEST = b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * (HEAD_LIMIT - 24) + b"\r\n\r\n"
ANSWERS["the longest head"] = (LONGEST, (200, b""))


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer(name: str) -> None:
    data, expected = ANSWERS[name]
    (event,) = receive_all(get(), *([data] if data else []), b"")
    assert outcome(event) == expected


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_byte_by_byte(name: str) -> None:
    data, expected = ANSWERS[name]
    (event,) = receive_all(get(), *(data[i : i + 1] for i in range(len(data))), b"")
    assert outcome(event) == expected


def test_the_longest_head_is_as_long_as_it_may_be() -> None:
    assert len(LONGEST) == HEAD_LIMIT
    longer = LONGEST.replace(b"A: ", b"A:  ")
    (event,) = get().receive(longer)
    assert outcome(event) == f"the peer's HTTP head is longer than {HEAD_LIMIT} bytes"


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000,
        b"\r\n" + b"x" * 3_000_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"FFFF\r\n" + b"x" * 0xFFFF + b"\r\n",
    ],
    ids=["content-length", "until the end", "chunked"],
)
def test_a_long_body_is_cut_and_nothing_waited_for(framed: bytes) -> None:
    link = get(max_body=1000)
    (event,) = link.receive(b"HTTP/1.1 401 X\r\n" + framed)
    assert outcome(event) == (401, b"x" * 1000)
    assert link.receive(b"more") == []
    assert link.receive(b"") == []


def test_framing_without_a_body_ends_too() -> None:
    link = get(max_body=1000)
    assert link.receive(b"HTTP/1.1 401 X\r\nTransfer-Encoding: chunked\r\n\r\n") == []
    pieces = [b"1\r\nx\r\n"] * 10_000
    (event,) = receive_all(link, *pieces)
    assert isinstance(event, Responded)
    assert set(event.body) == {ord("x")}


def test_a_run_of_blanks_costs_no_time() -> None:
    # h11 alone takes 8 s for this head.
    began = time.perf_counter()
    (event,) = get().receive(b"HTTP/1.1 200 OK\r\nA:" + b" " * 60_000 + b"\x00\r\n\r\n")
    assert outcome(event) == "the peer's HTTP head is malformed"
    assert time.perf_counter() - began < 2


def test_an_upgrade_that_was_asked_for_in_a_plain_get_ends_it() -> None:
    link = ClientGet(URL, (("Upgrade", "h2c"),))
    (event,) = link.receive(b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\nPRI")
    assert outcome(event) == "the peer switched protocols unasked"


def test_switching_in_http_1_0_is_refused() -> None:
    link = ClientGet(URL, (("Upgrade", "h2c"),))
    (event,) = link.receive(b"HTTP/1.0 101 X\r\nUpgrade: h2c\r\n\r\n")
    assert outcome(event) == "the peer switched protocols in HTTP/1.0"


def test_closing_gives_up() -> None:
    link = get()
    link.close()
    assert link.outgoing() == b""
    (event,) = link.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert outcome(event) == "closed on this side"
    assert link.receive(b"") == []


@pytest.mark.parametrize(
    "header", [("A", "Bearer hush\r\nB: c"), ("A b", "hush"), ("A", "hush\u20ac"), ("Host", "hush")]
)
def test_header_fields_that_cannot_be_sent_are_named_but_not_shown(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="a header field cannot be sent") as caught:
        ClientGet(URL, (header,))
    assert "hush" not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_nothing_secret_is_shown() -> None:
    (event,) = get().receive(b"HTTP/1.1 401 X\r\nSet-Cookie: hush\r\nContent-Length: 4\r\n\r\nhush")
    assert "hush" not in repr(event)
    assert "hush" not in repr(get())


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\n\r\n"])
def test_a_head_is_found_wherever_it_is_cut(end: bytes) -> None:
    whole = b"A: b" + end
    for place in range(1, len(whole)):
        head = HeadBuffer(100)
        assert head.take(whole[:place]) is None
        assert len(head) == place
        assert head.take(whole[place:] + b"rest") == (whole, b"rest")
        assert len(head) == 0


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 503 X\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Upgrade: websocket\r\n",
        b"Connection: close\r\n",
        b" folded\r\n",
        b"\r\n",
        b"\n",
        b"5\r\nabcde\r\n",
        b"0\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"abc",
        b" ",
        b"\x00\xff",
    ]
)
STREAMS = st.one_of(
    st.binary(max_size=200),
    st.lists(PIECES, max_size=12).map(b"".join),
    st.lists(PIECES | st.binary(max_size=5), max_size=12).map(b"HTTP/1.1 200 OK\r\n".join),
)


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=8))
def test_any_answer_ends_once_and_the_same_however_it_is_cut(
    data: bytes, places: list[int]
) -> None:
    whole = receive_all(get(max_body=8), *([data] if data else []), b"")
    pieces = receive_all(get(max_body=8), *cut(data, places), b"", b"late", b"")
    assert len(whole) == 1
    assert pieces == whole
