"""The ``connect`` of kitwire under trio."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ssl import SSLContext
from typing import Unpack

import trio

from kitwire.client import Client
from kitwire.config import ClientConfig, ClientOptions
from kitwire.room import DEFAULT_MAX_EVENTS, Inbox, Room
from kitwire_trio.driver import Driver

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
    rule and about two seconds at most. Then no task and no socket is left. What the block raises
    leaves as itself, not in a group.

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
@trio.lowlevel.enable_ki_protection
async def _joined(client: Client, inbox: Inbox, context: SSLContext | None) -> AsyncIterator[Room]:
    ended_by: BaseException | None = None
    async with trio.open_nursery() as nursery:
        driver = Driver(client, inbox, context, nursery)
        room = Room(client, inbox, driver)
        try:
            try:
                driver.start()
                await room.wait_joined()
                yield room
            finally:
                # The driver's tasks are shielded as well, or there would be nobody to leave by.
                with trio.CancelScope(shield=True):
                    await driver.stop()
        except BaseException as error:  # noqa: BLE001 - raised again, outside the nursery's group
            ended_by = error
    driver.raise_bug()
    if ended_by is not None:
        raise ended_by
