"""Random lives of a joined session with peer connections, and what always holds in them.

Reports raise nothing but LocalProtocolError, and what the server says raises nothing. Peer
connections are opened first and closed once, before Closed; nothing is asked of them afterwards and
nothing is said for them after the leave. Offers are numbered one by one, and one is made at a time.
Time that passes always leads somewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from livekit.protocol import models, rtc

from kitwire.commands import (
    ApplyAnswer,
    ApplyOffer,
    ClosePeers,
    MakeOffer,
    OpenPeers,
    PeerCommand,
    PeersId,
    PeerState,
    PeerTarget,
    SendMessage,
)
from kitwire.config import PathVersion, PeerCapabilities, Timeouts
from kitwire.errors import LocalProtocolError, Reason
from kitwire.events import Closed
from kitwire.peer_events import NegotiationFailed, PeerEvent, PeersConnected, PeerStateChanged
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from tests.peers.frames import leave
from tests.peers.lives import SessionLife
from tests.peers.media_lives import PEERS, PUB, SUB, media_join, with_peers

TARGETS = st.sampled_from([PUB, PUB, SUB])
IDS = st.sampled_from([0, 1, 1, 2, 3, 99])
WHOSE = st.sampled_from([PEERS, PEERS, PEERS, PeersId(0), PeersId(2)])
# Mostly one generation of credentials; another is an ICE restart.
SDPS = st.sampled_from(
    ["v=0\r\na=ice-ufrag:one\r\n"] * 5 + ["v=0\r\na=ice-ufrag:two\r\n", "", "\0"]
)
INITS = st.sampled_from(
    ['{"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": "0"}', "{}", "junk", "["]
)

Report = Callable[[Session, PeersId, PeerTarget, int, float], None]
REPORTS: list[Report] = [
    lambda on, peers, target, n, now: on.offer_made(peers, target, n, "ours", now=now),
    lambda on, peers, target, n, now: on.answer_applied(peers, target, n, now=now),
    lambda on, peers, target, n, now: on.answer_made(peers, target, n, "ours", now=now),
    lambda on, peers, target, n, now: on.local_candidate(peers, target, "{}", now=now),
]


class MediaLives(RuleBasedStateMachine):
    """A session whose peer connections do what they were asked, or something else."""

    def __init__(self) -> None:
        super().__init__()
        self.life = SessionLife()
        self.seen = 0
        self.asked: list[PeerCommand] = []

    @initialize(
        path=st.sampled_from([PathVersion.V0, PathVersion.V1]),
        peers=st.builds(PeerCapabilities),
        fast=st.booleans(),
        subscribes=st.booleans(),
    )
    def begin(
        self, path: PathVersion, peers: PeerCapabilities, fast: bool, subscribes: bool
    ) -> None:
        timeouts = Timeouts(negotiation=8.0, peers=6.0)
        self.life = SessionLife(with_peers(path, peers=peers, timeouts=timeouts))
        message = media_join(path)
        message.join.fast_publish = fast
        message.join.participant.permission.can_subscribe = subscribes
        self.life.reach(Phase.JOINING)
        self.life.hear(message)

    # --- the owner ---

    @rule()
    def carry_out(self) -> None:
        """Do what was asked first and is not done yet, as long as it matters."""
        fresh = self.life.outputs[self.seen :]
        self.seen += len(fresh)
        self.asked += [each for each in fresh if isinstance(each, MakeOffer | ApplyAnswer)]
        self.asked += [each for each in fresh if isinstance(each, ApplyOffer)]
        if not self.asked:
            return
        on, now = self.life.session, self.life.now
        try:
            match self.asked.pop(0):
                case MakeOffer(peers=peers, target=target, offer_id=number):
                    on.offer_made(peers, target, number, "v=0\r\n", now=now)
                case ApplyAnswer(peers=peers, target=target, offer_id=number):
                    on.answer_applied(peers, target, number, now=now)
                case ApplyOffer(peers=peers, target=target, offer_id=number):
                    on.answer_made(peers, target, number, "v=0\r\n", now=now)
        except LocalProtocolError:
            pass  # Another rule reported it already.

    @rule(which=st.integers(0, len(REPORTS) - 1), peers=WHOSE, side=TARGETS, number=IDS)
    def report(self, which: int, peers: PeersId, side: PeerTarget, number: int) -> None:
        try:
            REPORTS[which](self.life.session, peers, side, number, self.life.now)
        except LocalProtocolError:
            assert peers == PEERS

    @rule(peers=WHOSE, side=TARGETS, state=st.sampled_from(PeerState), rare=st.integers(0, 3))
    def change_state(self, peers: PeersId, side: PeerTarget, state: PeerState, rare: int) -> None:
        if rare and state in (PeerState.FAILED, PeerState.CLOSED):
            state = PeerState.CONNECTED
        try:
            self.life.session.peer_state_changed(peers, side, state, now=self.life.now)
        except LocalProtocolError:
            assert side is SUB

    @rule(peers=WHOSE, side=TARGETS, rare=st.integers(0, 9))
    def give_up(self, peers: PeersId, side: PeerTarget, rare: int) -> None:
        try:
            if rare == 0:
                self.life.session.peer_failed(peers, side, "words", now=self.life.now)
        except LocalProtocolError:
            assert side is SUB

    # --- the application ---

    @rule()
    def negotiate(self) -> None:
        try:
            assert self.life.session.negotiate(now=self.life.now)
        except LocalProtocolError:
            assert self.life.session.phase is not Phase.JOINED

    @rule(rare=st.integers(0, 9))
    def close(self, rare: int) -> None:
        if rare == 0:
            self.life.close()

    # --- the server ---

    @rule(number=IDS, sdp=SDPS)
    def answer(self, number: int, sdp: str) -> None:
        said = rtc.SessionDescription(type="answer", sdp=sdp, id=number)
        self.life.hear(rtc.SignalResponse(answer=said))

    @rule(sdp=SDPS)
    def answer_the_newest(self, sdp: str) -> None:
        offers = [each.offer.id for each in self.life.requests if each.HasField("offer")]
        self.answer(max(offers, default=0), sdp)

    @rule(number=IDS, sdp=SDPS)
    def offer(self, number: int, sdp: str) -> None:
        said = rtc.SessionDescription(
            type="offer", sdp=sdp, id=number, mid_to_track_id={"0": "TR_0"}
        )
        self.life.hear(rtc.SignalResponse(offer=said))

    @rule(init=INITS, side=st.sampled_from([0, 1, 7]), final=st.booleans())
    def trickle(self, init: str, side: int, final: bool) -> None:
        said = rtc.TrickleRequest(candidateInit=init, final=final)
        said.target = side  # type: ignore[assignment]  # a number that nobody knows, too
        self.life.hear(rtc.SignalResponse(trickle=said))

    @rule(audios=st.sampled_from([0, 1, 3, 2**32 - 1]), videos=st.integers(0, 2))
    def require(self, audios: int, videos: int) -> None:
        said = rtc.MediaSectionsRequirement(num_audios=audios, num_videos=videos)
        self.life.hear(rtc.SignalResponse(media_sections_requirement=said))

    @rule(
        rare=st.integers(0, 9),
        reason=st.sampled_from([models.PARTICIPANT_REMOVED, models.CLIENT_INITIATED]),
    )
    def end(self, rare: int, reason: models.DisconnectReason) -> None:
        if rare == 0:
            self.life.cut()
        elif rare == 1:
            self.life.hear(leave(reason))

    # --- time ---

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.life.hear(rtc.SignalResponse(pong_resp=rtc.Pong()))
        self.life.wait(seconds)

    @rule(seconds=st.floats(0, 10))
    def oversleep(self, seconds: float) -> None:
        self.life.oversleep(seconds)
        deadline = self.life.session.deadline
        assert deadline is None or deadline > self.life.now

    # --- what always holds ---

    @invariant()
    def the_story_makes_sense(self) -> None:
        outputs = self.life.outputs
        asked = [each for each in outputs if isinstance(each, PeerCommand)]
        if not asked:
            return
        assert isinstance(asked[0], OpenPeers)
        kinds = [type(each) for each in asked]
        over = self.life.session.phase is not Phase.JOINED
        assert (kinds.count(OpenPeers), kinds.count(ClosePeers)) == (1, over)
        assert not over or kinds[-1] is ClosePeers
        numbers = [each.offer_id for each in asked if isinstance(each, MakeOffer)]
        assert numbers == list(range(1, len(numbers) + 1))
        offered = [each.offer.id for each in self.life.requests if each.HasField("offer")]
        assert offered == numbers[: len(offered)]
        assert len(numbers) - len(offered) <= 1
        applied = [each.offer_id for each in asked if isinstance(each, ApplyAnswer)]
        assert applied == sorted(set(applied))
        assert set(applied) <= set(offered)
        told = [type(each) for each in outputs]
        assert told.count(PeersConnected) <= 1
        assert told.count(NegotiationFailed) <= 1
        if over:
            rest = outputs[outputs.index(asked[-1]) + 1 :]
            assert not any(isinstance(each, PeerEvent) for each in rest)
            assert not any(isinstance(each, SendMessage) for each in rest)

    @invariant()
    def states_change(self) -> None:
        for target in PeerTarget:
            told = [
                each.state
                for each in self.life.events
                if isinstance(each, PeerStateChanged) and each.target is target
            ]
            assert all(before is not after for before, after in pairwise(told))

    def teardown(self) -> None:
        """A session whose owner has fallen silent ends by itself, or stands with its media up."""
        for _ in range(40):
            if self.life.session.phase is Phase.JOINED:
                self.life.hear(rtc.SignalResponse(pong_resp=rtc.Pong()))
            self.life.wait(0.5)
        self.life.close()
        self.life.wait(2.0)
        self.the_story_makes_sense()
        assert isinstance(self.life.outputs[-1], Closed)
        if any(isinstance(each, NegotiationFailed) for each in self.life.events):
            # A removal that comes while the session leaves is the better reason.
            reasons = (Reason.MEDIA_FAILURE, Reason.PARTICIPANT_REMOVED)
            assert self.life.reason.reason in reasons


TestMediaLives = MediaLives.TestCase
TestMediaLives.settings = settings(max_examples=40, stateful_step_count=40)


def test_the_machine_gets_somewhere() -> None:
    """By its own rules, in the right order, media connects."""
    machine = MediaLives()
    machine.begin(PathVersion.V1, PeerCapabilities(), False, True)
    machine.carry_out()
    machine.answer_the_newest("v=0\r\n")
    machine.carry_out()
    machine.change_state(PEERS, PUB, PeerState.CONNECTED, 1)
    assert PeersConnected() in machine.life.events
    assert machine.life.said[-1] == "offer"
    machine.the_story_makes_sense()
