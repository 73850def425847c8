"""The ``connect`` of kitwire under asyncio."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ssl import SSLContext
from typing import Unpack

from kitwire.client import Client
from kitwire.config import ClientConfig, ClientOptions
from kitwire.room import DEFAULT_MAX_EVENTS, Inbox, Room
from kitwire_asyncio.driver import Driver

__all__ = ["connect"]


def connect(
    url: str,
    *,
    token: str,
    ssl: SSLContext | None = None,
    max_events: int = DEFAULT_MAX_EVENTS,
    **options: Unpack[ClientOptions],
) -> AbstractAsyncContextManager[Room]:
    """Join a room for the length of an ``async with`` block.

    However the block ends, the room is left first; a cancellation waits for that, a moment as a
    rule and about two seconds at most. Then no task, socket or timer is left. What the block
    raises leaves as itself.

    Args:
        url: the server: ``ws``, ``wss``, ``http`` or ``https``; a path prefix is kept.
        token: the access token, a JWT.
        ssl: for ``wss`` and ``https``; when None a default context, which verifies.
        max_events: how many events may wait unread before the room closes with
            ``EVENTS_OVERFLOWED``; 0 for a program that reads none.
        options: the other fields of :class:`~kitwire.config.ClientConfig`.

    Raises:
        ValueError: at once, for a URL or a setting that cannot work.
        ConnectFailed: on entering the block, when the room could not be joined.
    """
    config = ClientConfig(url=url, token=token, **options)
    return _joined(Client(config, jitter=random.random), Inbox(max_events), ssl)


@asynccontextmanager
async def _joined(client: Client, inbox: Inbox, context: SSLContext | None) -> AsyncIterator[Room]:
    driver = Driver(client, inbox, context)
    room = Room(client, inbox, driver)
    try:
        driver.input(client.connect)
        await room.wait_joined()
        driver.host = asyncio.current_task()
        yield room
    finally:
        await driver.stop()
