"""The generated pages are those that the code of this commit generates."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from docs.generator import command, text
from docs.generator.state_machine_page import diagram
from kitwire import errors, events, messages
from kitwire.config import Limits, Timeouts
from kitwire.session.phases import TRANSITIONS, Phase, Trigger
from kitwire.session.timers import Timer
from kitwire_cli.exit_codes import ExitCode

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return command.generated()


def test_the_pages_are_current(pages: dict[str, str]) -> None:
    assert command.drift(pages) == "", "run `python docs/generate.py`"


def test_the_command_checks_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in command.generated():
        shutil.copy(DOCS / name, tmp_path)
    (tmp_path / "events.md").write_text("old\n")
    monkeypatch.setattr(command, "DOCS", tmp_path)
    monkeypatch.setattr(command.drift, "__defaults__", (tmp_path,))

    assert command.main(["--check"]) == 1
    shown = capsys.readouterr().out
    assert "-old\n" in shown
    assert "+# Events\n" in shown
    assert (tmp_path / "events.md").read_text() == "old\n"

    assert command.main([]) == 0
    assert command.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_the_script_runs_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(DOCS / "generate.py"), "--check"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- what the pages hold, by other sources than the generator's ---


def test_every_event_and_each_of_its_fields_is_described(pages: dict[str, str]) -> None:
    page = pages["events.md"]
    for event in get_args(events.Event):
        section = page.partition(f"### {event.__name__}\n")[2].partition("\n### ")[0]
        for field in fields(event):
            assert f"| `{field.name}` |" in section, f"{event.__name__}.{field.name}"


def test_every_member_of_signal_response_is_listed(pages: dict[str, str]) -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| `(\w+)` \|", pages["events.md"])
    official = {
        field.name: str(field.metadata["betterproto"].number)
        for field in fields(messages.SignalResponse)
        if "betterproto" in field.metadata
    }
    assert {name: number for number, name in rows} == official
    assert len(rows) == 30


@pytest.mark.parametrize(
    "enum", [errors.Reason, errors.Origin, errors.FailureReason, errors.DialError]
)
def test_every_reason_is_listed(
    pages: dict[str, str], enum: type[errors.Reason | errors.Origin]
) -> None:
    for member in enum:
        assert f"`{member.name}`" in pages["errors.md"]


def test_every_exit_code_is_listed(pages: dict[str, str]) -> None:
    for code in ExitCode:
        assert f"| {int(code)} | `{code.name}` |" in pages["errors.md"]


def test_every_request_is_listed(pages: dict[str, str]) -> None:
    """The 22 requests without leave, and without those that the gate lets pass."""
    listed = re.findall(r"(?m)^\| `(\w+)` \| (?:with|when) ", pages["errors.md"])
    passing = {"offer", "answer", "trickle", "sync_state", "simulate", "ping", "ping_req"}
    requests = {each.name for each in fields(messages.SignalRequest)} - {"_unknown_fields"}
    assert len(set(listed)) == len(listed) == len(requests - passing - {"leave"})


def test_every_setting_is_listed(pages: dict[str, str]) -> None:
    together = pages["errors.md"] + pages["state-machine.md"]
    for group in (Timeouts, Limits):
        for field in fields(group):
            assert f"| `{field.name}` |" in together


def test_the_diagram_has_every_transition_once() -> None:
    drawn = {
        (Phase[source], Trigger[trigger]): Phase[target]
        for source, target, labels in re.findall(r"(?m)^ +(\w+) --> (\w+) : (.+)$", diagram())
        for trigger in labels.split(" / ")
    }
    assert drawn == dict(TRANSITIONS)


def test_every_timer_is_listed(pages: dict[str, str]) -> None:
    for timer in Timer:
        assert f"| `{timer.name}` |" in pages["state-machine.md"]


# --- the generator's parts ---


def test_markup_becomes_markdown() -> None:
    links = {"Closed": "events.md#closed"}.get
    assert text.markdown("``a`` and :class:`~kitwire.events.Closed`", links) == (
        "`a` and [`Closed`](events.md#closed)"
    )
    assert text.markdown(":meth:`close`", links) == "`close`"


def test_lists_of_attributes_become_lists() -> None:
    doc = "First\nline.\n\nAttributes:\n    one: the first, which\n        goes on.\n    two: b."
    assert text.paragraphs(doc, lambda name: None) == (
        "First line.\n\nAttributes:\n\n- `one`: the first, which goes on.\n- `two`: b."
    )


def test_cells_hold_no_bar_and_no_line_break() -> None:
    assert text.table(("A",), [("x |\ny",)]) == "| A |\n| --- |\n| x \\| y |\n"
