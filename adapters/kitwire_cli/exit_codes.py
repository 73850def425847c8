"""How the command ends, as numbers that scripts can rely on, and the sentence that goes with each.

One table answers for every :class:`kitwire.Reason`: the exit code, what was wrong, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from kitwire.errors import CloseReason, Origin, Reason

from .terminal import one_line

__all__ = ["INTERRUPTED", "ExitCode", "exit_code", "sentence"]

INTERRUPTED: Final = 128
"""Added to the number of the signal that ended the command before it had joined."""


class ExitCode(IntEnum):
    """What the exit code says."""

    LEFT = 0
    """The room was joined and left normally, or there was nothing to join."""
    BROKEN = 1
    """A defect of this program."""
    USAGE = 2
    """The command line asks for something that cannot be done as written, or is not installed."""
    REFUSED = 3
    """The server is there and says no: the token, its permission, the room, the request."""
    UNAVAILABLE = 4
    """Unreachable, timed out, failing, not LiveKit, TLS failure, or a link lost for good."""
    ENDED = 5
    """The server ended the session."""


@dataclass(frozen=True, slots=True)
class _Ending:
    code: ExitCode
    what: str
    advice: str = ""


_BY_SERVER: Final = "the server ended the session"

_ENDINGS: Final[Mapping[Reason, _Ending]] = MappingProxyType(
    {
        Reason.CLIENT_INITIATED: _Ending(ExitCode.LEFT, "left the room"),
        Reason.CANCELLED: _Ending(ExitCode.LEFT, "stopped before the room was joined"),
        # --- the server says no
        Reason.BAD_TOKEN: _Ending(
            ExitCode.REFUSED,
            "the server does not accept the token",
            "check that key and secret are this server's and that the token has not expired",
        ),
        Reason.PERMISSION_DENIED: _Ending(
            ExitCode.REFUSED,
            "the token does not permit joining",
            "mint one with the grant roomJoin for this room",
        ),
        Reason.BAD_REQUEST: _Ending(
            ExitCode.REFUSED,
            "the server cannot accept this request",
            "check that the token names a room and an identity",
        ),
        Reason.ROOM_MISSING: _Ending(
            ExitCode.REFUSED,
            "the room does not exist and the server creates none by itself",
            "create it first",
        ),
        # --- nobody there, or nobody able
        Reason.SERVICE_MISSING: _Ending(
            ExitCode.UNAVAILABLE,
            "there is no LiveKit server at this address",
            "check the URL and its path",
        ),
        Reason.SERVER_ERROR: _Ending(
            ExitCode.UNAVAILABLE, "the server is failing", "try again later"
        ),
        Reason.UNREACHABLE: _Ending(
            ExitCode.UNAVAILABLE,
            "the server cannot be reached",
            "check the host and port, and that it is running",
        ),
        Reason.TLS_FAILURE: _Ending(
            ExitCode.UNAVAILABLE,
            "no secure connection could be made",
            "check the server's certificate, and that the port speaks TLS",
        ),
        Reason.OPEN_TIMEOUT: _Ending(
            ExitCode.UNAVAILABLE, "the server does not answer", "check the URL, or try again later"
        ),
        Reason.JOIN_TIMEOUT: _Ending(
            ExitCode.UNAVAILABLE,
            "the server took the connection but never let us join",
            "try again later",
        ),
        Reason.PING_TIMEOUT: _Ending(
            ExitCode.UNAVAILABLE, "the server has gone silent", "check the network"
        ),
        Reason.LINK_LOST: _Ending(
            ExitCode.UNAVAILABLE, "the connection was lost", "check the network"
        ),
        Reason.PROTOCOL_ERROR: _Ending(
            ExitCode.UNAVAILABLE,
            "what answers does not speak LiveKit's protocol",
            "check the URL",
        ),
        Reason.EVENTS_OVERFLOWED: _Ending(
            ExitCode.UNAVAILABLE,
            "events came faster than they could be printed",
            "check that whatever reads the output keeps reading",
        ),
        # --- the server has said leave
        Reason.UNKNOWN_REASON: _Ending(ExitCode.ENDED, _BY_SERVER),
        Reason.DUPLICATE_IDENTITY: _Ending(
            ExitCode.ENDED,
            "somebody else joined this room with the same identity",
            "use another identity",
        ),
        Reason.SERVER_SHUTDOWN: _Ending(
            ExitCode.ENDED, "the server is shutting down", "try again later"
        ),
        Reason.PARTICIPANT_REMOVED: _Ending(ExitCode.ENDED, "we were removed from the room"),
        Reason.ROOM_DELETED: _Ending(ExitCode.ENDED, "the room was deleted"),
        Reason.STATE_MISMATCH: _Ending(
            ExitCode.ENDED, "the server no longer knows this session", "join again"
        ),
        Reason.JOIN_FAILURE: _Ending(
            ExitCode.ENDED,
            "the server gave up waiting for a peer connection, which it does after a minute",
            "join again, with --media to stay",
        ),
        Reason.MIGRATION: _Ending(ExitCode.ENDED, "the session moved elsewhere", "join again"),
        Reason.SIGNAL_CLOSE: _Ending(
            ExitCode.ENDED, "the server closed the signal connection", "join again"
        ),
        Reason.ROOM_CLOSED: _Ending(ExitCode.ENDED, "the room was closed"),
        Reason.USER_UNAVAILABLE: _Ending(ExitCode.ENDED, "the called party did not answer"),
        Reason.USER_REJECTED: _Ending(ExitCode.ENDED, "the called party rejected the call"),
        Reason.SIP_TRUNK_FAILURE: _Ending(ExitCode.ENDED, "the telephone trunk failed"),
        Reason.CONNECTION_TIMEOUT: _Ending(
            ExitCode.ENDED, "the server gave up waiting for our connection", "join again"
        ),
        Reason.MEDIA_FAILURE: _Ending(
            ExitCode.ENDED, "the server could not connect media", "join again"
        ),
        Reason.AGENT_ERROR: _Ending(ExitCode.ENDED, "the agent of this room failed"),
    }
)
assert set(_ENDINGS) == set(Reason), "every reason has an exit code and a sentence"


_NO_WAY: Final = _Ending(
    ExitCode.UNAVAILABLE,
    "media finds no way to the server",
    "check that its UDP ports can be reached",
)
"""For our own end of a media failure; the table has the server's."""


def _ending(reason: CloseReason) -> _Ending:
    if reason.reason is Reason.CLIENT_INITIATED and reason.origin is not Origin.LOCAL:
        # Our leave, but not by our wish: a server that says so has ended the session itself.
        return _ENDINGS[Reason.UNKNOWN_REASON]
    if reason.reason is Reason.MEDIA_FAILURE and reason.origin is Origin.LINK:
        return _NO_WAY
    return _ENDINGS[reason.reason]


def exit_code(reason: CloseReason) -> ExitCode:
    """The exit code for the end of a session that nobody interrupted."""
    return _ending(reason).code


def sentence(reason: CloseReason) -> str:
    """What was wrong and what to do, as one sentence without a full stop, safe for a terminal."""
    ending = _ending(reason)
    text = ending.what
    if reason.detail:
        text += f" ({one_line(reason.detail)})"
    return f"{text}; {ending.advice}" if ending.advice else text
