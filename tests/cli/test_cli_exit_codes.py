"""Which end of a session is which exit code, and what is said about it."""

from __future__ import annotations

import pytest

from kitwire.errors import CloseReason, Origin, Reason
from kitwire.messages import DisconnectReason
from kitwire_cli.exit_codes import ExitCode, exit_code, sentence

REFUSED = {"BAD_TOKEN", "PERMISSION_DENIED", "ROOM_MISSING", "BAD_REQUEST"}
UNAVAILABLE = {
    "SERVICE_MISSING",
    "SERVER_ERROR",
    "UNREACHABLE",
    "TLS_FAILURE",
    "OPEN_TIMEOUT",
    "JOIN_TIMEOUT",
    "PING_TIMEOUT",
    "LINK_LOST",
    "PROTOCOL_ERROR",
    "EVENTS_OVERFLOWED",
}
ENDED = {member.name for member in DisconnectReason} - {"CLIENT_INITIATED"}
LEFT = {"CLIENT_INITIATED", "CANCELLED"}


def closed(reason: Reason, origin: Origin, detail: str = "") -> CloseReason:
    return CloseReason(origin=origin, reason=reason, detail=detail, retryable=False)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_code(reason: Reason) -> None:
    expected = {
        **dict.fromkeys(LEFT, 0),
        **dict.fromkeys(REFUSED, 3),
        **dict.fromkeys(UNAVAILABLE, 4),
        **dict.fromkeys(ENDED, 5),
    }
    assert exit_code(closed(reason, Origin.LOCAL)) == expected[reason.name]


def test_a_leave_that_was_not_our_wish_is_an_end() -> None:
    reason = closed(Reason.CLIENT_INITIATED, Origin.SERVER)
    assert exit_code(reason) == ExitCode.ENDED
    assert sentence(reason) == "the server ended the session"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_one_sentence(reason: Reason) -> None:
    text = sentence(closed(reason, Origin.LOCAL, "a\ndetail"))
    assert r" (a\ndetail)" in text
    assert "\n" not in text
    assert not text.endswith(".")
    assert text[0].islower()


def test_the_numbers_are_those_that_are_documented() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5]


def test_a_media_failure_of_ours_is_a_failed_connection() -> None:
    reason = closed(Reason.MEDIA_FAILURE, Origin.LINK)
    assert exit_code(reason) is ExitCode.UNAVAILABLE
    assert sentence(reason).startswith("media finds no way to the server")
