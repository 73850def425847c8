"""Starts the transports and sections that a description has added.

aiortc does it in a task of its own after each description. That task goes from section to section,
waits for a transport here and there, and does not look whether the connection was closed meanwhile:
then a transport refuses to start, and asyncio logs an exception that nobody could retrieve.
"""

from __future__ import annotations

from aiortc import RTCPeerConnection
from aiortc.exceptions import InvalidStateError

from kitwire_aiortc.internals import CONNECT

__all__ = ["Starter"]


class Starter:
    """Takes the place of a peer connection's own way to start."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        self._connection = connection
        self._connect = CONNECT.get(connection)
        CONNECT.set(connection, self.start)

    async def start(self) -> None:
        """Start what has not been started; it ends when a close overtakes it."""
        try:
            await self._connect()
        except InvalidStateError:
            if self._connection.signalingState != "closed":
                raise
