"""What can go wrong, named: why a connection ended, why a request failed, what a caller did wrong.

Nothing a peer sends makes a method raise. Exceptions here are for the caller's own mistakes
(:class:`LocalProtocolError`), for the codec used on its own (:class:`MalformedFrame`), and for the
awaitable surface (:class:`ConnectFailed`, :class:`RequestFailed`). Everything else is a value:
:class:`CloseReason` and :class:`RequestFailure`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "CloseReason",
    "ConnectFailed",
    "DialError",
    "FailureReason",
    "KitwireError",
    "LocalProtocolError",
    "MalformedFrame",
    "Origin",
    "Reason",
    "RequestFailed",
    "RequestFailure",
]


class Origin(StrEnum):
    """Who ended a connection."""

    LOCAL = "LOCAL"
    """The application, or a limit that it set."""
    SERVER = "SERVER"
    """The server said so: a Leave message, or an HTTP status."""
    LINK = "LINK"
    """The network: refused, unresolved, TLS, cut."""
    TIMEOUT = "TIMEOUT"
    """Somebody did not answer in time."""
    AUTH = "AUTH"
    """The token, or what it permits."""
    PROTOCOL = "PROTOCOL"
    """The peer does not speak this protocol."""


class Reason(StrEnum):
    """Why a connection ended, in one word that code can compare.

    The first group carries the names of LiveKit's ``DisconnectReason`` and comes with a Leave
    message; the second is what this side found out by itself.
    """

    UNKNOWN_REASON = "UNKNOWN_REASON"
    CLIENT_INITIATED = "CLIENT_INITIATED"
    DUPLICATE_IDENTITY = "DUPLICATE_IDENTITY"
    SERVER_SHUTDOWN = "SERVER_SHUTDOWN"
    PARTICIPANT_REMOVED = "PARTICIPANT_REMOVED"
    ROOM_DELETED = "ROOM_DELETED"
    STATE_MISMATCH = "STATE_MISMATCH"
    JOIN_FAILURE = "JOIN_FAILURE"
    MIGRATION = "MIGRATION"
    SIGNAL_CLOSE = "SIGNAL_CLOSE"
    ROOM_CLOSED = "ROOM_CLOSED"
    USER_UNAVAILABLE = "USER_UNAVAILABLE"
    USER_REJECTED = "USER_REJECTED"
    SIP_TRUNK_FAILURE = "SIP_TRUNK_FAILURE"
    CONNECTION_TIMEOUT = "CONNECTION_TIMEOUT"
    MEDIA_FAILURE = "MEDIA_FAILURE"
    AGENT_ERROR = "AGENT_ERROR"

    BAD_TOKEN = "BAD_TOKEN"
    """The token is missing, malformed, expired, or signed with another key."""
    PERMISSION_DENIED = "PERMISSION_DENIED"
    """The token is good but does not allow this."""
    BAD_REQUEST = "BAD_REQUEST"
    """The server could not accept what was asked, such as a token without a room."""
    ROOM_MISSING = "ROOM_MISSING"
    """The room does not exist and the server does not create rooms by itself."""
    SERVICE_MISSING = "SERVICE_MISSING"
    """There is a web server, but no LiveKit signaling at that address."""
    SERVER_ERROR = "SERVER_ERROR"
    """The server failed or was overloaded (HTTP 429 and 5xx)."""
    UNREACHABLE = "UNREACHABLE"
    """No connection could be made: refused or unresolved."""
    TLS_FAILURE = "TLS_FAILURE"
    """The connection was made but TLS was not, as with an untrusted certificate."""
    OPEN_TIMEOUT = "OPEN_TIMEOUT"
    """The connection or its upgrade was not answered in time."""
    JOIN_TIMEOUT = "JOIN_TIMEOUT"
    """The link opened, but no join message came in time."""
    PING_TIMEOUT = "PING_TIMEOUT"
    """The server went silent."""
    LINK_LOST = "LINK_LOST"
    """The link closed and nobody had said why."""
    PROTOCOL_ERROR = "PROTOCOL_ERROR"
    """The peer broke the protocol beyond repair."""
    CANCELLED = "CANCELLED"
    """The application closed before the room was joined."""
    EVENTS_OVERFLOWED = "EVENTS_OVERFLOWED"
    """The application left more events unread than it had said it would."""


class DialError(StrEnum):
    """Why a transport connection could not be made; what adapters report to the core."""

    REFUSED = "REFUSED"
    UNRESOLVED = "UNRESOLVED"
    TLS = "TLS"
    TIMED_OUT = "TIMED_OUT"
    OTHER = "OTHER"


class FailureReason(StrEnum):
    """Why a request failed.

    All but the last three are the names of LiveKit's ``RequestResponse.Reason``.
    """

    NOT_FOUND = "NOT_FOUND"
    NOT_ALLOWED = "NOT_ALLOWED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    UNCLASSIFIED_ERROR = "UNCLASSIFIED_ERROR"
    INVALID_HANDLE = "INVALID_HANDLE"
    INVALID_NAME = "INVALID_NAME"
    DUPLICATE_HANDLE = "DUPLICATE_HANDLE"
    DUPLICATE_NAME = "DUPLICATE_NAME"
    INVALID_REQUEST = "INVALID_REQUEST"
    UNKNOWN = "UNKNOWN"
    """The server gave a reason that this version does not know."""
    TIMEOUT = "TIMEOUT"
    """The server did not answer in time."""
    ABORTED = "ABORTED"
    """The connection ended first. The server may or may not have acted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReason:
    """Why a connection ended. It keeps the cause that began the end, not its last symptom."""

    origin: Origin
    """Who ended it."""
    reason: Reason
    """Why, for code."""
    detail: str
    """Why, for a reader: one line, free of secrets."""
    retryable: bool
    """Whether the same call may succeed later without a change by the application."""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else str(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailure:
    """Why a request failed: the reason for code, the server's words for a reader."""

    reason: FailureReason
    message: str = field(default="")

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else str(self.reason)


class KitwireError(Exception):
    """The base of every exception that kitwire raises."""


class LocalProtocolError(KitwireError):
    """The caller did something that it may not do. Nothing has changed because of the call.

    Attributes:
        method: the method that was called.
        problem: what was wrong and what to do.
        phase: the phase that the connection was in, when that is the problem.
        allowed: the phases in which the call is allowed, when that is the problem.
    """

    def __init__(
        self, method: str, problem: str, *, phase: str | None = None, allowed: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{method}: {problem}")
        self.method = method
        self.problem = problem
        self.phase = phase
        self.allowed = allowed


class MalformedFrame(KitwireError, ValueError):
    """A frame is not a message. Raised by the codec only; sessions turn it into an event.

    Attributes:
        problem: what is wrong.
        where: the path of the field, such as ``SignalResponse.join.room``.
        offset: the position in the frame, in bytes (in characters for JSON), where known.
    """

    def __init__(self, problem: str, *, where: str = "", offset: int | None = None) -> None:
        place = f" in {where}" if where else ""
        place += f" at offset {offset}" if offset is not None else ""
        super().__init__(f"{problem}{place}")
        self.problem = problem
        self.where = where
        self.offset = offset


class ConnectFailed(KitwireError):
    """The room was not joined. ``reason`` says why and whether trying again makes sense."""

    def __init__(self, reason: CloseReason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class RequestFailed(KitwireError):
    """A request was refused, was not answered in time, or the connection ended first."""

    def __init__(self, request: str, failure: RequestFailure) -> None:
        super().__init__(f"{request}: {failure}")
        self.request = request
        self.failure = failure

    @property
    def reason(self) -> FailureReason:
        """Why, for code."""
        return self.failure.reason
