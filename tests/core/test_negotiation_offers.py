"""Offers of ours: one at a time, with rising ids; nothing asked for is lost."""

from __future__ import annotations

import pytest

from kitwire.commands import ApplyAnswer, MakeOffer, OpenPeers, PeerState, Topology
from kitwire.config import PeerCapabilities, Timeouts
from kitwire.errors import LocalProtocolError
from kitwire.events import ProtocolViolated
from kitwire.negotiation import (
    Negotiated,
    Negotiation,
    NegotiationFailed,
    NegotiationFailure,
    Phase,
    Sections,
    SendOffer,
)
from tests.core.negotiating import (
    ABLE,
    PEERS,
    PUB,
    STUN,
    answer,
    drain,
    in_phase,
    join,
    made,
    sdp,
)


def offers_of(negotiation: Negotiation) -> list[MakeOffer]:
    return [output for output in drain(negotiation) if isinstance(output, MakeOffer)]


def exchange(negotiation: Negotiation, offer_id: int, fragment: str = "one") -> None:
    """The owner makes the offer, the server answers, the owner applies the answer."""
    negotiation.offer_made(PUB, offer_id, "sdp", now=0.0)
    answer(negotiation, offer_id, fragment)
    negotiation.answer_applied(PUB, offer_id, now=0.0)


def connected() -> Negotiation:
    negotiation = in_phase(PUB, Phase.IDLE)
    negotiation.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)
    drain(negotiation)
    return negotiation


def test_a_whole_exchange() -> None:
    negotiation = join(made())
    assert [type(output) for output in drain(negotiation)] == [OpenPeers, MakeOffer]
    negotiation.offer_made(PUB, 1, "the offer", now=1.0)
    assert drain(negotiation) == [SendOffer(offer_id=1, sdp="the offer")]
    mids = {"0": "TR_a"}
    negotiation.server_answer(sdp(), offer_id=1, mid_to_track_id=mids, now=2.0)
    assert drain(negotiation) == [
        ApplyAnswer(peers=PEERS, target=PUB, offer_id=1, sdp=sdp(), mid_to_track_id=mids)
    ]
    negotiation.answer_applied(PUB, 1, now=3.0)
    assert drain(negotiation) == [Negotiated(target=PUB, offer_id=1)]


def test_the_first_offer_has_the_sections_that_were_chosen() -> None:
    negotiation = Negotiation(Topology.SINGLE, peers=PEERS, sections=Sections(3, 2))
    (first,) = offers_of(join(negotiation))
    assert (first.offer_id, first.audio_sections, first.video_sections) == (1, 3, 2)
    assert not first.ice_restart


def test_an_unnumbered_answer_is_for_the_offer_that_is_out() -> None:
    negotiation = in_phase(PUB, Phase.AWAITING)
    negotiation.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)
    drain(negotiation)
    answer(negotiation, 0)
    (applied,) = drain(negotiation)
    assert isinstance(applied, ApplyAnswer)
    assert applied.offer_id == 2


def test_a_stale_answer_changes_nothing_and_the_wait_goes_on() -> None:
    negotiation = in_phase(PUB, Phase.AWAITING)
    deadline = negotiation.deadline
    answer(negotiation, 1)
    assert drain(negotiation) == []
    assert negotiation.phase(PUB) is Phase.AWAITING
    assert negotiation.deadline == deadline


def test_an_answer_to_what_was_never_offered_is_a_violation() -> None:
    negotiation = in_phase(PUB, Phase.AWAITING)
    answer(negotiation, 9)
    assert drain(negotiation) == [
        ProtocolViolated(detail="an answer to offer 9, which was never sent")
    ]


def test_an_offer_that_is_still_being_made_cannot_be_answered() -> None:
    negotiation = in_phase(PUB, Phase.MAKING)
    answer(negotiation, 2)
    assert isinstance(drain(negotiation)[0], ProtocolViolated)
    answer(negotiation, 0)
    assert drain(negotiation) == []


@pytest.mark.parametrize("phase", [Phase.MAKING, Phase.AWAITING, Phase.HOLDING, Phase.APPLYING])
def test_what_is_wanted_meanwhile_goes_with_one_next_offer(phase: Phase) -> None:
    negotiation = in_phase(PUB, phase)
    ids = {negotiation.negotiate(now=0.0) for _ in range(5)}
    negotiation.media_sections_required(2, 0, now=0.0)
    negotiation.media_sections_required(1, 1, now=0.0)
    assert ids == {3}
    assert drain(negotiation) == []
    negotiation.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)
    if phase is Phase.MAKING:
        negotiation.offer_made(PUB, 2, "sdp", now=0.0)
    if phase in (Phase.MAKING, Phase.AWAITING):
        answer(negotiation, 2)
    drain(negotiation)
    negotiation.answer_applied(PUB, 2, now=0.0)
    done, following = drain(negotiation)
    assert done == Negotiated(target=PUB, offer_id=2)
    assert isinstance(following, MakeOffer)
    assert following.offer_id == 3
    assert (following.audio_sections, following.video_sections) == (3, 1)
    exchange(negotiation, 3)
    assert offers_of(negotiation) == []


def test_an_offer_not_made_yet_will_do_for_a_server_that_just_wants_one() -> None:
    negotiation = in_phase(PUB, Phase.MAKING)
    negotiation.media_sections_required(0, 0, now=0.0)
    negotiation.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)
    exchange(negotiation, 2)
    assert offers_of(negotiation) == []


@pytest.mark.parametrize("phase", [Phase.AWAITING, Phase.HOLDING, Phase.APPLYING])
def test_one_that_is_out_already_will_not(phase: Phase) -> None:
    negotiation = in_phase(PUB, phase)
    negotiation.media_sections_required(0, 0, now=0.0)
    negotiation.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)
    if phase is Phase.AWAITING:
        answer(negotiation, 2)
    negotiation.answer_applied(PUB, 2, now=0.0)
    assert [each.offer_id for each in offers_of(negotiation)] == [3]


def test_sections_on_their_way_are_not_asked_for_twice() -> None:
    """The server asks before it has seen the placeholder of our first offer."""
    negotiation = join(made())
    negotiation.media_sections_required(1, 1, now=0.0)
    exchange(negotiation, 1)
    assert [each.offer_id for each in offers_of(negotiation)] == [1]
    negotiation.media_sections_required(1, 0, now=0.0)
    (more,) = offers_of(negotiation)
    assert (more.offer_id, more.audio_sections, more.video_sections) == (2, 1, 0)


# --- holding ---


def test_an_answer_waits_while_the_transport_comes_up() -> None:
    negotiation = in_phase(PUB, Phase.AWAITING)
    negotiation.peer_state_changed(PUB, PeerState.CONNECTING, now=0.0)
    answer(negotiation, 2)
    assert drain(negotiation) == []
    negotiation.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)
    assert isinstance(drain(negotiation)[0], ApplyAnswer)


def test_it_waits_also_before_the_owner_reports_that_it_connects() -> None:
    negotiation = in_phase(PUB, Phase.AWAITING)
    assert negotiation.state(PUB) is PeerState.NEW
    answer(negotiation, 2)
    assert negotiation.phase(PUB) is Phase.HOLDING


def test_the_first_answer_waits_for_nothing() -> None:
    """It is what lets the transport come up."""
    negotiation = join(made())
    negotiation.offer_made(PUB, 1, "sdp", now=0.0)
    negotiation.peer_state_changed(PUB, PeerState.CONNECTING, now=0.0)
    answer(negotiation, 1)
    assert negotiation.phase(PUB) is Phase.APPLYING


def test_an_owner_that_needs_no_holding_gets_it_at_once() -> None:
    negotiation = join(made(capabilities=PeerCapabilities()))
    exchange(negotiation, 1)
    negotiation.peer_state_changed(PUB, PeerState.CONNECTING, now=0.0)
    negotiation.negotiate(now=0.0)
    negotiation.offer_made(PUB, 2, "sdp", now=0.0)
    answer(negotiation, 2)
    assert negotiation.phase(PUB) is Phase.APPLYING


# --- ICE restart ---


def test_an_ice_restart_is_an_offer() -> None:
    negotiation = connected()
    assert negotiation.restart_ice(now=0.0) == 2
    (offer,) = offers_of(negotiation)
    assert offer.ice_restart
    exchange(negotiation, 2, "two")
    negotiation.negotiate(now=0.0)
    (following,) = offers_of(negotiation)
    assert not following.ice_restart


def test_while_an_offer_is_out_the_restart_goes_with_the_next() -> None:
    negotiation = in_phase(PUB, Phase.APPLYING)
    assert negotiation.restart_ice(now=0.0) == 3
    negotiation.negotiate(now=0.0)
    negotiation.answer_applied(PUB, 2, now=0.0)
    (offer,) = offers_of(negotiation)
    assert offer.ice_restart


def test_before_the_first_offer_there_is_nothing_to_restart() -> None:
    negotiation = made()
    negotiation.restart_ice(now=0.0)
    (offer,) = offers_of(join(negotiation))
    assert not offer.ice_restart


def test_an_owner_that_cannot_restart_ice_is_not_asked_to() -> None:
    negotiation = join(made(capabilities=PeerCapabilities()))
    with pytest.raises(LocalProtocolError, match="ice_restart is not set"):
        negotiation.restart_ice(now=0.0)


def test_an_answer_that_restarts_ice_ends_an_owner_that_cannot() -> None:
    negotiation = join(made(capabilities=PeerCapabilities()))
    exchange(negotiation, 1, "one")
    negotiation.negotiate(now=0.0)
    negotiation.offer_made(PUB, 2, "sdp", now=0.0)
    drain(negotiation)
    answer(negotiation, 2, "two")
    assert drain(negotiation) == [
        NegotiationFailed(
            target=PUB,
            failure=NegotiationFailure.ICE_RESTART_UNSUPPORTED,
            detail="the answer has other ICE credentials",
        )
    ]


# --- time ---


def test_no_answer_ends_in_a_failure_that_says_so() -> None:
    negotiation = Negotiation(
        Topology.SINGLE, peers=PEERS, capabilities=ABLE, timeouts=Timeouts(negotiation=4.0)
    )
    join(negotiation, now=100.0)
    negotiation.offer_made(PUB, 1, "sdp", now=102.0)
    drain(negotiation)
    assert negotiation.deadline == 106.0
    negotiation.handle_timeout(now=105.9)
    assert drain(negotiation) == []
    negotiation.handle_timeout(now=106.0)
    assert drain(negotiation) == [
        NegotiationFailed(
            target=PUB,
            failure=NegotiationFailure.NO_ANSWER,
            detail="the server did not answer the publisher's offer within 4 s",
        )
    ]
    assert negotiation.deadline is None


@pytest.mark.parametrize(
    ("phase", "task"),
    [(Phase.MAKING, "make an offer"), (Phase.APPLYING, "apply the server's description")],
)
def test_an_owner_that_stalls_is_given_up(phase: Phase, task: str) -> None:
    negotiation = in_phase(PUB, phase)
    negotiation.handle_timeout(now=15.0)
    (failed,) = drain(negotiation)
    assert failed == NegotiationFailed(
        target=PUB,
        failure=NegotiationFailure.PEER_STALLED,
        detail=f"the publisher took more than 15 s to {task}",
    )


def test_a_bundled_offer_is_offer_1_and_waits_from_the_join_on() -> None:
    negotiation = made()
    negotiation.prepare(ice_servers=[STUN], now=0.0)
    negotiation.offer_made(PUB, 1, "bundled", now=1.0)
    assert drain(negotiation)[-1] == SendOffer(offer_id=1, sdp="bundled")
    waits = [negotiation.deadline]
    join(negotiation, now=50.0)
    assert drain(negotiation) == []
    assert [*waits, negotiation.deadline] == [None, 65.0]
    answer(negotiation, 1)
    assert negotiation.phase(PUB) is Phase.APPLYING


def test_a_bundled_offer_that_is_late_is_sent_after_the_join() -> None:
    negotiation = made()
    negotiation.prepare(ice_servers=[STUN], now=0.0)
    assert negotiation.deadline == 15.0
    join(negotiation, now=1.0)
    drain(negotiation)
    negotiation.offer_made(PUB, 1, "late", now=2.0)
    assert drain(negotiation) == [SendOffer(offer_id=1, sdp="late")]
    assert negotiation.deadline == 17.0


def test_a_track_before_the_join_does_not_wait_for_a_second_offer() -> None:
    negotiation = made()
    assert negotiation.negotiate(now=0.0) == 1
    assert drain(negotiation) == []
    assert [each.offer_id for each in offers_of(join(negotiation))] == [1]
    negotiation.offer_made(PUB, 1, "sdp", now=0.0)
    answer(negotiation, 1)
    negotiation.answer_applied(PUB, 1, now=0.0)
    assert offers_of(negotiation) == []


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CLOSED])
def test_nothing_is_offered_when_it_is_over(phase: Phase) -> None:
    negotiation = in_phase(PUB, phase)
    assert negotiation.negotiate(now=0.0) == 1
    assert negotiation.restart_ice(now=0.0) == 1
    assert drain(negotiation) == []


def test_results_that_were_not_asked_for_are_refused_by_name() -> None:
    negotiation = in_phase(PUB, Phase.AWAITING)
    with pytest.raises(LocalProtocolError) as caught:
        negotiation.offer_made(PUB, 2, "sdp", now=0.0)
    assert caught.value.method == "offer_made"
    assert (caught.value.phase, caught.value.allowed) == ("AWAITING", ("MAKING",))
    with pytest.raises(LocalProtocolError, match="offer 2 is under way, not 1"):
        in_phase(PUB, Phase.APPLYING).answer_applied(PUB, 1, now=0.0)
