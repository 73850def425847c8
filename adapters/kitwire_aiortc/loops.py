"""What code needs of the event loop that it runs in, whichever that is: asyncio's or trio's.

An application reads frames and fills sources in its own loop, while aiortc fills and reads them in
an asyncio loop, which is another one, in another thread, when the application's is trio's.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

__all__ = ["Signal", "in_thread", "sleep"]

T = TypeVar("T")


class Signal:
    """Says that something may have changed, from any thread, to those who wait in any loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: set[_Waiter] = set()

    def set(self) -> None:
        """Let everybody who waits look again."""
        with self._lock:
            waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            waiter.wake()

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until ``ready()``. Whoever changes what it looks at calls :meth:`set` afterwards.

        On trio it is a checkpoint always.
        """
        if _on_trio():
            import trio

            await trio.lowlevel.checkpoint()
        while not ready():
            waiter: _Waiter = _TrioWaiter() if _on_trio() else _AsyncioWaiter()
            with self._lock:
                self._waiters.add(waiter)
            try:
                # Once more: it may have become so in another thread, just before we were added.
                if not ready():
                    await waiter.wait()
            finally:
                with self._lock:
                    self._waiters.discard(waiter)


async def sleep(seconds: float) -> None:
    """Wait so long; not at all for a time that is not above zero."""
    if _on_trio():
        import trio

        await trio.sleep(max(0.0, seconds))
    else:
        await asyncio.sleep(max(0.0, seconds))


async def in_thread(work: Callable[[], T]) -> T:
    """Do blocking work in a thread of the loop's own, and wait for it, even when cancelled."""
    if _on_trio():
        import trio

        with trio.CancelScope(shield=True):
            return await trio.to_thread.run_sync(work)
    doing = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not doing.cancelled():
            doing.exception()
        raise cancelled
    return doing.result()


def _on_trio() -> bool:
    # Who runs in trio has imported it; we need not.
    trio = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_run()


class _Waiter(Protocol):
    def wake(self) -> None: ...

    async def wait(self) -> None: ...


class _AsyncioWaiter:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._woken: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._wake()
        else:
            # The loop may be closed, and with it whoever waited.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._woken.done():
            self._woken.set_result(None)

    async def wait(self) -> None:
        await self._woken


class _TrioWaiter:
    def __init__(self) -> None:
        import trio

        self._woken = trio.Event()
        self._thread = threading.get_ident()
        self._soon = partial(trio.lowlevel.current_trio_token().run_sync_soon, idempotent=True)
        self._finished = trio.RunFinishedError

    def wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._woken.set()
        else:
            with contextlib.suppress(self._finished):
                self._soon(self._woken.set)

    async def wait(self) -> None:
        await self._woken.wait()
