"""The reliable channel's packets: numbered without a gap, and sent again from where it is asked."""

from __future__ import annotations

import asyncio

import pytest

from kitwire_aiortc.channels import ChannelClosed
from kitwire_aiortc.reliable import MAX_KEPT, ReliableSender
from tests.media.loopback import run


class Channel:
    """Takes packets; while it is full, whoever sends waits."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.closed = False
        self.room = asyncio.Event()
        self.room.set()

    async def send(self, data: bytes) -> None:
        await self.room.wait()
        if self.closed:
            raise ChannelClosed
        self.packets.append(data)


def numbered(sequence: int) -> bytes:
    return b"%d" % sequence


def test_a_replay_begins_after_the_last_packet_that_arrived() -> None:
    async def main() -> None:
        channel = Channel()
        sender = ReliableSender(channel.send)
        for _ in range(5):
            await sender.send(numbered)
        assert channel.packets == [b"1", b"2", b"3", b"4", b"5"]
        await sender.replay(3)
        await sender.send(numbered)
        assert channel.packets[5:] == [b"4", b"5", b"6"]
        await sender.replay(6)
        assert len(channel.packets) == 8

    run(main())


def test_what_is_new_waits_for_a_replay() -> None:
    async def main() -> None:
        channel = Channel()
        sender = ReliableSender(channel.send)
        for _ in range(3):
            await sender.send(numbered)
        channel.room.clear()
        replay = asyncio.ensure_future(sender.replay(1))
        new = asyncio.ensure_future(sender.send(numbered))
        await asyncio.sleep(0)
        channel.room.set()
        await asyncio.gather(replay, new)
        assert channel.packets[3:] == [b"2", b"3", b"4"]

    run(main())


def test_who_is_cancelled_while_waiting_leaves_no_gap() -> None:
    async def main() -> None:
        channel = Channel()
        sender = ReliableSender(channel.send)
        channel.room.clear()
        sending = asyncio.ensure_future(sender.send(numbered))
        await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait([sending])
        channel.room.set()
        await sender.send(numbered)
        await sender.replay(0)
        assert channel.packets == [b"1", b"1"]

    run(main())


def test_what_is_kept_is_bounded_by_its_bytes() -> None:
    size = MAX_KEPT // 4

    async def main() -> None:
        channel = Channel()
        sender = ReliableSender(channel.send)
        for _ in range(6):
            await sender.send(lambda sequence: bytes([sequence]) * size)
        del channel.packets[:]
        await sender.replay(0)
        assert [packet[0] for packet in channel.packets] == [3, 4, 5, 6]

    run(main())


def test_a_closed_channel_says_so() -> None:
    async def main() -> None:
        channel = Channel()
        sender = ReliableSender(channel.send)
        await sender.send(numbered)
        channel.closed = True
        with pytest.raises(ChannelClosed):
            await sender.send(numbered)
        with pytest.raises(ChannelClosed):
            await sender.replay(0)

    run(main())
