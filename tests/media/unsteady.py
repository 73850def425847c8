"""A network between a participant and its server that a test can break: TCP, on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketStream

__all__ = ["Way", "way_to"]


class Way:
    """A TCP proxy on a port of its own, inside the test's event loop.

    Attributes:
        url: what to connect to.
    """

    def __init__(self, target: str, port: int) -> None:
        where = urlsplit(target)
        assert where.hostname is not None
        assert where.port is not None
        self.url = f"ws://127.0.0.1:{port}"
        self._host, self._port = where.hostname, where.port
        self._links: dict[anyio.CancelScope, bool] = {}

    def stall(self) -> None:
        """Let nothing pass any more on the connections that stand; nobody is told."""
        self._links = dict.fromkeys(self._links, False)

    def cut(self) -> None:
        """Cut every connection that stands; new ones may come."""
        for scope in self._links:
            scope.cancel()

    async def serve(self, client: SocketStream) -> None:
        """Carry one connection until either end closes it, or it is cut."""
        with anyio.CancelScope() as scope:
            self._links[scope] = True
            async with client:
                try:
                    server = await anyio.connect_tcp(self._host, self._port)
                    async with server, anyio.create_task_group() as both:
                        both.start_soon(self._carry, client, server, scope)
                        both.start_soon(self._carry, server, client, scope)
                except OSError:
                    pass  # Then the client sees its connection end.
        del self._links[scope]

    async def _carry(
        self, source: SocketStream, sink: SocketStream, link: anyio.CancelScope
    ) -> None:
        try:
            async for data in source:
                if self._links[link]:
                    await sink.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
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
