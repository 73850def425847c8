"""Every timer of a session, by name, in one table."""

from __future__ import annotations

from enum import StrEnum
from operator import itemgetter
from typing import Final

__all__ = ["Timer", "TimerTable"]


class Timer(StrEnum):
    """What a session waits for."""

    OPEN = "OPEN"
    """The answer to the upgrade."""
    VALIDATE = "VALIDATE"
    """The answer to the GET that asks why an upgrade was refused, or where else to go."""
    JOIN = "JOIN"
    """The join message."""
    PING = "PING"
    """The next ping is due."""
    SILENCE = "SILENCE"
    """The server has been silent for too long."""
    REQUEST = "REQUEST"
    """The earliest of the requests that have a deadline."""
    NEGOTIATION = "NEGOTIATION"
    """A step of the peer connections' negotiation, or their connecting, takes too long."""
    RETRY = "RETRY"
    """The next attempt to bring the session back."""
    SETTLE = "SETTLE"
    """The link came back; the peer connections have not."""
    TRANSPORT = "TRANSPORT"
    """Whether anything arrives on the peer connections."""
    FAREWELL = "FAREWELL"
    """The server's leave after it closed a peer connection."""
    CLOSE = "CLOSE"
    """The server's close after our leave."""


_BY_DEADLINE: Final = itemgetter(1)


class TimerTable:
    """Deadlines by name, in seconds of the session's time. At most one for each name."""

    def __init__(self) -> None:
        self._deadlines: dict[Timer, float] = {}

    def set(self, timer: Timer, deadline: float) -> None:
        """Arm a timer, or move it."""
        self._deadlines[timer] = deadline

    def stop(self, timer: Timer) -> None:
        """Disarm a timer; harmless when it is not armed."""
        self._deadlines.pop(timer, None)

    def clear(self) -> None:
        """Disarm every timer."""
        self._deadlines.clear()

    def next(self) -> tuple[Timer, float] | tuple[None, None]:
        """The timer that is due first and its deadline, or two Nones when none is armed."""
        return min(self._deadlines.items(), key=_BY_DEADLINE, default=(None, None))

    def pop_due(self, now: float) -> tuple[Timer, float] | None:
        """Disarm and return the first timer whose deadline has come, with that deadline."""
        timer, deadline = self.next()
        if timer is None or deadline is None or deadline > now:
            return None
        self.stop(timer)
        return timer, deadline
