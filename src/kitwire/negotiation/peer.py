"""What is known of one peer connection: its state, its candidates, its tracks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ..codec import redact_text
from ..commands import AddCandidate, PeersId, PeerState, PeerTarget
from ..config import PeerCapabilities, Timeouts
from .candidates import CandidateQueue, RemoteCandidate, user_fragments
from .outputs import NegotiationFailed, NegotiationFailure, NegotiationOutput, SendTrickle

__all__ = ["Peer"]

_RISING: Final = (PeerState.NEW, PeerState.CONNECTING)


class Peer:
    """One peer connection. Times are in seconds.

    Args:
        target: which one.
        peers: the generation that it belongs to.
        capabilities: what its owner can do.
        timeouts: for :attr:`connect_by`.
        emit: where its outputs go.
    """

    def __init__(
        self,
        target: PeerTarget,
        *,
        peers: PeersId,
        capabilities: PeerCapabilities,
        timeouts: Timeouts,
        emit: Callable[[NegotiationOutput], None],
    ) -> None:
        self.target = target
        self.peers = peers
        self.capabilities = capabilities
        self.timeouts = timeouts
        self.emit = emit
        self.state = PeerState.NEW
        self.connect_by: float | None = None
        """When it must be connected; None where it is, or has no way to yet."""
        self.track_ids: Mapping[str, str] = MappingProxyType({})
        """Which track each media section carries, by mid."""
        self._exchanged = False
        self._announced = False
        self._failed = False
        self._candidates = CandidateQueue()
        self._local: list[SendTrickle] = []

    @property
    def holds(self) -> bool:
        """Whether a further description must wait for the transport.

        It waits only for a transport that has both descriptions and so can come up.
        """
        waits = self.capabilities.hold_while_connecting and self._exchanged
        return waits and self.state in _RISING

    def can_apply(self, sdp: str) -> bool:
        """Whether it can follow this description: other ICE credentials are an ICE restart."""
        new, known = user_fragments(sdp), self._candidates.fragments
        return self.capabilities.ice_restart or not new or not known or new == known

    def routes(self, mid_to_track_id: Mapping[str, str]) -> Mapping[str, str]:
        """Replace :attr:`track_ids`."""
        self.track_ids = MappingProxyType(dict(mid_to_track_id))
        return self.track_ids

    def described(self, sdp: str) -> None:
        """The server's description is in force."""
        for candidate in self._candidates.described(user_fragments(sdp)):
            self._add(candidate)

    def exchanged(self, now: float) -> None:
        """Both sides have both descriptions: the transport can come up."""
        self._exchanged = True
        self._watch(now)

    def state_changed(self, state: PeerState, now: float) -> None:
        """The owner reported a state."""
        self.state = state
        self._watch(now)

    def remote_candidate(self, candidate: RemoteCandidate) -> None:
        """The server has a candidate for it."""
        for usable in () if self._failed else self._candidates.add(candidate):
            self._add(usable)

    def local_candidate(self, trickle: SendTrickle) -> None:
        """It has a candidate for the server, which must not see it before the description."""
        if self._announced:
            self.emit(trickle)
        else:
            self._local.append(trickle)

    def announced(self) -> None:
        """A description of its own was sent."""
        self._announced = True
        local, self._local = self._local, []
        for trickle in local:
            self.emit(trickle)

    def fail(self, failure: NegotiationFailure, detail: str) -> None:
        """It is of no more use."""
        self.end()
        self.emit(
            NegotiationFailed(target=self.target, failure=failure, detail=redact_text(detail))
        )

    def end(self) -> None:
        """Wait for nothing more."""
        self._failed = True
        self._candidates.clear()
        self._local.clear()
        self.connect_by = None

    def _add(self, candidate: RemoteCandidate) -> None:
        self.emit(
            AddCandidate(
                peers=self.peers,
                target=self.target,
                candidate=candidate.candidate,
                sdp_mid=candidate.sdp_mid,
                sdp_mline_index=candidate.sdp_mline_index,
                username_fragment=candidate.username_fragment,
                final=candidate.final,
            )
        )

    def _watch(self, now: float) -> None:
        """Arm the deadline while the transport comes up, and disarm it otherwise."""
        rising = self.state is PeerState.CONNECTING or (
            self.state is PeerState.NEW and self._exchanged
        )
        if not rising or self._failed:
            self.connect_by = None
        elif self.connect_by is None:
            self.connect_by = now + self.timeouts.peers
