"""Random lives of a negotiation, against models of the server and of the owner.

The owner carries out what it is asked one at a time per target, and reports later. The server
answers in order, counts its sections, and makes offers when it likes. Whatever the order of all
that, nothing is lost and no rule is broken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

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
)
from kitwire.config import PeerCapabilities
from kitwire.messages import SignalTarget
from kitwire.negotiation import (
    Negotiated,
    Negotiation,
    NegotiationFailed,
    NegotiationOutput,
    PeersConnected,
    Phase,
    Sections,
    SendAnswer,
    SendOffer,
)
from tests.core.negotiating import PUB, SUB, candidate, sdp

RISING = (PeerState.NEW, PeerState.CONNECTING)
SIGNAL = {PUB: SignalTarget.PUBLISHER, SUB: SignalTarget.SUBSCRIBER}


class Life(RuleBasedStateMachine):
    """One life, with one topology."""

    topology = Topology.SINGLE

    @initialize(
        subscriber_primary=st.booleans(),
        fast_publish=st.booleans(),
        prepared=st.booleans(),
        first=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    )
    def begin(
        self,
        subscriber_primary: bool,
        fast_publish: bool,
        prepared: bool,
        first: tuple[int, int],
    ) -> None:
        self.now = 0.0
        single = self.topology is Topology.SINGLE
        self.first = Sections(*first) if single else Sections(0, 0)
        self.negotiation = Negotiation(
            self.topology,
            peers=PeersId(3),
            capabilities=PeerCapabilities(ice_restart=True, hold_while_connecting=True),
            sections=Sections(*first),
        )
        # The owner.
        self.tasks: dict[PeerTarget, deque[Callable[[], None]]] = {PUB: deque(), SUB: deque()}
        self.states = {PUB: PeerState.NEW, SUB: PeerState.NEW}
        self.exchanged = {PUB: False, SUB: False}
        self.described: dict[PeerTarget, str] = {}
        self.sections = Sections(0, 0)
        self.ended: set[PeerTarget] = set()
        self.closed = False
        # The server.
        self.to_client: deque[Callable[[], None]] = deque()
        self.inbox: deque[tuple[int, Sections]] = deque()
        self.needed = Sections(0, 0)
        self.requested = Sections(0, 0)
        self.matched = Sections(0, 0)
        self.fragment = 0
        self.server_offer_id = 40
        self.offer_received = 0
        # What was seen.
        self.making: int | None = None
        self.offers_sent: list[int] = []
        self.offers_answered = 0
        self.last_made = 0
        self.asked = 0
        self.negotiated = 0
        self.last_sections = Sections(0, 0)
        self.told = 0

        if prepared and single:
            self.negotiation.prepare(ice_servers=[], now=self.now)
            self.drain()
            if self.tasks[PUB]:
                self.tasks[PUB].popleft()()
        self.negotiation.joined(
            ice_servers=[],
            subscriber_primary=subscriber_primary,
            fast_publish=fast_publish,
            now=self.now,
        )
        self.drain()

    # --- The outputs, and what they must be ---

    def drain(self) -> None:
        while (output := self.negotiation.poll()) is not None:
            assert not self.closed, f"{output} after the close"
            target = getattr(output, "target", None)
            if not isinstance(output, ClosePeers):
                assert target not in self.ended, f"{output} for a target that is over"
            self.see(output)

    def see(self, output: NegotiationOutput) -> None:
        match output:
            case OpenPeers() | PeersConnected():
                self.told += isinstance(output, PeersConnected)
                assert self.told <= 1
            case MakeOffer():
                assert self.making is None, "two offers are being made"
                assert self.offers_answered == len(self.offers_sent), "two offers are outstanding"
                assert output.offer_id == self.last_made + 1
                self.making = self.last_made = output.offer_id
                self.last_sections = Sections(output.audio_sections, output.video_sections)
                self.tasks[PUB].append(lambda: self.make(output))
            case ApplyAnswer():
                self.may_describe(output.target)
                assert output.offer_id == self.offers_sent[-1]
                self.tasks[PUB].append(lambda: self.apply(output))
            case ApplyOffer():
                self.may_describe(output.target)
                self.tasks[SUB].append(lambda: self.answer(output))
            case AddCandidate(target=target, username_fragment=fragment):
                assert self.described.get(target) == fragment
            case SendOffer(offer_id=offer_id):
                self.offers_sent.append(offer_id)
                self.inbox.append((offer_id, self.last_sections))
            case SendAnswer(offer_id=offer_id):
                assert offer_id == self.offer_received, "an old offer was answered"
            case Negotiated(target=target, offer_id=offer_id):
                if target is PUB:
                    self.negotiated = offer_id
                else:
                    assert offer_id == self.offer_received
            case NegotiationFailed(target=target):
                self.ended.add(target)
                self.tasks[target].clear()
            case ClosePeers():
                self.closed = True
            case other:
                raise AssertionError(other)

    def may_describe(self, target: PeerTarget) -> None:
        rising = self.exchanged[target] and self.states[target] in RISING
        assert not rising, "a description while the transport comes up"

    # --- The owner ---

    def make(self, command: MakeOffer) -> None:
        self.making = None
        self.sections = self.sections.plus(Sections(command.audio_sections, command.video_sections))
        self.negotiation.offer_made(PUB, command.offer_id, "sdp", now=self.now)
        self.drain()

    def apply(self, command: ApplyAnswer) -> None:
        self.described[PUB] = fragment_of(command.sdp)
        self.exchanged[PUB] = True
        self.negotiation.answer_applied(PUB, command.offer_id, now=self.now)
        self.drain()

    def answer(self, command: ApplyOffer) -> None:
        self.described[SUB] = fragment_of(command.sdp)
        if command.offer_id == self.offer_received:
            self.exchanged[SUB] = True
        self.negotiation.answer_made(SUB, command.offer_id, "sdp", now=self.now)
        self.drain()

    @rule(which=st.sampled_from([PUB, SUB]))
    def owner_works(self, which: PeerTarget) -> None:
        if self.tasks[which]:
            self.tasks[which].popleft()()

    @rule(
        which=st.sampled_from([PUB, SUB]),
        state=st.sampled_from([PeerState.CONNECTING, PeerState.CONNECTED, PeerState.FAILED]),
    )
    def transport_changes(self, which: PeerTarget, state: PeerState) -> None:
        if which in self.negotiation.targets and self.exchanged[which]:
            self.states[which] = state
            self.negotiation.peer_state_changed(which, state, now=self.now)
            self.drain()

    @precondition(lambda self: not self.ended and self.now > 60)
    @rule(which=st.sampled_from([PUB, SUB]))
    def owner_fails(self, which: PeerTarget) -> None:
        if which in self.negotiation.targets:
            self.negotiation.peer_failed(which, "broken", now=self.now)
            self.drain()

    # --- The application ---

    @rule(ice_restart=st.booleans())
    def negotiate(self, ice_restart: bool) -> None:
        ask = self.negotiation.restart_ice if ice_restart else self.negotiation.negotiate
        offer_id = ask(now=self.now)
        if not self.closed and PUB not in self.ended:
            assert offer_id == self.last_made + 1
            self.asked = max(self.asked, offer_id)
        self.drain()

    # --- The server ---

    @rule(audios=st.integers(0, 3), videos=st.integers(0, 2))
    def tracks_come(self, audios: int, videos: int) -> None:
        self.needed = self.needed.plus(Sections(audios, videos))
        self.require(forced=audios + videos == 0)

    def require(self, *, forced: bool = False) -> None:
        delta = self.needed.beyond(self.matched).beyond(self.requested)
        if any(delta) or forced:
            self.requested = self.requested.plus(delta)
            self.to_client.append(
                lambda: self.negotiation.media_sections_required(*delta, now=self.now)
            )

    @rule(renewed=st.booleans())
    def server_answers(self, renewed: bool) -> None:
        if not self.inbox:
            return
        offer_id, sections = self.inbox.popleft()
        self.matched = self.matched.plus(sections)
        self.requested = Sections(0, 0)
        self.fragment += renewed
        description = sdp(f"p{self.fragment}")
        self.to_client.append(lambda: self.take_answer(description, offer_id))
        if self.topology is Topology.SINGLE:
            self.require()

    def take_answer(self, description: str, offer_id: int) -> None:
        if offer_id == self.offers_sent[-1]:
            self.offers_answered = len(self.offers_sent)
        self.negotiation.server_answer(
            description, offer_id=offer_id, mid_to_track_id={}, now=self.now
        )

    @rule(offer_id=st.integers(0, 40))
    def server_repeats_itself(self, offer_id: int) -> None:
        """An answer to an offer that was answered before."""
        if offer_id < self.negotiated and offer_id > 0:
            self.to_client.append(lambda: self.take_answer(sdp("stale"), offer_id))

    @precondition(lambda self: self.topology is Topology.DUAL)
    @rule(renewed=st.booleans(), several=st.integers(1, 3))
    def server_offers(self, renewed: bool, several: int) -> None:
        for _ in range(several):
            self.fragment += renewed
            self.server_offer_id += 1
            description, offer_id = sdp(f"s{self.fragment}"), self.server_offer_id
            self.to_client.append(partial(self.take_offer, description, offer_id))

    def take_offer(self, description: str, offer_id: int) -> None:
        self.offer_received = offer_id
        self.negotiation.server_offer(
            description, offer_id=offer_id, mid_to_track_id={}, now=self.now
        )

    @rule(which=st.sampled_from([PUB, SUB]), age=st.integers(0, 2))
    def server_trickles(self, which: PeerTarget, age: int) -> None:
        if which in self.negotiation.targets:
            letter = "p" if which is PUB else "s"
            text = candidate(f"{letter}{max(0, self.fragment - age)}")
            self.to_client.append(
                lambda: self.negotiation.server_candidate(text, target=SIGNAL[which], now=self.now)
            )

    @rule()
    def message_arrives(self) -> None:
        if self.to_client:
            self.to_client.popleft()()
            self.drain()

    # --- Time, and the end ---

    @rule(seconds=st.sampled_from([0.0, 1.0, 7.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.negotiation.handle_timeout(now=self.now)
        self.drain()

    @precondition(lambda self: self.now > 40)
    @rule()
    def close(self) -> None:
        self.negotiation.close(now=self.now)
        self.drain()
        for tasks in self.tasks.values():
            tasks.clear()

    # --- What always holds ---

    @invariant()
    def whatever_waits_has_a_deadline_that_is_not_past(self) -> None:
        waiting = any(self.tasks.values()) or any(
            self.exchanged[target] and self.states[target] in RISING
            for target in self.negotiation.targets
            if target not in self.ended
        )
        waiting |= (
            PUB not in self.ended
            and bool(self.offers_sent)
            and (self.offers_answered < len(self.offers_sent))
        )
        deadline = self.negotiation.deadline
        if waiting and not self.closed:
            assert deadline is not None
        if deadline is not None:
            assert self.now < deadline <= self.now + 15.0

    @invariant()
    def phases_are_those_of_the_models(self) -> None:
        if self.closed:
            assert self.negotiation.phase(PUB) is Phase.CLOSED
        elif PUB not in self.ended:
            making = self.negotiation.phase(PUB) is Phase.MAKING
            assert making is (self.making is not None)

    def teardown(self) -> None:
        """Left alone with a working network, everything comes to rest, and nothing was lost."""
        if not hasattr(self, "negotiation") or self.closed or self.ended:
            return
        for _ in range(200):
            before = (self.last_made, self.negotiated, self.offer_received)
            for _ in range(20):
                self.message_arrives()
                for target in self.negotiation.targets:
                    self.owner_works(target)
                    if self.exchanged[target] and self.states[target] in RISING:
                        self.transport_changes(target, PeerState.CONNECTED)
            self.server_answers(renewed=False)
            still = before == (self.last_made, self.negotiated, self.offer_received)
            if still and not (self.inbox or self.to_client or any(self.tasks.values())):
                break
        assert not self.ended
        for target in self.negotiation.targets:
            assert self.negotiation.phase(target) is Phase.IDLE
        assert self.asked <= self.negotiated == self.last_made
        assert self.negotiation.deadline is None
        if self.topology is Topology.SINGLE:
            assert self.sections.audios == max(self.first.audios, self.needed.audios)
            assert self.sections.videos == max(self.first.videos, self.needed.videos)


def fragment_of(description: str) -> str:
    return description.partition("a=ice-ufrag:")[2].partition("\r\n")[0]


class DualLife(Life):
    """The same with two peer connections."""

    topology = Topology.DUAL


SETTINGS = settings(max_examples=40, stateful_step_count=40, deadline=None)

TestSingle = Life.TestCase
TestDual = DualLife.TestCase
TestSingle.settings = SETTINGS
TestDual.settings = SETTINGS
