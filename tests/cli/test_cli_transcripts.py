"""`kitwire join --record` and `kitwire replay` in this process, and files that fail."""

from __future__ import annotations

import io
import json
from pathlib import Path
from time import monotonic

import pytest

from kitwire import transcript_header
from kitwire.errors import CloseReason, Origin, Reason
from kitwire.events import Closed
from kitwire.session.session import Session
from kitwire_cli import app
from kitwire_cli.interrupts import Switch
from kitwire_cli.loops import Plan
from kitwire_cli.report import Report
from kitwire_cli.terminal import Secrets
from kitwire_cli.transcripts import Recorder
from tests.cli.samples import event_from, official

TOKEN = "hush-hush-hush"
JOIN = ["join", "ws://localhost:7880", "--token", TOKEN]
JOINED = event_from(official("join"))


def run(*arguments: str) -> int:
    return app.run(arguments, {}, started=monotonic())


def living(plan: Plan, report: Report, switch: Switch) -> None:
    """Live a short life with the plan's config, and leave."""
    session = Session(plan.config)
    session.connect(now=1.0)
    report.on_event(JOINED)
    session.close(now=2.0)
    report.on_event(Closed(reason=LEFT))


LEFT = CloseReason(
    origin=Origin.LOCAL, reason=Reason.CLIENT_INITIATED, detail="left", retryable=False
)


@pytest.fixture(autouse=True)
def lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "RUNNERS", {"asyncio": living})


def test_what_was_recorded_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("what was there before")
    assert run(*JOIN, "--path", "v0", "--record", str(path)) == 0
    first, *records = [json.loads(line) for line in path.read_text().splitlines()]
    assert (first["config"]["url"], first["config"]["path"]) == ("ws://localhost:7880", "v0")
    names = [record["name"] for record in records]
    assert names == ["connect", "OpenLink", "close", "CloseLink", "Closed"]
    capsys.readouterr()
    assert run("replay", str(path)) == 0
    assert capsys.readouterr() == ("no difference\n", "")


def test_a_difference_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    assert run(*JOIN, "--record", str(path)) == 0
    lines = path.read_text().splitlines()
    changed = lines[-1].replace("CANCELLED", "CANCELED")
    path.write_text("\n".join([*lines[:-1], changed]))
    capsys.readouterr()
    assert run("replay", str(path)) == 1
    shown = capsys.readouterr()
    assert shown.out == f"expected  {changed}\ngot       {lines[-1]}\n"
    assert shown.err == f'error: "{path}" differs in line 6, fields.reason.reason\n'
    path.write_text("\n".join([*lines, lines[-1]]))
    assert run("replay", str(path)) == 1
    shown = capsys.readouterr()
    assert shown.out.endswith("got       nothing\n")
    assert shown.err == f'error: "{path}" differs in line 7\n'


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("dear all", "cannot be replayed: line 1: not JSON, or cut off"),
        ("\xff", "cannot be replayed: line 1: not JSON, or cut off"),
        ('{"kitwire_transcript": 2}', "cannot be replayed: line 1: a transcript of version 2; "),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_replayed(
    content: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.jsonl"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    assert run("replay", str(path)) == 2
    assert capsys.readouterr().err.startswith(f'error: "{path}" {complaint}')


def test_a_transcript_that_cannot_be_written_joins_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "x.jsonl"
    assert run(*JOIN, "--record", str(path)) == 2
    shown = capsys.readouterr()
    complaint = f'error: --record "{path}" cannot be written: No such file or directory\n'
    assert (shown.out, shown.err) == ("", complaint)


def test_a_wrong_command_line_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("precious")
    assert run("join", "ftp://x", "--token", "t", "--record", str(path)) == 2
    assert path.read_text() == "precious"


class Full(io.StringIO):
    """A file on a disk that has room for some lines only."""

    def __init__(self, lines: int, *, when_closed: bool = False) -> None:
        super().__init__()
        self.lines = lines
        self.when_closed = when_closed
        self.kept = ""

    def write(self, text: str) -> int:
        if not self.lines:
            raise OSError(28, "No space left on device")
        self.lines -= 1
        self.kept += text
        return len(text)

    def close(self) -> None:
        if self.when_closed:
            raise OSError(5, "Input/output error")


@pytest.mark.parametrize("lines", range(3))
def test_a_disk_that_is_full_ends_the_transcript_and_not_the_stay(
    lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = Full(lines)
    monkeypatch.setattr(Path, "open", lambda self, mode="r", **_: disk if mode == "w" else DEVNULL)
    assert run(*JOIN, "--record", "x.jsonl") == 1
    shown = capsys.readouterr()
    assert "left the room" in shown.out
    assert shown.err == "error: the transcript is incomplete: No space left on device\n"
    assert disk.kept.count("\n") == lines


DEVNULL = io.StringIO()


def test_a_stay_that_failed_keeps_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = CloseReason(origin=Origin.LINK, reason=Reason.LINK_LOST, detail="", retryable=True)

    def failing(plan: Plan, report: Report, switch: Switch) -> None:
        recorder = plan.options["trace"]
        assert isinstance(recorder, Recorder)
        recorder.failure = OSError()
        switch.pull(interrupted)
        report.on_event(Closed(reason=lost))

    monkeypatch.setattr(app, "RUNNERS", {"asyncio": failing})
    interrupted = 0
    assert run(*JOIN, "--record", str(tmp_path / "x.jsonl")) == 4
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error: the connection was lost")
    assert second == "error: the transcript is incomplete: unknown error"
    interrupted = 2
    assert run(*JOIN, "--record", str(tmp_path / "x.jsonl")) == 130
    assert capsys.readouterr().err == f"{second}\n"


def test_a_file_that_fails_at_its_end_is_incomplete() -> None:
    file = Full(3, when_closed=True)
    recorder = Recorder(file, Secrets(TOKEN))
    recorder.begin(Plan(url="ws://x", token=TOKEN, options={}).config)
    recorder.close()
    assert recorder.complaint == "the transcript is incomplete: Input/output error"


def test_a_token_that_looks_like_none_is_not_in_it_either() -> None:
    file = Full(10)
    plan = Plan(url="ws://x", token=TOKEN, options={"metadata": f"mine: {TOKEN}"})
    recorder = Recorder(file, Secrets(TOKEN))
    recorder.begin(plan.config)
    assert "mine: <redacted>" in file.kept
    assert TOKEN not in file.kept
    assert TOKEN in transcript_header(plan.config)
