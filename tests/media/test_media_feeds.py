"""Feeds: in order, bounded, ended, and gone with their readers."""

from __future__ import annotations

import asyncio
import gc

import pytest

from kitwire_aiortc.feeds import Feed, Feeds
from tests.media.loopback import run


async def rest(feed: Feed[int]) -> list[int]:
    return [each async for each in feed]


def test_items_are_read_in_order_by_everybody() -> None:
    async def main() -> None:
        feeds: Feeds[int] = Feeds()
        feeds.put(0)
        one, two = feeds.open(), feeds.open()
        waiting = asyncio.create_task(anext(one))
        await asyncio.sleep(0)
        for number in (1, 2, 3):
            feeds.put(number)
        feeds.end()
        assert await waiting == 1
        assert await rest(one) == [2, 3]
        assert await rest(two) == [1, 2, 3]

    run(main())


def test_a_reader_who_waits_is_told_of_the_end() -> None:
    async def main() -> None:
        feeds: Feeds[int] = Feeds()
        waiting = asyncio.create_task(rest(feeds.open()))
        await asyncio.sleep(0)
        feeds.end()
        assert await waiting == []
        late = feeds.open()
        feeds.put(1)
        late.put(1)
        assert await rest(late) == []

    run(main())


def test_beyond_the_bound_the_newest_are_dropped_and_counted() -> None:
    async def main() -> None:
        feeds: Feeds[int] = Feeds()
        slow, quick = feeds.open(2), feeds.open()
        for number in range(5):
            feeds.put(number)
        assert slow.dropped == 3
        assert await anext(slow) == 0
        feeds.put(5)
        feeds.end()
        assert await rest(slow) == [1, 5]
        assert await rest(quick) == [0, 1, 2, 3, 4, 5]
        assert quick.dropped == 0
        with pytest.raises(ValueError, match="capacity"):
            feeds.open(0)
        with pytest.raises(ValueError, match="capacity"):
            Feed(0)

    run(main())


def test_nobody_fills_a_feed_that_nobody_holds() -> None:
    class Item:
        pass

    async def main() -> None:
        feeds: Feeds[Item] = Feeds()
        feed = feeds.open()
        feeds.put(Item())
        del feed
        gc.collect()
        assert not [each for each in gc.get_objects() if isinstance(each, Item)]

    run(main())
