"""The pure negotiation and the view over real peer connections and the real server.

What a session will do with a `Negotiation` is done here by some lines of forwarding.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import pytest
from aiortc.mediastreams import MediaStreamTrack

import kitwire_asyncio
from kitwire import (
    AnswerReceived,
    Event,
    MediaSectionsRequired,
    OfferReceived,
    PathVersion,
    ProtocolViolated,
    Room,
    TrickleReceived,
)
from kitwire import messages as msg
from kitwire.commands import ClosePeers, OpenPeers, PeersId, PeerState, PeerTarget, Topology
from kitwire.config import PeerCapabilities
from kitwire.negotiation import (
    Negotiated,
    Negotiation,
    NegotiationFailed,
    PeersConnected,
    SendAnswer,
    SendOffer,
    SendTrickle,
)
from kitwire.view import SubscriptionState, View, ViewChange
from kitwire_aiortc.frames import AudioStream
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.outbound import Outbound
from kitwire_aiortc.peers import Peers
from kitwire_aiortc.sources import Tone
from tests.interop.livekit_server import LiveKitServer
from tests.media.loopback import LOOPBACK, Recorder, frequency, read_audio, run, until

pytestmark = pytest.mark.livekit

PATHS = [PathVersion.V1, PathVersion.V0]


class Wired:
    """A room, a negotiation, a view and peer connections, each doing what the others ask."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.view = View()
        self.changes: list[ViewChange] = []
        self.heard = Recorder()
        self.failed: list[NegotiationFailed | ProtocolViolated] = []
        self.tracks: set[str] = set()
        self.connected = asyncio.Event()
        self.offers = 0
        self.negotiated = 0
        self.peers: Peers | None = None
        single = room.joined.path == "/rtc/v1"
        self.negotiation = Negotiation(
            Topology.SINGLE if single else Topology.DUAL,
            peers=PeersId(1),
            capabilities=PeerCapabilities(hold_while_connecting=True),
        )
        self._cids = count(1)
        self._looked = asyncio.Event()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def begin(self) -> None:
        joined = self.room.joined
        self.view.apply(joined)
        self.negotiation.joined(
            ice_servers=joined.ice_servers,
            subscriber_primary=joined.subscriber_primary,
            fast_publish=joined.fast_publish,
            now=self.now(),
        )
        self.drain()

    def drain(self) -> None:
        self._looked.set()
        while (output := self.negotiation.poll()) is not None:
            match output:
                case OpenPeers():
                    self.peers = Peers(output, self, gathering=LOOPBACK)
                case SendOffer(sdp=sdp, offer_id=offer_id):
                    self.offers += 1
                    self.room.send_offer(sdp, offer_id=offer_id)
                case SendAnswer(sdp=sdp, offer_id=offer_id):
                    self.room.send_answer(sdp, offer_id=offer_id)
                case PeersConnected():
                    self.connected.set()
                case Negotiated(target=PeerTarget.PUBLISHER, offer_id=offer_id):
                    self.negotiated = offer_id
                case NegotiationFailed() | ProtocolViolated():
                    self.failed.append(output)
                case Negotiated() | SendTrickle() | ClosePeers():
                    pass
                case command:
                    assert self.peers is not None
                    self.peers.execute(command)

    # --- the owner's reports ---

    def offer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        self.negotiation.offer_made(target, offer_id, sdp, now=self.now())
        self.drain()

    def answer_applied(self, target: PeerTarget, offer_id: int) -> None:
        self.negotiation.answer_applied(target, offer_id, now=self.now())
        self.drain()

    def answer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        self.negotiation.answer_made(target, offer_id, sdp, now=self.now())
        self.drain()

    def peer_state_changed(self, target: PeerTarget, state: PeerState) -> None:
        self.negotiation.peer_state_changed(target, state, now=self.now())
        self.drain()

    def datagram_received(self, target: PeerTarget) -> None:
        raise NotImplementedError

    def peer_failed(self, target: PeerTarget, detail: str) -> None:
        self.negotiation.peer_failed(target, detail, now=self.now())
        self.drain()

    def track_opened(self, sid: str, inbound: Inbound) -> None:
        self.tracks.add(sid)

    def track_closed(self, sid: str, inbound: Inbound) -> None:
        self.tracks.discard(sid)

    def channel_opened(self, target: PeerTarget, label: str, channel_id: int) -> None: ...

    def channel_closed(self, target: PeerTarget, label: str) -> None: ...

    def data_received(self, target: PeerTarget, label: str, data: bytes) -> None: ...

    # --- the server ---

    async def handle(self) -> None:
        async for event in self.room:
            self.changes += self.view.apply(event)
            self.forward(event)
            self.drain()

    def forward(self, event: Event) -> None:
        now = self.now()
        match event:
            case OfferReceived(sdp=sdp, id=number, mid_to_track_id=mids):
                self.negotiation.server_offer(sdp, offer_id=number, mid_to_track_id=mids, now=now)
            case AnswerReceived(sdp=sdp, id=number, mid_to_track_id=mids):
                self.negotiation.server_answer(sdp, offer_id=number, mid_to_track_id=mids, now=now)
            case TrickleReceived(candidate_init=init, target=target, final=final):
                self.negotiation.server_candidate(init, target=target, final=final, now=now)
            case MediaSectionsRequired(num_audios=audios, num_videos=videos):
                self.negotiation.media_sections_required(audios, videos, now=now)
            case _:
                pass

    async def keep_time(self) -> None:
        while True:
            self._looked.clear()
            deadline = self.negotiation.deadline
            wait = None if deadline is None else max(0.0, deadline - self.now())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._looked.wait(), wait)
            self.negotiation.handle_timeout(now=self.now())
            self.drain()

    # --- what a test asks for ---

    async def publish(self, source: MediaStreamTrack) -> tuple[str, Outbound]:
        cid = f"cid{next(self._cids)}"
        info = await self.room.add_track(
            msg.AddTrackRequest(
                cid=cid, type=msg.TrackType.AUDIO, source=msg.TrackSource.MICROPHONE, name=cid
            )
        )
        assert self.peers is not None
        outbound = self.peers.publisher.publish(
            source.kind,
            cid=cid,
            stream=self.room.joined.participant.sid,
            source=source,
            listener=self.heard,
        )
        await self.negotiate()
        return info.sid, outbound

    async def negotiate(self) -> None:
        offer_id = self.negotiation.negotiate(now=self.now())
        self.drain()
        await until(lambda: self.negotiated >= offer_id)

    async def hears(self, sid: str, expected: float) -> None:
        assert self.peers is not None
        peers = self.peers
        await until(lambda: peers.tracks.get(sid) is not None)
        section = peers.tracks.get(sid)
        assert section is not None
        audio = AudioStream(sample_rate=16_000, channels=1)
        section.attach(audio)
        heard = await asyncio.wait_for(read_audio(audio, 1.0), 10.0)
        section.detach(audio)
        assert frequency(heard[10:]) == pytest.approx(expected, abs=3.0)


@asynccontextmanager
async def wired(
    server: LiveKitServer, identity: str, room_name: str, path: PathVersion
) -> AsyncIterator[Wired]:
    token = server.token(identity, room_name)
    async with kitwire_asyncio.connect(server.url, token=token, path=path) as room:
        one = Wired(room)
        one.begin()
        tasks = [asyncio.create_task(one.handle()), asyncio.create_task(one.keep_time())]
        try:
            await asyncio.wait_for(one.connected.wait(), 10.0)
            yield one
        finally:
            one.negotiation.close(now=one.now())
            one.drain()
            assert one.peers is not None
            await one.peers.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def subscribed(one: Wired, sid: str) -> Callable[[], bool]:
    def check() -> bool:
        publication = one.view.publication(sid)
        return publication is not None and publication.subscribed

    return check


@pytest.mark.parametrize("path", PATHS)
def test_two_hear_each_other_and_the_view_knows_it(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    async def main() -> None:
        async with (
            wired(livekit, "ann", room_name, path) as ann,
            wired(livekit, "ben", room_name, path) as ben,
        ):
            high, _ = await ann.publish(Tone(880.0))
            low, _ = await ben.publish(Tone(440.0))
            await asyncio.gather(ben.hears(high, 880.0), ann.hears(low, 440.0))
            await until(subscribed(ben, high))
            await until(subscribed(ann, low))
            (them,) = ben.view.participants.values()
            assert (them.identity, list(them.publications)) == ("ann", [high])
            assert ann.view.own is not None
            assert ann.view.own.publications[high].cid == "cid1"
            assert ann.failed == ben.failed == []
        assert ann.negotiation.closed

    run(main())


@pytest.mark.parametrize("path", PATHS)
def test_tracks_from_before_the_join_and_several_at_once(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    """On v0 the second offer comes while the transport connects; on v1, sections are asked for."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            ann = await stack.enter_async_context(wired(livekit, "ann", room_name, path))
            first, _ = await ann.publish(Tone(500.0))
            ben = await stack.enter_async_context(wired(livekit, "ben", room_name, path))
            published = await asyncio.gather(
                *(ann.publish(Tone(500.0 + 100.0 * number)) for number in range(1, 5))
            )
            sids = [first, *(sid for sid, _ in published)]
            tones = [500.0 + 100.0 * number for number in range(5)]
            await asyncio.gather(*(ben.hears(*pair) for pair in zip(sids, tones, strict=True)))
            for sid in sids:
                await until(subscribed(ben, sid))
            # Coalesced: five tracks need far fewer exchanges than one each and one for each need.
            assert ann.offers <= 4
            assert ann.failed == ben.failed == []

    run(main())


@pytest.mark.parametrize("path", PATHS)
def test_unpublished_tracks_go_from_the_view_and_muted_ones_say_so(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    async def main() -> None:
        async with (
            wired(livekit, "ann", room_name, path) as ann,
            wired(livekit, "ben", room_name, path) as ben,
        ):
            sid, outbound = await ann.publish(Tone(440.0))
            await until(subscribed(ben, sid))
            await ann.room.mute_track(sid, muted=True)

            def muted() -> bool:
                publication = ben.view.publication(sid)
                return publication is not None and publication.muted

            await until(muted)
            outbound.unpublish()
            await ann.negotiate()
            await until(lambda: ben.view.publication(sid) is None)
            await until(lambda: ann.view.publication(sid) is None)
            assert "PublicationMuted" in [type(each).__name__ for each in ben.changes]

    run(main())


@pytest.mark.livekit_versions
def test_older_servers_say_what_they_send_too(
    livekit_version: LiveKitServer, room_name: str
) -> None:
    """Version 1.8.4 knows two peer connections only."""

    async def main() -> None:
        path = PathVersion.AUTO
        async with (
            wired(livekit_version, "ann", room_name, path) as ann,
            wired(livekit_version, "ben", room_name, path) as ben,
        ):
            sid, _ = await ann.publish(Tone(440.0))
            await ben.hears(sid, 440.0)
            await until(subscribed(ben, sid))
            publication = ben.view.publication(sid)
            assert publication is not None
            assert publication.subscription is SubscriptionState.SUBSCRIBED

    run(main())
