"""Whether anything arrives on the peer connections: nobody else notices a dead path for long.

A live path is never silent: the server checks consent, and answers our own checks (RFC 7675), every
few seconds. The server gives a dead one up after 15 s, and aiortc never.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..commands import PeerTarget
from .timers import Timer, TimerTable

__all__ = ["Transports"]

_ASKS_PER_TIMEOUT: Final = 5
# A loop that was held up this long past the deadline had no chance to hear what had arrived.
_LATE: Final = 1.0


class Transports:
    """Asks for the next datagram of each transport, again and again. Times are in seconds.

    Args:
        timers: where :data:`Timer.TRANSPORT` is armed.
        timeout: how long a transport may be silent.
        ask: asks for the next datagram of one.
    """

    def __init__(
        self, timers: TimerTable, *, timeout: float, ask: Callable[[PeerTarget], None]
    ) -> None:
        self._timers = timers
        self._timeout = timeout
        self._ask = ask
        self._silent_at: dict[PeerTarget, float] = {}
        self._ask_at: dict[PeerTarget, float] = {}
        self._unheard: set[PeerTarget] = set()

    @property
    def all_heard(self) -> bool:
        """Whether a datagram has come on each since it was asked about first."""
        return not self._unheard

    def add(self, target: PeerTarget, now: float) -> None:
        """Watch a transport; harmless where it is watched."""
        if target in self._silent_at:
            return
        self._unheard.add(target)
        self._silent_at[target] = now + self._timeout
        self._arm()
        self._ask(target)

    def heard(self, target: PeerTarget, now: float) -> None:
        """A datagram came."""
        if target in self._silent_at:
            self._unheard.discard(target)
            self._silent_at[target] = now + self._timeout
            self._ask_at[target] = now + self._timeout / _ASKS_PER_TIMEOUT
            self._arm()

    def timed_out(self, now: float) -> PeerTarget | None:
        """Ask again where it is time, and tell of a transport that has been silent for too long.

        When the caller comes much too late, the machine slept or its loop was held up: then the
        silence begins anew.
        """
        for target, ask_at in [*self._ask_at.items()]:
            if ask_at <= now:
                del self._ask_at[target]
                self._ask(target)
        silent = None
        for target, silent_at in self._silent_at.items():
            if silent_at > now:
                continue
            if now - silent_at >= _LATE:
                self._silent_at[target] = now + self._timeout
            else:
                silent = target
        if silent is None:
            self._arm()
        return silent

    def stop(self) -> None:
        """Watch nothing."""
        self._silent_at.clear()
        self._ask_at.clear()
        self._unheard.clear()
        self._timers.stop(Timer.TRANSPORT)

    def _arm(self) -> None:
        dues = [*self._ask_at.values(), *self._silent_at.values()]
        if dues:
            self._timers.set(Timer.TRANSPORT, min(dues))
