"""What the owner of the peer connections reports, for every class with a session underneath.

Every report names its set of peer connections (:data:`~kitwire.commands.PeersId`); one about a set
that was closed is dropped. ``now`` is the time in monotonic seconds, in every method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from ..commands import PeersId, PeerState, PeerTarget
from ..negotiation import Negotiation

__all__ = ["PeerInputs", "PeerReport"]

PeerReport = Callable[[Negotiation, float], None]
"""What a report does to the negotiation, at a time."""


class PeerInputs(ABC):
    """The reports. Misuse raises :class:`~kitwire.errors.LocalProtocolError`."""

    @abstractmethod
    def negotiate(self, *, now: float) -> int | None:
        """A track was added to the publisher or removed from it: make an offer, now or next.

        Returns:
            The offer's id: :class:`~kitwire.peer_events.Negotiated` with it or a higher one says
            that it is done. None where the config names no owner of peer connections.

        Raises:
            LocalProtocolError: when not joined.
        """

    @abstractmethod
    def _report(
        self,
        name: str,
        peers: PeersId,
        report: PeerReport | None,
        *,
        now: float,
        **arguments: object,
    ) -> None:
        """Take a report in, unless it is about peer connections that are gone.

        None where it says nothing to the negotiation.
        """

    def offer_made(
        self, peers: PeersId, target: PeerTarget, offer_id: int, sdp: str, *, now: float
    ) -> None:
        """A :class:`~kitwire.commands.MakeOffer` is done; ``sdp`` is the local description."""
        self._report(
            "offer_made",
            peers,
            lambda negotiation, at: negotiation.offer_made(target, offer_id, sdp, now=at),
            now=now,
            target=target,
            offer_id=offer_id,
            sdp=sdp,
        )

    def answer_applied(
        self, peers: PeersId, target: PeerTarget, offer_id: int, *, now: float
    ) -> None:
        """An :class:`~kitwire.commands.ApplyAnswer` is done."""
        self._report(
            "answer_applied",
            peers,
            lambda negotiation, at: negotiation.answer_applied(target, offer_id, now=at),
            now=now,
            target=target,
            offer_id=offer_id,
        )

    def answer_made(
        self, peers: PeersId, target: PeerTarget, offer_id: int, sdp: str, *, now: float
    ) -> None:
        """An :class:`~kitwire.commands.ApplyOffer` is done; ``sdp`` is the local description."""
        self._report(
            "answer_made",
            peers,
            lambda negotiation, at: negotiation.answer_made(target, offer_id, sdp, now=at),
            now=now,
            target=target,
            offer_id=offer_id,
            sdp=sdp,
        )

    def peer_state_changed(
        self, peers: PeersId, target: PeerTarget, state: PeerState, *, now: float
    ) -> None:
        """A peer connection's ``connectionState`` changed."""
        self._report(
            "peer_state_changed",
            peers,
            lambda negotiation, at: negotiation.peer_state_changed(target, state, now=at),
            now=now,
            target=target,
            state=state,
        )

    def datagram_received(self, peers: PeersId, target: PeerTarget, *, now: float) -> None:
        """A datagram came, after an :class:`~kitwire.commands.AwaitDatagram`."""
        self._report("datagram_received", peers, None, now=now, target=target)

    def channel_opened(
        self, peers: PeersId, target: PeerTarget, label: str, channel_id: int, *, now: float
    ) -> None:
        """A data channel opened, ours or the server's; after a resume the server is told of them.

        Args:
            peers: the set of peer connections.
            target: the one that carries it.
            label: as in :class:`~kitwire.commands.DataChannel`.
            channel_id: the number of its SCTP stream.
            now: the time, in seconds.
        """
        self._report(
            "channel_opened",
            peers,
            lambda negotiation, at: negotiation.channel_opened(target, label, channel_id),
            now=now,
            target=target,
            label=label,
            channel_id=channel_id,
        )

    @abstractmethod
    def reliable_received(self, publisher_sid: str, sequence: int, *, now: float) -> None:
        """A reliable data packet came; after a resume the server is told of each publisher's last.

        Args:
            publisher_sid: the participant's sid that the packet names.
            sequence: the packet's number.
            now: the time, in seconds.
        """

    def peer_failed(self, peers: PeersId, target: PeerTarget, detail: str, *, now: float) -> None:
        """A command could not be carried out. ``detail`` is a few words for the reader."""
        self._report(
            "peer_failed",
            peers,
            lambda negotiation, at: negotiation.peer_failed(target, detail, now=at),
            now=now,
            target=target,
            detail=detail,
        )

    def local_candidate(
        self,
        peers: PeersId,
        target: PeerTarget,
        candidate_init: str,
        *,
        final: bool = False,
        now: float,
    ) -> None:
        """A peer connection gathered a candidate after its description was made."""
        self._report(
            "local_candidate",
            peers,
            lambda negotiation, at: negotiation.local_candidate(
                target, candidate_init, final=final, now=at
            ),
            now=now,
            target=target,
            candidate_init=candidate_init,
            final=final,
        )
