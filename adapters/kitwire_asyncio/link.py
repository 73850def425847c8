"""One transport connection under asyncio: dialed, read, written, flushed, closed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, cast

from kitwire.commands import Dial
from kitwire.errors import DialError

if TYPE_CHECKING:
    from kitwire_asyncio.driver import Driver

__all__ = ["Link"]

MAX_UNSENT: Final = 8 * 1024 * 1024
"""Bytes that may wait for a socket that does not take them."""
FLUSH: Final = 1.0
"""Seconds that a closed link may take to send what was written, and TLS to say goodbye."""
HANDSHAKE: Final = 3600.0
"""Seconds for TLS to begin: in effect any, because that timeout is the core's."""
ATTEMPT: Final = 0.25
"""Seconds for one address before the next is tried beside it (RFC 8305, section 5)."""


class Link(asyncio.Protocol):
    """A transport and its dial. It reports to the client, and tells its owner when it is gone."""

    def __init__(self, dial: Dial, context: ssl.SSLContext | None, driver: Driver) -> None:
        self._driver = driver
        self._client = driver.client
        self._id = dial.link
        self._closing = False
        self._transport: asyncio.Transport | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._dialing = self._loop.create_task(self._dial(dial, context), name=f"{dial}")
        self._dialing.add_done_callback(self._dial_ended)

    # --- what the driver asks for ---

    def write(self, data: bytes) -> bool:
        """Write after what was written before; False when too much waits unsent."""
        if self._transport is None or self._transport.is_closing():
            return True
        self._transport.write(data)
        return self._transport.get_write_buffer_size() <= MAX_UNSENT

    def close(self) -> None:
        """Flush and close, within a time; or cancel the dial."""
        if self._transport is None:
            self._cancel_dial()
        elif self._limit is None:
            self._transport.close()
            self._limit = self._loop.call_later(FLUSH, self._transport.abort)

    def abort(self) -> None:
        """Close without flushing."""
        if self._transport is None:
            self._cancel_dial()
        else:
            self._transport.abort()

    # --- what the transport reports ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket stands, and TLS on it."""
        self._transport = cast(asyncio.Transport, transport)
        if self._closing:
            self._transport.abort()
        else:
            self._driver.input(self._client.dialed, self._id)

    def data_received(self, data: bytes) -> None:
        """Bytes came. The transport is never paused: what nobody reads, the inbox bounds."""
        self._driver.input(self._client.receive, self._id, data)

    def eof_received(self) -> None:
        """The peer will send no more. The transport then closes itself."""
        self._driver.input(self._client.receive, self._id, b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._transport = None
        if self._limit is not None:
            self._limit.cancel()
        if exc is None:
            self._driver.input(self._client.receive, self._id, b"")
        else:
            self._driver.input(self._client.link_lost, self._id, _words(exc))
        self._check_gone()

    # --- the dial, the only task ---

    def _cancel_dial(self) -> None:
        # Once: a second cancellation would interrupt the cleaning up after the first.
        if not self._closing:
            self._closing = True
            self._dialing.cancel()

    def _dial_ended(self, dialing: asyncio.Task[None]) -> None:
        if not dialing.cancelled() and isinstance(error := dialing.exception(), Exception):
            self._driver.fail(error)
        self._check_gone()

    def _check_gone(self) -> None:
        if self._transport is None and self._dialing.done():
            self._driver.link_gone(self._id)

    async def _dial(self, dial: Dial, context: ssl.SSLContext | None) -> None:
        try:
            sock = await open_socket(dial.host, dial.port)
        except (OSError, ValueError) as error:  # ValueError: a name that IDNA cannot encode
            self._driver.input(self._client.dial_failed, self._id, *_explain(error, dial))
            return
        if not dial.tls:
            await self._loop.create_connection(lambda: self, sock=sock)
            return
        try:
            await self._loop.create_connection(
                lambda: self,
                sock=sock,
                ssl=context or ssl.create_default_context(),
                server_hostname=dial.host,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=FLUSH,
            )
        except OSError as error:
            detail = f"{dial.host}:{dial.port}, {_words(error)}"
            self._driver.input(self._client.dial_failed, self._id, DialError.TLS, detail)


async def open_socket(host: str, port: int) -> socket.socket:
    """Connect to the first address that answers, of IPv6 and IPv4 in turn (RFC 8305).

    ``create_connection`` has such a race too, but it is CPython's alone among event loops, keeps
    the single errors to itself, and can lose a connected socket when it is cancelled.

    Raises:
        OSError: when no address could be connected to.
        UnicodeError: for a name that cannot be a host's.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not found:
        raise socket.gaierror(f"{host} has no address")
    by_family = [[info for info in found if info[0] == each] for each in {i[0]: 0 for i in found}]
    waiting = [info for rank in zip_longest(*by_family) for info in rank if info is not None]
    attempts: list[asyncio.Task[socket.socket]] = []
    won: asyncio.Task[socket.socket] | None = None
    try:
        while won is None:
            if waiting:
                family, _, _, _, address = waiting.pop(0)
                attempts.append(loop.create_task(_attempt(family, address)))
            under_way = [attempt for attempt in attempts if not attempt.done()]
            if not under_way:
                break
            await asyncio.wait(
                under_way,
                timeout=ATTEMPT if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            won = next((a for a in attempts if a.done() and a.exception() is None), None)
    finally:
        await _discard([attempt for attempt in attempts if attempt is not won])
    if won is not None:
        return won.result()
    errors = [error for attempt in attempts if (error := attempt.exception()) is not None]
    raise next((e for e in errors if isinstance(e, ConnectionRefusedError)), errors[0])


async def _attempt(family: int, address: tuple[object, ...]) -> socket.socket:
    # By the protocol's number asyncio knows that small messages are to leave at once.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _discard(attempts: list[asyncio.Task[socket.socket]]) -> None:
    for attempt in attempts:
        attempt.cancel()
    if attempts:
        await asyncio.wait(attempts)
    for attempt in attempts:
        if not attempt.cancelled() and attempt.exception() is None:
            attempt.result().close()


def _explain(error: Exception, dial: Dial) -> tuple[DialError, str]:
    """What to tell the client, which has words of its own for each kind."""
    place = f"{dial.host}:{dial.port}"
    match error:
        case socket.gaierror() | ValueError():
            return DialError.UNRESOLVED, dial.host
        case ConnectionRefusedError():
            return DialError.REFUSED, place
        case TimeoutError():
            return DialError.TIMED_OUT, place
        case _:
            return DialError.OTHER, f"{place}, {_words(error)}"


def _words(error: Exception) -> str:
    """What an exception says, for a reader: without numbers and source positions."""
    match error:
        case ssl.SSLCertVerificationError(verify_message=str(message)) if message:
            return f"the certificate is not accepted, {message}"
        case ssl.SSLError(reason=str(reason)) if reason:
            return reason.replace("_", " ").lower()
        case OSError(strerror=str(strerror)) if strerror:
            return strerror
        case _:
            return str(error) or type(error).__name__
