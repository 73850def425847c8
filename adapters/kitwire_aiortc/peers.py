"""All peer connections of one participant: executes the core's commands, and reports back.

The core says what to do and in which order; here it is done, one command after the other for each
target. What a media section carries is told by the track that it carries: sections are reused.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol, assert_never

from kitwire.commands import (
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    AwaitDatagram,
    ClosePeers,
    MakeOffer,
    OpenPeers,
    PeerCommand,
    PeersId,
    PeerState,
    PeerTarget,
    ReplayData,
    Topology,
    UseIceServers,
)
from kitwire_aiortc.channels import ChannelClosed
from kitwire_aiortc.gathering import Gathering
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.packets import RELIABLE
from kitwire_aiortc.peer import Peer, PeerClosed, PeerRefused
from kitwire_aiortc.reliable import ReliableSender
from kitwire_aiortc.sdp import Section

__all__ = ["PeerReports", "Peers", "Tracks"]


class PeerReports(Protocol):
    """What the core hears in return, in the event loop's thread. The first six are its inputs."""

    def offer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        """A MakeOffer is done."""

    def answer_applied(self, target: PeerTarget, offer_id: int) -> None:
        """An ApplyAnswer is done."""

    def answer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        """An ApplyOffer is done."""

    def peer_state_changed(self, target: PeerTarget, state: PeerState) -> None:
        """A peer connection went from one state to another."""

    def datagram_received(self, target: PeerTarget) -> None:
        """A datagram came, after an AwaitDatagram."""

    def peer_failed(self, target: PeerTarget, detail: str) -> None:
        """A peer connection could not do what it was asked. The text holds no secret."""

    def track_opened(self, sid: str, inbound: Inbound) -> None:
        """A section carries this track from now on."""

    def track_closed(self, sid: str, inbound: Inbound) -> None:
        """That section carries this track no more."""

    def channel_opened(self, target: PeerTarget, label: str, channel_id: int) -> None:
        """Messages can be sent on a data channel, the SCTP stream with that number."""

    def channel_closed(self, target: PeerTarget, label: str) -> None:
        """A data channel will carry nothing any more."""

    def data_received(self, target: PeerTarget, label: str, data: bytes) -> None:
        """A message came."""


class Peers:
    """The peer connections of one :class:`~kitwire.commands.OpenPeers`.

    Args:
        command: says which, and how.
        reports: hears what happens.
        gathering: our own choice of addresses and ICE servers.

    Attributes:
        id: the number of this set.
        publisher: the peer connection that sends, and has the data channels to send on.
        reliable: sends on the reliable one of them.
        tracks: what arrives on the one that receives.
    """

    def __init__(
        self, command: OpenPeers, reports: PeerReports, *, gathering: Gathering | None = None
    ) -> None:
        how = gathering or Gathering()
        how = replace(how, force_relay=how.force_relay or command.force_relay)
        self.id: PeersId = command.peers
        self._reports = reports
        self._work: set[asyncio.Task[None]] = set()
        self._closed = False
        self.publisher = Peer(
            _Listener(self, PeerTarget.PUBLISHER),
            gathering=how,
            ice_servers=command.ice_servers,
            data_channels=command.data_channels,
        )
        self.reliable = ReliableSender(partial(self.publisher.channels.send, RELIABLE))
        self._peers = {PeerTarget.PUBLISHER: self.publisher}
        if command.topology is Topology.DUAL:
            self._peers[PeerTarget.SUBSCRIBER] = Peer(
                _Listener(self, PeerTarget.SUBSCRIBER),
                gathering=how,
                ice_servers=command.ice_servers,
            )
        self._receiving = max(self._peers, key=lambda each: each is PeerTarget.SUBSCRIBER)
        self.tracks = Tracks(reports)

    @property
    def subscriber(self) -> Peer:
        """The peer connection that receives: with one alone, the publisher."""
        return self._peers[self._receiving]

    def execute(self, command: PeerCommand) -> None:
        """Begin to do what a command says, after what was said before to the same target.

        Commands for another set of peer connections are ignored; :class:`OpenPeers` made this
        one, and :class:`ClosePeers` is :meth:`close`, which can be waited for.
        """
        if command.peers != self.id or self._closed:
            return
        match command:
            case MakeOffer(target=target):
                self._begin(target, partial(self._make_offer, command))
            case ApplyAnswer(target=target):
                self._begin(target, partial(self._apply_answer, command))
            case ApplyOffer(target=target):
                self._begin(target, partial(self._apply_offer, command))
            case AddCandidate(target=target):
                self._begin(target, partial(self._add_candidate, command))
            case AwaitDatagram(target=target):
                if (peer := self._peers.get(target)) is not None:
                    peer.tell_next_datagram(partial(self._reports.datagram_received, target))
            case ReplayData(after=after):
                self._begin(PeerTarget.PUBLISHER, partial(self._replay, after))
            case UseIceServers(ice_servers=servers):
                for each in self._peers.values():
                    each.ice_servers = servers
            case OpenPeers() | ClosePeers():
                pass
            case _:
                assert_never(command)

    async def close(self) -> None:
        """Close all of them. Then nothing of them is left, and nothing is reported any more."""
        self._closed = True
        for task in self._work:
            task.cancel()
        self.tracks.clear()
        await asyncio.gather(*(each.close() for each in self._peers.values()))
        if self._work:
            await asyncio.wait(self._work)

    # --- commands ---

    def _begin(self, target: PeerTarget, doing: Callable[[], Awaitable[None]]) -> None:
        # Tasks begin in the order of their making, and a peer lets them in one by one.
        task = asyncio.ensure_future(self._do(target, doing))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _do(self, target: PeerTarget, doing: Callable[[], Awaitable[None]]) -> None:
        try:
            await doing()
        except PeerClosed:
            pass  # its state says so
        except PeerRefused as refusal:
            if not self._closed:
                self._reports.peer_failed(target, str(refusal))

    def _peer(self, target: PeerTarget) -> Peer:
        peer = self._peers.get(target)
        if peer is None:
            raise PeerRefused(f"there is no {target.value}")
        return peer

    async def _make_offer(self, command: MakeOffer) -> None:
        sdp = await self._peer(command.target).make_offer(
            audio_sections=command.audio_sections,
            video_sections=command.video_sections,
            ice_restart=command.ice_restart,
        )
        self._reports.offer_made(command.target, command.offer_id, sdp)

    async def _apply_answer(self, command: ApplyAnswer) -> None:
        peer = self._peer(command.target)
        await peer.apply_answer(command.sdp)
        self._route(command.target, command.mid_to_track_id)
        self._reports.answer_applied(command.target, command.offer_id)

    async def _apply_offer(self, command: ApplyOffer) -> None:
        sdp = await self._peer(command.target).apply_offer(command.sdp)
        self._route(command.target, command.mid_to_track_id)
        self._reports.answer_made(command.target, command.offer_id, sdp)

    async def _add_candidate(self, command: AddCandidate) -> None:
        # There are others, and bad ones do no harm.
        with contextlib.suppress(PeerRefused):
            await self._peer(command.target).add_candidate(command.candidate)

    async def _replay(self, after: int) -> None:
        # Its channel may have closed meanwhile: then there is nobody to send to.
        with contextlib.suppress(ChannelClosed):
            await self.reliable.replay(after)

    def _route(self, target: PeerTarget, sids: Mapping[str, str]) -> None:
        if target is self._receiving:
            peer = self._peers[target]
            self.tracks.update(peer.remote_sections, sids, peer.inbound)

    # --- what one of them reports ---

    def state_changed(self, target: PeerTarget, state: PeerState) -> None:
        """Pass it on."""
        if not self._closed:
            self._reports.peer_state_changed(target, state)

    def channel_opened(self, target: PeerTarget, label: str) -> None:
        """Pass it on."""
        if not self._closed:
            channel_id = self._peers[target].channels.stream(label)
            assert channel_id is not None, "it is open"
            self._reports.channel_opened(target, label, channel_id)

    def channel_closed(self, target: PeerTarget, label: str) -> None:
        """Pass it on."""
        if not self._closed:
            self._reports.channel_closed(target, label)

    def data_received(self, target: PeerTarget, label: str, data: bytes) -> None:
        """Pass it on."""
        if not self._closed:
            self._reports.data_received(target, label, data)


class Tracks:
    """Which section carries which track, by the server's last word on it."""

    def __init__(self, reports: PeerReports) -> None:
        self._reports = reports
        self._carried: dict[str, Inbound] = {}

    def get(self, sid: str) -> Inbound | None:
        """The section that carries a track; None while there is none."""
        return self._carried.get(sid)

    def update(
        self,
        described: tuple[Section, ...],
        sids: Mapping[str, str],
        inbound: Mapping[str, Inbound],
    ) -> None:
        """After every description: report what changed.

        Args:
            described: the server's sections.
            sids: the sid of a section's track by mid, as the server says it. Where it says none,
                the second word of the section's msid counts, which older servers put it into.
            inbound: our ends of the sections by mid.
        """
        carried = {
            sid: inbound[section.mid]
            for section in described
            if section.direction.sends and section.mid in inbound
            if (sid := sids.get(section.mid) or _sid_in(section.msid))
        }
        before, self._carried = self._carried, carried
        for sid, end in before.items():
            if carried.get(sid) is not end:
                self._reports.track_closed(sid, end)
        for sid, end in carried.items():
            if before.get(sid) is not end:
                self._reports.track_opened(sid, end)

    def clear(self) -> None:
        """Forget all, without a report."""
        self._carried = {}


def _sid_in(msid: str) -> str:
    word = msid.partition(" ")[2]
    return word if word.startswith("TR_") else ""


class _Listener:
    """Adds to what a peer connection reports which one it was."""

    def __init__(self, peers: Peers, target: PeerTarget) -> None:
        self._peers = peers
        self._target = target

    def state_changed(self, state: PeerState) -> None:
        self._peers.state_changed(self._target, state)

    def inbound_opened(self, inbound: Inbound) -> None:
        # Reported by the track that it carries, once the description is applied.
        pass

    def channel_opened(self, label: str) -> None:
        self._peers.channel_opened(self._target, label)

    def channel_closed(self, label: str) -> None:
        self._peers.channel_closed(self._target, label)

    def data_received(self, label: str, data: bytes) -> None:
        self._peers.data_received(self._target, label, data)
