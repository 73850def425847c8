"""A server on loopback whose every connection follows a script, in a thread of its own.

Threads, so that the very same far end serves asyncio, trio, and a loop that is neither.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from livekit.protocol import rtc
from websockets.http11 import Request

from tests.peers.signal_end import (
    Received,
    SignalEnd,
    answer_politely,
    join_response,
)

__all__ = ["Connection", "Script", "ScriptedServer", "polite", "scripted_server"]

PATIENCE: Final = 20.0
"""Seconds after which a script that waits for the client fails."""


class Connection:
    """One accepted connection, with blocking calls for its script."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # As a Go server has it.
        self.socket = sock
        self.end = SignalEnd()
        self._received: deque[Received] = deque()

    def next(self) -> Received | None:
        """What the client says next; None when it has closed its stream."""
        while not self._received:
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                data = b""
            self._received.extend(self.end.receive(data))
            self.flush()
            if not data:
                break
        return self._received.popleft() if self._received else None

    def request(self, kind: str | None = None) -> rtc.SignalRequest:
        """The next request, or the next of one kind."""
        while (received := self.next()) is not None:
            if isinstance(received, rtc.SignalRequest) and kind in (
                None,
                received.WhichOneof("message"),
            ):
                return received
        raise AssertionError(f"the client closed before it sent {kind or 'a request'}")

    def upgrade(self) -> Request:
        """The upgrade request."""
        received = self.next()
        assert isinstance(received, Request)
        return received

    def let_in(self) -> None:
        """Answer the upgrade with 101 and a join."""
        self.end.accept(self.upgrade())
        self.send(join_response())

    def send(self, response: rtc.SignalResponse) -> None:
        """Send a message."""
        self.end.send(response)
        self.flush()

    def flush(self) -> None:
        """Send what the end has to send, if the client still listens."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(self.end.outgoing())

    def be_polite(self) -> None:
        """Do what a server does until the client is gone."""
        while (received := self.next()) is not None:
            answer_politely(self.end, received)
            self.flush()

    def wait_for_end(self) -> None:
        """Read, and say nothing, until the client is gone."""
        while self.next() is not None:
            pass

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Script = Callable[[Connection], None]


def polite(connection: Connection) -> None:
    """The script of a server that does what servers do."""
    connection.be_polite()


class ScriptedServer:
    """A listening socket. The n-th connection follows the n-th script, later ones the last."""

    def __init__(self, host: str, scripts: tuple[Script, ...], tls: ssl.SSLContext | None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._scripts = scripts or (polite,)
        self._tls = tls
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self.port = int(self._listener.getsockname()[1])
        place = f"[{host}]" if ":" in host else host
        self.url = f"{'wss' if tls else 'ws'}://{place}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return len(self._threads) - 1

    def start(self) -> None:
        """Begin to accept."""
        self._spawn(self._accept)

    def stop(self) -> None:
        """Stop accepting, wait for the scripts, and raise what they raised."""
        # Waking accept() takes a connection on every system; it follows no script.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE * 2)
            assert not thread.is_alive(), "a script does not end"
        self._listener.close()
        if self._failures:
            raise self._failures[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number = len(self._threads) - 1
            script = self._scripts[min(number, len(self._scripts) - 1)]
            self._spawn(partial(self._serve, sock, script))

    def _serve(self, sock: socket.socket, script: Script) -> None:
        with sock:
            if self._tls is not None:
                try:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                except OSError:  # the client did not like the certificate
                    return
            with sock:
                script(Connection(sock))

    def _spawn(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised by stop()
                self._failures.append(error)

        thread = threading.Thread(target=guarded, name="scripted server")
        self._threads.append(thread)
        thread.start()


@contextlib.contextmanager
def scripted_server(
    *scripts: Script, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[ScriptedServer]:
    """A server for the length of a `with`; polite when there is no script."""
    server = ScriptedServer(host, scripts, tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()
