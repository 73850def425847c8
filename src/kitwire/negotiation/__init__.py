"""The order of offers, answers and candidates, for whoever owns the peer connections. Pure."""

from .exchange import Agreed
from .negotiation import Negotiation
from .outputs import (
    Negotiated,
    NegotiationFailed,
    NegotiationFailure,
    NegotiationOutput,
    PeersConnected,
    SendAnswer,
    SendOffer,
    SendTrickle,
)
from .phases import Phase
from .sections import Sections

__all__ = [
    "Agreed",
    "Negotiated",
    "Negotiation",
    "NegotiationFailed",
    "NegotiationFailure",
    "NegotiationOutput",
    "PeersConnected",
    "Phase",
    "Sections",
    "SendAnswer",
    "SendOffer",
    "SendTrickle",
]
