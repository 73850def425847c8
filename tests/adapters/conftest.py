"""What the adapters' tests share: both loops, an adapter for each, and that nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, Unpack

import pytest
import trio

import kitwire_asyncio
import kitwire_trio
from kitwire import ClientOptions, Room
from kitwire.room import DEFAULT_MAX_EVENTS

KEY_PAIR = Path(__file__).parents[1] / "peers" / "loopback.pem"


class Connect(Protocol):
    """The `connect` of either adapter."""

    def __call__(
        self,
        url: str,
        *,
        token: str = "a.b.c",
        ssl: ssl.SSLContext | None = None,
        max_events: int = DEFAULT_MAX_EVENTS,
        **options: Unpack[ClientOptions],
    ) -> AbstractAsyncContextManager[Room]: ...


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Each test of the contract runs on both loops; asyncio in its debug mode."""
    return request.param, {"debug": True} if request.param == "asyncio" else {}


class Adapter(Protocol):
    """What both adapters' own `connect` take, for a room without media."""

    def __call__(
        self,
        url: str,
        *,
        token: str,
        ssl: ssl.SSLContext | None = None,
        max_events: int = DEFAULT_MAX_EVENTS,
        **options: Unpack[ClientOptions],
    ) -> AbstractAsyncContextManager[Room]: ...


ADAPTERS: dict[str, Adapter] = {
    "asyncio": kitwire_asyncio.connect,
    "trio": kitwire_trio.connect,
}


@pytest.fixture
async def connect(anyio_backend_name: str) -> AsyncIterator[Connect]:
    """The adapter for the loop that the test runs on; afterwards no task of it is left."""

    def connect(
        url: str,
        *,
        token: str = "a.b.c",
        ssl: ssl.SSLContext | None = None,
        max_events: int = DEFAULT_MAX_EVENTS,
        **options: Unpack[ClientOptions],
    ) -> AbstractAsyncContextManager[Room]:
        return ADAPTERS[anyio_backend_name](
            url, token=token, ssl=ssl, max_events=max_events, **options
        )

    before = tasks_of_this_loop(anyio_backend_name)
    yield connect
    assert tasks_of_this_loop(anyio_backend_name) - before == set()


@pytest.fixture(autouse=True)
def no_socket_left() -> Iterator[None]:
    """After each test there are the same sockets and threads as before."""
    sockets, threads = open_sockets(), set(threading.enumerate())
    yield
    assert open_sockets() - sockets == set()
    assert {thread for thread in threading.enumerate() if not thread.daemon} - threads == set()


def open_sockets() -> set[str]:
    """The sockets of this process, where the system tells."""
    found = set[str]()
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc/self/fd"):
            # One descriptor is that of the listing itself.
            with contextlib.suppress(FileNotFoundError):
                found.add(os.readlink(f"/proc/self/fd/{name}"))
    return {name for name in found if name.startswith("socket:")}


def tasks_of_this_loop(backend: str) -> set[object]:
    """Every task that the running loop has."""
    if backend == "asyncio":
        tasks = asyncio.all_tasks()
        return {task for task in tasks if "TestRunner" not in repr(task.get_coro())}
    root = trio.lowlevel.current_root_task()
    assert root is not None
    found, left = set[object](), [root]
    while left:
        task = left.pop()
        found.add(task)
        left.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return found


@pytest.fixture
def trusting() -> ssl.SSLContext:
    """A context that trusts the key pair of the tests, and nothing else."""
    return ssl.create_default_context(cafile=KEY_PAIR)


@pytest.fixture
def presenting() -> ssl.SSLContext:
    """A server's context with that key pair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(KEY_PAIR)
    return context
