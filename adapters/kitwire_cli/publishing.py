"""`kitwire publish`: sources by name, sent until they are over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import av
from aiortc.mediastreams import MediaStreamTrack

from kitwire.errors import FailureReason, RequestFailed
from kitwire_aiortc import LocalPublication, MediaRoom, TestPattern, Tone, open_file

from .credentials import UsageError
from .exit_codes import ExitCode
from .notes import Kind, Published, Unpublished
from .report import Report
from .terminal import one_line, quoted

__all__ = ["Publishing", "Source", "sources_from"]

WIDTH: Final = 640
HEIGHT: Final = 360


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A track to send, and what it is called."""

    word: str
    """As it was typed."""
    kind: Kind
    track: MediaStreamTrack
    width: int = 0
    height: int = 0


def _tone() -> Source:
    return Source(word="tone", kind="audio", track=Tone(440.0))


def _pattern() -> Source:
    track = TestPattern(width=WIDTH, height=HEIGHT)
    return Source(word="pattern", kind="video", track=track, width=WIDTH, height=HEIGHT)


_READY: Final[Mapping[str, Callable[[], Source]]] = MappingProxyType(
    {"tone": _tone, "pattern": _pattern}
)


def sources_from(words: Sequence[str]) -> list[Source]:
    """Open what was typed: ``tone``, ``pattern``, or a file with audio, video or both.

    Raises:
        UsageError: for a file that cannot be opened or has neither.
    """
    sources: list[Source] = []
    try:
        for word in words:
            ready = _READY.get(word)
            sources.extend(_in_file(word) if ready is None else [ready()])
    except UsageError:
        stop(sources)
        raise
    return sources


def stop(sources: Iterable[Source]) -> None:
    """Close what is open."""
    for source in sources:
        source.track.stop()


def _in_file(word: str) -> list[Source]:
    try:
        file = open_file(word)
    except (OSError, ValueError, av.FFmpegError) as error:
        raise UsageError(f"{quoted(word)} cannot be published: {_why(error)}") from error
    found: list[Source] = []
    if file.audio is not None:
        found.append(Source(word=word, kind="audio", track=file.audio))
    if file.video is not None:
        found.append(Source(word=word, kind="video", track=file.video))
    return found


def _why(error: Exception) -> str:
    """An error of a file's in few words; FFmpeg's own repeat the path and the number."""
    words = getattr(error, "strerror", None) or str(error)
    return one_line(words) or type(error).__name__


_REFUSALS: Final = frozenset(
    {
        FailureReason.NOT_ALLOWED,
        FailureReason.LIMIT_EXCEEDED,
        FailureReason.UNSUPPORTED_TYPE,
        FailureReason.INVALID_REQUEST,
    }
)


class Publishing:
    """Publishes sources, one after the other, and leaves when all are over."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    async def __call__(self, room: MediaRoom, report: Report) -> None:
        """An :data:`~kitwire_cli.media_loop.Activity`."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for source in self._sources:
                    publication = await _publish(source, room, report)
                    if publication is not None:
                        tasks.create_task(_outlive(source, publication, room, report))
        finally:
            stop(self._sources)
        await room.leave()


async def _publish(source: Source, room: MediaRoom, report: Report) -> LocalPublication | None:
    name = Path(source.word).name
    try:
        if source.kind == "audio":
            publication = await room.publish_audio(source.track, name=name)
        else:
            publication = await room.publish_video(
                source.track, name=name, width=source.width, height=source.height
            )
    except RequestFailed as failed:
        if failed.failure.reason is not FailureReason.ABORTED:
            refused = failed.failure.reason in _REFUSALS
            report.complain(
                ExitCode.REFUSED if refused else ExitCode.UNAVAILABLE,
                f"{quoted(source.word)} cannot be published ({one_line(str(failed))})",
            )
        return None
    report.on_note(Published(source=source.word, kind=source.kind, sid=publication.sid))
    return publication


async def _outlive(
    source: Source, publication: LocalPublication, room: MediaRoom, report: Report
) -> None:
    """Wait until it is over, and say why unless the whole connection is."""
    await publication.wait_over()
    failure = publication.failure
    if room.closed is not None and failure is None:
        return
    why = None if failure is None else _why(failure)
    report.on_note(
        Unpublished(source=source.word, kind=source.kind, sid=publication.sid, failure=why)
    )
    if why is not None:
        report.complain(ExitCode.USAGE, f"{quoted(source.word)} cannot be read further: {why}")
