"""`kitwire record`: every track of the others into a file of its own."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import kitwire_aiortc
from kitwire.messages import TrackType
from kitwire_aiortc import AudioStream, InboundStatistics, MediaRoom, VideoStream, record

from .changes import track_kind
from .credentials import UsageError
from .exit_codes import ExitCode
from .notes import Progress, Recorded, RecordingFailed, RecordingStarted
from .report import Report
from .terminal import one_line, quoted
from .tracks import RemoteTrack, remote_tracks

__all__ = ["Recording", "file_name", "folder_from"]

EVERY: Final = 1.0
"""Seconds between two lines about a recording."""

ENDINGS: Final[Mapping[TrackType, str]] = MappingProxyType(
    {TrackType.AUDIO: ".ogg", TrackType.VIDEO: ".webm"}
)

_UNFIT: Final = re.compile(r"[^\w.-]+", re.ASCII)


def folder_from(word: str) -> Path:
    """The folder of `--out`, made if need be.

    Raises:
        UsageError: when no file can be made in it.
    """
    folder = Path(word)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--out {quoted(word)} cannot be written: {one_line(why)}") from error
    return folder


def file_name(track: RemoteTrack) -> str:
    """``bob-microphone-TR_….ogg``. What others chose cannot lead out of the folder."""
    info = track.info
    words = (track.participant, track_kind(info), info.sid)
    fit = (_UNFIT.sub("_", word)[:64].strip(".") or "_" for word in words)
    return "-".join(fit) + ENDINGS[info.type]


@dataclass(slots=True, kw_only=True)
class _File:
    """One recording under way."""

    track: RemoteTrack
    path: Path
    stream: AudioStream | VideoStream
    progress: kitwire_aiortc.Progress = field(default_factory=kitwire_aiortc.Progress)
    octets: int = 0
    """Received when progress was told last."""
    told: float = 0.0
    """When that was."""


class Recording:
    """Records every track that there is and that comes, until the connection ends."""

    def __init__(self, folder: Path, *, every: float = EVERY) -> None:
        self._folder = folder
        self._every = every
        self._files: dict[str, _File] = {}

    async def __call__(self, room: MediaRoom, report: Report) -> None:
        """An :data:`~kitwire_cli.media_loop.Activity`."""
        async with asyncio.TaskGroup() as tasks:
            # In the group, so that it does not die unseen.
            telling = tasks.create_task(self._tell(room, report))
            async for track, stream in remote_tracks(room):
                tasks.create_task(self._record(self._begin(track, stream), report))
            telling.cancel()

    def _begin(self, track: RemoteTrack, stream: AudioStream | VideoStream) -> _File:
        path = self._folder / file_name(track)
        now = asyncio.get_running_loop().time()
        file = _File(track=track, path=path, stream=stream, told=now)
        self._files[track.sid] = file
        return file

    async def _record(self, file: _File, report: Report) -> None:
        name, sid = str(file.path), file.track.sid
        report.on_note(
            RecordingStarted(
                file=name, participant=file.track.participant, kind=file.track.kind, sid=sid
            )
        )
        try:
            await record(file.stream, file.path, progress=file.progress)
        except kitwire_aiortc.RecordingFailed as failure:
            report.on_note(RecordingFailed(file=name, sid=sid, detail=str(failure)))
            report.complain(ExitCode.BROKEN, f"a recording cannot be written: {failure}")
        else:
            report.on_note(
                Recorded(
                    file=name,
                    sid=sid,
                    duration=file.progress.duration,
                    frames=file.progress.frames,
                    frames_dropped=file.stream.dropped,
                )
            )
        finally:
            self._files.pop(sid, None)

    # --- progress ---

    async def _tell(self, room: MediaRoom, report: Report) -> None:
        while True:
            await asyncio.sleep(self._every)
            received = await room.track_statistics(self._files)
            now = asyncio.get_running_loop().time()
            for sid, file in self._files.items():
                if (figures := received.get(sid)) is not None:
                    report.on_note(_progress(file, figures, now))


def _progress(file: _File, figures: InboundStatistics, now: float) -> Progress:
    # A track that moved to another section begins to count anew.
    since = figures.octets - file.octets if figures.octets >= file.octets else figures.octets
    took = max(now - file.told, 0.001)
    file.octets, file.told = figures.octets, now
    return Progress(
        file=str(file.path),
        sid=file.track.sid,
        duration=file.progress.duration,
        bitrate=round(since * 8 / took),
        packets=figures.packets,
        packets_lost=figures.packets_lost,
        frames_dropped=file.stream.dropped,
    )
