"""kitwire under asyncio."""
