"""A room's peer connections, and what flows through them: all that belongs to aiortc's loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from aiortc.mediastreams import MediaStreamTrack

from kitwire.commands import PeerTarget
from kitwire.session.peer_inputs import PeerInputs
from kitwire_aiortc.channels import ChannelClosed
from kitwire_aiortc.gathering import Gathering
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.outbound import Outbound
from kitwire_aiortc.owner import Owner
from kitwire_aiortc.packets import LOSSY, DataInbox
from kitwire_aiortc.peers import Peers
from kitwire_aiortc.portal import Portal
from kitwire_aiortc.proxy import SourceListener
from kitwire_aiortc.publication import Terms
from kitwire_aiortc.readings import Readings, Stream
from kitwire_aiortc.statistics import InboundStatistics, PeerStatistics

__all__ = ["Studio"]

DRAIN: Final = 1.0
"""Seconds that leaving waits for data on its way."""


class Studio:
    """aiortc's side of a room. Everything here is called in aiortc's loop.

    Only the feeds of :attr:`data` may be read in another one.

    Args:
        inputs: the client to report to.
        deliver: calls one of its methods with these arguments and the time, in the room's loop.
        portal: leads there.
        gathering: our own choice of addresses and ICE servers.

    Attributes:
        owner: has the peer connections.
        data: what arrives on their data channels.
    """

    def __init__(
        self,
        inputs: PeerInputs,
        deliver: Callable[..., None],
        portal: Portal,
        gathering: Gathering,
    ) -> None:
        def report(method: Callable[..., None], *args: object) -> None:
            portal.deliver(partial(deliver, method, *args))

        self.owner = Owner(inputs, report, self, gathering=gathering)
        self.data = DataInbox(partial(report, inputs.reliable_received))
        self._portal = portal
        self._readings = Readings()

    @property
    def peers(self) -> Peers:
        """The peer connections in use.

        Raises:
            ChannelClosed: when there are none.
        """
        if self.owner.peers is None:
            raise ChannelClosed("there are no peer connections")
        return self.owner.peers

    # --- sending ---

    async def publish(self, terms: Terms, *, stream: str, listener: SourceListener) -> Outbound:
        """Send a source from the next offer on.

        Args:
            terms: which, and how.
            stream: as for :meth:`Outbound.publish`.
            listener: likewise.

        Raises:
            ChannelClosed: when there are no peer connections.
            ValueError: for terms that cannot work.
        """
        return self._publish(terms, stream, listener)

    def publish_again(
        self,
        terms: Terms,
        *,
        stream: str,
        listener: SourceListener,
        done: Callable[[Outbound], None],
    ) -> None:
        """Likewise, on other peer connections; `done` is called in the room's loop.

        Where there are none any more, nothing happens: others will come, or the end.
        """
        with contextlib.suppress(ChannelClosed):
            self._portal.deliver(partial(done, self._publish(terms, stream, listener)))

    def _publish(self, terms: Terms, stream: str, listener: SourceListener) -> Outbound:
        return self.peers.publisher.publish(
            terms.source.kind,
            cid=terms.request.cid,
            stream=stream,
            source=terms.source,
            listener=_Delivering(listener, self._portal),
            max_bitrate=terms.max_bitrate,
            max_framerate=terms.max_framerate,
        )

    async def send(self, packet: Callable[[int], bytes], *, reliable: bool) -> None:
        """Send data once the channel is open, and holds less than a bound.

        Args:
            packet: makes it, with its number on the reliable channel, 0 on the other.
            reliable: on which channel.

        Raises:
            ChannelClosed: when it is closed, or closes meanwhile.
        """
        if reliable:
            await self.peers.reliable.send(packet)
        else:
            await self.peers.publisher.channels.send(LOSSY, packet(0))

    async def drain(self) -> None:
        """Wait until the server has all data that was sent, one second at most."""
        if self.owner.peers is not None:
            try:
                async with asyncio.timeout(DRAIN):
                    await self.owner.peers.publisher.channels.drain()
            except TimeoutError:
                pass  # There may be no path any more.

    # --- reading ---

    def read(self, sid: str, stream: Stream) -> None:
        """Feed a stream with the frames of a track from now on."""
        self._readings.add(sid, stream)

    def end_track(self, sid: str) -> None:
        """A track is published no more."""
        self._readings.end(sid)

    def end_tracks(self) -> None:
        """There will be no track any more."""
        self._readings.end_all()

    def track_opened(self, sid: str, inbound: Inbound) -> None:
        """For :class:`Owner`."""
        self._readings.opened(sid, inbound)

    def track_closed(self, sid: str, inbound: Inbound) -> None:
        """For :class:`Owner`."""
        self._readings.closed(sid, inbound)

    def data_received(self, label: str, data: bytes) -> None:
        """For :class:`Owner`."""
        self.data.receive(label, data)

    # --- the rest ---

    async def statistics(self) -> Mapping[PeerTarget, PeerStatistics]:
        """What each peer connection has carried so far; of none when they are gone."""
        peers = self.owner.peers
        if peers is None:
            return {}
        found = {PeerTarget.PUBLISHER: await peers.publisher.statistics()}
        if peers.subscriber is not peers.publisher:
            found[PeerTarget.SUBSCRIBER] = await peers.subscriber.statistics()
        return found

    async def track_statistics(self, sids: Iterable[str]) -> Mapping[str, InboundStatistics]:
        """What has come of each of these tracks so far, by sid; without those that reach us not."""
        peers = self.owner.peers
        if peers is None:
            return {}
        by_mid = {each.mid: each for each in (await peers.subscriber.statistics()).inbound}
        carried = ((sid, peers.tracks.get(sid)) for sid in sids)
        return {
            sid: by_mid[end.mid] for sid, end in carried if end is not None and end.mid in by_mid
        }

    async def close(self) -> None:
        """Close the peer connections. A cancellation is raised when nothing is left."""
        await self.owner.close()


class _Delivering:
    """Tells a listener in the room's loop what a source says in aiortc's."""

    def __init__(self, listener: SourceListener, portal: Portal) -> None:
        self._listener = listener
        self._portal = portal

    def source_ended(self, source: MediaStreamTrack) -> None:
        self._portal.deliver(partial(self._listener.source_ended, source))

    def source_failed(self, source: MediaStreamTrack, error: Exception) -> None:
        self._portal.deliver(partial(self._listener.source_failed, source, error))
