"""Our end of the reliable data channel: packets numbered, in order, and kept for a replay.

A server that goes on with a session says which packet it got last, and drops those that it has:
what may be lost is sent again, too much of it harmlessly
(client-sdk-js src/room/data-channel/ReliableDataChannel.ts).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from kitwire_aiortc.channels import MAX_BUFFERED

__all__ = ["ReliableSender"]

MAX_KEPT: Final = 2 * MAX_BUFFERED
"""Bytes of packets to keep: as much as may wait in the channel, and as much again on its way."""


class ReliableSender:
    """Sends on the reliable channel of one set of peer connections. Numbers begin at 1.

    Args:
        send: sends on that channel, when there is room in it.
    """

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._in_turn = asyncio.Lock()
        self._sequence = 0
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0

    async def send(self, packet: Callable[[int], bytes]) -> None:
        """Send a packet after those before it.

        Args:
            packet: makes it, with its number.

        Raises:
            ChannelClosed: when the channel is closed, or closes meanwhile.
        """
        async with self._in_turn:
            # Counted when it was sent: who is cancelled while waiting leaves no gap.
            data = packet(self._sequence + 1)
            await self._send(data)
            self._sequence += 1
            self._keep(data)

    async def replay(self, after: int) -> None:
        """Send again what is kept of the packets after that number, before anything newer.

        Raises:
            ChannelClosed: as :meth:`send`.
        """
        async with self._in_turn:
            for sequence, data in [*self._kept]:
                if sequence > after:
                    await self._send(data)

    def _keep(self, data: bytes) -> None:
        self._kept.append((self._sequence, data))
        self._kept_bytes += len(data)
        while self._kept_bytes > MAX_KEPT:
            self._kept_bytes -= len(self._kept.popleft()[1])
