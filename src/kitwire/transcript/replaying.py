"""A recorded life, lived again by a fresh session."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, repeat

from ..codec.redaction import Pseudonyms
from ..errors import LocalProtocolError
from ..session.session import Session
from ..session.tracing import DRAWN
from ..trace import TraceRecord, from_json_line
from .inputs import prepared
from .lines import TranscriptError, read, transcript_line

__all__ = ["Difference", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a replay first did something else than what was recorded."""

    line: int
    """The line of the transcript, counted from 1; one more than it has for what comes too much."""
    where: str
    """The path of what differs in the line, such as ``fields.reason.detail``; empty for the whole
    line."""
    expected: str | None
    """The line; None after the last one."""
    got: str | None
    """What a line would say of this session, or why it refused the input; None where it did
    nothing."""

    def __str__(self) -> str:
        where = f", {self.where}" if self.where else ""
        expected, got = self.expected or "nothing", self.got or "nothing"
        return f"line {self.line}{where}: expected {expected}, got {got}"


def replay(lines: Iterable[str]) -> Difference | None:
    """Give the inputs of a transcript to a fresh session, and compare what it does.

    The outputs must be the recorded ones, in order and in time; so must be what the session records
    of its inputs. Not compared is what was masked, and the words about a frame that was none: it
    was not recorded, and another such frame takes its place.

    Args:
        lines: the transcript's, with or without their line feeds; a text file gives them.

    Returns:
        The first difference; None when there is none.

    Raises:
        TranscriptError: for what is no transcript, and for one of another version.
    """
    transcript = read(lines)
    records = transcript.records
    drawn = _drawn(records)
    given: deque[TraceRecord] = deque()
    try:
        session = Session(
            replace(transcript.config, trace=given.append),
            jitter=chain(drawn, repeat(0.0)).__next__ if drawn else None,
        )
    except ValueError as error:
        raise TranscriptError(1, f"a config that no session can have ({error})") from None
    names = _Names()
    for line, record in enumerate(records, start=2):
        refused = "" if given else _give(session, line, record)
        expected = transcript_line(record)
        if not given:
            return Difference(line=line, where="", expected=expected, got=refused or None)
        got = transcript_line(given.popleft())
        before, after = _comparable(expected), _comparable(names.translated(got, expected))
        if before != after:
            where = _path(before, after)
            return Difference(line=line, where=where, expected=expected, got=got)
    if given:
        got = transcript_line(given[0])
        return Difference(line=len(records) + 2, where="", expected=None, got=got)
    return None


def _drawn(records: Iterable[TraceRecord]) -> list[float]:
    """The numbers that the session drew, in order."""
    drawn = []
    for line, record in enumerate(records, start=2):
        if (record.direction, record.name) == ("in", DRAWN):
            number = record.fields.get("number")
            if not isinstance(number, float | int):
                raise TranscriptError(line, "a number was drawn, but there is none")
            drawn.append(float(number))
    return drawn


def _give(session: Session, line: int, record: TraceRecord) -> str:
    """Give a session the next input, if this is one; why it refused it, if it did."""
    if record.direction == "out" or record.name == DRAWN:
        return ""  # It should have come of the input before.
    try:
        call = prepared(session, record)
    except ValueError as error:
        raise TranscriptError(line, f"no input that this kitwire knows ({error})") from None
    try:
        call()
    except LocalProtocolError as error:
        return str(error)
    return ""


class _Names:
    """What names of secrets in the one life are called in the other.

    The config has names of its own, so that what was one secret there may be two here. What is one
    here must have been one there.
    """

    def __init__(self) -> None:
        self._there: dict[str, str] = {}

    def translated(self, got: str, expected: str) -> str:
        """A line of the one life with the names of the other, which its line shows."""
        there = iter(Pseudonyms.NAME.findall(expected))
        return Pseudonyms.NAME.sub(
            lambda found: self._there.setdefault(found[0], next(there, found[0])), got
        )


def _comparable(line: str) -> dict[str, object]:
    """What of a record must be the same in both lives."""
    plain = from_json_line(line)
    match plain:
        case {"name": "FrameRejected", "fields": {"detail": _} as fields}:
            del fields["detail"]
        case {"fields": {"message": {"malformed": _} as message}}:
            del message["malformed"]
        case _:
            pass
    assert isinstance(plain, dict), "a line is an object"
    return plain


def _path(expected: object, got: object) -> str:
    """Where two JSON values that are not the same first differ; empty for all of them."""
    match expected, got:
        case dict(), dict() if expected.keys() == got.keys():
            pairs = [(str(key), expected[key], got[key]) for key in expected]
        case list(), list() if len(expected) == len(got):
            pairs = [(str(key), *each) for key, each in enumerate(zip(expected, got, strict=True))]
        case _:
            return ""
    key, before, after = next(pair for pair in pairs if pair[1] != pair[2])
    return f"{key}.{_path(before, after)}".removesuffix(".")
