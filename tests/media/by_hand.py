"""A participant whose negotiation is written out by hand, in the core's commands, over `Peers`.

It decides by itself what the core decides: when to offer, what to hold. So the tests with it show
the layer below the core against the real server, apart from the core's own wiring.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count

from aiortc.mediastreams import MediaStreamTrack

import kitwire_asyncio
from kitwire import (
    AnswerReceived,
    MediaSectionsRequired,
    OfferReceived,
    PathVersion,
    Room,
    TrickleReceived,
)
from kitwire import messages as msg
from kitwire.commands import (
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    MakeOffer,
    OpenPeers,
    PeersId,
    PeerState,
    PeerTarget,
    Topology,
)
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.outbound import Outbound
from kitwire_aiortc.peers import Peers
from tests.interop.livekit_server import LiveKitServer
from tests.media.loopback import CHANNELS, LOOPBACK, Recorder, until

KINDS = {"audio": msg.TrackType.AUDIO, "video": msg.TrackType.VIDEO}
SOURCES = {"audio": msg.TrackSource.MICROPHONE, "video": msg.TrackSource.CAMERA}
TARGETS = {
    msg.SignalTarget.PUBLISHER: PeerTarget.PUBLISHER,
    msg.SignalTarget.SUBSCRIBER: PeerTarget.SUBSCRIBER,
}
SET = PeersId(1)


class ByHand:
    """One participant in a room, with its peer connections.

    Attributes:
        heard: what the sources reported.
        states: the states of the peer connections, in order.
        data: the messages that came, with their channels.
        failures: what a peer connection could not do.
        tracks: the sids of the tracks that arrive now.
        opened: the data channels that are open, or were.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self.single = room.joined.path == "/rtc/v1"
        self.heard = Recorder()
        self.states: list[tuple[PeerTarget, PeerState]] = []
        self.data: list[tuple[str, bytes]] = []
        self.failures: list[str] = []
        self.tracks: set[str] = set()
        self.opened: set[tuple[PeerTarget, str]] = set()
        self.peers = Peers(
            OpenPeers(
                peers=SET,
                topology=Topology.SINGLE if self.single else Topology.DUAL,
                ice_servers=room.joined.ice_servers,
                force_relay=False,
                data_channels=CHANNELS,
            ),
            self,
            gathering=LOOPBACK,
        )
        self._ids = count(1)
        self._cids = count(1)
        self._outstanding = 0
        self._wanted: list[tuple[int, int]] = []
        self._answered = asyncio.Event()

    # --- what the peer connections report ---

    def offer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        self.room.send_offer(sdp, offer_id=offer_id)

    def answer_applied(self, target: PeerTarget, offer_id: int) -> None:
        self._outstanding = 0
        self._answered.set()
        self._offer()

    def answer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        self.room.send_answer(sdp, offer_id=offer_id)

    def peer_state_changed(self, target: PeerTarget, state: PeerState) -> None:
        self.states.append((target, state))

    def datagram_received(self, target: PeerTarget) -> None:
        raise NotImplementedError

    def peer_failed(self, target: PeerTarget, detail: str) -> None:
        self.failures.append(detail)

    def track_opened(self, sid: str, inbound: Inbound) -> None:
        self.tracks.add(sid)

    def track_closed(self, sid: str, inbound: Inbound) -> None:
        self.tracks.discard(sid)

    def channel_opened(self, target: PeerTarget, label: str, channel_id: int) -> None:
        self.opened.add((target, label))

    def channel_closed(self, target: PeerTarget, label: str) -> None: ...

    def data_received(self, target: PeerTarget, label: str, data: bytes) -> None:
        self.data.append((label, data))

    # --- what the server sends ---

    async def handle(self) -> None:
        """Act on what the server sends, until the room is closed."""
        async for event in self.room:
            match event:
                case AnswerReceived(sdp=sdp, id=number, mid_to_track_id=mids):
                    self.peers.execute(
                        ApplyAnswer(
                            peers=SET,
                            target=PeerTarget.PUBLISHER,
                            offer_id=number,
                            sdp=sdp,
                            mid_to_track_id=mids,
                        )
                    )
                case OfferReceived(sdp=sdp, id=number, mid_to_track_id=mids):
                    self.peers.execute(
                        ApplyOffer(
                            peers=SET,
                            target=PeerTarget.SUBSCRIBER,
                            offer_id=number,
                            sdp=sdp,
                            mid_to_track_id=mids,
                        )
                    )
                case TrickleReceived(candidate_init=init, target=target, final=final):
                    self.peers.execute(
                        AddCandidate(
                            peers=SET,
                            target=PeerTarget.PUBLISHER if self.single else TARGETS[target],
                            candidate=json.loads(init)["candidate"],
                            sdp_mid=None,
                            sdp_mline_index=0,
                            username_fragment=None,
                            final=final,
                        )
                    )
                case MediaSectionsRequired(num_audios=audios, num_videos=videos):
                    self._wanted.append((audios, videos))
                    self._offer()
                case _:
                    pass

    def _offer(self) -> None:
        if not self._wanted or self._outstanding:
            return
        self._outstanding = next(self._ids)
        self.peers.execute(
            MakeOffer(
                peers=SET,
                target=PeerTarget.PUBLISHER,
                offer_id=self._outstanding,
                audio_sections=sum(audios for audios, _ in self._wanted),
                video_sections=sum(videos for _, videos in self._wanted),
            )
        )
        self._wanted.clear()

    async def negotiate(self, audios: int = 0, videos: int = 0) -> None:
        """Offer, and wait until an answer to it is applied."""
        await until(lambda: not self._outstanding)
        self._wanted.append((audios, videos))
        self._answered.clear()
        self._offer()
        await asyncio.wait_for(self._answered.wait(), 10.0)

    # --- what a test asks for ---

    async def publish(
        self, source: MediaStreamTrack, *, max_bitrate: int | None = None
    ) -> tuple[str, Outbound]:
        """Announce a track and send it; its sid and its section."""
        cid = f"cid{next(self._cids)}"
        info = await self.room.add_track(
            msg.AddTrackRequest(
                cid=cid,
                type=KINDS[source.kind],
                source=SOURCES[source.kind],
                name=source.kind,
                width=640,
                height=360,
            )
        )
        outbound = self.peers.publisher.publish(
            source.kind,
            cid=cid,
            stream=self.room.joined.participant.sid,
            source=source,
            listener=self.heard,
            max_bitrate=max_bitrate,
        )
        await self.negotiate()
        return info.sid, outbound

    async def unpublish(self, outbound: Outbound) -> None:
        outbound.unpublish()
        await self.negotiate()

    async def section(self, sid: str) -> Inbound:
        """The section that carries a track, once there is one."""
        await until(lambda: self.peers.tracks.get(sid) is not None)
        inbound = self.peers.tracks.get(sid)
        assert inbound is not None
        return inbound


def participant(
    server: LiveKitServer, identity: str, room: str, path: PathVersion
) -> AbstractAsyncContextManager[ByHand]:
    """A participant for the length of a block."""
    return joined(server.url, server.token(identity, room), path)


@asynccontextmanager
async def joined(url: str, token: str, path: PathVersion) -> AsyncIterator[ByHand]:
    async with kitwire_asyncio.connect(url, token=token, path=path) as room:
        hand = ByHand(room)
        handling = asyncio.create_task(hand.handle())
        try:
            if hand.single:
                await hand.negotiate(1, 1)
            yield hand
        finally:
            await hand.peers.close()
            handling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await handling
