"""Both sides of a WebSocket (RFC 6455, RFC 7692), as bytes in and bytes out.

The upgrade is h11's, so that a refusal keeps its status, header fields and body however it is
framed; the frames are those of ``websockets``. What is added here: fragments joined, limits that
hold exactly, text checked for UTF-8, one :class:`Ended`, and nothing raised for what the peer did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import h11
from websockets.client import ClientProtocol
from websockets.datastructures import Headers as HeaderFields
from websockets.exceptions import (
    InvalidHandshake,
    InvalidHeader,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
)
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI

from ..errors import LocalProtocolError
from .http import BODY_LIMIT, Ended, Exchange, HeadBuffer, Responded, Switched, header_fields
from .url import split_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websockets.typing import LoggerLike

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

# A control frame between the fragments of a message counts against what is left for the message
# in websockets (protocol.py, parse); with room for the largest one, our own limit is the one that
# holds.
_CONTROL_FRAME = 125
# Codes that an endpoint may put into a close frame (RFC 6455 §7.4, IANA's registry).
_SENDABLE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
_REASON_LIMIT = 123
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
class MessageReceived:
    """One whole message, its fragments joined."""

    data: bytes | str = field(repr=False)
    """``bytes`` from binary frames, ``str`` from text frames."""


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


class _Silence:
    """A logger that takes nothing: at DEBUG, websockets' own prints the Authorization header."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        return False

    def info(self, message: str, *args: object) -> None: ...

    def error(self, message: str, *args: object, exc_info: bool = False) -> None: ...


# websockets asks for these three methods only; importing logging for its type would cost purity.
_SILENCE = cast("LoggerLike", _Silence())


class _WebSocket:
    """What both sides have in common: everything after the upgrade."""

    __slots__ = (
        "_closing",
        "_done",
        "_max_size",
        "_message",
        "_open",
        "_outgoing",
        "_protocol",
        "_text",
    )

    def __init__(self, protocol: Protocol, *, max_size: int) -> None:
        self._protocol = protocol
        self._max_size = max_size
        self._outgoing = bytearray()
        self._open = False
        self._closing = False
        self._done = False
        self._message = bytearray()
        self._text = False

    def send(self, data: bytes | str) -> None:
        """Queue one message: binary for ``bytes``, text for ``str``.

        Ignored after ``close`` and after the end, which the caller may not have heard of yet.

        Raises:
            LocalProtocolError: before the upgrade is done.
            ValueError: for text that UTF-8 cannot express (a lone surrogate).
        """
        if self._done or self._closing:
            return
        if not self._open:
            raise LocalProtocolError(
                f"{type(self).__name__}.send",
                "the WebSocket is not open yet",
                phase="CONNECTING",
                allowed=("OPEN",),
            )
        if isinstance(data, str):
            self._protocol.send_text(data.encode())
        else:
            self._protocol.send_binary(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close: queue a close frame, then wait for :class:`Ended`.

        Messages that the peer had already sent still arrive. Before the upgrade is done there is
        nothing to say to the peer, and the next ``receive`` ends the link. Later calls do nothing.

        Args:
            code: why (RFC 6455 §7.4).
            reason: why, for a reader; cut at 123 bytes, which is all a close frame holds.

        Raises:
            ValueError: for a code that may not be sent, or a reason that UTF-8 cannot express.
        """
        if code not in _SENDABLE_CODES:
            raise ValueError(f"{code} is not a close code that may be sent")
        words = reason.encode()[:_REASON_LIMIT].decode(errors="ignore")
        if self._done or self._closing:
            return
        self._closing = True
        if self._open:
            self._protocol.send_close(code, words)

    def outgoing(self) -> bytes:
        """The bytes to write now, ``b""`` when there are none."""
        self._outgoing += b"".join(self._protocol.data_to_send())
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def _receive_frames(self, data: bytes) -> Iterable[MessageReceived | Ended]:
        """Whole messages, and the end as the last item, from bytes after the upgrade."""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for frame in self._protocol.events_received():
            event = self._take(cast("Frame", frame))
            if event is not None:
                yield event
            if isinstance(event, Ended):
                return
        if self._protocol.parser_exc is not None:
            yield self._broken(self._protocol.parser_exc)

    def _take(self, frame: Frame) -> MessageReceived | Ended | None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                return self._take_data(frame)
            case Opcode.CLOSE:
                return self._closed_by_peer()
            case _:  # A ping is answered by websockets; a pong answers none of ours.
                return None

    def _take_data(self, frame: Frame) -> MessageReceived | Ended | None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._message += frame.data
        if len(self._message) > self._max_size:
            return self._fail(CloseCode.MESSAGE_TOO_BIG, self._too_big())
        if not frame.fin:
            return None
        data = bytes(self._message)
        self._message.clear()
        if not self._text:
            return MessageReceived(data=data)
        try:
            return MessageReceived(data=data.decode())
        except UnicodeDecodeError:
            return self._fail(CloseCode.INVALID_DATA, "a text message is not UTF-8")

    def _too_big(self) -> str:
        return f"a message is larger than {self._max_size} bytes"

    def _fail(self, code: CloseCode, detail: str) -> Ended:
        self._protocol.fail(code, detail)
        return Ended(detail=f"the peer broke the WebSocket: {detail}")

    def _closed_by_peer(self) -> Ended:
        close = self._protocol.close_rcvd
        assert close is not None
        by = "this side and the peer" if self._closing else "the peer"
        return Ended(
            code=int(close.code),
            reason=close.reason,
            detail=f"{by} closed the WebSocket with code {int(close.code)}",
        )

    def _broken(self, error: Exception) -> Ended:
        # The texts of websockets' ProtocolError are constants, nothing that the peer wrote.
        match error:
            case EOFError() if self._closing:
                detail = "the peer closed the connection without answering our close frame"
            case EOFError():
                detail = "the peer closed the connection without a close frame"
            case PayloadTooBig():
                detail = f"the peer broke the WebSocket: {self._too_big()}"
            case ProtocolError():
                detail = f"the peer broke the WebSocket: {error}"
            case UnicodeDecodeError():
                detail = "the peer broke the WebSocket: the reason of its close frame is not UTF-8"
            case _:
                detail = f"the peer broke the WebSocket: {type(error).__name__}"
        close = self._protocol.close_rcvd
        return Ended(code=None if close is None else int(close.code), detail=detail)


class ClientWebSocket(_WebSocket):
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
            max_size=max_size + _CONTROL_FRAME,
            logger=_SILENCE,
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
            self._outgoing.clear()
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

    def _accept(self, headers: Headers, rest: bytes) -> list[LinkEvent]:
        try:
            self._client.process_response(Response(101, "", _handshake_fields(headers)))
        except InvalidHandshake as error:
            return [Ended(detail=f"the server's upgrade is not a WebSocket's: {_blame(error)}")]
        self._open = True
        return [Opened(), *(self._receive_frames(rest) if rest else ())]


class ServerWebSocket(_WebSocket):
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
            max_size=max_size + _CONTROL_FRAME,
            logger=_SILENCE,
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
