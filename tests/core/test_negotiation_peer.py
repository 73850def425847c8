"""One peer connection: its state, deadline, candidates and tracks."""

from __future__ import annotations

import pytest

from kitwire.commands import AddCandidate, PeerState
from kitwire.config import PeerCapabilities, Timeouts
from kitwire.negotiation import NegotiationFailed, NegotiationFailure, NegotiationOutput
from kitwire.negotiation.candidates import RemoteCandidate
from kitwire.negotiation.outputs import SendTrickle
from kitwire.negotiation.peer import Peer
from tests.core.negotiating import ABLE, PEERS, PUB, sdp


class Seen(list[NegotiationOutput]):
    pass


def peer(capabilities: PeerCapabilities = ABLE) -> tuple[Peer, Seen]:
    seen = Seen()
    made = Peer(
        PUB,
        peers=PEERS,
        capabilities=capabilities,
        timeouts=Timeouts(peers=10.0),
        emit=seen.append,
    )
    return made, seen


def remote(fragment: str | None = None) -> RemoteCandidate:
    return RemoteCandidate(
        candidate="candidate:1",
        sdp_mid="0",
        sdp_mline_index=2,
        username_fragment=fragment,
        final=True,
    )


@pytest.mark.parametrize("exchanged", [True, False])
@pytest.mark.parametrize("able", [True, False])
@pytest.mark.parametrize("state", PeerState)
def test_it_holds_only_while_it_can_come_up_and_only_where_that_is_needed(
    state: PeerState, able: bool, exchanged: bool
) -> None:
    one, _ = peer(ABLE if able else PeerCapabilities())
    if exchanged:
        one.exchanged(0.0)
    one.state_changed(state, 0.0)
    rising = state in (PeerState.NEW, PeerState.CONNECTING)
    assert one.holds is (able and exchanged and rising)


@pytest.mark.parametrize("exchanged", [True, False])
@pytest.mark.parametrize("state", PeerState)
def test_it_has_a_deadline_while_it_comes_up(state: PeerState, exchanged: bool) -> None:
    one, _ = peer()
    if exchanged:
        one.exchanged(1.0)
    one.state_changed(state, 2.0)
    rising = state is PeerState.CONNECTING or (state is PeerState.NEW and exchanged)
    assert one.connect_by == ((11.0 if exchanged else 12.0) if rising else None)


def test_the_deadline_does_not_move_while_it_comes_up() -> None:
    one, _ = peer()
    one.exchanged(1.0)
    one.state_changed(PeerState.CONNECTING, 5.0)
    one.exchanged(6.0)
    assert one.connect_by == 11.0
    one.state_changed(PeerState.CONNECTED, 7.0)
    one.state_changed(PeerState.CONNECTING, 8.0)
    assert one.connect_by == 18.0


def test_candidates_go_to_it_when_it_is_described() -> None:
    one, seen = peer()
    one.remote_candidate(remote("one"))
    assert seen == []
    one.described(sdp("one"))
    assert seen == [
        AddCandidate(
            peers=PEERS,
            target=PUB,
            candidate="candidate:1",
            sdp_mid="0",
            sdp_mline_index=2,
            username_fragment="one",
            final=True,
        )
    ]
    one.remote_candidate(remote("zero"))
    one.remote_candidate(remote(None))
    assert len(seen) == 2


def test_our_candidates_follow_our_description() -> None:
    one, seen = peer()
    first = SendTrickle(target=PUB, candidate_init="1", final=False)
    second = SendTrickle(target=PUB, candidate_init="2", final=True)
    one.local_candidate(first)
    assert seen == []
    one.announced()
    assert seen == [first]
    one.local_candidate(second)
    one.announced()
    assert seen == [first, second]


def test_tracks_are_those_of_the_newest_description() -> None:
    one, _ = peer()
    mids = {"0": "TR_a", "1": "TR_b"}
    one.routes(mids)
    mids["2"] = "TR_c"
    assert one.track_ids == {"0": "TR_a", "1": "TR_b"}
    one.routes({"0": "TR_d"})
    assert one.track_ids == {"0": "TR_d"}


@pytest.mark.parametrize(
    ("known", "new", "able", "can"),
    [
        ("one", "one", False, True),
        ("one", "two", False, False),
        ("one", "two", True, True),
        (None, "two", False, True),
        ("one", None, False, True),
    ],
)
def test_other_ice_credentials_are_an_ice_restart(
    known: str | None, new: str | None, able: bool, can: bool
) -> None:
    one, _ = peer(PeerCapabilities(ice_restart=able))
    if known is not None:
        one.described(sdp(known))
    assert one.can_apply(sdp(new) if new is not None else "v=0\r\n") is can


def test_a_failure_says_why_without_secrets_and_ends_everything() -> None:
    one, seen = peer()
    one.remote_candidate(remote("one"))
    one.local_candidate(SendTrickle(target=PUB, candidate_init="1", final=False))
    one.exchanged(0.0)
    one.fail(NegotiationFailure.PEER_FAILED, "no such line: a=ice-pwd:hush and more")
    assert seen == [
        NegotiationFailed(
            target=PUB,
            failure=NegotiationFailure.PEER_FAILED,
            detail="no such line: a=ice-pwd:<redacted> and more",
        )
    ]
    one.described(sdp("one"))
    one.announced()
    one.remote_candidate(remote("one"))
    one.state_changed(PeerState.CONNECTING, 1.0)
    assert len(seen) == 1
    assert one.connect_by is None
