"""Signals and the switch that they pull."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kitwire_cli.interrupts import Switch, interrupts


def test_a_switch_calls_once() -> None:
    switch = Switch()
    calls: list[str] = []
    with switch.bound(lambda: calls.append("asked")):
        assert not switch.pulled
        switch.pull(2)
        switch.pull(15)
    assert calls == ["asked"]
    assert (switch.pulled, switch.signal) == (True, 2)


def test_a_switch_pulled_early_calls_when_bound() -> None:
    switch = Switch()
    switch.pull()
    calls: list[str] = []
    with switch.bound(lambda: calls.append("asked")):
        assert calls == ["asked"]
    assert switch.signal == 0


def test_a_switch_that_is_not_bound_any_more_calls_nobody() -> None:
    switch = Switch()
    calls: list[str] = []
    with switch.bound(lambda: calls.append("asked")):
        pass
    switch.pull()
    assert calls == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_pull_the_switch_and_come_back_to_whoever_had_them(number: int) -> None:
    before = signal.getsignal(number)
    switch = Switch()
    with interrupts(switch):
        os.kill(os.getpid(), number)
        assert switch.signal == number
    assert signal.getsignal(number) == before


def test_a_signal_after_another_reason_to_leave_is_remembered() -> None:
    switch = Switch()
    with interrupts(switch):
        switch.pull()
        os.kill(os.getpid(), signal.SIGINT)
    assert switch.signal == signal.SIGINT


def test_a_second_signal_ends_at_once() -> None:
    program = (
        "import os, signal\n"
        "from kitwire_cli.interrupts import Switch, interrupts\n"
        "with interrupts(Switch()):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still here', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('not any more')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (143, "still here\n")
