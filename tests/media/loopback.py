"""What tests of the media plane share: loopback only, who listens, what was heard, what is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeVar, Unpack

import anyio
import av
import numpy as np
import trio
from aiortc.mediastreams import MediaStreamTrack

from kitwire import PathVersion
from kitwire.commands import DataChannel, PeerState
from kitwire.config import ClientOptions
from kitwire.view import SubscriptionState
from kitwire_aiortc import Media, MediaRoom
from kitwire_aiortc.frames import AudioStream
from kitwire_aiortc.gathering import Gathering
from kitwire_aiortc.inbound import Frame, Inbound
from kitwire_aiortc.packets import MAX_PACKET, packet_of
from kitwire_aiortc.peer import Peer

T = TypeVar("T")

LOOPBACK: Final = Gathering(ice_servers=(), addresses=("127.0.0.1",))
"""No STUN, no address but this one."""

MEDIA: Final = Media(gathering=LOOPBACK)
PATHS: Final = [PathVersion.V1, PathVersion.V0]


class Enter(Protocol):
    """Joins a test's room under an identity."""

    def __call__(
        self, identity: str, **options: Unpack[ClientOptions]
    ) -> AbstractAsyncContextManager[MediaRoom]: ...


class Run(Protocol):
    """Runs a test's coroutine, within a limit, and sees that nothing is left."""

    def __call__(self, main: Coroutine[object, object, T], *, limit: float = 30.0) -> T: ...


class Connect(Protocol):
    """An adapter's `connect`, with media."""

    def __call__(
        self, url: str, *, token: str, media: Media, **options: Unpack[ClientOptions]
    ) -> AbstractAsyncContextManager[MediaRoom]: ...


CHANNELS: Final = (
    DataChannel(label="_reliable", ordered=True, max_retransmits=None),
    DataChannel(label="_lossy", ordered=False, max_retransmits=0),
    DataChannel(label="_data_track", ordered=False, max_retransmits=0),
)


def run(main: Coroutine[object, object, T], *, loop: str = "asyncio", limit: float = 30.0) -> T:
    """Run to the end, within a limit, and check that nothing is left: task, socket or thread."""
    before = (sockets(), threads())
    result = _on_trio(main, limit) if loop == "trio" else _on_asyncio(main, limit)
    gc.collect()
    after = (sockets(), threads())
    assert after == before, (after, before)
    return result


def _on_trio(main: Coroutine[object, object, T], limit: float) -> T:
    async def guarded() -> T:
        with trio.fail_after(limit):
            return await main

    return trio.run(guarded)


def _on_asyncio(main: Coroutine[object, object, T], limit: float) -> T:
    async def guarded() -> T:
        asyncio.get_running_loop().set_exception_handler(raising)
        result = await asyncio.wait_for(main, limit)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert left == set(), left
        return result

    failures: list[dict[str, object]] = []

    def raising(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        failures.append(context)

    result = asyncio.run(guarded())
    assert failures == [], failures
    return result


def sockets() -> int:
    """How many sockets this process has open."""
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        return 0
    count = 0
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
    return count


def threads() -> list[str]:
    """The threads of this process, but those that trio and anyio keep for later."""
    names = sorted(each.name for each in threading.enumerate())
    return [name for name in names if not name.startswith(("Trio thread", "AnyIO worker"))]


class Recorder:
    """A listener and a source's listener that writes down what it hears."""

    def __init__(self) -> None:
        self.states: list[PeerState] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.data: list[tuple[str, bytes]] = []
        self.inbound: list[Inbound] = []
        self.ended: list[MediaStreamTrack] = []
        self.failed: list[tuple[MediaStreamTrack, Exception]] = []

    def state_changed(self, state: PeerState) -> None:
        self.states.append(state)

    def inbound_opened(self, inbound: Inbound) -> None:
        self.inbound.append(inbound)

    def channel_opened(self, label: str) -> None:
        self.opened.append(label)

    def channel_closed(self, label: str) -> None:
        self.closed.append(label)

    def data_received(self, label: str, data: bytes) -> None:
        self.data.append((label, data))

    def source_ended(self, source: MediaStreamTrack) -> None:
        self.ended.append(source)

    def source_failed(self, source: MediaStreamTrack, error: Exception) -> None:
        self.failed.append((source, error))


class Count:
    """A reader that counts, and keeps the last frame."""

    def __init__(self) -> None:
        self.frames = 0
        self.samples = 0
        self.last: Frame | None = None

    def feed(self, frame: Frame) -> None:
        self.frames += 1
        self.last = frame
        if isinstance(frame, av.AudioFrame):
            self.samples += frame.samples


async def until(ready: Callable[[], bool], *, limit: float = 10.0) -> None:
    """Wait until something is so; a test that waits in vain fails."""
    begun = time.monotonic()
    while not ready():
        assert time.monotonic() - begun < limit, "waited in vain"
        await anyio.sleep(0.005)


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What comes of it, unless it takes too long."""
    with anyio.fail_after(seconds):
        return await work


async def together(*works: Awaitable[object]) -> None:
    """All of them at the same time."""

    async def do(work: Awaitable[object]) -> None:
        await work

    async with anyio.create_task_group() as tasks:
        for work in works:
            tasks.start_soon(do, work)


async def connect(offerer: Peer, answerer: Peer, *, audio: int = 0, video: int = 0) -> None:
    """One exchange of descriptions between two of our peers."""
    offer = await offerer.make_offer(audio_sections=audio, video_sections=video)
    await offerer.apply_answer(await answerer.apply_offer(offer))


async def closing(*closers: Callable[[], Awaitable[None]]) -> None:
    for close in closers:
        await close()


def frequency(frames: list[av.AudioFrame]) -> float:
    """The strongest frequency of some mono audio, in Hz."""
    samples = np.concatenate([each.to_ndarray().reshape(-1) for each in frames]).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * frames[0].sample_rate / len(samples)


async def read_audio(stream: AudioStream, seconds: float) -> list[av.AudioFrame]:
    """So many seconds of audio."""
    wanted, got = round(seconds * stream.sample_rate), []
    async for frame in stream:
        got.append(frame)
        wanted -= frame.samples
        if wanted <= 0:
            break
    return got


async def take(stream: AsyncIterable[T], count: int) -> list[T]:
    """So many frames, or messages."""
    got = []
    async for item in stream:
        got.append(item)
        if len(got) == count:
            break
    return got


async def known(room: MediaRoom, sid: str) -> None:
    """Until a room knows a track."""
    await until(lambda: room.view.publication(sid) is not None)


def subscription(room: MediaRoom, sid: str) -> SubscriptionState | None:
    """Whether a track reaches a room, and if not, why; None while the room does not know it."""
    publication = room.view.publication(sid)
    return None if publication is None else publication.subscription


def largest(topic: str | None = None) -> int:
    """How long a message can be, by the length of what is around it."""
    around = len(packet_of(b"x" * 63_000, topic=topic, destination_identities=(), sequence=1))
    return MAX_PACKET - (around - 63_000)
