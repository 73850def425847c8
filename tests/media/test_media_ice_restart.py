"""ICE restarts between two of our peers on loopback: ours, theirs, with paths that live or die."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import aioice.ice
import aioice.stun
import pytest

from kitwire import PathVersion
from kitwire.commands import PeerState
from kitwire.config import PeerCapabilities
from kitwire_aiortc.inbound import Frame
from kitwire_aiortc.peer import Peer, PeerClosed, PeerRefused
from kitwire_aiortc.sources import Tone
from tests.interop.livekit_server import LiveKitServer
from tests.media import test_media_negotiated as negotiated
from tests.media.loopback import CHANNELS, LOOPBACK, PATHS, Recorder, connect, run, sockets, until
from tests.media.paths import deafen, ice_path

pytestmark = pytest.mark.slow


class Gaps:
    """A reader that knows the longest time between two frames, in seconds."""

    def __init__(self) -> None:
        self.frames = 0
        self.largest = 0.0
        self._last: float | None = None

    def feed(self, frame: Frame) -> None:
        now = time.monotonic()
        if self._last is not None:
            self.largest = max(self.largest, now - self._last)
        self._last = now
        self.frames += 1

    async def more(self, frames: int = 10) -> None:
        wanted = self.frames + frames
        await until(lambda: self.frames >= wanted)


@dataclass
class Call:
    """One peer sends audio to the other; both have it connected."""

    one: Peer
    other: Peer
    heard: Recorder
    gaps: Gaps = field(default_factory=Gaps)
    dtls: list[str] = field(default_factory=list)

    async def close(self) -> None:
        await self.one.close()
        await self.other.close()


async def call() -> Call:
    heard, heard_other = Recorder(), Recorder()
    one = Peer(heard, gathering=LOOPBACK, data_channels=CHANNELS)
    other = Peer(heard_other, gathering=LOOPBACK)
    one.publish("audio", cid="a", stream="s", source=Tone())
    await connect(one, other)
    made = Call(one, other, heard)
    heard_other.inbound[0].attach(made.gaps)
    await until(lambda: one.state is other.state is PeerState.CONNECTED)
    await made.gaps.more(3)
    transport = one.connection.getTransceivers()[0].receiver.transport
    transport.on("statechange", lambda: made.dtls.append(transport.state))
    return made


async def restart(offerer: Peer, answerer: Peer) -> None:
    """One exchange, and until both use what came of it."""
    before = ice_path(offerer).in_use, ice_path(answerer).in_use
    await offerer.apply_answer(
        await answerer.apply_offer(await offerer.make_offer(ice_restart=True))
    )
    await until(lambda: ice_path(offerer).in_use is not before[0])
    await until(lambda: ice_path(answerer).in_use is not before[1])


def credentials(sdp: str) -> set[str]:
    return {line for line in sdp.splitlines() if line.startswith(("a=ice-ufrag", "a=ice-pwd"))}


# --- ours, and following theirs ---


def test_a_restart_on_a_living_path_makes_no_gap_and_keeps_dtls() -> None:
    async def main() -> None:
        made = await call()
        first = credentials(made.one.connection.localDescription.sdp)
        begun = time.monotonic()
        await restart(made.one, made.other)
        took = time.monotonic() - begun
        assert not first & credentials(made.one.connection.localDescription.sdp)
        await made.gaps.more(20)
        assert made.gaps.largest < 0.3, made.gaps.largest
        assert took < 1.0, took
        assert made.dtls == []
        assert made.heard.states == [PeerState.CONNECTING, PeerState.CONNECTED]
        await made.one.channels.send("_reliable", b"x")
        await made.close()

    run(main())


def test_an_offer_without_a_restart_keeps_the_credentials() -> None:
    async def main() -> None:
        made = await call()
        first, used = (
            credentials(made.one.connection.localDescription.sdp),
            ice_path(made.one).in_use,
        )
        await connect(made.one, made.other, audio=1)
        assert credentials(made.one.connection.localDescription.sdp) == first
        assert ice_path(made.one).in_use is used
        await made.close()

    run(main())


def test_the_side_that_answered_restarts_as_well() -> None:
    """One of ours offers the restart, whichever offered first: roles are aioice's to sort out."""

    async def main() -> None:
        made = await call()
        await restart(made.other, made.one)
        await made.gaps.more()
        await restart(made.one, made.other)
        await made.gaps.more()
        assert made.dtls == []
        await made.close()

    run(main())


@pytest.mark.parametrize("dead", ["one", "both"])
def test_media_comes_back_on_a_path_that_was_dead_for_two_seconds(dead: str) -> None:
    async def main() -> None:
        made = await call()
        deafen(*([made.one, made.other] if dead == "both" else [made.other]))
        await asyncio.sleep(2.0)
        silent = made.other.silent_for
        assert silent is not None
        assert 1.5 < silent < 2.5
        frames = made.gaps.frames
        await restart(made.one, made.other)
        await until(lambda: made.gaps.frames > frames + 10)
        assert made.gaps.largest < 3.0, made.gaps.largest
        assert made.dtls == []
        assert made.heard.states == [PeerState.CONNECTING, PeerState.CONNECTED]
        await made.close()

    run(main())


def test_three_in_a_row_leave_one_connection_and_its_socket() -> None:
    async def main() -> None:
        made = await call()
        before = sockets()
        for _ in range(3):
            deafen(made.one, made.other)
            await restart(made.one, made.other)
            await made.gaps.more()
        await until(lambda: sockets() == before)
        await made.gaps.more()
        assert made.dtls == []
        await made.close()

    run(main())


def test_what_is_sent_while_the_path_is_dead_arrives_after_the_restart() -> None:
    """SCTP sends again what was dropped."""

    async def main() -> None:
        made = await call()
        await until(lambda: len(made.heard.opened) == 3)
        deafen(made.one, made.other)
        await made.one.channels.send("_reliable", b"x")
        await restart(made.one, made.other)
        await asyncio.wait_for(made.one.channels.drain(), 5.0)
        await made.close()

    run(main())


# --- restarts that overtake each other, or lead nowhere ---


def test_a_restart_during_a_restart_wins() -> None:
    async def main() -> None:
        made = await call()
        before = sockets()
        deafen(made.one, made.other)
        first = await made.one.make_offer(ice_restart=True)
        # Offered, answered, and overtaken before a check was made.
        await made.one.apply_answer(await made.other.apply_offer(first))
        await restart(made.one, made.other)
        await made.gaps.more()
        await until(lambda: sockets() == before)
        await made.gaps.more()
        assert made.one.state is made.other.state is PeerState.CONNECTED
        await made.close()

    run(main())


def test_an_offer_that_nobody_answers_changes_nothing_and_the_next_takes_its_place() -> None:
    async def main() -> None:
        made = await call()
        before, used = sockets(), ice_path(made.one).in_use
        lost = await made.one.make_offer(ice_restart=True)
        await made.gaps.more()
        assert ice_path(made.one).in_use is used
        later = await made.one.make_offer(audio_sections=1)
        assert credentials(later) == credentials(lost)
        await restart(made.one, made.other)
        await until(lambda: sockets() == before)
        await made.gaps.more()
        assert made.gaps.largest < 0.3, made.gaps.largest
        await made.close()

    run(main())


def without_candidates(sdp: str) -> str:
    """A description that says that there are no candidates."""
    return "".join(f"{line}\r\n" for line in sdp.splitlines() if not line.startswith("a=candidate"))


def test_a_restart_with_no_way_through_is_reported_and_the_next_helps() -> None:
    async def main() -> None:
        made = await call()
        offer = await made.one.make_offer(ice_restart=True)
        answer = await made.other.apply_offer(without_candidates(offer))
        await made.one.apply_answer(without_candidates(answer))
        await until(lambda: made.one.state is PeerState.FAILED)
        await made.gaps.more()  # The old path is as good as before.
        await restart(made.one, made.other)
        await made.gaps.more()
        await until(lambda: made.one.state is PeerState.CONNECTED)
        assert made.dtls == []
        await made.close()

    run(main())


def test_an_offer_that_cannot_be_applied_leaves_everything_as_it_was() -> None:
    async def main() -> None:
        made = await call()
        before, used = sockets(), ice_path(made.other).in_use
        offer = await made.one.make_offer(ice_restart=True)
        unknown = offer.replace("opus/48000/2", "nothing/48000/2").replace("PCM", "MCP")
        with pytest.raises(PeerRefused):
            await made.other.apply_offer(unknown.replace("G722", "x"))
        await until(lambda: ice_path(made.other).in_use is used)
        await made.gaps.more()
        await restart(made.one, made.other)
        await until(lambda: sockets() == before)
        await made.close()

    run(main())


def test_before_the_first_answer_there_is_nothing_to_restart() -> None:
    async def main() -> None:
        peer = Peer(Recorder(), gathering=LOOPBACK)
        first = await peer.make_offer(audio_sections=1)
        assert credentials(await peer.make_offer(ice_restart=True)) == credentials(first)
        await peer.close()

    run(main())


def test_a_restart_while_the_first_path_is_sought_takes_over() -> None:
    async def main() -> None:
        heard = Recorder()
        one = Peer(heard, gathering=LOOPBACK)
        other = Peer(Recorder(), gathering=LOOPBACK)

        def deaf(sdp: str) -> str:
            lines = [each for each in sdp.split("\r\n") if "candidate" not in each]
            return "\r\n".join(lines)

        offer = deaf(await one.make_offer(audio_sections=1))
        await one.apply_answer(deaf(await other.apply_offer(offer)))
        await asyncio.sleep(0.1)
        assert one.state is PeerState.CONNECTING
        await restart(one, other)
        await until(lambda: one.state is other.state is PeerState.CONNECTED)
        assert heard.states == [PeerState.CONNECTING, PeerState.CONNECTED]
        await one.close()
        await other.close()

    run(main())


# --- the end of consent ---


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent ends after the first check without a reply, half a second, instead of 30 s."""
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.1)
    monkeypatch.setattr(aioice.ice, "CONSENT_FAILURES", 1)


@pytest.mark.usefixtures("impatient")
def test_after_the_end_of_consent_a_restart_connects_again() -> None:
    async def main() -> None:
        made = await call()
        for _ in range(2):
            deafen(made.one, made.other)
            await until(lambda: made.one.state is made.other.state is PeerState.FAILED)
            await restart(made.one, made.other)
            await until(lambda: made.one.state is made.other.state is PeerState.CONNECTED)
            await made.gaps.more()
        failed, connected = PeerState.FAILED, PeerState.CONNECTED
        assert made.heard.states[1:] == [connected, failed, connected, failed, connected]
        assert made.dtls == []
        await made.close()

    run(main())


@pytest.mark.usefixtures("impatient")
def test_a_path_that_is_lost_for_good_closes_clean() -> None:
    async def main() -> None:
        made = await call()
        deafen(made.one, made.other)
        await until(lambda: made.one.state is made.other.state is PeerState.FAILED)
        await made.close()

    run(main())


# --- closing ---


def test_what_the_far_end_has_closed_is_closed_and_refuses_nothing() -> None:
    async def main() -> None:
        made = await call()
        offer = await made.one.make_offer(ice_restart=True)
        await made.one.close()
        # aiortc closes the whole connection when DTLS says goodbye.
        await until(lambda: made.other.connection.signalingState == "closed")
        with pytest.raises(PeerClosed):
            await made.other.apply_offer(offer)
        await made.other.close()

    run(main())


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.015, 0.03, 0.1])
def test_a_close_during_a_restart_leaves_nothing(moment: float) -> None:
    async def main() -> None:
        made = await call()

        async def keep_restarting() -> None:
            while True:
                await restart(made.one, made.other)

        task = asyncio.ensure_future(keep_restarting())
        await asyncio.sleep(moment)
        await made.one.close()
        await made.other.close()
        task.cancel()
        with pytest.raises((asyncio.CancelledError, PeerClosed)):
            await task

    run(main())


def test_a_close_between_offer_and_answer_leaves_nothing() -> None:
    async def main() -> None:
        made = await call()
        await made.other.apply_offer(await made.one.make_offer(ice_restart=True))
        await made.close()

    run(main())


# --- what else there is ---


def test_the_next_datagram_is_told_once() -> None:
    async def main() -> None:
        made = await call()
        told: list[int] = []
        made.other.tell_next_datagram(lambda: told.append(1))
        await made.gaps.more()
        assert told == [1]
        silent = made.other.silent_for
        assert silent is not None
        assert silent < 0.5
        quiet = Peer(Recorder(), gathering=LOOPBACK)
        assert quiet.silent_for is None
        await quiet.close()
        await made.close()

    run(main())


def test_a_far_end_that_sends_nothing_is_asked_for_the_next() -> None:
    """It reports about what it hears, once a second; that would be a second of doubt."""

    async def main() -> None:
        made = await call()
        for _ in range(5):
            told = asyncio.Event()
            made.one.tell_next_datagram(told.set)
            await asyncio.wait_for(told.wait(), 0.3)
        await made.close()

    run(main())


def test_a_question_that_is_not_answered_ends_with_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aioice.stun, "RETRY_RTO", 60.0)

    async def main() -> None:
        made = await call()
        deafen(made.one)
        told: list[int] = []
        made.one.tell_next_datagram(lambda: told.append(1))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(made.close(), 10.0)
        assert told == []

    run(main())


# --- with the real server ---


async def restart_with_the_server(one: negotiated.Wired) -> None:
    assert one.peers is not None
    publisher = one.peers.publisher
    before = ice_path(publisher).in_use
    offer_id = one.negotiation.restart_ice(now=one.now())
    one.drain()
    await until(lambda: one.negotiated >= offer_id)
    await until(lambda: ice_path(publisher).in_use is not before)


@pytest.mark.livekit
@pytest.mark.parametrize("route", PATHS)
def test_the_server_follows_a_restart(
    livekit: LiveKitServer, room_name: str, route: PathVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = PeerCapabilities(hold_while_connecting=True, ice_restart=True)
    monkeypatch.setattr(negotiated, "PeerCapabilities", lambda **_: able)

    async def main() -> None:
        async with (
            negotiated.wired(livekit, "ann", room_name, route) as ann,
            negotiated.wired(livekit, "ben", room_name, route) as ben,
        ):
            sid, _ = await ann.publish(Tone())
            peers = ben.peers
            assert ann.peers is not None
            assert peers is not None
            await until(lambda: peers.tracks.get(sid) is not None)
            section, gaps = peers.tracks.get(sid), Gaps()
            assert section is not None
            section.attach(gaps)
            await gaps.more()
            publisher = ann.peers.publisher
            for _ in range(3):
                deafen(publisher)
                await restart_with_the_server(ann)
                await gaps.more()
            assert gaps.largest < 1.5, gaps.largest
            assert publisher.state is PeerState.CONNECTED
            assert ann.failed == ben.failed == []

    run(main())
