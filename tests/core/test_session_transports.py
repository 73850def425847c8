"""Asking for datagrams, and when a silence has lasted too long, alone."""

from __future__ import annotations

from kitwire.commands import PeerTarget
from kitwire.session.timers import Timer, TimerTable
from kitwire.session.transports import Transports
from tests.peers.media_lives import PUB, SUB


class Stage:
    def __init__(self) -> None:
        self.timers = TimerTable()
        self.asked: list[PeerTarget] = []
        self.transports = Transports(self.timers, timeout=5.0, ask=self.asked.append)

    @property
    def due(self) -> float | None:
        return self.timers.next()[1]


def test_a_transport_is_asked_for_again_a_second_after_it_was_heard() -> None:
    stage = Stage()
    stage.transports.add(PUB, 0.0)
    stage.transports.add(PUB, 0.5)
    assert (stage.asked, stage.due) == ([PUB], 5.0)
    stage.transports.heard(PUB, 2.0)
    assert stage.due == 3.0
    assert stage.transports.timed_out(3.0) is None
    assert (stage.asked, stage.due) == ([PUB, PUB], 7.0)


def test_a_silence_is_told_of() -> None:
    stage = Stage()
    stage.transports.add(PUB, 0.0)
    stage.transports.add(SUB, 0.0)
    stage.transports.heard(PUB, 4.5)
    assert stage.transports.timed_out(4.9) is None
    assert stage.transports.timed_out(5.0) is SUB


def test_a_caller_that_slept_is_given_another_silence() -> None:
    stage = Stage()
    stage.transports.add(PUB, 0.0)
    assert stage.transports.timed_out(60.0) is None
    assert stage.due == 65.0
    assert stage.transports.timed_out(65.0) is PUB


def test_all_are_heard_when_each_was() -> None:
    stage = Stage()
    heard = [stage.transports.all_heard]
    stage.transports.add(PUB, 0.0)
    stage.transports.add(SUB, 0.0)
    for target in (PUB, SUB):
        stage.transports.heard(target, 1.0)
        heard.append(stage.transports.all_heard)
    assert heard == [True, False, True]


def test_what_is_not_watched_is_not_heard() -> None:
    stage = Stage()
    stage.transports.heard(PUB, 1.0)
    assert stage.timers.next() == (None, None)
    stage.transports.add(PUB, 1.0)
    stage.transports.stop()
    assert stage.timers.next() == (None, None)
    assert stage.transports.all_heard
    stage.transports.heard(PUB, 2.0)
    assert stage.timers.next()[0] is not Timer.TRANSPORT
