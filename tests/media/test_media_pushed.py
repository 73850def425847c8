"""Sources that the application fills: bounds, order, clearing, playing out."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
import pytest
from aiortc.mediastreams import MediaStreamError

from kitwire_aiortc.pushed import PushedAudio, PushedVideo
from tests.media.loopback import run


def tone(seconds: float, *, rate: int = 48_000, channels: int = 1) -> npt.NDArray[np.int16]:
    phase = np.arange(round(seconds * rate)) * (2 * np.pi * 440 / rate)
    wave = np.round(np.sin(phase) * 10_000).astype(np.int16)
    return wave if channels == 1 else np.stack([wave] * channels, axis=1)


def picture(pts: int | None = None) -> av.VideoFrame:
    frame = av.VideoFrame(64, 64, "yuv420p")
    frame.pts = pts
    return frame


async def drained(source: PushedAudio, count: int) -> list[av.AudioFrame]:
    return [await source.recv() for _ in range(count)]


async def stuck(task: asyncio.Task[None]) -> bool:
    await asyncio.sleep(0.03)
    return not task.done()


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (16_000, 1), (44_100, 2)])
def test_audio_of_any_length_leaves_in_packets(rate: int, channels: int) -> None:
    async def main() -> None:
        source = PushedAudio()
        wave = tone(0.2, rate=rate, channels=channels)
        for part in np.array_split(wave, 7):
            await source.push_samples(part, sample_rate=rate)
        frames = await drained(source, 9)
        assert [each.samples for each in frames] == [960] * 9
        assert [each.pts for each in frames] == list(range(0, 9 * 960, 960))
        assert {each.layout.name for each in frames} == {"stereo"}

    run(main())


def test_audio_leaves_in_real_time() -> None:
    async def main() -> float:
        source = PushedAudio()
        await source.push_samples(tone(0.3), sample_rate=48_000)
        begun = time.monotonic()
        await drained(source, 15)
        return time.monotonic() - begun

    assert 0.27 < run(main()) < 0.45


def test_who_pushes_too_much_waits() -> None:
    async def main() -> None:
        source = PushedAudio(max_buffered=0.1)
        task = asyncio.ensure_future(source.push_samples(tone(0.2), sample_rate=48_000))
        assert await stuck(task)
        assert source.buffered == pytest.approx(0.1)
        await drained(source, 5)
        await asyncio.wait_for(task, 1.0)

    run(main())


def test_cleared_the_rest_of_a_push_is_dropped_too() -> None:
    async def main() -> None:
        source = PushedAudio(max_buffered=0.1)
        task = asyncio.ensure_future(source.push_samples(tone(10.0), sample_rate=48_000))
        assert await stuck(task)
        source.clear()
        await asyncio.wait_for(task, 1.0)
        assert source.buffered == 0
        await source.push_samples(tone(0.02), sample_rate=48_000)
        assert source.buffered == pytest.approx(0.02)

    run(main())


def test_cleared_while_a_frame_is_awaited() -> None:
    async def main() -> None:
        source = PushedAudio()
        await source.push_samples(tone(0.04), sample_rate=48_000)
        await source.recv()
        task = asyncio.ensure_future(source.recv())
        await asyncio.sleep(0.005)
        source.clear()
        await asyncio.sleep(0.05)
        assert not task.done()
        await source.push_samples(tone(0.02), sample_rate=48_000)
        frame = await asyncio.wait_for(task, 1.0)
        assert frame.pts is not None
        assert frame.pts >= 1920  # the time that passed shows

    run(main())


def test_playing_out_includes_the_last_piece() -> None:
    async def main() -> None:
        source = PushedAudio()
        await source.push_samples(tone(0.05), sample_rate=48_000)
        playing = asyncio.ensure_future(source.wait_for_playout())
        frames = await drained(source, 3)
        assert not playing.done()
        await asyncio.wait_for(playing, 1.0)
        assert [each.samples for each in frames] == [960] * 3
        assert not frames[2].to_ndarray()[0, 1000:].any()  # filled up with silence
        await asyncio.wait_for(source.wait_for_playout(), 1.0)  # nothing to wait for

    run(main())


def test_frames_may_have_times_that_do_not_matter() -> None:
    async def main() -> None:
        source = PushedAudio()
        for pts in (5000, 100):
            frame = av.AudioFrame.from_ndarray(
                tone(0.02).reshape(1, -1), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts, frame.time_base = 48_000, pts, Fraction(1, 48_000)
            await source.push(frame)
            assert frame.pts == pts
        assert [each.pts for each in await drained(source, 2)] == [0, 960]

    run(main())


def test_ended_after_what_was_pushed() -> None:
    async def main() -> None:
        source = PushedAudio()
        await source.push_samples(tone(0.04), sample_rate=48_000)
        source.end()
        await drained(source, 2)
        with pytest.raises(MediaStreamError):
            await source.recv()
        assert source.readyState == "ended"
        with pytest.raises(ValueError, match="has ended"):
            await source.push_samples(tone(0.02), sample_rate=48_000)

    run(main())


def test_stopped_at_once() -> None:
    async def main() -> None:
        source = PushedAudio(max_buffered=0.02)
        pushing = asyncio.ensure_future(source.push_samples(tone(1.0), sample_rate=48_000))
        assert await stuck(pushing)
        source.stop()
        with pytest.raises(ValueError, match="has ended"):
            await pushing
        with pytest.raises(MediaStreamError):
            await source.recv()

    run(main())


def test_who_waits_for_a_frame_hears_of_the_end() -> None:
    async def main() -> None:
        for source in (PushedAudio(), PushedVideo()):
            task: asyncio.Task[object] = asyncio.ensure_future(source.recv())
            await asyncio.sleep(0.01)
            source.end()
            with pytest.raises(MediaStreamError):
                await task

    run(main())


def test_audio_of_another_format_is_refused() -> None:
    async def main() -> None:
        source = PushedAudio()
        await source.push_samples(tone(0.02), sample_rate=48_000)
        with pytest.raises(ValueError, match="match"):
            await source.push_samples(tone(0.02), sample_rate=16_000)

    run(main())


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 2)])
def test_samples_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="samples are"):
            await PushedAudio().push_samples(np.zeros(shape, np.int16), sample_rate=48_000)

    run(main())


def test_video_leaves_in_order_and_bounded() -> None:
    async def main() -> None:
        source = PushedVideo(capacity=2)
        first, second, third = picture(), picture(), picture()
        await source.push(first)
        await source.push(second)
        task = asyncio.ensure_future(source.push(third))
        assert await stuck(task)
        playing = asyncio.ensure_future(source.wait_for_playout())
        assert await source.recv() is first
        await task
        assert await source.recv() is second
        assert await stuck(playing)
        assert await source.recv() is third
        await playing
        await source.push(first)
        source.clear()
        await asyncio.wait_for(source.wait_for_playout(), 1.0)

    run(main())


def test_pixels() -> None:
    async def main() -> None:
        source = PushedVideo()
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[:, :, 0] = 200
        await source.push_pixels(pixels)
        frame = await source.recv()
        assert np.array_equal(frame.to_ndarray(format="rgb24"), pixels)
        with pytest.raises(ValueError, match="pixels are"):
            await source.push_pixels(pixels[:, :, 0])

    run(main())


def test_bounds_that_cannot_be() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="max_buffered"):
            PushedAudio(max_buffered=0.01)
        with pytest.raises(ValueError, match="capacity"):
            PushedVideo(capacity=0)

    run(main())
