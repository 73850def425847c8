"""Joining with media. Imported only when it is asked for, because it needs ``kitwire[media]``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from ssl import SSLContext

import trio

from kitwire.client import Client
from kitwire.commands import PeerCommand
from kitwire_aiortc import Media, MediaInbox, MediaRoom
from kitwire_aiortc.owner import Owner
from kitwire_trio.connection import driven
from kitwire_trio.portal import AsyncioThread

__all__ = ["joined_with_media"]


class _Posting:
    """The :class:`~kitwire.room.PeerOwner` of a driver: passes commands on to aiortc's loop."""

    def __init__(self, owner: Owner, portal: AsyncioThread) -> None:
        self._owner = owner
        self._portal = portal

    def execute(self, command: PeerCommand) -> None:
        self._portal.post(partial(self._owner.execute, command))


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def joined_with_media(
    client: Client, inbox: MediaInbox, context: SSLContext | None, media: Media
) -> AsyncIterator[MediaRoom]:
    """A room whose peer connections are up, for the length of the block."""
    async with (
        AsyncioThread() as portal,
        AsyncExitStack() as ends,
        driven(client, inbox, context) as driver,
    ):
        room = MediaRoom(client, inbox, driver, driver.input, media, portal)
        driver.owner = _Posting(room.studio.owner, portal)
        # After the driver has left, and before the thread ends.
        ends.push_async_callback(_whole, room.end)
        try:
            driver.start()
            await room.wait_connected()
            yield room
        finally:
            await _whole(room.drain)


async def _whole(step: Callable[[], Awaitable[None]]) -> None:
    """Do it though the block was cancelled: it takes a moment, and a second at most."""
    with trio.CancelScope(shield=True):
        await step()
