"""A number written into a picture so that it can be read again after lossy encoding.

Along the lower edge stand 32 blocks, two rows of 16, each a sixteenth of the picture wide and a
sixteenth high: black for 0, white for 1. They hold 24 bits of the number and 8 bits of a check sum,
most significant first. Encoders keep large flat blocks even at low bit rates; the check sum tells
when one did not. Everything is relative to the size of the picture, which may change on the way.
"""

from __future__ import annotations

from typing import Final

import av
import numpy as np
import numpy.typing as npt

__all__ = ["LIMIT", "MIN_HEIGHT", "MIN_WIDTH", "read_counter", "write_counter"]

LIMIT: Final = 1 << 24
"""Numbers are below this one: a week at 25 frames a second."""

COLUMNS: Final = 16
ROWS: Final = 2
MIN_WIDTH: Final = 128
"""Pixels: a block is 8 wide then, as large as what encoders transform."""
MIN_HEIGHT: Final = 128

BLACK: Final = 16
WHITE: Final = 235
SURE: Final = 40
"""How far the mean of a block must be from the middle for it to count."""

Luma = npt.NDArray[np.uint8]


def write_counter(luma: Luma, number: int) -> None:
    """Write a number into the plane of brightness of a picture.

    Args:
        luma: height × width, of values from 16 to 235; at least 128 × 128.
        number: 0 or more; what exceeds 24 bits is cut off.
    """
    word = (number % LIMIT) << 8 | _check(number % LIMIT)
    bits = COLUMNS * ROWS
    for place, (top, bottom, left, right) in enumerate(_blocks(*luma.shape)):
        bit = word >> (bits - 1 - place) & 1
        luma[top:bottom, left:right] = WHITE if bit else BLACK


def read_counter(frame: av.VideoFrame) -> int | None:
    """The number in a picture; None when there is none that can be read for certain."""
    if frame.width < MIN_WIDTH or frame.height < MIN_HEIGHT:
        return None
    luma = frame.reformat(format="gray").to_ndarray()
    word = 0
    for top, bottom, left, right in _blocks(*luma.shape):
        # Without the edges, which encoders blur.
        high, wide = (bottom - top) // 4, (right - left) // 4
        mean = float(luma[top + high : bottom - high, left + wide : right - wide].mean())
        if abs(mean - (BLACK + WHITE) / 2) < SURE:
            return None
        word = word << 1 | (mean > (BLACK + WHITE) / 2)
    number = word >> 8
    return number if word & 0xFF == _check(number) else None


def _blocks(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Top, bottom, left and right of each block, in order."""
    edges = [round(width * column / COLUMNS) for column in range(COLUMNS + 1)]
    heights = [round(height * (16 - row) / 16) for row in range(ROWS, -1, -1)]
    return [
        (heights[row], heights[row + 1], edges[column], edges[column + 1])
        for row in range(ROWS)
        for column in range(COLUMNS)
    ]


def _check(number: int) -> int:
    """Eight bits that differ for numbers that differ in few bits; not zero for zero."""
    mixed = (number * 0x9E3779B1 + 0x5A5A5A5A) & 0xFFFFFFFF
    return mixed >> 24
