"""A whole kitwire client on `selectors`: one thread, no framework. Only its dials block."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from time import monotonic

from kitwire import Client, CloseLink, Dial, DialError, Event, LinkId, PeerCommand, Write


def run(client: Client, on_event: Callable[[Event], object], selector: BaseSelector) -> None:
    """Run a client that was told to connect. What else is in `selector` has its data called."""
    context = ssl.create_default_context()
    links: dict[LinkId, tuple[socket.socket, bytearray]] = {}
    while True:
        while (output := client.poll()) is not None:
            match output:
                case Dial(link=link, host=host, port=port, tls=tls):
                    try:
                        tcp = socket.create_connection((host, port), client.config.timeouts.open)
                        sock = context.wrap_socket(tcp, server_hostname=host) if tls else tcp
                    except (OSError, UnicodeError) as error:
                        kind = DialError.TLS if isinstance(error, ssl.SSLError) else DialError.OTHER
                        client.dial_failed(link, kind, str(error), now=monotonic())
                    else:
                        sock.setblocking(False)
                        selector.register(sock, EVENT_READ, link)
                        links[link] = sock, bytearray()
                        client.dialed(link, now=monotonic())
                case Write(link=link, data=data):
                    links[link][1].extend(data)
                case CloseLink(link=link):
                    if link in links:
                        sock, unsent = links.pop(link)
                        selector.unregister(sock)
                        with suppress(OSError), sock:
                            sock.send(unsent)
                case event if not isinstance(event, PeerCommand):
                    on_event(event)
        if client.closed:
            return
        for link, (sock, unsent) in links.items():
            selector.modify(sock, EVENT_READ | EVENT_WRITE if unsent else EVENT_READ, link)
        for key, mask in selector.select(client.deadline and max(0, client.deadline - monotonic())):
            if key.data not in links:
                key.data()
                continue
            sock, unsent = links[key.data]
            try:
                if mask & EVENT_READ:
                    client.receive(key.data, sock.recv(65536), now=monotonic())
                if mask & EVENT_WRITE:
                    del unsent[: sock.send(unsent)]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError as error:
                client.link_lost(key.data, str(error), now=monotonic())
        client.handle_timeout(now=monotonic())
