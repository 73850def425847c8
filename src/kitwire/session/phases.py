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
    """The upgrade was refused; a GET asks why."""
    JOINING = "JOINING"
    """The WebSocket is open; the join message has not come."""
    JOINED = "JOINED"
    """In the room."""
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
    JOIN = "JOIN"
    """The join message came."""
    LEAVE = "LEAVE"
    """The server told us to leave."""
    LOST = "LOST"
    """The link failed, closed, went silent, or broke the protocol."""
    CLOSE = "CLOSE"
    """The application closes."""


TRANSITIONS: Final[Mapping[tuple[Phase, Trigger], Phase]] = MappingProxyType(
    {
        (Phase.IDLE, Trigger.CONNECT): Phase.OPENING,
        (Phase.IDLE, Trigger.PREPARE): Phase.PREPARING,
        (Phase.IDLE, Trigger.CLOSE): Phase.CLOSED,
        (Phase.PREPARING, Trigger.PREPARED): Phase.OPENING,
        (Phase.PREPARING, Trigger.CLOSE): Phase.CLOSED,
        (Phase.OPENING, Trigger.OPENED): Phase.JOINING,
        (Phase.OPENING, Trigger.FALL_BACK): Phase.OPENING,
        (Phase.OPENING, Trigger.REFUSED): Phase.VALIDATING,
        (Phase.OPENING, Trigger.LOST): Phase.CLOSED,
        (Phase.OPENING, Trigger.CLOSE): Phase.CLOSED,
        (Phase.VALIDATING, Trigger.EXPLAINED): Phase.CLOSED,
        (Phase.VALIDATING, Trigger.CLOSE): Phase.CLOSED,
        (Phase.JOINING, Trigger.JOIN): Phase.JOINED,
        (Phase.JOINING, Trigger.LEAVE): Phase.CLOSED,
        (Phase.JOINING, Trigger.LOST): Phase.CLOSED,
        (Phase.JOINING, Trigger.CLOSE): Phase.CLOSING,
        (Phase.JOINED, Trigger.LEAVE): Phase.CLOSED,
        (Phase.JOINED, Trigger.LOST): Phase.CLOSED,
        (Phase.JOINED, Trigger.CLOSE): Phase.CLOSING,
        (Phase.CLOSING, Trigger.LEAVE): Phase.CLOSED,
        (Phase.CLOSING, Trigger.LOST): Phase.CLOSED,
    }
)


def next_phase(phase: Phase, trigger: Trigger) -> Phase | None:
    """The phase that ``trigger`` leads to from ``phase``, or None where it means nothing."""
    return TRANSITIONS.get((phase, trigger))
