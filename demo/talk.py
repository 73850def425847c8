"""The second act: Anna publishes a tone and a pattern from asyncio, Bruno receives them on trio.

Data goes both ways, and a picture that arrived is saved. What each does would run on either loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np

from kitwire.messages import TrackType
from kitwire_aiortc import (
    Gathering,
    Media,
    MediaRoom,
    TestPattern,
    Tone,
    read_counter,
    samples,
    write_png,
)

__all__ = ["LOOPBACK", "TALK_CHECKS", "Talk", "listen", "speak"]

HERTZ: Final = 440.0
WIDTH: Final = 640
HEIGHT: Final = 360
PICTURES: Final = 25
RATE: Final = 48_000

LOOPBACK: Final = Media(gathering=Gathering(ice_servers=(), addresses=("127.0.0.1",)))
"""No STUN server and no address but this one."""


@dataclass(slots=True, kw_only=True)
class Talk:
    """What came of it."""

    picture: Path
    """Where to save one."""
    heard: float = 0.0
    """Hz."""
    seen: int = 0
    """Pictures whose number could be read, each higher than the one before."""
    size: tuple[int, int] = (0, 0)
    to_anna: bytes = b""
    to_bruno: bytes = b""


async def speak(room: MediaRoom, talk: Talk) -> None:
    """Anna's part."""
    data = room.data()
    await room.publish_audio(Tone(HERTZ), name="a tone")
    await room.publish_video(TestPattern(width=WIDTH, height=HEIGHT), width=WIDTH, height=HEIGHT)
    await room.publish_data(b"hello from anna")
    async for message in data:
        talk.to_anna = message.data
        break
    await room.leave()


async def listen(room: MediaRoom, talk: Talk, ready: Callable[[], None]) -> None:
    """Bruno's part; ready says that he misses nothing from now on."""
    data = room.data()
    ready()
    tracks: dict[TrackType, str] = {}
    async for _, publication in room.remote_publications():
        tracks[publication.kind] = publication.sid
        if len(tracks) == 2:
            break
    talk.heard = await pitch(room, tracks[TrackType.AUDIO])
    await watch(room, tracks[TrackType.VIDEO], talk)
    async for message in data:
        talk.to_bruno = message.data
        break
    await room.publish_data(b"hello from bruno")
    await room.leave()


async def pitch(room: MediaRoom, sid: str) -> float:
    """The strongest frequency of a second of a track, once it is not silent, in Hz."""
    parts: list[av.AudioFrame] = []
    async for frame in room.audio(sid, sample_rate=RATE):
        if parts or samples(frame).any():
            parts.append(frame)
        if len(parts) == 60:
            break
    wave = np.concatenate([samples(each)[:, 0] for each in parts[10:]]).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.argmax(spectrum)) * RATE / len(wave)


async def watch(room: MediaRoom, sid: str, talk: Talk) -> None:
    """Read the numbers in some pictures, and save the last one."""
    last = -1
    async for frame in room.video(sid):
        number = read_counter(frame)
        if number is not None and number > last:
            last, talk.seen = number, talk.seen + 1
        if talk.seen == PICTURES:
            talk.size = (frame.width, frame.height)
            write_png(frame, talk.picture)
            break


TALK_CHECKS: Final[tuple[tuple[str, Callable[[Talk], tuple[bool, str]]], ...]] = (
    ("anna's tone heard by bruno", lambda t: (abs(t.heard - HERTZ) < 3.0, f"{t.heard:.0f} Hz")),
    ("anna's pictures read by bruno", lambda t: (t.seen == PICTURES, f"{t.seen} in a row")),
    (
        "one of them saved",
        lambda t: (t.picture.is_file(), f"{t.size[0]}×{t.size[1]}, {t.picture}"),
    ),
    ("data to bruno", lambda t: (t.to_bruno == b"hello from anna", t.to_bruno.decode())),
    ("data to anna", lambda t: (t.to_anna == b"hello from bruno", t.to_anna.decode())),
)
"""What is verified of it: what it is, whether it held, what was seen."""
