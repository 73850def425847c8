"""Which response belongs to which request: ids, echoes, results, deadlines."""

from __future__ import annotations

import pytest
from livekit.protocol import rtc

from kitwire import events as ev
from kitwire import messages as msg
from kitwire.codec import which_variant
from kitwire.errors import FailureReason, RequestFailure
from kitwire.events import EchoedRequest, RequestKey
from kitwire.session.requests import (
    Completion,
    Match,
    MatchKind,
    Pending,
    PendingRequests,
    failure_of,
    is_result_of,
    match_of_echo,
    result_of,
)
from tests.peers.lives import TOKEN

ID = MatchKind.REQUEST_ID


def waiting(number: int, match: Match | None = None, *, muted: bool | None = None) -> Pending:
    return Pending(
        key=RequestKey(number, "test"),
        completion=Completion.RESULT,
        match=match,
        timeout=10.0,
        muted=muted,
    )


# --- Request ids ---


def test_ids_count_up_when_requests_are_made_and_not_before() -> None:
    pending = PendingRequests()
    assert [pending.next_request_id() for _ in range(3)] == [1, 1, 1]
    pending.register(waiting(1, Match(ID, 1)))
    assert pending.next_request_id() == 2
    pending.end(RequestKey(1, "test"))
    assert pending.next_request_id() == 2


def test_requests_without_an_id_use_none_up() -> None:
    pending = PendingRequests()
    pending.register(waiting(1, Match(MatchKind.PUBLISH_HANDLE, 40)))
    pending.register(waiting(2))
    assert pending.next_request_id() == 1


def test_ids_wrap_after_32_bits_and_skip_0_and_those_in_use() -> None:
    pending = PendingRequests()
    pending.register(waiting(1, Match(ID, 1)))
    pending.register(waiting(2, Match(ID, 2)))
    pending.register(waiting(3, Match(MatchKind.PUBLISH_HANDLE, 3)))
    pending.register(waiting(4, Match(ID, 0xFFFF_FFFE)))
    assert pending.next_request_id() == 0xFFFF_FFFF
    pending.register(waiting(5, Match(ID, 0xFFFF_FFFF)))
    assert pending.next_request_id() == 3
    pending.end(RequestKey(1, "test"))
    assert pending.next_request_id() == 1


# --- The table of pending requests ---


def test_the_earliest_request_is_found_first() -> None:
    pending = PendingRequests()
    match = Match(MatchKind.MUTE_SID, "TR_1")
    for number in (1, 2, 3):
        pending.register(waiting(number, match))
    assert pending.find(match) is not None
    found = pending.find(match)
    assert found is not None
    assert found.key.number == 1
    pending.end(found.key)
    found = pending.find(match)
    assert found is not None
    assert found.key.number == 2
    assert pending.find(Match(MatchKind.AUDIO_TRACK_SID, "TR_1")) is None
    assert len(pending) == 2


def test_mutes_are_found_by_what_they_asked_for() -> None:
    pending = PendingRequests()
    match = Match(MatchKind.MUTE_SID, "TR_1")
    pending.register(waiting(1, match, muted=True))
    pending.register(waiting(2, match, muted=False))
    found = pending.find_mute("TR_1", False)
    assert found is not None
    assert found.key.number == 2
    assert pending.find_mute("TR_2", True) is None


def test_deadlines_begin_when_sent_and_the_earliest_comes_first() -> None:
    pending = PendingRequests()
    assert pending.deadline() is None
    for number in (1, 2, 3):
        pending.register(waiting(number))
    assert pending.deadline() is None
    assert pending.due(float("inf")) is None
    pending.sent(RequestKey(2, "test"), 5.0)
    pending.sent(RequestKey(1, "test"), 6.0)
    assert pending.deadline() == 15.0
    assert pending.due(14.9) is None
    due = pending.due(16.0)
    assert due is not None
    assert due.key.number == 2


def test_abandoning_gives_all_in_order() -> None:
    pending = PendingRequests()
    for number in (3, 1, 2):
        pending.register(waiting(number))
    assert [item.key.number for item in pending.abandon()] == [3, 1, 2]
    assert pending.abandon() == ()


# --- Echoes ---

ECHOES: dict[str, tuple[EchoedRequest, Match | None]] = {
    "trickle": (msg.TrickleRequest(), None),
    "add_track": (msg.AddTrackRequest(cid="c"), Match(MatchKind.CID, "c")),
    "mute": (msg.MuteTrackRequest(sid="s", muted=True), Match(MatchKind.MUTE_SID, "s")),
    "update_metadata": (msg.UpdateParticipantMetadata(request_id=7), Match(ID, 7)),
    "update_audio_track": (
        msg.UpdateLocalAudioTrack(track_sid="a"),
        Match(MatchKind.AUDIO_TRACK_SID, "a"),
    ),
    "update_video_track": (
        msg.UpdateLocalVideoTrack(track_sid="v"),
        Match(MatchKind.VIDEO_TRACK_SID, "v"),
    ),
    "publish_data_track": (
        msg.PublishDataTrackRequest(pub_handle=8),
        Match(MatchKind.PUBLISH_HANDLE, 8),
    ),
    "unpublish_data_track": (
        msg.UnpublishDataTrackRequest(pub_handle=9),
        Match(MatchKind.UNPUBLISH_HANDLE, 9),
    ),
}


def test_every_request_that_can_be_echoed_is_in_the_table() -> None:
    official = rtc.RequestResponse.DESCRIPTOR.oneofs_by_name["request"].fields
    assert set(ECHOES) == {field.name for field in official}
    for name, (echo, _) in ECHOES.items():
        response = msg.RequestResponse(**{name: echo})  # type: ignore[arg-type]  # by name
        assert which_variant(response) == (name, echo)


@pytest.mark.parametrize("name", ECHOES)
def test_an_echo_says_which_request_it_was(name: str) -> None:
    echo, match = ECHOES[name]
    assert match_of_echo(0, echo) == match


def test_a_request_id_says_more_than_an_echo() -> None:
    assert match_of_echo(5, None) == Match(ID, 5)
    assert match_of_echo(5, msg.AddTrackRequest(cid="c")) == Match(ID, 5)
    assert match_of_echo(0, None) is None


# --- Results ---

BLOB_KEY = msg.DataBlobKey(schema_id=msg.DataTrackSchemaId(name="n"))

RESULTS: list[tuple[ev.ServerEvent, tuple[Match, ev.RequestResult] | None]] = [
    (
        ev.TrackPublished(cid="c", track=msg.TrackInfo(sid="TR_1")),
        (Match(MatchKind.CID, "c"), msg.TrackInfo(sid="TR_1")),
    ),
    (ev.TrackPublished(cid="c", track=None), (Match(MatchKind.CID, "c"), msg.TrackInfo())),
    (
        ev.DataTrackPublished(info=msg.DataTrackInfo(pub_handle=3, sid="DTR_1")),
        (Match(MatchKind.PUBLISH_HANDLE, 3), msg.DataTrackInfo(pub_handle=3, sid="DTR_1")),
    ),
    (ev.DataTrackPublished(info=None), None),
    (
        ev.DataTrackUnpublished(info=msg.DataTrackInfo(pub_handle=3)),
        (Match(MatchKind.UNPUBLISH_HANDLE, 3), msg.DataTrackInfo(pub_handle=3)),
    ),
    (ev.DataTrackUnpublished(info=None), None),
    (ev.DataBlobStored(request_id=4, key=BLOB_KEY), (Match(ID, 4), BLOB_KEY)),
    (ev.DataBlobStored(request_id=4, key=None), (Match(ID, 4), msg.DataBlobKey())),
    (
        ev.DataBlobReceived(request_id=4, blob=msg.DataBlob(contents=b"x")),
        (Match(ID, 4), msg.DataBlob(contents=b"x")),
    ),
    (ev.DataBlobReceived(request_id=4, blob=None), (Match(ID, 4), msg.DataBlob())),
    (ev.TrackSubscribed(track_sid="TR_1"), None),
]


@pytest.mark.parametrize(("event", "result"), RESULTS, ids=lambda value: type(value).__name__)
def test_what_an_event_answers(
    event: ev.ServerEvent, result: tuple[Match, ev.RequestResult] | None
) -> None:
    assert result_of(event) == result


@pytest.mark.parametrize(
    ("request_name", "good"),
    [
        ("add_track", msg.TrackInfo()),
        ("publish_data_track", msg.DataTrackInfo()),
        ("unpublish_data_track", msg.DataTrackInfo()),
        ("store_data_blob", msg.DataBlobKey()),
        ("get_data_blob", msg.DataBlob()),
        ("update_metadata", None),
    ],
)
def test_a_method_gives_one_kind_of_result(request_name: str, good: ev.RequestResult) -> None:
    kinds: list[ev.RequestResult] = [
        msg.TrackInfo(),
        msg.DataTrackInfo(),
        msg.DataBlobKey(),
        msg.DataBlob(),
    ]
    fitting = [kind for kind in kinds if is_result_of(kind, request_name)]
    assert fitting == ([] if good is None else [good])


# --- Failures ---


@pytest.mark.parametrize("name", rtc.RequestResponse.Reason.keys())
def test_failures_have_the_names_of_the_protocol(name: str) -> None:
    reason = msg.RequestResponseReason(rtc.RequestResponse.Reason.Value(name))
    expected = FailureReason.__members__.get(name, FailureReason.UNKNOWN)
    assert (expected is FailureReason.UNKNOWN) is (name in {"OK", "QUEUED"})
    assert failure_of(reason, "why") == RequestFailure(reason=expected, message="why")


def test_a_reason_of_the_future_is_unknown_and_its_words_are_masked() -> None:
    failure = failure_of(msg.RequestResponseReason(99), f"no {TOKEN}")
    assert failure == RequestFailure(reason=FailureReason.UNKNOWN, message="no <redacted>")
