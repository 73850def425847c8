"""Ready sinks: how loud, as arrays, as a picture. A file is in ``recording.py``."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt

from kitwire_aiortc.frames import AudioStream, VideoStream

__all__ = ["audio_arrays", "level", "pixels", "samples", "video_arrays", "write_png"]

SILENT: Final = -127.0
"""dBFS that no frame is below."""


def samples(frame: av.AudioFrame) -> npt.NDArray[np.int16]:
    """The samples of a frame of an :class:`~kitwire_aiortc.frames.AudioStream`.

    Returns:
        samples × channels.
    """
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels).astype(np.int16, copy=False)


def pixels(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """The picture of a frame: height × width × 3, red, green and blue."""
    return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def level(frame: av.AudioFrame) -> float:
    """How loud a frame is: the mean power in dB below full scale, from -127 to 0."""
    signal = samples(frame).astype(np.float64)
    power = float(np.mean(np.square(signal))) if signal.size else 0.0
    return SILENT if power == 0 else max(SILENT, 10 * math.log10(power / (1 << 30)))


async def audio_arrays(stream: AudioStream) -> AsyncIterator[npt.NDArray[np.int16]]:
    """Audio as arrays of samples × channels, packet after packet."""
    async for frame in stream:
        yield samples(frame)


async def video_arrays(stream: VideoStream) -> AsyncIterator[npt.NDArray[np.uint8]]:
    """Video as arrays of height × width × 3, frame after frame."""
    async for frame in stream:
        yield pixels(frame)


def write_png(frame: av.VideoFrame, path: str | PathLike[str]) -> None:
    """Save a picture as a PNG file.

    Raises:
        OSError: when the file cannot be written.
    """
    codec = av.CodecContext.create("png", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "rgb24"
    codec.time_base = Fraction(1, 25)
    picture = frame.reformat(format="rgb24")
    if picture is frame:
        picture = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="rgb24")
    picture.pts, picture.time_base = 0, codec.time_base
    data = b"".join(bytes(each) for each in [*codec.encode(picture), *codec.encode(None)])
    Path(path).write_bytes(data)
