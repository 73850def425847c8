"""Why a connection ends: read from HTTP answers, dial errors and Leave messages.

LiveKit explains a refused upgrade on ``/validate`` (livekit pkg/service/rtcservice.go and
utils.go): 401 for the token and for what it does not permit, 400 for requests that make no sense,
404 for a missing room, 503 when nodes are full. The bodies are plain sentences, and some contain
the whole token. What to do after a Leave is told by its ``action``, its ``reason`` is for the
reader, and servers before protocol 13 set ``can_reconnect`` instead (livekit
pkg/rtc/participant_signal.go).
"""

from __future__ import annotations

from typing import Final

from ..codec import redact_text
from ..errors import CloseReason, DialError, Origin, Reason
from ..events import LeaveReceived
from ..messages import DisconnectReason, LeaveRequest, LeaveRequestAction

__all__ = [
    "closed_by_application",
    "dial_reason",
    "explanation",
    "lost_reason",
    "media_reason",
    "protocol_reason",
    "reason_after_leave",
    "refusal_reason",
    "server_leave_reason",
    "timeout_reason",
]

# Reasons that explain a refusal; whatever else /validate says is no better than the refusal.
_EXPLANATIONS = frozenset(
    {Reason.BAD_TOKEN, Reason.PERMISSION_DENIED, Reason.ROOM_MISSING, Reason.BAD_REQUEST}
)

# What the server's sentences say when the token is good and its grants are not; every other 401
# is about the token itself. The first one is said when the token grants nothing of rooms, when
# metadata or attributes are to be joined with and the grant for that is missing, and when no token
# arrived, which only a proxy can cause here (livekit pkg/service/utils.go).
_PERMISSION_SENTENCES = (
    "no permissions to access the room",
    "permissions denied",
    "does not have permission",
    "cannot update",
)
_ROOM_MISSING = "requested room does not exist"
_LONGEST_DETAIL = 300


def refusal_reason(status: int, body: bytes) -> CloseReason:
    """Classify an HTTP answer that refuses a connection.

    Args:
        status: the HTTP status, not 2xx or 101.
        body: what came with it; secrets in it are masked.
    """
    text = _sentence(body)
    reason, origin, retryable = _classify(status, text.lower())
    detail = f"HTTP {status}" + (f": {text}" if text else "")
    return CloseReason(origin=origin, reason=reason, detail=detail, retryable=retryable)


def explanation(status: int, body: bytes) -> CloseReason | None:
    """What the answer to the dry run says of a refused upgrade; None where it explains nothing."""
    reason = refusal_reason(status, body)
    return reason if reason.reason in _EXPLANATIONS else None


def _classify(status: int, text: str) -> tuple[Reason, Origin, bool]:
    if status == 401 and any(sentence in text for sentence in _PERMISSION_SENTENCES):
        return Reason.PERMISSION_DENIED, Origin.AUTH, False
    if status == 401:
        return Reason.BAD_TOKEN, Origin.AUTH, False
    if status == 403:
        return Reason.PERMISSION_DENIED, Origin.AUTH, False
    if status == 404 and _ROOM_MISSING in text:
        return Reason.ROOM_MISSING, Origin.SERVER, False
    if status == 429 or status >= 500:
        return Reason.SERVER_ERROR, Origin.SERVER, True
    if status in (400, 413, 414, 431):
        return Reason.BAD_REQUEST, Origin.SERVER, False
    return Reason.SERVICE_MISSING, Origin.SERVER, False


def _sentence(body: bytes) -> str:
    """The first line of a body when it is a sentence for people, masked and short."""
    text = body[:4096].decode("utf-8", "replace").strip()
    if text.startswith("<"):
        return ""  # a proxy's error page says nothing that fits a line
    return _line(text.splitlines()[0].strip()) if text else ""


def _line(text: str) -> str:
    """Foreign words as they may be shown: masked, on one line, and short."""
    line = "".join(character for character in redact_text(text) if character.isprintable())
    line = redact_text(line)  # What control characters had torn apart.
    return line if len(line) <= _LONGEST_DETAIL else line[:_LONGEST_DETAIL] + "…"


# What each dial error means to an application, with words for it.
_DIAL_REASONS = {
    DialError.REFUSED: (Reason.UNREACHABLE, Origin.LINK, "the connection was refused"),
    DialError.UNRESOLVED: (Reason.UNREACHABLE, Origin.LINK, "the host name is not known"),
    DialError.TLS: (Reason.TLS_FAILURE, Origin.LINK, "TLS failed"),
    DialError.TIMED_OUT: (Reason.OPEN_TIMEOUT, Origin.TIMEOUT, "the connection timed out"),
    DialError.OTHER: (Reason.UNREACHABLE, Origin.LINK, "no connection could be made"),
}


def dial_reason(error: DialError, detail: str) -> CloseReason:
    """The reason for a dial that failed; ``detail`` is the adapter's own words."""
    reason, origin, sentence = _DIAL_REASONS[error]
    words = f"{sentence}: {_line(detail)}" if detail else sentence
    # A certificate does not become good by waiting.
    retryable = error is not DialError.TLS
    return CloseReason(origin=origin, reason=reason, detail=words, retryable=retryable)


# Told to leave for good, yet the same call may succeed later.
_TRANSIENT: Final = frozenset(
    {
        DisconnectReason.SERVER_SHUTDOWN,
        DisconnectReason.JOIN_FAILURE,
        DisconnectReason.CONNECTION_TIMEOUT,
        DisconnectReason.MEDIA_FAILURE,
    }
)


def server_leave_reason(leave: LeaveReceived | LeaveRequest) -> CloseReason:
    """The reason with which a connection closes after a Leave.

    It is retryable when the server asks for a resume, a reconnect, or something that this version
    does not know, and when its reason is a passing one.
    """
    for_good = leave.action is LeaveRequestAction.DISCONNECT and not leave.can_reconnect
    return CloseReason(
        origin=Origin.SERVER,
        reason=Reason.__members__.get(leave.reason.name or "", Reason.UNKNOWN_REASON),
        detail=f"the server ended the connection, action {leave.action.name or int(leave.action)}",
        retryable=not for_good or leave.reason in _TRANSIENT,
    )


def reason_after_leave(
    cause: CloseReason | None, leave: LeaveReceived | LeaveRequest
) -> CloseReason:
    """The reason with which a connection closes when a Leave comes after ``cause`` began its end.

    That stays the reason, but for one: a server that removes us also closes its peer connections,
    and these may tell of it first.
    """
    server = server_leave_reason(leave)
    if cause is None:
        return server
    removed = not server.retryable and leave.reason is not DisconnectReason.CLIENT_INITIATED
    media = (cause.origin, cause.reason) == (Origin.LINK, Reason.MEDIA_FAILURE)
    return server if media and removed else cause


def closed_by_application(*, joined: bool) -> CloseReason:
    """The reason when the application closes, after the join or before it."""
    return CloseReason(
        origin=Origin.LOCAL,
        reason=Reason.CLIENT_INITIATED if joined else Reason.CANCELLED,
        detail="the application left" if joined else "closed before the room was joined",
        retryable=False,
    )


def lost_reason(code: int | None, detail: str) -> CloseReason:
    """The reason when a link closed and nobody had said why."""
    words = _line(detail) or "the connection was cut"
    words += f" (close code {code})" if code is not None else ""
    return CloseReason(origin=Origin.LINK, reason=Reason.LINK_LOST, detail=words, retryable=True)


def media_reason(detail: str) -> CloseReason:
    """The reason when the peer connections of a session cannot go on."""
    return CloseReason(
        origin=Origin.LINK, reason=Reason.MEDIA_FAILURE, detail=_line(detail), retryable=True
    )


def timeout_reason(reason: Reason, detail: str) -> CloseReason:
    """The reason when somebody did not answer in time."""
    return CloseReason(origin=Origin.TIMEOUT, reason=reason, detail=detail, retryable=True)


def protocol_reason(detail: str) -> CloseReason:
    """The reason when the peer broke the protocol beyond repair."""
    return CloseReason(
        origin=Origin.PROTOCOL, reason=Reason.PROTOCOL_ERROR, detail=detail, retryable=True
    )
