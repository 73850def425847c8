"""One transport connection under trio: dialed, read, written, flushed, closed."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

import trio

from kitwire.commands import Dial
from kitwire.errors import DialError

if TYPE_CHECKING:
    from kitwire_trio.driver import Driver

__all__ = ["Link"]

MAX_UNSENT: Final = 8 * 1024 * 1024
"""Bytes that may wait for a socket that does not take them."""
CHUNK: Final = 64 * 1024
"""Bytes to send at a time, so that what is unsent is known."""
FLUSH: Final = 1.0
"""Seconds that a closed link may take to send what was written."""

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class Link:
    """A stream and its dial. :meth:`run` reports to the client, and ends when all is closed."""

    def __init__(self, dial: Dial, context: ssl.SSLContext | None, driver: Driver) -> None:
        self._dial = dial
        self._context = context
        self._driver = driver
        self._client = driver.client
        self._scope = trio.CancelScope(shield=True)
        self._open = False
        self._closing = False
        self._unsent = bytearray()
        self._news = trio.Event()

    # --- what the driver asks for ---

    def write(self, data: bytes) -> bool:
        """Write after what was written before; False when too much waits unsent."""
        self._unsent += data
        self._news.set()
        return len(self._unsent) <= MAX_UNSENT

    def close(self) -> None:
        """Flush and close, within a time; or cancel the dial."""
        self._closing = True
        self._news.set()
        if self._open:
            self._scope.deadline = min(self._scope.deadline, trio.current_time() + FLUSH)
        else:
            self._scope.cancel()

    def abort(self) -> None:
        """Close without flushing."""
        self._scope.cancel()

    # --- the task ---

    async def run(self) -> None:
        """Dial, then read and write until closed."""
        with self._scope:
            try:
                stream = await _open(self._dial, self._context)
            except (OSError, ValueError, trio.BrokenResourceError) as error:
                reason, detail = _explain(error, self._dial)
                self._driver.input(self._client.dial_failed, self._dial.link, reason, detail)
                return
            try:
                self._open = True
                self._driver.input(self._client.dialed, self._dial.link)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, stream)
                    await self._send(stream)
                    nursery.cancel_scope.cancel()
            finally:
                await trio.aclose_forcefully(stream)

    async def _read(self, stream: Stream) -> None:
        """Read always: what nobody takes from the inbox, the inbox bounds."""
        try:
            while data := await stream.receive_some():
                self._driver.input(self._client.receive, self._dial.link, bytes(data))
            self._driver.input(self._client.receive, self._dial.link, b"")
        except trio.BrokenResourceError as error:
            self._driver.input(self._client.link_lost, self._dial.link, _words(error))
        self.close()

    async def _send(self, stream: Stream) -> None:
        try:
            while self._unsent or not self._closing:
                while self._unsent:
                    chunk = bytes(self._unsent[:CHUNK])
                    await stream.send_all(chunk)
                    del self._unsent[: len(chunk)]  # more may have come meanwhile
                if not self._closing:
                    self._news = trio.Event()
                    await self._news.wait()
        except trio.BrokenResourceError as error:
            self._driver.input(self._client.link_lost, self._dial.link, _words(error))


async def _open(dial: Dial, context: ssl.SSLContext | None) -> Stream:
    stream = await trio.open_tcp_stream(dial.host, dial.port)
    if not dial.tls:
        return stream
    secure = trio.SSLStream(
        stream,
        context or ssl.create_default_context(),
        server_hostname=dial.host,
        https_compatible=True,
    )
    try:
        await secure.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(secure)
        raise
    return secure


def _explain(error: Exception, dial: Dial) -> tuple[DialError, str]:
    """What to tell the client, which has words of its own for each kind."""
    place = f"{dial.host}:{dial.port}"
    # One error for each address, in a group, is how open_tcp_stream says that none worked.
    errors = error.__cause__.exceptions if isinstance(error.__cause__, ExceptionGroup) else (error,)
    error = next((e for e in errors if isinstance(e, ConnectionRefusedError)), errors[0])
    match error:
        case trio.BrokenResourceError():
            return DialError.TLS, f"{place}, {_words(error)}"
        case socket.gaierror() | ValueError():
            return DialError.UNRESOLVED, dial.host
        case ConnectionRefusedError():
            return DialError.REFUSED, place
        case TimeoutError():
            return DialError.TIMED_OUT, place
        case _:
            return DialError.OTHER, f"{place}, {_words(error)}"


def _words(error: BaseException) -> str:
    """What an exception says, for a reader: without numbers and source positions."""
    match error:
        case trio.BrokenResourceError(__cause__=BaseException() as cause):
            return _words(cause)
        case ssl.SSLCertVerificationError(verify_message=str(message)) if message:
            return f"the certificate is not accepted, {message}"
        case ssl.SSLError(reason=str(reason)) if reason:
            return reason.replace("_", " ").lower()
        case OSError(strerror=str(strerror)) if strerror:
            return strerror
        case _:
            return str(error) or type(error).__name__
