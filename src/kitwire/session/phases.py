"""The life of a session as a table. Phases change nowhere else.

Where a pair is absent, the trigger means nothing in that phase: a session ignores it when it comes
from the peer, and refuses it (:class:`~kitwire.errors.LocalProtocolError`) when it is a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["TRANSITIONS", "Phase", "Trigger", "next_phase"]


class Phase(StrEnum):
    """Where a session is in its life."""

    IDLE = "IDLE"
    """Made, not started."""
    PREPARING = "PREPARING"
    """Our peer connection makes the offer that the join will carry."""
    OPENING = "OPENING"
    """A WebSocket is being opened."""
    VALIDATING = "VALIDATING"
    """The upgrade was refused, or there was none; a GET asks why, or where else to go."""
    JOINING = "JOINING"
    """The WebSocket is open; the join message has not come."""
    SETTLING = "SETTLING"
    """A new link of the same session is there; the peer connections are not all connected."""
    JOINED = "JOINED"
    """In the room."""
    WAITING = "WAITING"
    """The session was lost; the next attempt to bring it back is not due."""
    CLOSING = "CLOSING"
    """Leaving: our leave is sent, the server's close has not come."""
    CLOSED = "CLOSED"
    """Over. Nothing comes after it."""


class Trigger(StrEnum):
    """What moves a session from one phase to the next."""

    PREPARE = "PREPARE"
    """The application connects, and an offer is to be made first."""
    PREPARED = "PREPARED"
    """The offer is made."""
    CONNECT = "CONNECT"
    """The application connects."""
    OPENED = "OPENED"
    """The server accepted the upgrade."""
    FALL_BACK = "FALL_BACK"
    """The server does not know ``/rtc/v1``; ``/rtc`` is tried."""
    REFUSED = "REFUSED"
    """The server refused the upgrade."""
    EXPLAINED = "EXPLAINED"
    """It is known, as well as it will be, why the upgrade was refused."""
    ASK = "ASK"
    """An attempt failed, and LiveKit Cloud is asked for its regions."""
    MOVE = "MOVE"
    """An attempt failed at one of the server's places; the next one is tried."""
    JOIN = "JOIN"
    """The join message came."""
    RESUME = "RESUME"
    """The server goes on with the session."""
    SETTLED = "SETTLED"
    """The peer connections are connected."""
    RECOVER = "RECOVER"
    """The session was lost, or an attempt to bring it back failed: there will be another one."""
    RETRY = "RETRY"
    """The next attempt is due."""
    LEAVE = "LEAVE"
    """The server told us to leave."""
    LOST = "LOST"
    """The link failed, closed, went silent, or broke the protocol, and that is the end."""
    CLOSE = "CLOSE"
    """The application closes."""


TRANSITIONS: Final[Mapping[tuple[Phase, Trigger], Phase]] = MappingProxyType(
    {
        (Phase.IDLE, Trigger.CONNECT): Phase.OPENING,
        (Phase.IDLE, Trigger.PREPARE): Phase.PREPARING,
        (Phase.IDLE, Trigger.CLOSE): Phase.CLOSED,
        (Phase.PREPARING, Trigger.PREPARED): Phase.OPENING,
        (Phase.PREPARING, Trigger.RECOVER): Phase.WAITING,
        (Phase.PREPARING, Trigger.LOST): Phase.CLOSED,
        (Phase.PREPARING, Trigger.CLOSE): Phase.CLOSED,
        (Phase.OPENING, Trigger.OPENED): Phase.JOINING,
        (Phase.OPENING, Trigger.FALL_BACK): Phase.OPENING,
        (Phase.OPENING, Trigger.REFUSED): Phase.VALIDATING,
        (Phase.OPENING, Trigger.ASK): Phase.VALIDATING,
        (Phase.OPENING, Trigger.MOVE): Phase.OPENING,
        (Phase.OPENING, Trigger.RECOVER): Phase.WAITING,
        (Phase.OPENING, Trigger.LOST): Phase.CLOSED,
        (Phase.OPENING, Trigger.CLOSE): Phase.CLOSED,
        (Phase.VALIDATING, Trigger.EXPLAINED): Phase.CLOSED,
        (Phase.VALIDATING, Trigger.ASK): Phase.VALIDATING,
        (Phase.VALIDATING, Trigger.MOVE): Phase.OPENING,
        (Phase.VALIDATING, Trigger.RECOVER): Phase.WAITING,
        (Phase.VALIDATING, Trigger.CLOSE): Phase.CLOSED,
        (Phase.JOINING, Trigger.JOIN): Phase.JOINED,
        (Phase.JOINING, Trigger.RESUME): Phase.SETTLING,
        (Phase.JOINING, Trigger.ASK): Phase.VALIDATING,
        (Phase.JOINING, Trigger.MOVE): Phase.OPENING,
        (Phase.JOINING, Trigger.RECOVER): Phase.WAITING,
        (Phase.JOINING, Trigger.LEAVE): Phase.CLOSED,
        (Phase.JOINING, Trigger.LOST): Phase.CLOSED,
        (Phase.JOINING, Trigger.CLOSE): Phase.CLOSING,
        (Phase.SETTLING, Trigger.SETTLED): Phase.JOINED,
        (Phase.SETTLING, Trigger.RECOVER): Phase.WAITING,
        (Phase.SETTLING, Trigger.LEAVE): Phase.CLOSED,
        (Phase.SETTLING, Trigger.LOST): Phase.CLOSED,
        (Phase.SETTLING, Trigger.CLOSE): Phase.CLOSING,
        (Phase.JOINED, Trigger.RECOVER): Phase.WAITING,
        (Phase.JOINED, Trigger.LEAVE): Phase.CLOSED,
        (Phase.JOINED, Trigger.LOST): Phase.CLOSED,
        (Phase.JOINED, Trigger.CLOSE): Phase.CLOSING,
        (Phase.WAITING, Trigger.RETRY): Phase.OPENING,
        (Phase.WAITING, Trigger.PREPARE): Phase.PREPARING,
        (Phase.WAITING, Trigger.CLOSE): Phase.CLOSED,
        (Phase.CLOSING, Trigger.LEAVE): Phase.CLOSED,
        (Phase.CLOSING, Trigger.LOST): Phase.CLOSED,
    }
)


def next_phase(phase: Phase, trigger: Trigger) -> Phase | None:
    """The phase that ``trigger`` leads to from ``phase``, or None where it means nothing."""
    return TRANSITIONS.get((phase, trigger))
