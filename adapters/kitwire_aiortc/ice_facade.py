"""What aiortc sees of an ICE transport's connections: one, from its making to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from aioice.candidate import Candidate
from aioice.ice import Connection, ConnectionClosed, ConnectionEvent
from aiortc import RTCIceParameters, RTCIceTransport

from kitwire_aiortc.gathering import Gathering
from kitwire_aiortc.ice_restart import IcePath
from kitwire_aiortc.internals import (
    CANDIDATES_ENDED,
    ICE_CONNECTION,
    ICE_RECV,
    ICE_SEND,
    TRANSPORT_CONNECTION,
)

__all__ = ["IceFacade", "install_path"]


class IceFacade:
    """Has what aiortc uses of an aioice connection, with the same names and meanings.

    Attributes:
        path: what is behind it.
        remote_is_lite: of the far end's description; aiortc sets it before :meth:`connect`.
        remote_username: likewise.
        remote_password: likewise.
    """

    def __init__(self, transport: RTCIceTransport, path: IcePath) -> None:
        self.path = path
        self.remote_is_lite = False
        self.remote_username: str | None = None
        self.remote_password: str | None = None
        self._transport = transport

    async def connect(self) -> None:
        """Find a path.

        Raises:
            ConnectionError: when there is none.
        """
        remote = RTCIceParameters(
            usernameFragment=self.remote_username,
            password=self.remote_password,
            iceLite=self.remote_is_lite,
        )
        if not await self.path.connect(remote):
            raise ConnectionError("no path")

    async def close(self) -> None:
        """Close all there is."""
        await self.path.close()

    async def get_event(self) -> ConnectionEvent:
        """The end. That a path was lost, the path itself says by the transport's state."""
        await self.path.gone.wait()
        return ConnectionClosed()

    async def gather_candidates(self) -> None:
        """Gather."""
        await self.path.gather()

    async def add_remote_candidate(self, candidate: Candidate | None) -> None:
        """Add a candidate of the far end's, or the end of them."""
        # aiortc's own note of the end is for good; that of the path, for one connection.
        CANDIDATES_ENDED.set(self._transport.iceGatherer, False)
        await self.path.add_candidate(candidate)

    @property
    def local_candidates(self) -> list[Candidate]:
        """Of the newest connection, as all that follows."""
        return self.path.newest.local_candidates

    @property
    def remote_candidates(self) -> list[Candidate]:
        """Likewise."""
        return self.path.newest.remote_candidates

    @property
    def local_username(self) -> str:
        """Likewise."""
        return self.path.newest.local_username

    @property
    def local_password(self) -> str:
        """Likewise."""
        return self.path.newest.local_password

    @property
    def ice_controlling(self) -> bool:
        """Likewise; aiortc sets it with the first description."""
        return self.path.newest.ice_controlling

    @ice_controlling.setter
    def ice_controlling(self, value: bool) -> None:
        self.path.newest.ice_controlling = value


def install_path(
    transport: RTCIceTransport, gathering: Gathering, heard: Callable[[], None]
) -> IcePath:
    """Put a path in the place of a transport's connection, unless that was done.

    Args:
        transport: the transport, not started yet.
        gathering: as :class:`IcePath` takes it.
        heard: likewise.
    """
    there: object = TRANSPORT_CONNECTION.get(transport)
    if isinstance(there, IceFacade):
        return there.path
    path = IcePath(transport, gathering, heard)
    facade = cast(Connection, IceFacade(transport, path))
    ICE_CONNECTION.set(transport.iceGatherer, facade)
    TRANSPORT_CONNECTION.set(transport, facade)
    ICE_RECV.set(transport, path.recv)
    ICE_SEND.set(transport, path.send)
    return path
