"""Prints what happens, a line for each event, and remembers how it ended.

The three loops share it, so they print the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from kitwire import events as ev
from kitwire.errors import CloseReason

from .exit_codes import ExitCode
from .lines import json_line
from .notes import Note, RecordingFailed, note_sentence
from .prose import Narrator
from .terminal import Secrets

__all__ = ["Readable", "Render", "Report", "as_json"]

Render = Callable[[ev.Event | Note, float], str]
"""An event or a note and its time, in seconds since the start, as a line with its line feed."""


def as_json(secrets: Secrets) -> Render:
    """Render JSON Lines."""
    return lambda event, t: json_line(event, t, secrets) + "\n"


class Readable:
    """Renders readable lines: the time and a sentence, in colour where the output shows colour."""

    def __init__(self, out: TextIO, secrets: Secrets) -> None:
        # Rich renders and never writes: it would exit on a broken pipe by itself.
        self._console = Console(
            file=io.StringIO(),
            force_terminal=True if out.isatty() else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._narrator = Narrator()
        self._secrets = secrets

    def __call__(self, event: ev.Event | Note, t: float) -> str:
        """One line with its line feed."""
        told = note_sentence(event) if isinstance(event, Note) else self._narrator.tell(event)
        text = self._secrets.masked(told)
        line = Text.assemble((f"{t:8.3f}", "dim"), "  ", (text, _style(event)))
        with self._console.capture() as captured:
            self._console.print(line, soft_wrap=True)
        return captured.get()


def _style(event: ev.Event | Note) -> str:
    match event:
        case ev.Joined() | ev.Closed():
            return "bold"
        case (
            ev.LeaveReceived()
            | ev.SubscriptionFailed()
            | ev.UnknownMessage()
            | ev.FrameRejected()
            | ev.ProtocolViolated()
            | RecordingFailed()
        ):
            return "yellow"
        case (
            ev.PongReceived()
            | ev.LegacyPongReceived()
            | ev.TokenRefreshed()
            | ev.OfferReceived()
            | ev.AnswerReceived()
            | ev.TrickleReceived()
            | ev.MediaSectionsRequired()
        ):
            return "dim"
        case _:
            return ""


class Report:
    """Takes every event of one connection.

    Args:
        render: makes the line.
        out: where it goes.
        elapsed: seconds since the start of the command.
        on_unwritable: called once when nobody reads any more; nothing is written after that.

    Attributes:
        joined: whether the room was joined.
        closed: why the connection ended, once it has.
        unwritable: what went wrong with the output, if anything did.
        complaint: what went wrong in a connection that ended normally: the exit code and a
            sentence without a full stop. The first one counts.
    """

    def __init__(
        self,
        render: Render,
        out: TextIO,
        elapsed: Callable[[], float],
        on_unwritable: Callable[[], None],
    ) -> None:
        self.joined = False
        self.closed: CloseReason | None = None
        self.unwritable: OSError | None = None
        self.complaint: tuple[ExitCode, str] | None = None
        self._render = render
        self._out = out
        self._elapsed = elapsed
        self._on_unwritable = on_unwritable

    def on_event(self, event: ev.Event) -> None:
        """Print the event. Never raises for an output that cannot be written."""
        match event:
            case ev.Joined():
                self.joined = True
            case ev.Closed(reason=reason):
                self.closed = reason
            case _:
                pass
        self._write(event)

    def on_note(self, note: Note) -> None:
        """Print what there is to say beside the events, unless the end has been told."""
        if self.closed is None:
            self._write(note)

    def complain(self, code: ExitCode, sentence: str) -> None:
        """Have the command end with this code, should the connection end normally."""
        self.complaint = self.complaint or (code, sentence)

    def _write(self, event: ev.Event | Note) -> None:
        line = self._render(event, self._elapsed())
        if self.unwritable is not None:
            return
        try:
            self._out.write(line)
            self._out.flush()
        except OSError as error:
            self.unwritable = error
            self._on_unwritable()
