"""One HTTP GET and its answer, as bytes in and bytes out, on h11.

h11 reads the grammar; this module bounds it. The head of an answer must end within
:data:`HEAD_LIMIT` bytes, a body is cut at the length asked for, and the result never depends on how
the network cut the bytes. A status that was read is never lost: whatever goes wrong after it only
shortens the body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11

from .url import split_url

if TYPE_CHECKING:
    from ..commands import Headers

__all__ = [
    "BODY_LIMIT",
    "HEAD_LIMIT",
    "ClientGet",
    "Ended",
    "Exchange",
    "HeadBuffer",
    "Responded",
    "Switched",
    "header_fields",
]

BODY_LIMIT = 64 * 1024
"""How much of an answer's body is kept, in bytes, unless told otherwise."""
HEAD_LIMIT = 64 * 1024
"""The longest head of an answer, in bytes."""

# The longest line inside a chunked body: chunk sizes with their extensions, and trailers.
_LINE_LIMIT = 1024
_HEAD_END = re.compile(rb"\n\r?\n")
# h11's grammar for header fields backtracks in the square of a run of blanks (h11/_abnf.py,
# header_field: 2.4 s for 32 KB); no honest head has such a run.
_BLANKS = re.compile(rb"[ \t]{256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The link is over: the last event, unless an HTTP answer was."""

    code: int | None = None
    """The code of the peer's close frame; 1005 when the frame had none (RFC 6455 §7.1.5), ``None``
    when there was no close frame."""
    reason: str = field(default="", repr=False)
    """The peer's words in its close frame: foreign text, not yet masked."""
    detail: str
    """One line of our own on what happened; free of secrets and of foreign text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Responded:
    """An HTTP answer, the last event of its link."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    """The body, or as much of its beginning as was asked for and came intact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """The peer answered 101: what follows is another protocol."""

    headers: Headers = field(repr=False)
    rest: bytes = field(repr=False)
    """Bytes of the other protocol that came along."""


class HeadBuffer:
    """Collects a message's head, up to and with its empty line, within a limit."""

    __slots__ = ("_data", "_limit", "_start", "problem")

    def __init__(self, limit: int, *, start: bytes = b"") -> None:
        self._data = bytearray()
        self._limit = limit
        self._start = start
        self.problem = ""
        """Why there will be no head, once that is certain."""

    def __len__(self) -> int:
        return len(self._data)

    def take(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add bytes; the head and what follows it once it is whole, ``None`` before or never."""
        searched = max(0, len(self._data) - 2)
        self._data += data
        known = min(len(self._data), len(self._start))
        if self._data[:known] != self._start[:known]:
            self.problem = "the peer does not speak HTTP"
            return None
        end = _HEAD_END.search(self._data, searched)
        if (end.end() if end else len(self._data)) > self._limit:
            self.problem = f"the peer's HTTP head is longer than {self._limit} bytes"
            return None
        if end is None:
            return None
        head, rest = bytes(self._data[: end.end()]), bytes(self._data[end.end() :])
        self._data.clear()
        if _BLANKS.search(head):
            self.problem = "the peer's HTTP head is malformed"
            return None
        return head, rest


class Exchange:
    """A GET and its answer: what :class:`ClientGet` and the WebSocket's upgrade share.

    Args:
        url: the whole URL, of any scheme that :func:`~kitwire.link.url.split_url` takes.
        headers: header fields beside Host.
        max_body: how much of the answer's body to keep, in bytes.

    Raises:
        ValueError: for a URL or header fields that cannot be sent; the message repeats neither.
    """

    __slots__ = ("_body", "_head", "_http", "_max_body", "_raw_left", "_response", "request")

    def __init__(self, url: str, headers: Headers, *, max_body: int) -> None:
        parts = split_url(url)
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LINE_LIMIT)
        self._head = HeadBuffer(HEAD_LIMIT, start=b"HTTP/")
        self._response: h11.Response | None = None
        self._body = bytearray()
        self._max_body = max_body
        # Framing may not be longer than what it frames by much: chunks of one byte are no answer.
        self._raw_left = 2 * max_body + 16 * 1024
        try:
            request = h11.Request(
                method="GET", target=parts.target, headers=[("Host", parts.authority), *headers]
            )
        except (h11.LocalProtocolError, UnicodeError):
            # Neither the exception nor its cause may be shown: they quote the header's value.
            raise ValueError("a header field cannot be sent in an HTTP request") from None
        self.request: bytes = (self._http.send(request) or b"") + (
            self._http.send(h11.EndOfMessage()) or b""
        )
        """The request as bytes."""

    def receive(self, data: bytes) -> Responded | Switched | Ended | None:
        """Take bytes of the answer, ``b""`` for the end of the stream.

        Returns:
            the answer once it is whole or hopeless; nothing may be received after it.
        """
        if not data:
            return self._end_of_stream()
        while self._response is None:
            taken = self._head.take(data)
            if taken is None:
                return Ended(detail=self._head.problem) if self._head.problem else None
            head, data = taken
            answer = self._read_head(head, data)
            if answer is not None:
                return answer
        return self._read_body(data)

    def _read_head(self, head: bytes, rest: bytes) -> Switched | Ended | None:
        self._http.receive_data(head)
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError:
            return Ended(detail="the peer's HTTP head is malformed")
        if isinstance(event, h11.Response):
            self._response = event
        elif isinstance(event, h11.InformationalResponse) and event.status_code == 101:
            if event.http_version < b"1.1":
                return Ended(detail="the peer switched protocols in HTTP/1.0")
            return Switched(headers=header_fields(event), rest=rest)
        return None

    def _read_body(self, data: bytes) -> Responded | None:
        # Fed byte by byte, h11's limit for an unfinished line of a chunked body holds exactly,
        # however the network cut the bytes.
        step = 1 if self._is_chunked() else max(1, len(data))
        data = data[: self._raw_left]
        self._raw_left -= len(data)
        finished = self._drain()
        for start in range(0, len(data), step):
            if finished:
                break
            self._http.receive_data(data[start : start + step])
            finished = self._drain()
        return self._responded() if finished or not self._raw_left else None

    def _is_chunked(self) -> bool:
        assert self._response is not None
        return any(name == b"transfer-encoding" for name, _ in self._response.headers)

    def _drain(self) -> bool:
        """Collect the body that h11 has read; whether there is no more to come."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                return True
            if event is h11.NEED_DATA:
                return False
            if not isinstance(event, h11.Data):
                return True
            self._body += event.data
            if len(self._body) >= self._max_body:
                return True

    def _end_of_stream(self) -> Responded | Ended:
        if self._response is not None:
            return self._responded()
        where = "in the middle of its answer" if self._head else "without an answer"
        return Ended(detail=f"the peer closed the connection {where}")

    def _responded(self) -> Responded:
        assert self._response is not None
        return Responded(
            status=self._response.status_code,
            headers=header_fields(self._response),
            body=bytes(self._body[: self._max_body]),
        )


def header_fields(event: h11.Request | h11.Response | h11.InformationalResponse) -> Headers:
    """The header fields of an h11 event, names in lower case, any byte kept (as Latin-1)."""
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)


class ClientGet:
    """A plain HTTP GET on a connection of its own.

    Ends with exactly one :class:`Responded` or :class:`Ended`; what is received after it is
    ignored. Never raises for anything that the peer sends.

    Args:
        url: the whole URL, with its query.
        headers: header fields beside Host and Connection.
        max_body: how much of the answer's body to keep, in bytes; the rest is cut off.

    Raises:
        ValueError: for a URL or header fields that cannot be sent; the message repeats neither.
    """

    __slots__ = ("_closed", "_done", "_exchange", "_outgoing")

    def __init__(self, url: str, headers: Headers, *, max_body: int = BODY_LIMIT) -> None:
        fields = (("Connection", "close"), *headers)
        self._exchange = Exchange(url, fields, max_body=max_body)
        self._outgoing = self._exchange.request
        self._done = False
        self._closed = False

    def receive(self, data: bytes) -> list[Responded | Ended]:
        """Take bytes from the peer, ``b""`` for the end of the stream."""
        if self._done:
            return []
        answer = Ended(detail="closed on this side") if self._closed else self._answer(data)
        self._done = answer is not None
        return [] if answer is None else [answer]

    def _answer(self, data: bytes) -> Responded | Ended | None:
        answer = self._exchange.receive(data)
        if isinstance(answer, Switched):
            return Ended(detail="the peer switched protocols unasked")
        return answer

    def outgoing(self) -> bytes:
        """The bytes to write now, ``b""`` when there are none."""
        data, self._outgoing = self._outgoing, b""
        return data

    def close(self) -> None:
        """Give the answer up: nothing but one :class:`Ended` follows."""
        self._closed = True
        self._outgoing = b""
