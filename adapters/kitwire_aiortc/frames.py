"""Frames of a remote track, by async iteration.

Between a receiving section and its reader stands a bounded queue. When it is full the **oldest**
frame is dropped and counted: who reads too slowly hears and sees the present, with gaps, and
nothing else waits for them. They may be read in another thread than the section's.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, Generic, TypeVar

import av

from kitwire_aiortc.loops import Signal

__all__ = ["AudioStream", "FrameStream", "VideoStream"]

F = TypeVar("F", av.AudioFrame, av.VideoFrame)

AUDIO_CAPACITY: Final = 50
"""A second of audio, in packets of 20 ms."""

VIDEO_CAPACITY: Final = 8
"""Frames are large: 0.35 MB each at 640×360."""

LAYOUTS: Final = {1: "mono", 2: "stereo"}


class FrameStream(Generic[F]):
    """What :class:`AudioStream` and :class:`VideoStream` have in common.

    Attributes:
        dropped: how many frames were dropped because nobody took them in time.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, not {capacity}")
        self.dropped = 0
        self._capacity = capacity
        self._frames: deque[F] = deque()
        self._lock = threading.Lock()
        self._readable = Signal()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether no frame will come any more; some may still wait to be read."""
        return self._ended

    def end(self) -> None:
        """Let the iteration end after the frames that wait."""
        self._ended = True
        self._readable.set()

    def _hold(self, frame: F) -> None:
        if self._ended:
            return
        with self._lock:
            if len(self._frames) >= self._capacity:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(frame)
        self._readable.set()

    def __aiter__(self) -> AsyncIterator[F]:
        return self

    async def __anext__(self) -> F:
        await self._readable.until(lambda: bool(self._frames) or self._ended)
        with self._lock:
            if not self._frames:
                raise StopAsyncIteration
            return self._frames.popleft()


class AudioStream(FrameStream[av.AudioFrame]):
    """Audio at the rate and with the channels that the reader asks for.

    Frames are of 16-bit signed samples, packed (``s16``), as long as the packets were, 20 ms as a
    rule. Their ``pts`` rise in ticks of their ``time_base``; a step longer than the frame is a
    hole.

    Args:
        sample_rate: in Hz.
        channels: 1 or 2; the two channels of stereo are mixed for 1.
        capacity: how many packets may wait unread.

    Raises:
        ValueError: for values that cannot be.
    """

    def __init__(
        self, *, sample_rate: int = 48_000, channels: int = 2, capacity: int = AUDIO_CAPACITY
    ) -> None:
        super().__init__(capacity)
        if not 8_000 <= sample_rate <= 192_000:
            raise ValueError(f"sample_rate must be 8000 to 192000, not {sample_rate}")
        if channels not in LAYOUTS:
            raise ValueError(f"channels must be 1 or 2, not {channels}")
        self.sample_rate = sample_rate
        self.channels = channels
        self._resampler = av.AudioResampler("s16", LAYOUTS[channels], sample_rate)
        self._ready: deque[av.AudioFrame] = deque()

    def feed(self, frame: av.AudioFrame | av.VideoFrame) -> None:
        """Take a frame; the oldest is dropped when there is no room."""
        if isinstance(frame, av.AudioFrame):
            self._hold(frame)

    async def __anext__(self) -> av.AudioFrame:
        # Converted when read: what is dropped costs nothing.
        while not self._ready:
            self._ready.extend(self._resampler.resample(await super().__anext__()))
        return self._ready.popleft()


class VideoStream(FrameStream[av.VideoFrame]):
    """Video as it was decoded.

    As a rule it is planar ``yuv420p``; the size is the sender's, and may change at any frame.

    Args:
        capacity: how many frames may wait unread.
    """

    def __init__(self, *, capacity: int = VIDEO_CAPACITY) -> None:
        super().__init__(capacity)

    def feed(self, frame: av.AudioFrame | av.VideoFrame) -> None:
        """Take a frame; the oldest is dropped when there is no room."""
        if isinstance(frame, av.VideoFrame):
            self._hold(frame)
