"""kitwire holding many sessions on one asyncio loop, signaling alone."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import kitwire_asyncio
from bench.sessions.holding import Watch
from bench.subject import Answer, serve
from kitwire import Room
from kitwire.codec import implementation

__all__: list[str] = []

ABREAST: Final = 100
"""So many join at a time."""
COLLECTED: Final = 100_000
"""New objects after which Python's collector looks for garbage."""


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
    # What stays need not be looked through for garbage again and again, which takes a second for
    # thousands; nor what the next message replaces, after every 700 of Python's objects.
    gc.set_threshold(COLLECTED)
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
        gc.collect()
        gc.freeze()
        answer = await watch.watch(len(tokens), float(order["seconds"]))
        answer["closed"] = hall.closed[:3]
        answer["codec"] = implementation
        for task in listening:
            task.cancel()
    return answer


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(serve({"hold": hold}))
