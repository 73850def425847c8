"""LiveKit's own SDK holding many rooms, without a track of anybody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from livekit import rtc

from bench.sessions.holding import Watch
from bench.subject import Answer, serve

__all__: list[str] = []


async def hold(order: Mapping[str, str]) -> Answer:
    """Join with each token, then look on for so many seconds."""
    watch = Watch(lambda: 0)
    rooms = [rtc.Room() for _ in json.loads(order["tokens"])]
    for room, token in zip(rooms, json.loads(order["tokens"]), strict=True):
        await room.connect(order["url"], token)
    answer = await watch.watch(len(rooms), float(order["seconds"]))
    answer["closed"] = ["disconnected" for room in rooms if not room.isconnected()][:3]
    for room in rooms:
        await room.disconnect()
    return answer


if __name__ == "__main__":
    asyncio.run(serve({"hold": hold}))
