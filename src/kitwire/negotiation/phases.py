"""The exchange of descriptions of one target as two tables. Phases change nowhere else.

Where a pair is absent, the trigger means nothing in that phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["ANSWERING", "OFFERING", "OVER", "Phase", "Trigger"]


class Phase(StrEnum):
    """Where the exchange of descriptions of one target is."""

    UNOPENED = "UNOPENED"
    """The peer connections are not made yet."""
    IDLE = "IDLE"
    """Nothing is under way."""
    MAKING = "MAKING"
    """The peer connection makes an offer."""
    AWAITING = "AWAITING"
    """Our offer is out; the server has not answered."""
    HOLDING = "HOLDING"
    """The server's description is here, and waits for the transport."""
    APPLYING = "APPLYING"
    """The peer connection applies the server's description, and answers it if it is an offer."""
    SUPERSEDED = "SUPERSEDED"
    """The peer connection answers an offer that the server has replaced by a newer one."""
    FAILED = "FAILED"
    """No more can be done with this peer connection."""
    CLOSED = "CLOSED"
    """The peer connections are closed."""


class Trigger(StrEnum):
    """What moves an exchange from one phase to the next."""

    OPEN = "OPEN"
    """The peer connections are made."""
    OFFER = "OFFER"
    """An offer of ours is needed."""
    MADE = "MADE"
    """The peer connection made it."""
    RECEIVED = "RECEIVED"
    """A description of the server's came."""
    RELEASED = "RELEASED"
    """It can be applied."""
    DONE = "DONE"
    """The peer connection applied it, and answered it if it was an offer."""
    FAIL = "FAIL"
    """Something failed for good."""
    CLOSE = "CLOSE"
    """The peer connections are closed."""


OVER: Final = (Phase.FAILED, Phase.CLOSED)
"""Where nothing more is asked of a target."""


def _with_ends(table: dict[tuple[Phase, Trigger], Phase]) -> Mapping[tuple[Phase, Trigger], Phase]:
    """The table with the two ends that every phase can come to."""
    live = dict.fromkeys(phase for pair in table.items() for phase in (pair[0][0], pair[1]))
    ends = {(phase, Trigger.FAIL): Phase.FAILED for phase in live}
    ends |= {(phase, Trigger.CLOSE): Phase.CLOSED for phase in (*live, Phase.FAILED)}
    return MappingProxyType(table | ends)


OFFERING: Final = _with_ends(
    {
        (Phase.UNOPENED, Trigger.OPEN): Phase.IDLE,
        (Phase.IDLE, Trigger.OFFER): Phase.MAKING,
        (Phase.MAKING, Trigger.MADE): Phase.AWAITING,
        (Phase.AWAITING, Trigger.RECEIVED): Phase.HOLDING,
        (Phase.HOLDING, Trigger.RELEASED): Phase.APPLYING,
        (Phase.APPLYING, Trigger.DONE): Phase.IDLE,
    }
)
"""The publisher's exchange: we offer, the server answers."""

ANSWERING: Final = _with_ends(
    {
        (Phase.UNOPENED, Trigger.OPEN): Phase.IDLE,
        (Phase.IDLE, Trigger.RECEIVED): Phase.HOLDING,
        (Phase.HOLDING, Trigger.RECEIVED): Phase.HOLDING,
        (Phase.HOLDING, Trigger.RELEASED): Phase.APPLYING,
        (Phase.APPLYING, Trigger.RECEIVED): Phase.SUPERSEDED,
        (Phase.SUPERSEDED, Trigger.RECEIVED): Phase.SUPERSEDED,
        (Phase.SUPERSEDED, Trigger.DONE): Phase.HOLDING,
        (Phase.APPLYING, Trigger.DONE): Phase.IDLE,
    }
)
"""The subscriber's exchange: the server offers, we answer."""
