"""The publisher's exchange: offers of ours, one at a time, with rising ids."""

from __future__ import annotations

from ..commands import ApplyAnswer, MakeOffer
from ..events import ProtocolViolated
from .exchange import Agreed, Description, Exchange
from .outputs import Negotiated, NegotiationFailure, SendOffer
from .peer import Peer
from .phases import OFFERING, Phase, Trigger
from .sections import SectionLedger, Sections

__all__ = ["Offers"]


class Offers(Exchange):
    """Offers and their answers. What is asked for while an offer is under way goes with the next.

    Args:
        peer: the publisher.
        first: the receive-only sections of the first offer.
    """

    def __init__(self, peer: Peer, *, first: Sections) -> None:
        super().__init__(peer, OFFERING)
        self.last_id = 0
        """The id of the latest offer; 0 before the first."""
        self._ledger = SectionLedger(first)
        self._wanted = False
        self._ice_restart = False
        self._restart_id = 0
        self._joined = False
        self._linked = True
        self._sdp = ""
        self._answer: Description | None = None

    def join(self, now: float) -> None:
        """The server is there: a bundled offer is on its way since now."""
        self._joined = True
        self._await(now)

    @property
    def restarting_ice(self) -> bool:
        """Whether an ICE restart was asked for and is not in force."""
        return self._restart_id > 0

    def unlink(self) -> None:
        """There is no link: an offer that is out may not have arrived, nor will its answer."""
        self._linked = False
        if self._phase is Phase.AWAITING:
            self.deadline = None

    def relink(self, now: float) -> None:
        """There is a link again: an offer without an answer is made again."""
        self._linked = True
        if self._phase is Phase.AWAITING:
            self._await(now)
            self.peer.emit(SendOffer(offer_id=self.last_id, sdp=self._sdp))
            self.peer.announced()

    def want(self, now: float, *, ice_restart: bool = False) -> int:
        """An offer is needed; the id of the one that will do. When it is over, nothing happens."""
        if self.over:
            return self.last_id
        self._wanted = True
        self._ice_restart |= ice_restart
        offer_id = self.last_id + 1
        if ice_restart:
            self._restart_id = offer_id
        self.resume(now)
        return offer_id

    def require(self, needed: Sections, now: float) -> None:
        """The server needs that many more sections, or with none of either just an offer."""
        self._ledger.require(needed)
        # An offer that is not made yet will do for a server that only wants one.
        self._wanted |= self._ledger.due or (not any(needed) and self._phase is not Phase.MAKING)
        self.resume(now)

    def resume(self, now: float) -> None:
        """Apply an answer that was held, or make an offer that is wanted."""
        answer = self._answer
        if answer is not None and not self.peer.holds and self._advance(Trigger.RELEASED):
            self._arm(now)
            self.peer.emit(
                ApplyAnswer(
                    peers=self.peer.peers,
                    target=self.peer.target,
                    offer_id=self.last_id,
                    sdp=answer.sdp,
                    mid_to_track_id=self.peer.routes(answer.mid_to_track_id),
                )
            )
        elif self._wanted and self._advance(Trigger.OFFER):
            self._make(now)

    def made(self, offer_id: int, sdp: str, now: float) -> None:
        """The peer connection made the offer."""
        if not self._expects("offer_made", (Phase.MAKING,), due=self.last_id, given=offer_id):
            return
        self._advance(Trigger.MADE)
        self.deadline = None
        self._sdp = sdp
        if self._linked:
            self._await(now)
            self.peer.emit(SendOffer(offer_id=offer_id, sdp=sdp))
            self.peer.announced()

    def answered(self, description: Description, now: float) -> None:
        """The server answered, or says so.

        Servers that do not number answers give them the id 0.
        """
        outstanding = self._phase is Phase.AWAITING
        unknown = description.offer_id > self.last_id or (
            self._phase is Phase.MAKING and description.offer_id == self.last_id
        )
        if self.over:
            return
        if unknown:
            detail = f"an answer to offer {description.offer_id}, which was never sent"
            self.peer.emit(ProtocolViolated(detail=detail))
        elif outstanding and description.offer_id in (0, self.last_id):
            self._accept(description, now)

    def applied(self, offer_id: int, now: float) -> None:
        """The peer connection applied the answer."""
        if not self._expects("answer_applied", (Phase.APPLYING,), due=self.last_id, given=offer_id):
            return
        self._advance(Trigger.DONE)
        self.deadline = None
        answer, self._answer = self._answer, None
        assert answer is not None, "what is being applied is kept"
        self.agreed = Agreed(offer=self._sdp, answer=answer.sdp)
        self.peer.described(answer.sdp)
        self.peer.exchanged(now)
        if offer_id >= self._restart_id:
            self._restart_id = 0
        self.peer.emit(Negotiated(target=self.peer.target, offer_id=offer_id))
        self.resume(now)

    def _accept(self, description: Description, now: float) -> None:
        self._ledger.answered()
        if not self.peer.can_apply(description.sdp):
            detail = "the answer has other ICE credentials"
            self.fail(NegotiationFailure.ICE_RESTART_UNSUPPORTED, detail)
            return
        self._advance(Trigger.RECEIVED)
        # The server has done its part; while the answer is held, the peer's own deadline runs.
        self.deadline = None
        self._answer = description
        self.resume(now)

    def _make(self, now: float) -> None:
        sections = self._ledger.take()
        # There is nothing to restart before the first offer.
        ice_restart = self._ice_restart and self.last_id > 0
        self._ice_restart = False
        self._wanted = False
        self.last_id += 1
        self._arm(now)
        self.peer.emit(
            MakeOffer(
                peers=self.peer.peers,
                target=self.peer.target,
                offer_id=self.last_id,
                audio_sections=sections.audios,
                video_sections=sections.videos,
                ice_restart=ice_restart,
            )
        )

    def _await(self, now: float) -> None:
        """Expect the answer from now on; before the join nobody has seen the offer."""
        if self._joined and self._phase is Phase.AWAITING:
            self._arm(now)

    def _forget(self) -> None:
        super()._forget()
        self._wanted = False
        self._answer = None
