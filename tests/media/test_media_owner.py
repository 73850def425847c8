"""One set of peer connections after the other: reports with its number, and nothing left."""

from __future__ import annotations

import asyncio

import pytest

from kitwire.commands import (
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    ClosePeers,
    MakeOffer,
    OpenPeers,
    PeersId,
    PeerTarget,
    Topology,
)
from kitwire.session.peer_inputs import PeerInputs, PeerReport
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.owner import Owner
from kitwire_aiortc.sources import Tone
from tests.media.loopback import CHANNELS, LOOPBACK, run, until

PUBLISHER, SUBSCRIBER = PeerTarget.PUBLISHER, PeerTarget.SUBSCRIBER


class Core(PeerInputs):
    """Writes down what is reported, and what its listener hears."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.sdp: dict[str, str] = {}
        self.owner = Owner(self, self.deliver, self, gathering=LOOPBACK)

    def deliver(self, method: object, *args: object) -> None:
        assert callable(method)
        method(*args, now=0.0)

    def negotiate(self, *, now: float) -> int | None:
        raise NotImplementedError

    def reliable_received(self, publisher_sid: str, sequence: int, *, now: float) -> None:
        raise NotImplementedError

    def _report(
        self,
        name: str,
        peers: PeersId,
        report: PeerReport | None,
        *,
        now: float,
        **arguments: object,
    ) -> None:
        self.sdp[name] = str(arguments.get("sdp"))
        words = [
            str(arguments[each])
            for each in ("target", "offer_id", "state", "detail")
            if each in arguments
        ]
        self.log.append(" ".join([f"{peers}", name, *words]))

    def track_opened(self, sid: str, inbound: Inbound) -> None:
        self.log.append(f"+{sid}")

    def track_closed(self, sid: str, inbound: Inbound) -> None:
        self.log.append(f"-{sid}")

    def data_received(self, label: str, data: bytes) -> None:
        self.log.append(f"{label} {data.decode()}")

    def open(self, number: int, topology: Topology = Topology.SINGLE) -> None:
        self.owner.execute(
            OpenPeers(
                peers=PeersId(number),
                topology=topology,
                ice_servers=(),
                force_relay=False,
                data_channels=CHANNELS,
            )
        )

    @property
    def offered(self) -> bool:
        return self.owner.offered

    @property
    def number(self) -> int | None:
        return None if self.owner.peers is None else self.owner.peers.id

    def offer(self, number: int, *, audio: int = 0) -> None:
        self.owner.execute(
            MakeOffer(
                peers=PeersId(number),
                target=PUBLISHER,
                offer_id=1,
                audio_sections=audio,
                video_sections=0,
            )
        )


def test_everything_is_reported_with_the_number_of_its_set() -> None:
    async def main() -> None:
        ours, theirs = Core(), Core()
        ours.open(3)
        theirs.open(4, Topology.DUAL)
        assert not ours.offered
        assert theirs.owner.peers is not None
        source = Tone(440.0)
        theirs.owner.peers.subscriber.publish("audio", cid="c", stream="s", source=source)
        ours.offer(3, audio=1)
        assert [ours.offered] == [True]
        await until(lambda: "3 offer_made publisher 1" in ours.log)
        offer = ours.sdp["offer_made"]
        theirs.owner.execute(
            ApplyOffer(
                peers=PeersId(4),
                target=SUBSCRIBER,
                offer_id=1,
                sdp=offer,
                mid_to_track_id={},
            )
        )
        await until(lambda: "4 answer_made subscriber 1" in theirs.log)
        ours.owner.execute(
            ApplyAnswer(
                peers=PeersId(3),
                target=PUBLISHER,
                offer_id=1,
                sdp=theirs.sdp["answer_made"],
                mid_to_track_id={"0": "TR_a"},
            )
        )
        await until(lambda: "3 peer_state_changed publisher connected" in ours.log)
        assert "3 answer_applied publisher 1" in ours.log
        assert "+TR_a" in ours.log
        ours.owner.execute(
            AddCandidate(
                peers=PeersId(3),
                target=PUBLISHER,
                candidate="",
                sdp_mid="0",
                sdp_mline_index=0,
                username_fragment=None,
                final=True,
            )
        )
        assert ours.owner.peers is not None
        await ours.owner.peers.publisher.channels.send("_reliable", b"hello")
        await until(lambda: "_reliable hello" in theirs.log)
        ours.owner.execute(
            ApplyAnswer(
                peers=PeersId(3), target=PUBLISHER, offer_id=2, sdp="nonsense", mid_to_track_id={}
            )
        )
        await until(lambda: any("peer_failed publisher the answer" in each for each in ours.log))
        source.stop()
        await asyncio.gather(ours.owner.close(), theirs.owner.close())

    run(main())


def test_one_set_follows_another() -> None:
    async def main() -> None:
        core = Core()
        seen = []
        core.open(1)
        core.offer(1)
        seen.append((core.number, core.offered))
        core.open(2)
        # Of a set that is gone: nobody is meant.
        core.owner.execute(ClosePeers(peers=PeersId(1)))
        seen.append((core.number, core.offered))
        core.offer(2)
        await until(lambda: "2 offer_made publisher 1" in core.log)
        core.owner.execute(ClosePeers(peers=PeersId(2)))
        core.offer(2)
        seen.append((core.number, core.offered))
        await core.owner.close()
        assert seen == [(1, True), (2, False), (None, False)]
        assert not any(each.startswith("1 ") for each in core.log)

    run(main())


def test_closed_it_opens_nothing() -> None:
    async def main() -> None:
        core = Core()
        await core.owner.close()
        core.open(1)
        assert core.owner.peers is None
        await core.owner.close()

    run(main())


def test_a_cancelled_close_leaves_nothing() -> None:
    async def main() -> None:
        core = Core()
        core.open(1)
        core.offer(1)
        await asyncio.sleep(0)
        closing = asyncio.create_task(core.owner.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

    run(main())
