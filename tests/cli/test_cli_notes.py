"""What the media commands say, as fields and as sentences."""

from __future__ import annotations

import io
import json
from typing import get_args

import pytest

from kitwire import events as ev
from kitwire_cli.exit_codes import ExitCode
from kitwire_cli.notes import (
    Level,
    Note,
    Progress,
    Published,
    Recorded,
    RecordingFailed,
    RecordingStarted,
    Resolution,
    Unpublished,
    note_fields,
    note_name,
    note_sentence,
)
from kitwire_cli.report import Readable, Report, as_json
from kitwire_cli.terminal import Secrets
from tests.cli.samples import CLOSED
from tests.docs.snippets import PROJECT

PUBLISHED = Published(source="tone", kind="audio", sid="TR_1")
PROGRESS = Progress(
    file="out/a.ogg",
    sid="TR_1",
    duration=12.3456,
    bitrate=31_400,
    packets=98,
    packets_lost=2,
    frames_dropped=0,
)
BROKEN = Progress(
    file="a.ogg", sid="T", duration=0.0, bitrate=0, packets=0, packets_lost=-3, frames_dropped=4
)

SENTENCES: list[tuple[Note, str]] = [
    (PUBLISHED, "publishing the audio of tone (TR_1)"),
    (
        Unpublished(source="a.mp4", kind="video", sid="TR_1", failure=None),
        "the video of a.mp4 is over",
    ),
    (
        Unpublished(source="a.mp4", kind="video", sid="TR_1", failure="bad\ndata"),
        "the video of a.mp4 failed: bad\\ndata",
    ),
    (
        RecordingStarted(file="out/a.ogg", participant="b\x1bob", kind="audio", sid="TR_1"),
        "recording the audio of b\\x1bob into out/a.ogg",
    ),
    (PROGRESS, "out/a.ogg: 12.3 s, 31 kbit/s, 2.0 % lost"),
    (
        BROKEN,
        "a.ogg: 0.0 s, 0 kbit/s, 0.0 % lost, 4 frames left out because writing was too slow",
    ),
    (
        Recorded(file="a.ogg", sid="TR_1", duration=2.0, frames=100, frames_dropped=0),
        "a.ogg is whole: 2.0 s, 100 frames",
    ),
    (
        Recorded(file="a.ogg", sid="TR_1", duration=0.0, frames=0, frames_dropped=0),
        "nothing came for a.ogg",
    ),
    (
        RecordingFailed(file="a.ogg", sid="TR_1", detail="disk full"),
        "a.ogg could not be written: disk full",
    ),
    (Level(participant="bob", sid="TR_1", level=-9.03), "bob is heard at -9.0 dBFS"),
    (
        Resolution(participant="bob", sid="TR_1", width=640, height=360),
        "bob is seen at 640×360",
    ),
]


@pytest.mark.parametrize(("note", "sentence"), SENTENCES)
def test_sentences(note: Note, sentence: str) -> None:
    assert note_sentence(note) == sentence


def test_every_note_has_a_sentence_here_and_a_line_in_the_documentation() -> None:
    assert {type(note) for note, _ in SENTENCES} == set(get_args(Note))
    page = (PROJECT / "docs" / "cli.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for note, _ in SENTENCES:
        (row,) = [line for line in rows if line.startswith(f"| `{note_name(note)}` |")]
        named = row if note_name(note) != "unpublished" else row + "`source` `kind` `sid`"
        for name in note_fields(note):
            assert f"`{name}`" in named, (note_name(note), name)


def test_json_lines_have_the_name_the_time_and_the_fields() -> None:
    out = io.StringIO()
    report = Report(as_json(Secrets("hush-hush")), out, lambda: 1.5, on_unwritable=lambda: None)
    report.on_note(PUBLISHED)
    report.on_note(PROGRESS)
    report.on_note(RecordingFailed(file="hush-hush", sid="TR_1", detail="x"))
    first, second, third = (json.loads(line) for line in out.getvalue().splitlines())
    assert first == {
        "event": "published",
        "t": 1.5,
        "source": "tone",
        "kind": "audio",
        "sid": "TR_1",
    }
    assert (second["event"], second["duration"], second["bitrate"]) == ("progress", 12.346, 31400)
    assert third["file"] == "<redacted>"


def test_readable_lines_are_masked_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    out = io.StringIO()
    report = Report(
        Readable(out, Secrets("hush-hush")), out, lambda: 2.0, on_unwritable=lambda: None
    )
    report.on_note(RecordingFailed(file="hush-hush", sid="TR_1", detail="full"))
    assert out.getvalue() == "   2.000  <redacted> could not be written: full\n"


def test_nothing_is_said_after_the_end() -> None:
    out = io.StringIO()
    report = Report(as_json(Secrets()), out, lambda: 0.0, on_unwritable=lambda: None)
    report.on_event(ev.Closed(reason=CLOSED))
    report.on_note(PUBLISHED)
    assert len(out.getvalue().splitlines()) == 1


def test_the_first_complaint_counts() -> None:
    report = Report(as_json(Secrets()), io.StringIO(), lambda: 0.0, on_unwritable=lambda: None)
    assert report.complaint is None
    report.complain(ExitCode.REFUSED, "no")
    report.complain(ExitCode.BROKEN, "again")
    assert report.complaint == (ExitCode.REFUSED, "no")
