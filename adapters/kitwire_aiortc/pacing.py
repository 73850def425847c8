"""Real time for sources that make their own frames."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Final

__all__ = ["Pacer"]

LATE: Final = 0.2
"""Seconds behind which a source skips frames instead of catching up: nobody had read it."""


class Pacer:
    """Says which frame is due, and waits until it is.

    The frames are those of a live source: what nobody takes in time is gone.

    Args:
        rate: frames a second.
    """

    def __init__(self, rate: Fraction) -> None:
        if not rate > 0:
            raise ValueError(f"a rate must be above zero, not {rate}")
        self._period = float(1 / rate)
        self._begun: float | None = None
        self._index = -1

    async def next(self) -> int:
        """Wait for the next frame to be due; its number, from 0."""
        loop = asyncio.get_running_loop()
        if self._begun is None:
            self._begun = loop.time()
        self._index += 1
        ahead = self._begun + self._index * self._period - loop.time()
        if ahead > 0:
            await asyncio.sleep(ahead)
        elif ahead < -LATE:
            self._index += int(-ahead / self._period)
        return self._index
