"""The core's commands executed, in order, each with its report; tracks named by the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kitwire.commands import (
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    ClosePeers,
    MakeOffer,
    OpenPeers,
    PeersId,
    PeerState,
    PeerTarget,
    Topology,
    UseIceServers,
)
from kitwire.messages import IceServer
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.peers import Peers, Tracks
from kitwire_aiortc.sdp import Direction, Section
from kitwire_aiortc.sources import Tone
from tests.media.loopback import CHANNELS, LOOPBACK, Count, run, until

PUBLISHER, SUBSCRIBER = PeerTarget.PUBLISHER, PeerTarget.SUBSCRIBER


class Core:
    """Writes down every report, and hands descriptions to the other side."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.sdp: dict[int, str] = {}
        self.tracks: dict[str, Inbound] = {}
        self.states: list[tuple[PeerTarget, PeerState]] = []
        self.data: list[tuple[PeerTarget, str, bytes]] = []
        self.on_state: Callable[[], None] = lambda: None

    def offer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        self.sdp[offer_id] = sdp
        self.log.append(f"offer {offer_id}")

    def answer_applied(self, target: PeerTarget, offer_id: int) -> None:
        self.log.append(f"applied {offer_id}")

    def answer_made(self, target: PeerTarget, offer_id: int, sdp: str) -> None:
        self.sdp[offer_id] = sdp
        self.log.append(f"answer {offer_id}")

    def peer_state_changed(self, target: PeerTarget, state: PeerState) -> None:
        self.states.append((target, state))
        self.on_state()

    def datagram_received(self, target: PeerTarget) -> None:
        self.log.append(f"datagram {target.value}")

    def peer_failed(self, target: PeerTarget, detail: str) -> None:
        self.log.append(f"failed {target.value}: {detail}")

    def track_opened(self, sid: str, inbound: Inbound) -> None:
        self.tracks[sid] = inbound
        self.log.append(f"+{sid}")

    def track_closed(self, sid: str, inbound: Inbound) -> None:
        self.log.append(f"-{sid}")

    def channel_opened(self, target: PeerTarget, label: str, channel_id: int) -> None:
        self.log.append(f"opened {label}")

    def channel_closed(self, target: PeerTarget, label: str) -> None:
        self.log.append(f"closed {label}")

    def data_received(self, target: PeerTarget, label: str, data: bytes) -> None:
        self.data.append((target, label, data))


def peers(core: Core, topology: Topology = Topology.SINGLE, number: int = 1) -> Peers:
    command = OpenPeers(
        peers=PeersId(number),
        topology=topology,
        ice_servers=(),
        force_relay=False,
        data_channels=CHANNELS,
    )
    return Peers(command, core, gathering=LOOPBACK)


def make_offer(number: int, *, audio: int = 0, peers: int = 1) -> MakeOffer:
    return MakeOffer(
        peers=PeersId(peers),
        target=PUBLISHER,
        offer_id=number,
        audio_sections=audio,
        video_sections=0,
    )


def apply_answer(number: int, sdp: str, **sids: str) -> ApplyAnswer:
    mids = {mid.removeprefix("m"): sid for mid, sid in sids.items()}
    return ApplyAnswer(
        peers=PeersId(1), target=PUBLISHER, offer_id=number, sdp=sdp, mid_to_track_id=mids
    )


def apply_offer(number: int, sdp: str, target: PeerTarget, **sids: str) -> ApplyOffer:
    mids = {mid.removeprefix("m"): sid for mid, sid in sids.items()}
    return ApplyOffer(
        peers=PeersId(1), target=target, offer_id=number, sdp=sdp, mid_to_track_id=mids
    )


def add_candidate(candidate: str, target: PeerTarget = PUBLISHER) -> AddCandidate:
    return AddCandidate(
        peers=PeersId(1),
        target=target,
        candidate=candidate,
        sdp_mid="0",
        sdp_mline_index=0,
        username_fragment=None,
        final=False,
    )


def test_commands_are_done_one_after_the_other() -> None:
    async def main() -> None:
        core, server = Core(), Core()
        ours, theirs = peers(core), peers(server, Topology.DUAL)
        ours.publisher.publish("audio", cid="c", stream="s", source=Tone())
        ours.execute(make_offer(1))
        ours.execute(make_offer(2, audio=1))
        ours.execute(add_candidate("nonsense"))
        await until(lambda: len(core.log) == 2)
        assert core.log == ["offer 1", "offer 2"]
        theirs.execute(apply_offer(7, core.sdp[2], SUBSCRIBER, m0="TR_x"))
        await until(lambda: "answer 7" in server.log)
        assert server.log == ["+TR_x", "answer 7"]
        ours.execute(apply_answer(2, server.sdp[7]))
        await until(lambda: (PUBLISHER, PeerState.CONNECTED) in core.states)
        await until(lambda: (SUBSCRIBER, PeerState.CONNECTED) in server.states)
        count = Count()
        carried = theirs.tracks.get("TR_x")
        assert carried is server.tracks["TR_x"]
        assert carried is not None
        carried.attach(count)
        await until(lambda: count.frames > 3)
        await ours.publisher.channels.send("_reliable", b"x")
        await until(lambda: server.data == [(SUBSCRIBER, "_reliable", b"x")])
        assert "opened _reliable" in core.log
        await ours.close()
        await until(lambda: "closed _reliable" in server.log)
        await theirs.close()
        assert ours.subscriber is ours.publisher
        assert theirs.subscriber is not theirs.publisher

    run(main())


def test_what_cannot_be_done_is_reported() -> None:
    async def main() -> None:
        core = Core()
        ours = peers(core)
        ours.execute(apply_offer(2, "x", SUBSCRIBER))
        ours.execute(apply_answer(3, "garbage"))
        ours.execute(add_candidate("x", SUBSCRIBER))
        await until(lambda: len(core.log) == 2)
        assert sorted(core.log) == [
            "failed publisher: the answer has no section",
            "failed subscriber: there is no subscriber",
        ]
        ours.execute(make_offer(4))
        await until(lambda: "offer 4" in core.log)
        await ours.close()

    run(main())


def test_ice_servers_that_are_named_anew_are_those_of_every_peer_connection() -> None:
    async def main() -> None:
        some = peers(Core(), Topology.DUAL)
        new = (IceServer(urls=["turn:t.example"]),)
        some.execute(UseIceServers(peers=PeersId(7), ice_servers=new))
        assert [each.ice_servers for each in (some.publisher, some.subscriber)] == [(), ()]
        some.execute(UseIceServers(peers=some.id, ice_servers=new))
        assert [each.ice_servers for each in (some.publisher, some.subscriber)] == [new, new]
        await some.close()

    run(main())


def test_what_is_not_for_this_set_is_ignored() -> None:
    async def main() -> None:
        core = Core()
        ours = peers(core, number=2)
        ours.execute(make_offer(1, peers=1))
        ours.execute(ClosePeers(peers=PeersId(2)))
        await asyncio.sleep(0.05)
        assert core.log == []
        assert ours.publisher.state is PeerState.NEW
        await ours.close()
        ours.execute(make_offer(1, peers=2))
        await asyncio.sleep(0.05)
        assert core.log == []

    run(main())


@pytest.mark.parametrize("ticks", [0, 1, 3, 10, 40])
def test_closed_in_the_middle_nothing_is_reported_any_more(ticks: int) -> None:
    async def main() -> None:
        core, server = Core(), Core()
        ours, theirs = peers(core), peers(server, Topology.DUAL)
        ours.execute(make_offer(1, audio=1))
        await until(lambda: 1 in core.sdp)
        theirs.execute(apply_offer(1, core.sdp[1], SUBSCRIBER))
        await until(lambda: 1 in server.sdp)
        ours.execute(apply_answer(1, server.sdp[1]))
        ours.execute(make_offer(2))
        ours.execute(apply_answer(9, "garbage"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        closing = asyncio.ensure_future(ours.close())
        await asyncio.sleep(0)
        log, states = list(core.log), list(core.states)
        await closing
        await theirs.close()
        assert (core.log, core.states) == (log, states)

    run(main())


def section(mid: str, *, sends: bool = True, msid: str = "") -> Section:
    direction = Direction.SENDONLY if sends else Direction.INACTIVE
    return Section(index=0, mid=mid, kind="audio", direction=direction, msid=msid)


def test_tracks_follow_the_last_word() -> None:
    """With stand-ins for sections: only who is who matters here."""
    core = Core()
    ends: dict[str, Inbound] = {mid: object.__new__(Inbound) for mid in "012"}
    tracks = Tracks(core)
    both = (section("0"), section("1"))
    tracks.update(both, {"0": "TR_a", "1": "TR_b", "9": "TR_nowhere"}, ends)
    assert core.log == ["+TR_a", "+TR_b"]
    tracks.update(both, {"0": "TR_a", "1": "TR_b"}, ends)
    assert core.log == ["+TR_a", "+TR_b"]
    tracks.update(both, {"0": "TR_b", "1": "TR_c"}, ends)
    assert core.log[2:] == ["-TR_a", "-TR_b", "+TR_b", "+TR_c"]
    assert tracks.get("TR_b") is ends["0"]
    tracks.update((section("0", sends=False), section("1")), {"0": "TR_b", "1": "TR_c"}, ends)
    assert core.log[6:] == ["-TR_b"]
    tracks.update((section("5"), section("1")), {"5": "TR_e", "1": "TR_c"}, ends)
    assert core.log[7:] == []
    tracks.clear()
    assert tracks.get("TR_c") is None
    assert core.log[7:] == []


def test_where_the_server_names_no_track_the_msid_does() -> None:
    core = Core()
    ends: dict[str, Inbound] = {mid: object.__new__(Inbound) for mid in "012"}
    described = (
        section("0", msid="PA_x TR_old"),
        section("1", msid="PA_x something"),
        section("2", msid="PA_x TR_other"),
    )
    Tracks(core).update(described, {"2": "TR_new"}, ends)
    assert core.log == ["+TR_old", "+TR_new"]
