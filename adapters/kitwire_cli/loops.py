"""The three ways of use, each as a small program of its own around the same report."""

from __future__ import annotations

import contextlib
import math
import random
import selectors
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from kitwire.client import Client
from kitwire.config import ClientConfig, ClientOptions
from kitwire.errors import CloseReason, ConnectFailed, Origin, Reason
from kitwire.events import Closed, Event, Joined
from kitwire.room import Room

from .interrupts import Switch
from .report import Report

if TYPE_CHECKING:
    # The loop that is asked for is imported when it is.
    import asyncio

    from _typeshed import FileDescriptorLike

__all__ = ["RUNNERS", "LoopName", "Plan", "Runner", "leave_in_time", "run_on_asyncio"]

LoopName = Literal["asyncio", "trio", "bare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to join and for how long."""

    url: str = field(repr=False)
    token: str = field(repr=False)
    options: ClientOptions
    duration: float | None = None
    """Seconds from the join to our leave; None to stay."""

    @property
    def config(self) -> ClientConfig:
        """The same for a client. Raises ValueError for what no client can do."""
        return ClientConfig(url=self.url, token=self.token, **self.options)


Runner = Callable[[Plan, Report, Switch], None]
"""Joins and stays until the connection has ended; leaves when the switch is pulled.

Reports every event, ``Closed`` last. Raises ImportError, before anything else, for what is not
installed; its text names the pip command.
"""

_INTERRUPTED: Final = Closed(
    reason=CloseReason(
        origin=Origin.LOCAL,
        reason=Reason.CANCELLED,
        detail="interrupted before the room was joined",
        retryable=False,
    )
)


async def leave_in_time(room: Room, asked: asyncio.Event, duration: float | None) -> None:
    """Leave a room of asyncio's when asked to, or after so many seconds."""
    import asyncio

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(duration):
            await asked.wait()
    await room.leave()


def run_on_asyncio(
    watch: Callable[[asyncio.Event], Coroutine[object, object, None]],
    report: Report,
    switch: Switch,
) -> None:
    """Run ``watch``, which joins, reports, and leaves when its event is set.

    An interrupt before it has joined cancels it.
    """
    import asyncio

    async def main() -> None:
        asked = asyncio.Event()
        watching = asyncio.create_task(watch(asked))

        def stop() -> None:
            asked.set()
            if not report.joined:
                watching.cancel()

        loop = asyncio.get_running_loop()
        with switch.bound(lambda: loop.call_soon_threadsafe(stop)):
            try:
                await watching
            except asyncio.CancelledError:
                report.on_event(_INTERRUPTED)
            except ConnectFailed as failure:
                report.on_event(Closed(reason=failure.reason))

    asyncio.run(main())


def run_asyncio(plan: Plan, report: Report, switch: Switch) -> None:
    """Join by `kitwire_asyncio`."""
    import asyncio

    import kitwire_asyncio

    async def watch(asked: asyncio.Event) -> None:
        async with (
            kitwire_asyncio.connect(plan.url, token=plan.token, **plan.options) as room,
            asyncio.TaskGroup() as tasks,
        ):
            leaving = tasks.create_task(leave_in_time(room, asked, plan.duration))
            async for event in room:
                report.on_event(event)
            leaving.cancel()

    run_on_asyncio(watch, report, switch)


def run_trio(plan: Plan, report: Report, switch: Switch) -> None:
    """Join by `kitwire_trio`."""
    import kitwire_trio  # first: it says in one sentence that trio is missing

    # isort: split
    import trio

    async def leave_in_time(room: Room, asked: trio.Event) -> None:
        with trio.move_on_after(math.inf if plan.duration is None else plan.duration):
            await asked.wait()
        await room.leave()

    async def watch(asked: trio.Event) -> None:
        async with (
            kitwire_trio.connect(plan.url, token=plan.token, **plan.options) as room,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(leave_in_time, room, asked)
            async for event in room:
                report.on_event(event)
            nursery.cancel_scope.cancel()

    async def main() -> None:
        asked = trio.Event()
        token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as joining:

            def stop() -> None:
                asked.set()
                if not report.joined:
                    joining.cancel()

            with switch.bound(lambda: token.run_sync_soon(stop)):
                try:
                    await watch(asked)
                except ConnectFailed as failure:
                    report.on_event(Closed(reason=failure.reason))
        if joining.cancelled_caught:
            report.on_event(_INTERRUPTED)

    trio.run(main)


def run_bare(plan: Plan, report: Report, switch: Switch) -> None:
    """Join by the loop of docs/embedding.md."""
    from . import bare

    client = Client(plan.config, jitter=random.random)
    # Whoever wants to leave writes to one end; the loop waits for the other as for its sockets.
    ask, asked = socket.socketpair()
    timer = threading.Timer(plan.duration or 0, ask.send, (b"!",))
    timer.daemon = True

    def leave() -> None:
        asked.recv(1)
        client.close(now=monotonic())

    def stop() -> None:
        if not report.joined:
            # The loop may be in a dial, which blocks; and there is nothing to leave yet.
            raise _Stopped
        ask.send(b"!")

    def on_event(event: Event) -> None:
        report.on_event(event)
        if plan.duration is not None and isinstance(event, Joined):
            timer.start()

    with ask, asked, _Registered() as selector:
        selector.register(asked, selectors.EVENT_READ, leave)
        client.connect(now=monotonic())
        try:
            with switch.bound(stop):
                bare.run(client, on_event, selector)
        except _Stopped:
            report.on_event(_INTERRUPTED)
        finally:
            timer.cancel()
            if timer.is_alive():
                timer.join()
            # The loop, being short, leaves its sockets to whoever stops it by an exception.
            for sock in selector.sockets:
                sock.close()


class _Registered(selectors.DefaultSelector):
    """Keeps every socket that it was given: one that `_Stopped` interrupts forgets some."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[socket.socket] = []

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: object = None
    ) -> selectors.SelectorKey:
        if isinstance(fileobj, socket.socket):
            self.sockets.append(fileobj)
        return super().register(fileobj, events, data)


class _Stopped(BaseException):
    """Raised by a signal's handler, out of whatever the loop does."""


RUNNERS: Final[Mapping[LoopName, Runner]] = MappingProxyType(
    {"asyncio": run_asyncio, "trio": run_trio, "bare": run_bare}
)
"""How to join, by the name of the loop."""
