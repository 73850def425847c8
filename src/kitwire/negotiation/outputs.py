"""What a negotiation says to the session that it belongs to, besides its peer commands."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..commands import PeerCommand, PeerTarget
from ..events import ProtocolViolated
from ..peer_events import Negotiated, NegotiationFailed, NegotiationFailure, PeersConnected

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
