"""Pings, round trips, and when silence has lasted too long.

The server never ends a connection for want of pings (livekit pkg/service/rtcservice.go); it is the
client that must notice a dead link. Anything that arrives counts as a sign of life.
"""

from __future__ import annotations

from typing import Final

from ..messages import Ping
from .timers import Timer, TimerTable

__all__ = ["KeepAlive", "milliseconds"]

_REMEMBERED_PINGS: Final = 8
# A loop that was held up this long past the deadline had no chance to read what had arrived.
_LATE: Final = 1.0


def milliseconds(now: float) -> int:
    """A time as the protocol's pings carry it. The server echoes it and does not look at it."""
    return int(now * 1000)


class KeepAlive:
    """The keep-alive of one link. Times are in seconds.

    Args:
        timers: where :data:`Timer.PING` and :data:`Timer.SILENCE` are armed.
    """

    def __init__(self, timers: TimerTable) -> None:
        self._timers = timers
        self._interval = 0.0
        self._timeout = 0.0
        self._grace_given = False
        self._sent: dict[int, float] = {}
        self.rtt: float | None = None
        """The last round trip that was measured."""

    def start(self, *, interval: float, timeout: float, now: float) -> bool:
        """Begin. Values of zero and below, which servers may send, turn the keep-alive off.

        Returns:
            Whether to ping, now and whenever :data:`Timer.PING` is due.
        """
        self._interval, self._timeout = interval, timeout
        if interval <= 0:
            return False
        self.heard(now)
        return True

    def restart(self, now: float) -> bool:
        """Begin anew on another link, at the same pace; see :meth:`start`."""
        return self.start(interval=self._interval, timeout=self._timeout, now=now)

    def heard(self, now: float) -> None:
        """Something arrived: the silence begins anew."""
        self._grace_given = False
        if self._interval > 0 and self._timeout > 0:
            self._timers.set(Timer.SILENCE, now + self._timeout)

    def ping(self, now: float, due: float | None = None) -> Ping:
        """The ping to send now, remembered; the next one of the keep-alive is armed.

        One that comes late leaves those after it where they were, unless it missed them: a pause
        would let all sessions of a process ping at the same moment ever after.

        Args:
            now: the time, in seconds.
            due: when it should have been sent; None for now.
        """
        if self._interval > 0:
            following = (now if due is None else due) + self._interval
            self._timers.set(Timer.PING, following if following > now else now + self._interval)
        timestamp = milliseconds(now)
        self._sent[timestamp] = now
        if len(self._sent) > _REMEMBERED_PINGS:
            del self._sent[next(iter(self._sent))]
        return Ping(timestamp=timestamp, rtt=0 if self.rtt is None else milliseconds(self.rtt))

    def answered(self, timestamp: int, now: float) -> float | None:
        """The round trip of the ping that carried ``timestamp``; None when there was none."""
        sent = self._sent.pop(timestamp, None)
        if sent is None:
            return None
        self.rtt = now - sent
        return self.rtt

    def gives_up(self, deadline: float, now: float) -> bool:
        """Whether a silence whose deadline has come means that the server is gone.

        When the caller comes much too late, its loop was held up or the machine slept, and what
        arrived meanwhile has not been read. Then the server gets one more interval, once.
        """
        if now - deadline < _LATE or self._grace_given:
            return True
        self._grace_given = True
        self._timers.set(Timer.SILENCE, now + self._interval)
        return False
