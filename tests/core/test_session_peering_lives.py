"""Whole lives with peer connections in virtual time, by messages and by bytes."""

from __future__ import annotations

import json

import pytest
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.commands import (
    AddCandidate,
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
from kitwire.config import PathVersion, PeerCapabilities, Timeouts
from kitwire.errors import CloseReason, LocalProtocolError, Origin, Reason
from kitwire.events import AnswerReceived, Closed, Joined, OfferReceived, ProtocolViolated
from kitwire.negotiation.channels import DATA_CHANNELS
from kitwire.peer_events import (
    Negotiated,
    NegotiationFailed,
    NegotiationFailure,
    PeerEvent,
    PeersConnected,
    PeerStateChanged,
)
from kitwire.session.phases import Phase
from kitwire.session.timers import Timer
from kitwire.trace import TraceRecord
from tests.peers.frames import leave
from tests.peers.media_lives import (
    PEERS,
    PUB,
    SUB,
    ClientMedia,
    MediaLife,
    SessionMedia,
    media_join,
    with_peers,
)

LIVES = [SessionMedia, ClientMedia]
Kind = type[SessionMedia] | type[ClientMedia]
both = pytest.mark.parametrize("kind", LIVES)

SDP = "v=0\r\na=ice-ufrag:hush-ufrag\r\na=ice-pwd:hush-pwd\r\n"
CANDIDATE = "candidate:1 1 udp 1 127.0.0.1 9 typ host ufrag hush-ufrag"
INIT = json.dumps({"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0})
MEDIA_FAILED = (Origin.LINK, Reason.MEDIA_FAILURE, True)


def answer(offer_id: int = 1, **mids: str) -> rtc.SignalResponse:
    description = rtc.SessionDescription(type="answer", sdp=SDP, id=offer_id, mid_to_track_id=mids)
    return rtc.SignalResponse(answer=description)


def offer(offer_id: int, **mids: str) -> rtc.SignalResponse:
    description = rtc.SessionDescription(type="offer", sdp=SDP, id=offer_id, mid_to_track_id=mids)
    return rtc.SignalResponse(offer=description)


def trickle(target: rtc.SignalTarget, init: str = INIT) -> rtc.SignalResponse:
    return rtc.SignalResponse(trickle=rtc.TrickleRequest(candidateInit=init, target=target))


def sections(audios: int, videos: int) -> rtc.SignalResponse:
    required = rtc.MediaSectionsRequirement(num_audios=audios, num_videos=videos)
    return rtc.SignalResponse(media_sections_requirement=required)


def make(offer_id: int, audios: int = 0, videos: int = 0) -> MakeOffer:
    return MakeOffer(
        peers=PEERS, target=PUB, offer_id=offer_id, audio_sections=audios, video_sections=videos
    )


def apply(offer_id: int, **mids: str) -> ApplyAnswer:
    return ApplyAnswer(peers=PEERS, target=PUB, offer_id=offer_id, sdp=SDP, mid_to_track_id=mids)


def joined(kind: Kind, path: PathVersion = PathVersion.V1) -> MediaLife:
    """A life that has just joined, with nothing left to take."""
    life = kind(with_peers(path))
    life.join()
    life.take()
    life.sent()
    return life


def connected(kind: Kind) -> MediaLife:
    """A life on the new path whose media flows."""
    life = joined(kind)
    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    life.say(answer())
    life.core.answer_applied(PEERS, PUB, 1, now=life.now)
    life.core.peer_state_changed(PEERS, PUB, PeerState.CONNECTING, now=life.now)
    life.core.peer_state_changed(PEERS, PUB, PeerState.CONNECTED, now=life.now)
    assert PeersConnected() in life.take()
    life.sent()
    return life


# --- one peer connection ---


@both
def test_a_life_on_the_new_path(kind: Kind) -> None:
    life = kind(with_peers())
    life.join()
    first, opened, made = life.take()
    assert isinstance(first, Joined)
    assert opened == OpenPeers(
        peers=PEERS,
        topology=Topology.SINGLE,
        ice_servers=tuple(first.ice_servers),
        force_relay=False,
        data_channels=DATA_CHANNELS,
    )
    assert made == make(1, 1, 1)
    assert [each.credential for each in first.ice_servers] == ["hush-credential"]

    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    assert life.take() == []
    (request,) = life.sent()
    assert request.offer == rtc.SessionDescription(type="offer", sdp=SDP, id=1)

    life.say(answer(1, **{"0": "TR_a"}))
    heard, applied = life.take()
    assert isinstance(heard, AnswerReceived)
    assert applied == apply(1, **{"0": "TR_a"})

    life.core.answer_applied(PEERS, PUB, 1, now=life.now)
    assert life.take() == [Negotiated(target=PUB, offer_id=1)]
    for state in (PeerState.CONNECTING, PeerState.CONNECTED):
        life.core.peer_state_changed(PEERS, PUB, state, now=life.now)
    assert life.take() == [
        PeerStateChanged(target=PUB, state=PeerState.CONNECTING),
        PeerStateChanged(target=PUB, state=PeerState.CONNECTED),
        PeersConnected(),
    ]
    assert life.sent() == []
    assert life.core.deadline_reason is not Timer.NEGOTIATION


@both
def test_candidates_of_both_sides_find_each_other(kind: Kind) -> None:
    life = joined(kind)
    life.core.local_candidate(PEERS, PUB, "early", now=life.now)
    assert life.sent() == []
    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    life.core.local_candidate(PEERS, PUB, "last", final=True, now=life.now)
    _, first, last = life.sent()
    assert first.trickle == rtc.TrickleRequest(candidateInit="early", target=rtc.PUBLISHER)
    assert last.trickle == rtc.TrickleRequest(
        candidateInit="last", target=rtc.PUBLISHER, final=True
    )
    # The server's own come before its answer is applied.
    life.say(trickle(rtc.PUBLISHER), answer())
    assert not any(isinstance(each, AddCandidate) for each in life.take())
    life.core.answer_applied(PEERS, PUB, 1, now=life.now)
    assert life.take()[0] == AddCandidate(
        peers=PEERS,
        target=PUB,
        candidate=CANDIDATE,
        sdp_mid="0",
        sdp_mline_index=0,
        username_fragment="hush-ufrag",
        final=False,
    )


@both
def test_sections_that_the_server_wants_come_with_the_next_offer(kind: Kind) -> None:
    life = connected(kind)
    life.say(sections(3, 0))
    assert life.take()[1:] == [make(2, 3, 0)]
    life.say(sections(0, 2))
    assert len(life.take()) == 1
    life.core.offer_made(PEERS, PUB, 2, SDP, now=life.now)
    life.say(answer(2))
    life.core.answer_applied(PEERS, PUB, 2, now=life.now)
    assert life.take()[1:] == [apply(2), Negotiated(target=PUB, offer_id=2), make(3, 0, 2)]


@both
def test_tracks_ask_for_offers_and_learn_which(kind: Kind) -> None:
    life = connected(kind)
    assert life.core.negotiate(now=life.now) == 2
    # The one under way does not have what is asked for now.
    assert life.core.negotiate(now=life.now) == 3
    assert life.core.negotiate(now=life.now) == 3
    assert life.take() == [make(2)]
    life.core.offer_made(PEERS, PUB, 2, SDP, now=life.now)
    life.say(answer(2))
    life.core.answer_applied(PEERS, PUB, 2, now=life.now)
    assert life.take()[-2:] == [Negotiated(target=PUB, offer_id=2), make(3)]


@both
def test_answers_that_nobody_waits_for_are_no_harm(kind: Kind) -> None:
    life = connected(kind)
    life.say(answer(1))
    assert [type(each) for each in life.take()] == [AnswerReceived]
    life.say(answer(9), offer(4))
    kinds = [type(each) for each in life.take()]
    assert kinds == [AnswerReceived, ProtocolViolated, OfferReceived, ProtocolViolated]
    assert life.core.phase is Phase.JOINED


@both
def test_what_came_before_the_join_is_negotiated_after_it(kind: Kind) -> None:
    life = kind(with_peers(PathVersion.V0))
    life.open()
    life.say(offer(5), media_join(PathVersion.V0))
    kinds = [type(each) for each in life.take()]
    assert kinds == [Joined, OpenPeers, OfferReceived, ApplyOffer]


# --- two peer connections ---


@both
def test_a_life_on_the_old_path(kind: Kind) -> None:
    life = kind(with_peers(PathVersion.V0))
    life.join()
    _, opened = life.take()
    assert isinstance(opened, OpenPeers)
    assert opened.topology is Topology.DUAL
    life.sent()

    life.say(offer(7, **{"0": "TR_a"}), trickle(rtc.SUBSCRIBER))
    heard, applied, _ = life.take()
    assert isinstance(heard, OfferReceived)
    assert applied == ApplyOffer(
        peers=PEERS, target=SUB, offer_id=7, sdp=SDP, mid_to_track_id={"0": "TR_a"}
    )
    life.core.answer_made(PEERS, SUB, 7, SDP, now=life.now)
    (request,) = life.sent()
    assert request.answer == rtc.SessionDescription(type="answer", sdp=SDP, id=7)
    added, negotiated = life.take()
    assert isinstance(added, AddCandidate)
    assert added.target is SUB
    assert negotiated == Negotiated(target=SUB, offer_id=7)
    life.core.local_candidate(PEERS, SUB, "ours", now=life.now)
    (request,) = life.sent()
    assert request.trickle.target == rtc.SUBSCRIBER
    life.core.peer_state_changed(PEERS, SUB, PeerState.CONNECTED, now=life.now)
    assert life.take() == [
        PeerStateChanged(target=SUB, state=PeerState.CONNECTED),
        PeersConnected(),
    ]
    # The publisher is made when it is needed, without sections for others.
    assert life.core.negotiate(now=life.now) == 1
    assert life.take() == [make(1)]


@both
def test_the_old_path_publishes_fast_where_the_server_can(kind: Kind) -> None:
    life = kind(with_peers(PathVersion.V0))
    message = media_join(PathVersion.V0)
    message.join.fast_publish = True
    life.join(message)
    assert life.take()[-1] == make(1)


@both
def test_who_may_not_subscribe_waits_for_no_subscriber(kind: Kind) -> None:
    life = kind(with_peers(PathVersion.V0))
    message = media_join(PathVersion.V0)
    message.join.participant.permission.can_subscribe = False
    life.join(message)
    assert life.take()[-1] == PeersConnected()


# --- settings ---


@both
def test_the_ice_servers_of_the_config_win(kind: Kind) -> None:
    own = msg.IceServer(urls=["stun:stun.test"])
    for servers in ((), (own,)):
        life = kind(with_peers(PathVersion.V0, ice_servers=servers))
        life.join()
        opened = life.take()[1]
        assert isinstance(opened, OpenPeers)
        assert opened.ice_servers == servers


@both
@pytest.mark.parametrize("mine", [False, True])
@pytest.mark.parametrize(
    "demanded", [models.UNSET, models.DISABLED, models.ENABLED], ids=["unset", "off", "on"]
)
def test_relays_are_forced_by_either_side(
    kind: Kind, mine: bool, demanded: models.ClientConfigSetting
) -> None:
    life = kind(with_peers(force_relay=mine))
    message = media_join(PathVersion.V1)
    message.join.client_configuration.force_relay = demanded
    life.join(message)
    opened = life.take()[1]
    assert isinstance(opened, OpenPeers)
    assert opened.force_relay is (mine or demanded == models.ENABLED)


@both
@pytest.mark.parametrize("path", [PathVersion.V1, PathVersion.V0])
def test_without_an_owner_nothing_is_negotiated(kind: Kind, path: PathVersion) -> None:
    life = kind(with_peers(path, peers=None))
    life.join()
    assert life.core.negotiate(now=life.now) is None
    life.say(offer(1), answer(1), trickle(rtc.PUBLISHER), trickle(rtc.SUBSCRIBER, "junk"))
    life.say(sections(1, 1))
    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    life.core.peer_state_changed(PEERS, PUB, PeerState.FAILED, now=life.now)
    life.core.peer_failed(PEERS, PUB, "x", now=life.now)
    life.wait(4)
    assert not any(
        isinstance(each, PeerCommand | PeerEvent | ProtocolViolated) for each in life.take()
    )
    assert life.sent() == []
    life.cut()
    assert [type(each) for each in life.take()] == [Closed]


# --- what goes wrong ---


def keep_alive(life: MediaLife, seconds: float) -> None:
    """Time passes, and the server answers pings."""
    for _ in range(int(seconds * 2)):
        life.wait(0.5)
        if life.core.phase is Phase.JOINED:
            life.say(rtc.SignalResponse(pong_resp=rtc.Pong()))


@both
def test_a_server_that_never_offers_is_given_up(kind: Kind) -> None:
    life = joined(kind, PathVersion.V0)
    keep_alive(life, 29.5)
    assert life.core.phase is Phase.JOINED
    life.take()
    life.wait(0.5)
    assert life.take() == [ClosePeers(peers=PEERS)]
    life.cut()
    assert life.reason.reason is Reason.MEDIA_FAILURE
    assert life.reason.retryable


@both
@pytest.mark.parametrize(
    ("steps", "failure", "after"),
    [
        (0, NegotiationFailure.PEER_STALLED, 15),
        (1, NegotiationFailure.NO_ANSWER, 15),
        (2, NegotiationFailure.PEER_STALLED, 15),
        (3, NegotiationFailure.NOT_CONNECTED, 20),
    ],
)
def test_every_step_has_its_deadline(
    kind: Kind, steps: int, failure: NegotiationFailure, after: float
) -> None:
    life = kind(with_peers(timeouts=Timeouts(peers=20.0)))
    life.join()
    life.take()
    if steps > 0:
        life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    if steps > 1:
        life.say(answer())
    if steps > 2:
        life.core.answer_applied(PEERS, PUB, 1, now=life.now)
    life.take()
    keep_alive(life, after - 0.5)
    assert not any(isinstance(each, PeerEvent) for each in life.take())
    life.sent()
    life.wait(0.5)
    failed, closed = life.take()
    assert isinstance(failed, NegotiationFailed)
    assert (failed.target, failed.failure) == (PUB, failure)
    assert closed == ClosePeers(peers=PEERS)
    (request,) = life.sent()
    assert request.leave.reason == models.CLIENT_INITIATED
    assert life.core.phase is Phase.CLOSING
    life.wait(1.0)
    assert life.take() == [Closed(reason=life.reason)]
    reason = life.reason
    assert (reason.origin, reason.reason, reason.retryable) == MEDIA_FAILED
    assert reason.detail == failed.detail


@both
def test_a_peer_connection_that_gives_up_ends_the_session(kind: Kind) -> None:
    life = joined(kind)
    life.core.peer_failed(PEERS, PUB, f"could not: {SDP}", now=life.now)
    failed, closed = life.take()
    assert isinstance(failed, NegotiationFailed)
    assert failed.failure is NegotiationFailure.PEER_FAILED
    assert "hush" not in failed.detail
    assert closed == ClosePeers(peers=PEERS)
    assert [each.WhichOneof("message") for each in life.sent()] == ["leave"]
    life.cut()
    assert life.reason.reason is Reason.MEDIA_FAILURE
    assert life.reason.detail.startswith("could not: v=0")
    assert "hush" not in life.reason.detail


@both
@pytest.mark.parametrize("state", [PeerState.FAILED, PeerState.CLOSED])
def test_a_transport_that_is_gone_ends_the_session(kind: Kind, state: PeerState) -> None:
    """aiortc reports `closed` of its own accord, when the other side closes DTLS."""
    life = connected(kind)
    life.core.peer_state_changed(PEERS, PUB, state, now=life.now)
    changed = PeerStateChanged(target=PUB, state=state)
    if state is PeerState.CLOSED:
        assert life.take() == [changed]
        assert life.core.deadline_reason is Timer.FAREWELL
        life.wait(Timeouts().close)
        assert life.take() == [ClosePeers(peers=PEERS)]
    else:
        assert life.take() == [changed, ClosePeers(peers=PEERS)]
    assert [each.WhichOneof("message") for each in life.sent()] == ["leave"]
    life.cut()
    assert life.reason == CloseReason(
        origin=Origin.LINK,
        reason=Reason.MEDIA_FAILURE,
        detail=f"the publisher's peer connection {'failed' if state == 'failed' else 'closed'}",
        retryable=True,
    )


@both
def test_a_transport_that_nobody_needs_may_fail(kind: Kind) -> None:
    life = kind(with_peers(PathVersion.V0))
    message = media_join(PathVersion.V0)
    message.join.participant.permission.can_subscribe = False
    life.join(message)
    life.take()
    life.core.peer_state_changed(PEERS, SUB, PeerState.FAILED, now=life.now)
    assert life.take() == [PeerStateChanged(target=SUB, state=PeerState.FAILED)]
    assert life.core.phase is Phase.JOINED


@both
def test_a_break_may_mend(kind: Kind) -> None:
    life = connected(kind)
    for state in (PeerState.DISCONNECTED, PeerState.DISCONNECTED, PeerState.CONNECTED):
        life.core.peer_state_changed(PEERS, PUB, state, now=life.now)
    assert life.take() == [
        PeerStateChanged(target=PUB, state=PeerState.DISCONNECTED),
        PeerStateChanged(target=PUB, state=PeerState.CONNECTED),
    ]


@both
def test_an_ice_restart_that_cannot_be_followed_ends_the_session(kind: Kind) -> None:
    life = connected(kind)
    life.core.negotiate(now=life.now)
    life.core.offer_made(PEERS, PUB, 2, SDP, now=life.now)
    life.take()
    restarted = answer(2)
    restarted.answer.sdp = SDP.replace("hush-ufrag", "other")
    life.say(restarted)
    _, failed, closed = life.take()
    assert isinstance(failed, NegotiationFailed)
    assert failed.failure is NegotiationFailure.ICE_RESTART_UNSUPPORTED
    assert closed == ClosePeers(peers=PEERS)


@both
def test_a_server_that_removed_us_says_so_although_media_ended_first(kind: Kind) -> None:
    """Its peer connections and its leave travel on different sockets."""
    life = connected(kind)
    life.core.peer_state_changed(PEERS, PUB, PeerState.CLOSED, now=life.now)
    life.say(leave(models.PARTICIPANT_REMOVED))
    assert (life.reason.reason, life.reason.retryable) == (Reason.PARTICIPANT_REMOVED, False)


@both
@pytest.mark.parametrize(
    "said",
    [
        leave(models.CLIENT_INITIATED),
        leave(models.CONNECTION_TIMEOUT, rtc.LeaveRequest.RESUME),
        leave(models.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT),
    ],
    ids=["echo", "resume", "reconnect"],
)
def test_other_leaves_do_not_hide_that_media_failed(kind: Kind, said: rtc.SignalResponse) -> None:
    life = connected(kind)
    life.core.peer_state_changed(PEERS, PUB, PeerState.FAILED, now=life.now)
    life.say(said)
    assert life.reason.reason is Reason.MEDIA_FAILURE


# --- reports that come too late, or never should ---


@both
@pytest.mark.parametrize("peers", [0, 2])
def test_reports_on_other_peer_connections_are_dropped(kind: Kind, peers: int) -> None:
    life = joined(kind)
    other = PeersId(peers)
    core, now = life.core, life.now
    core.offer_made(other, PUB, 1, SDP, now=now)
    core.answer_applied(other, PUB, 1, now=now)
    core.answer_made(other, SUB, 1, SDP, now=now)
    core.peer_state_changed(other, PUB, PeerState.FAILED, now=now)
    core.peer_failed(other, PUB, "gone", now=now)
    core.local_candidate(other, PUB, "x", now=now)
    assert life.take() == []
    assert life.sent() == []


@both
def test_after_the_leave_nothing_is_heard_of_media(kind: Kind) -> None:
    life = joined(kind)
    life.core.close(now=life.now)
    assert life.take() == [ClosePeers(peers=PEERS)]
    (request,) = life.sent()
    assert request.WhichOneof("message") == "leave"
    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    life.core.peer_failed(PEERS, PUB, "closed", now=life.now)
    life.say(answer(), trickle(rtc.PUBLISHER), sections(1, 0))
    assert not any(isinstance(each, PeerCommand | PeerEvent) for each in life.take())
    assert life.sent() == []
    assert life.core.deadline_reason is Timer.CLOSE
    with pytest.raises(LocalProtocolError, match=r"negotiate: not allowed in phase CLOSING"):
        life.core.negotiate(now=life.now)


@both
def test_the_leave_goes_out_before_media_ends(kind: Kind) -> None:
    """So that the server knows why."""
    life = joined(kind)
    before = len(life.outputs)
    life.core.close(now=life.now)
    names = [type(each).__name__ for each in life.outputs[before:]]
    assert names in (["SendMessage", "ClosePeers"], ["Write", "ClosePeers"])


@both
def test_reports_of_what_was_not_asked_are_misuse(kind: Kind) -> None:
    life = joined(kind)
    with pytest.raises(LocalProtocolError, match=r"^answer_applied: the publisher is MAKING"):
        life.core.answer_applied(PEERS, PUB, 1, now=life.now)
    with pytest.raises(LocalProtocolError, match=r"^offer_made: offer 1 is under way, not 2"):
        life.core.offer_made(PEERS, PUB, 2, SDP, now=life.now)
    with pytest.raises(LocalProtocolError, match=r"there is no subscriber"):
        life.core.peer_state_changed(PEERS, SUB, PeerState.CONNECTED, now=life.now)


@both
@pytest.mark.parametrize("path", [PathVersion.V1, PathVersion.V0])
def test_nobody_negotiates_before_the_join(kind: Kind, path: PathVersion) -> None:
    life = kind(with_peers(path))
    with pytest.raises(LocalProtocolError, match=r"not allowed in phase IDLE; allowed in JOINED"):
        life.core.negotiate(now=life.now)


@both
def test_the_negotiation_has_one_author(kind: Kind) -> None:
    """Descriptions of somebody else's would have the ids of our own."""
    life = joined(kind)
    core, now = life.core, life.now
    refused = pytest.raises(LocalProtocolError, match=r"config\.peers")
    with refused:
        core.send_offer(SDP, offer_id=1, now=now)
    with refused:
        core.send_answer(SDP, offer_id=1, now=now)
    with refused:
        core.send_trickle(INIT, target=msg.SignalTarget.PUBLISHER, now=now)
    assert life.sent() == []


# --- ends ---


def _left(life: MediaLife) -> None:
    life.core.close(now=life.now)
    life.wait(1)


def _closed_by_server(life: MediaLife) -> None:
    life.core.close(now=life.now)
    life.say(leave(models.CLIENT_INITIATED))


def _silence(life: MediaLife) -> None:
    life.wait(15)


def _hopeless(life: MediaLife) -> None:
    for _ in range(5):
        life.say_frame(b"\x0a\xff")


def _failed(life: MediaLife) -> None:
    life.core.peer_failed(PEERS, PUB, "x", now=life.now)
    life.wait(1)


ENDS = {
    "left": _left,
    "left, and the server says so": _closed_by_server,
    "removed": lambda life: life.say(leave()),
    "told to reconnect": lambda life: life.say(leave(action=rtc.LeaveRequest.RECONNECT)),
    "cut": MediaLife.cut,
    "silence": _silence,
    "malformed frames": _hopeless,
    "media failed": _failed,
}


@both
@pytest.mark.parametrize("path", [PathVersion.V1, PathVersion.V0])
@pytest.mark.parametrize("end", ENDS)
def test_every_end_closes_the_peer_connections_once_and_first(
    kind: Kind, path: PathVersion, end: str
) -> None:
    life = joined(kind, path)
    ENDS[end](life)
    assert life.core.closed
    outputs = life.outputs
    closes = [index for index, each in enumerate(outputs) if isinstance(each, ClosePeers)]
    assert [outputs[index] for index in closes] == [ClosePeers(peers=PEERS)]
    assert closes[0] < len(outputs) - 1
    assert not any(isinstance(each, PeerCommand) for each in outputs[closes[0] + 1 :])
    assert life.core.deadline is None
    before = len(life.outputs)
    life.core.peer_state_changed(PEERS, PUB, PeerState.CLOSED, now=life.now)
    assert len(life.outputs) == before


@both
@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.OPENING, Phase.VALIDATING, Phase.JOINING])
def test_what_was_never_made_is_not_closed(kind: Kind, phase: Phase) -> None:
    life = kind(with_peers())
    life.life.reach(phase)
    life.core.close(now=life.now)
    life.wait(1)
    assert [type(each) for each in life.take()] == [Closed]
    assert not any(isinstance(each, PeerCommand) for each in life.outputs)


# --- the trace ---


@both
def test_the_trace_tells_of_media_and_keeps_its_secrets(kind: Kind) -> None:
    records: list[TraceRecord] = []
    peers = PeerCapabilities(trickle_out=True)
    life = kind(with_peers(PathVersion.V0, peers=peers, trace=records.append))
    life.join()
    core, now = life.core, life.now
    life.say(offer(7, **{"0": "TR_a"}), trickle(rtc.SUBSCRIBER))
    core.answer_made(PEERS, SUB, 7, SDP, now=now)
    core.local_candidate(PEERS, SUB, INIT, now=now)
    core.negotiate(now=now)
    core.offer_made(PEERS, PUB, 1, SDP, now=now)
    life.say(answer(1))
    core.answer_applied(PEERS, PUB, 1, now=now)
    core.peer_state_changed(PEERS, PUB, PeerState.CONNECTED, now=now)
    core.peer_failed(PEERS, PUB, SDP, now=now)
    life.cut()
    names = [f"{each.direction} {each.name}" for each in records]
    for name in (
        *("out OpenPeers", "out ApplyOffer", "out AddCandidate", "out MakeOffer"),
        *("out ApplyAnswer", "out ClosePeers", "out PeerStateChanged", "out Negotiated"),
        *("out NegotiationFailed", "in negotiate", "in answer_made", "in local_candidate"),
        *("in offer_made", "in answer_applied", "in peer_state_changed", "in peer_failed"),
    ):
        assert name in names, name
    for record in records:
        plain = dict(record.fields)
        assert json.loads(json.dumps(plain)) == plain
        assert "hush" not in json.dumps(plain), record.name
        assert "hush" not in repr(record), record.name
    assert "hush" not in repr([each for each in life.outputs if isinstance(each, PeerCommand)])
    fields = {each.name: dict(each.fields) for each in records}
    assert fields["ApplyOffer"] == {
        "peers": 1,
        "target": "subscriber",
        "offer_id": 7,
        "sdp": "<redacted>",
        "mid_to_track_id": {"0": "TR_a"},
    }
    assert fields["OpenPeers"]["ice_servers"] == "<redacted>"
    assert fields["OpenPeers"]["topology"] == "dual"
    assert fields["peer_state_changed"] == {"peers": 1, "target": "publisher", "state": "connected"}
    candidate = fields["local_candidate"]
    assert (candidate["target"], candidate["final"]) == ("subscriber", False)
    assert "<redacted" in str(candidate["candidate_init"])
    assert fields["NegotiationFailed"]["failure"] == "PEER_FAILED"


def test_reports_that_are_dropped_are_not_recorded() -> None:
    records: list[TraceRecord] = []
    life = SessionMedia(with_peers(trace=records.append))
    life.join()
    before = len(records)
    life.core.peer_failed(PeersId(2), PUB, "x", now=life.now)
    assert len(records) == before
