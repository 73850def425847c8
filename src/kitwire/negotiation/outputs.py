"""What a negotiation says to the session that it belongs to, besides its peer commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ..commands import PeerCommand, PeerTarget
from ..events import ProtocolViolated

__all__ = [
    "Negotiated",
    "NegotiationFailed",
    "NegotiationFailure",
    "NegotiationOutput",
    "PeersConnected",
    "SendAnswer",
    "SendOffer",
    "SendTrickle",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOffer:
    """Offer this to the server; before the join, bundle it with the join."""

    offer_id: int
    sdp: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAnswer:
    """Answer the server's offer of that id with this."""

    offer_id: int
    """The server's own number, echoed."""
    sdp: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTrickle:
    """Send an ICE candidate of ours."""

    target: PeerTarget
    candidate_init: str = field(repr=False)
    """The JSON text of an ``RTCIceCandidateInit``."""
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """An exchange of descriptions is complete."""

    target: PeerTarget
    offer_id: int
    """The publisher's offer: everything asked for under this id or a lower one is in force.
    For the subscriber, the server's number of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersConnected:
    """Every peer connection that is needed was connected. Comes at most once."""


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


NegotiationOutput = (
    PeerCommand
    | SendOffer
    | SendAnswer
    | SendTrickle
    | Negotiated
    | PeersConnected
    | NegotiationFailed
    | ProtocolViolated
)
"""Everything that leaves a negotiation, in one order."""
