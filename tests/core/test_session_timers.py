"""The table of timers, and what a real session waits for at every step of its life."""

from __future__ import annotations

import pytest

from kitwire.config import Timeouts
from kitwire.session.phases import Phase
from kitwire.session.timers import Timer, TimerTable
from tests.peers.frames import join
from tests.peers.lives import SessionLife, configured


def test_an_empty_table_waits_for_nothing() -> None:
    table = TimerTable()
    assert table.next() == (None, None)
    assert table.pop_due(float("inf")) is None


def test_the_earliest_is_next_and_due_ones_come_in_order() -> None:
    table = TimerTable()
    table.set(Timer.JOIN, 3.0)
    table.set(Timer.PING, 1.0)
    table.set(Timer.REQUEST, 2.0)
    assert table.next() == (Timer.PING, 1.0)
    assert table.pop_due(0.999) is None
    assert table.pop_due(2.5) == (Timer.PING, 1.0)
    assert table.pop_due(2.5) == (Timer.REQUEST, 2.0)
    assert table.pop_due(2.5) is None
    assert table.next() == (Timer.JOIN, 3.0)


def test_a_deadline_that_is_now_is_due() -> None:
    table = TimerTable()
    table.set(Timer.OPEN, 5.0)
    assert table.pop_due(5.0) == (Timer.OPEN, 5.0)


def test_setting_moves_stopping_disarms_and_clearing_disarms_all() -> None:
    table = TimerTable()
    table.set(Timer.OPEN, 5.0)
    table.set(Timer.OPEN, 9.0)
    assert table.next() == (Timer.OPEN, 9.0)
    table.stop(Timer.OPEN)
    table.stop(Timer.OPEN)
    assert table.next() == (None, None)
    table.set(Timer.OPEN, 1.0)
    table.set(Timer.JOIN, 1.0)
    table.clear()
    assert table.next() == (None, None)


TIMEOUTS = Timeouts(open=15, join=5, validate=3, close=1, negotiation=11)

WAITS = {
    Phase.IDLE: (None, None),
    Phase.PREPARING: (Timer.NEGOTIATION, 11.0),
    Phase.OPENING: (Timer.OPEN, 15.0),
    Phase.VALIDATING: (Timer.VALIDATE, 3.0),
    Phase.JOINING: (Timer.JOIN, 5.0),
    Phase.JOINED: (Timer.PING, 5.0),
    Phase.SETTLING: (Timer.PING, 5.0),
    Phase.WAITING: (Timer.RETRY, 0.3),
    Phase.CLOSING: (Timer.CLOSE, 1.0),
    Phase.CLOSED: (None, None),
}


@pytest.mark.parametrize("phase", Phase)
def test_deadline_and_its_reason_in_every_phase(phase: Phase) -> None:
    life = SessionLife(configured(timeouts=TIMEOUTS), now=7.0)
    life.reach(phase)
    reason, seconds = WAITS[phase]
    assert life.session.deadline_reason is reason
    assert life.session.deadline == (None if seconds is None else 7.0 + seconds)


def test_the_reason_follows_every_step_of_a_life() -> None:
    life = SessionLife(now=0.0)
    seen: list[tuple[Timer | None, float | None]] = []

    def look() -> None:
        seen.append((life.session.deadline_reason, life.session.deadline))

    look()
    life.connect()
    look()
    life.now = 1.0
    life.open()
    look()
    life.now = 2.0
    life.hear(join(ping_interval=5, ping_timeout=15))
    look()
    life.now = 3.0
    life.session.update_metadata(name="x", now=life.now)
    look()  # The ping comes before the request's end at 8.
    life.wait(4.0)
    look()
    life.wait(1.0)
    look()  # The request has failed; the next ping is due.
    life.close()
    look()
    life.wait(1.0)
    look()
    assert seen == [
        (None, None),
        (Timer.OPEN, 15.0),
        (Timer.JOIN, 6.0),
        (Timer.PING, 7.0),
        (Timer.PING, 7.0),
        (Timer.REQUEST, 8.0),
        (Timer.PING, 12.0),
        (Timer.CLOSE, 9.0),
        (None, None),
    ]


def test_the_silence_is_a_reason_too() -> None:
    life = SessionLife(now=0.0)
    life.connect()
    life.open()
    life.hear(join(ping_interval=20, ping_timeout=15))
    assert (life.session.deadline_reason, life.session.deadline) == (Timer.SILENCE, 15.0)


@pytest.mark.parametrize("phase", Phase)
def test_a_timeout_that_is_not_due_does_nothing(phase: Phase) -> None:
    life = SessionLife()
    life.reach(phase)
    before = (life.session.phase, life.session.deadline, life.session.deadline_reason)
    life.session.handle_timeout(now=life.now + 0.2)
    assert (life.session.phase, life.session.deadline, life.session.deadline_reason) == before
    assert life.take() == []


@pytest.mark.parametrize("phase", Phase)
def test_time_that_goes_backwards_counts_as_standing_still(phase: Phase) -> None:
    life = SessionLife(now=1000.0)
    life.reach(phase)
    life.session.handle_timeout(now=life.now)
    before = life.session.deadline
    for past in (999.0, 0.0, -1e9, float("-inf"), float("nan")):
        life.session.handle_timeout(now=past)
    assert life.session.deadline == before
    assert life.take() == []
    if phase is Phase.IDLE:
        life.session.connect(now=-5.0)
        assert life.session.deadline == 1015.0


def test_time_may_begin_below_zero() -> None:
    life = SessionLife(now=-50.0)
    life.connect()
    assert life.session.deadline == -35.0
    life.wait(15.0)
    assert life.reason.reason == "OPEN_TIMEOUT"
