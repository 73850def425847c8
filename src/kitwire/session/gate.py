"""What may be sent when: requests wait, in order, until the session is joined.

Offers, answers, candidates, sync state, leave, simulate and pings pass at any time that a link is
open (the same list as in LiveKit's clients, and pings besides: client-sdk-js
src/api/SignalClient.ts, rust-sdks livekit-api/src/signal_client/mod.rs). Everything else is held.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from ..events import RequestKey
from .phases import Phase

__all__ = ["ACCEPTING", "Gate", "HeldRequest", "is_open"]

ACCEPTING: Final = (
    Phase.PREPARING,
    Phase.OPENING,
    Phase.VALIDATING,
    Phase.JOINING,
    Phase.SETTLING,
    Phase.JOINED,
    Phase.WAITING,
)
"""Where requests are taken, to leave at once or to be held."""


def is_open(phase: Phase) -> bool:
    """Whether requests leave at once in ``phase``."""
    return phase is Phase.JOINED


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRequest:
    """A request that waits for the gate."""

    key: RequestKey
    frame: bytes | str = field(repr=False)


class Gate:
    """A bounded queue of requests, first in, first out.

    Args:
        limit: how many requests to hold at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: deque[HeldRequest] = deque()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def full(self) -> bool:
        """Whether no further request can be held."""
        return len(self._held) >= self._limit

    def hold(self, request: HeldRequest) -> None:
        """Keep a request, behind those held before."""
        self._held.append(request)

    def release(self) -> tuple[HeldRequest, ...]:
        """Give up every held request, in order."""
        released = tuple(self._held)
        self._held.clear()
        return released
