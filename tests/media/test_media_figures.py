"""What rooms with media cost, beside LiveKit's own SDK in the same run.

Ratios are tested. The absolute figures are printed; `make bench-media` makes a table of them.
"""

from __future__ import annotations

import statistics
from typing import Final

import pytest

from bench.media.figures import LOADS, joining, load, memory, round_trips
from tests.interop.livekit_server import LiveKitServer

pytestmark = [pytest.mark.livekit, pytest.mark.slow]


def show(line: str) -> None:
    """A figure."""
    print(line)  # noqa: T201


DEBOUNCE: Final = 0.15
"""Seconds for which a server that has just negotiated waits before it does so again (livekit
pkg/rtc/transport.go): some first frames of twenty meet that, whoever joins."""


def test_connecting_and_the_first_frame_come_sooner(livekit: LiveKitServer) -> None:
    joined = joining(livekit)
    show(f"\n{joined}")
    ours, theirs = joined["kitwire"], joined["official"]
    for one, other, late in (
        (ours.connected, theirs.connected, 0.0),
        (ours.first_frame, theirs.first_frame, DEBOUNCE),
    ):
        assert one.p50 < other.p50
        # The second slowest of twenty says less.
        assert one.p95 < 1.2 * other.p95 + late


@pytest.mark.parametrize(("audio", "video"), LOADS)
def test_receiving_takes_no_more_of_the_processor(
    livekit: LiveKitServer, audio: int, video: int
) -> None:
    seconds = 5.0
    used = load(livekit, audio=audio, video=video, seconds=seconds)
    show(f"\n{used}")
    for each in used.values():
        assert len(each.frames) == audio + video
        whole = [count for count in each.frames.values() if count > 1000]
        assert len(whole) == audio
        assert min(whole, default=seconds * 48_000) >= 0.98 * seconds * 48_000
    # What a clock of both cannot tell apart.
    assert used["kitwire"].cpu <= 1.05 * used["official"].cpu


def test_media_does_not_make_signaling_late(livekit: LiveKitServer) -> None:
    busy, idle = round_trips(livekit)
    show(f"\nwith eight tracks: {busy}\nwithout media: {idle}")
    assert busy.p99 < max(0.05, 2 * idle.p99)


def test_memory_stays_over_fifty_publications(livekit: LiveKitServer) -> None:
    series = memory(livekit)
    show(f"\nkB: {[each // 1024 for each in series]}")
    assert len(series) == 50
    assert statistics.mean(series[-10:]) < 1.02 * statistics.mean(series[10:20])
