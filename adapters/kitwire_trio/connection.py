"""The ``connect`` of kitwire under trio."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ssl import SSLContext
from typing import TYPE_CHECKING, Unpack, overload

import trio

from kitwire.client import Client
from kitwire.config import ClientConfig, ClientOptions
from kitwire.room import DEFAULT_MAX_EVENTS, Inbox, Room
from kitwire_trio.driver import Driver

if TYPE_CHECKING:
    from kitwire_aiortc import Media, MediaRoom

__all__ = ["connect", "driven"]


@overload
def connect(
    url: str,
    *,
    token: str,
    media: None = None,
    ssl: SSLContext | None = None,
    max_events: int = DEFAULT_MAX_EVENTS,
    **options: Unpack[ClientOptions],
) -> AbstractAsyncContextManager[Room]: ...


@overload
def connect(
    url: str,
    *,
    token: str,
    media: Media,
    ssl: SSLContext | None = None,
    max_events: int = DEFAULT_MAX_EVENTS,
    **options: Unpack[ClientOptions],
) -> AbstractAsyncContextManager[MediaRoom]: ...


def connect(
    url: str,
    *,
    token: str,
    media: Media | None = None,
    ssl: SSLContext | None = None,
    max_events: int = DEFAULT_MAX_EVENTS,
    **options: Unpack[ClientOptions],
) -> AbstractAsyncContextManager[Room] | AbstractAsyncContextManager[MediaRoom]:
    """Join a room for the length of an ``async with`` block.

    However the block ends, the room is left first; a cancellation waits for that, a moment as a
    rule and about two seconds at most. Then no task, socket or thread is left. What the block
    raises leaves as itself, not in a group.

    Args:
        url: the server: ``ws``, ``wss``, ``http`` or ``https``; a path prefix is kept.
        token: the access token, a JWT.
        media: how to have media: ``kitwire_aiortc.Media()``, of the extra ``kitwire[media]``. Then
            the room is a :class:`~kitwire_aiortc.MediaRoom`, and there when media can flow; data
            on its way at the end is waited for, one second at most. aiortc runs in a thread of its
            own meanwhile, of which nothing shows. With None there is only signaling.
        ssl: for ``wss`` and ``https``; when None a default context, which verifies.
        max_events: how many events may wait unread before the room closes with
            ``EVENTS_OVERFLOWED``; 0 for a program that reads none.
        options: the other fields of :class:`~kitwire.config.ClientConfig`; with ``media``, not
            ``peers``.

    Raises:
        ValueError: at once, for a URL or a setting that cannot work.
        ConnectFailed: on entering the block, when the room could not be joined, or media found no
            way.
    """
    config = ClientConfig(url=url, token=token, **options)
    if media is not None:
        # Only now: it imports aiortc, which those without media need not have.
        from kitwire_aiortc import MediaInbox
        from kitwire_trio.media import joined_with_media

        client = Client(media.configured(config), jitter=random.random)
        return joined_with_media(client, MediaInbox(max_events), ssl, media)
    return _joined(Client(config, jitter=random.random), Inbox(max_events), ssl)


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def _joined(client: Client, inbox: Inbox, context: SSLContext | None) -> AsyncIterator[Room]:
    async with driven(client, inbox, context) as driver:
        room = Room(client, inbox, driver)
        driver.start()
        await room.wait_joined()
        yield room


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def driven(client: Client, inbox: Inbox, context: SSLContext | None) -> AsyncIterator[Driver]:
    """A driver, yet to be started, which is stopped at the end of the block."""
    ended_by: BaseException | None = None
    async with trio.open_nursery() as nursery:
        driver = Driver(client, inbox, context, nursery)
        try:
            try:
                yield driver
            finally:
                # The driver's tasks are shielded as well, or there would be nobody to leave by.
                with trio.CancelScope(shield=True):
                    await driver.stop()
        except BaseException as error:  # noqa: BLE001 - raised again, outside the nursery's group
            ended_by = error
    driver.raise_bug()
    if ended_by is not None:
        raise ended_by
