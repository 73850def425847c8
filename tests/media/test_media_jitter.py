"""Order, holes, repeats and restarts in the jitter buffer; and what it is worth under loss."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from kitwire_aiortc.gathering import configuration
from kitwire_aiortc.jitter import AudioJitterBuffer
from kitwire_aiortc.peer import Peer
from kitwire_aiortc.sources import Tone
from tests.media.loopback import LOOPBACK, Count, Recorder, run
from tests.media.losing import PROMISED, SECONDS, Loss, pattern


def packet(sequence: int, data: bytes = b"x") -> RtpPacket:
    made = RtpPacket(sequence_number=sequence % 65536, timestamp=sequence * 960 % (1 << 32))
    made._data = data  # type: ignore[attr-defined]  # aiortc adds it in the same way
    return made


def through(buffer: AudioJitterBuffer, sequences: Iterable[int]) -> list[int]:
    """The numbers of the frames that come out, in order."""
    out = []
    for sequence in sequences:
        _, frame = buffer.add(packet(sequence))
        while frame is not None:
            out.append(frame.timestamp // 960)
            frame = buffer.pop()
    return out


@pytest.mark.parametrize(
    ("arriving", "leaving", "lost", "late"),
    [
        ([5, 6, 7], [5, 6, 7], 0, 0),
        ([5, 7, 6, 8], [5, 6, 7, 8], 0, 0),
        ([5, 8, 7, 6, 9], [5, 6, 7, 8, 9], 0, 0),
        ([5, 7, 8], [5], 0, 0),  # still patient
        ([5, 7, 8, 9], [5, 7, 8, 9], 1, 0),
        ([5, 7, 8, 9, 6], [5, 7, 8, 9], 1, 1),  # too late
        ([5, 8, 9, 10], [5, 8, 9, 10], 2, 0),
        ([5, 7, 9, 11, 12], [5, 7, 9], 2, 0),  # 11 and 12 wait for 10
        ([5, 5, 6, 6], [5, 6], 0, 2),
        ([5, 7, 7, 6], [5, 6, 7], 0, 1),
        ([65534, 65535, 65536, 65537], [65534, 65535, 65536, 65537], 0, 0),
        ([5, 500, 501], [5, 500, 501], 0, 0),  # a new start, far ahead
        ([5000, 5001, 20, 21], [5000, 5001, 20, 21], 0, 0),  # or far behind
    ],
)
def test_order(arriving: list[int], leaving: list[int], lost: int, late: int) -> None:
    buffer = AudioJitterBuffer()
    assert through(buffer, arriving) == leaving
    assert (buffer.lost, buffer.late) == (lost, late)


def test_padding_is_no_frame() -> None:
    buffer = AudioJitterBuffer()
    assert buffer.add(packet(1))[1] is not None
    assert buffer.add(packet(2, b"")) == (False, None)
    assert buffer.add(packet(3))[1] is not None
    assert buffer.lost == 0


def test_after_a_restart_anything_is_the_first() -> None:
    buffer = AudioJitterBuffer()
    assert through(buffer, [5, 7]) == [5]
    buffer.restart()
    assert through(buffer, [6, 7]) == [6, 7]


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(0, 65535))
def test_frames_leave_in_order_and_once(offsets: list[int], start: int) -> None:
    buffer = AudioJitterBuffer()
    out = through(buffer, [start + 100 + each for each in offsets])
    assert out == sorted(set(out))
    assert set(out) <= {start + 100 + each for each in offsets}


@pytest.mark.parametrize(("rate", "promised"), [*PROMISED.items()])
def test_one_lost_packet_costs_one(rate: float, promised: float) -> None:
    lost = pattern(rate, 10_000)
    arriving = [number for number, gone in enumerate(lost) if not gone]
    ours = len(through(AudioJitterBuffer(), arriving)) / len(lost)
    stock_buffer, stock = JitterBuffer(capacity=16, prefetch=4), 0
    for number in arriving:
        stock += stock_buffer.add(packet(number))[1] is not None
    assert ours >= promised
    assert ours > stock / len(lost) + rate * 2
    assert ours == pytest.approx(1 - rate, abs=0.001)


class StockListener:
    """aiortc as it is, answering and counting samples."""

    def __init__(self) -> None:
        self.samples = 0
        self.connection = RTCPeerConnection(configuration(LOOPBACK))
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._begin)

    def _begin(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.ensure_future(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                self.samples += (await track.recv()).samples  # type: ignore[union-attr]
        except MediaStreamError:
            pass

    async def answer(self, offer: str) -> str:
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        answer = await self.connection.createAnswer()
        for each in self.connection.getTransceivers():
            LOOPBACK.prepare(each.receiver.transport.transport.iceGatherer)
        await self.connection.setLocalDescription(answer)
        return self.connection.localDescription.sdp

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.gather(*self._tasks)


class Ours(Recorder):
    """Ours, doing the same."""

    def __init__(self) -> None:
        super().__init__()
        self.count = Count()
        self.peer = Peer(self, gathering=LOOPBACK)

    async def answer(self, offer: str) -> str:
        answer = await self.peer.apply_offer(offer)
        self.inbound[0].attach(self.count)
        return answer

    @property
    def samples(self) -> int:
        return self.count.samples

    async def close(self) -> None:
        await self.peer.close()


class LossyPeer:
    """A sender whose transport loses a share of its audio packets."""

    def __init__(self, rate: float) -> None:
        self.peer = Peer(Recorder(), gathering=LOOPBACK)
        self.outbound = self.peer.publish("audio", cid="c", stream="s", source=Tone())
        self.loss = Loss(rate)

    def interfere(self) -> None:
        (transceiver,) = self.peer.connection.getTransceivers()
        transport = transceiver.sender.transport.transport
        send = transport._send

        async def lossy(data: bytes) -> None:
            if not self.loss.takes(data):
                await send(data)

        transport._send = lossy
        self.loss.begun = True


@pytest.mark.slow
def test_delivery_under_loss_beside_stock_aiortc() -> None:
    """The same seeded loss for both, at the same time, on real transports."""

    async def one(rate: float, listener: StockListener | Ours) -> float:
        sender = LossyPeer(rate)
        answer = await listener.answer(await sender.peer.make_offer())
        sender.interfere()
        await sender.peer.apply_answer(answer)
        await asyncio.sleep(SECONDS)
        delivered = listener.samples / (sender.loss.packets * 960)
        await sender.peer.close()
        await listener.close()
        return delivered

    async def main() -> tuple[list[float], list[float]]:
        ours = [one(rate, Ours()) for rate in PROMISED]
        stock = [one(rate, StockListener()) for rate in PROMISED]
        delivered = await asyncio.gather(*ours, *stock)
        return delivered[:3], delivered[3:]

    ours, stock = run(main())
    for (rate, promised), got, beside in zip(PROMISED.items(), ours, stock, strict=True):
        print(f"{rate:4.0%} lost: {got:.1%} delivered, stock {beside:.1%}")  # noqa: T201
        assert got >= promised
        assert got > beside + rate
