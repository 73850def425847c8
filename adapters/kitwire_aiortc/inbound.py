"""One receiving section of a peer connection: from its packets to those who read its frames."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import Callable
from typing import Final, Protocol

import av
from aiortc import RTCRtpReceiver
from aiortc.codecs import get_decoder
from aiortc.codecs.base import Decoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import NackGenerator, TimestampMapper

from kitwire_aiortc.internals import (
    DECODER_ERROR,
    DECODER_QUEUE,
    ENABLED,
    JITTER_BUFFER,
    NACK_GENERATOR,
    RECEIVER_TRACK,
    RTX_SSRC,
    TIMESTAMP_MAPPER,
    TRACK_QUEUE,
    Encoded,
)
from kitwire_aiortc.jitter import AudioJitterBuffer
from kitwire_aiortc.routing import install_router
from kitwire_aiortc.sdp import Section

__all__ = ["Frame", "Inbound", "Reader"]

logger = logging.getLogger(__name__)

Frame = av.AudioFrame | av.VideoFrame

CLOCK_RATE: Final = {"audio": 48_000, "video": 90_000}
"""Ticks a second of the RTP timestamps of Opus (RFC 7587), and of every video codec."""

MAX_UNDECODED: Final = 30
"""Encoded video frames that may wait for the decoder's thread: about a second."""

VIDEO_PACKETS: Final = 512
"""What aiortc gives its own jitter buffer for video."""


class Reader(Protocol):
    """Takes the frames of one section, in the thread of the event loop."""

    def feed(self, frame: Frame) -> None:
        """Take a frame, without blocking."""


class Inbound:
    """A receiving section: who reads it, which SSRC feeds it, whether it is decoded at all.

    A section without a reader is not decoded: its packets are dropped as they come.

    Attributes:
        kind: ``audio`` or ``video``.
        mid: the name of its section.
        frames: how many frames were decoded.
    """

    def __init__(self, receiver: RTCRtpReceiver, *, kind: str, mid: str) -> None:
        self.kind = kind
        self.mid = mid
        self.frames = 0
        self._receiver = receiver
        self._readers: list[Reader] = []
        self._described: tuple[int, ...] = ()
        self._timeline = Timeline(CLOCK_RATE[kind], asyncio.get_running_loop().time)
        self._tapped = False
        self._sends = False
        TIMESTAMP_MAPPER.set(receiver, self._timeline)
        waiting = DECODER_QUEUE.get(receiver)
        if kind == "audio":
            buffer = AudioJitterBuffer()
            JITTER_BUFFER.set(receiver, buffer)
            exchange_put(waiting, _AudioDecoding(waiting, buffer, self._timeline, self._feed))
        else:
            exchange_put(waiting, _VideoDecoding(waiting, self.request_key_frame))

    @property
    def ssrcs(self) -> tuple[int, ...]:
        """The SSRCs of its media, by the last description."""
        return self._described

    @property
    def lost(self) -> int:
        """Audio packets given up on; 0 for video, whose losses are repaired."""
        buffer = JITTER_BUFFER.get(self._receiver)
        return buffer.lost if isinstance(buffer, AudioJitterBuffer) else 0

    def describe(self, section: Section) -> None:
        """Take in what a remote description says of this section, after aiortc has.

        To be called after every description, because aiortc enables every receiver then.
        """
        self._tap()
        receiver = self._receiver
        ssrcs = section.ssrcs if section.direction.sends else ()
        if ssrcs:
            repairs = dict(section.repairs)
            install_router(receiver.transport).announce(receiver, (*ssrcs, *repairs))
            rtx = RTX_SSRC.get(receiver)
            rtx.clear()
            rtx.update(repairs)
            if self._described and self._described != ssrcs:
                self._renew()
            self._described = ssrcs
        ENABLED.set(receiver, bool(self._readers) and section.direction.sends)
        self._sends = section.direction.sends

    def attach(self, reader: Reader) -> None:
        """Hand frames to one more reader."""
        if not self._readers and self._sends:
            self._renew()
            ENABLED.set(self._receiver, True)
        self._readers.append(reader)

    def detach(self, reader: Reader) -> None:
        """Hand frames to this reader no more. Harmless when it is none."""
        if reader in self._readers:
            self._readers.remove(reader)
        if not self._readers:
            ENABLED.set(self._receiver, False)

    def request_key_frame(self) -> None:
        """Ask for a picture that needs no earlier one, with the next packet that comes."""
        DECODER_ERROR.get(self._receiver).set()

    def _renew(self) -> None:
        """Forget what was held of an earlier source, or of before a pause."""
        receiver = self._receiver
        buffer = JITTER_BUFFER.get(receiver)
        if isinstance(buffer, AudioJitterBuffer):
            buffer.restart()
        else:
            JITTER_BUFFER.set(receiver, JitterBuffer(capacity=VIDEO_PACKETS, is_video=True))
            NACK_GENERATOR.set(receiver, NackGenerator())
            self.request_key_frame()
        self._timeline.restart()

    def _tap(self) -> None:
        """Take frames from where the decoder's thread leaves them.

        aiortc's queue is unbounded, and for one reader.
        """
        track = RECEIVER_TRACK.get(self._receiver)
        if track is not None and not self._tapped:
            exchange_put(TRACK_QUEUE.get(track), self._put)
            self._tapped = True

    async def _put(self, frame: Frame | None) -> None:
        if frame is not None:
            self._feed(frame)

    def _feed(self, frame: Frame) -> None:
        self.frames += 1
        for reader in tuple(self._readers):
            try:
                reader.feed(frame)
            except Exception:
                # Raised here, it would end the transport and everything else that it carries.
                logger.exception("a reader of %s %s failed", self.kind, self.mid)
                self.detach(reader)


class Timeline(TimestampMapper):
    """RTP timestamps to timestamps that begin at 0 and go on rising when the source changes."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        super().__init__()
        self._rate = rate
        self._clock = clock
        self._value = 0
        self._before: int | None = None
        self._at: float | None = None

    def map(self, timestamp: int) -> int:
        """The timestamp on our line, in the same ticks."""
        now = self._clock()
        if self._before is not None:
            half = 1 << 31
            self._value += (timestamp - self._before + half) % (1 << 32) - half
        elif self._at is not None:
            self._value += max(1, round((now - self._at) * self._rate))
        self._before, self._at = timestamp, now
        return self._value

    def restart(self) -> None:
        """What comes next is of another source: it goes on after the time that has passed."""
        self._before = None


def exchange_put(target: object, put: Callable[..., object]) -> None:
    """Let what is put into one queue go somewhere else.

    An attribute of this one object, because aiortc's threads hold the object itself.
    """
    setattr(target, "put", put)  # noqa: B010 - not typed as settable


class _AudioDecoding:
    """Decodes audio where it arrives, instead of in a thread for each receiver.

    A packet of Opus takes less time to decode than to hand to a thread and back.
    """

    def __init__(
        self,
        waiting: queue.Queue[Encoded | None],
        buffer: AudioJitterBuffer,
        timeline: Timeline,
        deliver: Callable[[Frame], None],
    ) -> None:
        self._end = waiting.put
        self._buffer = buffer
        self._timeline = timeline
        self._deliver = deliver
        self._codec = ""
        self._decoder: Decoder | None = None

    def __call__(self, item: Encoded | None) -> None:
        """Decode a frame and those ready after it; None is passed on, for the thread to end."""
        if item is None:
            self._end(None)
            return
        codec, frame = item
        self._decode(codec, frame)
        while (more := self._buffer.pop()) is not None:
            more.timestamp = self._timeline.map(more.timestamp)
            self._decode(codec, more)

    def _decode(self, codec: RTCRtpCodecParameters, frame: JitterFrame) -> None:
        if self._decoder is None or codec.mimeType != self._codec:
            self._codec, self._decoder = codec.mimeType, get_decoder(codec)
        try:
            decoded = self._decoder.decode(frame)
        except av.FFmpegError as error:
            logger.debug("a frame of %s could not be decoded: %s", self._codec, error)
            return
        for each in decoded:
            if isinstance(each, av.AudioFrame):
                self._deliver(each)


class _VideoDecoding:
    """The way to the decoder's thread, bounded: when it cannot follow, frames are dropped."""

    def __init__(self, waiting: queue.Queue[Encoded | None], dropped: Callable[[], None]) -> None:
        self._put = waiting.put
        self._waiting = waiting.qsize
        self._dropped = dropped

    def __call__(self, item: Encoded | None) -> None:
        """Pass a frame on unless too many wait; what follows a gap needs a key frame."""
        if item is not None and self._waiting() >= MAX_UNDECODED:
            self._dropped()
        else:
            self._put(item)
