"""The layer below the core against the real server: what one publishes, the others receive."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import av
import pytest

from kitwire import PathVersion
from kitwire import messages as msg
from kitwire.commands import PeerState, PeerTarget
from kitwire_aiortc.counter import read_counter
from kitwire_aiortc.frames import AudioStream, VideoStream
from kitwire_aiortc.inbound import Frame
from kitwire_aiortc.sinks import level
from kitwire_aiortc.sources import TestPattern, Tone
from tests.interop.livekit_server import LiveKitServer
from tests.media.by_hand import ByHand, participant
from tests.media.loopback import frequency, read_audio, run, take, until

pytestmark = [pytest.mark.livekit, pytest.mark.slow]

PATHS = [PathVersion.V1, PathVersion.V0]


class Loudness:
    """A reader that counts the frames in which something is heard."""

    def __init__(self) -> None:
        self.loud = 0

    def feed(self, frame: Frame) -> None:
        assert isinstance(frame, av.AudioFrame)
        self.loud += level(frame) > -60


def gone(listener: ByHand, sid: str) -> bool:
    return sid not in listener.tracks


async def hears(listener: ByHand, sid: str, expected: float) -> None:
    """Read a little of a track, and check its tone."""
    audio = AudioStream(sample_rate=16_000, channels=1)
    section = await listener.section(sid)
    section.attach(audio)
    heard = await asyncio.wait_for(read_audio(audio, 1.0), 10.0)
    section.detach(audio)
    assert frequency(heard[10:]) == pytest.approx(expected, abs=3.0)


@pytest.mark.parametrize("path", PATHS)
def test_tone_and_pattern_arrive(livekit: LiveKitServer, room_name: str, path: PathVersion) -> None:
    async def main() -> None:
        async with (
            participant(livekit, "ann", room_name, path) as ann,
            participant(livekit, "ben", room_name, path) as ben,
        ):
            tone, _ = await ann.publish(Tone(660.0))
            pattern, _ = await ann.publish(TestPattern(), max_bitrate=500_000)
            video = VideoStream()
            (await ben.section(pattern)).attach(video)
            await hears(ben, tone, 660.0)
            numbers = [read_counter(frame) for frame in await take(video, 25)]
            assert None not in numbers
            assert numbers == sorted({each for each in numbers if each is not None})
            assert ann.failures == ben.failures == []
            assert (PeerTarget.PUBLISHER, PeerState.CONNECTED) in ann.states

    run(main())


@pytest.mark.parametrize("path", PATHS)
def test_tracks_from_before_the_join_arrive(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    """On v0 the server's second offer comes while the transport connects."""

    async def main() -> None:
        async with participant(livekit, "ann", room_name, path) as ann:
            tone, _ = await ann.publish(Tone(500.0))
            pattern, _ = await ann.publish(TestPattern(width=320, height=180))
            for number in range(5):
                async with participant(livekit, f"ben{number}", room_name, path) as ben:
                    video = VideoStream()
                    (await ben.section(pattern)).attach(video)
                    await hears(ben, tone, 500.0)
                    (frame,) = await asyncio.wait_for(take(video, 1), 5.0)
                    assert read_counter(frame) is not None

    run(main())


@pytest.mark.parametrize("path", PATHS)
def test_three_publishers_that_come_later_are_all_heard(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    async def main() -> None:
        async with (
            participant(livekit, "ben", room_name, path) as ben,
            AsyncExitStack() as stack,
        ):
            tones = {}
            for number in range(3):
                other = participant(livekit, f"ann{number}", room_name, path)
                pitch = 400.0 + 200 * number
                ann = await stack.enter_async_context(other)
                tones[(await ann.publish(Tone(pitch)))[0]] = pitch
            await asyncio.gather(*(hears(ben, sid, pitch) for sid, pitch in tones.items()))

    run(main())


@pytest.mark.parametrize("path", PATHS)
def test_leaving_and_returning_tracks_reuse_their_sections(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    """Each time with another source, so another SSRC at the receiver."""

    async def main() -> None:
        async with (
            participant(livekit, "ann", room_name, path) as ann,
            participant(livekit, "ben", room_name, path) as ben,
        ):
            for number in range(4):
                pitch = 400.0 + 100 * number
                sid, outbound = await ann.publish(Tone(pitch))
                await hears(ben, sid, pitch)
                await ann.unpublish(outbound)
                await until(partial(gone, ben, sid))
            sent = [each.mid for each in ann.peers.publisher.remote_sections]
            received = [each.mid for each in ben.peers.subscriber.remote_sections]
            assert len(sent) <= 4, sent
            assert len(received) <= 4, received

    run(main())


@pytest.mark.parametrize("path", PATHS)
def test_mute_stops_and_unmute_continues(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    async def main() -> None:
        async with (
            participant(livekit, "ann", room_name, path) as ann,
            participant(livekit, "ben", room_name, path) as ben,
        ):
            sid, outbound = await ann.publish(Tone())
            heard = Loudness()
            (await ben.section(sid)).attach(heard)
            await until(lambda: heard.loud > 10)
            await ann.room.mute_track(sid, True)
            outbound.mute(True)
            await asyncio.sleep(0.3)
            before = heard.loud
            await asyncio.sleep(0.5)
            # The server itself sends some silence then.
            assert heard.loud == before
            await ann.room.mute_track(sid, False)
            outbound.mute(False)
            await until(lambda: heard.loud > before + 10)

    run(main())


@pytest.mark.parametrize("path", PATHS)
def test_data_arrives_whole_and_in_order(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    def packed(number: int, size: int) -> bytes:
        payload = number.to_bytes(4) + bytes(size)
        packet = msg.DataPacket(
            kind=msg.DataPacketKind.RELIABLE, user=msg.UserPacket(payload=payload)
        )
        return bytes(packet)

    def number_in(data: bytes) -> int:
        packet = msg.DataPacket.parse(data)
        assert packet.user is not None
        return int.from_bytes(packet.user.payload[:4])

    async def main() -> None:
        async with (
            participant(livekit, "ann", room_name, path) as ann,
            participant(livekit, "ben", room_name, path) as ben,
        ):
            if not ann.single:
                await ann.negotiate()
                await ben.negotiate()
            # To a participant whose channel is not open yet, the server sends nothing.
            receiving = PeerTarget.PUBLISHER if ben.single else PeerTarget.SUBSCRIBER
            await until(lambda: (receiving, "_reliable") in ben.opened)
            for number in range(300):
                size = 63_000 if number % 100 == 0 else 1000
                await ann.peers.publisher.channels.send("_reliable", packed(number, size))
            await ann.peers.publisher.channels.drain()
            await until(lambda: len(ben.data) == 300)
            assert [number_in(data) for _, data in ben.data] == list(range(300))
            assert {label for label, _ in ben.data} == {"_reliable"}

    run(main())


def test_a_server_that_vanishes_is_noticed(livekit: LiveKitServer, room_name: str) -> None:
    """The server closes the transport of a participant whom it removes."""

    async def main() -> None:
        async with participant(livekit, "ann", room_name, PathVersion.V1) as ann:
            await until(lambda: (PeerTarget.PUBLISHER, PeerState.CONNECTED) in ann.states)
            await asyncio.to_thread(livekit.remove_participant, room_name, "ann")
            await until(lambda: (PeerTarget.PUBLISHER, PeerState.CLOSED) in ann.states)

    run(main())
