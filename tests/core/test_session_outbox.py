"""How requests end: every method, every answer, through a real session in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.config import ClientConfig, Encoding, Limits, Timeouts
from kitwire.errors import FailureReason, LocalProtocolError, RequestFailure
from kitwire.events import (
    RequestEnded,
    RequestKey,
    RequestQueued,
    RequestResponseReceived,
    RequestResult,
    TrackPublished,
)
from kitwire.session.outbox import Outbox, bounded_frame
from kitwire.session.phases import Phase
from kitwire.session.requests import Completion, Match, MatchKind
from kitwire.session.timers import Timer, TimerTable
from tests.peers.frames import SID, heard
from tests.peers.lives import TOKEN, SessionLife, configured, snapshot

Answer = rtc.SignalResponse
RR = rtc.RequestResponse

BLOB_KEY = msg.DataBlobKey(schema_id=msg.DataTrackSchemaId(name="n"))
OFFICIAL_KEY = models.DataBlobKey(schema_id=models.DataTrackSchemaId(name="n"))


def joined(config: ClientConfig | None = None) -> SessionLife:
    life = SessionLife(config, now=1000.0)
    life.reach(Phase.JOINED)
    return life


def refusal(reason: RR.Reason = RR.NOT_ALLOWED, **said: object) -> Answer:
    """A RequestResponse, with a request id or an echo."""
    return Answer(request_response=RR(reason=reason, message="no", **said))  # type: ignore[arg-type]  # by name


# --- The methods, and how each ends ---


@dataclass(frozen=True)
class Case:
    """One method: how it is called, what answers it, what it gives, what refuses it."""

    call: Callable[[SessionLife], RequestKey]
    success: Answer | None
    result: RequestResult = None
    refused: Answer | None = None
    timeout: float | None = None
    """Seconds to the deadline; None where nothing is awaited."""
    silence_is_consent: bool = False


def own_update(*, sid: str = SID, track: str = "TR_1", muted: bool = True) -> Answer:
    return Answer(
        update=rtc.ParticipantUpdate(
            participants=[
                models.ParticipantInfo(sid="PA_other"),
                models.ParticipantInfo(
                    sid=sid,
                    tracks=[models.TrackInfo(sid="TR_0"), models.TrackInfo(sid=track, muted=muted)],
                ),
            ]
        )
    )


CASES: dict[str, Case] = {
    "add_track": Case(
        call=lambda life: life.session.add_track(
            msg.AddTrackRequest(cid="c", type=msg.TrackType.AUDIO), now=life.now
        ),
        success=Answer(
            track_published=rtc.TrackPublishedResponse(
                cid="c", track=models.TrackInfo(sid="TR_1", name="mic")
            )
        ),
        result=msg.TrackInfo(sid="TR_1", name="mic"),
        refused=refusal(add_track=rtc.AddTrackRequest(cid="c")),
        timeout=10.0,
    ),
    "mute_track": Case(
        call=lambda life: life.session.mute_track("TR_1", True, now=life.now),
        success=own_update(),
        refused=refusal(mute=rtc.MuteTrackRequest(sid="TR_1", muted=True)),
        timeout=1.0,
        silence_is_consent=True,
    ),
    "update_audio_track": Case(
        call=lambda life: life.session.update_audio_track("TR_1", [], now=life.now),
        success=refusal(RR.OK, update_audio_track=rtc.UpdateLocalAudioTrack(track_sid="TR_1")),
        refused=refusal(update_audio_track=rtc.UpdateLocalAudioTrack(track_sid="TR_1")),
        timeout=1.0,
        silence_is_consent=True,
    ),
    "update_video_track": Case(
        call=lambda life: life.session.update_video_track("TR_1", width=1, height=1, now=life.now),
        success=refusal(RR.OK, update_video_track=rtc.UpdateLocalVideoTrack(track_sid="TR_1")),
        refused=refusal(update_video_track=rtc.UpdateLocalVideoTrack(track_sid="TR_1")),
        timeout=1.0,
        silence_is_consent=True,
    ),
    "update_video_layers": Case(
        call=lambda life: life.session.update_video_layers("TR_1", [], now=life.now), success=None
    ),
    "update_subscription": Case(
        call=lambda life: life.session.update_subscription(
            subscribe=True, track_sids=["TR_1"], now=life.now
        ),
        success=None,
    ),
    "update_track_settings": Case(
        call=lambda life: life.session.update_track_settings(["TR_1"], now=life.now), success=None
    ),
    "update_subscription_permission": Case(
        call=lambda life: life.session.update_subscription_permission(
            all_participants=True, now=life.now
        ),
        success=None,
    ),
    "update_metadata": Case(
        call=lambda life: life.session.update_metadata(name="x", now=life.now),
        success=refusal(RR.OK, request_id=1),
        refused=refusal(request_id=1),
        timeout=5.0,
    ),
    "publish_data_track": Case(
        call=lambda life: life.session.publish_data_track("d", pub_handle=7, now=life.now),
        success=Answer(
            publish_data_track_response=rtc.PublishDataTrackResponse(
                info=models.DataTrackInfo(pub_handle=7, sid="DTR_1")
            )
        ),
        result=msg.DataTrackInfo(pub_handle=7, sid="DTR_1"),
        refused=refusal(publish_data_track=rtc.PublishDataTrackRequest(pub_handle=7)),
        timeout=10.0,
    ),
    "unpublish_data_track": Case(
        call=lambda life: life.session.unpublish_data_track(7, now=life.now),
        success=Answer(
            unpublish_data_track_response=rtc.UnpublishDataTrackResponse(
                info=models.DataTrackInfo(pub_handle=7)
            )
        ),
        result=msg.DataTrackInfo(pub_handle=7),
        refused=refusal(unpublish_data_track=rtc.UnpublishDataTrackRequest(pub_handle=7)),
        timeout=10.0,
    ),
    "update_data_subscription": Case(
        call=lambda life: life.session.update_data_subscription(
            [msg.UpdateDataSubscriptionUpdate(track_sid="DTR_1", subscribe=True)], now=life.now
        ),
        success=None,
    ),
    "store_data_blob": Case(
        call=lambda life: life.session.store_data_blob(BLOB_KEY, b"x", now=life.now),
        success=Answer(
            store_data_blob_response=rtc.StoreDataBlobResponse(request_id=1, key=OFFICIAL_KEY)
        ),
        result=BLOB_KEY,
        refused=refusal(request_id=1),
        timeout=5.0,
    ),
    "get_data_blob": Case(
        call=lambda life: life.session.get_data_blob(
            BLOB_KEY, participant_identity="bob", now=life.now
        ),
        success=Answer(
            get_data_blob_response=rtc.GetDataBlobResponse(
                request_id=1, blob=models.DataBlob(key=OFFICIAL_KEY, contents=b"x")
            )
        ),
        result=msg.DataBlob(key=BLOB_KEY, contents=b"x"),
        refused=refusal(request_id=1),
        timeout=5.0,
    ),
}
AWAITED = [name for name, case in CASES.items() if case.timeout is not None]
SENT = [name for name, case in CASES.items() if case.timeout is None]

REFUSED = RequestFailure(reason=FailureReason.NOT_ALLOWED, message="no")


@pytest.mark.parametrize("name", SENT)
def test_what_is_never_answered_is_done_when_sent(name: str) -> None:
    life = joined()
    key = CASES[name].call(life)
    assert life.outcome(key) == RequestEnded(key=key, result=None, failure=None)
    assert key.request == name
    assert life.session.deadline_reason is Timer.PING


@pytest.mark.parametrize("name", AWAITED)
def test_success(name: str) -> None:
    case = CASES[name]
    life = joined()
    key = case.call(life)
    assert life.outcome(key) is None
    assert case.success is not None
    life.now += 0.25
    life.hear(case.success)
    assert life.outcome(key) == RequestEnded(key=key, result=case.result, failure=None)
    life.hear(case.success)
    life.wait(20.0)
    assert life.outcome(key) is not None


@pytest.mark.parametrize("name", AWAITED)
def test_refusal_is_noticed_at_once(name: str) -> None:
    case = CASES[name]
    life = joined()
    key = case.call(life)
    assert case.refused is not None
    life.hear(case.refused)
    assert life.outcome(key) == RequestEnded(key=key, result=None, failure=REFUSED)
    # The server's own words come as an event as well, before the outcome.
    assert [type(event) for event in life.events[-2:]] == [RequestResponseReceived, RequestEnded]


@pytest.mark.parametrize("name", AWAITED)
def test_silence_ends_a_request_at_its_deadline_and_not_before(name: str) -> None:
    case = CASES[name]
    life = joined()
    life.wait(0.3)
    key = case.call(life)
    assert case.timeout is not None
    life.wait(case.timeout - 0.001)
    assert life.outcome(key) is None
    life.wait(0.002)
    outcome = life.outcome(key)
    assert outcome is not None
    assert outcome.result is None
    if case.silence_is_consent:
        assert outcome.failure is None
    else:
        assert outcome.failure is not None
        assert outcome.failure.reason is FailureReason.TIMEOUT
        assert outcome.failure.message == f"no answer within {case.timeout:g} s"


@pytest.mark.parametrize("name", AWAITED)
def test_an_answer_after_the_deadline_changes_nothing(name: str) -> None:
    case = CASES[name]
    life = joined()
    key = case.call(life)
    life.wait(10.5)
    before = life.outcome(key)
    assert case.success is not None
    assert case.refused is not None
    life.hear(case.success, case.refused)
    assert life.outcome(key) == before
    assert life.session.phase is Phase.JOINED


@pytest.mark.parametrize("name", AWAITED)
def test_closing_aborts_what_is_open(name: str) -> None:
    life = joined()
    key = CASES[name].call(life)
    life.cut(1006)
    outcome = life.outcome(key)
    assert outcome is not None
    assert outcome.failure is not None
    assert outcome.failure.reason is FailureReason.ABORTED
    assert "LINK_LOST" in outcome.failure.message
    assert life.reason.reason == "LINK_LOST"


@pytest.mark.parametrize("name", AWAITED)
def test_queued_is_progress_and_extends_the_deadline(name: str) -> None:
    case = CASES[name]
    life = joined(configured(timeouts=Timeouts(refusal=5)))
    key = case.call(life)
    assert case.refused is not None
    life.wait(4.0)
    queued = rtc.SignalResponse.FromString(case.refused.SerializeToString())
    queued.request_response.reason = RR.QUEUED
    life.hear(queued)
    assert life.events[-1] == RequestQueued(key=key)
    life.wait(4.9)
    assert life.outcome(key) is None
    if case.success is not None:
        life.hear(case.success)
    outcome = life.outcome(key)
    assert outcome is not None
    assert outcome.failure is None


@pytest.mark.parametrize("name", ["add_track", "publish_data_track", "store_data_blob"])
def test_an_ok_alone_is_not_the_result(name: str) -> None:
    """The result comes in a message of its own."""
    case = CASES[name]
    life = joined()
    key = case.call(life)
    assert case.refused is not None
    ok = rtc.SignalResponse.FromString(case.refused.SerializeToString())
    ok.request_response.reason = RR.OK
    life.hear(ok)
    assert life.outcome(key) is None
    assert case.success is not None
    life.hear(case.success)
    assert life.outcome(key) == RequestEnded(key=key, result=case.result, failure=None)


# --- Whose answer it is ---


def test_answers_find_their_requests_among_many() -> None:
    life = joined()
    keys = {name: CASES[name].call(life) for name in ("add_track", "update_metadata")}
    second = life.session.update_metadata(name="y", now=life.now)
    other = life.session.add_track(
        msg.AddTrackRequest(cid="d", type=msg.TrackType.VIDEO), now=life.now
    )
    life.hear(
        refusal(request_id=2),
        refusal(add_track=rtc.AddTrackRequest(cid="d")),
        refusal(RR.OK, request_id=1),
    )
    assert life.outcome(second) == RequestEnded(key=second, result=None, failure=REFUSED)
    assert life.outcome(other) == RequestEnded(key=other, result=None, failure=REFUSED)
    metadata = keys["update_metadata"]
    assert life.outcome(metadata) == RequestEnded(key=metadata, result=None, failure=None)
    assert life.outcome(keys["add_track"]) is None


@pytest.mark.parametrize(
    "answer",
    [
        refusal(request_id=99),
        refusal(),
        refusal(add_track=rtc.AddTrackRequest(cid="other")),
        refusal(add_track=rtc.AddTrackRequest()),
        refusal(trickle=rtc.TrickleRequest(candidateInit="x")),
        refusal(mute=rtc.MuteTrackRequest(sid="c")),
        refusal(publish_data_track=rtc.PublishDataTrackRequest(pub_handle=70_000)),
        Answer(track_published=rtc.TrackPublishedResponse(cid="other")),
        Answer(publish_data_track_response=rtc.PublishDataTrackResponse()),
        Answer(unpublish_data_track_response=rtc.UnpublishDataTrackResponse()),
        Answer(store_data_blob_response=rtc.StoreDataBlobResponse(request_id=99)),
        # Ids are shared by kinds of requests, so an answer of another kind is nobody's.
        Answer(store_data_blob_response=rtc.StoreDataBlobResponse(request_id=1)),
        Answer(get_data_blob_response=rtc.GetDataBlobResponse(request_id=1)),
    ],
    ids=lambda answer: str(answer).replace("\n", " ")[:60],
)
def test_answers_to_nothing_of_ours_end_nothing(answer: Answer) -> None:
    life = joined()
    keys = [
        CASES[name].call(life)
        for name in ("update_metadata", "add_track", "publish_data_track", "mute_track")
    ]
    life.hear(answer)
    assert [life.outcome(key) for key in keys] == [None] * 4


def test_a_blob_that_was_asked_for_is_not_a_key() -> None:
    life = joined()
    key = CASES["get_data_blob"].call(life)
    life.hear(Answer(store_data_blob_response=rtc.StoreDataBlobResponse(request_id=1)))
    assert life.outcome(key) is None


@pytest.mark.parametrize(
    "name", ["add_track", "publish_data_track", "unpublish_data_track"], ids=str
)
def test_a_second_request_with_the_same_name_is_refused_while_the_first_is_open(name: str) -> None:
    case = CASES[name]
    life = joined()
    case.call(life)
    before = snapshot(life.session)
    life.now += 1
    with pytest.raises(LocalProtocolError, match=f"{name}: a request with .* is still under way"):
        case.call(life)
    assert snapshot(life.session) == before
    assert case.success is not None
    life.hear(case.success)
    case.call(life)


@pytest.mark.parametrize("name", ["mute_track", "update_audio_track", "update_video_track"])
def test_requests_about_the_same_track_may_overlap(name: str) -> None:
    life = joined()
    first, second = CASES[name].call(life), CASES[name].call(life)
    refused = CASES[name].refused
    assert refused is not None
    life.hear(refused)
    assert life.outcome(first) is not None
    assert life.outcome(second) is None


@pytest.mark.parametrize(
    ("update", "ended"),
    [
        (own_update(), True),
        (own_update(muted=False), False),
        (own_update(track="TR_2"), False),
        (own_update(sid="PA_somebody"), False),
    ],
)
def test_a_mute_is_done_when_our_own_participant_shows_it(update: Answer, ended: bool) -> None:
    life = joined()
    key = CASES["mute_track"].call(life)
    life.hear(update)
    assert (life.outcome(key) is not None) is ended


def test_one_update_ends_every_mute_that_it_shows() -> None:
    life = joined()
    keys = [life.session.mute_track("TR_1", muted, now=life.now) for muted in (True, False, True)]
    life.hear(own_update(muted=True))
    assert [life.outcome(key) is not None for key in keys] == [True, False, True]


def test_after_a_move_to_another_room_our_own_participant_is_the_new_one() -> None:
    life = joined()
    key = CASES["mute_track"].call(life)
    life.hear(
        Answer(room_moved=rtc.RoomMovedResponse(participant=models.ParticipantInfo(sid="PA_new")))
    )
    life.hear(own_update(sid=SID))
    assert life.outcome(key) is None
    life.hear(Answer(room_moved=rtc.RoomMovedResponse()), own_update(sid="PA_new"))
    assert life.outcome(key) is not None


def test_requests_that_are_due_together_end_in_the_order_of_their_deadlines() -> None:
    life = joined()
    slow = CASES["add_track"].call(life)
    quick = CASES["update_metadata"].call(life)
    life.oversleep(60.0)
    ended = [item.key for item in life.events if isinstance(item, RequestEnded)]
    assert ended == [quick, slow]
    assert life.session.deadline_reason is not Timer.REQUEST


def test_keys_are_unique_and_name_the_method() -> None:
    life = joined()
    keys = [case.call(life) for case in CASES.values()]
    assert [key.number for key in keys] == list(range(1, len(CASES) + 1))
    assert [key.request for key in keys] == list(CASES)


def test_ids_are_skipped_while_they_are_in_use() -> None:
    life = joined()
    life.session._outbox._pending._last_request_id = 0xFFFF_FFFE
    for _ in range(3):
        life.session.update_metadata(name="x", now=life.now)
    ids = [request.update_metadata.request_id for request in life.requests[1:]]
    assert ids == [0xFFFF_FFFF, 1, 2]
    life.session._outbox._pending._last_request_id = 0
    life.session.update_metadata(name="x", now=life.now)
    assert life.requests[-1].update_metadata.request_id == 3


def test_abort_says_nothing_of_a_token() -> None:
    life = joined()
    key = CASES["add_track"].call(life)
    life.cut(1011, f"broken {TOKEN}")
    outcome = life.outcome(key)
    assert outcome is not None
    assert "eyJ" not in repr(outcome)


# --- The outbox alone ---


def test_a_request_is_registered_before_it_is_sent() -> None:
    """So that an answer that comes while it is being sent finds it."""
    ended: list[RequestEnded | RequestQueued] = []
    published = msg.TrackInfo(sid="TR_1")

    def answer_at_once(frame: bytes | str) -> None:
        assert heard(frame).add_track.cid == "c"
        outbox.settle(TrackPublished(cid="c", track=published), own_sid="", now=0.0)

    outbox = Outbox(configured(), TimerTable(), send=answer_at_once, emit=ended.append)
    prepared = outbox.prepare(
        "add_track",
        msg.SignalRequest(add_track=msg.AddTrackRequest(cid="c")),
        Completion.RESULT,
        Match(MatchKind.CID, "c"),
        10.0,
        None,
        gate_open=True,
    )
    key = outbox.submit(prepared, gate_open=True, now=0.0)
    assert ended == [RequestEnded(key=key, result=published, failure=None)]


def test_what_is_held_leaves_in_order_when_the_gate_opens() -> None:
    config = configured(limits=Limits(held_requests=2))
    sent: list[str] = []
    outbox = Outbox(
        config,
        TimerTable(),
        send=lambda frame: sent.append(heard(frame).mute.sid),
        emit=lambda outcome: None,
    )

    def mute(sid: str, *, gate_open: bool) -> None:
        message = msg.SignalRequest(mute=msg.MuteTrackRequest(sid=sid))
        prepared = outbox.prepare(
            "mute_track", message, Completion.NO_REFUSAL, None, 1.0, None, gate_open=gate_open
        )
        outbox.submit(prepared, gate_open=gate_open, now=0.0)

    mute("A", gate_open=False)
    mute("B", gate_open=False)
    with pytest.raises(LocalProtocolError, match=r"limits\.held_requests"):
        mute("C", gate_open=False)
    mute("first", gate_open=True)
    assert sent == ["first"]
    outbox.open_gate(0.0)
    mute("C", gate_open=True)
    assert sent == ["first", "A", "B", "C"]


def test_what_was_aborted_is_not_held_any_more() -> None:
    sent: list[bytes | str] = []
    ended: list[RequestEnded | RequestQueued] = []
    outbox = Outbox(configured(), TimerTable(), send=sent.append, emit=ended.append)
    message = msg.SignalRequest(mute=msg.MuteTrackRequest(sid="TR_1"))
    prepared = outbox.prepare(
        "mute_track", message, Completion.NO_REFUSAL, None, 1.0, None, gate_open=False
    )
    key = outbox.submit(prepared, gate_open=False, now=0.0)
    outbox.abort("over")
    outbox.open_gate(1.0)
    outbox.abort("over again")
    failure = RequestFailure(reason=FailureReason.ABORTED, message="over")
    assert ended == [RequestEnded(key=key, result=None, failure=failure)]
    assert sent == []


@pytest.mark.parametrize("encoding", Encoding)
def test_frames_are_bounded_in_bytes(encoding: Encoding) -> None:
    config = configured(encoding=encoding, limits=Limits(send=200))
    small = msg.SignalRequest(update_metadata=msg.UpdateParticipantMetadata(name="ü" * 50))
    assert heard(bounded_frame(config, small)).update_metadata.name == "ü" * 50
    large = msg.SignalRequest(update_metadata=msg.UpdateParticipantMetadata(name="ü" * 120))
    with pytest.raises(ValueError, match=r"bytes; limits\.send allows 200"):
        bounded_frame(config, large)


@pytest.mark.parametrize("phase", [Phase.OPENING, Phase.JOINED])
def test_a_request_that_is_too_large_changes_nothing(phase: Phase) -> None:
    life = SessionLife(configured(limits=Limits(send=200)))
    life.reach(phase)
    before = snapshot(life.session)
    with pytest.raises(LocalProtocolError, match=r"update_metadata: .*limits\.send"):
        life.session.update_metadata(metadata="m" * 300, now=life.now + 1)
    assert snapshot(life.session) == before
