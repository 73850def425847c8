"""The tracks of others, as they come, and what `kitwire join --media` tells of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from kitwire.messages import TrackInfo, TrackType
from kitwire_aiortc import AudioStream, MediaRoom, VideoStream, level

from .notes import Kind, Level, Resolution
from .report import Report

__all__ = ["RemoteTrack", "Watching", "mean_level", "remote_tracks"]

EVERY: Final = 1.0
"""Seconds between two lines about a level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTrack:
    """A track of somebody else's, audio or video."""

    participant: str
    """Whose: the identity."""
    info: TrackInfo

    @property
    def sid(self) -> str:
        """The track's sid."""
        return self.info.sid

    @property
    def kind(self) -> Kind:
        """What it carries."""
        return "audio" if self.info.type is TrackType.AUDIO else "video"

    def open(self, room: MediaRoom) -> AudioStream | VideoStream:
        """Its frames. Raises LocalProtocolError when it is published no more."""
        if self.kind == "audio":
            return room.audio(self.sid, channels=2 if self.info.stereo else 1)
        return room.video(self.sid)


async def remote_tracks(
    room: MediaRoom,
) -> AsyncIterator[tuple[RemoteTrack, AudioStream | VideoStream]]:
    """Every track of the others with sound or pictures, as it comes, and opened."""
    async for participant, publication in room.remote_publications():
        if publication.kind in (TrackType.AUDIO, TrackType.VIDEO):
            track = RemoteTrack(participant=participant.identity, info=publication.info)
            yield track, track.open(room)


class Watching:
    """Tells how loud and how large the tracks of the others are."""

    async def __call__(self, room: MediaRoom, report: Report) -> None:
        """An :data:`~kitwire_cli.media_loop.Activity`."""
        async with asyncio.TaskGroup() as tasks:
            async for track, stream in remote_tracks(room):
                if isinstance(stream, AudioStream):
                    tasks.create_task(_tell_levels(track, stream, report))
                else:
                    tasks.create_task(_tell_resolutions(track, stream, report))


async def _tell_levels(track: RemoteTrack, stream: AudioStream, report: Report) -> None:
    heard: list[float] = []
    length = 0.0
    async for frame in stream:
        heard.append(level(frame))
        length += frame.samples / stream.sample_rate
        if length >= EVERY:
            report.on_note(
                Level(participant=track.participant, sid=track.sid, level=mean_level(heard))
            )
            heard, length = [], 0.0


def mean_level(levels: list[float]) -> float:
    """The level of the mean power of frames of equal length, in dB like theirs."""
    return 10 * math.log10(sum(10 ** (each / 10) for each in levels) / len(levels))


async def _tell_resolutions(track: RemoteTrack, stream: VideoStream, report: Report) -> None:
    before = (0, 0)
    async for frame in stream:
        size = (frame.width, frame.height)
        if size != before:
            before = size
            report.on_note(
                Resolution(
                    participant=track.participant, sid=track.sid, width=size[0], height=size[1]
                )
            )
