"""A session's peer connections: one negotiation for each set of them, fed and drained here."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from .. import events as ev
from ..commands import (
    AwaitDatagram,
    PeerCommand,
    PeersId,
    PeerState,
    PeerTarget,
    ReplayData,
    Topology,
    UseIceServers,
)
from ..config import ClientConfig, PeerCapabilities
from ..errors import LocalProtocolError
from ..messages import (
    ClientConfigSetting,
    DataChannelInfo,
    ReconnectResponse,
    SessionDescription,
    SignalRequest,
    SignalTarget,
    TrickleRequest,
)
from ..negotiation import Agreed, Negotiation, SendAnswer, SendOffer, SendTrickle
from ..peer_events import (
    Negotiated,
    NegotiationFailed,
    PeerEvent,
    PeersConnected,
    PeerStateChanged,
)
from .peer_inputs import PeerReport
from .recovery import Loss
from .timers import Timer, TimerTable
from .transports import Transports

__all__ = ["Peering"]

_TOPOLOGIES = {"/rtc/v1": Topology.SINGLE, "/rtc": Topology.DUAL}
_SIGNAL_TARGETS = {
    PeerTarget.PUBLISHER: SignalTarget.PUBLISHER,
    PeerTarget.SUBSCRIBER: SignalTarget.SUBSCRIBER,
}
# Those of somebody else would have the ids of our own.
_NEGOTIATED = frozenset({"send_offer", "send_answer", "send_trickle"})


class Peering:
    """The peer connections of a session, when its config says that there is an owner for them.

    Args:
        config: what the owner can do, and what was chosen for it.
        timers: where :data:`Timer.NEGOTIATION` and :data:`Timer.FAREWELL` are armed.
        say: sends a request to the server.
        emit: tells of a command or an event.
        fail: tells that media cannot go on as it is, with words for the reader.
        bundle: takes the SDP of an offer that was made before the join, to be carried with it.
    """

    def __init__(
        self,
        config: ClientConfig,
        timers: TimerTable,
        *,
        say: Callable[[SignalRequest], None],
        emit: Callable[[PeerCommand | PeerEvent | ev.ProtocolViolated], None],
        fail: Callable[[Loss, str], None],
        bundle: Callable[[str], None],
    ) -> None:
        self._config = config
        self._timers = timers
        self._say = say
        self._emit = emit
        self._fail = fail
        self._bundle = bundle
        self._sets = 0
        self._joined = False
        self._linked = True
        self.transports = Transports(
            timers, timeout=config.timeouts.transport, ask=self._await_datagram
        )
        self._negotiation: Negotiation | None = None
        self._states: dict[PeerTarget, PeerState] = {}

    def prepare(self, now: float) -> None:
        """Make the peer connection of ``/rtc/v1`` and its offer, before the join.

        The config must have peers and ICE servers of its own.
        """
        config = self._config
        assert config.peers is not None, "the session asks before it prepares"
        assert config.ice_servers is not None, "the session asks before it prepares"
        negotiation = self._begin(Topology.SINGLE, config.peers)
        negotiation.prepare(ice_servers=config.ice_servers, force_relay=config.force_relay, now=now)
        self._drain()

    def joined(self, joined: ev.Joined, now: float) -> None:
        """Make the peer connections that this path wants, where that was not prepared."""
        config = self._config
        if config.peers is None:
            return
        self._joined = True
        negotiation = self._negotiation or self._begin(_TOPOLOGIES[joined.path], config.peers)
        demanded = joined.client_configuration
        permission = joined.participant.permission
        negotiation.joined(
            ice_servers=joined.ice_servers if config.ice_servers is None else config.ice_servers,
            subscriber_primary=joined.subscriber_primary,
            fast_publish=joined.fast_publish,
            can_subscribe=permission is None or permission.can_subscribe,
            force_relay=config.force_relay
            or (demanded is not None and demanded.force_relay is ClientConfigSetting.ENABLED),
            now=now,
        )
        self._drain()

    def _begin(self, topology: Topology, capabilities: PeerCapabilities) -> Negotiation:
        self._sets += 1
        self._states.clear()
        self._negotiation = Negotiation(
            topology,
            peers=PeersId(self._sets),
            capabilities=capabilities,
            timeouts=self._config.timeouts,
        )
        return self._negotiation

    # --- a link that is lost and comes back ---

    @property
    def media(self) -> bool:
        """Whether there are peer connections that were all connected once."""
        return self._negotiation is not None and self._negotiation.was_connected

    @property
    def closed(self) -> PeerTarget | None:
        """One that is needed and that the server closed: no owner can bring it back."""
        negotiation = self._negotiation
        needed = () if negotiation is None else sorted(negotiation.required)
        return next((each for each in needed if self._states.get(each) is PeerState.CLOSED), None)

    def follows(self, *, ice_restart: bool) -> bool:
        """Whether they can go on after a resume, one that finds new paths where it asks for that.

        With two of them the server restarts the subscriber's ICE at every resume.
        """
        negotiation = self._negotiation
        if negotiation is None or self.closed is not None:
            return False
        restarts = ice_restart or negotiation.topology is Topology.DUAL
        return negotiation.capabilities.ice_restart or not restarts

    @property
    def agreed(self) -> Agreed | None:
        """What a server asks about after a resume."""
        return None if self._negotiation is None else self._negotiation.agreed

    @property
    def channels(self) -> tuple[DataChannelInfo, ...]:
        """The data channels that are open; of them too."""
        opened = {} if self._negotiation is None else self._negotiation.channels
        return tuple(
            DataChannelInfo(label=label, id=channel_id, target=_SIGNAL_TARGETS[target])
            for (target, label), channel_id in opened.items()
        )

    @property
    def settled(self) -> bool:
        """Whether all that are needed are connected, and stay so: no ICE restart is under way."""
        negotiation = self._negotiation
        return negotiation is None or (negotiation.connected and not negotiation.restarting_ice)

    def unlink(self, now: float) -> None:
        """The link is lost; the peer connections stay."""
        self._linked = False
        self.transports.stop()
        self._timers.stop(Timer.FAREWELL)
        if self._negotiation is not None:
            self._negotiation.unlink(now=now)
            self._drain()

    def relink(self, answer: ReconnectResponse | None, *, ice_restart: bool, now: float) -> None:
        """The server goes on with the session on a new link.

        Args:
            answer: what it says to that, where it does.
            ice_restart: whether the paths are to be found anew.
            now: the time, in seconds.
        """
        negotiation = self._negotiation
        assert negotiation is not None, "a session without peer connections is not resumed"
        self._linked = True
        if self.closed is not None:
            self.farewell_timed_out()
            return
        own = self._config.ice_servers
        if answer is not None and answer.ice_servers and own is None:
            servers = tuple(answer.ice_servers)
            self._emit(UseIceServers(peers=negotiation.peers, ice_servers=servers))
        negotiation.relink(now=now)
        dead = not negotiation.connected
        publishes = PeerTarget.PUBLISHER in negotiation.required
        if (ice_restart or dead) and publishes and negotiation.capabilities.ice_restart:
            negotiation.restart_ice(now=now)
        self._drain()
        if answer is not None and answer.last_message_seq:
            self._emit(ReplayData(peers=negotiation.peers, after=answer.last_message_seq))

    def watch(self, now: float) -> None:
        """Begin to ask for datagrams, where the owner tells of them and a loss can be got over."""
        negotiation, recovers = self._negotiation, self._config.reconnect is not None
        if recovers and negotiation is not None and negotiation.capabilities.datagrams:
            for target in sorted(negotiation.required):
                self.transports.add(target, now)

    def _await_datagram(self, target: PeerTarget) -> None:
        assert self._negotiation is not None, "what is watched is there"
        self._emit(AwaitDatagram(peers=self._negotiation.peers, target=target))

    # --- what comes ---

    def hear(self, event: ev.ServerEvent, now: float) -> None:
        """Take in what the server says of descriptions and candidates."""
        negotiation = self._negotiation
        if negotiation is None:
            return
        match event:
            case ev.OfferReceived(sdp=sdp, id=offer_id, mid_to_track_id=mids):
                negotiation.server_offer(sdp, offer_id=offer_id, mid_to_track_id=mids, now=now)
            case ev.AnswerReceived(sdp=sdp, id=offer_id, mid_to_track_id=mids):
                negotiation.server_answer(sdp, offer_id=offer_id, mid_to_track_id=mids, now=now)
            case ev.TrickleReceived(candidate_init=init, target=target, final=final):
                negotiation.server_candidate(init, target=target, final=final, now=now)
            case ev.MediaSectionsRequired(num_audios=audios, num_videos=videos):
                negotiation.media_sections_required(audios, videos, now=now)
            case _:
                return
        self._drain()

    def permit(self, name: str) -> None:
        """Let a request pass, unless it is the negotiation's to make.

        Raises:
            LocalProtocolError: for a description or a candidate of somebody else's.
        """
        if self._config.peers is not None and name in _NEGOTIATED:
            raise LocalProtocolError(name, "the session negotiates by itself (config.peers)")

    def owns(self, peers: PeersId) -> bool:
        """Whether a set of peer connections is the one in use."""
        return self._negotiation is not None and self._negotiation.peers == peers

    def report(self, report: PeerReport, now: float) -> None:
        """Take in what the owner of the peer connections reports."""
        if self._negotiation is not None:
            report(self._negotiation, now)
            self._tell_states(self._negotiation, now)
            self._drain()

    def negotiate(self, now: float) -> int | None:
        """Ask for an offer, because a track was added or removed; the id that it will have.

        None where there are no peer connections.
        """
        if self._negotiation is None:
            return None
        offer_id = self._negotiation.negotiate(now=now)
        self._drain()
        return offer_id

    def timed_out(self, now: float) -> None:
        """A deadline of the negotiation has come."""
        if self._negotiation is not None:
            self._negotiation.handle_timeout(now=now)
            self._drain()

    def close(self, now: float) -> None:
        """Close the peer connections, if there are any."""
        if self._negotiation is None:
            return
        negotiation, self._negotiation = self._negotiation, None
        self.transports.stop()
        self._joined, self._linked = False, True
        negotiation.close(now=now)
        while (output := negotiation.poll()) is not None:
            if isinstance(output, PeerCommand):
                self._emit(output)
        self._timers.stop(Timer.NEGOTIATION)
        self._timers.stop(Timer.FAREWELL)

    def farewell_timed_out(self) -> None:
        """A peer connection was closed, and nobody says why."""
        self._fail(Loss.PEER, f"the {self.closed}'s peer connection closed")

    def _tell_states(self, negotiation: Negotiation, now: float) -> None:
        """Tell of new states; a peer connection that is needed and failed is a loss.

        One that closes without being asked was closed by the server. It does so when it puts us
        out, and says why on the link, which may be the slower of the two.
        """
        closed_before = self.closed is not None
        for target in negotiation.targets:
            state = negotiation.state(target)
            if state is self._states.get(target, PeerState.NEW):
                continue
            self._states[target] = state
            self._emit(PeerStateChanged(target=target, state=state))
            if state is PeerState.FAILED and target in negotiation.required:
                self._fail(Loss.PEER, f"the {target}'s peer connection failed")
        if self.closed is None or closed_before:
            return
        if not self._joined:
            self.farewell_timed_out()
        elif self._linked:
            self._timers.set(Timer.FAREWELL, now + self._config.timeouts.close)

    def _drain(self) -> None:
        negotiation = self._negotiation
        while negotiation is not None and (output := negotiation.poll()) is not None:
            match output:
                case SendAnswer() | SendTrickle() if not self._linked:
                    pass  # The server makes a new offer when the link is back.
                case SendOffer(sdp=sdp) if not self._joined:
                    self._bundle(sdp)
                case SendOffer(offer_id=offer_id, sdp=sdp):
                    offer = SessionDescription(type="offer", sdp=sdp, id=offer_id)
                    self._say(SignalRequest(offer=offer))
                case SendAnswer(offer_id=offer_id, sdp=sdp):
                    answer = SessionDescription(type="answer", sdp=sdp, id=offer_id)
                    self._say(SignalRequest(answer=answer))
                case SendTrickle(target=target, candidate_init=init, final=final):
                    side = _SIGNAL_TARGETS[target]
                    trickle = TrickleRequest(candidate_init=init, target=side, final=final)
                    self._say(SignalRequest(trickle=trickle))
                case NegotiationFailed(detail=detail):
                    self._emit(output)
                    self._fail(Loss.NEGOTIATION, detail)
                    return
                case Negotiated() | PeersConnected() | ev.ProtocolViolated():
                    self._emit(output)
                case _ if isinstance(output, PeerCommand):
                    self._emit(output)
                case _:
                    assert_never(output)
        self._arm()

    def _arm(self) -> None:
        deadline = None if self._negotiation is None else self._negotiation.deadline
        if deadline is None:
            self._timers.stop(Timer.NEGOTIATION)
        else:
            self._timers.set(Timer.NEGOTIATION, deadline)
