"""The whole way of a frame, from the bytes of a socket to the event, beside websockets' share.

No event can be had for less: a WebSocket frame must be parsed anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from bench.wire.corpus import DECODED
from kitwire.session.phases import Phase
from tests.peers.virtual_server import ClientLife, frame

__all__ = ["FRAMES", "SUBJECTS", "kitwire_path", "websockets_frame"]

FRAMES: Final[Mapping[str, bytes]] = MappingProxyType(
    {name: frame(2, data) for name, data in DECODED.items() if not name.startswith("join")}
)
"""What a server says after the join, as WebSocket frames."""


def kitwire_path() -> Callable[[bytes], None]:
    """What a client in a room does with the bytes that come."""
    life = ClientLife()
    life.reach(Phase.JOINED)
    client, link, now = life.client, life.newest.dial.link, life.now

    def take(data: bytes) -> None:
        client.receive(link, data, now=now)
        while client.poll() is not None:
            pass

    return take


def websockets_frame() -> Callable[[bytes], None]:
    """What websockets' sans-IO client does with them."""
    protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=State.OPEN, max_size=None)

    def take(data: bytes) -> None:
        protocol.receive_data(data)
        protocol.events_received()

    return take


SUBJECTS: Final[Mapping[str, Callable[[], Callable[[bytes], None]]]] = MappingProxyType(
    {"kitwire": kitwire_path, "websockets": websockets_frame}
)
"""Who takes them."""
