"""A joined room with media: publish tracks and data, read those of others."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from aiortc.mediastreams import MediaStreamTrack

from kitwire import messages as msg
from kitwire.client import Client
from kitwire.commands import PeerTarget
from kitwire.config import ClientConfig, PeerCapabilities
from kitwire.errors import CloseReason, ConnectFailed, LocalProtocolError
from kitwire.events import Closed, Event
from kitwire.peer_events import PeersConnected
from kitwire.room import DEFAULT_MAX_EVENTS, Inbox, Room, Runtime
from kitwire.view import ParticipantDisconnected, PublicationRemoved, View, ViewChange
from kitwire_aiortc.channels import ChannelClosed
from kitwire_aiortc.feeds import Feed, Feeds
from kitwire_aiortc.frames import AudioStream, VideoStream
from kitwire_aiortc.gathering import Gathering
from kitwire_aiortc.packets import DataReceived, packet_of
from kitwire_aiortc.portal import Portal, SameLoop
from kitwire_aiortc.publication import LocalPublication, Terms
from kitwire_aiortc.publications import Publications
from kitwire_aiortc.remotes import RemotePublications
from kitwire_aiortc.statistics import InboundStatistics, PeerStatistics
from kitwire_aiortc.studio import Studio

__all__ = ["Media", "MediaInbox", "MediaRoom"]

KINDS: Final = {msg.TrackType.AUDIO: "audio", msg.TrackType.VIDEO: "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """How a room has media."""

    gathering: Gathering = field(default_factory=Gathering)
    """Where the peer connections gather their addresses."""

    def configured(self, config: ClientConfig) -> ClientConfig:
        """For adapters: the settings of a connection whose peer connections are aiortc's.

        Raises:
            ValueError: when they name an owner of peer connections already.
        """
        if config.peers is not None:
            raise ValueError("with media, peers is not yours to say")
        # The session must know them: with ICE servers of our own, its offer travels with the join.
        own = self.gathering.ice_servers
        return replace(
            config,
            peers=PeerCapabilities(ice_restart=True, datagrams=True, hold_while_connecting=True),
            ice_servers=config.ice_servers if own is None else own,
        )


class MediaInbox(Inbox):
    """An inbox that lets the room hear every event at once, read or not.

    Attributes:
        hear: called with each event before the application can read it.
    """

    def __init__(self, max_events: int = DEFAULT_MAX_EVENTS) -> None:
        super().__init__(max_events)
        self.hear: Callable[[Event], None] = lambda event: None

    def put(self, event: Event) -> CloseReason | None:
        """Let the room hear it, and take it in."""
        self.hear(event)
        return super().put(event)


class MediaRoom(Room):
    """A :class:`~kitwire.room.Room` whose peer connections are ours.

    Events are read as in any room; descriptions among them are answered already. Everything here
    belongs to the event loop that runs, asyncio's or trio's; what aiortc does, it does behind a
    portal.

    Args:
        client: the client underneath.
        inbox: where its events go.
        runtime: the adapter's driver.
        deliver: its way to give input to the client: a method and arguments.
        media: how.
        portal: leads to the asyncio loop in which aiortc is to live; None for this one.

    Attributes:
        studio: has the peer connections, in that loop; for the adapter.
        view: who is in the room with which tracks, as of the last event that came, which may be
            ahead of the last one read.
    """

    def __init__(
        self,
        client: Client,
        inbox: MediaInbox,
        runtime: Runtime,
        deliver: Callable[..., None],
        media: Media,
        portal: Portal | None = None,
    ) -> None:
        super().__init__(client, inbox, runtime)
        self.view = View()
        self._portal = portal or SameLoop()
        self.studio = Studio(client, deliver, self._portal, media.gathering)
        self._ours = Publications(self, runtime, self._portal, self.studio)
        self._connected = False
        self._changes: Feeds[ViewChange] = Feeds()
        inbox.hear = self._hear

    # --- joining and leaving ---

    async def wait_connected(self) -> None:
        """Wait until media can flow. Adapters do so before they hand a room out.

        Raises:
            ConnectFailed: when the connection ended instead.
        """
        await self._runtime.until(lambda: self._connected or self.closed is not None)
        if not self._connected and self.closed is not None:
            raise ConnectFailed(self.closed)

    async def leave(
        self, reason: msg.DisconnectReason = msg.DisconnectReason.CLIENT_INITIATED
    ) -> None:
        """Leave the room, and wait until the connection has ended. Harmless when it has already.

        Data on its way is waited for, one second at most.
        """
        await self.drain()
        await super().leave(reason)

    async def drain(self) -> None:
        """Wait until the server has all data that was sent, one second at most."""
        if self.closed is None:
            await self._portal.call(self.studio.drain)

    async def end(self) -> None:
        """Close the peer connections, and end all that is read. Adapters do so at the end."""
        self._end_all()
        await self._portal.call(self.studio.close)

    # --- publishing ---

    @property
    def publications(self) -> Mapping[str, LocalPublication]:
        """What we publish, by sid."""
        return self._ours.by_sid

    async def publish_audio(
        self,
        track: MediaStreamTrack,
        *,
        name: str = "",
        source: msg.TrackSource = msg.TrackSource.MICROPHONE,
        max_bitrate: int | None = None,
    ) -> LocalPublication:
        """Publish audio, and wait until it can flow.

        Args:
            track: where frames come from; it is not stopped when it is unpublished.
            name: a name for people to read.
            source: what it is.
            max_bitrate: bits a second.

        Raises:
            RequestFailed: when the server does not want it, or the connection ended.
            LocalProtocolError: for arguments that cannot work.
        """
        kind = msg.TrackType.AUDIO
        return await self._publish(
            "publish_audio",
            msg.AddTrackRequest(type=kind, name=name, source=source),
            track,
            max_bitrate=max_bitrate,
        )

    async def publish_video(
        self,
        track: MediaStreamTrack,
        *,
        name: str = "",
        source: msg.TrackSource = msg.TrackSource.CAMERA,
        width: int = 0,
        height: int = 0,
        max_bitrate: int | None = None,
        max_framerate: float | None = None,
    ) -> LocalPublication:
        """Publish video, and wait until it can flow.

        Args:
            track: where frames come from; it is not stopped when it is unpublished.
            name: a name for people to read.
            source: what it is.
            width: in pixels, as far as it is known; subscribers are told so.
            height: likewise.
            max_bitrate: bits a second.
            max_framerate: frames a second; those above are left out.

        Raises:
            RequestFailed: when the server does not want it, or the connection ended.
            LocalProtocolError: for arguments that cannot work.
        """
        method, kind = "publish_video", msg.TrackType.VIDEO
        if max_framerate is not None and not max_framerate > 0:
            raise LocalProtocolError(method, f"max_framerate must be above 0, not {max_framerate}")
        return await self._publish(
            method,
            msg.AddTrackRequest(type=kind, name=name, source=source, width=width, height=height),
            track,
            max_bitrate=max_bitrate,
            max_framerate=max_framerate,
        )

    async def _publish(
        self,
        method: str,
        request: msg.AddTrackRequest,
        track: MediaStreamTrack,
        *,
        max_bitrate: int | None,
        max_framerate: float | None = None,
    ) -> LocalPublication:
        """Publish a track, once it is seen to be of that kind."""
        kind = KINDS[request.type]
        if track.kind != kind:
            raise LocalProtocolError(method, f"the track is {track.kind}, not {kind}")
        request = replace(request, cid=str(uuid.uuid4()))
        return await self._ours.publish(method, Terms(request, track, max_bitrate, max_framerate))

    # --- reading ---

    def changes(self) -> Feed[ViewChange]:
        """What changes in :attr:`view` from now on: who comes, which tracks there are …

        ``async for change in room.changes()``. Several may read; each gets every change.
        """
        return self._changes.open()

    def remote_publications(self) -> RemotePublications:
        """Every track of the others, each once: those that there are, then those that come.

        ``async for participant, publication in room.remote_publications()``. It ends when the
        room does, and leaves out what is gone by the time that it is asked for.
        """
        return RemotePublications(self.view, self.changes(), self._published)

    def _published(self, sid: str) -> bool:
        return self.closed is None and self.view.publication(sid) is not None

    def audio(self, sid: str, *, sample_rate: int = 48_000, channels: int = 1) -> AudioStream:
        """The audio of a track of somebody else's: ``async for frame in room.audio(sid)``.

        Frames are 16-bit samples, 20 ms each as a rule. The iteration lasts as long as the track
        is published; while the track does not reach us, it waits. Who reads too slowly misses the
        oldest frames, which are counted. What nobody reads is not decoded.

        Args:
            sid: the track's.
            sample_rate: in Hz.
            channels: 1 or 2.

        Raises:
            LocalProtocolError: when there is no such track.
            ValueError: for a rate or channels that cannot be.
        """
        self._require_track("audio", sid, msg.TrackType.AUDIO)
        stream = AudioStream(sample_rate=sample_rate, channels=channels)
        self._portal.post(partial(self.studio.read, sid, stream))
        return stream

    def video(self, sid: str) -> VideoStream:
        """The video of a track of somebody else's; all is as with :meth:`audio`.

        Raises:
            LocalProtocolError: when there is no such track.
        """
        self._require_track("video", sid, msg.TrackType.VIDEO)
        stream = VideoStream()
        self._portal.post(partial(self.studio.read, sid, stream))
        return stream

    def _require_track(self, method: str, sid: str, kind: msg.TrackType) -> None:
        publication = self.view.publication(sid)
        own = self.view.own
        if publication is None or own is None or self.closed is not None:
            raise LocalProtocolError(method, f"nobody publishes {sid}")
        if publication.participant_sid == own.sid:
            raise LocalProtocolError(method, f"{sid} is our own")
        if publication.kind is not kind:
            raise LocalProtocolError(method, f"{sid} is not {KINDS[kind]}")

    # --- data ---

    async def publish_data(
        self,
        data: bytes,
        *,
        reliable: bool = True,
        topic: str | None = None,
        destination_identities: Sequence[str] = (),
    ) -> None:
        """Send a message to the others. Done when it is on its way, not when it has arrived.

        It waits until the channel is open, and while a megabyte waits in it.

        Args:
            data: the message. With topic and addresses, at most 64,000 bytes.
            reliable: whether to send it again until it arrives, in order.
            topic: what to put it under.
            destination_identities: for whom; empty for everybody.

        Raises:
            RequestFailed: when the connection ended.
            LocalProtocolError: when it is too large.
        """
        method = "publish_data"
        if isinstance(destination_identities, str):
            raise LocalProtocolError(method, "destination_identities must be a list, not one")

        def packet(sequence: int) -> bytes:
            return packet_of(
                data,
                topic=topic,
                destination_identities=destination_identities,
                sequence=sequence,
            )

        packet(1 if reliable else 0)
        self._client_for(method)
        # On trio this looks into another thread: at worst there is an offer too many.
        if not self.studio.owner.offered:
            self._ours.negotiate(method)
        try:
            await self._portal.call(partial(self.studio.send, packet, reliable=reliable))
        except ChannelClosed:
            raise self.ended_before(method) from None

    def data(self) -> Feed[DataReceived]:
        """The messages of others from now on: ``async for message in room.data()``.

        Several may read; each gets every message.
        """
        return self.studio.data.feeds.open()

    async def statistics(self) -> Mapping[PeerTarget, PeerStatistics]:
        """What each peer connection has carried so far; of none when they are gone."""
        if self.closed is not None:
            return {}
        return await self._portal.call(self.studio.statistics)

    async def track_statistics(self, sids: Iterable[str]) -> Mapping[str, InboundStatistics]:
        """What has come of these tracks of others so far, by sid; without those that reach us not.

        A track that moves to another section of the peer connection begins to count anew.
        """
        if self.closed is not None:
            return {}
        return await self._portal.call(partial(self.studio.track_statistics, tuple(sids)))

    # --- what happens ---

    def _hear(self, event: Event) -> None:
        """An event came."""
        for change in self.view.apply(event):
            self._changes.put(change)
            match change:
                case PublicationRemoved(publication=gone):
                    self._portal.post(partial(self.studio.end_track, gone.sid))
                case ParticipantDisconnected(participant=participant):
                    self._portal.post(partial(self.studio.data.forget, participant.sid))
                case _:
                    pass
        self._ours.hear(event)
        match event:
            case PeersConnected():
                self._connected = True
            case Closed():
                self._end_all()
            case _:
                pass

    def _end_all(self) -> None:
        self._ours.end()
        self._portal.post(self.studio.end_tracks)
        self.studio.data.feeds.end()
        self._changes.end()
