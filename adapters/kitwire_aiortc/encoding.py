"""Encoders with a limit of bits a second, for which aiortc has no setting.

Its video encoders begin at 500 kbit/s whatever the size of the picture, and follow the receiver's
estimate between fixed bounds (VP8: 250 kbit/s to 1.5 Mbit/s).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aiortc import RTCRtpTransceiver
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder

from kitwire_aiortc.internals import CODECS, ENCODER, H264_BITRATE, VP8_BITRATE

__all__ = ["limit_bitrate"]

FLOOR: Final = 50_000
"""Bits a second below which a receiver's estimate is not followed, unless the limit is lower."""


class _Vp8(Vp8Encoder):
    """VP8 that begins at the limit, and never exceeds it."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        VP8_BITRATE.set(self, limit)

    @property
    def target_bitrate(self) -> int:
        """Bits a second to encode with."""
        return VP8_BITRATE.get(self)

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        VP8_BITRATE.set(self, _bounded(bitrate, self._limit))


class _H264(H264Encoder):
    """H.264 that begins at the limit, and never exceeds it."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        H264_BITRATE.set(self, limit)

    @property
    def target_bitrate(self) -> int:
        """Bits a second to encode with."""
        return H264_BITRATE.get(self)

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        H264_BITRATE.set(self, _bounded(bitrate, self._limit))


def _opus(limit: int) -> Encoder:
    encoder = OpusEncoder()
    encoder.codec.bit_rate = limit
    return encoder


def _bounded(bitrate: int, limit: int) -> int:
    return max(min(FLOOR, limit), min(bitrate, limit))


ENCODERS: Final[Mapping[str, Callable[[int], Encoder]]] = {
    "audio/opus": _opus,
    "video/vp8": _Vp8,
    "video/h264": _H264,
}


def limit_bitrate(transceiver: RTCRtpTransceiver, limit: int) -> None:
    """Let a transceiver encode with at most so many bits a second.

    To be called once its codec is negotiated, before its sender has encoded anything: an encoder
    in use stays. Codecs without such a setting stay as they are.

    Args:
        transceiver: it must have been negotiated.
        limit: bits a second.
    """
    codecs = CODECS.get(transceiver)
    if codecs and ENCODER.get(transceiver.sender) is None:
        make = ENCODERS.get(codecs[0].mimeType.lower())
        if make is not None:
            ENCODER.set(transceiver.sender, make(limit))
