"""A network between a participant and its server that a test can break: TCP, on loopback."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketStream
from anyio.streams.memory import MemoryObjectReceiveStream

__all__ = ["Way", "way_to"]


class Way:
    """A TCP proxy on a port of its own, inside the test's event loop.

    Attributes:
        url: what to connect to.
        delay: how long everything takes from one end to the other, in seconds; what is on its way
            when that changes is not overtaken.
        shut: whether new connections end at once.
        ended: how many connections the server has ended.
    """

    def __init__(self, target: str, port: int) -> None:
        where = urlsplit(target)
        assert where.hostname is not None
        assert where.port is not None
        self.url = f"ws://127.0.0.1:{port}"
        self.delay = 0.0
        self.shut = False
        self.ended = 0
        self._host, self._port = where.hostname, where.port
        self._links: dict[anyio.CancelScope, bool] = {}
        self._released: anyio.Event | None = None
        self._more = b""

    def hold(self) -> None:
        """Keep what the server says, until :meth:`release` lets it go, in one piece."""
        self._released = anyio.Event()

    def release(self, more: bytes = b"") -> None:
        """Let go what was held, and say more."""
        assert self._released is not None
        self._more = more
        self._released.set()
        self._released = None

    def stall(self) -> None:
        """Let nothing pass any more on the connections that stand; nobody is told."""
        self._links = dict.fromkeys(self._links, False)

    def cut(self) -> None:
        """Cut every connection that stands; new ones may come."""
        for scope in self._links:
            scope.cancel()

    async def serve(self, client: SocketStream) -> None:
        """Carry one connection until either end closes it, or it is cut."""
        if self.shut:
            await client.aclose()
            return
        with anyio.CancelScope() as scope:
            self._links[scope] = True
            async with client:
                try:
                    server = await anyio.connect_tcp(self._host, self._port)
                    async with server, anyio.create_task_group() as both:
                        both.start_soon(self._carry, client, server, scope)
                        both.start_soon(self._carry, server, client, scope, True)
                except OSError:
                    pass  # Then the client sees its connection end.
        del self._links[scope]

    async def _carry(
        self,
        source: SocketStream,
        sink: SocketStream,
        link: anyio.CancelScope,
        back: bool = False,
    ) -> None:
        """One direction: what comes goes on when it has been on its way for long enough."""
        put, get = anyio.create_memory_object_stream[tuple[float, bytes]](math.inf)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._deliver, get, sink, link, back)
            async with put:
                try:
                    async for data in source:
                        put.send_nowait((time.monotonic() + self.delay, data))
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    pass
            self.ended += back
        link.cancel()

    async def _deliver(
        self,
        get: MemoryObjectReceiveStream[tuple[float, bytes]],
        sink: SocketStream,
        link: anyio.CancelScope,
        back: bool,
    ) -> None:
        with get:
            async for due, data in get:
                # Even a wait of nothing would give way to others.
                if (wait := due - time.monotonic()) > 0:
                    await anyio.sleep(wait)
                held = b""
                if back and self._released is not None:
                    await self._released.wait()
                    while get.statistics().current_buffer_used:
                        held += get.receive_nowait()[1]
                    held += self._more
                if self._links[link]:
                    try:
                        await sink.send(data + held)
                    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                        link.cancel()


@asynccontextmanager
async def way_to(url: str) -> AsyncIterator[Way]:
    """A way to the server at a URL, for the length of the block."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port: int = listener.extra(anyio.abc.SocketAttribute.local_port)
    way = Way(url, port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, way.serve)
        try:
            yield way
        finally:
            tasks.cancel_scope.cancel()
