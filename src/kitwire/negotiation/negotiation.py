"""Offers, answers and candidates in the right order, for one set of peer connections. Pure.

A :class:`Negotiation` never touches a peer connection. It says what their owner must do
(:data:`~kitwire.commands.PeerCommand`) and what must be sent to the server, and is told what came
of it. One lasts as long as its peer connections; a restart begins a new one, with a new number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ..commands import ClosePeers, OpenPeers, PeersId, PeerState, PeerTarget, Topology
from ..config import PeerCapabilities, Timeouts
from ..errors import LocalProtocolError
from ..events import ProtocolViolated
from ..messages import IceServer, SignalTarget
from .answers import Answers
from .candidates import read_candidate
from .channels import DATA_CHANNELS
from .exchange import Agreed, Description, Exchange
from .offers import Offers
from .outputs import NegotiationFailure, NegotiationOutput, PeersConnected, SendTrickle
from .peer import Peer
from .phases import Phase
from .sections import Sections

__all__ = ["Negotiation"]

_FIRST_SECTIONS: Final = Sections(1, 1)
_MOST_SECTIONS: Final = 4096
_ROUTES: Final[Mapping[tuple[Topology, SignalTarget], PeerTarget]] = MappingProxyType(
    {
        (Topology.SINGLE, SignalTarget.PUBLISHER): PeerTarget.PUBLISHER,
        # There is only one that it can be for.
        (Topology.SINGLE, SignalTarget.SUBSCRIBER): PeerTarget.PUBLISHER,
        (Topology.DUAL, SignalTarget.PUBLISHER): PeerTarget.PUBLISHER,
        (Topology.DUAL, SignalTarget.SUBSCRIBER): PeerTarget.SUBSCRIBER,
    }
)
"""Which peer connection a candidate of the server's is for."""


class Negotiation:
    """The negotiation of one set of peer connections.

    Inputs are methods; each takes ``now``, the time in monotonic seconds. A ``now`` that goes
    backwards counts as the last one. After each input, take outputs from :meth:`poll` until it
    gives None, and call :meth:`handle_timeout` when :attr:`deadline` has come. The owner of the
    peer connections must report their states: one that does not connect in time has failed.

    Args:
        topology: one peer connection, or two.
        peers: the number of this set; every command carries it.
        capabilities: what the owner of the peer connections can do.
        timeouts: of which ``negotiation`` and ``peers`` are used.
        sections: the receive-only sections of the first offer, where one peer connection does both.
            Each saves a round trip for one track; more are added when the server asks.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        peers: PeersId,
        capabilities: PeerCapabilities | None = None,
        timeouts: Timeouts | None = None,
        sections: Sections = _FIRST_SECTIONS,
    ) -> None:
        self.topology = topology
        self.peers = peers
        self.capabilities = capabilities or PeerCapabilities()
        self._outputs: deque[NegotiationOutput] = deque()
        self._now = float("-inf")
        single = topology is Topology.SINGLE
        waits = timeouts or Timeouts()
        self._offers = Offers(
            self._peer(PeerTarget.PUBLISHER, waits), first=sections if single else Sections(0, 0)
        )
        self._answers = None if single else Answers(self._peer(PeerTarget.SUBSCRIBER, waits))
        self._exchanges: Mapping[PeerTarget, Exchange] = MappingProxyType(
            {each.peer.target: each for each in (self._offers, self._answers) if each is not None}
        )
        self._primary: PeerTarget | None = None
        self._joined = False
        self._told_connected = False
        self.channels: dict[tuple[PeerTarget, str], int] = {}
        """The data channels that have opened: the numbers of their SCTP streams."""

    def _peer(self, target: PeerTarget, timeouts: Timeouts) -> Peer:
        return Peer(
            target,
            peers=self.peers,
            capabilities=self.capabilities,
            timeouts=timeouts,
            emit=self._outputs.append,
        )

    # --- State ---

    @property
    def targets(self) -> tuple[PeerTarget, ...]:
        """The peer connections that there are."""
        return tuple(self._exchanges)

    @property
    def required(self) -> frozenset[PeerTarget]:
        """The peer connections that must be connected for the session to be of use.

        The one that the server names as primary, if we may use it, and the publisher as soon as it
        is negotiated.
        """
        negotiated = {PeerTarget.PUBLISHER} if self._offers.last_id else set()
        return frozenset(negotiated | ({self._primary} if self._primary else set()))

    @property
    def connected(self) -> bool:
        """Whether all that are required are connected; never before the join."""
        required = [self._exchanges[target] for target in self.required]
        return self._joined and all(
            each.peer.state is PeerState.CONNECTED and not each.over for each in required
        )

    @property
    def was_connected(self) -> bool:
        """Whether all that were required have been connected at one time."""
        return self._told_connected

    @property
    def restarting_ice(self) -> bool:
        """Whether an ICE restart of ours was asked for and is not in force."""
        return self._offers.restarting_ice

    @property
    def agreed(self) -> Agreed | None:
        """The last descriptions that both sides have; None before the first.

        Of two peer connections, those of the subscriber: a server asks for them after a resume.
        """
        return (self._answers or self._offers).agreed

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._offers.phase is Phase.CLOSED

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`, in seconds; None for not at all."""
        return min(self._deadlines(), default=None)

    def _deadlines(self) -> Iterable[float]:
        for each in self._exchanges.values():
            if each.deadline is not None:
                yield each.deadline
            if each.peer.connect_by is not None:
                yield each.peer.connect_by

    def phase(self, target: PeerTarget) -> Phase:
        """Where the exchange of descriptions of a target is.

        Raises:
            LocalProtocolError: for a target that is not there.
        """
        return self._exchange("phase", target).phase

    def state(self, target: PeerTarget) -> PeerState:
        """The last state that the owner reported.

        Raises:
            LocalProtocolError: for a target that is not there.
        """
        return self._exchange("state", target).peer.state

    def track_sid(self, target: PeerTarget, mid: str) -> str | None:
        """The sid of the track that a media section carries, by the server's newest description.

        Raises:
            LocalProtocolError: for a target that is not there.
        """
        return self._exchange("track_sid", target).peer.track_ids.get(mid)

    def poll(self) -> NegotiationOutput | None:
        """The next output, or None when there is none."""
        return self._outputs.popleft() if self._outputs else None

    # --- Inputs: the session ---

    def prepare(
        self, *, ice_servers: Iterable[IceServer], force_relay: bool = False, now: float
    ) -> None:
        """Make the first offer before the join, to be bundled with it.

        That saves a round trip, and pays where the ICE servers do not come from the server: peer
        connections that are made now cannot use those of the join message.

        Raises:
            LocalProtocolError: with two peer connections, or when they are made already.
        """
        if self.topology is not Topology.SINGLE:
            raise LocalProtocolError("prepare", "with two peer connections nothing is bundled")
        self._require_unopened("prepare")
        self._tick(now)
        self._open(ice_servers, force_relay)
        self._offers.want(self._now)

    def joined(
        self,
        *,
        ice_servers: Iterable[IceServer],
        subscriber_primary: bool = False,
        fast_publish: bool = False,
        can_subscribe: bool = True,
        force_relay: bool = False,
        now: float,
    ) -> None:
        """The session has joined: make the peer connections, if that was not prepared, and offer.

        With two peer connections, the publisher waits until it is needed, unless the server
        promises fast publishing or makes it the primary one.

        Args:
            ice_servers: what the peer connections may use, the application's override applied.
            subscriber_primary: as the join message says.
            fast_publish: as the join message says.
            can_subscribe: our permission; without it no subscriber is waited for.
            force_relay: whether to use relayed candidates only.
            now: the time, in seconds.

        Raises:
            LocalProtocolError: when it was called before, or after the close.
        """
        if self._joined:
            raise LocalProtocolError("joined", "it was joined before")
        if self._offers.phase is Phase.UNOPENED:
            self._tick(now)
            self._open(ice_servers, force_relay)
        elif self.closed:
            raise LocalProtocolError("joined", "it is closed", phase=str(Phase.CLOSED))
        self._tick(now)
        self._joined = True
        follows = self.topology is Topology.DUAL and subscriber_primary
        if not follows:
            self._primary = PeerTarget.PUBLISHER
        elif can_subscribe:
            self._primary = PeerTarget.SUBSCRIBER
        self._offers.join(self._now)
        if (not follows or fast_publish) and self._offers.last_id == 0:
            self._offers.want(self._now)
        self._tell()

    def negotiate(self, *, now: float) -> int:
        """A track was added or removed: make an offer, now or when the one under way is done.

        Returns:
            The id of that offer: :class:`~.outputs.Negotiated` with this id or a higher one for the
            publisher says that it is done. Harmless when that cannot come any more.
        """
        self._tick(now)
        return self._offers.want(self._now)

    def restart_ice(self, *, now: float) -> int:
        """Make an offer with new ICE credentials, as :meth:`negotiate` does.

        Raises:
            LocalProtocolError: when the peer connections cannot do that.
        """
        if not self.capabilities.ice_restart:
            raise LocalProtocolError("restart_ice", "PeerCapabilities.ice_restart is not set")
        self._tick(now)
        return self._offers.want(self._now, ice_restart=True)

    def unlink(self, *, now: float) -> None:
        """The link is lost, and what is said until :meth:`relink` reaches nobody.

        The peer connections live on. What the server is waited for has no deadline meanwhile.
        """
        self._tick(now)
        self._offers.unlink()

    def relink(self, *, now: float) -> None:
        """There is a link again, of the same session: an offer without an answer is made again."""
        self._tick(now)
        self._offers.relink(self._now)

    def close(self, *, now: float) -> None:
        """Close the peer connections. Harmless when that is done; nothing comes after it."""
        if self.closed:
            return
        self._tick(now)
        opened = self._offers.phase is not Phase.UNOPENED
        for each in self._exchanges.values():
            each.close()
        if opened:
            self._outputs.append(ClosePeers(peers=self.peers))

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due. Harmless when nothing is."""
        self._tick(now)
        for each in self._exchanges.values():
            each.timed_out(self._now)

    # --- Inputs: the owner of the peer connections ---

    def offer_made(self, target: PeerTarget, offer_id: int, sdp: str, *, now: float) -> None:
        """The answer to a MakeOffer: its local description is set, this is its text.

        Raises:
            LocalProtocolError: for an offer that is not being made.
        """
        exchange = self._exchange("offer_made", target)
        if not isinstance(exchange, Offers):
            raise LocalProtocolError("offer_made", f"the {target} makes no offers")
        self._tick(now)
        exchange.made(offer_id, sdp, self._now)

    def answer_applied(self, target: PeerTarget, offer_id: int, *, now: float) -> None:
        """The answer to an ApplyAnswer.

        Raises:
            LocalProtocolError: for an answer that is not being applied.
        """
        exchange = self._exchange("answer_applied", target)
        if not isinstance(exchange, Offers):
            raise LocalProtocolError("answer_applied", f"the {target} makes no offers")
        self._tick(now)
        exchange.applied(offer_id, self._now)

    def answer_made(self, target: PeerTarget, offer_id: int, sdp: str, *, now: float) -> None:
        """The answer to an ApplyOffer: both descriptions are set, this is the local one's text.

        Raises:
            LocalProtocolError: for an offer that is not being answered.
        """
        exchange = self._exchange("answer_made", target)
        if not isinstance(exchange, Answers):
            raise LocalProtocolError("answer_made", f"the {target} makes no answers")
        self._tick(now)
        exchange.made(offer_id, sdp, self._now)

    def peer_state_changed(self, target: PeerTarget, state: PeerState, *, now: float) -> None:
        """A peer connection's ``connectionState`` changed.

        Raises:
            LocalProtocolError: for a target that is not there.
        """
        exchange = self._exchange("peer_state_changed", target)
        self._tick(now)
        exchange.peer.state_changed(state, self._now)
        exchange.resume(self._now)
        self._tell()

    def peer_failed(self, target: PeerTarget, detail: str, *, now: float) -> None:
        """A command could not be carried out. ``detail`` is a few words for the reader.

        A candidate that was refused is not worth a report.

        Raises:
            LocalProtocolError: for a target that is not there.
        """
        exchange = self._exchange("peer_failed", target)
        self._tick(now)
        exchange.fail(NegotiationFailure.PEER_FAILED, detail)

    def channel_opened(self, target: PeerTarget, label: str, channel_id: int) -> None:
        """A data channel opened.

        Raises:
            LocalProtocolError: for a target that is not there.
        """
        self._exchange("channel_opened", target)
        self.channels[target, label] = channel_id

    def local_candidate(
        self, target: PeerTarget, candidate_init: str, *, final: bool = False, now: float
    ) -> None:
        """A peer connection gathered a candidate after it made its description.

        Raises:
            LocalProtocolError: where the capabilities say that this does not happen.
        """
        if not self.capabilities.trickle_out:
            raise LocalProtocolError("local_candidate", "PeerCapabilities.trickle_out is not set")
        exchange = self._exchange("local_candidate", target)
        self._tick(now)
        if not exchange.over:
            exchange.peer.local_candidate(
                SendTrickle(target=target, candidate_init=candidate_init, final=final)
            )

    # --- Inputs: the server ---

    def server_offer(
        self, sdp: str, *, offer_id: int, mid_to_track_id: Mapping[str, str], now: float
    ) -> None:
        """The server offers a description for the subscriber."""
        self._tick(now)
        if self._answers is None:
            self._violated("an offer, where the only peer connection's offers are ours")
        else:
            self._answers.offered(Description(offer_id, sdp, mid_to_track_id), self._now)

    def server_answer(
        self, sdp: str, *, offer_id: int, mid_to_track_id: Mapping[str, str], now: float
    ) -> None:
        """The server answers an offer of ours."""
        self._tick(now)
        self._offers.answered(Description(offer_id, sdp, mid_to_track_id), self._now)

    def server_candidate(
        self, candidate_init: str, *, target: SignalTarget, final: bool = False, now: float
    ) -> None:
        """The server has an ICE candidate."""
        self._tick(now)
        route = _ROUTES.get((self.topology, target))
        if route is None:
            self._violated(f"a candidate for the unknown target {int(target)}")
            return
        candidate = read_candidate(candidate_init, final=final)
        if candidate is None:
            self._violated("a candidate that is not one")
        else:
            self._exchanges[route].peer.remote_candidate(candidate)

    def media_sections_required(self, num_audios: int, num_videos: int, *, now: float) -> None:
        """The server needs more media sections, or with 0 and 0 an offer.

        With two peer connections it adds its own, and this says nothing.
        """
        self._tick(now)
        if num_audios + num_videos > _MOST_SECTIONS:
            self._violated(f"{num_audios + num_videos} media sections required at once")
        elif self.topology is Topology.SINGLE:
            self._offers.require(Sections(num_audios, num_videos), self._now)

    # --- The basics ---

    def _tick(self, now: float) -> None:
        self._now = max(self._now, now)

    def _violated(self, detail: str) -> None:
        if not self.closed:
            self._outputs.append(ProtocolViolated(detail=detail))

    def _exchange(self, method: str, target: PeerTarget) -> Exchange:
        try:
            return self._exchanges[target]
        except KeyError:
            raise LocalProtocolError(method, f"there is no {target}") from None

    def _require_unopened(self, method: str) -> None:
        phase = self._offers.phase
        if phase is not Phase.UNOPENED:
            problem = "the peer connections are made already"
            allowed = (str(Phase.UNOPENED),)
            raise LocalProtocolError(method, problem, phase=str(phase), allowed=allowed)

    def _open(self, ice_servers: Iterable[IceServer], force_relay: bool) -> None:
        self._outputs.append(
            OpenPeers(
                peers=self.peers,
                topology=self.topology,
                ice_servers=tuple(ice_servers),
                force_relay=force_relay,
                data_channels=DATA_CHANNELS,
            )
        )
        for each in self._exchanges.values():
            each.open(self._now)

    def _tell(self) -> None:
        """Say once that everything needed is connected."""
        if self.connected and not self._told_connected:
            self._told_connected = True
            self._outputs.append(PeersConnected())
