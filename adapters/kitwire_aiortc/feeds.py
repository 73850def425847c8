"""What comes to a room one by one, handed to everybody who reads it by async iteration."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, Generic, TypeVar

from kitwire_aiortc.loops import Signal

__all__ = ["Feed", "Feeds"]

T = TypeVar("T")

CAPACITY: Final = 10_000
"""How many items may wait unread."""


class Feed(Generic[T]):
    """Items as they come, by async iteration. It ends when the room does.

    It may be filled in one thread and read in another. A bounded number may wait unread. Beyond
    that the **newest** are dropped and counted: what is read has no hole before that point.

    Args:
        capacity: how many may wait.

    Attributes:
        dropped: how many were dropped because nobody took them in time.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, not {capacity}")
        self.dropped = 0
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._readable = Signal()
        self._ended = False

    def put(self, item: T) -> None:
        """Take an item, or drop it when there is no room."""
        if self._ended:
            return
        if len(self._items) >= self._capacity:
            self.dropped += 1
            return
        self._items.append(item)
        self._readable.set()

    def end(self) -> None:
        """Let the iteration end after the items that wait."""
        self._ended = True
        self._readable.set()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        await self._readable.until(lambda: bool(self._items) or self._ended)
        if not self._items:
            raise StopAsyncIteration
        return self._items.popleft()


class Feeds(Generic[T]):
    """All feeds of one kind. Each lasts for as long as its reader holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._feeds: weakref.WeakSet[Feed[T]] = weakref.WeakSet()
        self._ended = False

    def open(self, capacity: int = CAPACITY) -> Feed[T]:
        """One more, with what comes from now on; after the end, with nothing."""
        feed: Feed[T] = Feed(capacity)
        with self._lock:
            if self._ended:
                feed.end()
            else:
                self._feeds.add(feed)
        return feed

    def put(self, item: T) -> None:
        """Hand an item to every reader."""
        for feed in self._open():
            feed.put(item)

    def end(self) -> None:
        """Nothing will come any more."""
        with self._lock:
            self._ended = True
        for feed in self._open():
            feed.end()

    def _open(self) -> tuple[Feed[T], ...]:
        with self._lock:
            return tuple(self._feeds)
