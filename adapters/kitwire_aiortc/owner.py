"""Owns a client's peer connections: one set after the other, closed with nothing left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
    UseIceServers,
)
from kitwire.session.peer_inputs import PeerInputs
from kitwire_aiortc.gathering import Gathering
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.peers import Peers

__all__ = ["MediaListener", "Owner"]


class MediaListener(Protocol):
    """Hears what the core does not: tracks and data, in the event loop's thread."""

    def track_opened(self, sid: str, inbound: Inbound) -> None:
        """A section carries this track from now on."""

    def track_closed(self, sid: str, inbound: Inbound) -> None:
        """That section carries this track no more."""

    def data_received(self, label: str, data: bytes) -> None:
        """A message came on a data channel."""


class Owner:
    """The :class:`~kitwire.room.PeerOwner` on aiortc, on the running event loop.

    Args:
        inputs: the client to report to.
        deliver: calls one of its methods with these arguments and the time, as an adapter's driver
            does, and carries out what follows.
        listener: hears of tracks and data.
        gathering: our own choice of addresses and ICE servers.

    Attributes:
        peers: the set in use; None when there is none.
        offered: whether the publisher of that set was ever asked for an offer. With two peer
            connections that happens only when something is to be sent.
    """

    def __init__(
        self,
        inputs: PeerInputs,
        deliver: Callable[..., None],
        listener: MediaListener,
        *,
        gathering: Gathering | None = None,
    ) -> None:
        self.peers: Peers | None = None
        self.offered = False
        self._inputs = inputs
        self._deliver = deliver
        self._listener = listener
        self._gathering = gathering
        self._closed = False
        self._closing: set[asyncio.Task[None]] = set()

    def execute(self, command: PeerCommand) -> None:
        """Begin to carry a command out; what comes of it is reported to the client."""
        match command:
            case OpenPeers():
                self._drop()
                if not self._closed:
                    reports = _Reports(command.peers, self._inputs, self._deliver, self._listener)
                    self.peers = Peers(command, reports, gathering=self._gathering)
            case ClosePeers(peers=peers):
                if self.peers is not None and self.peers.id == peers:
                    self._drop()
            case (
                MakeOffer()
                | ApplyAnswer()
                | ApplyOffer()
                | AddCandidate()
                | AwaitDatagram()
                | ReplayData()
                | UseIceServers()
            ):
                if self.peers is not None and self.peers.id == command.peers:
                    self.offered |= isinstance(command, MakeOffer)
                    self.peers.execute(command)
            case _:
                assert_never(command)

    async def close(self) -> None:
        """Close what is there, for good. A cancellation is raised when nothing is left."""
        self._closed = True
        self._drop()
        cancelled: asyncio.CancelledError | None = None
        while self._closing:
            try:
                await asyncio.wait(set(self._closing))
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _drop(self) -> None:
        """Close the set in use, in a task: whoever says so cannot wait for it."""
        if self.peers is None:
            return
        task = asyncio.ensure_future(self.peers.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self.peers, self.offered = None, False


class _Reports:
    """What one set reports, with its number, to the client or to the listener."""

    def __init__(
        self,
        peers: PeersId,
        inputs: PeerInputs,
        deliver: Callable[..., None],
        listener: MediaListener,
    ) -> None:
        self._peers = peers
        self._inputs = inputs
        self._deliver = deliver
        self._listener = listener

    def offer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        self._deliver(self._inputs.offer_made, self._peers, target, offer_id, sdp)

    def answer_applied(self, target: PeerTarget, offer_id: int) -> None:
        self._deliver(self._inputs.answer_applied, self._peers, target, offer_id)

    def answer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        self._deliver(self._inputs.answer_made, self._peers, target, offer_id, sdp)

    def peer_state_changed(self, target: PeerTarget, state: PeerState) -> None:
        self._deliver(self._inputs.peer_state_changed, self._peers, target, state)

    def datagram_received(self, target: PeerTarget) -> None:
        self._deliver(self._inputs.datagram_received, self._peers, target)

    def peer_failed(self, target: PeerTarget, detail: str) -> None:
        self._deliver(self._inputs.peer_failed, self._peers, target, detail)

    def track_opened(self, sid: str, inbound: Inbound) -> None:
        self._listener.track_opened(sid, inbound)

    def track_closed(self, sid: str, inbound: Inbound) -> None:
        self._listener.track_closed(sid, inbound)

    def channel_opened(self, target: PeerTarget, label: str, channel_id: int) -> None:
        self._deliver(self._inputs.channel_opened, self._peers, target, label, channel_id)

    def channel_closed(self, target: PeerTarget, label: str) -> None:
        pass

    def data_received(self, target: PeerTarget, label: str, data: bytes) -> None:
        self._listener.data_received(label, data)
