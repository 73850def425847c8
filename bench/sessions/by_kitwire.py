"""kitwire holding many sessions on one asyncio loop, signaling alone."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import kitwire_asyncio
from bench.sessions.holding import Watch
from bench.subject import Answer, serve
from kitwire import Room

__all__: list[str] = []

ABREAST: Final = 100
"""So many join at a time."""


class Hall:
    """Rooms, and what they hear."""

    def __init__(self) -> None:
        self.events = 0
        self.closed: list[str] = []

    async def listen(self, room: Room) -> None:
        """Count a room's events until it is closed."""
        async for _ in room:
            self.events += 1
        self.closed.append(str(room.closed))


async def hold(order: Mapping[str, str]) -> Answer:
    """Join with each token, then look on for so many seconds."""
    tokens: list[str] = json.loads(order["tokens"])
    hall, gate = Hall(), asyncio.Semaphore(ABREAST)
    watch = Watch(lambda: hall.events)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as listeners:
        listening: list[asyncio.Task[None]] = []

        async def join(token: str) -> None:
            async with gate:
                connection = kitwire_asyncio.connect(order["url"], token=token)
                room = await stack.enter_async_context(connection)
            listening.append(listeners.create_task(hall.listen(room)))

        async with asyncio.TaskGroup() as joining:
            for token in tokens:
                joining.create_task(join(token))
        answer = await watch.watch(len(tokens), float(order["seconds"]))
        answer["closed"] = hall.closed[:3]
        for task in listening:
            task.cancel()
    return answer


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(serve({"hold": hold}))
