"""The way from trio's loop to asyncio's and back, with nothing of WebRTC in it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.testing

from kitwire_trio.portal import AsyncioThread


def run(main: Callable[[AsyncioThread], Awaitable[None]]) -> None:
    """With a portal open; afterwards no thread is left."""
    before = {*threading.enumerate()}

    async def bounded() -> None:
        with trio.fail_after(10.0):
            async with AsyncioThread() as portal:
                await main(portal)

    trio.run(bounded)
    assert {*threading.enumerate()} <= before  # Those of others may end meanwhile.


def test_what_it_gives_comes_back_and_so_does_what_it_raises() -> None:
    async def main(portal: AsyncioThread) -> None:
        async def where() -> int:
            await asyncio.sleep(0)
            return threading.get_ident()

        async def fail() -> None:
            raise LookupError("of its own")

        assert await portal.call(where) != threading.get_ident()
        with pytest.raises(LookupError, match="of its own"):
            await portal.call(fail)

    run(main)


def test_each_way_keeps_the_order() -> None:
    async def main(portal: AsyncioThread) -> None:
        there: list[int] = []
        back: list[int] = []

        def step(number: int) -> None:
            there.append(number)
            portal.deliver(lambda: back.append(number))

        async def nothing() -> None:
            pass

        for number in range(1_000):
            portal.post(partial(step, number))
        await portal.call(nothing)
        await trio.testing.wait_all_tasks_blocked()
        assert there == back == list(range(1_000))

    run(main)


def test_cancelled_here_it_is_cancelled_there_and_waited_for() -> None:
    async def main(portal: AsyncioThread) -> None:
        said: list[str] = []

        async def stubborn() -> None:
            try:
                await asyncio.sleep(60.0)
            except asyncio.CancelledError:
                await asyncio.sleep(0.05)
                said.append("cleaned up")
                raise

        with trio.move_on_after(0.05) as scope:
            await portal.call(stubborn)
        assert scope.cancelled_caught
        assert said == ["cleaned up"]

    run(main)


def test_what_it_gives_though_cancelled_is_not_lost() -> None:
    async def main(portal: AsyncioThread) -> None:
        async def late() -> str:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60.0)
            return "given"

        with trio.move_on_after(0.02) as scope:
            assert await portal.call(late) == "given"
        assert not scope.cancelled_caught

    run(main)


def test_cancelled_before_it_begins_it_does_not() -> None:
    async def main(portal: AsyncioThread) -> None:
        begun: list[int] = []

        async def begin() -> None:
            begun.append(1)

        with trio.CancelScope() as scope:
            scope.cancel()
            await portal.call(begin)
        assert scope.cancelled_caught
        assert begun == []

    run(main)


def test_a_cancellation_of_asyncios_own_is_not_trios() -> None:
    async def main(portal: AsyncioThread) -> None:
        async def cancels_itself() -> None:
            raise asyncio.CancelledError

        with pytest.raises(RuntimeError, match="cancelled what it was asked for"):
            await portal.call(cancels_itself)

    run(main)


def test_what_is_left_in_the_loop_is_cancelled_at_the_end() -> None:
    said: list[str] = []
    left: list[asyncio.Task[None]] = []

    async def main(portal: AsyncioThread) -> None:
        async def linger() -> None:
            try:
                await asyncio.sleep(60.0)
            finally:
                said.append("cancelled")

        async def begin() -> asyncio.Task[None]:
            task = asyncio.ensure_future(linger())
            await asyncio.sleep(0)
            await asyncio.to_thread(lambda: None)  # its threads end with it
            return task

        left.append(await portal.call(begin))

    run(main)
    assert said == ["cancelled"]


def test_cancelled_while_it_opens_or_closes_nothing_is_left() -> None:
    before = {*threading.enumerate()}

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            async with AsyncioThread():
                pass

    trio.run(main)
    assert {*threading.enumerate()} <= before  # Those of others may end meanwhile.


def test_after_trio_is_over_nothing_is_delivered() -> None:
    portals: list[AsyncioThread] = []

    async def main(portal: AsyncioThread) -> None:
        portals.append(portal)

    run(main)
    portals[0].deliver(lambda: pytest.fail("delivered"))
