"""How much of a tone has come through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["BLOCK", "RATE", "Heard", "Samples", "judge"]

RATE: Final = 48_000
BLOCK: Final = RATE // 100
"""10 ms: how finely holes are measured."""

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A tone at the far end."""

    hertz: float
    share: float
    """Of the expected samples, how many belong to the tone: blocks where it is there, and alone."""
    hole_ms: float
    """The longest time without it."""


def judge(signal: Samples, hertz: float, seconds: float) -> Heard:
    """So many seconds from where the tone begins; what misses at the end counts as a hole."""
    blocks = signal[: len(signal) // BLOCK * BLOCK].reshape(-1, BLOCK).astype(np.float64)
    window = np.hanning(BLOCK)
    turn = np.exp(-2j * np.pi * hertz * np.arange(BLOCK) / RATE)
    height = 2 * np.abs((blocks * window * turn).sum(axis=1)) / window.sum()
    power = np.sqrt(2 * np.mean(np.square(blocks), axis=1))
    there = (height > np.median(height) / 2) & (height > 0.8 * power)
    begin = int(np.argmax(there))
    wanted = round(seconds * RATE / BLOCK)
    there = there[begin : begin + wanted]
    there = np.concatenate([there, np.zeros(wanted - len(there), np.bool_)])
    holes = np.diff(np.flatnonzero(np.concatenate([[True], there, [True]]))) - 1
    part = signal[begin * BLOCK : (begin + wanted) * BLOCK].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    return Heard(
        hertz=float(np.argmax(spectrum)) * RATE / len(part),
        share=float(there.mean()),
        hole_ms=float(holes.max()) * 10,
    )
