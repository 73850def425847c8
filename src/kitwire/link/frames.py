"""An open WebSocket (RFC 6455 §5 to §7, RFC 7692), either side, on the frames of ``websockets``.

What is added to them: fragments joined, a size limit that holds exactly, text checked for UTF-8,
one :class:`~kitwire.link.http.Ended`, and nothing raised for what the peer did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never, cast

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import CloseCode, Frame, Opcode

from ..errors import LocalProtocolError
from .http import Ended

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websockets.protocol import Protocol
    from websockets.typing import LoggerLike

__all__ = ["CONTROL_FRAME", "SILENCE", "MessageReceived", "WebSocket"]

# A control frame between the fragments of a message counts against what is left for the message
# in websockets (protocol.py, parse); with room for the largest one, our own limit is the one that
# holds.
CONTROL_FRAME = 125
# Codes that an endpoint may put into a close frame (RFC 6455 §7.4, IANA's registry).
_SENDABLE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
_REASON_LIMIT = 123


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """One whole message, its fragments joined."""

    data: bytes | str = field(repr=False)
    """``bytes`` from binary frames, ``str`` from text frames."""


class _Silence:
    """A logger that takes nothing: at DEBUG, websockets' own prints the Authorization header."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        return False

    def info(self, message: str, *args: object) -> None: ...

    def error(self, message: str, *args: object, exc_info: bool = False) -> None: ...


# websockets asks for these three methods only; importing logging for its type would cost purity.
SILENCE = cast("LoggerLike", _Silence())


class WebSocket:
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
        else:
            self._outgoing.clear()

    def outgoing(self) -> bytes:
        """The bytes to write now, ``b""`` when there are none."""
        for part in self._protocol.data_to_send():
            self._outgoing += part
        if not self._outgoing:
            return b""
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
            case Opcode.PING | Opcode.PONG:  # Answered by websockets; an answer to nothing of ours.
                return None
            case _:
                assert_never(frame.opcode)

    def _take_data(self, frame: Frame) -> MessageReceived | Ended | None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        if len(self._message) + len(frame.data) > self._max_size:
            return self._fail(CloseCode.MESSAGE_TOO_BIG, self._too_big())
        if self._message or not frame.fin:
            self._message += frame.data
        if not frame.fin:
            return None
        data = bytes(self._message or frame.data)
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
