"""Whole lives of a session: opening, the first message, ends of every kind, links that are gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.commands import (
    CloseLink,
    ClosePeers,
    HttpGet,
    LinkId,
    OpenLink,
    SendMessage,
    SessionCommand,
)
from kitwire.config import Limits, PathVersion, Timeouts
from kitwire.errors import (
    CloseReason,
    DialError,
    FailureReason,
    LocalProtocolError,
    Origin,
    Reason,
)
from kitwire.events import (
    Closed,
    Event,
    FrameRejected,
    Joined,
    LeaveReceived,
    ParticipantsUpdated,
    PongReceived,
    ProtocolViolated,
    RequestEnded,
    TokenRefreshed,
    UnknownMessage,
)
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from kitwire.session.timers import Timer
from tests.peers.frames import join, leave, said
from tests.peers.lives import TOKEN, SessionLife, configured, snapshot

REFRESH = rtc.SignalResponse(refresh_token="newer")
UPDATE = rtc.SignalResponse(
    update=rtc.ParticipantUpdate(participants=[models.ParticipantInfo(sid="PA_bob")])
)


# --- Opening ---


def test_connecting_opens_one_link() -> None:
    life = SessionLife()
    life.connect()
    (command,) = life.take()
    assert isinstance(command, OpenLink)
    assert command.link == 1
    assert "/rtc/v1?join_request=" in command.url
    assert life.session.phase is Phase.OPENING


def test_a_session_connects_once() -> None:
    life = SessionLife()
    life.connect()
    with pytest.raises(LocalProtocolError, match=r"connect: not allowed in phase OPENING"):
        life.connect()


@pytest.mark.parametrize("body", [b"404 page not found\n", b"", b"requested room does not exist"])
def test_a_404_on_the_new_path_falls_back_to_the_old_one(body: bytes) -> None:
    life = SessionLife(now=0.0)
    life.connect()
    life.now = 10.0
    life.refuse(404, body)
    close, second = life.take()[-2:]
    assert close == CloseLink(link=LinkId(1))
    assert isinstance(second, OpenLink)
    assert (second.link, "/rtc?" in second.url) == (2, True)
    # The second attempt has all the time of the first.
    assert (life.session.deadline_reason, life.session.deadline) == (Timer.OPEN, 25.0)
    life.open()
    life.hear(join())
    (joined,) = [item for item in life.events if isinstance(item, Joined)]
    assert joined.path == "/rtc"


@pytest.mark.parametrize("path", [PathVersion.V1, PathVersion.V0])
def test_a_404_on_a_path_that_was_forced_is_asked_about(path: PathVersion) -> None:
    life = SessionLife(configured(path=path))
    life.connect()
    life.refuse(404, b"404 page not found")
    assert life.session.phase is Phase.VALIDATING
    life.answer_get(404, b"404 page not found")
    assert life.reason.reason is Reason.SERVICE_MISSING


def test_a_404_on_both_paths_is_explained_there() -> None:
    life = SessionLife()
    life.connect()
    life.refuse(404)
    life.refuse(404)
    get = life.take()[-1]
    assert isinstance(get, HttpGet)
    assert (get.link, "/rtc/validate?" in get.url) == (3, True)
    life.answer_get(404, b"requested room does not exist")
    assert life.reason.reason is Reason.ROOM_MISSING


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 500, 503])
def test_only_a_404_falls_back(status: int) -> None:
    life = SessionLife()
    life.connect()
    life.refuse(status)
    assert life.session.phase is Phase.VALIDATING


def test_an_unanswered_explanation_leaves_the_refusal() -> None:
    life = SessionLife(now=0.0)
    life.connect()
    life.refuse(401, b"invalid API key: x")
    life.wait(2.9)
    assert life.session.phase is Phase.VALIDATING
    life.wait(0.2)
    assert life.reason == CloseReason(
        origin=Origin.AUTH,
        reason=Reason.BAD_TOKEN,
        detail="HTTP 401: invalid API key: x",
        retryable=False,
    )


def test_a_late_refusal_is_still_asked_about_in_full() -> None:
    life = SessionLife(now=0.0)
    life.connect()
    life.wait(14.0)
    life.refuse(500)
    assert (life.session.deadline_reason, life.session.deadline) == (Timer.VALIDATE, 17.0)
    life.wait(2.9)
    life.answer_get(401)
    assert life.reason.reason is Reason.BAD_TOKEN


@pytest.mark.parametrize(
    "lose",
    [
        lambda life: life.cut(),
        lambda life: life.session.link_failed(life.link, DialError.REFUSED, now=life.now),
    ],
)
def test_a_lost_explanation_leaves_the_refusal(lose: Callable[[SessionLife], None]) -> None:
    life = SessionLife()
    life.connect()
    life.refuse(503, b"no nodes")
    lose(life)
    assert life.reason.detail == "HTTP 503: no nodes"


def test_an_upgrade_that_is_not_answered_times_out() -> None:
    life = SessionLife(configured(timeouts=Timeouts(open=2)), now=0.0)
    life.connect()
    life.wait(1.99)
    assert not life.session.closed
    life.wait(0.01)
    assert (life.reason.origin, life.reason.reason) == (Origin.TIMEOUT, Reason.OPEN_TIMEOUT)
    assert life.reason.retryable
    assert life.said == []


def test_a_join_that_does_not_come_times_out_and_the_server_is_told() -> None:
    life = SessionLife(now=0.0)
    life.connect()
    life.open()
    life.hear(REFRESH)
    life.wait(5.0)
    assert (life.reason.origin, life.reason.reason) == (Origin.TIMEOUT, Reason.JOIN_TIMEOUT)
    assert life.requests == [
        rtc.SignalRequest(
            leave=rtc.LeaveRequest(
                reason=models.CLIENT_INITIATED, action=rtc.LeaveRequest.DISCONNECT
            )
        )
    ]
    assert [type(item) for item in life.outputs] == [OpenLink, SendMessage, CloseLink, Closed]


def test_a_link_that_opens_twice_opens_once() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINING)
    life.now = 3.0
    life.open()
    assert life.session.deadline == 5.0


# --- The first message ---


def test_what_comes_before_the_join_waits_for_it_in_order() -> None:
    life = SessionLife()
    life.reach(Phase.JOINING)
    life.hear(REFRESH)
    life.hear_frame(b"\xfa\x3f\x00")
    life.hear_frame(b"\x0a\xff")
    life.hear(UPDATE, rtc.SignalResponse(reconnect=rtc.ReconnectResponse()))
    assert life.take() == []
    assert life.session.token == TOKEN
    life.hear(join())
    assert [type(event) for event in life.events] == [
        Joined,
        TokenRefreshed,
        UnknownMessage,
        FrameRejected,
        ParticipantsUpdated,
        ProtocolViolated,
    ]
    assert life.session.token == "newer"


def test_only_so_much_may_come_before_the_join() -> None:
    life = SessionLife()
    life.reach(Phase.JOINING)
    life.hear(*[REFRESH] * 50)
    for _ in range(50):
        life.hear_frame(b"")
    assert life.session.phase is Phase.JOINING
    life.hear(UPDATE)
    assert (life.reason.origin, life.reason.reason) == (Origin.PROTOCOL, Reason.PROTOCOL_ERROR)
    assert life.reason.detail == "more than 100 messages came before the join"
    assert life.events == [Closed(reason=life.reason)]


def test_a_leave_instead_of_a_join_is_told_by_closed_alone() -> None:
    life = SessionLife()
    life.reach(Phase.JOINING)
    life.hear(REFRESH, leave(models.JOIN_FAILURE), join())
    assert life.reason.reason is Reason.JOIN_FAILURE
    assert life.events == [Closed(reason=life.reason)]


@pytest.mark.parametrize(
    "late",
    [
        join(),
        REFRESH,
        rtc.SignalResponse(reconnect=rtc.ReconnectResponse()),
        rtc.SignalResponse(request_response=rtc.RequestResponse(request_id=1)),
    ],
)
def test_what_comes_after_giving_up_the_join_is_not_told(late: rtc.SignalResponse) -> None:
    """No event comes before Joined, and there will be none."""
    life = SessionLife()
    life.reach(Phase.JOINING)
    life.hear(REFRESH)
    life.close()
    life.hear(late)
    life.hear_frame(b"\xfa\x3f\x00")
    life.hear_frame(b"\x0a\xff")
    assert life.session.phase is Phase.CLOSING
    assert life.events == []
    life.hear(leave(models.CLIENT_INITIATED))
    assert life.reason.reason is Reason.CANCELLED
    assert life.events == [Closed(reason=life.reason)]


def test_the_first_of_many_comes_first() -> None:
    life = SessionLife()
    life.reach(Phase.JOINING)
    life.hear(join(), REFRESH, leave())
    assert [type(event) for event in life.events] == [
        Joined,
        TokenRefreshed,
        LeaveReceived,
        Closed,
    ]


# --- In the room ---


@pytest.mark.parametrize("token", ["", "a b", "tökén", "a\nb"])
def test_a_refreshed_token_that_could_not_travel_is_not_taken_over(token: str) -> None:
    life = SessionLife()
    life.reach(Phase.JOINED)
    moved = rtc.RoomMovedResponse(token=token)
    life.hear(rtc.SignalResponse(refresh_token=token), rtc.SignalResponse(room_moved=moved))
    assert life.session.token == TOKEN
    assert len(life.events) == 3


def test_a_move_brings_a_token() -> None:
    life = SessionLife()
    life.reach(Phase.JOINED)
    life.hear(rtc.SignalResponse(room_moved=rtc.RoomMovedResponse(token="moved")))
    assert life.session.token == "moved"


def test_malformed_frames_are_forgiven_when_good_ones_come_between() -> None:
    life = SessionLife(configured(limits=Limits(malformed_frames=3)))
    life.reach(Phase.JOINED)
    for _ in range(5):
        life.hear_frame(b"\x0a\xff")
        life.hear_frame("[")
        life.hear(REFRESH)
    assert life.session.phase is Phase.JOINED
    for _ in range(3):
        life.hear_frame(b"\x0a\xff")
    assert life.reason.reason is Reason.PROTOCOL_ERROR
    assert life.reason.detail == "3 malformed frames in a row"
    rejected = [event for event in life.events if isinstance(event, FrameRejected)]
    assert len(rejected) == 13
    assert rejected[0].size == 2


def test_a_frame_beyond_the_limit_is_rejected() -> None:
    life = SessionLife(configured(limits=Limits(receive=100)))
    life.reach(Phase.JOINING)
    life.hear_frame(said(rtc.SignalResponse(refresh_token="t" * 97)))
    life.hear_frame(said(rtc.SignalResponse(refresh_token="t" * 98)))
    life.hear(rtc.SignalResponse(join=rtc.JoinResponse()))
    assert [type(event) for event in life.events] == [Joined, TokenRefreshed, FrameRejected]


def test_a_whole_life_on_the_old_path() -> None:
    """Everything that a session does by itself and when asked, until the server goes silent."""
    life = SessionLife(
        configured(path=PathVersion.V0, metadata="hello", publisher_offer="v=0"), now=0.0
    )
    life.connect()
    held = life.session.update_subscription(subscribe=True, track_sids=["TR_1"], now=life.now)
    life.open()
    life.hear(join(ping_interval=5, ping_timeout=7))
    life.now += 0.5
    life.hear(rtc.SignalResponse(pong_resp=rtc.Pong(last_ping_timestamp=0)))
    life.session.send_answer("v=0", offer_id=3, now=life.now)
    life.session.send_ping_req(now=life.now)
    life.oversleep(60.0)
    life.wait(10.0)
    assert life.reason.reason is Reason.PING_TIMEOUT
    assert life.said == [
        "ping_req",
        "offer",
        "update_metadata",
        "subscription",
        "answer",
        "ping_req",  # asked for
        "ping_req",  # overdue
        "ping_req",  # because nobody was there to hear
        "ping_req",  # due again when the grace is over
    ]
    assert [type(item) for item in life.events] == [
        Joined,
        RequestEnded,  # the subscription, which is done when it is sent
        PongReceived,
        RequestEnded,  # the metadata, to which nobody answered
        Closed,
    ]
    outcome = life.outcome(held)
    assert outcome is not None
    assert outcome.failure is None
    pong = life.events[2]
    assert isinstance(pong, PongReceived)
    assert pong.rtt == 0.5


def test_silence_ends_a_session_whose_loop_is_punctual() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINED)
    life.wait(15.0)
    assert life.reason.reason is Reason.PING_TIMEOUT


def test_a_malformed_frame_too_many_before_the_join_closes_once() -> None:
    """Both bounds are passed by the same frame."""
    life = SessionLife(configured(limits=Limits(malformed_frames=101)))
    life.reach(Phase.JOINING)
    for _ in range(101):
        life.hear_frame(b"\x0a\xff")
    assert life.reason.detail == "101 malformed frames in a row"


# --- Leaving ---


def test_leaving_says_so_and_waits_for_the_server() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINED)
    life.session.close(now=life.now, leave_reason=msg.DisconnectReason.USER_UNAVAILABLE)
    (command,) = life.take()
    assert isinstance(command, SendMessage)
    assert life.requests[-1].leave.reason == models.USER_UNAVAILABLE
    life.hear(UPDATE, leave(models.CLIENT_INITIATED))
    assert [type(item) for item in life.take()] == [
        ParticipantsUpdated,
        LeaveReceived,
        CloseLink,
        Closed,
    ]
    assert life.reason.reason is Reason.CLIENT_INITIATED


@pytest.mark.parametrize("code", [None, 1000, 1006])
def test_leaving_is_done_when_the_link_closes(code: int | None) -> None:
    life = SessionLife()
    life.reach(Phase.CLOSING)
    life.cut(code)
    assert life.reason.reason is Reason.CLIENT_INITIATED


def test_leaving_does_not_wait_for_ever() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.CLOSING)
    life.wait(0.99)
    assert not life.session.closed
    life.wait(0.02)
    assert life.reason.reason is Reason.CLIENT_INITIATED


def test_nothing_is_said_after_the_leave() -> None:
    life = SessionLife(now=0.0)
    life.reach(Phase.JOINED)
    key = life.session.update_metadata(name="x", now=life.now)
    life.wait(4.5)
    life.close()  # The next ping would be due at 5.0, and so would the end of the request.
    life.wait(0.9)
    assert life.said == ["ping_req", "update_metadata", "leave"]
    assert life.outcome(key) is None
    life.wait(0.2)
    outcome = life.outcome(key)
    assert outcome is not None
    assert outcome.failure is not None
    assert outcome.failure.reason is FailureReason.ABORTED


def test_a_session_that_is_over_holds_nothing_of_what_it_heard() -> None:
    life = SessionLife()
    life.reach(Phase.JOINING)
    life.session.mute_track("TR_1", True, now=life.now)
    life.hear(REFRESH)
    life.cut()
    life.take()
    assert "newer" not in str(snapshot(life.session))
    assert len(life.session._outbox._pending) == 0


def test_closing_again_changes_nothing() -> None:
    life = SessionLife()
    life.reach(Phase.CLOSING)
    before = snapshot(life.session)
    life.session.close(now=life.now + 9, leave_reason=msg.DisconnectReason.USER_REJECTED)
    assert snapshot(life.session) == before


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.CLOSED])
def test_a_cause_of_the_callers_is_what_closed_says(phase: Phase) -> None:
    cause = CloseReason(
        origin=Origin.LOCAL, reason=Reason.EVENTS_OVERFLOWED, detail="x", retryable=True
    )
    life = SessionLife()
    life.reach(phase)
    life.session.close(now=life.now, cause=cause)
    life.wait(5.0)
    expected = Reason.CLIENT_INITIATED if phase is Phase.CLOSING else cause.reason
    assert life.reason.reason is expected


CLOSES = {
    Phase.IDLE: (Reason.CANCELLED, [Closed]),
    Phase.PREPARING: (Reason.CANCELLED, [ClosePeers, Closed]),
    Phase.OPENING: (Reason.CANCELLED, [CloseLink, Closed]),
    Phase.VALIDATING: (Reason.CANCELLED, [CloseLink, Closed]),
    Phase.JOINING: (Reason.CANCELLED, [SendMessage, CloseLink, Closed]),
    Phase.JOINED: (Reason.CLIENT_INITIATED, [SendMessage, CloseLink, Closed]),
    Phase.SETTLING: (Reason.CLIENT_INITIATED, [SendMessage, ClosePeers, CloseLink, Closed]),
    Phase.WAITING: (Reason.CLIENT_INITIATED, [ClosePeers, Closed]),
    Phase.CLOSING: (Reason.CLIENT_INITIATED, [CloseLink, Closed]),
    Phase.CLOSED: (Reason.LINK_LOST, []),
}


@pytest.mark.parametrize("phase", Phase)
def test_close_in_every_phase(phase: Phase) -> None:
    reason, outputs = CLOSES[phase]
    life = SessionLife()
    life.reach(phase)
    life.close()
    life.wait(10.0)
    assert [type(item) for item in life.take()] == outputs
    assert life.reason.reason is reason


@pytest.mark.parametrize("phase", [Phase.JOINED, Phase.CLOSING, Phase.JOINING])
def test_links_are_let_go_and_requests_ended_before_closed(phase: Phase) -> None:
    life = SessionLife()
    life.reach(Phase.JOINED if phase is Phase.CLOSING else phase)
    for sid in "AB":
        life.session.mute_track(sid, True, now=life.now)
    if phase is Phase.CLOSING:
        life.close()
    life.take()
    life.cut(1006)
    assert [type(item) for item in life.take()] == [CloseLink, RequestEnded, RequestEnded, Closed]


# --- Links that are gone ---

STALE_INPUTS: dict[str, Callable[[Session, LinkId], None]] = {
    "link_opened": lambda session, link: session.link_opened(link, now=2000.0),
    "link_refused": lambda session, link: session.link_refused(link, 404, b"", now=2000.0),
    "link_failed": lambda session, link: session.link_failed(link, DialError.TLS, now=2000.0),
    "link_closed": lambda session, link: session.link_closed(link, code=1000, now=2000.0),
    "http_responded": lambda session, link: session.http_responded(link, 401, b"", now=2000.0),
    "a join": lambda session, link: session.receive_message(link, said(join()), now=2000.0),
    "a leave": lambda session, link: session.receive_message(link, said(leave()), now=2000.0),
    "no frame": lambda session, link: session.receive_message(link, b"\xff", now=2000.0),
}


def test_every_input_about_a_link_is_among_the_stale_ones() -> None:
    inputs = {name for name in vars(Session) if name.startswith(("link_", "http_", "receive_"))}
    named = {name if name in inputs else "receive_message" for name in STALE_INPUTS}
    assert named == inputs


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", STALE_INPUTS)
def test_a_link_that_is_gone_or_never_was_changes_nothing(name: str, phase: Phase) -> None:
    life = SessionLife()
    life.connect()
    life.refuse(404)  # So that there is a link that is gone.
    if phase in (Phase.SETTLING, Phase.WAITING) or phase in (Phase.IDLE, Phase.PREPARING):
        life = SessionLife()
        life.reach(phase)
    elif phase is not Phase.OPENING:
        steps: dict[Phase, list[Callable[[], None]]] = {
            Phase.VALIDATING: [lambda: life.refuse(500)],
            Phase.JOINING: [life.open],
            Phase.JOINED: [life.open, lambda: life.hear(join())],
            Phase.CLOSING: [life.open, lambda: life.hear(join()), life.close],
            Phase.CLOSED: [life.open, lambda: life.hear(join()), life.cut],
        }
        for step in steps[phase]:
            step()
    assert life.session.phase is phase
    newest = life.link
    before = snapshot(life.session)
    for link in (LinkId(1), LinkId(newest + 1), LinkId(0), LinkId(-1)):
        STALE_INPUTS[name](life.session, link)
    if phase is Phase.CLOSED:
        STALE_INPUTS[name](life.session, newest)
    assert snapshot(life.session) == before


# What a link may report that it cannot mean in this phase: noted, and without consequence.
SENSELESS: list[tuple[Phase, str]] = [
    (Phase.OPENING, "http_responded"),
    (Phase.OPENING, "a join"),
    (Phase.OPENING, "no frame"),
    (Phase.VALIDATING, "link_opened"),
    (Phase.VALIDATING, "link_refused"),
    (Phase.VALIDATING, "a leave"),
    (Phase.JOINING, "link_opened"),
    (Phase.JOINING, "link_refused"),
    (Phase.JOINING, "http_responded"),
    (Phase.JOINED, "link_opened"),
    (Phase.JOINED, "link_refused"),
    (Phase.JOINED, "http_responded"),
    (Phase.CLOSING, "link_opened"),
    (Phase.CLOSING, "link_refused"),
    (Phase.CLOSING, "http_responded"),
]


@pytest.mark.parametrize(("phase", "name"), SENSELESS)
def test_reports_that_make_no_sense_are_without_consequence(phase: Phase, name: str) -> None:
    life = SessionLife()
    life.reach(phase)
    before = (life.session.phase, life.session.deadline, life.session.deadline_reason)
    STALE_INPUTS[name](life.session, life.link)
    assert (life.session.phase, life.session.deadline, life.session.deadline_reason) == before
    assert life.take() == []


# --- Draining ---

SCRIPT: list[Callable[[SessionLife], object]] = [
    SessionLife.connect,
    lambda life: life.session.link_refused(LinkId(1), 404, b"", now=life.now),
    lambda life: life.session.mute_track("TR_1", True, now=life.now),
    lambda life: life.session.link_opened(LinkId(2), now=life.now),
    lambda life: life.session.receive_message(LinkId(2), said(REFRESH), now=life.now),
    lambda life: life.session.receive_message(LinkId(2), said(join()), now=life.now),
    lambda life: life.wait(6.0),
    lambda life: life.session.update_metadata(name="x", now=life.now),
    lambda life: life.session.receive_message(LinkId(2), b"\xff", now=life.now),
    lambda life: life.session.receive_message(LinkId(2), said(UPDATE), now=life.now),
    lambda life: life.wait(6.0),
    lambda life: life.session.receive_message(LinkId(2), said(leave()), now=life.now),
    lambda life: life.session.link_closed(LinkId(2), now=life.now),
    SessionLife.close,
]


def drained(pattern: list[int]) -> list[SessionCommand | Event]:
    """The outputs of the script when so many are taken after each of its steps."""
    life = SessionLife(now=0.0)
    taken: list[SessionCommand | Event] = []
    for step, count in zip(SCRIPT, pattern, strict=True):
        step(life)
        some = (life.session.poll() for _ in range(count))
        taken.extend(output for output in some if output is not None)
    return taken + life.take()


@given(st.lists(st.integers(0, 4), min_size=len(SCRIPT), max_size=len(SCRIPT)))
def test_draining_late_or_in_parts_changes_nothing(pattern: list[int]) -> None:
    eagerly = drained([100] * len(SCRIPT))
    assert len(eagerly) > 15
    assert drained(pattern) == eagerly


def test_an_empty_queue_says_so_every_time() -> None:
    session = Session(configured(), jitter=lambda: 0.5)
    assert [session.poll() for _ in range(3)] == [None] * 3
