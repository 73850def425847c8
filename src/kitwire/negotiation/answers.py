"""The subscriber's exchange: the server's offers, of which only the newest is answered."""

from __future__ import annotations

from ..commands import ApplyOffer
from .exchange import Agreed, Description, Exchange
from .outputs import Negotiated, NegotiationFailure, SendAnswer
from .peer import Peer
from .phases import ANSWERING, Phase, Trigger

__all__ = ["Answers"]


class Answers(Exchange):
    """Offers of the server's and our answers, which echo their ids.

    The link keeps the order of offers, so the last one is the newest; ids say nothing about that,
    they start anywhere.

    Args:
        peer: the subscriber.
    """

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer, ANSWERING)
        self._newest: Description | None = None
        self._under_way: Description | None = None

    def offered(self, description: Description, now: float) -> None:
        """The server made an offer. One that was not answered yet is no longer of interest."""
        if not self._advance(Trigger.RECEIVED):
            return
        self._newest = description
        self.resume(now)

    def resume(self, now: float) -> None:
        """Apply an offer that was held."""
        offer = self._newest
        if self._phase is not Phase.HOLDING or offer is None or self.peer.holds:
            return
        if not self.peer.can_apply(offer.sdp):
            detail = "the offer has other ICE credentials"
            self.fail(NegotiationFailure.ICE_RESTART_UNSUPPORTED, detail)
            return
        self._advance(Trigger.RELEASED)
        self._arm(now)
        self._newest, self._under_way = None, offer
        self.peer.emit(
            ApplyOffer(
                peers=self.peer.peers,
                target=self.peer.target,
                offer_id=offer.offer_id,
                sdp=offer.sdp,
                mid_to_track_id=self.peer.routes(offer.mid_to_track_id),
            )
        )

    def made(self, offer_id: int, sdp: str, now: float) -> None:
        """The peer connection answered. The answer to an offer that was replaced is not sent."""
        offer = self._under_way
        due = -1 if offer is None else offer.offer_id
        allowed = (Phase.APPLYING, Phase.SUPERSEDED)
        if not self._expects("answer_made", allowed, due=due, given=offer_id):
            return
        assert offer is not None, "what is being applied is kept"
        current = self._phase is Phase.APPLYING
        self._advance(Trigger.DONE)
        self.deadline = None
        self._under_way = None
        self.agreed = Agreed(offer=offer.sdp, answer=sdp)
        if current:
            self.peer.emit(SendAnswer(offer_id=offer_id, sdp=sdp))
            self.peer.announced()
            self.peer.exchanged(now)
        self.peer.described(offer.sdp)
        if current:
            self.peer.emit(Negotiated(target=self.peer.target, offer_id=offer_id))
        self.resume(now)

    def _forget(self) -> None:
        super()._forget()
        self._newest = self._under_way = None
