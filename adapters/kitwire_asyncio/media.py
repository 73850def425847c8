"""Joining with media. Imported only when it is asked for, because it needs ``kitwire[media]``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext

from kitwire.client import Client
from kitwire_aiortc import Media, MediaInbox, MediaRoom
from kitwire_asyncio.driver import Driver

__all__ = ["joined_with_media"]


@asynccontextmanager
async def joined_with_media(
    client: Client, inbox: MediaInbox, context: SSLContext | None, media: Media
) -> AsyncIterator[MediaRoom]:
    """A room whose peer connections are up, for the length of the block."""
    driver = Driver(client, inbox, context)
    room = MediaRoom(client, inbox, driver, driver.input, media)
    driver.owner = room.studio.owner
    try:
        driver.input(client.connect)
        await room.wait_connected()
        driver.host = asyncio.current_task()
        yield room
    finally:
        # One after the other, whatever happens to the one before: each ends by itself.
        try:
            await room.drain()
        finally:
            try:
                await driver.stop()
            finally:
                await room.end()
