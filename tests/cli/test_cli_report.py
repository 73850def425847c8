"""Lines as they are written."""

from __future__ import annotations

import io
import json

import jwt
import pytest

from kitwire import events as ev
from kitwire.codec.redaction import MASK
from kitwire_cli.report import Readable, Report, as_json
from kitwire_cli.terminal import Secrets
from tests.cli.samples import CLOSED, event_from, every_event, official

TOKEN = jwt.encode({"sub": "x"}, "k" * 32)


class Terminal(io.StringIO):
    """An output that shows colour."""

    def isatty(self) -> bool:
        return True


def readable(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Readable:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return Readable(out, Secrets("our-own-token"))


def test_a_readable_line_is_time_and_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    render = readable(io.StringIO(), monkeypatch)
    event = ev.ProtocolViolated(detail=f"[bold]saw :smile: {TOKEN} and our-own-token")
    assert render(event, 12.3456) == (
        f"  12.346  the server broke the protocol: [bold]saw :smile: {MASK} and {MASK}\n"
    )


def test_long_lines_are_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    line = readable(io.StringIO(), monkeypatch)(ev.ProtocolViolated(detail="word " * 40), 0)
    assert line.count("\n") == 1


def test_colour_where_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = ev.Closed(reason=CLOSED)
    on_terminal = readable(Terminal(), monkeypatch)
    assert "\x1b[" in on_terminal(closed, 0)
    monkeypatch.setenv("NO_COLOR", "1")
    without = Readable(Terminal(), Secrets())
    assert "\x1b[3" not in without(closed, 0)
    assert "\x1b" not in readable(io.StringIO(), monkeypatch)(closed, 0)


def test_every_event_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for event in every_event():
        render = readable(io.StringIO(), monkeypatch)
        assert len(render(event, 1.0).splitlines()) == 1


def test_a_report_writes_and_remembers() -> None:
    out = io.StringIO()
    times = iter([0.5, 1.5])
    report = Report(as_json(Secrets()), out, lambda: next(times), on_unwritable=lambda: None)
    assert (report.joined, report.closed) == (False, None)
    report.on_event(event_from(official("join")))
    assert report.joined
    report.on_event(ev.Closed(reason=CLOSED))
    assert report.closed == CLOSED
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line["t"]) for line in lines] == [("joined", 0.5), ("closed", 1.5)]


class Gone(io.StringIO):
    """An output that nobody reads any more."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0

    def flush(self) -> None:
        self.attempts += 1
        raise BrokenPipeError(32, "Broken pipe")


def test_an_output_that_is_gone_asks_to_leave_once() -> None:
    out = Gone()
    asked: list[str] = []
    report = Report(
        as_json(Secrets()), out, lambda: 0.0, on_unwritable=lambda: asked.append("leave")
    )
    report.on_event(ev.ProtocolViolated(detail="one"))
    report.on_event(ev.Closed(reason=CLOSED))
    assert asked == ["leave"]
    assert out.attempts == 1
    assert isinstance(report.unwritable, BrokenPipeError)
    assert report.closed == CLOSED
