"""Why a connection ends, from tables: HTTP answers, dial errors, Leave messages, closes."""

from __future__ import annotations

from itertools import product

import pytest
from livekit.protocol import models, rtc

from kitwire.config import PathVersion
from kitwire.errors import CloseReason, DialError, Origin, Reason
from kitwire.events import Closed, LeaveReceived
from kitwire.messages import DisconnectReason, LeaveRequestAction
from kitwire.session.phases import Phase
from kitwire.session.reasons import (
    closed_by_application,
    dial_reason,
    explanation,
    lost_reason,
    media_reason,
    protocol_reason,
    reason_after_leave,
    refusal_reason,
    server_leave_reason,
    timeout_reason,
)
from tests.peers.frames import leave
from tests.peers.lives import TOKEN, SessionLife, configured

# --- HTTP answers ---

AUTH, SERVER = Origin.AUTH, Origin.SERVER

# The sentences are the real server's (v1.13.5), with a token of our own.
ANSWERS: list[tuple[int, str, Reason, Origin, bool]] = [
    (401, "no permissions to access the room", Reason.PERMISSION_DENIED, AUTH, False),
    (401, "invalid authorization token", Reason.BAD_TOKEN, AUTH, False),
    (401, "invalid API key: APIwrong", Reason.BAD_TOKEN, AUTH, False),
    (
        401,
        f"invalid token: {TOKEN}, error: go-jose/go-jose: error in cryptographic primitive",
        Reason.BAD_TOKEN,
        AUTH,
        False,
    ),
    (401, "permissions denied", Reason.PERMISSION_DENIED, AUTH, False),
    (
        401,
        "does not have permission to update own metadata",
        Reason.PERMISSION_DENIED,
        AUTH,
        False,
    ),
    (401, "", Reason.BAD_TOKEN, AUTH, False),
    (403, "", Reason.PERMISSION_DENIED, AUTH, False),
    (400, "no room name", Reason.BAD_REQUEST, SERVER, False),
    (400, "identity cannot be empty", Reason.BAD_REQUEST, SERVER, False),
    (400, "join_request is required", Reason.BAD_REQUEST, SERVER, False),
    (400, "cannot base64 decode wrapped join request", Reason.BAD_REQUEST, SERVER, False),
    (400, "cannot unmarshal wrapped join request", Reason.BAD_REQUEST, SERVER, False),
    (413, "", Reason.BAD_REQUEST, SERVER, False),
    (414, "", Reason.BAD_REQUEST, SERVER, False),
    (431, "", Reason.BAD_REQUEST, SERVER, False),
    (404, "requested room does not exist", Reason.ROOM_MISSING, SERVER, False),
    (404, "404 page not found", Reason.SERVICE_MISSING, SERVER, False),
    (404, "", Reason.SERVICE_MISSING, SERVER, False),
    (200, "OK", Reason.SERVICE_MISSING, SERVER, False),
    (302, "", Reason.SERVICE_MISSING, SERVER, False),
    (405, "", Reason.SERVICE_MISSING, SERVER, False),
    (429, "slow down", Reason.SERVER_ERROR, SERVER, True),
    (500, "connection closed by media", Reason.SERVER_ERROR, SERVER, True),
    (502, "", Reason.SERVER_ERROR, SERVER, True),
    (503, "no available nodes", Reason.SERVER_ERROR, SERVER, True),
    (599, "", Reason.SERVER_ERROR, SERVER, True),
]


@pytest.mark.parametrize(("status", "body", "reason", "origin", "retryable"), ANSWERS)
def test_each_answer_has_its_reason(
    status: int, body: str, reason: Reason, origin: Origin, retryable: bool
) -> None:
    told = refusal_reason(status, body.encode())
    assert (told.reason, told.origin, told.retryable) == (reason, origin, retryable)
    assert told.detail.startswith(f"HTTP {status}")
    assert TOKEN not in told.detail


# What an explanation adds: the token, permission, room and request are explained; anything else
# that /validate says (it is fine, it failed as well, it is not there) leaves the refusal as it was.
EXPLAINED = {Reason.BAD_TOKEN, Reason.PERMISSION_DENIED, Reason.ROOM_MISSING, Reason.BAD_REQUEST}


@pytest.mark.parametrize(("status", "body", "reason", "origin", "retryable"), ANSWERS)
@pytest.mark.parametrize("path", [PathVersion.V0, PathVersion.V1])
def test_a_refusal_that_validate_explains(
    status: int, body: str, reason: Reason, origin: Origin, retryable: bool, path: PathVersion
) -> None:
    assert (explanation(status, body.encode()) is None) is (reason not in EXPLAINED)
    life = SessionLife(configured(path=path))
    life.connect()
    life.refuse(500, b"")
    life.answer_get(status, body.encode())
    expected = (
        (reason, origin, retryable)
        if reason in EXPLAINED
        else (Reason.SERVER_ERROR, Origin.SERVER, True)
    )
    assert (life.reason.reason, life.reason.origin, life.reason.retryable) == expected
    assert life.events == [Closed(reason=life.reason)]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "HTTP 500"),
        (b"  \n ", "HTTP 500"),
        (b"one line", "HTTP 500: one line"),
        (b"first\nsecond", "HTTP 500: first"),
        (b"\xff\xfe", "HTTP 500: \ufffd\ufffd"),
        (b"<html><body>no</body></html>", "HTTP 500"),
        (b" <!doctype html>", "HTTP 500"),
        (b"bell\x07 \x1b[31mred\xe2\x80\xae", "HTTP 500: bell [31mred"),
        (b"x" * 5000, f"HTTP 500: {'x' * 300}…"),
    ],
)
def test_a_body_becomes_one_short_printable_line(body: bytes, detail: str) -> None:
    assert refusal_reason(500, body).detail == detail


@pytest.mark.parametrize("cut", [4, 20, 40, len(TOKEN), None])
@pytest.mark.parametrize("before", ["", "invalid token: ", "Authorization: Bearer "])
def test_no_body_shows_a_token_however_it_is_cut(cut: int | None, before: str) -> None:
    detail = refusal_reason(401, (before + TOKEN[:cut]).encode()).detail
    assert "eyJ" not in detail
    assert "<redacted>" in detail


def test_control_characters_do_not_hide_a_token() -> None:
    torn = "\x00".join(TOKEN)
    assert refusal_reason(401, torn.encode()).detail == "HTTP 401: <redacted>"


# --- Dial errors ---

DIALS = [
    (DialError.REFUSED, Reason.UNREACHABLE, Origin.LINK, True),
    (DialError.UNRESOLVED, Reason.UNREACHABLE, Origin.LINK, True),
    (DialError.TLS, Reason.TLS_FAILURE, Origin.LINK, False),
    (DialError.TIMED_OUT, Reason.OPEN_TIMEOUT, Origin.TIMEOUT, True),
    (DialError.OTHER, Reason.UNREACHABLE, Origin.LINK, True),
]


def test_every_dial_error_is_in_the_table() -> None:
    assert [row[0] for row in DIALS] == list(DialError)


@pytest.mark.parametrize(("error", "reason", "origin", "retryable"), DIALS)
def test_each_dial_error_has_its_reason(
    error: DialError, reason: Reason, origin: Origin, retryable: bool
) -> None:
    life = SessionLife()
    life.connect()
    life.session.link_failed(life.link, error, f"for {TOKEN}\nnext line", now=life.now)
    told = life.reason
    assert (told.reason, told.origin, told.retryable) == (reason, origin, retryable)
    assert told.detail.endswith("for <redacted>next line")
    assert dial_reason(error, "").detail + ": for <redacted>next line" == told.detail


# --- Leave ---

OFFICIAL_REASONS = list(models.DisconnectReason.values())
ACTIONS = list(rtc.LeaveRequest.Action.values())
# The same call may succeed later, although the server wants us gone.
PASSING = {"SERVER_SHUTDOWN", "JOIN_FAILURE", "CONNECTION_TIMEOUT", "MEDIA_FAILURE"}


def test_every_reason_of_the_protocol_has_the_same_name_here() -> None:
    assert set(models.DisconnectReason.keys()) <= set(Reason.__members__)


@pytest.mark.parametrize("phase", [Phase.JOINING, Phase.JOINED])
@pytest.mark.parametrize("number", [*OFFICIAL_REASONS, 77])
def test_leave_in_a_phase_by_reason_action_and_can_reconnect(phase: Phase, number: int) -> None:
    known = number in OFFICIAL_REASONS
    name = models.DisconnectReason.Name(number) if known else "UNKNOWN_REASON"
    for action, can_reconnect in product([*ACTIONS, 99], (False, True)):
        life = SessionLife()
        life.reach(phase)
        message = rtc.SignalResponse()
        message.ParseFromString(_leave_frame(number, action, can_reconnect=can_reconnect))
        life.hear(message)
        told = life.reason
        for_good = action == rtc.LeaveRequest.DISCONNECT and not can_reconnect
        assert told.origin is Origin.SERVER
        assert told.reason == name
        assert told.retryable is (not for_good or name in PASSING)
        action_name = rtc.LeaveRequest.Action.Name(action) if action in ACTIONS else str(action)
        assert action_name in told.detail
        first = life.take() or life.outputs
        events = [item for item in first if isinstance(item, LeaveReceived | Closed)]
        # Before the join, Closed says it all: no event comes before Joined.
        if phase is Phase.JOINED:
            heard = events[0]
            assert isinstance(heard, LeaveReceived)
            assert (int(heard.reason), int(heard.action)) == (number, action)
            assert heard.can_reconnect is can_reconnect
        assert len(events) == (2 if phase is Phase.JOINED else 1)


def _leave_frame(reason: int, action: int, *, can_reconnect: bool) -> bytes:
    """By hand, for numbers that the official classes do not let one write."""
    body = b"\x08\x01" if can_reconnect else b""
    body += bytes([0x10, reason, 0x18, action])
    return bytes([0x42, len(body)]) + body


def test_the_hand_written_leave_is_a_leave() -> None:
    frame = _leave_frame(models.ROOM_DELETED, rtc.LeaveRequest.RESUME, can_reconnect=True)
    assert rtc.SignalResponse.FromString(frame) == leave(
        models.ROOM_DELETED, rtc.LeaveRequest.RESUME, can_reconnect=True
    )


def test_the_reason_of_a_leave_event() -> None:
    told = server_leave_reason(
        LeaveReceived(
            can_reconnect=False,
            reason=DisconnectReason.ROOM_DELETED,
            action=LeaveRequestAction.DISCONNECT,
            regions=(),
        )
    )
    assert str(told) == "ROOM_DELETED (the server ended the connection, action DISCONNECT)"


@pytest.mark.parametrize("joined", [True, False])
def test_a_leave_that_answers_ours_does_not_change_the_reason(joined: bool) -> None:
    life = SessionLife()
    life.reach(Phase.JOINED if joined else Phase.JOINING)
    life.close()
    life.hear(leave(models.CLIENT_INITIATED))
    told = life.reason
    assert told == closed_by_application(joined=joined)
    assert told.origin is Origin.LOCAL
    assert told.reason is (Reason.CLIENT_INITIATED if joined else Reason.CANCELLED)
    assert not told.retryable


def left(reason: DisconnectReason, action: LeaveRequestAction) -> LeaveReceived:
    return LeaveReceived(can_reconnect=False, reason=reason, action=action, regions=())


def test_only_a_removal_is_told_instead_of_what_it_did_to_media() -> None:
    media = media_reason("gone")
    leaves = [left(*each) for each in product(DisconnectReason, LeaveRequestAction)]
    told = [each for each in leaves if reason_after_leave(media, each) != media]
    assert told
    for each in told:
        assert reason_after_leave(media, each) == server_leave_reason(each)
        assert each.action is LeaveRequestAction.DISCONNECT
        assert not server_leave_reason(each).retryable
    named = {each.reason for each in told}
    assert DisconnectReason.PARTICIPANT_REMOVED in named
    assert not named & {DisconnectReason.CLIENT_INITIATED, DisconnectReason.SERVER_SHUTDOWN}
    # Whatever else began the end stays the reason; without it the leave is the reason.
    own = CloseReason(
        origin=Origin.LOCAL, reason=Reason.MEDIA_FAILURE, detail="by hand", retryable=True
    )
    for each in leaves:
        assert reason_after_leave(None, each) == server_leave_reason(each)
        for cause in (own, lost_reason(None, ""), closed_by_application(joined=True)):
            assert reason_after_leave(cause, each) == cause


# --- Closes and the rest ---


@pytest.mark.parametrize(
    ("code", "words", "detail"),
    [
        (None, "", "the connection was cut"),
        (1000, "", "the connection was cut (close code 1000)"),
        (1011, "ICE failed", "ICE failed (close code 1011)"),
        (4000, f"bye {TOKEN}", "bye <redacted> (close code 4000)"),
        (None, "two\r\nlines", "twolines"),
    ],
)
def test_a_close_without_a_leave_is_a_loss(code: int | None, words: str, detail: str) -> None:
    assert lost_reason(code, words) == CloseReason(
        origin=Origin.LINK, reason=Reason.LINK_LOST, detail=detail, retryable=True
    )
    life = SessionLife()
    life.reach(Phase.JOINED)
    life.cut(code, words)
    assert life.reason == lost_reason(code, words)


def test_the_other_reasons() -> None:
    assert timeout_reason(Reason.JOIN_TIMEOUT, "x") == CloseReason(
        origin=Origin.TIMEOUT, reason=Reason.JOIN_TIMEOUT, detail="x", retryable=True
    )
    assert media_reason(f"a\nline of {TOKEN}") == CloseReason(
        origin=Origin.LINK,
        reason=Reason.MEDIA_FAILURE,
        detail="aline of <redacted>",
        retryable=True,
    )
    assert protocol_reason("x") == CloseReason(
        origin=Origin.PROTOCOL, reason=Reason.PROTOCOL_ERROR, detail="x", retryable=True
    )
