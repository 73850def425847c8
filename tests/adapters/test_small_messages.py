"""Messages leave at once: no socket of ours waits for the server to acknowledge the last one."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest

from tests.adapters.conftest import Connect
from tests.peers.scripted_server import scripted_server

pytestmark = pytest.mark.anyio


def connected_to(port: int) -> list[bool]:
    """Whether TCP_NODELAY is set, for each socket of this process whose far end is that port."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # The listing's own is gone.
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as one:
                if one.family == socket.AF_INET and one.getpeername()[1] == port:
                    option = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                    found.append(bool(option))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc/self/fd")
async def test_small_messages_are_not_held_back(connect: Connect) -> None:
    """A ping and a request behind it would be 40 ms apart, while the link is otherwise idle."""
    with scripted_server() as server:
        async with connect(server.url):
            assert connected_to(server.port) == [True]
