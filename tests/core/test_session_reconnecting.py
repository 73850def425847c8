"""Losses and the ways back, in virtual time: each loss, each answer, each end."""

from __future__ import annotations

from typing import Unpack
from urllib.parse import parse_qs, urlsplit

import pytest
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.commands import (
    AwaitDatagram,
    ClosePeers,
    MakeOffer,
    OpenLink,
    OpenPeers,
    PeersId,
    PeerState,
    ReplayData,
    UseIceServers,
)
from kitwire.config import ClientOptions, PathVersion, PeerCapabilities, ReconnectPolicy, Timeouts
from kitwire.errors import FailureReason, Origin, Reason
from kitwire.events import Closed, Joined, ParticipantsUpdated, RequestEnded
from kitwire.reconnect_events import Lost, ReconnectEvent, Restarted, Restarting, Resumed, Resuming
from kitwire.session.phases import Phase
from kitwire.session.timers import Timer
from tests.peers.frames import join, join_request, leave
from tests.peers.lives import TOKEN, SessionLife, configured, lasting
from tests.peers.media_lives import PEERS, PUB, SUB, media_join

RECONNECT = rtc.SignalResponse(reconnect=rtc.ReconnectResponse())
ABLE = PeerCapabilities(ice_restart=True)
HEARING = PeerCapabilities(ice_restart=True, datagrams=True)
Action = rtc.LeaveRequest.Action


def established(**options: Unpack[ClientOptions]) -> SessionLife:
    """A session by the new path whose media flows."""
    options.setdefault("path", PathVersion.V1)
    options.setdefault("peers", ABLE)
    life = SessionLife(lasting(configured(**options)))
    life.establish()
    life.take()
    return life


def told(life: SessionLife) -> list[ReconnectEvent | Closed | Joined]:
    """What was said of losses, joins and ends since this was last asked."""
    return [each for each in life.take() if isinstance(each, ReconnectEvent | Closed | Joined)]


def kinds(life: SessionLife) -> list[type]:
    return [type(each) for each in told(life)]


def phase(life: SessionLife) -> Phase:
    return life.session.phase


def waits_for(life: SessionLife) -> Timer | None:
    return life.session.deadline_reason


def last_url(life: SessionLife) -> str:
    return [each.url for each in life.outputs if isinstance(each, OpenLink)][-1]


def query(life: SessionLife) -> dict[str, list[str]]:
    return parse_qs(urlsplit(last_url(life)).query)


def fresh(life: SessionLife, seen: int) -> list[str]:
    """The names of the requests after so many, pings left out."""
    return [name for name in life.said[seen:] if name != "ping_req"]


def resume(life: SessionLife, *answers: rtc.SignalResponse) -> None:
    life.open()
    life.hear(*(answers or (RECONNECT,)))


def own_update(life: SessionLife, *others: models.ParticipantInfo) -> rtc.SignalResponse:
    own = models.ParticipantInfo(sid=join().join.participant.sid, identity="us")
    update = rtc.ParticipantUpdate(participants=[own, *others])
    return rtc.SignalResponse(update=update)


# --- resumes ---


def test_a_link_that_is_lost_is_resumed_at_once() -> None:
    life = established()
    sid = join().join.participant.sid
    life.cut(1006)
    lost, resuming = told(life)
    assert isinstance(lost, Lost)
    assert lost.cause.reason is Reason.LINK_LOST
    assert resuming == Resuming(attempt=1, cause=lost.cause, next_in=0.0)
    assert phase(life) is Phase.OPENING
    resume(life)
    assert phase(life) is Phase.JOINED
    assert told(life) == [Resumed(sid=sid, attempt=1)]
    assert not [each for each in life.outputs if isinstance(each, ClosePeers)]
    assert waits_for(life) is Timer.PING


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 4000])
def test_whatever_the_close_code(code: int | None) -> None:
    life = established()
    life.cut(code)
    assert kinds(life) == [Lost, Resuming]


def test_the_new_path_says_in_its_join_request_that_it_resumes() -> None:
    life = established()
    life.cut()
    request = join_request(last_url(life))
    assert request.reconnect
    assert request.participant_sid == join().join.participant.sid
    assert request.reconnect_reason == models.RR_SIGNAL_DISCONNECTED
    assert not request.HasField("publisher_offer")


def test_sync_state_comes_first_and_held_requests_last_in_order() -> None:
    life = established()
    life.session.update_subscription(subscribe=False, track_sids=["TR_x"], now=life.now)
    life.session.update_subscription_permission(all_participants=False, now=life.now)
    life.session.update_track_settings(["TR_y"], disabled=True, now=life.now)
    life.hear(
        rtc.SignalResponse(
            track_published=rtc.TrackPublishedResponse(
                cid="mic", track=models.TrackInfo(sid="TR_mic")
            )
        )
    )
    life.session.reliable_received("PA_bob", 7, now=life.now)
    life.session.channel_opened(PEERS, PUB, "_reliable", 1, now=life.now)
    seen = len(life.said)
    life.cut()
    first = life.session.mute_track("TR_mic", True, now=life.now)
    second = life.session.update_metadata("m", now=life.now)
    resume(life)
    assert fresh(life, seen) == [
        *("sync_state", "subscription", "subscription_permission"),
        *("mute", "update_metadata"),
    ]
    assert first.number < second.number
    state = next(each for each in life.requests[seen:] if each.HasField("sync_state")).sync_state
    assert [(each.cid, each.track.sid) for each in state.publish_tracks] == [("mic", "TR_mic")]
    assert (list(state.subscription.track_sids), state.subscription.subscribe) == (["TR_x"], False)
    assert list(state.track_sids_disabled) == ["TR_y"]
    assert [(each.publisher_sid, each.last_seq) for each in state.datachannel_receive_states] == [
        ("PA_bob", 7)
    ]
    assert list(state.data_channels) == [
        rtc.DataChannelInfo(label="_reliable", id=1, target=rtc.PUBLISHER)
    ]
    # With one peer connection the offer is ours and the answer the server's.
    assert (state.offer.type, state.offer.sdp) == ("offer", "ours")
    assert (state.answer.type, state.answer.sdp) == ("answer", "theirs")


@pytest.mark.parametrize(
    "answer",
    [
        rtc.SignalResponse(room_update=rtc.RoomUpdate(room=models.Room(sid="RM"))),
        rtc.SignalResponse(refresh_token="fresh.er.one"),
        rtc.SignalResponse(),
    ],
    ids=["a room update", "a token", "nothing known"],
)
def test_any_other_first_message_is_a_resume_too(answer: rtc.SignalResponse) -> None:
    life = established()
    life.cut()
    resume(life, answer)
    assert phase(life) is Phase.JOINED
    assert kinds(life) == [Lost, Resuming, Resumed]


def test_a_token_that_was_refreshed_is_used() -> None:
    life = established()
    life.hear(rtc.SignalResponse(refresh_token="fresh.er.one"))
    life.cut()
    opened = [each for each in life.outputs if isinstance(each, OpenLink)][-1]
    assert dict(opened.headers)["Authorization"] == "Bearer fresh.er.one"
    assert TOKEN not in repr(opened.headers)


def test_a_move_to_another_room_survives_a_resume() -> None:
    life = established()
    life.session.update_subscription(subscribe=False, track_sids=["TR_before"], now=life.now)
    moved = rtc.RoomMovedResponse(
        token="to.the.other",
        room=models.Room(name="other"),
        participant=models.ParticipantInfo(sid="PA_there", identity="us"),
        other_participants=[models.ParticipantInfo(sid="PA_eve", identity="eve")],
    )
    life.hear(rtc.SignalResponse(room_moved=moved))
    seen = len(life.said)
    life.take()
    life.cut()
    assert join_request(last_url(life)).participant_sid == "PA_there"
    opened = [each for each in life.outputs if isinstance(each, OpenLink)][-1]
    assert dict(opened.headers)["Authorization"] == "Bearer to.the.other"
    resume(life)
    # The server has cleared the subscriptions of the room before: none is asked for again.
    assert fresh(life, seen) == ["sync_state"]
    state = next(each for each in life.requests[seen:] if each.HasField("sync_state")).sync_state
    assert not state.subscription.track_sids
    # Who was in that other room, and is not named since, is gone.
    own = models.ParticipantInfo(sid="PA_there", identity="us")
    life.hear(rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=[own])))
    events = life.take()
    (resumed,) = [each for each in events if isinstance(each, Resumed)]
    assert resumed.sid == "PA_there"
    _, news = [each for each in events if isinstance(each, ParticipantsUpdated)]
    assert [(each.identity, each.state) for each in news.participants] == [
        ("eve", msg.ParticipantInfoState.DISCONNECTED)
    ]


def test_an_offer_without_an_answer_is_made_again() -> None:
    life = established()
    life.session.negotiate(now=life.now)
    life.session.offer_made(PEERS, PUB, 2, "second", now=life.now)
    seen = len(life.said)
    life.cut()
    life.wait(0.0)
    resume(life)
    offers = [each.offer for each in life.requests[seen:] if each.HasField("offer")]
    assert [(each.id, each.sdp) for each in offers] == [(2, "second")]


def test_an_offer_that_is_made_meanwhile_waits_for_the_link() -> None:
    life = established()
    life.session.negotiate(now=life.now)
    seen = len(life.said)
    life.cut()
    life.session.offer_made(PEERS, PUB, 2, "second", now=life.now)
    assert fresh(life, seen) == []
    resume(life)
    assert fresh(life, seen) == ["sync_state", "offer"]


def test_the_gate_opens_only_when_media_is_back() -> None:
    life = established()
    life.session.peer_state_changed(PEERS, PUB, PeerState.DISCONNECTED, now=life.now)
    life.cut()
    held = life.session.mute_track("TR_1", True, now=life.now)
    resume(life)
    assert phase(life) is Phase.SETTLING
    assert life.outcome(held) is None
    assert "mute" not in life.said
    # The path may be dead: it is found anew.
    offer = [each for each in life.outputs if isinstance(each, MakeOffer)][-1]
    assert offer.ice_restart
    life.session.offer_made(PEERS, PUB, offer.offer_id, "anew", now=life.now)
    life.session.peer_state_changed(PEERS, PUB, PeerState.CONNECTED, now=life.now)
    assert phase(life) is Phase.SETTLING  # The restart is not in force.
    answer = rtc.SessionDescription(type="answer", sdp="theirs", id=offer.offer_id)
    life.hear(rtc.SignalResponse(answer=answer))
    life.session.answer_applied(PEERS, PUB, offer.offer_id, now=life.now)
    assert phase(life) is Phase.JOINED
    assert "mute" in life.said


def test_resumed_is_said_when_a_datagram_has_come() -> None:
    life = established(peers=HEARING)
    life.cut()
    resume(life)
    assert phase(life) is Phase.JOINED
    assert AwaitDatagram(peers=PEERS, target=PUB) in life.take()
    life.session.datagram_received(PEERS, PUB, now=life.now)
    assert kinds(life) == [Resumed]


def test_reliable_data_above_what_the_server_has_is_sent_again() -> None:
    life = established()
    life.cut()
    resume(life, rtc.SignalResponse(reconnect=rtc.ReconnectResponse(last_message_seq=41)))
    assert ReplayData(peers=PEERS, after=41) in life.take()


@pytest.mark.parametrize("own", [None, ()], ids=["those of the server", "our own"])
def test_ice_servers_named_anew_are_used_by_an_ice_restart(own: tuple[()] | None) -> None:
    life = established(ice_servers=own)
    request = rtc.LeaveRequest(action=Action.RESUME, reason=models.CONNECTION_TIMEOUT)
    life.hear(rtc.SignalResponse(leave=request))
    life.take()
    servers = [rtc.ICEServer(urls=["turn:t.example"], username="until tomorrow")]
    resume(life, rtc.SignalResponse(reconnect=rtc.ReconnectResponse(ice_servers=servers)))
    steps = [each for each in life.take() if isinstance(each, UseIceServers | MakeOffer)]
    if own is None:
        new = msg.IceServer(urls=["turn:t.example"], username="until tomorrow")
        assert steps.pop(0) == UseIceServers(peers=PEERS, ice_servers=(new,))
    (offer,) = steps
    assert isinstance(offer, MakeOffer)
    assert offer.ice_restart


def test_who_is_not_named_after_a_resume_is_gone() -> None:
    life = SessionLife(lasting(configured(path=PathVersion.V1, peers=ABLE)))
    life.establish()
    bob = models.ParticipantInfo(sid="PA_bob", identity="bob")
    eve = models.ParticipantInfo(sid="PA_eve", identity="eve")
    life.hear(own_update(life, bob, eve))
    life.cut()
    life.take()
    resume(life, RECONNECT)
    life.hear(own_update(life, eve))
    updates = [each for each in life.take() if isinstance(each, ParticipantsUpdated)]
    assert [[one.sid for one in each.participants] for each in updates][-1] == ["PA_bob"]
    gone = updates[-1].participants[0]
    assert gone.state is msg.ParticipantInfoState.DISCONNECTED
    life.hear(own_update(life, eve))
    assert [type(each) for each in life.take()] == [ParticipantsUpdated]


# --- what cannot be resumed ---


def test_without_peer_connections_a_session_restarts() -> None:
    life = SessionLife(configured(path=PathVersion.V1, reconnect=ReconnectPolicy()))
    life.reach(Phase.JOINED)
    life.cut()
    assert kinds(life) == [Lost, Restarting]
    assert "reconnect=1" not in last_url(life)
    life.open()
    life.hear(join())
    assert kinds(life) == [Joined, Restarted]


def test_a_server_that_forbids_resumes_gets_a_restart() -> None:
    life = SessionLife(lasting(configured(path=PathVersion.V1, peers=ABLE)))
    message = join()
    message.join.client_configuration.resume_connection = models.DISABLED
    life.connect()
    life.open()
    life.hear(message)
    life.session.offer_made(PEERS, PUB, 1, "ours", now=life.now)
    life.hear(rtc.SignalResponse(answer=rtc.SessionDescription(type="answer", sdp="theirs", id=1)))
    life.session.answer_applied(PEERS, PUB, 1, now=life.now)
    life.session.peer_state_changed(PEERS, PUB, PeerState.CONNECTED, now=life.now)
    life.take()
    life.cut()
    assert kinds(life) == [Lost, Restarting]


def by_two(peers: PeerCapabilities) -> SessionLife:
    """A session by two peer connections, of which the subscriber's is connected."""
    life = SessionLife(lasting(configured(path=PathVersion.V0, peers=peers)))
    life.connect()
    life.open()
    life.hear(media_join(PathVersion.V0))
    life.hear(rtc.SignalResponse(offer=rtc.SessionDescription(type="offer", sdp="o", id=9)))
    life.session.answer_made(PEERS, SUB, 9, "a", now=life.now)
    life.session.peer_state_changed(PEERS, SUB, PeerState.CONNECTED, now=life.now)
    return life


@pytest.mark.parametrize("able", [False, True])
def test_two_peer_connections_need_an_ice_restart(able: bool) -> None:
    """The server makes it, of the subscriber's; the publisher's path is not touched."""
    life = by_two(PeerCapabilities(ice_restart=able))
    life.take()
    life.cut()
    assert kinds(life) == [Lost, Resuming if able else Restarting]
    if able:
        assert query(life)["reconnect"] == ["1"]
        assert query(life)["sid"] == [join().join.participant.sid]
        assert query(life)["reconnect_reason"] == ["1"]
        seen = len(life.said)
        resume(life)
        state = life.requests[seen].sync_state
        assert (state.offer.sdp, state.answer.sdp) == ("o", "a")
        assert kinds(life) == [Resumed]


def test_the_path_of_a_publisher_that_lives_is_kept_beside_a_subscriber() -> None:
    life = by_two(ABLE)
    life.session.negotiate(now=life.now)
    life.session.offer_made(PEERS, PUB, 1, "ours", now=life.now)
    life.hear(rtc.SignalResponse(answer=rtc.SessionDescription(type="answer", sdp="t", id=1)))
    life.session.answer_applied(PEERS, PUB, 1, now=life.now)
    life.session.peer_state_changed(PEERS, PUB, PeerState.CONNECTED, now=life.now)
    life.take()
    life.cut()
    resume(life)
    assert not [each for each in life.take() if isinstance(each, MakeOffer)]
    life.session.peer_state_changed(PEERS, PUB, PeerState.FAILED, now=life.now)
    resume(life)
    (made,) = [each for each in life.take() if isinstance(each, MakeOffer)]
    assert made.ice_restart


# --- leaves ---

LEAVES: dict[str, tuple[int, bool, list[type]]] = {
    "resume": (Action.RESUME, False, [Lost, Resuming]),
    "reconnect": (Action.RECONNECT, False, [Lost, Restarting]),
    "unknown": (9, False, [Lost, Restarting]),
    "disconnect": (Action.DISCONNECT, False, [Closed]),
    "before protocol 13": (Action.DISCONNECT, True, [Lost, Restarting]),
}


@pytest.mark.parametrize("name", LEAVES)
def test_a_leave_of_each_kind(name: str) -> None:
    action, can_reconnect, expected = LEAVES[name]
    life = established()
    request = rtc.LeaveRequest(action=action, can_reconnect=can_reconnect)  # type: ignore[arg-type]  # an int, as on the wire
    life.hear(rtc.SignalResponse(leave=request))
    assert kinds(life) == expected


@pytest.mark.parametrize("name", LEAVES)
def test_a_leave_in_answer_to_a_resume(name: str) -> None:
    action, can_reconnect, expected = LEAVES[name]
    life = established()
    life.cut()
    life.take()
    request = rtc.LeaveRequest(action=action, can_reconnect=can_reconnect)  # type: ignore[arg-type]  # an int, as on the wire
    resume(life, rtc.SignalResponse(leave=request))
    assert kinds(life) == [kind for kind in expected if kind is not Lost]


def test_a_leave_for_a_dead_path_restarts_ice() -> None:
    life = established()
    request = rtc.LeaveRequest(action=Action.RESUME, reason=models.CONNECTION_TIMEOUT)
    life.hear(rtc.SignalResponse(leave=request))
    resume(life)
    offer = [each for each in life.outputs if isinstance(each, MakeOffer)][-1]
    assert offer.ice_restart


def test_without_ice_restarts_a_leave_for_a_dead_path_restarts_the_session() -> None:
    life = established(peers=PeerCapabilities())
    request = rtc.LeaveRequest(action=Action.RESUME, reason=models.CONNECTION_TIMEOUT)
    life.hear(rtc.SignalResponse(leave=request))
    assert kinds(life) == [Lost, Restarting]


# --- media ---


@pytest.mark.parametrize("tcp", [False, True])
def test_a_peer_connection_that_fails_is_found_anew_by_a_resume(tcp: bool) -> None:
    life = established(peers=PeerCapabilities(ice_restart=True, ice_tcp=tcp))
    life.session.peer_state_changed(PEERS, PUB, PeerState.FAILED, now=life.now)
    assert kinds(life) == [Lost, Resuming]
    # A server that hears of a failed connection may insist on TCP.
    reason = models.RR_PUBLISHER_FAILED if tcp else models.RR_SIGNAL_DISCONNECTED
    assert join_request(last_url(life)).reconnect_reason == reason
    resume(life)
    assert phase(life) is Phase.SETTLING
    assert [each for each in life.outputs if isinstance(each, MakeOffer)][-1].ice_restart


def test_a_server_that_puts_us_out_may_close_the_peer_connections_before_it_says_why() -> None:
    life = established()
    life.session.peer_state_changed(PEERS, PUB, PeerState.CLOSED, now=life.now)
    life.wait(Timeouts().close - 0.01)
    leave = rtc.LeaveRequest(reason=models.PARTICIPANT_REMOVED)
    life.hear(rtc.SignalResponse(leave=leave))
    (closed,) = told(life)
    assert isinstance(closed, Closed)
    assert closed.reason.reason is Reason.PARTICIPANT_REMOVED


def test_closed_peer_connections_are_not_resumed() -> None:
    """An ICE restart brings back a path, and no peer connection."""
    life = established()
    life.session.peer_state_changed(PEERS, PUB, PeerState.CLOSED, now=life.now)
    assert (kinds(life), waits_for(life)) == ([], Timer.FAREWELL)
    seen = len(life.said)
    life.wait(Timeouts().close)
    assert kinds(life) == [Lost, Restarting]
    assert fresh(life, seen) == ["leave"]  # No ghost of us is kept.
    assert waits_for(life) is Timer.OPEN


def test_peer_connections_that_close_while_the_session_resumes_end_the_resume() -> None:
    life = established()
    life.cut()
    life.session.peer_state_changed(PEERS, PUB, PeerState.CLOSED, now=life.now)
    assert kinds(life) == [Lost, Resuming]
    resume(life)
    assert kinds(life) == [Restarting]


def test_and_so_do_those_that_close_while_the_session_settles() -> None:
    life = established(peers=HEARING)
    life.session.peer_state_changed(PEERS, PUB, PeerState.FAILED, now=life.now)
    resume(life)
    assert (phase(life), kinds(life)) == (Phase.SETTLING, [Lost, Resuming])
    life.session.peer_state_changed(PEERS, PUB, PeerState.CLOSED, now=life.now)
    life.wait(Timeouts().close)
    assert kinds(life) == [Restarting]


def test_a_silent_transport_is_a_loss() -> None:
    life = established(peers=HEARING)
    begun = life.now
    life.session.datagram_received(PEERS, PUB, now=life.now)
    while phase(life) is Phase.JOINED:
        assert life.session.deadline is not None
        life.now = life.session.deadline
        life.session.handle_timeout(now=life.now)
        if phase(life) is Phase.JOINED:
            life.session._keepalive.heard(life.now)  # The link is well.
    assert life.now == begun + 5.0
    lost = next(each for each in told(life) if isinstance(each, Lost))
    assert lost.cause.reason is Reason.MEDIA_FAILURE
    assert "nothing came" in lost.cause.detail


def test_media_that_does_not_come_back_restarts_the_session() -> None:
    life = established()
    life.session.peer_state_changed(PEERS, PUB, PeerState.FAILED, now=life.now)
    resume(life)
    life.take()
    while phase(life) is Phase.SETTLING:
        life.hear(rtc.SignalResponse(pong=1))
        life.wait(1)
    events = told(life)
    assert isinstance(events[0], Restarting)
    assert events[0].attempt == 2
    assert ClosePeers(peers=PEERS) in life.outputs
    assert life.said[-1] == "leave"


def test_a_negotiation_that_fails_restarts_the_session() -> None:
    life = established()
    life.session.negotiate(now=life.now)
    life.session.peer_failed(PEERS, PUB, "no", now=life.now)
    assert kinds(life) == [Lost, Restarting]
    assert life.said[-1] == "leave"


# --- restarts ---


def restarted(life: SessionLife) -> None:
    life.hear(rtc.SignalResponse(leave=rtc.LeaveRequest(action=Action.RECONNECT)))
    life.open()
    message = join()
    message.join.participant.sid = "PA_anew"
    life.hear(message)


def test_a_restart_is_over_when_media_flows_again() -> None:
    life = established()
    life.hear(
        rtc.SignalResponse(
            track_published=rtc.TrackPublishedResponse(
                cid="mic", track=models.TrackInfo(sid="TR_mic")
            )
        )
    )
    restarted(life)
    assert kinds(life) == [Lost, Restarting, Joined]
    assert phase(life) is Phase.JOINED
    second = PeersId(2)
    opened = [each for each in life.outputs if isinstance(each, OpenPeers)][-1]
    assert opened.peers == second
    life.session.offer_made(second, PUB, 1, "ours", now=life.now)
    life.hear(rtc.SignalResponse(answer=rtc.SessionDescription(type="answer", sdp="theirs", id=1)))
    life.session.answer_applied(second, PUB, 1, now=life.now)
    life.session.peer_state_changed(second, PUB, PeerState.CONNECTED, now=life.now)
    (done,) = told(life)
    assert isinstance(done, Restarted)
    assert done.sid == "PA_anew"
    assert [(each.cid, each.track.sid) for each in done.lost_tracks if each.track] == [
        ("mic", "TR_mic")
    ]


def test_what_we_want_of_others_is_asked_for_again_after_a_restart() -> None:
    life = established()
    life.session.update_subscription(subscribe=False, track_sids=["TR_x"], now=life.now)
    life.session.update_track_settings(["TR_y"], width=320, now=life.now)
    seen = len(life.said)
    restarted(life)
    assert fresh(life, seen) == ["subscription", "track_setting"]


def test_a_restart_without_media_is_not_the_end_of_the_episode() -> None:
    peers = PeerCapabilities()
    life = SessionLife(lasting(configured(path=PathVersion.V0, peers=peers)))
    life.connect()
    life.open()
    life.hear(media_join(PathVersion.V0))
    life.hear(rtc.SignalResponse(offer=rtc.SessionDescription(type="offer", sdp="o", id=9)))
    life.session.answer_made(PEERS, SUB, 9, "a", now=life.now)
    life.session.peer_state_changed(PEERS, SUB, PeerState.CONNECTED, now=life.now)
    life.cut()
    life.open()
    life.hear(media_join(PathVersion.V0))  # And then the server never offers anything.
    life.take()
    for _ in range(16):
        life.hear(rtc.SignalResponse(pong=1))
        life.wait(1)
    (event,) = told(life)
    assert isinstance(event, Restarting)
    assert event.attempt == 2


def test_bound_requests_fail_and_free_ones_are_kept() -> None:
    life = established()
    sent = life.session.update_metadata("sent", now=life.now)
    life.hear(rtc.SignalResponse(leave=rtc.LeaveRequest(action=Action.RESUME)))
    held = life.session.mute_track("TR_1", True, now=life.now)
    free = life.session.update_metadata("kept", now=life.now)
    seen = len(life.said)
    life.open()
    life.hear(rtc.SignalResponse(leave=rtc.LeaveRequest(action=Action.RECONNECT)))
    for key in (sent, held):
        ended = life.outcome(key)
        assert isinstance(ended, RequestEnded)
        assert ended.failure is not None
        assert ended.failure.reason is FailureReason.ABORTED
    assert life.outcome(free) is None
    life.open()
    life.hear(join())
    assert fresh(life, seen) == ["update_metadata"]


def test_a_join_in_answer_to_a_resume_is_a_restart() -> None:
    life = established()
    life.cut()
    life.take()
    resume(life, join())
    assert ClosePeers(peers=PEERS) in life.outputs
    assert phase(life) is Phase.JOINED
    assert [each.peers for each in life.outputs if isinstance(each, OpenPeers)][-1] == PeersId(2)
    assert kinds(life) == [Joined]


def test_a_new_link_does_not_pay_for_the_malformed_frames_of_the_last() -> None:
    life = established()
    for _ in range(4):
        life.hear_frame(b"\xff")
    life.cut()
    resume(life)
    life.hear_frame(b"\xff")
    assert phase(life) is Phase.JOINED


def test_an_old_link_is_not_heard() -> None:
    life = established()
    old = life.link
    life.cut()
    life.open()
    life.session.receive_message(old, leave().SerializeToString(), now=life.now)
    life.session.link_closed(old, now=life.now)
    assert phase(life) is Phase.JOINING


# --- attempts, and their end ---


def test_a_resume_is_tried_three_times_and_a_restart_after_that() -> None:
    life = established()
    attempts: list[tuple[type, int]] = []
    life.cut()
    for _ in range(10):
        attempts += [
            (type(each), each.attempt)
            for each in told(life)
            if isinstance(each, Resuming | Restarting)
        ]
        life.wait(8)
        if life.session.closed:
            break
        life.cut()
    assert attempts == [(Resuming if n <= 3 else Restarting, n) for n in range(1, 11)]
    assert life.session.closed


def test_when_attempts_run_out_closed_says_what_began_it() -> None:
    life = established(reconnect=ReconnectPolicy(attempts=2))
    life.cut(1006, "the first cause")
    life.refuse(503, b"down")
    life.answer_get(503, b"down")
    life.wait(1)
    life.cut()
    assert "the first cause" in life.reason.detail
    assert life.reason.retryable


def test_a_server_that_throws_out_whom_it_lets_in_is_given_up() -> None:
    life = SessionLife(configured(path=PathVersion.V1, reconnect=ReconnectPolicy()))
    life.reach(Phase.JOINED)
    began = life.now
    for attempt in range(1, 11):
        life.cut()
        event = told(life)[-1]
        assert isinstance(event, Restarting)
        assert event.attempt == attempt
        life.wait(event.next_in)
        life.open()
        life.hear(join())
    life.cut(detail="once too often")
    assert "once too often" in life.reason.detail
    assert life.reason.retryable
    assert life.now - began == pytest.approx(0.3 + 0.6 + 1.2 + 2.4 + 4.8 + 4 * 7)


def test_the_waits_are_full_jitter_under_a_bound() -> None:
    draws = iter([0.5, 1.0, 0.0, 1.0])
    life = SessionLife(lasting(configured(path=PathVersion.V1, peers=ABLE)))
    life.session._jitter = lambda: next(draws)
    life.establish()
    life.take()
    life.cut()
    waits: list[float] = []
    for _ in range(4):
        life.cut()
        (event,) = told(life)[-1:]
        assert isinstance(event, Resuming | Restarting)
        waits.append(event.next_in)
        life.wait(event.next_in)
    assert waits == pytest.approx([0.15, 0.6, 0.0, 2.4])


def test_reconnect_now_ends_a_wait() -> None:
    life = established()
    life.cut()
    life.cut()
    assert phase(life) is Phase.WAITING
    assert waits_for(life) is Timer.RETRY
    for _ in range(2):  # Harmless when none is waited for.
        life.session.reconnect_now(now=life.now)
        assert waits_for(life) is Timer.OPEN


def test_success_ends_the_count() -> None:
    life = established()
    for _ in range(25):
        life.cut()
        life.cut()
        life.wait(1)
        resume(life)
        assert [type(each) for each in told(life)] == [Lost, Resuming, Resuming, Resumed]


def test_an_expired_token_ends_it_at_once() -> None:
    life = established()
    life.cut()
    life.refuse(401, b"invalid token")
    life.answer_get(401, b"invalid token")
    assert (life.reason.origin, life.reason.reason) == (Origin.AUTH, Reason.BAD_TOKEN)


def test_a_leave_for_good_during_an_episode_is_the_reason() -> None:
    life = established()
    life.cut()
    resume(life, leave(models.DUPLICATE_IDENTITY))
    assert life.reason.reason is Reason.DUPLICATE_IDENTITY


def test_what_never_stood_is_not_brought_back() -> None:
    life = SessionLife(lasting(configured(path=PathVersion.V1)))
    life.connect()
    life.cut()
    assert kinds(life) == [Closed]
    life = SessionLife(lasting(configured(path=PathVersion.V1)))
    life.reach(Phase.JOINED)  # No media yet.
    life.cut()
    assert kinds(life) == [Closed]


def test_the_metadata_of_the_config_is_not_joined_with_again_when_the_token_has_newer() -> None:
    for refreshed in (False, True):
        life = established(metadata="old", attributes={"a": "1"})
        if refreshed:
            life.hear(rtc.SignalResponse(refresh_token="fresh.er.one"))
        life.hear(rtc.SignalResponse(leave=rtc.LeaveRequest(action=Action.RECONNECT)))
        request = join_request(last_url(life))
        assert request.metadata == ("" if refreshed else "old")
        assert dict(request.participant_attributes) == ({} if refreshed else {"a": "1"})
