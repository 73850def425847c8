"""Streams and the sections that feed them, whichever comes, goes or moves first."""

from __future__ import annotations

import gc
from fractions import Fraction

import av
import numpy as np

from kitwire_aiortc.frames import AudioStream
from kitwire_aiortc.inbound import Reader
from kitwire_aiortc.readings import Readings
from tests.media.loopback import run


class Section:
    """Hands frames to its readers, as a receiving section does."""

    def __init__(self) -> None:
        self.readers: list[Reader] = []

    def attach(self, reader: Reader) -> None:
        self.readers.append(reader)

    def detach(self, reader: Reader) -> None:
        self.readers.remove(reader)

    def feed(self, number: int) -> None:
        samples = np.full((1, 960), number, np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 960, Fraction(1, 48_000)
        for reader in tuple(self.readers):
            reader.feed(frame)


def stream() -> AudioStream:
    return AudioStream(sample_rate=48_000, channels=1)


async def numbers(audio: AudioStream) -> list[int]:
    """What is left in a stream that has ended."""
    return [int(each.to_ndarray()[0, 0]) async for each in audio]


def test_streams_from_before_and_after_the_track_opens() -> None:
    async def main() -> None:
        readings, section = Readings(), Section()
        early, late, other = stream(), stream(), stream()
        readings.add("TR_a", early)
        readings.add("TR_b", other)
        readings.opened("TR_a", section)
        section.feed(1)
        readings.add("TR_a", late)
        section.feed(2)
        readings.end_all()
        assert await numbers(early) == [1, 2]
        assert await numbers(late) == [2]
        assert await numbers(other) == []
        assert section.readers == []

    run(main())


def test_a_stream_follows_its_track_to_another_section() -> None:
    async def main() -> None:
        readings, one, two = Readings(), Section(), Section()
        audio = stream()
        readings.add("TR_a", audio)
        readings.opened("TR_a", one)
        one.feed(1)
        readings.closed("TR_a", one)
        assert one.readers == []
        readings.opened("TR_a", two)
        two.feed(2)
        # A late word on the section before means nothing.
        readings.closed("TR_a", one)
        two.feed(3)
        # Without having been closed before, as after a restart.
        readings.opened("TR_a", one)
        assert two.readers == []
        one.feed(4)
        assert not audio.ended
        readings.end("TR_a")
        assert await numbers(audio) == [1, 2, 3, 4]

    run(main())


def test_the_end_of_a_track_ends_its_streams_alone() -> None:
    async def main() -> None:
        readings, one, two = Readings(), Section(), Section()
        gone, stays = stream(), stream()
        readings.opened("TR_a", one)
        readings.opened("TR_b", two)
        readings.add("TR_a", gone)
        readings.add("TR_b", stays)
        readings.end("TR_a")
        readings.end("TR_a")
        assert gone.ended
        assert not stays.ended
        two.feed(1)
        readings.end_all()
        assert await numbers(stays) == [1]

    run(main())


def test_who_ends_a_stream_or_lets_it_go_is_fed_no_more() -> None:
    async def main() -> None:
        readings, section = Readings(), Section()
        ended, dropped = stream(), stream()
        readings.opened("TR_a", section)
        readings.add("TR_a", ended)
        readings.add("TR_a", dropped)
        ended.end()
        del dropped
        gc.collect()
        assert len(section.readers) == 2
        section.feed(1)
        assert section.readers == []
        assert await numbers(ended) == []
        # And the track may still move, or end.
        readings.opened("TR_a", section)
        assert len(section.readers) == 0
        for _ in range(5):
            readings.add("TR_a", stream())
        assert len(readings._readings["TR_a"]) == 1  # those that nobody holds are forgotten
        readings.end("TR_a")

    run(main())
