"""Any frames to those that aiortc's encoders take, on one line of time."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder
from av.stream import Stream

from kitwire_aiortc.shaping import AudioShaper, Media, Unsuitable, VideoShaper


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def audio(
    pts: int | None,
    *,
    samples: int = 960,
    rate: int = 48_000,
    layout: str = "mono",
    kind: str = "s16",
) -> av.AudioFrame:
    frame = av.AudioFrame(format=kind, layout=layout, samples=samples)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate = rate
    frame.pts, frame.time_base = pts, Fraction(1, rate)
    return frame


def video(
    pts: int | None, *, base: Fraction = Fraction(1, 90_000), form: str = "yuv420p", size: int = 64
) -> av.VideoFrame:
    frame = av.VideoFrame(size, size, form)
    for number, plane in enumerate(frame.planes):
        plane.update(bytes([50 + number]) * plane.buffer_size)
    frame.pts = pts
    frame.time_base = base
    return frame


def ticks(media: list[Media]) -> list[int | None]:
    return [each.pts for each in media]


@pytest.mark.parametrize(
    ("samples", "rate", "layout", "kind"),
    [
        (960, 48_000, "mono", "s16"),
        (480, 48_000, "stereo", "s16"),
        (1024, 44_100, "stereo", "fltp"),
        (320, 16_000, "mono", "s16p"),
        (4096, 48_000, "5.1", "flt"),
        (37, 8_000, "mono", "s16"),
    ],
)
def test_audio_of_any_kind_becomes_what_the_encoder_takes(
    samples: int, rate: int, layout: str, kind: str
) -> None:
    shaper, encoder = AudioShaper(Clock()), OpusEncoder()
    out: list[Media] = []
    pts = 0
    while pts < rate:  # a second
        out += shaper.take(audio(pts, samples=samples, rate=rate, layout=layout, kind=kind))
        pts += samples
    assert ticks(out) == list(range(0, len(out) * 960, 960))
    assert 47 <= len(out) <= 54
    packets = []
    for frame in out:
        assert isinstance(frame, av.AudioFrame)
        packets += encoder.encode(frame)[0]
    assert len(packets) >= len(out) - 1


def test_audio_without_times_is_continuous() -> None:
    shaper = AudioShaper(Clock())
    out = [each for _ in range(5) for each in shaper.take(audio(None))]
    assert ticks(out) == [0, 960, 1920, 2880, 3840]


def test_a_hole_in_audio_stays_a_hole() -> None:
    shaper = AudioShaper(Clock())
    assert ticks(shaper.take(audio(0))) == [0]
    assert ticks(shaper.take(audio(960 + 500))) == [960]  # less than a packet: jitter
    assert ticks(shaper.take(audio(48_000))) == [48_000]
    assert ticks(shaper.take(audio(48_960))) == [48_960]


def test_audio_that_begins_again_goes_on_after_what_was() -> None:
    clock = Clock()
    shaper = AudioShaper(clock)
    for number in range(50):
        shaper.take(audio(number * 960))
    clock.now += 3.0
    shaper.restart()
    assert ticks(shaper.take(audio(0))) == [3 * 48_000]
    assert ticks(shaper.take(audio(960))) == [3 * 48_000 + 960]
    # A loop in one source, with no restart said.
    clock.now += 0.04
    (begun,) = ticks(shaper.take(audio(0)))
    assert begun is not None
    assert begun >= 3 * 48_000 + 1920


def test_audio_may_change_its_format() -> None:
    shaper = AudioShaper(Clock())
    assert ticks(shaper.take(audio(0, samples=1000))) == [0]
    assert ticks(shaper.take(audio(1000, layout="stereo"))) == [1000]
    assert ticks(shaper.take(audio(654, samples=640, rate=16_000))) == [1960]


@pytest.mark.parametrize("shaper", [AudioShaper(Clock()), VideoShaper(Clock())])
def test_what_cannot_be_sent(shaper: AudioShaper | VideoShaper) -> None:
    wrong = video(0) if isinstance(shaper, AudioShaper) else audio(0)
    for data in (wrong, None, b"bytes"):
        with pytest.raises(Unsuitable, match="track cannot send"):
            shaper.take(data)


def test_video_with_good_times_is_not_touched() -> None:
    shaper = VideoShaper(Clock())
    for number in range(5):
        frame = video(number, base=Fraction(1, 25))
        assert shaper.take(frame) == [frame]
        assert (frame.pts, frame.time_base) == (number, Fraction(1, 25))


def test_a_frame_of_somebody_else_is_never_changed() -> None:
    clock = Clock()
    shaper = VideoShaper(clock)
    shaper.take(video(0))
    clock.now += 2.0
    shaper.restart()
    frame = video(0)
    (copy,) = shaper.take(frame)
    assert copy is not frame
    assert frame.pts == 0
    assert (copy.pts, copy.time_base) == (180_000, Fraction(1, 90_000))
    assert isinstance(copy, av.VideoFrame)
    assert np.array_equal(copy.to_ndarray(), frame.to_ndarray())


@pytest.mark.parametrize(("form", "size"), [("rgb24", 64), ("yuv420p", 70), ("gray", 64)])
def test_a_copy_has_the_same_picture(form: str, size: int) -> None:
    shaper, encoder = VideoShaper(Clock()), Vp8Encoder()
    shaper.take(video(0, form=form, size=size))
    again = video(0, form=form, size=size)
    (copy,) = shaper.take(again)
    assert isinstance(copy, av.VideoFrame)
    assert copy.format.name == "yuv420p"
    assert np.array_equal(copy.to_ndarray(), again.reformat(format="yuv420p").to_ndarray())
    assert copy.pts == 1
    assert encoder.encode(copy)[0]


def test_video_without_times_gets_those_of_the_clock() -> None:
    clock = Clock()
    shaper = VideoShaper(clock)
    out = []
    for _ in range(3):
        out += shaper.take(video(None))
        clock.now += 0.1
    assert ticks(out) == [0, 9_000, 18_000]


def test_video_times_always_rise() -> None:
    shaper = VideoShaper(Clock())
    out = [each for pts in (0, 10, 10, 5, 11) for each in shaper.take(video(pts))]
    values = [pts for pts in ticks(out) if pts is not None]
    assert values == sorted(set(values))
    assert len(values) == 5


@pytest.mark.parametrize(
    ("source", "limit", "kept"), [(30, 10.0, 10), (25, 25.0, 25), (25, 30.0, 25), (30, 20.0, 20)]
)
def test_frames_above_the_limit_are_left_out(source: int, limit: float, kept: int) -> None:
    shaper = VideoShaper(Clock())
    shaper.max_framerate = limit
    out = [
        each
        for number in range(source * 4)
        for each in shaper.take(video(number, base=Fraction(1, source)))
    ]
    assert len(out) == pytest.approx(kept * 4, abs=2)


def test_packets_pass_with_times_that_rise() -> None:
    clock = Clock()

    def packet(pts: int, rate: int) -> av.Packet[Stream]:
        made = av.Packet(b"encoded")
        made.pts, made.time_base = pts, Fraction(1, rate)
        return made

    for shaper, rate in ((AudioShaper(clock), 48_000), (VideoShaper(clock), 90_000)):
        (first,) = shaper.take(packet(5, rate))
        (second,) = shaper.take(packet(5, rate))
        assert (first.pts, bytes(first)) == (5, b"encoded")  # type: ignore[arg-type]  # a packet
        assert second.pts is not None
        assert second.pts > 5
