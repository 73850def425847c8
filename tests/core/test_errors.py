"""What errors say, and that their names are the protocol's."""

from __future__ import annotations

import pickle

import pytest
from livekit.protocol import models, rtc

from kitwire.errors import (
    CloseReason,
    ConnectFailed,
    DialError,
    FailureReason,
    KitwireError,
    LocalProtocolError,
    MalformedFrame,
    Origin,
    Reason,
    RequestFailed,
    RequestFailure,
)

REASON = CloseReason(
    origin=Origin.SERVER, reason=Reason.ROOM_DELETED, detail="it is gone", retryable=False
)


def test_reasons_carry_the_names_of_the_protocol() -> None:
    protocol = list(models.DisconnectReason.keys())
    assert list(Reason.__members__)[: len(protocol)] == protocol


def test_failures_carry_the_names_of_the_protocol() -> None:
    ours = {"UNKNOWN", "TIMEOUT", "ABORTED"}
    progress = {"OK", "QUEUED"}
    assert (
        set(FailureReason.__members__) - ours == set(rtc.RequestResponse.Reason.keys()) - progress
    )


@pytest.mark.parametrize("enum", [Origin, Reason, DialError, FailureReason])
def test_names_are_values(
    enum: type[Origin] | type[Reason] | type[DialError] | type[FailureReason],
) -> None:
    assert {member.name: member.value for member in enum} == {
        name: name for name in enum.__members__
    }


def test_reasons_read_as_a_sentence() -> None:
    assert str(REASON) == "ROOM_DELETED (it is gone)"
    silent = CloseReason(origin=Origin.LINK, reason=Reason.LINK_LOST, detail="", retryable=True)
    assert str(silent) == "LINK_LOST"


def test_failures_read_as_a_sentence() -> None:
    assert str(RequestFailure(reason=FailureReason.TIMEOUT)) == "TIMEOUT"
    refused = RequestFailure(reason=FailureReason.NOT_ALLOWED, message="no")
    assert str(refused) == "NOT_ALLOWED: no"


def test_misuse_names_the_method_the_phase_and_the_phases() -> None:
    error = LocalProtocolError("connect", "not now", phase="JOINED", allowed=("IDLE",))
    assert str(error) == "connect: not now"
    assert (error.method, error.problem, error.phase, error.allowed) == (
        "connect",
        "not now",
        "JOINED",
        ("IDLE",),
    )
    bare = LocalProtocolError("add_track", "the track needs a cid")
    assert (bare.phase, bare.allowed) == (None, ())


@pytest.mark.parametrize(
    ("where", "offset", "text"),
    [
        ("", None, "bad"),
        ("SignalResponse.join", None, "bad in SignalResponse.join"),
        ("", 0, "bad at offset 0"),
        ("SignalResponse", 7, "bad in SignalResponse at offset 7"),
    ],
)
def test_a_malformed_frame_says_where(where: str, offset: int | None, text: str) -> None:
    error = MalformedFrame("bad", where=where, offset=offset)
    assert str(error) == text
    assert (error.problem, error.where, error.offset) == ("bad", where, offset)
    assert isinstance(error, ValueError)


def test_failures_of_the_awaitable_surface_carry_their_reasons() -> None:
    failed = ConnectFailed(REASON)
    assert (str(failed), failed.reason) == (str(REASON), REASON)
    failure = RequestFailure(reason=FailureReason.NOT_ALLOWED, message="no")
    refused = RequestFailed("add_track", failure)
    assert str(refused) == "add_track: NOT_ALLOWED: no"
    assert (refused.request, refused.failure) == ("add_track", failure)
    assert refused.reason is FailureReason.NOT_ALLOWED


@pytest.mark.parametrize("kind", [LocalProtocolError, MalformedFrame, ConnectFailed, RequestFailed])
def test_all_exceptions_share_one_base(kind: type[Exception]) -> None:
    assert issubclass(kind, KitwireError)


@pytest.mark.parametrize("value", [REASON, RequestFailure(reason=FailureReason.TIMEOUT)])
def test_reasons_survive_pickling(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
