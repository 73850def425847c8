"""The whole: topologies, what is required, routes, time, and transcripts of the real server."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from kitwire import messages as msg
from kitwire.codec import decode_request, decode_response, which_variant
from kitwire.commands import (
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    ClosePeers,
    MakeOffer,
    OpenPeers,
    PeerState,
    PeerTarget,
    Topology,
)
from kitwire.errors import LocalProtocolError
from kitwire.events import ProtocolViolated
from kitwire.messages import SignalTarget
from kitwire.negotiation import (
    Negotiation,
    NegotiationFailed,
    NegotiationFailure,
    PeersConnected,
    Phase,
    SendAnswer,
    SendOffer,
    SendTrickle,
)
from kitwire.negotiation.channels import DATA_CHANNELS
from kitwire.negotiation.exchange import Description
from tests.core.negotiating import (
    ABLE,
    PEERS,
    PUB,
    STUN,
    SUB,
    answer,
    candidate,
    drain,
    in_phase,
    join,
    made,
    offer,
    trickle,
)

CAPTURES = Path(__file__).resolve().parents[1] / "captures"


def names(negotiation: Negotiation) -> list[str]:
    return [type(output).__name__ for output in drain(negotiation)]


# --- opening ---


def test_the_peer_connections_are_opened_with_everything_they_need() -> None:
    negotiation = made()
    negotiation.joined(ice_servers=[STUN], force_relay=True, now=0.0)
    assert drain(negotiation)[0] == OpenPeers(
        peers=PEERS,
        topology=Topology.SINGLE,
        ice_servers=(STUN,),
        force_relay=True,
        data_channels=DATA_CHANNELS,
    )


def test_the_data_channels_are_those_of_the_protocol() -> None:
    facts = {(each.label, each.ordered, each.max_retransmits) for each in DATA_CHANNELS}
    assert facts == {
        ("_reliable", True, None),
        ("_lossy", False, 0),
        ("_data_track", False, 0),
    }


@pytest.mark.parametrize(
    ("topology", "subscriber_primary", "fast_publish", "offers"),
    [
        (Topology.SINGLE, False, False, True),
        (Topology.SINGLE, True, False, True),
        (Topology.DUAL, False, False, True),
        (Topology.DUAL, True, True, True),
        (Topology.DUAL, True, False, False),
    ],
)
def test_when_the_publisher_is_negotiated_at_once(
    topology: Topology, subscriber_primary: bool, fast_publish: bool, offers: bool
) -> None:
    negotiation = made(topology)
    join(negotiation, subscriber_primary=subscriber_primary, fast_publish=fast_publish)
    outputs = drain(negotiation)
    assert [type(each) for each in outputs] == [OpenPeers, *[MakeOffer] * offers]
    if offers and topology is Topology.DUAL:
        (first,) = [each for each in outputs if isinstance(each, MakeOffer)]
        assert (first.audio_sections, first.video_sections) == (0, 0)
    negotiation.negotiate(now=0.0)
    assert names(negotiation) == ([] if offers else ["MakeOffer"])


@pytest.mark.parametrize(
    ("topology", "subscriber_primary", "can_subscribe", "required"),
    [
        (Topology.SINGLE, True, True, {PUB}),
        (Topology.DUAL, False, True, {PUB}),
        (Topology.DUAL, True, True, {SUB}),
        (Topology.DUAL, True, False, set()),
    ],
)
def test_what_is_required(
    topology: Topology, subscriber_primary: bool, can_subscribe: bool, required: set[str]
) -> None:
    negotiation = made(topology)
    assert negotiation.required == set()
    join(negotiation, subscriber_primary=subscriber_primary, can_subscribe=can_subscribe)
    assert negotiation.required == required
    told = PeersConnected() in drain(negotiation)
    assert (negotiation.connected, told) == (not required, not required)
    negotiation.negotiate(now=0.0)
    assert negotiation.required == required | {PUB}


def test_that_all_is_connected_is_told_once() -> None:
    negotiation = made(Topology.DUAL)
    join(negotiation, subscriber_primary=True, fast_publish=True)
    seen = []
    for target, state, connected in (
        (SUB, PeerState.CONNECTED, False),
        (PUB, PeerState.CONNECTED, True),
        (PUB, PeerState.DISCONNECTED, False),
        (PUB, PeerState.CONNECTED, True),
    ):
        negotiation.peer_state_changed(target, state, now=0.0)
        assert negotiation.connected is connected
        seen.append(PeersConnected() in drain(negotiation))
    assert seen == [False, True, False, False]


def test_a_failed_one_is_not_connected_whatever_its_transport_says() -> None:
    negotiation = in_phase(PUB, Phase.FAILED)
    negotiation.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)
    assert not negotiation.connected


def test_an_offer_before_the_join_is_not_made_with_two_peer_connections() -> None:
    with pytest.raises(LocalProtocolError, match="nothing is bundled"):
        made(Topology.DUAL).prepare(ice_servers=[], now=0.0)


def test_preparing_and_joining_happen_once_and_in_order() -> None:
    negotiation = made()
    negotiation.prepare(ice_servers=[], now=0.0)
    with pytest.raises(LocalProtocolError) as caught:
        negotiation.prepare(ice_servers=[], now=0.0)
    assert (caught.value.phase, caught.value.allowed) == ("MAKING", ("UNOPENED",))
    join(negotiation)
    assert names(negotiation) == ["OpenPeers", "MakeOffer"]
    with pytest.raises(LocalProtocolError, match="joined before"):
        join(negotiation)


def test_after_the_close_nobody_joins() -> None:
    negotiation = made()
    negotiation.close(now=0.0)
    with pytest.raises(LocalProtocolError, match="it is closed"):
        join(negotiation)
    assert drain(negotiation) == []


# --- closing ---


@pytest.mark.parametrize("topology", Topology)
def test_closing_closes_once(topology: Topology) -> None:
    negotiation = join(made(topology))
    drain(negotiation)
    negotiation.close(now=0.0)
    negotiation.close(now=0.0)
    assert drain(negotiation) == [ClosePeers(peers=PEERS)]
    assert negotiation.closed
    assert negotiation.deadline is None


def test_what_was_never_opened_need_not_be_closed() -> None:
    negotiation = made()
    assert not negotiation.connected
    negotiation.close(now=0.0)
    assert drain(negotiation) == []
    assert negotiation.phase(PUB) is Phase.CLOSED


# --- routes ---


@pytest.mark.parametrize(
    ("topology", "said", "given"),
    [
        (Topology.SINGLE, SignalTarget.PUBLISHER, PUB),
        (Topology.SINGLE, SignalTarget.SUBSCRIBER, PUB),
        (Topology.DUAL, SignalTarget.PUBLISHER, PUB),
        (Topology.DUAL, SignalTarget.SUBSCRIBER, SUB),
    ],
)
def test_candidates_go_to_their_peer_connection(
    topology: Topology, said: SignalTarget, given: str
) -> None:
    negotiation = join(made(topology), subscriber_primary=True, fast_publish=True)
    negotiation.offer_made(PUB, 1, "sdp", now=0.0)
    answer(negotiation, 1)
    negotiation.answer_applied(PUB, 1, now=0.0)
    if topology is Topology.DUAL:
        offer(negotiation, 10)
        negotiation.answer_made(SUB, 10, "sdp", now=0.0)
    drain(negotiation)
    trickle(negotiation, candidate("one"), said)
    (added,) = drain(negotiation)
    assert isinstance(added, AddCandidate)
    assert added.target == given


def test_candidates_wait_for_their_description() -> None:
    negotiation = join(made())
    drain(negotiation)
    trickle(negotiation, candidate("one"), SignalTarget.PUBLISHER)
    trickle(negotiation, candidate("zero"), SignalTarget.PUBLISHER)
    negotiation.offer_made(PUB, 1, "sdp", now=0.0)
    answer(negotiation, 1)
    assert "AddCandidate" not in names(negotiation)
    negotiation.answer_applied(PUB, 1, now=0.0)
    assert names(negotiation) == ["AddCandidate", "Negotiated"]


def test_a_candidate_for_a_target_of_the_future_is_a_violation() -> None:
    negotiation = in_phase(PUB, Phase.IDLE)
    trickle(negotiation, candidate(), SignalTarget(9))
    assert drain(negotiation) == [
        ProtocolViolated(detail="a candidate for the unknown target 9"),
    ]


def test_tracks_are_found_by_target_and_mid() -> None:
    negotiation = join(made(Topology.DUAL))
    negotiation.offer_made(PUB, 1, "sdp", now=0.0)
    negotiation.server_answer("v=0", offer_id=1, mid_to_track_id={"0": "TR_own"}, now=0.0)
    negotiation.server_offer("v=0", offer_id=9, mid_to_track_id={"0": "TR_theirs"}, now=0.0)
    assert negotiation.track_sid(PUB, "0") == "TR_own"
    assert negotiation.track_sid(SUB, "0") == "TR_theirs"
    assert negotiation.track_sid(SUB, "1") is None
    negotiation.answer_made(SUB, 9, "sdp", now=0.0)
    negotiation.peer_state_changed(SUB, PeerState.CONNECTED, now=0.0)
    negotiation.server_offer("v=0", offer_id=10, mid_to_track_id={"1": "TR_more"}, now=0.0)
    assert negotiation.track_sid(SUB, "0") is None
    assert negotiation.track_sid(SUB, "1") == "TR_more"


def test_a_target_that_is_not_there_is_refused() -> None:
    negotiation = made()
    assert negotiation.targets == (PUB,)
    for use in (negotiation.phase, negotiation.state):
        with pytest.raises(LocalProtocolError, match="there is no subscriber"):
            use(SUB)
    with pytest.raises(LocalProtocolError, match="there is no subscriber"):
        negotiation.peer_state_changed(SUB, PeerState.CONNECTED, now=0.0)


def test_the_publisher_makes_no_answers() -> None:
    with pytest.raises(LocalProtocolError, match="the publisher makes no answers"):
        in_phase(PUB, Phase.APPLYING).answer_made(PUB, 2, "sdp", now=0.0)


def test_our_candidates_are_sent_after_our_description() -> None:
    negotiation = join(made())
    negotiation.local_candidate(PUB, "{1}", now=0.0)
    negotiation.offer_made(PUB, 1, "sdp", now=0.0)
    negotiation.local_candidate(PUB, "{2}", final=True, now=0.0)
    assert drain(negotiation)[2:] == [
        SendOffer(offer_id=1, sdp="sdp"),
        SendTrickle(target=PUB, candidate_init="{1}", final=False),
        SendTrickle(target=PUB, candidate_init="{2}", final=True),
    ]


def test_an_owner_that_does_not_trickle_has_no_candidates() -> None:
    negotiation = join(Negotiation(Topology.SINGLE, peers=PEERS))
    with pytest.raises(LocalProtocolError, match="trickle_out is not set"):
        negotiation.local_candidate(PUB, "{}", now=0.0)


# --- time ---


def test_a_transport_that_does_not_connect_ends_in_a_failure_that_says_so() -> None:
    negotiation = in_phase(PUB, Phase.IDLE)
    assert negotiation.deadline == 15.0
    negotiation.handle_timeout(now=15.0)
    assert drain(negotiation) == [
        NegotiationFailed(
            target=PUB,
            failure=NegotiationFailure.NOT_CONNECTED,
            detail="the publisher did not connect within 15 s",
        )
    ]


def test_each_target_has_its_own_deadline() -> None:
    negotiation = made(Topology.DUAL)
    join(negotiation, subscriber_primary=True, fast_publish=True, now=1.0)
    negotiation.server_offer("v=0", offer_id=9, mid_to_track_id={}, now=3.0)
    assert negotiation.deadline == 16.0
    drain(negotiation)
    negotiation.handle_timeout(now=16.0)
    (failed,) = drain(negotiation)
    assert isinstance(failed, NegotiationFailed)
    assert failed.target is PUB
    assert negotiation.deadline == 18.0


def test_time_does_not_run_backwards() -> None:
    negotiation = join(made(), now=100.0)
    negotiation.offer_made(PUB, 1, "sdp", now=5.0)
    assert negotiation.deadline == 115.0


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.APPLYING])
def test_what_the_owner_cannot_do_ends_the_target(phase: Phase) -> None:
    negotiation = in_phase(PUB, phase)
    negotiation.peer_failed(PUB, "bad line eyJhbGciOiJIUzI1NiJ9.e30.x", now=0.0)
    assert drain(negotiation) == [
        NegotiationFailed(
            target=PUB, failure=NegotiationFailure.PEER_FAILED, detail="bad line <redacted>"
        )
    ]
    assert negotiation.deadline is None


# --- secrets ---


def test_no_output_shows_a_secret() -> None:
    secret = "hush"
    outputs = [
        OpenPeers(
            peers=PEERS,
            topology=Topology.SINGLE,
            ice_servers=(msg.IceServer(urls=["turn:x"], username=secret, credential=secret),),
            force_relay=False,
            data_channels=(),
        ),
        ApplyAnswer(peers=PEERS, target=PUB, offer_id=1, sdp=secret, mid_to_track_id={}),
        ApplyOffer(peers=PEERS, target=SUB, offer_id=1, sdp=secret, mid_to_track_id={}),
        AddCandidate(
            peers=PEERS,
            target=PUB,
            candidate=secret,
            sdp_mid="0",
            sdp_mline_index=0,
            username_fragment=secret,
            final=False,
        ),
        SendOffer(offer_id=1, sdp=secret),
        SendAnswer(offer_id=1, sdp=secret),
        SendTrickle(target=PUB, candidate_init=secret, final=False),
        Description(1, secret, {}),
    ]
    assert [each for each in outputs if secret in repr(each)] == []


# --- the real server ---


def records(name: str) -> list[tuple[str, tuple[str, object] | None]]:
    """The first life of a capture: direction and message."""
    lives = []
    for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["dir"] == "cut":
            break
        if record["dir"] == "in":
            lives.append(("in", which_variant(decode_response(base64.b64decode(record["b64"])))))
        elif record["dir"] == "out":
            lives.append(("out", which_variant(decode_request(base64.b64decode(record["b64"])))))
    return lives


@pytest.mark.parametrize(
    ("name", "topology"),
    [
        ("join_v1", Topology.SINGLE),
        ("resume_v1_media", Topology.SINGLE),
        ("join_v0", Topology.DUAL),
    ],
)
def test_a_recorded_session_is_negotiated_as_it_was(name: str, topology: Topology) -> None:
    """The server's messages as they came; an owner that does at once what it is asked."""
    negotiation = Negotiation(topology, peers=PEERS, capabilities=ABLE)
    described: set[PeerTarget] = set()
    seen: list[tuple[str, str, int]] = []
    recorded: list[tuple[str, str, int]] = []
    added = {PUB: 0, SUB: 0}
    for direction, member in records(name):
        match direction, member:
            case "out", (("offer" | "answer") as kind, msg.SessionDescription(sdp=sdp, id=number)):
                recorded.append((kind, sdp, number))
            case "in", (_, msg.JoinResponse() as joined):
                negotiation.joined(
                    ice_servers=joined.ice_servers,
                    subscriber_primary=joined.subscriber_primary,
                    fast_publish=joined.fast_publish,
                    now=0.0,
                )
            case "in", ("answer", msg.SessionDescription(sdp=sdp, id=number)):
                negotiation.server_answer(sdp, offer_id=number, mid_to_track_id={}, now=0.0)
            case "in", ("offer", msg.SessionDescription(sdp=sdp, id=number)):
                negotiation.server_offer(sdp, offer_id=number, mid_to_track_id={}, now=0.0)
            case "in", (_, msg.TrickleRequest(candidate_init=text, target=towards, final=final)):
                negotiation.server_candidate(text, target=towards, final=final, now=0.0)
            case _:
                pass
        while (output := negotiation.poll()) is not None:
            match output:
                case MakeOffer(target=target, offer_id=number):
                    negotiation.offer_made(target, number, "ours", now=0.0)
                case ApplyAnswer(target=target, offer_id=number):
                    described.add(target)
                    negotiation.answer_applied(target, number, now=0.0)
                    negotiation.peer_state_changed(target, PeerState.CONNECTED, now=0.0)
                case ApplyOffer(target=target, offer_id=number):
                    described.add(target)
                    negotiation.answer_made(target, number, "ours", now=0.0)
                    negotiation.peer_state_changed(target, PeerState.CONNECTED, now=0.0)
                case AddCandidate(target=target):
                    assert target in described
                    added[target] += 1
                case SendOffer(offer_id=number):
                    seen.append(("offer", "ours", number))
                case SendAnswer(offer_id=number):
                    seen.append(("answer", "ours", number))
                case OpenPeers() | PeersConnected():
                    pass
                case other:
                    assert type(other).__name__ == "Negotiated"
    assert [(kind, number) for kind, _, number in seen] == [
        (kind, number) for kind, _, number in recorded
    ]
    assert negotiation.connected
    assert added == {PUB: 2, SUB: 2 if topology is Topology.DUAL else 0}
