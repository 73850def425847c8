"""Both sides of a WebSocket (RFC 6455, RFC 7692), as bytes in and bytes out.

The upgrade is h11's, so that a refusal keeps its status, header fields and body however it is
framed; ``websockets`` judges the handshake; what follows is :mod:`kitwire.link.frames`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

import h11
from websockets.client import ClientProtocol
from websockets.datastructures import Headers as HeaderFields
from websockets.exceptions import InvalidHandshake, InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI

from ..errors import LocalProtocolError
from .frames import CONTROL_FRAME, SILENCE, MessageReceived, WebSocket
from .http import BODY_LIMIT, Ended, Exchange, HeadBuffer, Responded, Switched, header_fields
from .url import split_url

if TYPE_CHECKING:
    from ..commands import Headers

__all__ = [
    "ClientWebSocket",
    "Ended",
    "LinkEvent",
    "MessageReceived",
    "Opened",
    "Refused",
    "Requested",
    "ServerLinkEvent",
    "ServerWebSocket",
]

# Answers without a body (RFC 9110 §6.4.1).
_BODILESS = frozenset({204, 304})
_SERVER_HEAD_LIMIT = 1024 * 1024
"""The longest head of a request, as Go's server allows (net/http, DefaultMaxHeaderBytes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The server accepted the upgrade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The server answered the upgrade with anything but 101. The last event."""

    status: int
    headers: Headers = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)
    """Its beginning, at most 64 KiB. LiveKit's answers quote the access token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """The client's GET. Answer with ``accept`` or ``respond``."""

    path: str = field(repr=False)
    """The target as it was sent, query included; it may carry a token."""
    headers: Headers = field(repr=False)
    """Names in lower case; the token may be among them."""
    is_upgrade: bool
    """Whether this is a good WebSocket handshake, so that ``accept`` is possible."""


LinkEvent = Opened | Refused | MessageReceived | Ended
"""What a client's WebSocket reports."""
ServerLinkEvent = Requested | MessageReceived | Ended
"""What a server's WebSocket reports."""


class ClientWebSocket(WebSocket):
    """The client's side of one WebSocket.

    Ends with exactly one :class:`Refused` or :class:`Ended`; what is received after it is ignored.
    Never raises for anything that the peer sends.

    Args:
        url: the whole URL, with its query.
        headers: header fields beside the handshake's own.
        max_size: the largest message to accept, in bytes, as sent and as inflated.

    Raises:
        ValueError: for a URL or header fields that cannot be sent; the message repeats neither.
    """

    __slots__ = ("_client", "_exchange")

    def __init__(self, url: str, headers: Headers, *, max_size: int) -> None:
        parts = split_url(url)
        self._client = ClientProtocol(
            WebSocketURI(parts.tls, parts.host, parts.port, parts.path, parts.query),
            extensions=[ClientPerMessageDeflateFactory(compress_settings={"memLevel": 5})],
            state=State.OPEN,  # It sees the bytes after the upgrade only.
            max_size=max_size + CONTROL_FRAME,
            logger=SILENCE,
        )
        super().__init__(self._client, max_size=max_size)
        handshake = self._client.connect().headers.raw_items()
        fields = tuple((name, value) for name, value in handshake if name != "Host")
        self._exchange = Exchange(url, (*fields, *headers), max_body=BODY_LIMIT)
        self._outgoing += self._exchange.request

    def receive(self, data: bytes) -> list[LinkEvent]:
        """Take bytes from the peer, ``b""`` for the end of the stream."""
        if self._done:
            return []
        events: list[LinkEvent] = []
        events += self._receive_frames(data) if self._open else self._receive_answer(data)
        self._done = bool(events) and isinstance(events[-1], Refused | Ended)
        return events

    def _receive_answer(self, data: bytes) -> list[LinkEvent]:
        if self._closing:
            return [Ended(detail="closed on this side before the upgrade was answered")]
        match self._exchange.receive(data):
            case None:
                return []
            case Ended() as ended:
                return [ended]
            case Responded(status=status, headers=headers, body=body):
                return [Refused(status=status, headers=headers, body=body)]
            case Switched(headers=headers, rest=rest):
                return self._accept(headers, rest)
            case answer:
                assert_never(answer)

    def _accept(self, headers: Headers, rest: bytes) -> list[LinkEvent]:
        try:
            self._client.process_response(Response(101, "", _handshake_fields(headers)))
        except InvalidHandshake as error:
            return [Ended(detail=f"the server's upgrade is not a WebSocket's: {_blame(error)}")]
        self._open = True
        return [Opened(), *(self._receive_frames(rest) if rest else ())]


class ServerWebSocket(WebSocket):
    """The server's side of one connection: one request, answered by ``accept`` or ``respond``.

    After ``respond`` there are no more events. Otherwise the last one is exactly one
    :class:`Ended`. Never raises for anything that the peer sends.

    Args:
        max_size: the largest message to accept, in bytes, as sent and as inflated.
    """

    __slots__ = ("_head", "_http", "_requested", "_server", "_upgrade")

    def __init__(self, *, max_size: int) -> None:
        self._server = ServerProtocol(
            extensions=[ServerPerMessageDeflateFactory(compress_settings={"memLevel": 5})],
            state=State.OPEN,  # It sees the bytes after the upgrade only.
            max_size=max_size + CONTROL_FRAME,
            logger=SILENCE,
        )
        super().__init__(self._server, max_size=max_size)
        self._http = h11.Connection(h11.SERVER)
        self._head = HeadBuffer(_SERVER_HEAD_LIMIT)
        self._requested = False
        self._upgrade: Headers | None = None

    def receive(self, data: bytes) -> list[ServerLinkEvent]:
        """Take bytes from the peer, ``b""`` for the end of the stream."""
        if self._done:
            return []
        events: list[ServerLinkEvent] = []
        events += self._receive_frames(data) if self._open else self._receive_request(data)
        self._done = bool(events) and isinstance(events[-1], Ended)
        return events

    def accept(self) -> None:
        """Answer the upgrade with 101. Ignored when the client has left meanwhile.

        Raises:
            LocalProtocolError: unless a request with ``is_upgrade`` waits for its answer.
        """
        if self._done:
            return
        if self._upgrade is None or self._open:
            raise LocalProtocolError("ServerWebSocket.accept", "no upgrade waits for its answer")
        self._write(h11.InformationalResponse(status_code=101, headers=list(self._upgrade)))
        self._open = True

    def respond(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Answer the request without an upgrade, and end. Ignored when the client has left.

        Args:
            status: from 200 to 599.
            headers: fields beside Content-Length and Connection.
            body: the whole body; left out where the status allows none (204, 304).

        Raises:
            LocalProtocolError: unless a request waits for its answer.
            ValueError: for a status or header fields that cannot be sent.
        """
        if self._done:
            return
        if not self._requested or self._open:
            raise LocalProtocolError("ServerWebSocket.respond", "no request waits for its answer")
        if not 200 <= status <= 599:
            raise ValueError(f"{status} is not a status from 200 to 599")
        self._respond(status, headers, body)
        self._done = True

    def _respond(self, status: int, headers: Headers, body: bytes) -> None:
        content = b"" if status in _BODILESS else body
        framing = (("Content-Length", str(len(content))), ("Connection", "close"))
        try:
            response = h11.Response(status_code=status, headers=[*headers, *framing])
        except (h11.LocalProtocolError, UnicodeError):
            raise ValueError("a header field cannot be sent in an HTTP answer") from None
        self._write(response)
        self._write(h11.Data(data=content))
        self._write(h11.EndOfMessage())

    def _write(self, event: h11.Event) -> None:
        self._outgoing += self._http.send(event) or b""

    def _receive_request(self, data: bytes) -> list[ServerLinkEvent]:
        if self._closing:
            return [Ended(detail="closed on this side before the request was answered")]
        if not data:
            return [Ended(detail="the client closed the connection before it was answered")]
        if self._requested:
            # A client has nothing to say before it is answered (RFC 6455 §4.1).
            return self._reject(400, "bytes came after the request, before its answer")
        taken = self._head.take(data)
        if taken is None:
            return self._reject(431, self._head.problem) if self._head.problem else []
        head, rest = taken
        self._http.receive_data(head)
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError:
            return self._reject(400, "the request is not HTTP")
        assert isinstance(event, h11.Request)
        if event.method != b"GET":
            return self._reject(405, "the request is not a GET")
        return self._take_get(event, rest)

    def _take_get(self, event: h11.Request, rest: bytes) -> list[ServerLinkEvent]:
        headers = header_fields(event)
        requested = Requested(
            path=event.target.decode("ascii"), headers=headers, is_upgrade=_is_upgrade(headers)
        )
        self._requested = True
        if not requested.is_upgrade:
            return [requested]
        if rest or self._http.next_event() != h11.EndOfMessage():
            return self._reject(400, "bytes came after the request, before its answer")
        try:
            protocol = f"HTTP/{event.http_version.decode('ascii')}"
            request = Request(requested.path, _handshake_fields(headers), "GET", protocol)
            accept, extensions, _ = self._server.process_request(request)
        except InvalidHandshake as error:
            return self._reject(400, f"the upgrade is not a WebSocket's: {_blame(error)}")
        self._upgrade = _acceptance(accept, extensions)
        return [requested]

    def _reject(self, status: int, detail: str) -> list[ServerLinkEvent]:
        self._respond(status, (("Sec-WebSocket-Version", "13"),), b"")
        return [Ended(detail=detail)]


_HANDSHAKE_FIELDS = frozenset(
    {
        "connection",
        "upgrade",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
    }
)


def _handshake_fields(headers: Headers) -> HeaderFields:
    """The fields that websockets judges.

    Raises:
        InvalidHandshake: for a value with control characters.
    """
    fields = HeaderFields()
    for name, value in headers:
        if name in _HANDSHAKE_FIELDS:
            fields[name] = value
    return fields


def _is_upgrade(headers: Headers) -> bool:
    return any(name == "upgrade" and value.lower() == "websocket" for name, value in headers)


def _acceptance(accept: str, extensions: str | None) -> Headers:
    negotiated = () if extensions is None else (("Sec-WebSocket-Extensions", extensions),)
    return (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept),
        *negotiated,
    )


def _blame(error: InvalidHandshake) -> str:
    """What is wrong with a handshake, without the peer's words."""
    match error:
        case InvalidHeader():
            return f"its {error.name} field is missing or wrong"
        case NegotiationError():
            return "it has an extension or subprotocol that was not offered"
        case _:
            return type(error).__name__
