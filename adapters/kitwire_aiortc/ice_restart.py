"""ICE restarts, which aiortc does not know: new connections under a DTLS transport that stays.

A restart needs credentials of its own, and so a new connection of aioice's (RFC 8445, section 9).
What any of them receives goes into one queue, from which DTLS reads; what DTLS writes goes out on
the one that took over last. While no path works, reading waits and writing drops, so that DTLS,
SRTP and SCTP live on. aiortc sees none of this: ``ice_facade.py`` shows it one connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from aioice.candidate import Candidate
from aioice.ice import Connection
from aioice.stun import TransactionError
from aiortc import RTCIceParameters, RTCIceTransport

from kitwire.messages import IceServer
from kitwire_aiortc.gathering import Gathering
from kitwire_aiortc.internals import ICE_CONNECTION, NOMINATED, PROTOCOLS, SET_ICE_STATE

__all__ = ["IcePath"]

Address: TypeAlias = tuple[Any, ...]
Receive: TypeAlias = Callable[[bytes, Address], None]

LINGER: Final = 1.0
"""Seconds that a connection still receives after another took over: datagrams are on their way, and
the far end takes over a moment later than we do."""


class _Link:
    """One aioice connection, and what is known of it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.described = asyncio.Event()  # The far end's credentials are known.
        self.no_more_candidates = False
        self.retired = False
        self.life: asyncio.Task[None] | None = None


class IcePath:
    """The connections of one ICE transport, one after the other, and what they carry.

    Made before the transport starts, because DTLS waits in :meth:`recv` from then on.

    Args:
        transport: the transport, not started yet.
        gathering: how to gather, now and for a restart.
        heard: called with every datagram, STUN's included, that comes in on the connection in use.

    Attributes:
        gone: set by the close.
    """

    def __init__(
        self, transport: RTCIceTransport, gathering: Gathering, heard: Callable[[], None]
    ) -> None:
        self.gone = asyncio.Event()
        self._transport = transport
        self._gathering = gathering
        self._tell_heard = heard
        self._received: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._settled = asyncio.Event()  # The first attempt has an outcome.
        self._links: list[_Link] = []
        self._endings: set[asyncio.Task[None]] = set()
        self._questions: set[asyncio.Task[None]] = set()
        self._current: _Link | None = None
        gathering.prepare(transport.iceGatherer)
        self._newest = self._add(ICE_CONNECTION.get(transport.iceGatherer))

    # --- descriptions ---

    @property
    def newest(self) -> Connection:
        """The connection that descriptions and candidates are about."""
        return self._newest.connection

    @property
    def in_use(self) -> Connection:
        """The connection that carries; before any does, the newest."""
        return (self._current or self._newest).connection

    @property
    def restarting(self) -> bool:
        """Whether a restart was begun that the far end has not described its part of."""
        return self._begun and not self._newest.described.is_set()

    @property
    def _begun(self) -> bool:
        return self._transport.state != "new" and not self.gone.is_set()

    def restarts(self, remote: RTCIceParameters) -> bool:
        """Whether an offer with these credentials asks for a restart."""
        known = (self.newest.remote_username, self.newest.remote_password)
        return self._begun and known != (remote.usernameFragment, remote.password)

    def restart(self, ice_servers: Sequence[IceServer]) -> None:
        """Use new credentials from the next description on. Nothing happens before the start.

        A restart that has not led anywhere yet is given up. ``ice_servers`` are those that the
        server named last.
        """
        if not self._begun:
            return
        for link in self._links:
            if link is not self._current:
                self._retire(link)
        self._newest = self._add(self._gathering.successor(self.newest, ice_servers))

    def abandon(self) -> None:
        """Go back to the connection in use: the description of a restart could not be applied."""
        if self._current is not None and self._newest is not self._current:
            self._retire(self._newest)
            self._newest = self._current

    def follow(self, remote: RTCIceParameters) -> None:
        """The far end's credentials for a restart: find a path, and take it when it works."""
        if self.restarting:
            self._describe(remote)

    async def connect(self, remote: RTCIceParameters) -> bool:
        """Find the first path, or that of a restart which overtook it.

        Returns:
            whether there is one.
        """
        self._describe(remote)
        await self._settled.wait()
        return self._current is not None

    def _describe(self, remote: RTCIceParameters) -> None:
        self.newest.remote_is_lite = remote.iceLite
        self.newest.remote_username = remote.usernameFragment
        self.newest.remote_password = remote.password
        self._newest.described.set()

    async def gather(self) -> None:
        """Gather candidates for the newest connection, unless that was done."""
        link = self._newest
        await link.connection.gather_candidates()
        # By the sockets, because the replies to checks go no other way.
        for protocol in PROTOCOLS.get(link.connection):
            if "datagram_received" not in vars(protocol):
                heard = partial(self._heard, link, protocol.datagram_received)
                setattr(protocol, "datagram_received", heard)  # noqa: B010

    async def add_candidate(self, candidate: Candidate | None) -> None:
        """Add one of the far end's to the newest connection; None says that no more will come."""
        link = self._newest
        if not link.no_more_candidates:
            link.no_more_candidates = candidate is None
            await link.connection.add_remote_candidate(candidate)

    # --- data ---

    async def recv(self) -> bytes:
        """The next datagram that is not STUN, from whichever connection.

        Raises:
            ConnectionError: when it is closed. A path that is dead makes it wait.
        """
        data = None if self.gone.is_set() else await self._received.get()
        if data is None:
            raise ConnectionError("closed")
        return data

    async def send(self, data: bytes) -> None:
        """Send it by the connection in use; drop it while that is dead.

        Raises:
            ConnectionError: while none was in use yet.
        """
        if self._current is None:
            raise ConnectionError("not connected")
        with contextlib.suppress(ConnectionError):
            await self._current.connection.send(data)

    def ask(self) -> None:
        """Ask the far end for a datagram on the connection in use.

        By a check of its consent, which it answers at once (RFC 7675). Otherwise a path on which
        nobody sends to us is silent for seconds.
        """
        if self._current is not None and not self.gone.is_set():
            question = asyncio.ensure_future(self._check_consent(self._current.connection))
            self._questions.add(question)
            question.add_done_callback(self._questions.discard)

    async def _check_consent(self, connection: Connection) -> None:
        assert connection.remote_password is not None, "it is in use"
        for pair in [*NOMINATED.get(connection).values()]:  # A close empties it meanwhile.
            with contextlib.suppress(TransactionError):
                await pair.protocol.request(
                    connection.build_request(pair, nominate=False),
                    pair.remote_addr,
                    integrity_key=connection.remote_password.encode(),
                    retransmissions=0,
                )

    async def close(self) -> None:
        """Close all connections. Then nothing of them is left."""
        self.gone.set()
        self._settled.set()
        self._received.put_nowait(None)
        for question in self._questions:
            question.cancel()
        for link in self._links:
            self._retire(link)
        if left := self._endings | self._questions:
            await asyncio.wait(left)

    def _data_received(self, data: bytes, component: int) -> None:
        self._received.put_nowait(data)

    def _heard(self, link: _Link, receive: Receive, data: bytes, addr: Address) -> None:
        if link is (self._current or self._newest):
            self._tell_heard()
        receive(data, addr)

    # --- one connection's life ---

    def _add(self, connection: Connection) -> _Link:
        link = _Link(connection)
        # An attribute of this one object, as in gathering.py.
        setattr(connection, "data_received", self._data_received)  # noqa: B010
        link.life = asyncio.ensure_future(self._live(link))
        self._links.append(link)
        return link

    async def _live(self, link: _Link) -> None:
        await link.described.wait()
        try:
            await link.connection.connect()
        except ConnectionError:
            if link is self._newest:
                self._has_outcome("failed")
            return
        if link.retired:
            return
        self._current = link
        self._tell_heard()  # The reply to a check, a moment ago.
        for older in self._links[: self._links.index(link)]:
            self._retire(older)
        self._has_outcome("completed")
        await link.connection.get_event()
        # It closed itself: the far end has not given its consent for half a minute (RFC 7675).
        if link is self._current:
            self._has_outcome("failed")

    def _has_outcome(self, state: str) -> None:
        if not self._settled.is_set():
            self._settled.set()  # aiortc waits for it, and sets the state.
        elif not self.gone.is_set():
            SET_ICE_STATE.get(self._transport)(state)

    def _retire(self, link: _Link) -> None:
        if not link.retired:
            link.retired = True
            # Never cancelled: aioice cannot be closed again when its close was cut off.
            ending = asyncio.ensure_future(self._end(link))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _end(self, link: _Link) -> None:
        if link.described.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.gone.wait(), LINGER)
        assert link.life is not None, "it began with the link"
        link.life.cancel()
        await asyncio.wait({link.life})
        await link.connection.close()
        self._links.remove(link)
