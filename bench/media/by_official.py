"""LiveKit's own SDK as the subject of a measurement."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from livekit import rtc

from bench.subject import SETTLING, Answer, Meter, serve

__all__: list[str] = []


async def enter(order: Mapping[str, str]) -> Answer:
    """Seconds until the room is connected, and until the first sound of somebody is heard."""
    begun = time.monotonic()
    room = rtc.Room()
    heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    reading: list[asyncio.Task[None]] = []

    async def read(track: rtc.Track) -> None:
        stream = rtc.AudioStream(track)
        async for event in stream:
            if not heard.done() and any(event.frame.data):
                heard.set_result(time.monotonic() - begun)
                break
        await stream.aclose()

    def subscribed(track: rtc.Track, *_: object) -> None:
        reading.append(asyncio.create_task(read(track)))

    room.on("track_subscribed", subscribed)
    await room.connect(order["url"], order["token"])
    connected = time.monotonic() - begun
    first = await heard
    await asyncio.gather(*reading)
    await room.disconnect()
    return {"connected": connected, "first_frame": first}


BLIND: Final = 3.0
"""Seconds without a picture after which a video is subscribed to again: the SDK (1.2.1) decodes one
in some thirty and does not show it."""


async def receive(order: Mapping[str, str]) -> Answer:
    """Read every frame of so many tracks for so many seconds; tells what that took."""
    room = rtc.Room()
    frames: Counter[str] = Counter()
    everything = asyncio.Event()
    reading: list[asyncio.Task[None]] = []

    async def read(track: rtc.Track, sid: str) -> None:
        audio = track.kind == rtc.TrackKind.KIND_AUDIO
        async for event in rtc.AudioStream(track) if audio else rtc.VideoStream(track):
            # Audio is counted in samples: a frame here is of 10 ms, and elsewhere of 20.
            frame = event.frame
            frames[sid] += frame.samples_per_channel if isinstance(frame, rtc.AudioFrame) else 1
            if len(frames) == int(order["tracks"]):
                everything.set()

    publications: dict[str, rtc.RemoteTrackPublication] = {}

    def subscribed(track: rtc.Track, publication: rtc.RemoteTrackPublication, *_: object) -> None:
        publications[publication.sid] = publication
        reading.append(asyncio.create_task(read(track, publication.sid)))

    def unsubscribed(_: rtc.Track, publication: rtc.RemoteTrackPublication, *__: object) -> None:
        if not everything.is_set():
            publication.set_subscribed(True)

    room.on("track_subscribed", subscribed)
    room.on("track_unsubscribed", unsubscribed)
    await room.connect(order["url"], order["token"])
    while not everything.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(everything.wait(), BLIND)
        for sid in () if everything.is_set() else publications.keys() - frames.keys():
            publications[sid].set_subscribed(False)
    await asyncio.sleep(SETTLING)
    before, meter = Counter(frames), Meter()
    await asyncio.sleep(float(order["seconds"]))
    used = meter.read()
    counted = {sid: frames[sid] - before[sid] for sid in frames}
    for task in reading:
        task.cancel()
    await room.disconnect()
    return {"cpu": used, "frames": counted}


if __name__ == "__main__":
    asyncio.run(serve({"enter": enter, "receive": receive}))
