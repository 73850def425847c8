"""What a process measures that holds many sessions: memory, processor, and how late its loop is."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from typing import Final

from bench.subject import Answer, Meter

__all__ = ["Watch"]

INTERVAL: Final = 0.005
"""Seconds between two looks at the loop."""
SETTLING: Final = 6.0
"""Seconds before the first: the scripted server is quiet for three of them."""


class Watch:
    """Begun before the first session.

    Args:
        events: how many were heard so far.
    """

    def __init__(self, events: Callable[[], int]) -> None:
        self._events = events
        self._memory = _resident()

    async def watch(self, sessions: int, seconds: float) -> Answer:
        """Look on for a while, when all sessions stand.

        What is told is meant for :class:`bench.sessions.figures.Held`.
        """
        memory = (_resident() - self._memory) / sessions
        await asyncio.sleep(SETTLING)
        events, meter = self._events(), Meter()
        delays = sorted(await self._delays(seconds))
        return {
            "sessions": sessions,
            "memory": memory,
            "events": self._events() - events,
            "cpu": meter.read(),
            "median": delays[len(delays) // 2],
            "p99": delays[len(delays) * 99 // 100],
            "worst": delays[-1],
        }

    async def _delays(self, seconds: float) -> list[float]:
        """By how many seconds a timer came too late, again and again.

        While the loop is late no further timer is set; those that would have been count as well, or
        a second's pause would be one delay among thousands.
        """
        loop = asyncio.get_running_loop()
        delays, until = [], loop.time() + seconds
        while loop.time() < until:
            due = loop.time() + INTERVAL
            await asyncio.sleep(INTERVAL)
            late = max(0.0, loop.time() - due)
            delays += [late - missed * INTERVAL for missed in range(int(late / INTERVAL) + 1)]
        return delays


def _resident() -> int:
    """Bytes of this process's memory that are in use."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
