"""Run by test_cancellation.py: connect, cancel at a random moment, look what is left, again.

Usage: cancelling_program.py asyncio|trio v1|v0 ROUNDS, with LIVEKIT_URL and LIVEKIT_TOKEN.
Prints how many rounds were cancelled, how many of these had joined, and how many of these had
done a request, too.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import sys
import threading
import time
from contextlib import AbstractAsyncContextManager

import trio

import kitwire_asyncio
import kitwire_trio
from kitwire import PathVersion, Room

URL, TOKEN = os.environ["LIVEKIT_URL"], os.environ["LIVEKIT_TOKEN"]


class Tally:
    """What the rounds came to."""

    def __init__(self, path: PathVersion) -> None:
        self.path = path
        self.cancelled = self.joined = self.settled = 0
        self.longest = 0.0

    def moment(self) -> float:
        """When to cancel, in seconds: before, while or after it joins and asks."""
        return random.uniform(0, self.longest)

    async def measure(self, connection: AbstractAsyncContextManager[Room]) -> None:
        """See how long joining and asking takes on this machine, under its present load."""
        started = time.monotonic()
        async with connection as room:
            await room.update_metadata("x")
            self.longest = 1.5 * (time.monotonic() - started)

    async def live(self, connection: AbstractAsyncContextManager[Room]) -> None:
        """Join, ask, and read until cancelled."""
        async with connection as room:
            self.joined += 1
            await room.update_metadata(str(random.random()))
            self.settled += 1
            async for _ in room:
                pass


def sockets() -> set[str]:
    """The sockets that this process has open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue  # the listing's own
    return {name for name in found if name.startswith("socket:")}


async def on_asyncio(tally: Tally, rounds: int) -> None:
    loop = asyncio.get_running_loop()
    failures: list[object] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    # A busy machine makes a slow callback of any; that says nothing.
    loop.slow_callback_duration = float("inf")
    before = sockets()
    await tally.measure(kitwire_asyncio.connect(URL, token=TOKEN, path=tally.path))
    for _ in range(rounds):
        connection = kitwire_asyncio.connect(URL, token=TOKEN, path=tally.path)
        task = asyncio.create_task(tally.live(connection))
        await asyncio.sleep(tally.moment())
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            tally.cancelled += 1
        assert asyncio.all_tasks() == {asyncio.current_task()}, asyncio.all_tasks()
        assert sockets() == before, "a socket is left"
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined] # asyncio tells nowhere else
        assert timers == [], timers
    gc.collect()
    assert failures == [], failures


async def on_trio(tally: Tally, rounds: int) -> None:
    def tasks() -> int:
        return trio.lowlevel.current_statistics().tasks_living

    before, living = sockets(), tasks()
    await tally.measure(kitwire_trio.connect(URL, token=TOKEN, path=tally.path))
    for _ in range(rounds):
        with trio.move_on_after(tally.moment()) as scope:
            await tally.live(kitwire_trio.connect(URL, token=TOKEN, path=tally.path))
        tally.cancelled += scope.cancelled_caught
        assert tasks() == living, "a task is left"
        assert sockets() == before, "a socket is left"
        assert scope.deadline >= 0
    gc.collect()
    statistics = trio.lowlevel.current_statistics()
    assert statistics.seconds_to_next_deadline == float("inf"), "a deadline is left"


def main() -> None:
    adapter, path, rounds = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    tally = Tally(PathVersion(path))
    threads = threading.active_count()
    if adapter == "asyncio":
        asyncio.run(on_asyncio(tally, int(rounds)))
    else:
        trio.run(on_trio, tally, int(rounds))
    if adapter == "asyncio":  # trio keeps idle threads for ten seconds, for the next lookup
        assert threading.active_count() == threads
    print(tally.cancelled, tally.joined, tally.settled)  # noqa: T201 - the result


if __name__ == "__main__":
    main()
