"""The way between a room and the asyncio loop that its peer connections live in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

__all__ = ["Portal", "SameLoop"]

T = TypeVar("T")


class Portal(Protocol):
    """Leads from the room's event loop to aiortc's, and back. Each way keeps the order."""

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something in aiortc's loop, and wait for what comes of it.

        Cancelled here it is cancelled there, and waited for.
        """

    def post(self, step: Callable[[], object]) -> None:
        """Do something in aiortc's loop, without waiting."""

    def deliver(self, step: Callable[[], object]) -> None:
        """The way back, from aiortc's loop: do something in the room's, without waiting."""


class SameLoop:
    """The :class:`Portal` of a room that lives in the same loop: there is nothing to cross."""

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it."""
        return await work()

    def post(self, step: Callable[[], object]) -> None:
        """Do it."""
        step()

    def deliver(self, step: Callable[[], object]) -> None:
        """Do it."""
        step()
