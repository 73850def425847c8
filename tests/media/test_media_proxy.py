"""The proxy that aiortc holds: nothing that a source does ends it."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from kitwire_aiortc.proxy import ProxyTrack
from kitwire_aiortc.sources import Silence
from tests.media.loopback import Recorder, run, until


class Scripted(MediaStreamTrack):
    """Gives what it was told to, then waits for ever."""

    def __init__(self, *items: object, kind: str = "video") -> None:
        super().__init__()
        self.kind = kind
        self.items = list(items)
        self.asked = 0
        self.stopped = False

    async def recv(self) -> av.VideoFrame:
        self.asked += 1
        if not self.items:
            await asyncio.Event().wait()
        item = self.items.pop(0)
        if isinstance(item, BaseException):
            raise item
        return item  # type: ignore[return-value]  # some tests give what is not a frame

    def stop(self) -> None:
        self.stopped = True
        super().stop()


def frame(pts: int) -> av.VideoFrame:
    made = av.VideoFrame(32, 32, "yuv420p")
    made.pts, made.time_base = pts, Fraction(1, 90_000)
    return made


def proxy(source: MediaStreamTrack | None = None) -> tuple[ProxyTrack, Recorder]:
    made, heard = ProxyTrack("video"), Recorder()
    made.listener = heard
    made.set_source(source)
    return made, heard


async def waits(track: ProxyTrack) -> asyncio.Task[object]:
    task: asyncio.Task[object] = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0.01)
    assert not task.done()
    return task


def test_frames_pass() -> None:
    async def main() -> None:
        first = frame(7)
        track, _ = proxy(Scripted(first))
        assert await track.recv() is first
        task = await waits(track)
        task.cancel()
        await asyncio.wait({task})

    run(main())


@pytest.mark.parametrize("error", [MediaStreamError(), ValueError("broken"), StopAsyncIteration()])
def test_an_end_or_an_error_is_reported_and_the_next_source_plays(error: Exception) -> None:
    async def main() -> None:
        source = Scripted(error)
        track, heard = proxy(source)
        task = await waits(track)
        if isinstance(error, MediaStreamError):
            assert heard.ended == [source]
        else:
            assert heard.failed == [(source, error)]
        assert track.source is None
        track.set_source(Scripted(frame(0)))
        assert isinstance(await task, av.VideoFrame)
        assert track.readyState == "live"
        assert not source.stopped

    run(main())


def test_without_a_listener_an_end_is_silent() -> None:
    async def main() -> None:
        for error in (MediaStreamError(), ValueError()):
            track, _ = proxy(Scripted(error))
            track.listener = None
            task = await waits(track)
            task.cancel()
            await asyncio.wait({task})

    run(main())


def test_what_is_no_frame_is_an_error_of_the_source() -> None:
    async def main() -> None:
        source = Scripted("a string")
        track, heard = proxy(source)
        task = await waits(track)
        assert "cannot send str" in str(heard.failed[0][1])
        task.cancel()
        await asyncio.wait({task})

    run(main())


def test_a_source_that_cancels_itself_fails() -> None:
    async def main() -> None:
        source = Scripted(asyncio.CancelledError())
        track, heard = proxy(source)
        task = await waits(track)
        assert "cancelled itself" in str(heard.failed[0][1])
        task.cancel()
        await asyncio.wait({task})

    run(main())


def test_another_source_is_heard_at_once() -> None:
    async def main() -> None:
        silent = Scripted()
        track, heard = proxy(silent)
        task = await waits(track)
        track.set_source(Scripted(frame(3)))
        assert isinstance(await task, av.VideoFrame)
        assert not silent.stopped
        assert heard.failed == []
        assert heard.ended == []

    run(main())


def test_cancelled_by_its_reader_the_source_stays() -> None:
    async def main() -> None:
        source = Scripted()
        track, _ = proxy(source)
        task = await waits(track)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert track.source is source
        source.items.append(frame(0))
        assert isinstance(await track.recv(), av.VideoFrame)

    run(main())


def test_muted_the_source_is_read_and_nothing_passes() -> None:
    async def main() -> None:
        source = Scripted(*(frame(number) for number in range(5)))
        track, _ = proxy(source)
        track.muted = True
        task = await waits(track)
        assert source.asked == 6
        track.muted = False
        source_next = frame(90_000)
        track.set_source(Scripted(source_next))
        result = await task
        assert isinstance(result, av.VideoFrame)

    run(main())


def test_stopped_by_aiortc_the_source_is_let_go_and_not_stopped() -> None:
    async def main() -> None:
        source = Scripted(frame(0))
        track, _ = proxy(source)
        track.stop()
        assert track.source is None
        assert not source.stopped
        assert track.readyState == "live"

    run(main())


def test_audio_is_cut_to_packets() -> None:
    async def main() -> None:
        track = ProxyTrack("audio")
        track.set_source(Silence())
        first, second = await track.recv(), await track.recv()
        assert isinstance(first, av.AudioFrame)
        assert isinstance(second, av.AudioFrame)
        assert (first.samples, first.layout.name, second.pts) == (960, "stereo", 960)

    run(main())


def test_arguments_that_cannot_work() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="audio or video"):
            ProxyTrack("data")
        track = ProxyTrack("audio")
        with pytest.raises(ValueError, match="sends audio"):
            track.set_source(Scripted())
        with pytest.raises(ValueError, match="no frame rate"):
            track.limit_framerate(10.0)
        track.limit_framerate(None)
        with pytest.raises(ValueError, match="above zero"):
            ProxyTrack("video").limit_framerate(0.0)
        ProxyTrack("video").limit_framerate(5.0)

    run(main())


def test_ended_while_another_was_set_the_other_stays() -> None:
    """A source may replace itself from its listener's callback."""

    async def main() -> None:
        track, heard = proxy(Scripted(MediaStreamError()))

        class Next(Recorder):
            def source_ended(self, source: MediaStreamTrack) -> None:
                track.set_source(Scripted(frame(1)))

        track.listener = Next()
        assert isinstance(await track.recv(), av.VideoFrame)
        await until(lambda: True)
        assert heard.ended == []

    run(main())
