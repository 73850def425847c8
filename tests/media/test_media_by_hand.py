"""The layer below the core against the real server: what one publishes, the other receives."""

from __future__ import annotations

import pytest

from kitwire import PathVersion
from kitwire_aiortc.counter import read_counter
from kitwire_aiortc.frames import AudioStream, VideoStream
from kitwire_aiortc.sources import TestPattern, Tone
from tests.interop.livekit_server import LiveKitServer
from tests.media.by_hand import participant
from tests.media.loopback import frequency, read_audio, read_video, run

pytestmark = pytest.mark.livekit

PATHS = [PathVersion.V1, PathVersion.V0]


@pytest.mark.parametrize("path", PATHS)
def test_tone_and_pattern_arrive(livekit: LiveKitServer, room_name: str, path: PathVersion) -> None:
    async def main() -> None:
        async with (
            participant(livekit, "ann", room_name, path) as ann,
            participant(livekit, "ben", room_name, path) as ben,
        ):
            tone, _ = await ann.publish(Tone(660.0))
            pattern, _ = await ann.publish(TestPattern(), max_bitrate=500_000)
            audio, video = AudioStream(sample_rate=16_000, channels=1), VideoStream()
            (await ben.section(tone)).attach(audio)
            (await ben.section(pattern)).attach(video)
            heard = await read_audio(audio, 2.0)
            assert frequency(heard[10:]) == pytest.approx(660.0, abs=2.0)
            numbers = [read_counter(frame) for frame in await read_video(video, 25)]
            assert None not in numbers
            assert numbers == sorted(set(numbers))  # type: ignore[type-var]  # no None, just shown

    run(main())
