"""What the codec was made for: `make bench` prints all of it, here is what must not be lost.

`make test-slow` measures the pure codec, `make test-compiled` the compiled one. Only ratios of
turns that were taken one after the other count: a machine that is slow is slow for everybody.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from bench.wire.figures import COPIED, PEER, Timings, geometric_mean, timings
from kitwire.codec import implementation

pytestmark = pytest.mark.slow

READ: Final = {"pure": (10.0, 6.0), "compiled": (40.0, 20.0)}
"""Codec → how many times as long betterproto2 takes, in the mean and for each frame at least.

Of compiled code's reading a join of 500 is half Python's collector, which looks at objects all over
the memory: it stands at thirty, and has been at 25 where others had the machine's caches.
"""
WRITTEN: Final = {"pure": (10.0, 6.0), "compiled": (30.0, 20.0)}
"""The same for what is written; half of an offer of 6 kB is two copies of it, at thirty."""
COPYING: Final = {"pure": 1.2, "compiled": 0.35}
"""What reading takes of the time in which google.protobuf parses and its messages are copied."""


@pytest.fixture(scope="module")
def measured() -> Timings:
    """Of the codec that the tests run with."""
    pure = implementation == "pure"
    return timings(None if pure else Path(os.environ["PYTHONPATH"]).resolve(), processes=1)


@pytest.mark.parametrize(("action", "limits"), [("decode", READ), ("encode", WRITTEN)])
def test_frames_cost_a_fraction_of_what_they_cost_betterproto2(
    measured: Timings, action: str, limits: dict[str, tuple[float, float]]
) -> None:
    mean, least = limits[implementation]
    ratios = measured.ratios(action, PEER)
    assert geometric_mean(ratios) >= mean, ratios
    assert min(ratios) >= least, ratios


def test_typed_objects_come_as_fast_as_copies_of_what_upb_parsed(measured: Timings) -> None:
    ratios = measured.ratios("decode", COPIED)
    assert 1 / geometric_mean(ratios) <= COPYING[implementation], ratios
