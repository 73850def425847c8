"""Moves bytes between asyncio's transports and a client, and wakes it when its time has come.

Nothing of the protocol is decided here. Everything happens in callbacks of the event loop; the
only tasks are dials under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ssl import SSLContext

from kitwire.client import Client
from kitwire.commands import CloseLink, Dial, LinkId, PeerCommand, Write
from kitwire.room import Inbox, PeerOwner
from kitwire_asyncio.link import Link

__all__ = ["Driver"]


class Driver:
    """The :class:`~kitwire.room.Runtime` on the running event loop.

    Attributes:
        client: whom the links report to, through :meth:`input`.
        owner: who carries out what is asked of the peer connections, where there are any.
        host: the task to cancel should the driver fail: the one that runs the user's block.
    """

    def __init__(self, client: Client, inbox: Inbox, context: SSLContext | None) -> None:
        self.host: asyncio.Task[object] | None = None
        self.client = client
        self.owner: PeerOwner | None = None
        self._inbox = inbox
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._links: dict[LinkId, Link] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._draining = False
        self._bug: Exception | None = None
        self._host_cancelled = False

    def now(self) -> float:
        """The event loop's own clock."""
        return self._loop.time()

    def input(self, method: Callable[..., None], *args: object) -> None:
        """Call an input method of the client at this time, and carry out what follows."""
        if self._bug is None:
            self._guard(lambda: method(*args, now=self.now()))
        self.wake()

    def wake(self) -> None:
        """Carry out what the client says, heed its new deadline, tell those who wait."""
        if self._bug is None and not self._draining:
            self._guard(self._drain)
        failed = self._bug is not None
        for future, ready in self._waiters.items():
            if (failed or ready()) and not future.done():
                future.set_result(None)

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until ``ready()``; raise should the driver fail before that."""
        while not ready():
            if self._bug is not None:
                raise RuntimeError("the driver of this room failed") from self._bug
            future = self._woken(ready)
            try:
                await future
            finally:
                del self._waiters[future]

    async def stop(self) -> None:
        """Leave, and wait until nothing is left; a cancellation is raised after that.

        It is bounded by ``timeouts.close`` and by the time that a link may take to flush.
        """
        host, self.host = self.host, None
        self.input(self.client.close)
        cancelled: asyncio.CancelledError | None = None
        while not self._gone():
            try:
                await self._woken(self._gone)
            except asyncio.CancelledError as error:
                cancelled = error
        if self._bug is not None:
            if host is not None and self._host_cancelled:
                host.uncancel()
            raise RuntimeError("the driver of this room failed") from self._bug
        if cancelled is not None:
            raise cancelled

    # --- carrying out ---

    def _drain(self) -> None:
        self._draining = True
        try:
            while (output := self.client.poll()) is not None:
                match output:
                    case Dial(link=link):
                        self._links[link] = Link(output, self._context, self)
                    case Write(link=link, data=data):
                        if not self._links[link].write(data):
                            self.client.link_lost(
                                link, "the socket takes no more data", now=self.now()
                            )
                    case CloseLink(link=link):
                        self._links[link].close()
                    case _ if isinstance(output, PeerCommand):
                        if self.owner is not None:
                            self.owner.execute(output)
                    case event:
                        if (cause := self._inbox.put(event)) is not None:
                            self.client.close(now=self.now(), cause=cause)
        finally:
            self._draining = False
        self._arm(self.client.deadline)

    def _arm(self, deadline: float | None) -> None:
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        self.input(self.client.handle_timeout)

    def link_gone(self, link: LinkId) -> None:
        """A link has no socket and no task any more."""
        self._links.pop(link, None)
        self.wake()

    # --- waiting ---

    def _woken(self, ready: Callable[[], bool]) -> asyncio.Future[None]:
        """Done by a later :meth:`wake`: when ``ready()``, or when the driver has failed.

        No coroutine: thousands of rooms wait at a time, and what one holds the collector visits.
        Who waits no longer takes it out of the waiters, unless the driver ends with that.
        """
        future = self._loop.create_future()
        self._waiters[future] = ready
        return future

    def _gone(self) -> bool:
        return not self._links and (self.client.closed or self._bug is not None)

    # --- failing: only by a bug, of ours or of a trace callback ---

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a bug, which until() and stop() raise
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Let a bug surface where the user is: end everything, and cancel the block."""
        self._bug = error
        self._arm(None)
        for link in list(self._links.values()):
            link.abort()
        self._loop.call_soon(self._cancel_host)

    def _cancel_host(self) -> None:
        if self.host is not None:
            self._host_cancelled = self.host.cancel()
