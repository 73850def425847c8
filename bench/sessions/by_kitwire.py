"""Holds many sessions in one process: `python -m bench.sessions.by_kitwire URL SESSIONS SECONDS`.

Prints what it cost as JSON: see :class:`bench.sessions.figures.Held`.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import kitwire_asyncio
from bench.sessions.loop_delay import loop_delays
from kitwire import Room
from tests.peers.lives import TOKEN

ABREAST: Final = 100
"""So many join at a time, as a program does that does not want to be refused."""


class Hall:
    """Rooms, and what they hear."""

    def __init__(self) -> None:
        self.events = 0
        self.ended: list[str] = []

    async def listen(self, room: Room) -> None:
        """Count a room's events until it is closed."""
        async for _ in room:
            self.events += 1
        self.ended.append(str(room.closed))


async def hold(url: str, sessions: int, seconds: float) -> dict[str, object]:
    """Join, then listen for a while."""
    hall = Hall()
    gate = asyncio.Semaphore(ABREAST)
    before = _memory()

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as listeners:

        async def join() -> None:
            async with gate:
                room = await stack.enter_async_context(kitwire_asyncio.connect(url, token=TOKEN))
            rooms.append(listeners.create_task(hall.listen(room)))

        rooms: list[asyncio.Task[None]] = []
        async with asyncio.TaskGroup() as joining:
            for _ in range(sessions):
                joining.create_task(join())
        memory = (_memory() - before) / sessions
        events, cpu = hall.events, time.process_time()
        delays = sorted([delay async for delay in loop_delays(seconds)])
        events, cpu = hall.events - events, time.process_time() - cpu
        ended = list(hall.ended)
        for task in rooms:
            task.cancel()
    return {
        "sessions": sessions - len(ended),
        "ended": ended[:3],
        "memory": memory,
        "events": events,
        "cpu": cpu,
        "seconds": seconds,
        "p50": delays[len(delays) // 2],
        "p99": delays[len(delays) * 99 // 100],
        "worst": delays[-1],
    }


def _memory() -> int:
    """Resident bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main(arguments: Sequence[str]) -> None:
    """Run."""
    url, sessions, seconds = arguments
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = asyncio.run(hold(url, int(sessions), float(seconds)))
    sys.stdout.write(json.dumps(held) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
