"""A participant whose negotiation is written out by hand, step by step, over `Peer`.

It decides by itself what the core will decide: when to offer, what to hold. So the tests with it
show the layer below the core against the real server, before and apart from the core's wiring.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
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
    TrackPublished,
    TrickleReceived,
)
from kitwire import messages as msg
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.outbound import Outbound
from kitwire_aiortc.peer import Peer
from tests.interop.livekit_server import LiveKitServer
from tests.media.loopback import CHANNELS, LOOPBACK, Recorder, until

KINDS = {"audio": msg.TrackType.AUDIO, "video": msg.TrackType.VIDEO}
SOURCES = {"audio": msg.TrackSource.MICROPHONE, "video": msg.TrackSource.CAMERA}


class ByHand:
    """One participant in a room, with its peer connections.

    Attributes:
        sids: the sids of the tracks that arrive, by the mid of their section.
        heard: what the peer connections reported, by target.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self.single = room.joined.path == "/rtc/v1"
        self.heard = {"publisher": Recorder(), "subscriber": Recorder()}
        self.publisher = Peer(self.heard["publisher"], gathering=LOOPBACK, data_channels=CHANNELS)
        self.subscriber = (
            self.publisher if self.single else Peer(self.heard["subscriber"], gathering=LOOPBACK)
        )
        self.sids: dict[str, str] = {}
        self.ids = count(1)
        self._cids = count(1)
        self._outstanding = 0
        self._wanted: list[tuple[int, int]] = []
        self._answered = asyncio.Event()

    @property
    def receiving(self) -> Recorder:
        return self.heard["publisher" if self.single else "subscriber"]

    async def handle(self) -> None:
        """Act on what the server sends, until the room is closed."""
        async for event in self.room:
            match event:
                case AnswerReceived(sdp=sdp, id=number, mid_to_track_id=mids):
                    if number == self._outstanding:
                        await self.publisher.apply_answer(sdp)
                        self._outstanding = 0
                        self._route(mids, single=True)
                        self._answered.set()
                        await self._offer_again()
                case MediaSectionsRequired(num_audios=audios, num_videos=videos):
                    self._wanted.append((audios, videos))
                    await self._offer_again()
                case OfferReceived(sdp=sdp, id=number, mid_to_track_id=mids):
                    answer = await self.subscriber.apply_offer(sdp)
                    self._route(mids, single=False)
                    self.room.send_answer(answer, offer_id=number)
                case TrickleReceived(candidate_init=init, target=target):
                    own = target is msg.SignalTarget.PUBLISHER or self.single
                    peer = self.publisher if own else self.subscriber
                    await peer.add_candidate(json.loads(init)["candidate"])
                case TrackPublished():
                    pass
                case _:
                    pass

    def _route(self, mids: Mapping[str, str], *, single: bool) -> None:
        if single == self.single:
            self.sids = dict(mids)

    async def _offer_again(self) -> None:
        if self._wanted and not self._outstanding:
            audios = sum(each[0] for each in self._wanted)
            videos = sum(each[1] for each in self._wanted)
            self._wanted.clear()
            await self._offer(audios, videos)

    async def _offer(self, audios: int, videos: int) -> None:
        self._outstanding = next(self.ids)
        self._answered.clear()
        sdp = await self.publisher.make_offer(audio_sections=audios, video_sections=videos)
        self.room.send_offer(sdp, offer_id=self._outstanding)

    async def negotiate(self, audios: int = 0, videos: int = 0) -> None:
        """Offer, and wait until an answer is applied."""
        self._wanted.append((audios, videos))
        self._answered.clear()
        await self._offer_again()
        await asyncio.wait_for(self._answered.wait(), 10.0)

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
        outbound = self.publisher.publish(
            source.kind,
            cid=cid,
            stream=self.room.joined.participant.sid,
            source=source,
            listener=self.heard["publisher"],
            max_bitrate=max_bitrate,
        )
        await self.negotiate()
        return info.sid, outbound

    async def section(self, sid: str) -> Inbound:
        """The section that receives a track, once there is one."""

        def found() -> Inbound | None:
            mids = [mid for mid, each in self.sids.items() if each == sid]
            return self.subscriber.inbound.get(mids[0]) if mids else None

        await until(lambda: found() is not None)
        inbound = found()
        assert inbound is not None
        return inbound

    async def close(self) -> None:
        await self.publisher.close()
        if not self.single:
            await self.subscriber.close()


def participant(
    server: LiveKitServer, identity: str, room: str, path: PathVersion
) -> AbstractAsyncContextManager[ByHand]:
    """A participant for the length of a block."""
    token = server.token(identity, room)
    return _participant(server.url, token, path)


@asynccontextmanager
async def _participant(url: str, token: str, path: PathVersion) -> AsyncIterator[ByHand]:
    async with kitwire_asyncio.connect(url, token=token, path=path) as room:
        hand = ByHand(room)
        handling = asyncio.create_task(hand.handle())
        try:
            if hand.single:
                await hand.negotiate(1, 1)
            yield hand
        finally:
            await hand.close()
            handling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await handling
