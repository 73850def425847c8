"""Ctrl-C and its like: asked once, leave gracefully; asked twice, end at once."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from .exit_codes import INTERRUPTED

__all__ = ["Switch", "interrupts"]

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, a polite kill, and a terminal that goes away."""


class Switch:
    """Asks whatever loop is running to leave.

    It may be pulled from a signal handler, from inside the loop, and before the loop runs. Pulling
    it again changes nothing.

    Attributes:
        pulled: whether it has been pulled.
        signal: the number of the signal that pulled it; 0 when none did.
    """

    def __init__(self) -> None:
        self.pulled = False
        self.signal = 0
        self._callback: Callable[[], object] | None = None

    def pull(self, signal_number: int = 0) -> None:
        """Ask to leave."""
        if self.pulled:
            return
        self.pulled = True
        self.signal = signal_number
        if self._callback is not None:
            self._callback()

    @contextlib.contextmanager
    def bound(self, callback: Callable[[], object]) -> Iterator[None]:
        """Have ``callback`` called once when the switch is pulled, or at once when it has been.

        It must be safe to call from a signal handler.
        """
        self._callback = callback
        try:
            if self.pulled:
                callback()
            yield
        finally:
            self._callback = None


@contextlib.contextmanager
def interrupts(switch: Switch) -> Iterator[None]:
    """Have signals pull the switch; a second one ends the process. For the main thread only."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if switch.signal:
            # Whatever hangs must not be able to hold us. Every line was flushed when it was made.
            os._exit(INTERRUPTED + number)
        if switch.pulled:
            switch.signal = number
        switch.pull(number)

    # Also where they were ignored, as in a script's background: whoever sends one means it.
    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
