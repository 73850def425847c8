"""The three runners of the command in this process: who ends them, and what they report."""

from __future__ import annotations

import io
import json
import select
import selectors
import socket
import threading
from collections.abc import Callable

import pytest

from kitwire.config import Timeouts
from kitwire.events import Event, Joined
from kitwire_cli.interrupts import Switch
from kitwire_cli.loops import RUNNERS, Plan
from kitwire_cli.report import Report, as_json
from kitwire_cli.terminal import Secrets
from tests.interop.livekit_server import LiveKitServer
from tests.interop.participants import LoopName


class Watched(Report):
    """A report that lets a test act on events."""

    def __init__(self, act: Callable[[Event], object] = lambda _: None) -> None:
        self.out = io.StringIO()
        super().__init__(as_json(Secrets()), self.out, lambda: 0.0, lambda: None)
        self.act = act

    def on_event(self, event: Event) -> None:
        super().on_event(event)
        self.act(event)

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.out.getvalue().splitlines()]

    @property
    def end(self) -> str:
        return "" if self.closed is None else self.closed.reason.value


def plan(url: str, token: str, duration: float | None = None) -> Plan:
    options = Timeouts(open=0.5)
    return Plan(url=url, token=token, options={"timeouts": options}, duration=duration)


@pytest.mark.parametrize("duration", [0.0, 0.05])
def test_leaving_in_time(
    livekit: LiveKitServer, room_name: str, loop: LoopName, duration: float
) -> None:
    report = Watched()
    stay = plan(livekit.url, livekit.token("carol", room_name), duration)
    RUNNERS[loop](stay, report, Switch())
    assert report.end == "CLIENT_INITIATED"
    assert (report.events[0], report.events[-1]) == ("joined", "closed")
    assert report.events.count("closed") == 1


def test_leaving_when_asked_from_elsewhere(
    livekit: LiveKitServer, room_name: str, loop: LoopName
) -> None:
    switch = Switch()

    def ask(event: Event) -> None:
        if isinstance(event, Joined):
            threading.Timer(0.05, switch.pull).start()

    report = Watched(ask)
    RUNNERS[loop](plan(livekit.url, livekit.token("carol", room_name)), report, switch)
    assert report.end == "CLIENT_INITIATED"


def test_leaving_when_asked_from_inside(
    livekit: LiveKitServer, room_name: str, loop: LoopName
) -> None:
    # As when the output is gone; and long before the time that was planned.
    switch = Switch()
    report = Watched(lambda event: switch.pull() if isinstance(event, Joined) else None)
    RUNNERS[loop](plan(livekit.url, livekit.token("carol", room_name), 60.0), report, switch)
    assert report.end == "CLIENT_INITIATED"


def test_a_switch_pulled_before_the_loop_runs(livekit: LiveKitServer, loop: LoopName) -> None:
    switch = Switch()
    switch.pull(2)
    report = Watched()
    RUNNERS[loop](plan(livekit.url, livekit.token("carol", "r")), report, switch)
    assert report.events == ["closed"]
    assert report.end == "CANCELLED"


def test_a_refused_token(livekit: LiveKitServer, loop: LoopName) -> None:
    report = Watched()
    RUNNERS[loop](plan(livekit.url, "no-token"), report, Switch())
    assert report.events == ["closed"]
    assert report.end == "BAD_TOKEN"


def test_a_server_that_never_answers(loop: LoopName) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        report = Watched()
        RUNNERS[loop](plan(f"ws://127.0.0.1:{server.getsockname()[1]}", "t"), report, Switch())
    assert report.events == ["closed"]
    assert report.end == "OPEN_TIMEOUT"


def test_the_room_ends_first(livekit: LiveKitServer, room_name: str, loop: LoopName) -> None:
    def end(event: Event) -> None:
        if isinstance(event, Joined):
            threading.Thread(target=livekit.delete_room, args=(room_name,)).start()

    report = Watched(end)
    RUNNERS[loop](plan(livekit.url, livekit.token("carol", room_name), 60.0), report, Switch())
    assert report.end == "ROOM_DELETED"


def test_a_defect_comes_out(livekit: LiveKitServer, room_name: str, loop: LoopName) -> None:
    def fail(event: Event) -> None:
        raise ZeroDivisionError

    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        RUNNERS[loop](plan(livekit.url, livekit.token("carol", room_name)), Watched(fail), Switch())


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="it is epoll's way that is interrupted")
def test_an_interrupt_amid_the_bare_loop_s_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The selector forgets a socket whose change is interrupted; it is closed all the same."""
    switch = Switch()

    class Interrupted:
        """An epoll object in whose second change the signal comes: the request has been sent."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._changes = 0

        def __getattr__(self, name: str) -> object:
            return getattr(self._epoll, name)

        def modify(self, fd: int, events: int) -> None:
            self._changes += 1
            if self._changes == 2:
                switch.pull(2)
            self._epoll.modify(fd, events)

    monkeypatch.setattr(selectors.EpollSelector, "_selector_cls", Interrupted)
    report = Watched()
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        RUNNERS["bare"](plan(url, "t"), report, switch)
        connection, _ = server.accept()
        with connection:
            received = b""
            while more := connection.recv(65536):
                received += more
    assert received.startswith(b"GET ")
    assert (report.events, report.end) == (["closed"], "CANCELLED")
