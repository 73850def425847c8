"""Frames of any source made fit for aiortc's encoders, on one line of time that always rises.

An encoder of aiortc ends its sender for good when a frame has a format that it does not know, and
is silent while timestamps repeat: a source that follows another begins at 0 again. Nothing here
changes a frame that belongs to somebody else; a relay hands the same one to several.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final, Protocol, TypeAlias

import av
import numpy as np
from av.stream import Stream

__all__ = ["AudioShaper", "Media", "Shaper", "Unsuitable", "VideoShaper"]

# As text: the class takes no parameter when the program runs.
Packet: TypeAlias = "av.Packet[Stream]"
Media: TypeAlias = "av.AudioFrame | av.VideoFrame | Packet"

AUDIO_RATE: Final = 48_000
AUDIO_SAMPLES: Final = 960
"""20 ms, the length of a packet."""
VIDEO_RATE: Final = 90_000
TOLERANCE: Final = AUDIO_SAMPLES
"""Samples by which the timestamps of audio may differ from the count of its samples."""


class Unsuitable(TypeError):
    """A source gave something that cannot be sent on its track."""


class Shaper(Protocol):
    """Takes what a source gives; gives what aiortc takes."""

    def restart(self) -> None:
        """Another source begins, or the same goes on after a pause in reading it."""

    def take(self, data: object) -> list[Media]:
        """What to send for it, in order; often one piece, sometimes none. Raises Unsuitable."""
        ...


class _Line:
    """Seconds of a source to ticks of ours: rising, and with the clock between two sources."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._epoch: float | None = None
        self._offset: Fraction | None = None

    def restart(self) -> None:
        self._offset = None

    def place(self, at: Fraction | None, earliest: int) -> int:
        """The tick for this time of the source, not before `earliest`."""
        now = self._clock()
        if self._epoch is None:
            # The first source's own timestamps are kept, so that its frames need no change.
            self._epoch = now - float(at or 0)
            self._offset = Fraction(0)
        if at is None:
            at = Fraction(now - self._epoch)
        if self._offset is not None:
            tick = round((at + self._offset) * self._rate)
            if tick >= earliest:
                return tick
        tick = max(earliest, round((now - self._epoch) * self._rate))
        self._offset = Fraction(tick, self._rate) - at
        return tick


class AudioShaper:
    """Audio of any format, rate and length to what the Opus encoder takes: 20 ms of stereo.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._line = _Line(AUDIO_RATE, clock)
        self._resampler: av.AudioResampler | None = None
        self._input: tuple[str, str, int] | None = None
        self._position = 0
        self._taken = Fraction(0)

    def restart(self) -> None:
        """Another source begins."""
        self._line.restart()
        self._resampler = None

    def take(self, data: object) -> list[Media]:
        """Frames of 960 samples; what is left of the input waits for the next."""
        match data:
            case av.AudioFrame():
                return [*self._shape(data)]
            case av.Packet():
                return [self._pack(data)]
            case _:
                raise Unsuitable(f"an audio track cannot send {type(data).__name__}")

    def _shape(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        expected = self._position + self._taken
        if self._resampler is None or frame.pts is not None:
            tick = self._line.place(_seconds(frame), max(0, round(expected) - TOLERANCE))
            if self._resampler is None or tick > expected + TOLERANCE:
                self._begin(max(tick, math.ceil(expected)), setup)
        if setup != self._input:
            self._begin(math.ceil(expected), setup)
        assert self._resampler is not None
        self._taken += Fraction(frame.samples * AUDIO_RATE, frame.sample_rate)
        shaped = self._resampler.resample(frame)
        for each in shaped:
            each.pts, each.time_base = self._position, Fraction(1, AUDIO_RATE)
            self._position += each.samples
            self._taken -= each.samples
        return shaped

    def _begin(self, at: int, setup: tuple[str, str, int]) -> None:
        self._resampler = av.AudioResampler("s16", "stereo", AUDIO_RATE, frame_size=AUDIO_SAMPLES)
        self._input = setup
        self._position = at
        self._taken = Fraction(0)

    def _pack(self, packet: Packet) -> Packet:
        tick = self._line.place(_seconds(packet), self._position)
        self._position = tick + 1
        return _packet_at(packet, tick, AUDIO_RATE)


class VideoShaper:
    """Video of any format and pace to frames with timestamps that rise.

    Args:
        clock: seconds, monotonic.

    Attributes:
        max_framerate: frames above this many a second are left out; None for no limit.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.max_framerate: float | None = None
        self._line = _Line(VIDEO_RATE, clock)
        self._earliest = 0
        self._due = 0.0

    def restart(self) -> None:
        """Another source begins."""
        self._line.restart()

    def take(self, data: object) -> list[Media]:
        """The frame, or a copy of it with another timestamp, or nothing."""
        if not isinstance(data, av.VideoFrame | av.Packet):
            raise Unsuitable(f"a video track cannot send {type(data).__name__}")
        tick = self._line.place(_seconds(data), self._earliest)
        pace = 0.0 if self.max_framerate is None else VIDEO_RATE / self.max_framerate
        # A tenth of tolerance, so that a source of just that rate loses nothing to its jitter.
        if tick < self._due - pace / 10:
            return []
        self._due = max(self._due, tick - pace) + pace
        self._earliest = tick + 1
        if isinstance(data, av.Packet):
            return [_packet_at(data, tick, VIDEO_RATE)]
        own = _seconds(data)
        if own is not None and round(own * VIDEO_RATE) == tick:
            return [data]
        copy = _copy(data)
        copy.pts, copy.time_base = tick, Fraction(1, VIDEO_RATE)
        return [copy]


def _seconds(data: Media) -> Fraction | None:
    if data.pts is None or not data.time_base:
        return None
    return data.pts * Fraction(data.time_base.numerator, data.time_base.denominator)


def _packet_at(packet: Packet, tick: int, rate: int) -> Packet:
    copy: Packet = av.Packet(bytes(packet))
    copy.pts, copy.time_base = tick, Fraction(1, rate)
    return copy


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame of our own with the same picture."""
    planar = frame.reformat(format="yuv420p")
    if planar is not frame:
        return planar
    # Rows may be padded, so the planes are copied row by row; numpy does.
    copy = av.VideoFrame(frame.width, frame.height, "yuv420p")
    for source, target in zip(frame.planes, copy.planes, strict=True):
        rows = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)
        into = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        width = min(source.line_size, target.line_size)
        height = min(len(rows), len(into))
        into[:height, :width] = rows[:height, :width]
    return copy
