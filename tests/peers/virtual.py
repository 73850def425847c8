"""Far ends without sockets and hours without waiting, for asyncio and for trio.

On both loops time jumps to the next deadline when nothing else is to be done: trio's MockClock does
so by itself, and :class:`VirtualLoop` is the like for asyncio. The connection is a
:class:`~tests.peers.signal_end.SignalEnd` in memory.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Final

import anyio
import pytest
import trio
from websockets.frames import Frame

import kitwire_asyncio.link
from tests.peers.signal_end import Received, SignalEnd

__all__ = ["Network", "VirtualLoop"]

React = Callable[[SignalEnd, Received], None]
"""What a far end does when it is told something."""

DEADLOCK: Final = 5.0
"""Real seconds without an event and without a deadline after which a test fails."""


class _JumpingSelector(selectors.SelectSelector):
    """Passes the time instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = super().select(DEADLOCK)
            assert ready, "everybody waits, and for nothing"
            return ready
        ready = super().select(0)
        if not ready:
            self.time += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose time jumps when it is idle."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds from an arbitrary point."""
        return self._clock.time


class Network:
    """Puts far ends in memory where an adapter would connect a socket.

    Attributes:
        dials: how many there were.
        received: everything that the far ends were told, in order.
    """

    def __init__(self, react: React, *, answers_dials: bool = True) -> None:
        self.dials = 0
        self.received: list[Received] = []
        self._react = react
        self._answers_dials = answers_dials

    def install(self, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the network of one loop's adapter."""
        if backend == "trio":
            monkeypatch.setattr(trio, "open_tcp_stream", self._open_stream)
        else:
            monkeypatch.setattr(kitwire_asyncio.link, "open_socket", self._open_socket)
            monkeypatch.setattr(VirtualLoop, "create_connection", _create_connection)

    async def _dial(self) -> _FarEnd:
        self.dials += 1
        if not self._answers_dials:
            await anyio.sleep_forever()
        return _FarEnd(self)

    async def _open_socket(self, host: str, port: int) -> _FarEnd:
        return await self._dial()

    async def _open_stream(self, host: str, port: int) -> _MemoryStream:
        return _MemoryStream(await self._dial())

    def tell(self, end: SignalEnd, data: bytes) -> bool:
        """Hand over what the client wrote; whether the far end then closes its stream."""
        closing = False
        for received in end.receive(data):
            self.received.append(received)
            self._react(end, received)
            closing = closing or isinstance(received, Frame)
        return closing


class _FarEnd:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._end = SignalEnd()

    def write(self, data: bytes) -> tuple[bytes, bool]:
        """What comes back, and whether the stream ends with that."""
        closing = self._network.tell(self._end, data)
        return self._end.outgoing(), closing


class _MemoryTransport(asyncio.Transport):
    def __init__(self, loop: VirtualLoop, protocol: asyncio.Protocol, far_end: _FarEnd) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._far_end = far_end
        self._closed = False
        loop.call_soon(protocol.connection_made, self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        answer, closing = self._far_end.write(bytes(data))
        if answer:
            self._loop.call_soon(self._deliver, answer)
        if closing:
            self._loop.call_soon(self._end)

    def _deliver(self, data: bytes) -> None:
        if not self._closed:
            self._protocol.data_received(data)

    def _end(self) -> None:
        if not self._closed:
            self._protocol.eof_received()
            self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closed

    def get_write_buffer_size(self) -> int:
        return 0


async def _create_connection(
    loop: VirtualLoop, factory: Callable[[], asyncio.Protocol], *, sock: _FarEnd
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    protocol = factory()
    transport = _MemoryTransport(loop, protocol, sock)
    await asyncio.sleep(0)
    return transport, protocol


class _MemoryStream(trio.abc.Stream):
    def __init__(self, far_end: _FarEnd) -> None:
        self._far_end = far_end
        self._answers, self._incoming = trio.open_memory_channel[bytes](1000)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        answer, closing = self._far_end.write(bytes(data))
        if answer:
            self._answers.send_nowait(answer)
        if closing:
            self._answers.close()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            return await self._incoming.receive()
        except trio.EndOfChannel:
            return b""

    async def aclose(self) -> None:
        self._answers.close()
        self._incoming.close()
        await trio.lowlevel.checkpoint()
