"""Pings, round trips and silence: the arithmetic alone, then within a session."""

from __future__ import annotations

import pytest
from livekit.protocol import rtc

from kitwire.errors import Origin
from kitwire.events import PongReceived
from kitwire.session.keepalive import KeepAlive, milliseconds
from kitwire.session.phases import Phase
from kitwire.session.timers import Timer, TimerTable
from tests.peers.frames import join
from tests.peers.lives import SessionLife

# --- Alone ---


def started(interval: float = 5, timeout: float = 15, now: float = 0.0) -> KeepAlive:
    keepalive = KeepAlive(TimerTable())
    assert keepalive.start(interval=interval, timeout=timeout, now=now) is (interval > 0)
    return keepalive


def test_starting_arms_the_silence_and_pinging_the_next_ping() -> None:
    timers = TimerTable()
    keepalive = KeepAlive(timers)
    assert keepalive.start(interval=5, timeout=15, now=100.0)
    assert timers.next() == (Timer.SILENCE, 115.0)
    keepalive.ping(100.0)
    assert timers.next() == (Timer.PING, 105.0)


@pytest.mark.parametrize(
    ("late", "following"), [(0.0, 10.0), (1.25, 10.0), (5.0, 15.0), (60.0, 70.0)]
)
def test_a_ping_that_is_late_leaves_the_next_where_it_was(late: float, following: float) -> None:
    """Or thousands of sessions that one pause has held up ping together ever after."""
    timers = TimerTable()
    keepalive = KeepAlive(timers)
    keepalive.start(interval=5, timeout=0, now=0.0)
    keepalive.ping(0.0)
    assert timers.pop_due(5.0 + late) == (Timer.PING, 5.0)
    keepalive.ping(5.0 + late, due=5.0)
    assert timers.next() == (Timer.PING, following)


@pytest.mark.parametrize("interval", [0, -1, -(2**31)])
@pytest.mark.parametrize("timeout", [15, 0, -1])
def test_without_an_interval_there_is_no_keep_alive(interval: float, timeout: float) -> None:
    timers = TimerTable()
    keepalive = KeepAlive(timers)
    assert not keepalive.start(interval=interval, timeout=timeout, now=0.0)
    keepalive.heard(1.0)
    keepalive.ping(2.0)
    assert timers.next() == (None, None)


@pytest.mark.parametrize("timeout", [0, -1])
def test_without_a_timeout_there_are_pings_and_no_silence(timeout: float) -> None:
    timers = TimerTable()
    keepalive = KeepAlive(timers)
    assert keepalive.start(interval=5, timeout=timeout, now=0.0)
    keepalive.ping(0.0)
    keepalive.heard(1.0)
    assert timers.pop_due(1e9) == (Timer.PING, 5.0)
    assert timers.next() == (None, None)


def test_a_round_trip_is_measured_once_and_told_in_the_next_ping() -> None:
    keepalive = started()
    ping = keepalive.ping(10.0)
    assert (ping.timestamp, ping.rtt) == (10_000, 0)
    assert keepalive.answered(10_000, 10.25) == 0.25
    assert keepalive.rtt == 0.25
    assert keepalive.answered(10_000, 10.5) is None
    assert keepalive.ping(15.0).rtt == 250


@pytest.mark.parametrize("echo", [0, -1, 10_001, 2**63 - 1, -(2**63)])
def test_an_echo_of_no_ping_of_ours_measures_nothing(echo: int) -> None:
    keepalive = started()
    keepalive.ping(10.0)
    assert keepalive.answered(echo, 11.0) is None
    assert keepalive.rtt is None


def test_unanswered_pings_are_forgotten_in_the_end() -> None:
    keepalive = started()
    for second in range(9):
        keepalive.ping(float(second))
    assert keepalive.answered(0, 9.0) is None
    assert keepalive.answered(1000, 9.0) == 8.0


def test_milliseconds_are_whole() -> None:
    assert [milliseconds(now) for now in (0.0, 0.0009, 1.9999, -1.5)] == [0, 0, 1999, -1500]


def test_silence_is_the_end_unless_nobody_was_there_to_hear() -> None:
    timers = TimerTable()
    keepalive = KeepAlive(timers)
    keepalive.start(interval=5, timeout=15, now=0.0)
    assert keepalive.gives_up(15.0, 15.0)
    assert keepalive.gives_up(15.0, 15.999)
    assert not keepalive.gives_up(15.0, 16.0)
    assert timers.next() == (Timer.SILENCE, 21.0)
    # One grace for one silence: a loop that is always late must notice a dead link too.
    assert keepalive.gives_up(21.0, 23.0)
    keepalive.heard(30.0)
    assert not keepalive.gives_up(45.0, 50.0)


# --- In a session ---


def test_the_first_ping_goes_out_with_the_join() -> None:
    life = SessionLife(now=12.5)
    life.reach(Phase.JOINED)
    assert life.said == ["ping_req"]
    assert life.requests[0].ping_req == rtc.Ping(timestamp=12_500)


def test_pings_go_out_at_the_interval_that_the_server_gave() -> None:
    life = SessionLife(now=0.0)
    life.connect()
    life.open()
    life.hear(join(ping_interval=3, ping_timeout=100))
    life.wait(10.0)
    assert [request.ping_req.timestamp for request in life.requests] == [0, 3000, 6000, 9000]


def test_the_round_trip_is_an_event_and_the_next_ping_reports_it() -> None:
    life = SessionLife(now=100.0)
    life.reach(Phase.JOINED)
    life.now = 100.125
    life.hear(
        rtc.SignalResponse(pong_resp=rtc.Pong(last_ping_timestamp=100_000, timestamp=1_795_000_000))
    )
    assert life.events[-1] == PongReceived(
        last_ping_timestamp=100_000, timestamp=1_795_000_000, rtt=0.125
    )
    life.wait(5.0)
    assert life.requests[-1].ping_req == rtc.Ping(timestamp=105_000, rtt=125)


def test_a_ping_of_ones_own_is_measured_like_the_others() -> None:
    life = SessionLife(now=0.0)
    life.connect()
    life.open()
    life.hear(join(ping_interval=0))
    assert life.said == []
    life.now = 1.0
    life.session.send_ping_req(now=life.now)
    assert life.session.deadline is None
    life.now = 1.5
    life.hear(rtc.SignalResponse(pong_resp=rtc.Pong(last_ping_timestamp=1000)))
    assert life.events[-1] == PongReceived(last_ping_timestamp=1000, timestamp=0, rtt=0.5)


# Everything that arrives is a sign of life, whatever it says.
SIGNS_OF_LIFE: dict[str, bytes | str] = {
    "pong": rtc.SignalResponse(pong_resp=rtc.Pong()).SerializeToString(),
    "another message": rtc.SignalResponse(refresh_token="t").SerializeToString(),
    "text": '{"refreshToken": "t"}',
    "unknown": b"\xfa\x3f\x00",
    "empty": b"",
    "malformed": b"\x0a\xff",
}


@pytest.mark.parametrize("sign", SIGNS_OF_LIFE)
def test_whatever_arrives_ends_the_silence(sign: str) -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINED)
    life.wait(14.9)
    life.hear_frame(SIGNS_OF_LIFE[sign])
    life.wait(14.9)
    assert life.session.phase is Phase.JOINED
    life.wait(0.2)
    assert life.reason.reason == "PING_TIMEOUT"


def test_silence_ends_the_session() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINED)
    life.wait(14.999)
    assert not life.session.closed
    life.wait(0.001)
    reason = life.reason
    assert (reason.origin, reason.reason, reason.retryable) == (
        Origin.TIMEOUT,
        "PING_TIMEOUT",
        True,
    )


def test_a_loop_that_was_held_up_pings_once_more_before_it_gives_up() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINED)
    life.oversleep(3600.0)
    assert life.session.phase is Phase.JOINED
    assert life.requests[-1].ping_req.timestamp == 3_600_000
    life.wait(4.9)
    life.hear(rtc.SignalResponse(pong_resp=rtc.Pong(last_ping_timestamp=3_600_000)))
    life.wait(14.9)
    assert life.session.phase is Phase.JOINED


def test_the_grace_lasts_one_interval() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINED)
    life.oversleep(3600.0)
    life.wait(4.9)
    assert life.session.phase is Phase.JOINED
    life.wait(0.2)
    assert life.reason.reason == "PING_TIMEOUT"


def test_a_loop_that_is_always_late_notices_a_dead_link() -> None:
    """One that only looks every two seconds is late by a second each time."""
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINED)
    for _ in range(30):
        life.oversleep(2.0)
    assert life.reason.reason == "PING_TIMEOUT"


@pytest.mark.parametrize(
    ("interval", "timeout"), [(0, 15), (-1, 15), (5, 0), (5, -1), (0, 0), (-(2**31), -(2**31))]
)
def test_a_server_that_names_no_times_is_never_timed_out(interval: int, timeout: int) -> None:
    life = SessionLife(now=0.0)
    life.connect()
    life.open()
    life.hear(join(ping_interval=interval, ping_timeout=timeout))
    life.wait(100.0)
    assert life.session.phase is Phase.JOINED
    assert len(life.said) == (21 if interval > 0 else 0)


def test_nothing_is_pinged_after_leaving() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.CLOSING)
    life.hear(rtc.SignalResponse(refresh_token="t"))
    assert life.session.deadline_reason is Timer.CLOSE
    life.wait(100.0)
    assert life.said == ["ping_req", "leave"]
