"""Participants of LiveKit's own SDK as a program, with the same commands as kitwire_program.py."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping

import numpy as np
from livekit import rtc

from tests.interop.official_media_program import RATE, say, sing
from tests.namespaces.hearing import Ear


async def attempt(order: Mapping[str, str]) -> dict[str, object]:
    """Join, and leave at once; tells how long the join took, or why there was none."""
    room = rtc.Room()
    begun = time.monotonic()
    try:
        await room.connect(order["url"], order["token"])
    except rtc.ConnectError as failure:
        return {"why": str(failure)}
    took = time.monotonic() - begun
    await room.disconnect()
    return {"took": took}


class Guest:
    """Somebody of the SDK's in a room."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.ear = Ear(0.0)
        self.room = rtc.Room()
        self._over = asyncio.Event()
        self._singing: asyncio.Task[None] | None = None
        self._listening: set[asyncio.Task[None]] = set()

    async def join(self, order: Mapping[str, str]) -> None:
        """Join, publish, and listen from now on."""
        self.ear = Ear(float(order["other_hertz"]))
        self._tell()
        await self.room.connect(order["url"], order["token"])
        source = rtc.AudioSource(RATE, 1, 200)
        track = rtc.LocalAudioTrack.create_audio_track("tone", source)
        self._singing = asyncio.create_task(sing(source, float(order["hertz"]), self._over))
        await self.room.local_participant.publish_track(track)

    async def leave(self) -> None:
        """Leave."""
        await self.room.disconnect()
        self._over.set()
        if self._singing is not None:
            await self._singing
        for task in self._listening:
            task.cancel()

    def _tell(self) -> None:
        room = self.room

        def subscribed(track: rtc.Track, *_: object) -> None:
            self._listening.add(asyncio.create_task(self._listen(track)))

        def happened(event: str) -> None:
            say(event, who=self.who, at=time.monotonic(), why=None)

        room.on("track_subscribed", subscribed)
        room.on("reconnecting", lambda: happened("reconnecting"))
        room.on("reconnected", lambda: happened("reconnected"))
        room.on("disconnected", lambda reason: happened("disconnected"))

    async def _listen(self, track: rtc.Track) -> None:
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
            self.ear.hear(np.frombuffer(event.frame.data, np.int16))


async def main() -> None:
    """Carry out commands until there are no more."""
    # The SDK is slow at times, and that is not what is tested.
    asyncio.get_running_loop().slow_callback_duration = 10.0
    guests: dict[str, Guest] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        if order["who"] not in guests:
            guests[order["who"]] = Guest(order["who"])
        guest = guests[order["who"]]
        begun = time.monotonic()
        answer: dict[str, object] = {}
        match order["do"]:
            case "attempt":
                tokens = order["tokens"].split()
                tried = (attempt({**order, "token": token}) for token in tokens)
                answer = {"tried": await asyncio.gather(*tried)}
            case "join":
                await guest.join(order)
            case "hear":
                answer = await guest.ear.hear_more(order)
            case "tell":
                answer = guest.ear.told()
            case "leave":
                await guest.leave()
        say("done", do=order["do"], took=time.monotonic() - begun, **answer)


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: the SDK's threads go on into it, and panic.
    os._exit(0)
