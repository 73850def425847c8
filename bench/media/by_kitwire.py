"""Kitwire as the subject of a measurement, on asyncio; and who publishes for all subjects."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

import av
import numpy as np

import kitwire_asyncio
from bench.subject import SETTLING, Answer, Meter, serve
from kitwire import PongReceived, Room
from kitwire.messages import TrackType
from kitwire_aiortc import (
    AudioStream,
    Gathering,
    Media,
    MediaRoom,
    TestPattern,
    Tone,
    VideoStream,
    samples,
)

__all__: list[str] = []

BETWEEN: Final = 0.1
"""Seconds between two pings."""
MEDIA: Final = Media(gathering=Gathering(ice_servers=(), addresses=("127.0.0.1",)))


async def enter(order: Mapping[str, str]) -> Answer:
    """Seconds until the room is connected, and until the first sound of somebody is heard."""
    begun = time.monotonic()
    async with kitwire_asyncio.connect(order["url"], token=order["token"], media=MEDIA) as room:
        connected = time.monotonic() - begun
        async for _, publication in room.remote_publications():
            async for frame in room.audio(publication.sid):
                if np.any(samples(frame)):
                    break
            break
        first = time.monotonic() - begun
    return {"connected": connected, "first_frame": first}


async def receive(order: Mapping[str, str]) -> Answer:
    """Read every frame of so many tracks for so many seconds; tells what that took.

    With ``ping``, what the server's answers to pings took meanwhile, in seconds.
    """
    frames: Counter[str] = Counter()
    everything = asyncio.Event()
    rtts: list[float] = []
    reading: list[asyncio.Task[None]] = []

    async def read(sid: str, stream: AudioStream | VideoStream) -> None:
        async for frame in stream:
            frames[sid] += frame.samples if isinstance(frame, av.AudioFrame) else 1
            if len(frames) == int(order["tracks"]):
                everything.set()

    async def read_all(room: MediaRoom) -> None:
        async for _, publication in room.remote_publications():
            sid = publication.sid
            audio = publication.kind is TrackType.AUDIO
            stream = room.audio(sid) if audio else room.video(sid)
            reading.append(asyncio.create_task(read(sid, stream)))

    async with kitwire_asyncio.connect(order["url"], token=order["token"], media=MEDIA) as room:
        reading += [asyncio.create_task(read_all(room)), asyncio.create_task(hear(room, rtts))]
        await everything.wait()
        await asyncio.sleep(SETTLING)
        rtts.clear()
        before, meter = Counter(frames), Meter()
        if "ping" in order:
            await send_pings(room, float(order["seconds"]))
        else:
            await asyncio.sleep(float(order["seconds"]))
        used = meter.read()
        counted = {sid: frames[sid] - before[sid] for sid in frames}
    await asyncio.gather(*reading)
    return {"cpu": used, "frames": counted, "rtts": rtts}


async def ping(order: Mapping[str, str]) -> Answer:
    """The same pings without any media, for comparison."""
    rtts: list[float] = []
    async with kitwire_asyncio.connect(order["url"], token=order["token"]) as room:
        hearing = asyncio.create_task(hear(room, rtts))
        await send_pings(room, float(order["seconds"]))
    await hearing
    return {"rtts": rtts}


async def hear(room: Room, rtts: list[float]) -> None:
    """What the answers to pings took, until the room ends."""
    async for event in room:
        if isinstance(event, PongReceived) and event.rtt is not None:
            rtts.append(event.rtt)  # noqa: PERF401 - who asks looks at it meanwhile


async def send_pings(room: Room, seconds: float) -> None:
    """One every `BETWEEN` seconds, for so long."""
    for _ in range(round(seconds / BETWEEN)):
        room.send_ping_req()
        await asyncio.sleep(BETWEEN)


class Publisher:
    """Stays in the room and publishes, for who is measured."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()

    async def publish(self, order: Mapping[str, str]) -> Answer:
        """So many tones, and perhaps the pattern at 640×360 and 25 a second."""
        room = await self._stack.enter_async_context(
            kitwire_asyncio.connect(order["url"], token=order["token"], media=MEDIA)
        )
        for number in range(int(order["audio"])):
            await room.publish_audio(Tone(300.0 + 50 * number))
        for _ in range(int(order["video"])):
            await room.publish_video(
                TestPattern(width=640, height=360, framerate=25), width=640, height=360
            )
        return {}

    async def leave(self, order: Mapping[str, str]) -> Answer:
        """Leave it."""
        await self._stack.aclose()
        return {}


def resident() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def cycle(order: Mapping[str, str]) -> Answer:
    """Publish and unpublish audio and video again and again; memory in bytes after each time."""
    series = []
    async with kitwire_asyncio.connect(order["url"], token=order["token"], media=MEDIA) as room:
        # Events that nobody reads would be kept.
        reading = asyncio.create_task(hear(room, []))
        for _ in range(int(order["cycles"])):
            tone = await room.publish_audio(Tone(440.0))
            pattern = await room.publish_video(
                TestPattern(width=320, height=180), width=320, height=180
            )
            await asyncio.sleep(0.1)
            await tone.unpublish()
            await pattern.unpublish()
            gc.collect()
            series.append(resident())
    await reading
    return {"resident": series}


if __name__ == "__main__":
    publisher = Publisher()
    asyncio.run(
        serve(
            {
                "enter": enter,
                "receive": receive,
                "ping": ping,
                "publish": publisher.publish,
                "leave": publisher.leave,
                "cycle": cycle,
            }
        )
    )
