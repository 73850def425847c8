"""A receiving section alone: times that rise, frames that cannot be decoded, bounds."""

from __future__ import annotations

import logging
from collections.abc import Callable

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from kitwire_aiortc.inbound import MAX_UNDECODED, Inbound, Timeline
from kitwire_aiortc.internals import (
    DECODER_ERROR,
    DECODER_QUEUE,
    ENABLED,
    JITTER_BUFFER,
    NACK_GENERATOR,
    RTX_SSRC,
)
from kitwire_aiortc.masking import LOGGERS, mask_logs
from kitwire_aiortc.sdp import Direction, Section
from tests.media.loopback import Count, run

OPUS = RTCRtpCodecParameters(mimeType="audio/opus", clockRate=48_000, channels=2, payloadType=96)
VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=97)


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def section(*ssrcs: int, kind: str = "audio", sends: bool = True) -> Section:
    return Section(
        index=0,
        mid="0",
        kind=kind,
        direction=Direction.SENDONLY if sends else Direction.INACTIVE,
        ssrcs=ssrcs,
        repairs=tuple((ssrc + 100, ssrc) for ssrc in ssrcs) if kind == "video" else (),
    )


def opus() -> bytes:
    """One packet of Opus, made by FFmpeg."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.format, encoder.layout, encoder.sample_rate = "s16", "stereo", 48_000
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), "s16", "stereo")
    frame.sample_rate = 48_000
    return bytes([*encoder.encode(frame), *encoder.encode(None)][0])


def test_times_rise_through_a_wrap_and_a_change_of_source() -> None:
    clock = Clock()
    line = Timeline(48_000, clock)
    assert line.map((1 << 32) - 960) == 0
    assert line.map(0) == 960
    assert line.map(960) == 1920
    clock.now += 2.0
    line.restart()
    assert line.map(77) == 1920 + 96_000
    assert line.map(77 + 960) == 1920 + 96_000 + 960
    line.restart()
    assert line.map(5) == 1920 + 96_000 + 961  # always later, were it by one


def test_a_frame_that_cannot_be_decoded_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kitwire_aiortc.inbound")

    async def main() -> None:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("audio").receiver
        inbound = Inbound(receiver, kind="audio", mid="0")
        count = Count()
        inbound.attach(count)
        put = DECODER_QUEUE.get(receiver).put
        for data in (opus(), b"\xff" * 50, opus()):
            put((OPUS, JitterFrame(data=data, timestamp=0)))
        assert count.frames == inbound.frames == 2
        await connection.close()

    run(main())
    assert "could not be decoded" in caplog.text


def test_another_codec_gets_another_decoder() -> None:
    async def main() -> None:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("audio").receiver
        inbound = Inbound(receiver, kind="audio", mid="0")
        count = Count()
        inbound.attach(count)
        pcma = RTCRtpCodecParameters(
            mimeType="audio/PCMA", clockRate=8000, channels=1, payloadType=8
        )
        put = DECODER_QUEUE.get(receiver).put
        put((OPUS, JitterFrame(data=opus(), timestamp=0)))
        put((pcma, JitterFrame(data=bytes(160), timestamp=0)))
        assert isinstance(count.last, av.AudioFrame)
        assert (count.frames, count.last.sample_rate) == (2, 8000)
        await connection.close()

    run(main())


def test_video_that_the_decoder_cannot_follow_is_dropped_and_a_whole_picture_asked_for() -> None:
    async def main() -> None:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("video").receiver
        Inbound(receiver, kind="video", mid="0")
        waiting = DECODER_QUEUE.get(receiver)
        for _ in range(MAX_UNDECODED):
            waiting.put((VP8, JitterFrame(data=b"x", timestamp=0)))
        assert not DECODER_ERROR.get(receiver).is_set()
        for _ in range(5):
            waiting.put((VP8, JitterFrame(data=b"x", timestamp=0)))
        assert waiting.qsize() == MAX_UNDECODED
        assert DECODER_ERROR.get(receiver).is_set()
        waiting.put(None)  # the end always passes
        assert waiting.qsize() == MAX_UNDECODED + 1
        await connection.close()

    run(main())


def test_a_new_source_begins_with_nothing_of_the_old_one() -> None:
    async def main() -> None:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("video").receiver
        inbound = Inbound(receiver, kind="video", mid="0")
        inbound.describe(section(1, kind="video"))
        assert inbound.ssrcs == (1,)
        assert RTX_SSRC.get(receiver) == {101: 1}
        buffer, nack = JITTER_BUFFER.get(receiver), NACK_GENERATOR.get(receiver)
        inbound.describe(section(1, kind="video"))
        assert JITTER_BUFFER.get(receiver) is buffer
        inbound.describe(section(kind="video", sends=False))
        assert inbound.ssrcs == (1,)
        inbound.describe(section(2, kind="video"))
        assert RTX_SSRC.get(receiver) == {102: 2}
        assert JITTER_BUFFER.get(receiver) is not buffer
        assert NACK_GENERATOR.get(receiver) is not nack
        assert DECODER_ERROR.get(receiver).is_set()
        await connection.close()

    run(main())


def test_an_audio_source_that_changes_empties_the_buffer_and_losses_are_counted() -> None:
    async def main() -> None:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("audio").receiver
        inbound = Inbound(receiver, kind="audio", mid="0")
        inbound.describe(section(1))
        buffer = JITTER_BUFFER.get(receiver)
        for number in (1, 3, 4, 5):
            packet = RtpPacket(sequence_number=number)
            packet._data = b"x"  # type: ignore[attr-defined]
            buffer.add(packet)
        assert inbound.lost == 1
        inbound.describe(section(2))
        packet = RtpPacket(sequence_number=1)
        packet._data = b"x"  # type: ignore[attr-defined]
        assert buffer.add(packet)[1] is not None
        assert Inbound(connection.addTransceiver("video").receiver, kind="video", mid="1").lost == 0
        await connection.close()

    run(main())


def test_it_is_decoded_only_for_readers_and_only_while_it_sends() -> None:
    async def main() -> None:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("audio").receiver
        inbound = Inbound(receiver, kind="audio", mid="0")
        enabled = [ENABLED.get(receiver)]
        inbound.describe(section(1))
        enabled.append(ENABLED.get(receiver))
        first, second = Count(), Count()
        steps: tuple[Callable[[], None], ...] = (
            lambda: inbound.attach(first),
            lambda: inbound.attach(second),
            lambda: inbound.detach(first),
            lambda: inbound.describe(section(1)),
            lambda: inbound.describe(section(sends=False)),
            lambda: inbound.describe(section(1)),
            lambda: inbound.detach(second),
            lambda: inbound.detach(second),
        )
        for step in steps:
            step()
            enabled.append(ENABLED.get(receiver))
        assert enabled == [True, False, True, True, True, True, False, True, False, False]
        await connection.close()

    run(main())


def test_logs_are_masked_once() -> None:
    mask_logs()
    for name in LOGGERS:
        assert len(logging.getLogger(name).filters) == 1
