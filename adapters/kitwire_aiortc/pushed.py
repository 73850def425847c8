"""Sources that the application fills: bounded, so that who pushes too fast has to wait.

They are filled in the application's event loop, and emptied in aiortc's.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from fractions import Fraction
from typing import Final, TypeVar

import av
import numpy as np
import numpy.typing as npt
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from kitwire_aiortc.loops import Signal, sleep

__all__ = ["PushedAudio", "PushedVideo"]

RATE: Final = 48_000
SAMPLES: Final = 960
PERIOD: Final = SAMPLES / RATE
LAYOUTS: Final = {1: "mono", 2: "stereo"}

F = TypeVar("F", av.AudioFrame, av.VideoFrame)


class _Queue(MediaStreamTrack):
    """What both kinds share: frames that wait, tasks that wait for room or for frames, an end."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity
        self._ending = False
        self._changed = Signal()

    def stop(self) -> None:
        """End at once: what waits is dropped, and who waits is told."""
        super().stop()
        self._ending = True
        self._drop()
        self._tell()

    def end(self) -> None:
        """End after what was pushed: then the track is unpublished."""
        self._ending = True
        self._tell()

    def clear(self) -> None:
        """Drop what was pushed and not sent yet."""
        self._drop()
        self._tell()

    @property
    def _count(self) -> int:
        raise NotImplementedError

    def _drop(self) -> None:
        raise NotImplementedError

    def _require_open(self) -> None:
        if self._ending:
            raise ValueError("this source has ended")

    async def _room(self) -> None:
        """Wait until a frame has room."""
        await self._changed.until(lambda: self._count < self._capacity)
        self._require_open()

    def _tell(self) -> None:
        self._changed.set()

    async def _filled(self) -> None:
        """Wait until there is a frame.

        Raises:
            MediaStreamError: when there will be none.
        """
        while not self._count:
            if self._ending:
                super().stop()
            if self.readyState != "live":
                raise MediaStreamError
            await self._changed.until(lambda: self._count > 0 or self._ending)


class PushedAudio(_Queue):
    """Audio that the application pushes; it is sent in real time, 20 ms after 20 ms.

    Frames may have any length, and any format, rate and layout that stay the same. When nothing
    was pushed nothing is sent; afterwards the time that passed shows in the timestamps.

    Args:
        max_buffered: seconds that may wait to be sent before :meth:`push` waits.

    Raises:
        ValueError: for a bound below 20 ms.
    """

    kind = "audio"

    def __init__(self, *, max_buffered: float = 1.0) -> None:
        if not max_buffered >= PERIOD:
            raise ValueError(f"max_buffered must be {PERIOD} s or more, not {max_buffered}")
        super().__init__(int(max_buffered / PERIOD))
        self._frames: deque[av.AudioFrame] = deque()
        self._resampler = _resampler()
        self._rest = 0
        self._generation = 0
        self._begun: float | None = None
        self._due = 0.0

    @property
    def buffered(self) -> float:
        """Seconds that wait to be sent."""
        return len(self._frames) * PERIOD

    async def push(self, frame: av.AudioFrame) -> None:
        """Add a frame; wait while there is no room for all of it.

        Cancelled while waiting, it may have added the beginning of the frame. :meth:`clear` drops
        the rest of it too.

        Raises:
            ValueError: after :meth:`end`, or for a frame of another format than those before.
        """
        self._require_open()
        pieces = self._resampler.resample(_without_time(frame))
        self._rest += frame.samples
        await self._add(pieces)

    async def push_samples(self, samples: npt.NDArray[np.int16], *, sample_rate: int) -> None:
        """Add samples: one dimension for mono, or samples × channels, of 16 bits.

        Raises:
            ValueError: like :meth:`push`, and for another shape.
        """
        by_channel = samples.reshape(-1, 1) if samples.ndim == 1 else samples
        if by_channel.ndim != 2 or by_channel.shape[1] not in LAYOUTS:
            raise ValueError(f"samples are (n,), (n, 1) or (n, 2), not {samples.shape}")
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(by_channel, np.int16).reshape(1, -1),
            format="s16",
            layout=LAYOUTS[by_channel.shape[1]],
        )
        frame.sample_rate = sample_rate
        await self.push(frame)

    async def wait_for_playout(self) -> None:
        """Wait until everything pushed was sent.

        A last piece shorter than 20 ms is filled up with silence.
        """
        if self._rest:
            self._rest = 0
            rest = self._resampler.resample(None)
            self._resampler = _resampler()
            await self._add([_padded(piece) for piece in rest])
        await self._changed.until(lambda: not self._frames)
        await sleep(self._due - time.monotonic())

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when they are due."""
        frame = None
        while frame is None:  # cleared meanwhile
            await self._filled()
            now = time.monotonic()
            if self._begun is None:
                self._begun = self._due = now
            if self._due > now:
                await asyncio.sleep(self._due - now)
            elif now - self._due > PERIOD:
                self._due = now
            frame = _taken(self._frames)
        assert self._begun is not None
        frame.pts, frame.time_base = round((self._due - self._begun) * RATE), Fraction(1, RATE)
        self._due += frame.samples / RATE
        self._tell()
        return frame

    @property
    def _count(self) -> int:
        return len(self._frames)

    def _drop(self) -> None:
        self._frames.clear()
        self._resampler = _resampler()
        self._rest = 0
        self._generation += 1

    async def _add(self, pieces: list[av.AudioFrame]) -> None:
        generation = self._generation
        for piece in pieces:
            await self._room()
            if self._generation != generation:
                break
            self._frames.append(piece)
            self._tell()


class PushedVideo(_Queue):
    """Video that the application pushes; each frame is sent as soon as it can be.

    Frames without a ``pts`` get the time at which they are sent.

    Args:
        capacity: frames that may wait to be sent before :meth:`push` waits.

    Raises:
        ValueError: for a capacity below 1.
    """

    kind = "video"

    def __init__(self, *, capacity: int = 2) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, not {capacity}")
        super().__init__(capacity)
        self._frames: deque[av.VideoFrame] = deque()

    async def push(self, frame: av.VideoFrame) -> None:
        """Add a frame; wait while there is no room.

        Raises:
            ValueError: after :meth:`end`.
        """
        await self._room()
        self._frames.append(frame)
        self._tell()

    async def push_pixels(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Add a picture: height × width × 3, red, green and blue.

        Raises:
            ValueError: like :meth:`push`, and for another shape.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"pixels are (height, width, 3), not {pixels.shape}")
        await self.push(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"))

    async def wait_for_playout(self) -> None:
        """Wait until everything pushed was taken for sending."""
        await self._changed.until(lambda: not self._frames)

    async def recv(self) -> av.VideoFrame:
        """The next frame."""
        frame = None
        while frame is None:  # cleared meanwhile
            await self._filled()
            frame = _taken(self._frames)
        self._tell()
        return frame

    @property
    def _count(self) -> int:
        return len(self._frames)

    def _drop(self) -> None:
        self._frames.clear()


def _taken(frames: deque[F]) -> F | None:
    """The first frame; None when another thread has just cleared them."""
    try:
        return frames.popleft()
    except IndexError:
        return None


def _resampler() -> av.AudioResampler:
    return av.AudioResampler("s16", "stereo", RATE, frame_size=SAMPLES)


def _padded(piece: av.AudioFrame) -> av.AudioFrame:
    """A piece of stereo of 20 ms, with silence at its end if it was shorter."""
    samples = piece.to_ndarray()
    missing = 2 * SAMPLES - samples.shape[1]
    if missing <= 0:
        return piece
    silent = np.pad(samples, ((0, 0), (0, missing))).astype(np.int16, copy=False)
    padded = av.AudioFrame.from_ndarray(silent, format="s16", layout="stereo")
    padded.sample_rate = RATE
    return padded


def _without_time(frame: av.AudioFrame) -> av.AudioFrame:
    """The frame, with no timestamp of its own: what is pushed is continuous."""
    if frame.pts is None:
        return frame
    copy = av.AudioFrame.from_ndarray(
        frame.to_ndarray(), format=frame.format.name, layout=frame.layout.name
    )
    copy.sample_rate = frame.sample_rate
    return copy
