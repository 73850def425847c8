"""The server's offers: the newest is answered, with its id, when the transport can take it."""

from __future__ import annotations

import pytest

from kitwire.commands import ApplyOffer, PeerState, Topology
from kitwire.config import PeerCapabilities
from kitwire.errors import LocalProtocolError
from kitwire.negotiation import (
    Negotiated,
    Negotiation,
    NegotiationFailed,
    NegotiationFailure,
    Phase,
    SendAnswer,
)
from tests.core.negotiating import PEERS, SUB, drain, in_phase, join, made, offer, sdp


def joined(capabilities: PeerCapabilities | None = None) -> Negotiation:
    negotiation = Negotiation(Topology.DUAL, peers=PEERS, capabilities=capabilities)
    join(negotiation, subscriber_primary=True)
    drain(negotiation)
    return negotiation


def connected() -> Negotiation:
    negotiation = in_phase(SUB, Phase.IDLE)
    negotiation.peer_state_changed(SUB, PeerState.CONNECTED, now=0.0)
    drain(negotiation)
    return negotiation


def applied(negotiation: Negotiation) -> list[int]:
    return [each.offer_id for each in drain(negotiation) if isinstance(each, ApplyOffer)]


def test_a_whole_exchange() -> None:
    negotiation = joined()
    mids = {"1": "TR_b"}
    negotiation.server_offer(sdp(), offer_id=250, mid_to_track_id=mids, now=1.0)
    assert drain(negotiation) == [
        ApplyOffer(peers=PEERS, target=SUB, offer_id=250, sdp=sdp(), mid_to_track_id=mids)
    ]
    negotiation.answer_made(SUB, 250, "the answer", now=2.0)
    assert drain(negotiation) == [
        SendAnswer(offer_id=250, sdp="the answer"),
        Negotiated(target=SUB, offer_id=250),
    ]


def test_the_same_offer_again_is_answered_again() -> None:
    negotiation = connected()
    offer(negotiation, 11)
    assert applied(negotiation) == [11]
    negotiation.answer_made(SUB, 11, "sdp", now=0.0)
    assert SendAnswer(offer_id=11, sdp="sdp") in drain(negotiation)


def test_an_offer_waits_while_the_transport_comes_up_and_the_newest_wins() -> None:
    negotiation = in_phase(SUB, Phase.IDLE)
    negotiation.peer_state_changed(SUB, PeerState.CONNECTING, now=0.0)
    for offer_id in (11, 12, 13):
        offer(negotiation, offer_id)
    assert drain(negotiation) == []
    negotiation.peer_state_changed(SUB, PeerState.CONNECTED, now=0.0)
    assert applied(negotiation) == [13]


def test_an_id_that_falls_is_as_new_as_any() -> None:
    """After a migration the server counts from another number."""
    negotiation = connected()
    offer(negotiation, 3)
    assert applied(negotiation) == [3]


def test_the_answer_to_a_replaced_offer_is_not_sent() -> None:
    negotiation = in_phase(SUB, Phase.APPLYING)
    for offer_id in (21, 22):
        offer(negotiation, offer_id)
    assert drain(negotiation) == []
    negotiation.answer_made(SUB, 20, "old", now=0.0)
    assert applied(negotiation) == [22]
    negotiation.answer_made(SUB, 22, "new", now=0.0)
    assert drain(negotiation) == [
        SendAnswer(offer_id=22, sdp="new"),
        Negotiated(target=SUB, offer_id=22),
    ]


def test_an_offer_does_not_wait_for_a_transport_that_never_got_our_answer() -> None:
    """The first answer was not sent, so that holding would wait for ever."""
    negotiation = made(Topology.DUAL)
    join(negotiation, subscriber_primary=True)
    offer(negotiation, 1)
    offer(negotiation, 2)
    drain(negotiation)
    negotiation.peer_state_changed(SUB, PeerState.CONNECTING, now=0.0)
    negotiation.answer_made(SUB, 1, "old", now=0.0)
    assert applied(negotiation) == [2]


def test_an_offer_that_restarts_ice_is_followed_where_that_can_be_done() -> None:
    negotiation = connected()
    offer(negotiation, 11, "two")
    assert applied(negotiation) == [11]


def test_an_offer_that_restarts_ice_ends_an_owner_that_cannot() -> None:
    negotiation = joined()
    offer(negotiation, 1, "one")
    negotiation.answer_made(SUB, 1, "sdp", now=0.0)
    drain(negotiation)
    offer(negotiation, 2, "two")
    assert drain(negotiation) == [
        NegotiationFailed(
            target=SUB,
            failure=NegotiationFailure.ICE_RESTART_UNSUPPORTED,
            detail="the offer has other ICE credentials",
        )
    ]
    assert negotiation.phase(SUB) is Phase.FAILED


def test_the_publisher_lives_on() -> None:
    negotiation = in_phase(SUB, Phase.FAILED)
    assert negotiation.negotiate(now=0.0) == 1
    assert [type(output).__name__ for output in drain(negotiation)] == ["MakeOffer"]


@pytest.mark.parametrize("phase", [Phase.APPLYING, Phase.SUPERSEDED])
def test_an_owner_that_stalls_is_given_up(phase: Phase) -> None:
    negotiation = in_phase(SUB, phase)
    assert negotiation.deadline == 15.0
    negotiation.handle_timeout(now=15.0)
    assert drain(negotiation) == [
        NegotiationFailed(
            target=SUB,
            failure=NegotiationFailure.PEER_STALLED,
            detail="the subscriber took more than 15 s to apply the server's description",
        )
    ]
    negotiation.answer_made(SUB, 20, "too late", now=16.0)
    assert drain(negotiation) == []


def test_results_that_were_not_asked_for_are_refused_by_name() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        in_phase(SUB, Phase.IDLE).answer_made(SUB, 10, "sdp", now=0.0)
    assert caught.value.phase == "IDLE"
    assert caught.value.allowed == ("APPLYING", "SUPERSEDED")
    with pytest.raises(LocalProtocolError, match="offer 20 is under way, not 30"):
        in_phase(SUB, Phase.SUPERSEDED).answer_made(SUB, 30, "sdp", now=0.0)
