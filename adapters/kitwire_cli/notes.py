"""What the media commands have to say beside the events: tracks sent, recorded, heard and seen.

Plain facts; here is also how each looks as a JSON line's fields and as a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, Literal, assert_never

from .terminal import one_line

__all__ = [
    "Kind",
    "Level",
    "Note",
    "Progress",
    "Published",
    "Recorded",
    "RecordingFailed",
    "RecordingStarted",
    "Resolution",
    "Unpublished",
    "note_fields",
    "note_name",
    "note_sentence",
]

Kind = Literal["audio", "video"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A source is published: media flows from now on."""

    source: str
    """As it was typed."""
    kind: Kind
    sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpublished:
    """A source is published no more, while we are still in the room."""

    source: str
    kind: Kind
    sid: str
    failure: str | None
    """What was wrong with the source; None when it was over, or the server took it down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted:
    """A track of somebody's goes into a file from now on."""

    file: str
    participant: str
    kind: Kind
    sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a recording is getting on."""

    file: str
    sid: str
    duration: float
    """Seconds in the file."""
    bitrate: int
    """Bits of payload received a second, since the progress before."""
    packets: int
    """Received, of this track."""
    packets_lost: int
    """Not received, by their numbers."""
    frames_dropped: int
    """Frames that came faster than they could be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recording is over and its file is whole; without a frame there is no file."""

    file: str
    sid: str
    duration: float
    frames: int
    frames_dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFailed:
    """A recording is over because its file could not be written."""

    file: str
    sid: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How loud a track was in the last second."""

    participant: str
    sid: str
    level: float
    """The mean power in dB below full scale, from -127 to 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How large the pictures of a track are from now on."""

    participant: str
    sid: str
    width: int
    height: int


Note = (
    Published
    | Unpublished
    | RecordingStarted
    | Progress
    | Recorded
    | RecordingFailed
    | Level
    | Resolution
)

_NAMES: Final[Mapping[type[Note], str]] = MappingProxyType(
    {
        Published: "published",
        Unpublished: "unpublished",
        RecordingStarted: "recording_started",
        Progress: "progress",
        Recorded: "recorded",
        RecordingFailed: "recording_failed",
        Level: "level",
        Resolution: "resolution",
    }
)


def note_name(note: Note) -> str:
    """``published``, ``progress`` …"""
    return _NAMES[type(note)]


def note_fields(note: Note) -> dict[str, object]:
    """The fields of its JSON line; seconds and decibels to three places."""
    values = {field.name: getattr(note, field.name) for field in fields(note)}
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in values.items()
    }


def note_sentence(note: Note) -> str:
    """One line about it, safe for a terminal."""
    match note:
        case Published(source=source, kind=kind, sid=sid):
            return f"publishing the {kind} of {one_line(source)} ({one_line(sid)})"
        case Unpublished(source=source, kind=kind, failure=None):
            return f"the {kind} of {one_line(source)} is over"
        case Unpublished(source=source, kind=kind, failure=failure):
            return f"the {kind} of {one_line(source)} failed: {one_line(failure or '')}"
        case RecordingStarted(file=file, participant=participant, kind=kind):
            return f"recording the {kind} of {one_line(participant)} into {one_line(file)}"
        case Progress():
            return _progress(note)
        case Recorded(file=file, frames=0):
            return f"nothing came for {one_line(file)}"
        case Recorded(file=file, duration=duration, frames=frames, frames_dropped=dropped):
            return f"{one_line(file)} is whole: {duration:.1f} s, {frames} frames" + _left(dropped)
        case RecordingFailed(file=file, detail=detail):
            return f"{one_line(file)} could not be written: {one_line(detail)}"
        case Level(participant=participant, level=level):
            return f"{one_line(participant)} is heard at {level:.1f} dBFS"
        case Resolution(participant=participant, width=width, height=height):
            return f"{one_line(participant)} is seen at {width}×{height}"
        case _:
            assert_never(note)


def _progress(note: Progress) -> str:
    # Packets that came twice can make the loss negative.
    lost = max(0, note.packets_lost)
    percent = 100 * lost / max(1, note.packets + lost)
    return (
        f"{one_line(note.file)}: {note.duration:.1f} s, {note.bitrate / 1000:.0f} kbit/s, "
        f"{percent:.1f} % lost"
    ) + _left(note.frames_dropped)


def _left(dropped: int) -> str:
    return f", {dropped} frames left out because writing was too slow" if dropped else ""
