"""How late an event loop is: what everything else in the process waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

__all__ = ["INTERVAL", "loop_delays"]

INTERVAL: Final = 0.005
"""Seconds between two looks."""


async def loop_delays(seconds: float) -> AsyncIterator[float]:
    """By how many seconds a timer comes too late, again and again for a while."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        due = loop.time() + INTERVAL
        await asyncio.sleep(INTERVAL)
        yield max(0.0, loop.time() - due)
