"""Streams of frames, and what is made of a frame."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from kitwire_aiortc.frames import AudioStream, FrameStream, VideoStream
from kitwire_aiortc.sinks import audio_arrays, level, pixels, samples, video_arrays, write_png
from tests.media.loopback import run


def audio(pts: int, value: int = 1000) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(
        np.full((1, 1920), value, np.int16), format="s16", layout="stereo"
    )
    frame.sample_rate = 48_000
    frame.pts, frame.time_base = pts, Fraction(1, 48_000)
    return frame


def video(number: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
    frame.pts, frame.time_base = number, Fraction(1, 25)
    return frame


async def rest(stream: FrameStream[av.VideoFrame]) -> list[int | None]:
    return [frame.pts async for frame in stream]


def test_frames_come_in_order_until_the_end() -> None:
    async def main() -> None:
        stream = VideoStream()
        for number in range(3):
            stream.feed(video(number))
        stream.end()
        assert stream.ended
        stream.feed(video(9))  # too late
        assert await rest(stream) == [0, 1, 2]
        assert await rest(stream) == []
        assert stream.dropped == 0

    run(main())


def test_the_oldest_is_dropped_and_counted() -> None:
    async def main() -> None:
        stream = VideoStream(capacity=3)
        for number in range(10):
            stream.feed(video(number))
        stream.end()
        assert await rest(stream) == [7, 8, 9]
        assert stream.dropped == 7

    run(main())


def test_who_waits_gets_the_next_and_hears_of_the_end() -> None:
    async def main() -> None:
        stream = VideoStream()
        task = asyncio.ensure_future(rest(stream))
        await asyncio.sleep(0.01)
        stream.feed(video(1))
        await asyncio.sleep(0.01)
        stream.end()
        assert await task == [1]

    run(main())


def test_cancelled_no_frame_is_lost() -> None:
    async def main() -> None:
        stream = VideoStream()
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.01)
        task.cancel()
        stream.feed(video(1))
        await asyncio.wait({task})
        stream.end()
        assert await rest(stream) == [1]

    run(main())


def test_frames_of_the_other_kind_are_not_taken() -> None:
    async def main() -> None:
        sound, film = AudioStream(), VideoStream()
        sound.feed(video(0))
        film.feed(audio(0))
        for stream in (sound, film):
            stream.end()
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    run(main())


@pytest.mark.parametrize(
    ("rate", "channels"), [(48_000, 2), (48_000, 1), (16_000, 1), (44_100, 2), (8_000, 1)]
)
def test_audio_has_the_rate_and_the_channels_asked_for(rate: int, channels: int) -> None:
    async def main() -> None:
        stream = AudioStream(sample_rate=rate, channels=channels, capacity=100)
        for number in range(100):
            stream.feed(audio(number * 960))
        stream.end()
        count, last = 0, -1.0
        async for frame in stream:
            assert frame.sample_rate == rate
            assert frame.format.name == "s16"
            assert frame.layout.nb_channels == channels
            assert frame.time is not None
            assert frame.time > last
            last = frame.time
            count += frame.samples
        assert count == pytest.approx(2 * rate, rel=0.01)

    run(main())


def test_a_hole_shows_in_the_times() -> None:
    async def main() -> None:
        stream = AudioStream(sample_rate=16_000, channels=1)
        for pts in (0, 960, 96_000, 96_960):
            stream.feed(audio(pts))
        stream.end()
        times = [frame.time async for frame in stream]
        assert times[0] == pytest.approx(0.0, abs=0.002)
        assert times[-1] == pytest.approx(2.02, abs=0.03)

    run(main())


def test_frames_as_arrays() -> None:
    async def main() -> None:
        sound, film = AudioStream(), VideoStream()
        sound.feed(audio(0, 7))
        film.feed(video(9))
        sound.end()
        film.end()
        (heard,) = [each async for each in audio_arrays(sound)]
        (seen,) = [each async for each in video_arrays(film)]
        assert np.array_equal(heard, np.full((960, 2), 7, np.int16))
        assert np.array_equal(seen, np.full((48, 64, 3), 9, np.uint8))
        assert (heard.dtype.name, seen.dtype.name) == ("int16", "uint8")

    run(main())


@pytest.mark.parametrize(
    ("value", "decibels"), [(0, -127.0), (32_767, 0.0), (16_384, -6.02), (3_277, -20.0), (1, -90.3)]
)
def test_levels(value: int, decibels: float) -> None:
    assert level(audio(0, value)) == pytest.approx(decibels, abs=0.05)


def test_the_channels_stand_side_by_side() -> None:
    frame = av.AudioFrame.from_ndarray(
        np.array([[1, 2, 3, 4]], np.int16), format="s16", layout="stereo"
    )
    assert samples(frame).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("form", ["rgb24", "yuv420p"])
def test_a_picture_is_saved(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.png"
    frame = video(120).reformat(format=form)
    write_png(frame, path)
    with av.open(str(path)) as container:
        (saved,) = container.decode(video=0)
    assert np.array_equal(pixels(saved), pixels(frame))


@pytest.mark.parametrize(
    "make",
    [
        lambda: AudioStream(sample_rate=7_999),
        lambda: AudioStream(sample_rate=192_001),
        lambda: AudioStream(channels=3),
        lambda: AudioStream(capacity=0),
        lambda: VideoStream(capacity=0),
    ],
)
def test_values_that_cannot_be(make: type[object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()
