"""Moves bytes between trio's streams and a client, and wakes it when its time has come.

Nothing of the protocol is decided here. There is one task for each link and one for the deadline;
each is shielded, and ends when the client says so, which :meth:`Driver.stop` makes it do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from ssl import SSLContext

import trio

from kitwire.client import Client
from kitwire.commands import CloseLink, Dial, LinkId, PeerCommand, Write
from kitwire.room import Inbox, PeerOwner
from kitwire_trio.link import Link

__all__ = ["Driver"]


class Driver:
    """The :class:`~kitwire.room.Runtime` on trio, with its tasks in the given nursery.

    Attributes:
        client: whom the links report to, through :meth:`input`.
        owner: who carries out what is asked of the peer connections, where there are any.
    """

    def __init__(
        self, client: Client, inbox: Inbox, context: SSLContext | None, nursery: trio.Nursery
    ) -> None:
        self.client = client
        self.owner: PeerOwner | None = None
        self._inbox = inbox
        self._context = context
        self._nursery = nursery
        self._links: dict[LinkId, Link] = {}
        self._alarm = trio.CancelScope()
        self._waiters: dict[trio.Event, Callable[[], bool]] = {}
        self._tasks = 0
        self._draining = False
        self._bug: Exception | None = None

    def start(self) -> None:
        """Connect."""
        self._spawn(self._watch_deadline)
        self.input(self.client.connect)

    def now(self) -> float:
        """Trio's own clock."""
        return trio.current_time()

    @trio.lowlevel.enable_ki_protection
    def input(self, method: Callable[..., None], *args: object) -> None:
        """Call an input method of the client at this time, and carry out what follows."""
        if self._bug is None:
            self._guard(lambda: method(*args, now=self.now()))
        self.wake()

    @trio.lowlevel.enable_ki_protection
    def wake(self) -> None:
        """Carry out what the client says, heed its new deadline, tell those who wait."""
        if self._bug is None and not self._draining:
            self._guard(self._drain)
        for event, ready in self._waiters.items():
            if ready():
                event.set()

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until ``ready()``; raise should the driver fail before that. A checkpoint always."""
        await trio.lowlevel.checkpoint()
        await self._wait(lambda: ready() or self._bug is not None)
        if not ready():
            self.raise_bug()

    async def stop(self) -> None:
        """Leave, and wait until no task is left.

        It is bounded by ``timeouts.close`` and by the time that a link may take to flush.
        """
        self.input(self.client.close)
        await self._wait(lambda: self._tasks == 0)

    def raise_bug(self) -> None:
        """Raise if the driver has failed."""
        if self._bug is not None:
            raise RuntimeError("the driver of this room failed") from self._bug

    # --- carrying out ---

    def _drain(self) -> None:
        self._draining = True
        try:
            while (output := self.client.poll()) is not None:
                match output:
                    case Dial(link=link):
                        self._links[link] = Link(output, self._context, self)
                        self._spawn(self._links[link].run)
                    case Write(link=link, data=data):
                        if not self._links[link].write(data):
                            self.client.link_lost(
                                link, "the socket takes no more data", now=self.now()
                            )
                    case CloseLink(link=link):
                        self._links.pop(link).close()
                    case _ if isinstance(output, PeerCommand):
                        if self.owner is not None:
                            self.owner.execute(output)
                    case event:
                        if (cause := self._inbox.put(event)) is not None:
                            self.client.close(now=self.now(), cause=cause)
        finally:
            self._draining = False
        self._alarm.deadline = self._deadline()

    def _deadline(self) -> float:
        if self._ended():
            return -inf
        return inf if self.client.deadline is None else self.client.deadline

    async def _watch_deadline(self) -> None:
        while not self._ended():
            with trio.CancelScope(deadline=self._deadline(), shield=True) as self._alarm:
                await trio.sleep_forever()
            if not self._ended():
                self.input(self.client.handle_timeout)

    def _ended(self) -> bool:
        return self.client.closed or self._bug is not None

    # --- tasks and waiting ---

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks += 1
        self._nursery.start_soon(self._run, work)

    @trio.lowlevel.enable_ki_protection
    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a bug, which stop() and until() raise
            self._fail(error)
        finally:
            self._tasks -= 1
            self.wake()

    async def _wait(self, ready: Callable[[], bool]) -> None:
        while not ready():
            event = trio.Event()
            self._waiters[event] = ready
            try:
                await event.wait()
            finally:
                del self._waiters[event]

    # --- failing: only by a bug, of ours or of a trace callback ---

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Let a bug surface where the user is: end everything, and cancel the block."""
        self._bug = error
        for link in self._links.values():
            link.abort()
        self._alarm.cancel()
        self._nursery.cancel_scope.cancel()
