"""Files as sources, and streams into files: each is the other's witness, and FFmpeg both's."""

from __future__ import annotations

import asyncio
import contextlib
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from kitwire_aiortc.counter import read_counter
from kitwire_aiortc.files import FileTrack, open_file
from kitwire_aiortc.frames import AudioStream, VideoStream
from kitwire_aiortc.recording import Progress, RecordingFailed, record
from kitwire_aiortc.sources import TestPattern
from tests.media.loopback import frequency, run, until


def sound(seconds: float, *, begin: float = 0.0, pitch: float = 440.0) -> list[av.AudioFrame]:
    frames = []
    for number in range(round(seconds * 50)):
        at = np.arange(number * 960, number * 960 + 960) / 48_000
        wave = np.round(np.sin(2 * np.pi * pitch * at) * 12_000).astype(np.int16)
        stereo = np.repeat(wave, 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(stereo, format="s16", layout="stereo")
        frame.sample_rate = 48_000
        frame.pts, frame.time_base = round(begin * 48_000) + number * 960, Fraction(1, 48_000)
        frames.append(frame)
    return frames


def film(count: int, *, size: tuple[int, int] = (320, 180), begin: int = 0) -> list[av.VideoFrame]:
    async def main() -> TestPattern:
        return TestPattern(width=size[0], height=size[1])

    pattern = asyncio.run(main())
    frames = []
    for number in range(begin, begin + count):
        frame = av.VideoFrame.from_ndarray(pattern.picture(number), format="yuv420p")
        frame.pts, frame.time_base = 90_000 + number * 3_600, Fraction(1, 90_000)
        frames.append(frame)
    return frames


def audio_file(path: Path, *parts: list[av.AudioFrame], rate: int = 48_000) -> Progress:
    async def main() -> Progress:
        stream = AudioStream(sample_rate=rate, capacity=10_000)
        for frame in [each for part in parts for each in part]:
            stream.feed(frame)
        stream.end()
        return await record(stream, path)

    return run(main())


def video_file(path: Path, *parts: list[av.VideoFrame]) -> Progress:
    async def main() -> Progress:
        stream = VideoStream(capacity=10_000)
        for frame in [each for part in parts for each in part]:
            stream.feed(frame)
        stream.end()
        return await record(stream, path)

    return run(main())


async def played(track: FileTrack, limit: int = 10_000) -> list[av.AudioFrame | av.VideoFrame]:
    frames: list[av.AudioFrame | av.VideoFrame] = []
    with contextlib.suppress(MediaStreamError):
        while len(frames) < limit:
            frames.append(await track.recv())
    return frames


def decoded_audio(path: Path) -> av.AudioFrame:
    """All of it as one mono frame, read with FFmpeg alone."""
    resampler = av.AudioResampler("s16", "mono", 48_000)
    with av.open(str(path)) as container:
        parts = [
            piece.to_ndarray()
            for frame in container.decode(container.streams.audio[0])
            for piece in resampler.resample(frame)
        ]
    samples = np.concatenate(parts, axis=1).astype(np.int16)
    whole = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    whole.sample_rate = 48_000
    return whole


@pytest.mark.parametrize("suffix", ["ogg", "wav", "mp3", "mp4", "mkv", "webm", "flac"])
def test_audio_is_written_and_played_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sound.{suffix}"
    progress = audio_file(path, sound(1.0, begin=7.0))
    assert progress.frames == 50
    assert progress.duration == pytest.approx(1.0)
    assert progress.octets > 1000
    assert frequency([decoded_audio(path)]) == pytest.approx(440, abs=2)

    async def main() -> list[av.AudioFrame]:
        track = FileTrack(path, "audio")
        begun = time.monotonic()
        frames = await played(track)
        assert 0.9 < time.monotonic() - begun < 1.5
        return [each for each in frames if isinstance(each, av.AudioFrame)]

    frames = run(main())
    assert sum(each.samples for each in frames) == pytest.approx(48_000, rel=0.02)
    assert {each.samples for each in frames[:-1]} == {960}
    assert [each.pts for each in frames] == list(range(0, len(frames) * 960, 960))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_video_is_written_and_played_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    progress = video_file(path, film(25))
    assert progress.frames == 25
    assert progress.duration == pytest.approx(0.96)

    async def main() -> None:
        begun = time.monotonic()
        frames = await played(FileTrack(path, "video"))
        assert 0.85 < time.monotonic() - begun < 1.6
        times = [each.time for each in frames]
        assert times == pytest.approx([number / 25 for number in range(25)], abs=0.002)
        numbers = [read_counter(each) for each in frames if isinstance(each, av.VideoFrame)]
        assert numbers == list(range(25))

    run(main())


def test_a_hole_in_the_audio_becomes_silence(tmp_path: Path) -> None:
    path = tmp_path / "hole.wav"
    progress = audio_file(path, sound(0.4), sound(0.4, begin=1.0))
    assert progress.duration == pytest.approx(1.4)
    samples = decoded_audio(path).to_ndarray()[0]
    assert len(samples) == 1.4 * 48_000
    loud = np.abs(samples.reshape(-1, 960)).max(axis=1) > 1000
    assert loud.tolist() == [True] * 20 + [False] * 30 + [True] * 20


def test_a_hole_of_minutes_is_cut_out(tmp_path: Path) -> None:
    progress = audio_file(tmp_path / "hole.wav", sound(0.2), sound(0.2, begin=500.0))
    assert progress.duration == pytest.approx(0.4)


def test_audio_without_times_is_continuous(tmp_path: Path) -> None:
    frames = sound(0.2)
    for frame in frames:
        frame.pts = None
    assert audio_file(tmp_path / "x.wav", frames).duration == pytest.approx(0.2, abs=0.02)


def test_audio_at_another_rate(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    assert audio_file(path, sound(1.0), rate=16_000).duration == pytest.approx(1.0, abs=0.01)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 16_000


def test_video_that_changes_its_size_keeps_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mkv"
    video_file(path, film(5), film(5, size=(640, 360), begin=5))
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.video[0]))
    assert {(each.width, each.height) for each in frames} == {(320, 180)}
    assert [read_counter(each) for each in frames] == list(range(10))


def test_video_of_odd_size_and_with_times_that_stand(tmp_path: Path) -> None:
    frames = [each.reformat(width=321, height=181) for each in film(3)]
    for frame in frames:
        frame.pts = None
    path = tmp_path / "x.mp4"
    video_file(path, frames)
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        assert (stream.width, stream.height) == (320, 180)
        assert len(list(container.decode(stream))) == 3


def test_a_cancelled_recording_is_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.ogg"

    async def main() -> None:
        stream, progress = AudioStream(capacity=100), Progress()
        for frame in sound(0.5):
            stream.feed(frame)
        task = asyncio.ensure_future(record(stream, path, progress=progress))
        await until(lambda: progress.frames >= 25)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert decoded_audio(path).samples == pytest.approx(24_000, rel=0.05)


def test_nothing_to_write_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    assert audio_file(path, []) == Progress()
    assert not path.exists()


def test_cancelled_while_a_thread_works(tmp_path: Path) -> None:
    async def main() -> None:
        for _ in range(20):
            stream = VideoStream(capacity=100)
            for frame in frames:
                stream.feed(frame)
            task = asyncio.ensure_future(record(stream, tmp_path / "x.webm"))
            await asyncio.sleep(0.001 * _)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    frames = film(5)
    run(main())


@pytest.mark.parametrize(
    ("name", "stream", "words"),
    [
        ("x.ogg", VideoStream, "video goes into"),
        ("none/x.ogg", AudioStream, "No such file"),
        ("x.what", AudioStream, "x.what"),
        ("x.png", AudioStream, "x.png"),
    ],
)
def test_files_that_cannot_be_made(
    tmp_path: Path, name: str, stream: type[AudioStream | VideoStream], words: str
) -> None:
    with pytest.raises(RecordingFailed, match=words):
        run(record(stream(), tmp_path / name))


def test_a_loop_goes_on_without_a_seam(tmp_path: Path) -> None:
    path = tmp_path / "x.mkv"
    video_file(path, film(5))
    audio_file(tmp_path / "x.wav", sound(0.1))

    async def main() -> None:
        video = FileTrack(path, "video", loop=True)
        times = [each.time for each in await played(video, 12)]
        assert times == pytest.approx([number / 25 for number in range(12)], abs=0.002)
        video.stop()
        audio = FileTrack(tmp_path / "x.wav", "audio", loop=True)
        pieces = await played(audio, 12)
        assert [each.pts for each in pieces] == list(range(0, 12 * 960, 960))
        audio.stop()

    run(main())


def test_both_tracks_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "both.mkv"
    with av.open(str(path), "w") as container:
        sounds = container.add_stream("libopus", rate=48_000)
        pictures = container.add_stream("libx264", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 320, 180, "yuv420p"
        for frame in film(5):
            frame.pts = None
            container.mux(pictures.encode(frame))
        for piece in sound(0.2):
            container.mux(sounds.encode(piece))
        container.mux(pictures.encode(None))
        container.mux(sounds.encode(None))

    async def main() -> None:
        file = open_file(path)
        assert [each.kind for each in file.tracks] == ["audio", "video"]
        assert file.audio is not None
        assert file.video is not None
        heard, seen = await asyncio.gather(played(file.audio), played(file.video))
        assert len(heard) >= 9
        assert len(seen) == 5
        file.close()

    run(main())


def test_a_file_that_nobody_reads_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    audio_file(path, sound(1.0))

    async def main() -> None:
        track = FileTrack(path, "audio")
        first = await track.recv()
        await asyncio.sleep(0.5)
        second = await track.recv()
        assert (first.pts, second.pts) == (0, 960)
        begun = time.monotonic()
        await played(track, 5)
        assert time.monotonic() - begun > 0.07  # no burst to catch up
        track.stop()
        with pytest.raises(MediaStreamError):
            await track.recv()

    run(main())


def test_stopped_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    audio_file(path, sound(1.0))

    async def main() -> None:
        for _ in range(20):
            track = FileTrack(path, "audio")
            task = asyncio.ensure_future(track.recv())
            await asyncio.sleep(0)
            task.cancel()
            track.stop()
            await asyncio.wait({task})
        kept = FileTrack(path, "audio")
        reading = asyncio.ensure_future(kept.recv())
        await asyncio.sleep(0)
        kept.stop()
        with pytest.raises(MediaStreamError):
            await reading

    run(main())


def test_cancelled_no_frame_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    audio_file(path, sound(0.5))

    async def main() -> None:
        track = FileTrack(path, "audio")
        task = asyncio.ensure_future(track.recv())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert (await track.recv()).pts == 0
        track.stop()

    run(main())


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    audio_file(tmp_path / "x.wav", sound(0.1))
    (tmp_path / "garbage.mp4").write_bytes(b"no film" * 100)
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")

    async def main() -> None:
        with pytest.raises(OSError, match="No such file"):
            open_file(tmp_path / "none.mp4")
        with pytest.raises(ValueError, match="Invalid data"):
            open_file(tmp_path / "garbage.mp4")
        with pytest.raises(ValueError, match="neither audio nor video"):
            open_file(tmp_path / "words.srt")
        with pytest.raises(ValueError, match="has no video"):
            FileTrack(tmp_path / "x.wav", "video")

    run(main())
