"""Seeded loss of media packets, and how much of the audio is promised to come through it."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["PROMISED", "SECONDS", "Loss", "pattern"]

PROMISED: Final = {0.01: 0.98, 0.05: 0.94, 0.2: 0.78}
"""By the share of the packets that is lost, the share of the audio that is delivered."""

SECONDS: Final = 8.0
"""How long it is measured."""


def pattern(rate: float, count: int) -> list[bool]:
    """Which packets are lost: exactly that share of every hundred, at places drawn by lot."""
    draw = random.Random(20)
    lost: list[bool] = []
    while len(lost) < count:
        block = [number < round(rate * 100) for number in range(100)]
        draw.shuffle(block)
        lost += block
    return lost[:count]


class Loss:
    """Decides for one path which of its media packets are lost.

    Attributes:
        begun: whether packets are counted and lost already.
        packets: how many there were since then, lost or not.
    """

    def __init__(self, rate: float) -> None:
        self.begun = False
        self.packets = 0
        self._pattern = iter(pattern(rate, 10_000))

    def takes(self, data: bytes) -> bool:
        """Whether what a transport carries next is lost; only RTP ever is."""
        # RTP has the second bit pattern 10, RTCP payload types 64 to 95 (RFC 5761).
        if not self.begun or not 127 < data[0] < 192 or 64 <= data[1] & 0x7F < 96:
            return False
        self.packets += 1
        return next(self._pattern)
