"""What tests of lost sessions share: two who sing to each other, and what they are told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar, Unpack

import anyio
import av

from kitwire import Lost, Restarted, Restarting, Resumed
from kitwire.config import ClientOptions
from kitwire.errors import CloseReason
from kitwire.events import Event
from kitwire.reconnect_events import ReconnectEvent
from kitwire_aiortc import LocalPublication, MediaRoom, Tone
from tests.interop.livekit_server import LiveKitServer
from tests.media.loopback import MEDIA, Connect, frequency, together, until

__all__ = ["ANN", "BEN", "Gaps", "Singer", "duet", "next_of"]

T = TypeVar("T")

ANN: Final = 440.0
BEN: Final = 880.0
"""What they sing, in Hz."""

SECOND: Final = 50
"""Frames."""


async def next_of(room: MediaRoom, kind: type[T], limit: float) -> T:
    """The next event of that kind; none that says that the session was not resumed may come."""
    with anyio.fail_after(limit):
        async for event in room:
            assert kind is not Resumed or not isinstance(event, Restarting), event
            if isinstance(event, kind):
                return event
    raise AssertionError("the room is over")


class Gaps:
    """Reads tracks, one after the other, and knows the longest time between two frames."""

    def __init__(self) -> None:
        self.frames = 0
        self.longest = 0.0
        self._last = 0.0

    async def read(self, room: MediaRoom, sid: str) -> None:
        """One track, as long as it is published."""
        async for _ in room.audio(sid):
            self.feed()

    def feed(self) -> None:
        """A frame came."""
        now = time.monotonic()
        if self.frames:
            self.longest = max(self.longest, now - self._last)
        self._last = now
        self.frames += 1


class Singer:
    """Somebody who sings a note, hears the one other who sings, and writes down what is told.

    Attributes:
        room: where.
        ours: what is sung.
        heard: counts the frames, whichever track of the other's they are of.
        told: what the room told, each with the time.
        over: whether nothing will come any more, neither frames nor news.
    """

    def __init__(self, room: MediaRoom, ours: LocalPublication) -> None:
        self.room = room
        self.ours = ours
        self.heard = Gaps()
        self.told: list[tuple[float, Event]] = []
        self.over = False
        self._sid = ""
        self._recent: deque[av.AudioFrame] = deque(maxlen=SECOND)

    @property
    def sid(self) -> str:
        """The participant's."""
        return self.room.joined.participant.sid

    @property
    def episode(self) -> list[ReconnectEvent]:
        """All that was told of losses."""
        return [event for _, event in self.told if isinstance(event, ReconnectEvent)]

    @property
    def steps(self) -> list[str]:
        """The same in words, with the number of each attempt."""
        words = []
        for event in self.episode:
            number = "" if isinstance(event, Lost) else f" {event.attempt}"
            words.append(type(event).__name__ + number)
        return words

    def first(self, kind: type[T]) -> tuple[float, T] | None:
        """The first of a kind that was told, and when."""
        for when, event in self.told:
            if isinstance(event, kind):
                return when, event
        return None

    async def hears_of(self, kind: type[T], *, limit: float = 10.0) -> T:
        """The first event of that kind, come already or yet to come."""
        await until(lambda: self.first(kind) is not None, limit=limit)
        found = self.first(kind)
        assert found is not None
        return found[1]

    async def ends(self, *, limit: float = 10.0) -> CloseReason:
        """Nothing more comes; why."""
        await until(lambda: self.over, limit=limit)
        assert self.room.closed is not None
        return self.room.closed

    def took(self, end: type[Restarted | Resumed]) -> float:
        """Seconds from a loss to the first end of that kind."""
        over = self.first(end)
        assert over is not None
        lost = [when for when, event in self.told if isinstance(event, Lost) and when <= over[0]]
        return over[0] - lost[-1]

    async def hears(self, frames: int, *, limit: float = 10.0) -> None:
        """So many frames more."""
        wanted = self.heard.frames + frames
        await until(lambda: self.heard.frames >= wanted, limit=limit)

    async def missed(self) -> float:
        """Seconds of the present track that never came, by the numbers of its packets.

        However busy the machine is: then frames are sent late, and come late.
        """
        return (await self.room.track_statistics([self._sid]))[self._sid].packets_lost / SECOND

    async def hears_note(self, hertz: float, *, limit: float = 10.0) -> None:
        """A second of nothing else, from now on but for what a decoder begins with."""
        await self.hears(SECOND + 10, limit=limit)
        pitch = frequency(list(self._recent))
        assert abs(pitch - hertz) < 3.0, (pitch, hertz)

    async def live(self) -> None:
        """Listen, and write down what is told."""
        await together(self._listen(), self._write())
        self.over = True

    async def _listen(self) -> None:
        """To one track after the other: the other one sings one at a time."""
        async for _, publication in self.room.remote_publications():
            self._sid = publication.sid
            async for frame in self.room.audio(publication.sid, sample_rate=16_000):
                self.heard.feed()
                self._recent.append(frame)

    async def _write(self) -> None:
        async for event in self.room:
            self.told.append((time.monotonic(), event))


@asynccontextmanager
async def duet(
    connect: Connect,
    server: LiveKitServer,
    room: str,
    *,
    url: str = "",
    token: str = "",
    **options: Unpack[ClientOptions],
) -> AsyncIterator[tuple[Singer, Singer]]:
    """Ann and Ben sing to each other for the length of the block, and hear each other already.

    Args:
        connect: the adapter's.
        server: where.
        room: its name.
        url: where Ann connects to, if not straight to the server.
        token: Ann's, if it is to be a special one.
        options: of both.
    """
    by_ann = token or server.token("ann", room, can_update_own_metadata=True)
    by_ben = server.token("ben", room)
    async with (
        connect(url or server.url, token=by_ann, media=MEDIA, **options) as ann_room,
        connect(server.url, token=by_ben, media=MEDIA, **options) as ben_room,
        anyio.create_task_group() as tasks,
    ):
        ann = Singer(ann_room, await ann_room.publish_audio(Tone(ANN)))
        ben = Singer(ben_room, await ben_room.publish_audio(Tone(BEN)))
        for singer in (ann, ben):
            tasks.start_soon(singer.live)
        await together(ann.hears_note(BEN), ben.hears_note(ANN))
        yield ann, ben
        tasks.cancel_scope.cancel()
