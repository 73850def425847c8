"""Ends of TCP connections on loopback that are no livekit-server, or stand in front of one.

Each runs in a thread until its `with` ends, and leaves no socket behind.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final

__all__ = ["closed_port", "relay", "silent_listener", "web_server"]

HOST: Final = "127.0.0.1"
POLL: Final = 0.05
"""Seconds after which a thread looks whether it shall end."""


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def silent_listener() -> Iterator[int]:
    """A port whose connections are accepted by the kernel, and by nobody else."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


class _WebSite(BaseHTTPRequestHandler):
    """A web server that has never heard of LiveKit."""

    def do_GET(self) -> None:
        body = b"<html><body>Welcome to our site</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""


@contextlib.contextmanager
def web_server() -> Iterator[int]:
    """The port of a web server that answers everything with its page."""
    with HTTPServer((HOST, 0), _WebSite) as server:
        thread = threading.Thread(target=server.serve_forever, args=(POLL,), name="web site")
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def relay(
    to_port: int,
    *,
    host: str = HOST,
    context: ssl.SSLContext | None = None,
    first: Callable[[bytes], bytes] = lambda data: data,
    answered: Callable[[bytes], object] = lambda data: None,
) -> Iterator[int]:
    """A port whose connections lead to another port.

    Args:
        to_port: where on 127.0.0.1 they lead to.
        host: the address to listen at.
        context: to speak TLS on the outer side.
        first: changes the first bytes that a client sends, such as a request's head.
        answered: is shown all that comes back.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def serve(outer: socket.socket) -> None:
        with contextlib.suppress(OSError), outer:  # a client that does not trust us hangs up
            outer.settimeout(5.0)
            end = context.wrap_socket(outer, server_side=True) if context else outer
            with end, socket.create_connection((HOST, to_port)) as inner:
                inner.sendall(first(end.recv(65536)))
                _pass_on(end, inner, answered, stop)

    def accept(listener: socket.socket) -> None:
        while not stop.is_set():
            if select.select([listener], [], [], POLL)[0]:
                outer, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(outer,), name="relayed"))
                threads[-1].start()

    with socket.create_server((host, 0), family=family) as listener:
        acceptor = threading.Thread(target=accept, args=(listener,), name="relay")
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            acceptor.join()
            for thread in threads:
                thread.join()


def _pass_on(
    outer: socket.socket,
    inner: socket.socket,
    answered: Callable[[bytes], object],
    stop: threading.Event,
) -> None:
    """Copy both ways until either side ends."""
    others = {outer: inner, inner: outer}
    while not stop.is_set():
        for sock in select.select(list(others), [], [], POLL)[0]:
            data = sock.recv(65536)  # at most one TLS record, so that none stays behind
            if not data:
                return
            if sock is inner:
                answered(data)
            others[sock].sendall(data)
