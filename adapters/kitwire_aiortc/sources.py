"""Ready sources: a tone, silence, a test pattern. Any other track of aiortc's kind will do too."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
import numpy as np
import numpy.typing as npt
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from kitwire_aiortc.counter import MIN_HEIGHT, MIN_WIDTH, write_counter
from kitwire_aiortc.pacing import Pacer

__all__ = ["Silence", "TestPattern", "Tone"]

SAMPLE_RATE: Final = 48_000
SAMPLES: Final = 960
"""20 ms, the length of a packet."""
FULL_SCALE: Final = 32_767


class _Audio(MediaStreamTrack):
    """Frames of 20 ms, mono, in real time."""

    kind = "audio"

    def __init__(self, duration: float | None) -> None:
        super().__init__()
        self._pacer = Pacer(Fraction(SAMPLE_RATE, SAMPLES))
        self._frames = None if duration is None else round(duration * SAMPLE_RATE / SAMPLES)

    async def recv(self) -> av.AudioFrame:
        """The next frame, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        index = await self._pacer.next()
        if self._frames is not None and index >= self._frames:
            self.stop()
            raise MediaStreamError
        samples = self._samples(index * SAMPLES)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts, frame.time_base = index * SAMPLES, Fraction(1, SAMPLE_RATE)
        return frame

    def _samples(self, begin: int) -> npt.NDArray[np.int16]:
        raise NotImplementedError


class Tone(_Audio):
    """A sine tone.

    Args:
        frequency: in Hz, below 24 kHz.
        volume: 0 to 1 of full scale.
        duration: in seconds; for ever with None.

    Raises:
        ValueError: for values outside of these.
    """

    def __init__(
        self, frequency: float = 440.0, *, volume: float = 0.5, duration: float | None = None
    ) -> None:
        if not 0 < frequency < SAMPLE_RATE / 2:
            raise ValueError(f"frequency must be between 0 and 24000 Hz, not {frequency}")
        if not 0 <= volume <= 1:
            raise ValueError(f"volume must be 0 to 1, not {volume}")
        super().__init__(duration)
        self._step = 2 * np.pi * frequency / SAMPLE_RATE
        self._amplitude = volume * FULL_SCALE

    def _samples(self, begin: int) -> npt.NDArray[np.int16]:
        phase = (np.arange(begin, begin + SAMPLES, dtype=np.float64) * self._step) % (2 * np.pi)
        return np.round(np.sin(phase) * self._amplitude).astype(np.int16)


class Silence(_Audio):
    """Audio without a sound.

    Args:
        duration: in seconds; for ever with None.
    """

    def __init__(self, *, duration: float | None = None) -> None:
        super().__init__(duration)
        self._zeros = np.zeros(SAMPLES, np.int16)

    def _samples(self, begin: int) -> npt.NDArray[np.int16]:
        return self._zeros


class TestPattern(MediaStreamTrack):
    """Colour bars, a box that moves, and the number of the frame for machines to read.

    :func:`~kitwire_aiortc.counter.read_counter` reads it, also after VP8 at a low bit rate.

    Args:
        width: in pixels, even, at least 128.
        height: likewise.
        framerate: frames a second.
        duration: in seconds; for ever with None.

    Raises:
        ValueError: for values outside of these.
    """

    __test__ = False  # not a test, whatever pytest makes of its name
    kind = "video"

    def __init__(
        self,
        *,
        width: int = 640,
        height: int = 360,
        framerate: float = 25.0,
        duration: float | None = None,
    ) -> None:
        if width < MIN_WIDTH or height < MIN_HEIGHT or width % 2 or height % 2:
            raise ValueError(
                f"the size must be even, and {MIN_WIDTH}×{MIN_HEIGHT} at least, "
                f"not {width}×{height}"
            )
        super().__init__()
        rate = Fraction(framerate).limit_denominator(1001)
        self._pacer = Pacer(rate)
        self._time_base = 1 / rate
        self._frames = None if duration is None else round(duration * rate)
        self._bars = _colour_bars(width, height)
        self._width = width
        self._height = height

    async def recv(self) -> av.VideoFrame:
        """The next frame, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        index = await self._pacer.next()
        if self._frames is not None and index >= self._frames:
            self.stop()
            raise MediaStreamError
        frame = av.VideoFrame.from_ndarray(self.picture(index), format="yuv420p")
        frame.pts, frame.time_base = index, self._time_base
        return frame

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """The picture of that number: the planes of ``yuv420p``, one below the other."""
        planes = self._bars.copy()
        luma = planes[: self._height]
        side = self._height // 8
        left = index * max(2, self._width // 160) % (self._width - side)
        luma[side : 2 * side, left : left + side] = 235
        write_counter(luma, index)
        return planes


BARS: Final = (
    (180, 128, 128),
    (162, 44, 142),
    (131, 156, 44),
    (112, 72, 58),
    (84, 184, 198),
    (65, 100, 212),
    (35, 212, 114),
)
"""Y, Cb and Cr of grey, yellow, cyan, green, magenta, red and blue at 75 %, left to right (ITU-R
BT.601)."""


def _colour_bars(width: int, height: int) -> npt.NDArray[np.uint8]:
    planes = np.empty((height * 3 // 2, width), np.uint8)
    bar = np.arange(width) * len(BARS) // width
    colours = np.array(BARS, np.uint8)[bar]
    planes[:height] = colours[:, 0]
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    chroma[0], chroma[1] = colours[::2, 1], colours[::2, 2]
    # Without colour below, where the number stands.
    chroma[:, round(height * 14 / 16) // 2 :] = 128
    return planes
