"""What the media plane needs of an event loop, on asyncio and on trio, alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from kitwire_aiortc.loops import Signal, in_thread, sleep

on_both = pytest.mark.parametrize("loop", ["asyncio", "trio"])


class Shelf:
    """Something that one thread fills and another one waits for."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.filled = Signal()

    def put(self, item: int) -> None:
        self.items.append(item)
        self.filled.set()

    async def holds(self, count: int) -> None:
        await self.filled.until(lambda: len(self.items) >= count)


def run(loop: str, main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(10.0):
            await main()

    anyio.run(bounded, backend=loop)


@on_both
def test_everybody_who_waits_looks_again(loop: str) -> None:
    async def main() -> None:
        shelf, done = Shelf(), []

        async def wait(count: int) -> None:
            await shelf.holds(count)
            done.append(count)

        async with anyio.create_task_group() as tasks:
            for count in (2, 1, 2):
                tasks.start_soon(wait, count)
            await anyio.wait_all_tasks_blocked()
            shelf.put(0)
            await anyio.wait_all_tasks_blocked()
            assert done == [1]
            shelf.put(0)
        assert done == [1, 2, 2]
        await shelf.holds(2)

    run(loop, main)


@on_both
def test_another_thread_can_set_it(loop: str) -> None:
    """Two thousand times, each at once after the one before is seen: a lost one would hang."""

    async def main() -> None:
        there, back = Shelf(), Shelf()
        answered = threading.Semaphore(0)

        def answer() -> None:
            for number in range(2_000):
                assert answered.acquire(timeout=5.0)
                back.put(number)

        thread = threading.Thread(target=answer)
        thread.start()
        for number in range(2_000):
            there.put(number)
            answered.release()
            await back.holds(number + 1)
        thread.join()

    run(loop, main)


@on_both
def test_who_is_cancelled_waits_no_more(loop: str) -> None:
    async def main() -> None:
        shelf = Shelf()
        with anyio.move_on_after(0.01) as scope:
            await shelf.holds(1)
        assert scope.cancelled_caught
        shelf.put(1)
        await shelf.holds(1)

    run(loop, main)


@on_both
def test_setting_it_for_a_loop_that_is_over_does_no_harm(loop: str) -> None:
    """Its task is gone, though it never came to say so."""
    shelf = Shelf()

    async def main() -> None:
        from kitwire_aiortc import loops

        waiter = loops._TrioWaiter() if loop == "trio" else loops._AsyncioWaiter()
        shelf.filled._waiters.add(waiter)

    run(loop, main)
    thread = threading.Thread(target=shelf.put, args=(1,))
    thread.start()
    thread.join()
    assert shelf.items == [1]


@on_both
def test_a_time_is_slept_and_none_is_not(loop: str) -> None:
    async def main() -> None:
        begun = time.monotonic()
        await sleep(-5.0)
        assert time.monotonic() - begun < 1.0
        await sleep(0.05)
        assert time.monotonic() - begun >= 0.05

    run(loop, main)


@on_both
def test_work_in_a_thread_gives_what_it_gives(loop: str) -> None:
    async def main() -> None:
        assert await in_thread(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 // 0)

    run(loop, main)


@on_both
def test_work_in_a_thread_is_waited_for_though_cancelled(loop: str) -> None:
    async def main() -> None:
        begun, go, done = Signal(), threading.Event(), []
        running: list[bool] = []

        def work() -> None:
            running.append(True)
            begun.set()
            assert go.wait(5.0)
            done.append(1)

        async def cancel(scope: anyio.CancelScope) -> None:
            await begun.until(lambda: bool(running))
            scope.cancel()
            await anyio.sleep(0.01)
            assert done == []
            go.set()

        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                tasks.start_soon(cancel, scope)
                await in_thread(work)
                await anyio.lowlevel.checkpoint()  # trio says so at the next step
                pytest.fail("not cancelled")
            assert done == [1]

    run(loop, main)
