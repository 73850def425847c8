"""A session's peer connections alone: what goes to the server, the owner and the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import pytest
from livekit.protocol import rtc

from kitwire import events as ev
from kitwire import messages as msg
from kitwire.codec import decode_response, encode_request
from kitwire.commands import (
    ApplyAnswer,
    ApplyOffer,
    ClosePeers,
    MakeOffer,
    OpenPeers,
    PeerCommand,
    PeersId,
    PeerState,
    Topology,
)
from kitwire.config import ClientOptions, PathVersion, PeerCapabilities, Timeouts
from kitwire.errors import LocalProtocolError
from kitwire.negotiation import Negotiation
from kitwire.peer_events import (
    Negotiated,
    NegotiationFailed,
    PeerEvent,
    PeersConnected,
    PeerStateChanged,
)
from kitwire.session.dispatch import joined_of
from kitwire.session.peering import Peering
from kitwire.session.recovery import Loss
from kitwire.session.timers import Timer, TimerTable
from tests.peers.frames import heard, said
from tests.peers.media_lives import PEERS, PUB, SUB, media_join, with_peers

Output = PeerCommand | PeerEvent | ev.ProtocolViolated
OFFER = ev.OfferReceived(type="offer", sdp="theirs", id=7, mid_to_track_id={})
ANSWER = ev.AnswerReceived(type="answer", sdp="theirs", id=1, mid_to_track_id={})


class Stage:
    """A peering, and everything that it asks of its session.

    Attributes:
        closes: whether a failure closes the peer connections at once, as in a session.
    """

    def __init__(
        self, path: PathVersion = PathVersion.V1, /, **options: Unpack[ClientOptions]
    ) -> None:
        self.path = path
        self.timers = TimerTable()
        self.said: list[rtc.SignalRequest] = []
        self.emitted: list[Output] = []
        self.failed: list[str] = []
        self.losses: list[Loss] = []
        self.bundled: list[str] = []
        self.closes = False
        self.peering = Peering(
            with_peers(path, **options),
            self.timers,
            say=lambda message: self.said.append(heard(encode_request(message))),
            emit=self.emitted.append,
            fail=self.fail,
            bundle=self.bundled.append,
        )

    def fail(self, loss: Loss, detail: str) -> None:
        self.failed.append(detail)
        self.losses.append(loss)
        if self.closes:
            self.peering.close(100.0)

    def join(self, now: float = 0.0) -> None:
        message = decode_response(said(media_join(self.path))).join
        assert message is not None
        path = "/rtc" if self.path is PathVersion.V0 else "/rtc/v1"
        self.peering.joined(joined_of(message, path), now)

    def take(self) -> list[Output]:
        taken, self.emitted[:] = [*self.emitted], []
        return taken

    @property
    def deadline(self) -> float | None:
        return self.timers.next()[1]


def joined(path: PathVersion = PathVersion.V1) -> Stage:
    stage = Stage(path)
    stage.join()
    stage.take()
    return stage


def test_without_an_owner_there_is_nothing() -> None:
    stage = Stage(peers=None)
    stage.join()
    stage.peering.hear(ANSWER, 0.0)
    assert stage.peering.negotiate(0.0) is None
    stage.peering.report(lambda negotiation, now: stage.failed.append("reported"), 0.0)
    stage.peering.timed_out(100.0)
    stage.peering.close(100.0)
    for name in ("send_offer", "send_answer", "send_trickle", "simulate"):
        stage.peering.permit(name)
    assert not stage.peering.owns(PEERS)
    assert (stage.said, stage.emitted, stage.failed, stage.deadline) == ([], [], [], None)


def test_with_an_owner_there_is_nothing_before_the_join() -> None:
    stage = Stage()
    stage.peering.hear(ANSWER, 0.0)
    assert stage.peering.negotiate(0.0) is None
    assert not stage.peering.owns(PEERS)
    stage.peering.close(0.0)
    assert (stage.said, stage.emitted, stage.deadline) == ([], [], None)


@pytest.mark.parametrize(
    ("path", "topology", "then"),
    [
        (PathVersion.V1, Topology.SINGLE, [MakeOffer]),
        (PathVersion.V0, Topology.DUAL, []),
    ],
)
def test_the_path_says_how_many(
    path: PathVersion, topology: Topology, then: list[type[Output]]
) -> None:
    stage = Stage(path)
    stage.join()
    opened, *rest = stage.take()
    assert isinstance(opened, OpenPeers)
    assert (opened.peers, opened.topology) == (PEERS, topology)
    assert [type(each) for each in rest] == then
    assert stage.peering.owns(PEERS)
    assert not stage.peering.owns(PeersId(2))


def test_requests_of_the_negotiations_own_are_not_others() -> None:
    stage = Stage()
    for name in ("send_offer", "send_answer", "send_trickle"):
        with pytest.raises(LocalProtocolError, match=rf"^{name}: the session negotiates by itself"):
            stage.peering.permit(name)
    for name in ("send_sync_state", "send_ping", "simulate", "add_track"):
        stage.peering.permit(name)


def test_what_the_negotiation_says_reaches_the_server() -> None:
    stage = joined()
    stage.peering.report(lambda n, at: n.offer_made(PUB, 1, "ours", now=at), 1.0)
    stage.peering.report(lambda n, at: n.local_candidate(PUB, "{}", final=True, now=at), 1.0)
    assert stage.said == [
        rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp="ours", id=1)),
        rtc.SignalRequest(
            trickle=rtc.TrickleRequest(candidateInit="{}", target=rtc.PUBLISHER, final=True)
        ),
    ]
    stage = joined(PathVersion.V0)
    stage.peering.hear(OFFER, 0.0)
    stage.peering.report(lambda n, at: n.answer_made(SUB, 7, "ours", now=at), 1.0)
    stage.peering.report(lambda n, at: n.local_candidate(SUB, "{}", now=at), 1.0)
    assert stage.said == [
        rtc.SignalRequest(answer=rtc.SessionDescription(type="answer", sdp="ours", id=7)),
        rtc.SignalRequest(trickle=rtc.TrickleRequest(candidateInit="{}", target=rtc.SUBSCRIBER)),
    ]


def test_what_the_server_says_reaches_the_negotiation() -> None:
    stage = joined(PathVersion.V0)
    stage.peering.hear(OFFER, 0.0)
    (applied,) = stage.take()
    assert isinstance(applied, ApplyOffer)
    stage.peering.hear(
        ev.TrickleReceived(candidate_init="junk", target=msg.SignalTarget.SUBSCRIBER, final=False),
        0.0,
    )
    assert stage.take() == [ev.ProtocolViolated(detail="a candidate that is not one")]
    stage = joined()
    stage.peering.report(lambda n, at: n.offer_made(PUB, 1, "ours", now=at), 1.0)
    stage.peering.hear(ANSWER, 2.0)
    stage.peering.hear(ev.MediaSectionsRequired(num_audios=2, num_videos=0), 2.0)
    stage.peering.hear(ev.RoomUpdated(room=None), 2.0)
    (applied,) = stage.take()
    assert isinstance(applied, ApplyAnswer)
    stage.peering.report(lambda n, at: n.answer_applied(PUB, 1, now=at), 3.0)
    negotiated, made = stage.take()
    assert negotiated == Negotiated(target=PUB, offer_id=1)
    assert isinstance(made, MakeOffer)
    assert made.audio_sections == 2


def test_the_timer_is_that_of_the_negotiation() -> None:
    stage = joined()
    assert stage.timers.next() == (Timer.NEGOTIATION, 15.0)
    stage.peering.report(lambda n, at: n.offer_made(PUB, 1, "ours", now=at), 5.0)
    assert stage.deadline == 20.0
    stage.peering.timed_out(5.5)
    assert stage.deadline == 20.0
    stage.peering.hear(ANSWER, 6.0)
    stage.peering.report(lambda n, at: n.answer_applied(PUB, 1, now=at), 7.0)
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, PeerState.CONNECTED, now=at), 8.0)
    assert stage.timers.next() == (None, None)
    assert stage.peering.negotiate(9.0) == 2
    assert stage.deadline == 24.0
    stage.peering.close(10.0)
    assert stage.deadline is None


def test_a_failure_is_told_once_and_ends_the_session() -> None:
    stage = joined()
    stage.peering.timed_out(15.0)
    (failed,) = stage.take()
    assert isinstance(failed, NegotiationFailed)
    assert (stage.failed, stage.losses) == ([failed.detail], [Loss.NEGOTIATION])
    stage.peering.timed_out(30.0)
    assert (stage.take(), len(stage.failed)) == ([], 1)


def test_states_are_told_when_they_change() -> None:
    stage = joined()

    def report(state: PeerState) -> list[Output]:
        stage.peering.report(lambda n, at: n.peer_state_changed(PUB, state, now=at), 1.0)
        return stage.take()

    assert report(PeerState.NEW) == []
    connecting = PeerStateChanged(target=PUB, state=PeerState.CONNECTING)
    assert report(PeerState.CONNECTING) == [connecting]
    assert report(PeerState.CONNECTING) == []
    assert report(PeerState.CONNECTED)[1:] == [PeersConnected()]
    assert report(PeerState.NEW) == [PeerStateChanged(target=PUB, state=PeerState.NEW)]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (PeerState.NEW, []),
        (PeerState.CONNECTING, []),
        (PeerState.CONNECTED, []),
        (PeerState.DISCONNECTED, []),
        (PeerState.FAILED, ["the publisher's peer connection failed"]),
        (PeerState.CLOSED, []),
    ],
)
def test_a_state_that_ends_the_session(state: PeerState, words: list[str]) -> None:
    stage = joined()
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, state, now=at), 1.0)
    assert stage.failed == words
    assert stage.losses == [Loss.PEER] * len(words)


def test_one_that_the_server_closed_is_given_up_when_the_server_does_not_say_why() -> None:
    stage = joined()
    wait = Timeouts().close
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, PeerState.CLOSED, now=at), 1.0)
    assert stage.peering.closed is PUB
    assert stage.timers.pop_due(1.0 + wait - 0.01) is None
    # What else is reported does not put it off.
    stage.peering.report(lambda n, at: n.channel_opened(PUB, "_reliable", 1), 1.5)
    assert stage.timers.pop_due(1.0 + wait) == (Timer.FAREWELL, 1.0 + wait)
    stage.peering.farewell_timed_out()
    assert stage.failed == ["the publisher's peer connection closed"]
    assert stage.losses == [Loss.PEER]


@pytest.mark.parametrize("ends", [Peering.unlink, Peering.close])
def test_the_wait_for_that_ends_with_the_link(ends: Callable[[Peering, float], None]) -> None:
    stage = joined()
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, PeerState.CLOSED, now=at), 1.0)
    ends(stage.peering, 1.1)
    assert stage.timers.pop_due(14.0) is None
    assert stage.failed == []


def test_one_that_closes_while_there_is_no_link_is_noticed_when_there_is_one() -> None:
    stage = joined()
    stage.peering.unlink(1.0)
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, PeerState.CLOSED, now=at), 1.1)
    assert (stage.failed, stage.timers.pop_due(14.0)) == ([], None)
    stage.take()
    stage.peering.relink(None, ice_restart=False, now=2.0)
    assert stage.failed == ["the publisher's peer connection closed"]
    assert stage.take() == []


def test_a_publisher_that_is_not_needed_may_go() -> None:
    stage = joined(PathVersion.V0)
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, PeerState.CLOSED, now=at), 1.0)
    assert stage.peering.closed is None
    assert stage.timers.next() == (None, None)
    stage.peering.report(lambda n, at: n.peer_state_changed(SUB, PeerState.CLOSED, now=at), 1.0)
    assert stage.peering.closed is SUB


@pytest.mark.parametrize("able", [True, False])
@pytest.mark.parametrize("ice_restart", [True, False])
@pytest.mark.parametrize("path", [PathVersion.V0, PathVersion.V1])
def test_who_cannot_find_new_paths_follows_where_none_are_asked_for(
    path: PathVersion, ice_restart: bool, able: bool
) -> None:
    stage = Stage(path, peers=PeerCapabilities(ice_restart=able))
    assert not stage.peering.follows(ice_restart=ice_restart)
    stage.join()
    # With two, the server asks for new ones at every resume.
    asked = ice_restart or path is PathVersion.V0
    assert stage.peering.follows(ice_restart=ice_restart) is (able or not asked)


def test_one_that_the_server_closed_follows_nowhere() -> None:
    stage = joined()
    assert stage.peering.follows(ice_restart=False)
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, PeerState.CLOSED, now=at), 1.0)
    assert not stage.peering.follows(ice_restart=False)


def test_closing_says_nothing_but_that() -> None:
    stage = joined()
    stage.peering.close(1.0)
    assert stage.take() == [ClosePeers(peers=PEERS)]
    assert not stage.peering.owns(PEERS)
    stage.peering.close(2.0)
    assert stage.take() == []


def test_what_waits_when_it_closes_is_not_said() -> None:
    """A report may end the session before what it led to is told."""
    stage = joined(PathVersion.V0)

    def report(negotiation: Negotiation, now: float) -> None:
        negotiation.server_offer("theirs", offer_id=7, mid_to_track_id={}, now=now)
        negotiation.answer_made(SUB, 7, "ours", now=now)
        negotiation.peer_state_changed(SUB, PeerState.FAILED, now=now)

    stage.closes = True
    stage.peering.report(report, 1.0)
    kinds = [type(each) for each in stage.take()]
    assert kinds[0] is PeerStateChanged
    assert kinds[-1] is ClosePeers
    assert Negotiated not in kinds
    assert stage.said == []
    assert stage.deadline is None


def test_what_is_prepared_is_bundled_and_not_said() -> None:
    stage = Stage(ice_servers=())
    stage.peering.prepare(0.0)
    assert [type(each) for each in stage.take()] == [OpenPeers, MakeOffer]
    stage.peering.report(lambda n, at: n.offer_made(PUB, 1, "ours", now=at), 1.0)
    assert (stage.bundled, stage.said) == (["ours"], [])
    stage.join(2.0)
    assert stage.take() == []
    stage.peering.hear(ANSWER, 3.0)
    (applied,) = stage.take()
    assert isinstance(applied, ApplyAnswer)
    stage.peering.report(lambda n, at: n.answer_applied(PUB, 1, now=at), 3.0)
    stage.peering.negotiate(4.0)
    stage.peering.report(lambda n, at: n.offer_made(PUB, 2, "more", now=at), 4.0)
    assert (stage.bundled, [each.offer.sdp for each in stage.said]) == (["ours"], ["more"])


def test_another_set_begins_anew() -> None:
    stage = joined()
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, PeerState.FAILED, now=at), 1.0)
    stage.peering.close(2.0)
    stage.join(now=3.0)
    second = PeersId(2)
    assert stage.peering.owns(second)
    assert not stage.peering.owns(PEERS)
    assert {each.peers for each in stage.take()[2:] if isinstance(each, PeerCommand)} == {second}
    stage.peering.report(lambda n, at: n.peer_state_changed(PUB, PeerState.FAILED, now=at), 4.0)
    assert stage.take() == [PeerStateChanged(target=PUB, state=PeerState.FAILED)]


def test_capabilities_are_the_configs() -> None:
    stage = Stage(peers=PeerCapabilities())
    stage.join()
    with pytest.raises(LocalProtocolError, match="trickle_out"):
        stage.peering.report(lambda n, at: n.local_candidate(PUB, "{}", now=at), 1.0)
