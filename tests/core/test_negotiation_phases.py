"""Every phase of both targets × every input: what comes out, and where it leads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kitwire.commands import PeerState, PeerTarget
from kitwire.errors import LocalProtocolError
from kitwire.messages import SignalTarget
from kitwire.negotiation import Negotiation, Phase
from kitwire.negotiation.phases import ANSWERING, OFFERING, OVER, Trigger
from tests.core.negotiating import (
    PUB,
    PUBLISHER,
    STUN,
    SUB,
    SUBSCRIBER,
    answer,
    candidate,
    drain,
    in_phase,
    join,
    offer,
    trickle,
)

Input = Callable[[Negotiation], object]

PUBLISHER_INPUTS: dict[str, Input] = {
    "joined": join,
    "prepare": lambda n: n.prepare(ice_servers=[STUN], now=1.0),
    "negotiate": lambda n: n.negotiate(now=1.0),
    "restart_ice": lambda n: n.restart_ice(now=1.0),
    "sections 9": lambda n: n.media_sections_required(9, 9, now=1.0),
    "sections 0": lambda n: n.media_sections_required(0, 0, now=1.0),
    "sections many": lambda n: n.media_sections_required(4000, 97, now=1.0),
    "offer_made": lambda n: n.offer_made(PUB, 2, "sdp", now=1.0),
    "offer_made other": lambda n: n.offer_made(PUB, 1, "sdp", now=1.0),
    "answer_applied": lambda n: n.answer_applied(PUB, 2, now=1.0),
    "answer_applied other": lambda n: n.answer_applied(PUB, 3, now=1.0),
    "answer": lambda n: answer(n, 2),
    "answer 0": lambda n: answer(n, 0),
    "answer stale": lambda n: answer(n, 1),
    "answer unknown": lambda n: answer(n, 3),
    "offer": lambda n: offer(n, 5),
    "candidate": lambda n: trickle(n, candidate("one"), SignalTarget.PUBLISHER),
    "candidate for the other": lambda n: trickle(n, candidate("one"), SignalTarget.SUBSCRIBER),
    "candidate of old": lambda n: trickle(n, candidate("zero"), SignalTarget.PUBLISHER),
    "no candidate": lambda n: trickle(n, "{}", SignalTarget.PUBLISHER),
    "local_candidate": lambda n: n.local_candidate(PUB, "{}", now=1.0),
    "connecting": lambda n: n.peer_state_changed(PUB, PeerState.CONNECTING, now=1.0),
    "connected": lambda n: n.peer_state_changed(PUB, PeerState.CONNECTED, now=1.0),
    "state failed": lambda n: n.peer_state_changed(PUB, PeerState.FAILED, now=1.0),
    "peer_failed": lambda n: n.peer_failed(PUB, "broken", now=1.0),
    "timeout": lambda n: n.handle_timeout(now=20.0),
    "early timeout": lambda n: n.handle_timeout(now=14.9),
    "close": lambda n: n.close(now=1.0),
}

RAISES = "LocalProtocolError"

# By input and phase, the outputs, and the next phase where it is another. An input that is absent
# does nothing anywhere; `*` stands for every phase that is not named.
PUBLISHER_TABLE: dict[str, dict[str, str]] = {
    "joined": {
        "UNOPENED": "OpenPeers MakeOffer -> MAKING",
        "*": RAISES,
    },
    "prepare": {"UNOPENED": "OpenPeers MakeOffer -> MAKING", "*": RAISES},
    "negotiate": {"IDLE": "MakeOffer -> MAKING"},
    "restart_ice": {"IDLE": "MakeOffer -> MAKING"},
    "sections 9": {"IDLE": "MakeOffer -> MAKING"},
    "sections 0": {"IDLE": "MakeOffer -> MAKING"},
    "sections many": {"CLOSED": "", "*": "ProtocolViolated"},
    "offer_made": {"MAKING": "SendOffer -> AWAITING", "FAILED": "", "CLOSED": "", "*": RAISES},
    "offer_made other": {"FAILED": "", "CLOSED": "", "*": RAISES},
    "answer_applied": {
        "APPLYING": "Negotiated -> IDLE",
        "FAILED": "",
        "CLOSED": "",
        "*": RAISES,
    },
    "answer_applied other": {"FAILED": "", "CLOSED": "", "*": RAISES},
    "answer": {
        "UNOPENED": "ProtocolViolated",
        "IDLE": "ProtocolViolated",
        "MAKING": "ProtocolViolated",
        "AWAITING": "-> HOLDING",
    },
    "answer 0": {"AWAITING": "-> HOLDING"},
    "answer stale": {"UNOPENED": "ProtocolViolated"},
    "answer unknown": {"FAILED": "", "CLOSED": "", "*": "ProtocolViolated"},
    "offer": {"CLOSED": "", "*": "ProtocolViolated"},
    "candidate": {"UNOPENED": "", "FAILED": "", "CLOSED": "", "*": "AddCandidate"},
    "candidate for the other": {"UNOPENED": "", "FAILED": "", "CLOSED": "", "*": "AddCandidate"},
    "no candidate": {"CLOSED": "", "*": "ProtocolViolated"},
    "local_candidate": {"UNOPENED": "", "FAILED": "", "CLOSED": "", "*": "SendTrickle"},
    "connected": {
        "UNOPENED": "",
        "FAILED": "",
        "CLOSED": "",
        "HOLDING": "ApplyAnswer PeersConnected -> APPLYING",
        "APPLYING": "",
        "*": "PeersConnected",
    },
    "state failed": {"HOLDING": "ApplyAnswer -> APPLYING"},
    "peer_failed": {"FAILED": "", "CLOSED": "", "*": "NegotiationFailed -> FAILED"},
    "timeout": {
        "UNOPENED": "",
        "FAILED": "",
        "CLOSED": "",
        "*": "NegotiationFailed -> FAILED",
    },
    "close": {"UNOPENED": "-> CLOSED", "CLOSED": "", "*": "ClosePeers -> CLOSED"},
}

SUBSCRIBER_INPUTS: dict[str, Input] = {
    "offer": lambda n: offer(n, 40),
    "offer again": lambda n: offer(n, 20),
    "answer_made": lambda n: n.answer_made(SUB, 20, "sdp", now=1.0),
    "answer_made other": lambda n: n.answer_made(SUB, 30, "sdp", now=1.0),
    "candidate": lambda n: trickle(n, candidate("one"), SignalTarget.SUBSCRIBER),
    "local_candidate": lambda n: n.local_candidate(SUB, "{}", now=1.0),
    "connecting": lambda n: n.peer_state_changed(SUB, PeerState.CONNECTING, now=1.0),
    "connected": lambda n: n.peer_state_changed(SUB, PeerState.CONNECTED, now=1.0),
    "state failed": lambda n: n.peer_state_changed(SUB, PeerState.FAILED, now=1.0),
    "peer_failed": lambda n: n.peer_failed(SUB, "broken", now=1.0),
    "timeout": lambda n: n.handle_timeout(now=20.0),
    "close": lambda n: n.close(now=1.0),
    "offer_made": lambda n: n.offer_made(SUB, 1, "sdp", now=1.0),
    "answer_applied": lambda n: n.answer_applied(SUB, 1, now=1.0),
    "sections": lambda n: n.media_sections_required(1, 1, now=1.0),
}

SUBSCRIBER_TABLE: dict[str, dict[str, str]] = {
    "offer": {
        "IDLE": "-> HOLDING",
        "APPLYING": "-> SUPERSEDED",
    },
    "offer again": {"IDLE": "-> HOLDING", "APPLYING": "-> SUPERSEDED"},
    "answer_made": {
        "APPLYING": "SendAnswer Negotiated -> IDLE",
        "SUPERSEDED": "ApplyOffer -> APPLYING",
        "FAILED": "",
        "CLOSED": "",
        "*": RAISES,
    },
    "answer_made other": {"FAILED": "", "CLOSED": "", "*": RAISES},
    "candidate": {"UNOPENED": "", "FAILED": "", "CLOSED": "", "*": "AddCandidate"},
    "local_candidate": {"UNOPENED": "", "FAILED": "", "CLOSED": "", "*": "SendTrickle"},
    "connected": {
        "IDLE": "PeersConnected",
        "HOLDING": "ApplyOffer PeersConnected -> APPLYING",
    },
    "state failed": {"HOLDING": "ApplyOffer -> APPLYING"},
    "peer_failed": {"FAILED": "", "CLOSED": "", "*": "NegotiationFailed -> FAILED"},
    "timeout": {
        "UNOPENED": "",
        "FAILED": "",
        "CLOSED": "",
        "*": "NegotiationFailed -> FAILED",
    },
    "close": {"UNOPENED": "-> CLOSED", "CLOSED": "", "*": "ClosePeers -> CLOSED"},
    "offer_made": {"*": RAISES},
    "answer_applied": {"*": RAISES},
}


def cell(table: dict[str, dict[str, str]], name: str, phase: Phase) -> str:
    row = table.get(name, {})
    return row.get(phase, row.get("*", ""))


def check(target: PeerTarget, phase: Phase, do: Input, expected: str) -> None:
    negotiation = in_phase(target, phase)
    raised = False
    try:
        do(negotiation)
    except LocalProtocolError:
        raised = True
    outputs = " ".join(type(output).__name__ for output in drain(negotiation))
    after = negotiation.phase(target)
    seen = RAISES if raised else f"{outputs} -> {after}" if after is not phase else outputs
    assert seen.strip() == expected
    if raised:
        assert (outputs, after) == ("", phase)


@pytest.mark.parametrize("phase", PUBLISHER)
@pytest.mark.parametrize("name", PUBLISHER_INPUTS)
def test_the_publisher(phase: Phase, name: str) -> None:
    check(PUB, phase, PUBLISHER_INPUTS[name], cell(PUBLISHER_TABLE, name, phase))


@pytest.mark.parametrize("phase", SUBSCRIBER)
@pytest.mark.parametrize("name", SUBSCRIBER_INPUTS)
def test_the_subscriber(phase: Phase, name: str) -> None:
    check(SUB, phase, SUBSCRIBER_INPUTS[name], cell(SUBSCRIBER_TABLE, name, phase))


def test_each_target_is_tested_in_every_phase_that_its_table_knows() -> None:
    for table, ways in ((OFFERING, PUBLISHER), (ANSWERING, SUBSCRIBER)):
        assert set(ways) == {phase for phase, _ in table} | set(table.values())
    assert set(PUBLISHER) | set(SUBSCRIBER) == set(Phase)
    assert set(PUBLISHER_TABLE) <= set(PUBLISHER_INPUTS)
    assert set(SUBSCRIBER_TABLE) <= set(SUBSCRIBER_INPUTS)


def test_every_phase_ends() -> None:
    for table in (OFFERING, ANSWERING):
        for phase in {phase for phase, _ in table} - set(OVER):
            assert table[phase, Trigger.FAIL] is Phase.FAILED
            assert table[phase, Trigger.CLOSE] is Phase.CLOSED
        assert table[Phase.FAILED, Trigger.CLOSE] is Phase.CLOSED
        assert not [pair for pair in table if pair[0] is Phase.CLOSED]


@pytest.mark.parametrize("phase", [*PUBLISHER])
def test_a_publisher_that_is_not_over_has_a_deadline(phase: Phase) -> None:
    negotiation = in_phase(PUB, phase)
    expected = None if phase in (Phase.UNOPENED, *OVER) else 15.0
    assert negotiation.deadline == expected
    negotiation.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)
    # An idle one that is connected waits for nothing; a held answer is being applied now.
    busy = phase in (Phase.MAKING, Phase.AWAITING, Phase.HOLDING, Phase.APPLYING)
    assert negotiation.deadline == (15.0 if busy else None)
