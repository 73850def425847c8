"""kitwire under asyncio: ``async with kitwire_asyncio.connect(url, token=token) as room``."""

from kitwire_asyncio.connection import connect

__all__ = ["connect"]
