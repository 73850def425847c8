"""What happened to the peer connections, for the application; part of :data:`~.events.Event`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .commands import PeerState, PeerTarget

__all__ = [
    "Negotiated",
    "NegotiationFailed",
    "NegotiationFailure",
    "PeerEvent",
    "PeerStateChanged",
    "PeersConnected",
]


# --- Peer connections ---


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStateChanged:
    """A peer connection went from one state to another."""

    target: PeerTarget
    state: PeerState


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersConnected:
    """Every peer connection that is needed was connected: media can flow. Comes at most once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """An exchange of descriptions is complete."""

    target: PeerTarget
    offer_id: int
    """The publisher's offer: everything asked for under this id or a lower one is in force.
    For the subscriber, the server's number of it."""


class NegotiationFailure(StrEnum):
    """Why peer connections are of no more use."""

    NO_ANSWER = "NO_ANSWER"
    """The server did not answer an offer of ours in time."""
    PEER_FAILED = "PEER_FAILED"
    """The peer connection could not do what it was asked."""
    PEER_STALLED = "PEER_STALLED"
    """The peer connection did not do in time what it was asked."""
    NOT_CONNECTED = "NOT_CONNECTED"
    """Descriptions were exchanged, and the transport did not connect in time."""
    ICE_RESTART_UNSUPPORTED = "ICE_RESTART_UNSUPPORTED"
    """The server restarted ICE, which the peer connection cannot follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationFailed:
    """This target cannot go on: new peer connections are needed. Comes at most once a target.

    Nothing more is asked of the target but to close.
    """

    target: PeerTarget
    failure: NegotiationFailure
    detail: str
    """A few words for the reader, free of secrets."""


PeerEvent = PeerStateChanged | PeersConnected | Negotiated | NegotiationFailed
"""Everything that a session tells of its peer connections."""
