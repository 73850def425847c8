"""The reports of whoever owns the peer connections: what each does, and what is traced of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from unittest.mock import Mock, call

import pytest

from kitwire.client import Client
from kitwire.commands import PeersId, PeerState
from kitwire.negotiation import Negotiation
from kitwire.session.peer_inputs import PeerInputs, PeerReport
from kitwire.session.session import Session
from tests.peers.media_lives import PUB, SUB

PEERS = PeersId(3)
SDP = "v=0\r\na=ice-pwd:hush\r\n"


class Recorder(PeerInputs):
    """Takes everything down."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, PeersId, float, dict[str, object]]] = []
        self.done: list[PeerReport | None] = []
        self.received: list[tuple[str, int, float]] = []

    def negotiate(self, *, now: float) -> int | None:
        return None

    def reliable_received(self, publisher_sid: str, sequence: int, *, now: float) -> None:
        self.received.append((publisher_sid, sequence, now))

    def _report(
        self,
        name: str,
        peers: PeersId,
        report: PeerReport | None,
        *,
        now: float,
        **arguments: object,
    ) -> None:
        self.reports.append((name, peers, now, arguments))
        self.done.append(report)


Call = Callable[[PeerInputs], None]

# What is reported, what the negotiation is told at another time, what is traced.
REPORTS: dict[str, tuple[Call, object, dict[str, object]]] = {
    "offer_made": (
        lambda inputs: inputs.offer_made(PEERS, PUB, 4, SDP, now=1.0),
        call.offer_made(PUB, 4, SDP, now=2.0),
        {"target": PUB, "offer_id": 4, "sdp": SDP},
    ),
    "answer_applied": (
        lambda inputs: inputs.answer_applied(PEERS, PUB, 4, now=1.0),
        call.answer_applied(PUB, 4, now=2.0),
        {"target": PUB, "offer_id": 4},
    ),
    "answer_made": (
        lambda inputs: inputs.answer_made(PEERS, SUB, 4, SDP, now=1.0),
        call.answer_made(SUB, 4, SDP, now=2.0),
        {"target": SUB, "offer_id": 4, "sdp": SDP},
    ),
    "peer_state_changed": (
        lambda inputs: inputs.peer_state_changed(PEERS, SUB, PeerState.FAILED, now=1.0),
        call.peer_state_changed(SUB, PeerState.FAILED, now=2.0),
        {"target": SUB, "state": PeerState.FAILED},
    ),
    "peer_failed": (
        lambda inputs: inputs.peer_failed(PEERS, SUB, "words", now=1.0),
        call.peer_failed(SUB, "words", now=2.0),
        {"target": SUB, "detail": "words"},
    ),
    "channel_opened": (
        lambda inputs: inputs.channel_opened(PEERS, SUB, "_lossy", 3, now=1.0),
        call.channel_opened(SUB, "_lossy", 3),
        {"target": SUB, "label": "_lossy", "channel_id": 3},
    ),
    # It says nothing to the negotiation.
    "datagram_received": (
        lambda inputs: inputs.datagram_received(PEERS, SUB, now=1.0),
        None,
        {"target": SUB},
    ),
    "local_candidate": (
        lambda inputs: inputs.local_candidate(PEERS, PUB, "{}", final=True, now=1.0),
        call.local_candidate(PUB, "{}", final=True, now=2.0),
        {"target": PUB, "candidate_init": "{}", "final": True},
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_reaches_the_negotiation_as_it_is(name: str) -> None:
    report, told, traced = REPORTS[name]
    inputs = Recorder()
    report(inputs)
    assert inputs.reports == [(name, PEERS, 1.0, traced)]
    negotiation = Mock(spec=Negotiation)
    (done,) = inputs.done
    if done is not None:
        done(negotiation, 2.0)
    assert negotiation.mock_calls == ([] if told is None else [told])


def test_a_candidate_is_not_the_last_unless_it_says_so() -> None:
    inputs = Recorder()
    inputs.local_candidate(PEERS, PUB, "{}", now=1.0)
    assert inputs.reports[0][3]["final"] is False


def test_every_report_is_in_the_table() -> None:
    public = {name for name in vars(PeerInputs) if not name.startswith("_")}
    assert public - {"negotiate", "reliable_received"} == set(REPORTS)


@pytest.mark.parametrize("kind", [Session, Client])
def test_both_levels_take_the_same_reports(kind: type[Session] | type[Client]) -> None:
    for name in REPORTS:
        assert getattr(kind, name) is getattr(PeerInputs, name)
    for method in ("negotiate", "reliable_received"):
        mine, abstract = (inspect.signature(getattr(each, method)) for each in (kind, PeerInputs))
        assert mine == abstract
