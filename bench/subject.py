"""Who is measured runs in a process of its own, as `tests.interop.processes` says."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

__all__ = ["SETTLING", "Answer", "Command", "Meter", "serve"]

SETTLING: Final = 1.0
"""Seconds after the first frame of the last track, before measuring begins."""

Answer: TypeAlias = dict[str, object]
Command: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Answer]]


async def serve(commands: Mapping[str, Command]) -> None:
    """Carry out commands, one after the other, until there are no more."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        order: dict[str, str] = json.loads(line)
        answer = await commands[order["do"]](order)
        sys.stdout.write(json.dumps({"event": "done", "do": order["do"], **answer}) + "\n")
        sys.stdout.flush()
    # Not by the interpreter's own end: the official SDK's threads go on into it, and panic.
    os._exit(0)


class Meter:
    """Processor time of this process, all threads, in share of one core."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._busy = self._used()

    @staticmethod
    def _used() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    def read(self) -> float:
        """Since the meter was made: 1.0 is a whole core."""
        return (self._used() - self._busy) / (time.monotonic() - self._wall)
