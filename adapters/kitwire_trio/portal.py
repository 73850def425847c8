"""An asyncio event loop in a thread of its own, for what cannot live in trio's.

aiortc needs asyncio. trio-asyncio would run it in trio's own loop, but replaces asyncio's for the
whole process, and closing a peer connection with video hangs on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar, cast

import outcome
import trio

__all__ = ["AsyncioThread"]

T = TypeVar("T")


class AsyncioThread:
    """The :class:`~kitwire_aiortc.portal.Portal` from trio's loop to asyncio's.

    ``async with`` runs the thread. At its end everything in that loop is cancelled and waited
    for; then neither the thread nor any that the loop had started is left.
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._run, name="kitwire media")
        self._begun = trio.Event()
        self._ended = trio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> AsyncioThread:
        self._thread.start()
        with trio.CancelScope(shield=True):
            await self._begun.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        with trio.CancelScope(shield=True):
            await self._ended.wait()
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self.deliver(self._begun.set)
            self._loop.run_forever()
        self.deliver(self._ended.set)

    # --- from trio ---

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something in asyncio's loop, and wait for what comes of it.

        Cancelled here it is cancelled there, and waited for; what it gives all the same is given.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        waiting = trio.lowlevel.current_task()
        cancelling: trio.lowlevel.RaiseCancelT | None = None
        doing: asyncio.Task[T] | None = None

        def begin() -> None:
            nonlocal doing
            assert self._loop is not None
            # Written as work() may be any awaitable, and tasks are made of coroutines.
            doing = self._loop.create_task(_awaited(work))
            doing.add_done_callback(lambda done: self.deliver(lambda: give(done)))

        def cancel() -> None:
            # Posted after begin().
            assert doing is not None
            doing.cancel()

        def give(done: asyncio.Task[T]) -> None:
            trio.lowlevel.reschedule(waiting, result_of(done))

        def result_of(done: asyncio.Task[T]) -> outcome.Outcome[T]:
            if not done.cancelled():
                error = done.exception()
                return outcome.Value(done.result()) if error is None else outcome.Error(error)
            if cancelling is not None:
                return cast(outcome.Outcome[T], outcome.capture(cancelling))
            return outcome.Error(RuntimeError("the media plane cancelled what it was asked for"))

        def abort(raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            nonlocal cancelling
            cancelling = raise_cancel
            self.post(cancel)
            return trio.lowlevel.Abort.FAILED

        self.post(begin)
        return cast(T, await trio.lowlevel.wait_task_rescheduled(abort))

    def post(self, step: Callable[[], object]) -> None:
        """Do something in asyncio's loop, without waiting."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(step)

    # --- from asyncio ---

    def deliver(self, step: Callable[[], object]) -> None:
        """Do something in trio's loop, without waiting; nothing when it is over."""
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(step)


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
