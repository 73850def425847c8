"""Lives among faults by a seeded lot; `tests/peers/schedules.py` says what happens and must hold.

CI lives 100,000 of them, some in the quick suite. `KITWIRE_SCHEDULES=1000000 make test-slow
ARGS="-k schedules"` lives a million; a failure names its seed, and `Schedule(seed)` is that life.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.peers.schedules import Schedule, run

QUICK = 1_000
ALL = int(os.environ.get("KITWIRE_SCHEDULES", "100000"))
STEPS = 120
PORTIONS = [range(first, min(first + 5_000, ALL)) for first in range(QUICK, ALL, 5_000)]
"""Of a size that none takes for ever: what hangs is ended after some minutes."""


def live(seeds: range) -> None:
    counts = run(seeds, STEPS)
    print(f"{len(seeds)} schedules: {dict(counts)}")  # noqa: T201
    assert counts["Closed"] == len(seeds)
    # The lot must not end every life before it has begun.
    for name in ("Lost", "Resuming", "Resumed", "Restarting", "Restarted"):
        assert counts[name] > len(seeds) / 20, name
    # Nor may it leave out what is rare.
    assert counts["haunted"] > len(seeds) / 20
    for name in ("reconnect", "join", "leave", "offer", "refresh_token", "None"):
        assert counts[f"first: {name}"] > len(seeds) / 1000, name


def test_quick_schedules() -> None:
    live(range(QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", PORTIONS, ids=str)
def test_all_schedules(seeds: range) -> None:
    live(seeds)


any_schedule = given(st.integers(0, 2**32), st.integers(0, 400))


@settings(max_examples=300)
@any_schedule
def test_any_schedule(seed: int, steps: int) -> None:
    Schedule(seed).live(steps)


@pytest.mark.slow
@settings(max_examples=3_000)
@any_schedule
def test_any_of_some_thousands_of_schedules(seed: int, steps: int) -> None:
    Schedule(seed).live(steps)
