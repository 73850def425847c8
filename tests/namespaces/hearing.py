"""When a tone was heard: what the programs of these tests write down, and what is read from it.

Times are those of `time.monotonic`, which is one clock for all processes of the machine.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["BLOCKS", "Ear", "Heard"]

RATE: Final = 48_000
BLOCK: Final = RATE // 100
BLOCKS: Final = 100
"""Blocks a second."""
SLOT: Final = 0.1
"""Seconds: how finely it is written down when blocks came."""
QUIET: Final = 1000.0
"""Of 32,767: a tone is louder."""


class Ear:
    """Listens for one tone: how many of the blocks that came had it, and when."""

    def __init__(self, hertz: float) -> None:
        self._slots: Counter[int] = Counter()
        self._wave = np.hanning(BLOCK) * np.exp(-2j * np.pi * hertz * np.arange(BLOCK) / RATE)
        self._scale = 2 / np.hanning(BLOCK).sum()
        self._more = asyncio.Event()

    def hear(self, signal: npt.NDArray[np.int16]) -> None:
        """A frame, mono at 48 kHz, of whole blocks."""
        blocks = signal.reshape(-1, BLOCK).astype(np.float64)
        height = self._scale * np.abs(blocks @ self._wave)
        power = np.sqrt(2 * np.mean(np.square(blocks), axis=1))
        there = np.count_nonzero((height > QUIET) & (height > 0.8 * power))
        if there:
            self._slots[int(time.monotonic() / SLOT)] += int(there)
            self._more.set()

    async def hear_more(self, order: Mapping[str, str]) -> dict[str, object]:
        """Wait until so many blocks had the tone since a time; tells whether that came to be."""
        blocks, after, until = int(order["blocks"]), float(order["after"]), float(order["until"])

        async def more() -> None:
            while sum(each for slot, each in self._slots.items() if slot * SLOT >= after) < blocks:
                self._more.clear()
                await self._more.wait()

        try:
            await asyncio.wait_for(more(), max(0.1, until - time.monotonic()))
        except TimeoutError:
            return {"heard": False}
        return {"heard": True}

    def told(self) -> dict[str, object]:
        """For the tests."""
        return {"slots": dict(self._slots)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What an ear has told."""

    slots: Mapping[int, int]

    def blocks(self, begin: float, end: float) -> int:
        """How many had it in that time."""
        return sum(
            self.slots.get(slot, 0) for slot in range(round(begin / SLOT), round(end / SLOT))
        )

    def hole(self, begin: float, end: float) -> tuple[float, float]:
        """The longest time without it between two, as its begin and its end."""
        first, last = int(begin / SLOT), int(end / SLOT)
        there = [first, *(slot for slot in range(first, last) if self.slots.get(slot)), last]
        length, at = max((after - before, before) for before, after in pairwise(there))
        return at * SLOT, (at + length) * SLOT
