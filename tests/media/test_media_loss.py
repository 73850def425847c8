"""Audio through the real server to listeners whose last hop loses packets, beside stock aiortc."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

import anyio
import pytest
from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer

from kitwire import PathVersion
from kitwire_aiortc import MediaRoom, Tone
from kitwire_aiortc.internals import JITTER_BUFFER
from kitwire_aiortc.jitter import AudioJitterBuffer
from tests.interop.livekit_server import LiveKitServer
from tests.media.loopback import MEDIA, PATHS, Connect, Run, known, until
from tests.media.losing import PROMISED, SECONDS, Loss
from tests.media.paths import intercept

pytestmark = [pytest.mark.livekit, pytest.mark.slow]

PACKET: Final = 960
"""Samples of a packet."""


class Listener:
    """Reads a track, and counts its samples, in a room whose last hop loses packets."""

    def __init__(self, rate: float) -> None:
        self.loss = Loss(rate)
        self.samples = 0
        self._before = 0

    async def listen(self, room: MediaRoom, sid: str) -> None:
        """As long as the track is published."""
        await known(room, sid)
        stream = room.audio(sid)
        async for frame in stream:
            self.samples += frame.samples
        assert stream.dropped == 0

    def begin(self, room: MediaRoom) -> None:
        """Lose packets, and measure, from now on."""
        intercept(room.studio.peers.subscriber, self.loss.takes)
        self._before = self.samples
        self.loss.begun = True

    def delivered(self) -> float:
        """The share of what has come to the last hop since that could be read."""
        return (self.samples - self._before) / (self.loss.packets * PACKET)


class StockListener(Listener):
    """Likewise, with aiortc's own buffer instead of ours; all else is the same."""

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self._buffer = JitterBuffer(capacity=16, prefetch=4)
        self._receiver: RTCRtpReceiver | None = None

    async def exchange(self, room: MediaRoom, sid: str) -> None:
        """Let the buffer take the place of ours, once the track is read: then it stays there."""
        await until(lambda: self.samples > 0)
        peers = room.studio.peers
        inbound = peers.tracks.get(sid)
        assert inbound is not None
        sections = {each.mid: each for each in peers.subscriber.connection.getTransceivers()}
        receiver = sections[inbound.mid].receiver
        assert isinstance(JITTER_BUFFER.get(receiver), AudioJitterBuffer)
        JITTER_BUFFER.set(receiver, self._buffer)
        self._receiver = receiver

    @property
    def stock(self) -> bool:
        """Whether the buffer is there."""
        return self._receiver is not None and JITTER_BUFFER.get(self._receiver) is self._buffer


@pytest.mark.parametrize("path", PATHS)
def test_delivery_under_loss_beside_stock_aiortc(
    livekit: LiveKitServer, room_name: str, path: PathVersion, run: Run, connect: Connect
) -> None:
    """The same packets of one publisher's are lost to both, at the same time."""
    ours = [Listener(rate) for rate in PROMISED]
    stock = [StockListener(rate) for rate in PROMISED]
    listeners = [*ours, *stock]
    delivered: list[float] = []

    async def main() -> None:
        async with AsyncExitStack() as stack:

            async def enter(identity: str) -> MediaRoom:
                token = livekit.token(identity, room_name)
                joining = connect(livekit.url, token=token, path=path, media=MEDIA)
                return await stack.enter_async_context(joining)

            ann = await enter("ann")
            rooms = [await enter(f"ben{number}") for number in range(len(listeners))]
            tone = await ann.publish_audio(Tone(440.0))
            async with anyio.create_task_group() as tasks:
                for room, listener in zip(rooms, listeners, strict=True):
                    tasks.start_soon(listener.listen, room, tone.sid)
                for room, listener in zip(rooms[len(ours) :], stock, strict=True):
                    await listener.exchange(room, tone.sid)
                await until(lambda: all(each.samples > 0 for each in listeners))
                for room, listener in zip(rooms, listeners, strict=True):
                    listener.begin(room)
                begun = anyio.current_time()
                await anyio.sleep(SECONDS)
                delivered.extend(each.delivered() for each in listeners)
                # The server sends every packet on, and none twice.
                due = (anyio.current_time() - begun) * 50
                for listener in listeners:
                    assert listener.loss.packets == pytest.approx(due, rel=0.03)
                assert all(each.stock for each in stock)
                await tone.unpublish()

    run(main(), limit=40.0)
    print()  # noqa: T201
    for number, (rate, promised) in enumerate(PROMISED.items()):
        got, beside = delivered[number], delivered[len(ours) + number]
        print(f"{rate:4.0%} lost: {got:.1%} delivered, stock {beside:.1%}")  # noqa: T201
        assert got >= promised
        assert got > beside + rate
