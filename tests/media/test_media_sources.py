"""Tone, silence and pattern; and the number in the pattern after real encoding."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.codecs import depayload
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from hypothesis import given
from hypothesis import strategies as st

from kitwire_aiortc.counter import LIMIT, read_counter, write_counter
from kitwire_aiortc.pacing import Pacer
from kitwire_aiortc.sources import Silence, TestPattern, Tone
from tests.media.loopback import frequency, run


def picture(number: int, width: int = 640, height: int = 360) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(
        TestPattern(width=width, height=height).picture(number), format="yuv420p"
    )


@pytest.fixture(autouse=True)
def loop() -> object:
    """Tracks of aiortc want one to be there, though these tests run none."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield made
    asyncio.set_event_loop(None)
    made.close()


@given(st.integers(0, LIMIT - 1))
def test_every_number_can_be_read_again(number: int) -> None:
    luma = np.full((128, 128), 128, np.uint8)
    write_counter(luma, number)
    assert read_counter(av.VideoFrame.from_ndarray(luma, format="gray")) == number


def test_numbers_begin_again_after_24_bits() -> None:
    assert read_counter(picture(LIMIT + 5)) == 5


@pytest.mark.parametrize(("width", "height"), [(128, 128), (320, 180), (642, 362), (1280, 720)])
def test_it_does_not_depend_on_the_size(width: int, height: int) -> None:
    shown = picture(123_456, width, height)
    assert read_counter(shown) == 123_456
    assert read_counter(shown.reformat(480, 270)) == 123_456
    assert read_counter(shown.reformat(format="rgb24")) == 123_456


def test_what_is_no_number() -> None:
    assert read_counter(picture(1).reformat(64, 64)) is None
    plain = av.VideoFrame.from_ndarray(np.full((360, 640), 128, np.uint8), format="gray")
    assert read_counter(plain) is None
    luma = np.zeros((360, 640), np.uint8)
    write_counter(luma, 77)
    luma[:, :40] = 235 - luma[:, :40]  # one column of blocks upside down
    assert read_counter(av.VideoFrame.from_ndarray(luma, format="gray")) is None


@pytest.mark.parametrize("bitrate", [500_000, 250_000])
def test_the_number_survives_vp8(bitrate: int) -> None:
    """As aiortc encodes and decodes it, every frame of five seconds."""
    encoder, decoder = Vp8Encoder(), Vp8Decoder()
    encoder.target_bitrate = bitrate
    codec = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=97)
    read, octets = [], 0
    for number in range(125):
        shown = picture(number)
        shown.pts, shown.time_base = number, Fraction(1, 25)
        payloads, timestamp = encoder.encode(shown)
        octets += sum(map(len, payloads))
        data = b"".join(depayload(codec, payload) for payload in payloads)
        for frame in decoder.decode(JitterFrame(data=data, timestamp=timestamp)):
            assert isinstance(frame, av.VideoFrame)
            read.append(read_counter(frame))
    assert read == list(range(125))
    assert octets * 8 / 5 < bitrate * 1.3


def test_a_tone_is_the_tone() -> None:
    async def main() -> list[av.AudioFrame]:
        tone = Tone(1234.0, volume=0.25)
        return [await tone.recv() for _ in range(20)]

    frames = run(main())
    assert frequency(frames) == pytest.approx(1234.0, abs=3.0)
    peak = max(int(np.abs(each.to_ndarray()).max()) for each in frames)
    assert peak == pytest.approx(0.25 * 32767, rel=0.01)
    assert [each.pts for each in frames] == list(range(0, 20 * 960, 960))


def test_silence_is_silent() -> None:
    frame = run(Silence().recv())
    assert not frame.to_ndarray().any()


@pytest.mark.parametrize(
    ("source", "frames"),
    [
        (lambda: Tone(duration=0.1), 5),
        (lambda: Silence(duration=0.06), 3),
        (lambda: TestPattern(width=128, height=128, duration=0.2), 5),
    ],
)
def test_sources_end_when_told(source: type[MediaStreamTrack], frames: int) -> None:
    async def main() -> int:
        track, count = source(), 0
        while True:
            try:
                await track.recv()
            except MediaStreamError:
                break
            count += 1
        assert track.readyState == "ended"
        with pytest.raises(MediaStreamError):
            await track.recv()
        return count

    assert run(main()) == frames


def test_frames_come_in_real_time_and_late_ones_are_left_out() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pattern = TestPattern(width=128, height=128, framerate=50)
        begun = loop.time()
        numbers = [read_counter(await pattern.recv()) for _ in range(11)]
        assert numbers == list(range(11))
        assert 0.19 < loop.time() - begun < 0.4
        await asyncio.sleep(0.5)
        late = read_counter(await pattern.recv())
        assert late is not None
        assert late > 25

    run(main())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tone(0),
        lambda: Tone(24_000),
        lambda: Tone(volume=1.1),
        lambda: TestPattern(width=126),
        lambda: TestPattern(height=129),
        lambda: TestPattern(framerate=0),
        lambda: Pacer(Fraction(0)),
    ],
)
def test_values_that_cannot_be(make: type[object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()
