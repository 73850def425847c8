"""Inbox and Room without an event loop: a runtime of a few lines drives the coroutines."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import TypeVar, cast

import pytest

from kitwire import messages as msg
from kitwire.client import Client
from kitwire.errors import (
    CloseReason,
    ConnectFailed,
    FailureReason,
    LocalProtocolError,
    Origin,
    Reason,
    RequestFailed,
    RequestFailure,
)
from kitwire.events import (
    Closed,
    Event,
    Joined,
    PongReceived,
    ProtocolViolated,
    RequestEnded,
    RequestKey,
    RequestQueued,
    RequestResult,
)
from kitwire.room import DEFAULT_MAX_EVENTS, Inbox, Room
from kitwire.session.phases import Phase

T = TypeVar("T")

JOINED = Joined(
    path="/rtc/v1",
    room=msg.Room(name="den"),
    participant=msg.ParticipantInfo(identity="alice"),
    other_participants=(),
    server_version="1.13.5",
    server_info=None,
    ice_servers=(),
    subscriber_primary=False,
    alternative_url="",
    client_configuration=None,
    ping_timeout=15,
    ping_interval=5,
    sif_trailer=b"",
    enabled_publish_codecs=(),
    fast_publish=False,
)
LEFT = CloseReason(
    origin=Origin.LOCAL, reason=Reason.CLIENT_INITIATED, detail="left", retryable=False
)
CLOSED = Closed(reason=LEFT)
KEY = RequestKey(1, "update_metadata")
OTHER = RequestKey(2, "update_metadata")
REFUSED = RequestFailure(reason=FailureReason.NOT_ALLOWED, message="no")


def news(number: int) -> Event:
    return ProtocolViolated(detail=str(number))


def ended(
    key: RequestKey, result: RequestResult = None, failure: RequestFailure | None = None
) -> RequestEnded:
    return RequestEnded(key=key, result=result, failure=failure)


def pong(rtt: float | None) -> Event:
    return PongReceived(last_ping_timestamp=1, timestamp=2, rtt=rtt)


def drained(inbox: Inbox) -> list[Event]:
    return list(iter(inbox.pop, None))


class TestInbox:
    def test_events_leave_in_order(self) -> None:
        inbox = Inbox()
        events = [JOINED, news(1), pong(None), news(2), CLOSED]
        assert [inbox.put(event) for event in events] == [None] * 5
        assert drained(inbox) == events
        assert inbox.pop() is None

    def test_what_a_room_shows_is_known_before_it_is_read(self) -> None:
        def shown() -> tuple[Joined | None, CloseReason | None, float | None]:
            return inbox.joined, inbox.closed, inbox.rtt

        inbox = Inbox()
        assert [*shown()] == [None] * 3
        for event in (JOINED, pong(0.25), pong(None), CLOSED):
            inbox.put(event)
        assert shown() == (JOINED, LEFT, 0.25)

    def test_readable_until_and_after_the_end(self) -> None:
        inbox = Inbox()
        steps = [lambda: inbox.put(JOINED), inbox.pop, lambda: inbox.put(CLOSED), inbox.pop]
        seen = [inbox.readable]
        for step in steps:
            step()
            seen.append(inbox.readable)
        assert seen == [False, True, False, True, True]

    def test_an_expected_outcome_goes_to_its_waiter(self) -> None:
        inbox = Inbox()
        inbox.expect(KEY)
        assert not inbox.answered(KEY)
        assert inbox.take(KEY) is None
        inbox.put(RequestQueued(key=KEY))
        inbox.put(ended(KEY))
        assert inbox.answered(KEY)
        assert inbox.take(KEY) == ended(KEY)
        assert inbox.take(KEY) is None
        assert drained(inbox) == []

    def test_an_outcome_that_nobody_expects_is_an_event(self) -> None:
        inbox = Inbox()
        inbox.expect(KEY)
        inbox.put(RequestQueued(key=OTHER))
        inbox.put(ended(OTHER))
        assert drained(inbox) == [RequestQueued(key=OTHER), ended(OTHER)]

    def test_a_forgotten_request_is_dropped_silently_once(self) -> None:
        inbox = Inbox()
        inbox.expect(KEY)
        inbox.forget(KEY)
        inbox.put(RequestQueued(key=KEY))
        inbox.put(ended(KEY))
        assert drained(inbox) == []
        inbox.put(ended(KEY))
        assert drained(inbox) == [ended(KEY)]

    def test_forgetting_an_outcome_that_is_there_drops_it(self) -> None:
        inbox = Inbox()
        inbox.expect(KEY)
        inbox.put(ended(KEY))
        inbox.forget(KEY)
        inbox.forget(KEY)
        assert not inbox.answered(KEY)
        assert drained(inbox) == []

    def test_forgetting_what_was_never_expected_changes_nothing(self) -> None:
        inbox = Inbox()
        inbox.forget(KEY)
        inbox.put(ended(KEY))
        assert drained(inbox) == [ended(KEY)]

    def test_overflow_is_reported_once_and_closed_gets_in(self) -> None:
        inbox = Inbox(3)
        for event in (JOINED, news(1), news(2)):
            assert inbox.put(event) is None
        cause = inbox.put(news(3))
        assert cause is not None
        assert (cause.origin, cause.reason) == (Origin.LOCAL, Reason.EVENTS_OVERFLOWED)
        assert cause.retryable
        assert "3 events" in cause.detail
        assert "max_events" in cause.detail
        assert inbox.pop() is JOINED
        assert inbox.put(news(4)) is None  # there is a place again, but a gap would be a lie
        assert inbox.put(CLOSED) is None
        assert drained(inbox) == [news(1), news(2), CLOSED]

    def test_an_outcome_reaches_its_waiter_after_an_overflow(self) -> None:
        inbox = Inbox(1)
        inbox.expect(KEY)
        inbox.put(news(1))
        assert inbox.put(news(2)) is not None
        inbox.put(ended(KEY))
        assert inbox.take(KEY) == ended(KEY)

    def test_a_reader_in_time_never_overflows(self) -> None:
        inbox = Inbox(1)
        for number in range(100):
            assert inbox.put(news(number)) is None
            assert inbox.pop() == news(number)

    def test_nobody_reads_and_says_so(self) -> None:
        inbox = Inbox(0)
        for event in (JOINED, news(1), pong(0.5), ended(OTHER), CLOSED):
            assert inbox.put(event) is None
        assert drained(inbox) == [JOINED, CLOSED]
        assert inbox.rtt == 0.5

    def test_the_default_bound_is_the_one_stated(self) -> None:
        inbox = Inbox()
        causes = [inbox.put(news(number)) for number in range(DEFAULT_MAX_EVENTS + 1)]
        assert causes[:-1] == [None] * DEFAULT_MAX_EVENTS
        assert causes[-1] is not None

    def test_a_bound_below_zero_is_refused(self) -> None:
        with pytest.raises(ValueError, match="max_events must be 0 or more, not -1"):
            Inbox(-1)


class ScriptedClient:
    """Stands in for a Client: records calls, and answers keyed ones by what was prepared."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[object, ...], dict[str, object]]] = []
        self.outputs: deque[Event] = deque()
        self.answer: tuple[RequestResult, RequestFailure | None] | None = (None, None)
        self.phase = Phase.JOINED
        self._keys = 0

    def __getattr__(self, name: str) -> Callable[..., RequestKey | None]:
        def method(*args: object, **kwargs: object) -> RequestKey | None:
            self.calls.append((name, args, kwargs))
            if name == "close":
                self.outputs.append(CLOSED)
            if name in ("close", "simulate") or name.startswith("send_"):
                return None
            self._keys += 1
            key = RequestKey(self._keys, name)
            if self.answer is not None:
                self.outputs.append(ended(key, *self.answer))
            return key

        return method


@coroutine
def pause() -> Generator[None]:
    yield


class ScriptedRuntime:
    """Time stands at 7; a wait gives way until somebody steps the coroutine again."""

    def __init__(self, client: ScriptedClient, inbox: Inbox) -> None:
        self.client = client
        self.inbox = inbox

    def now(self) -> float:
        return 7.0

    def wake(self) -> None:
        while self.client.outputs:
            self.inbox.put(self.client.outputs.popleft())

    async def until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            await pause()


class Scene:
    def __init__(self) -> None:
        self.client = ScriptedClient()
        self.inbox = Inbox()
        self.room = Room(
            cast(Client, self.client), self.inbox, ScriptedRuntime(self.client, self.inbox)
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def finish(work: Coroutine[None, None, T]) -> T:
    """Step a coroutine that must not wait."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    work.close()
    raise AssertionError("it waits")


def waits(work: Coroutine[None, None, object]) -> bool:
    """Step a coroutine once; whether it waits."""
    try:
        work.send(None)
    except StopIteration:
        return False
    return True


async def following(room: Room) -> Event:
    return await anext(room)


async def everything(room: Room) -> list[Event]:
    return [event async for event in room]


TRACK = msg.TrackInfo(sid="TR_1")
DATA_TRACK = msg.DataTrackInfo(sid="DTR_1")
BLOB_KEY = msg.DataBlobKey(generic="k")
BLOB = msg.DataBlob(key=BLOB_KEY, contents=b"x")
ADD_TRACK = msg.AddTrackRequest(cid="c", type=msg.TrackType.AUDIO)
HIGH = msg.VideoQuality.HIGH
NO_ENCRYPTION = msg.EncryptionType.NONE

REQUESTS: list[
    tuple[
        str,
        Callable[[Room], Coroutine[None, None, object]],
        tuple[object, ...],
        dict[str, object],
        RequestResult,
    ]
] = [
    ("add_track", lambda r: r.add_track(ADD_TRACK), (ADD_TRACK,), {}, TRACK),
    ("mute_track", lambda r: r.mute_track("TR_1", True), ("TR_1", True), {}, None),
    ("update_audio_track", lambda r: r.update_audio_track("TR_1", []), ("TR_1", []), {}, None),
    (
        "update_video_track",
        lambda r: r.update_video_track("TR_1", width=4, height=3),
        ("TR_1",),
        {"width": 4, "height": 3},
        None,
    ),
    ("update_video_layers", lambda r: r.update_video_layers("TR_1", []), ("TR_1", []), {}, None),
    (
        "update_subscription",
        lambda r: r.update_subscription(subscribe=True, track_sids=["TR_1"]),
        (),
        {"subscribe": True, "track_sids": ["TR_1"], "participant_tracks": ()},
        None,
    ),
    (
        "update_track_settings",
        lambda r: r.update_track_settings(["TR_1"], disabled=True, width=4, height=3, fps=2),
        (["TR_1"],),
        {"disabled": True, "quality": HIGH, "width": 4, "height": 3, "fps": 2, "priority": 0},
        None,
    ),
    (
        "update_subscription_permission",
        lambda r: r.update_subscription_permission(all_participants=False),
        (),
        {"all_participants": False, "track_permissions": ()},
        None,
    ),
    (
        "update_metadata",
        lambda r: r.update_metadata("m", name="n", attributes={"a": "b"}),
        (),
        {"metadata": "m", "name": "n", "attributes": {"a": "b"}},
        None,
    ),
    (
        "publish_data_track",
        lambda r: r.publish_data_track("d", pub_handle=5),
        ("d",),
        {"pub_handle": 5, "encryption": NO_ENCRYPTION, "frame_encoding": None, "schema": None},
        DATA_TRACK,
    ),
    ("unpublish_data_track", lambda r: r.unpublish_data_track(5), (5,), {}, DATA_TRACK),
    ("update_data_subscription", lambda r: r.update_data_subscription([]), ([],), {}, None),
    (
        "store_data_blob",
        lambda r: r.store_data_blob(BLOB_KEY, b"x"),
        (BLOB_KEY, b"x"),
        {},
        BLOB_KEY,
    ),
    (
        "get_data_blob",
        lambda r: r.get_data_blob(BLOB_KEY, participant_identity="bob"),
        (BLOB_KEY,),
        {"participant_identity": "bob"},
        BLOB,
    ),
]

CANDIDATE = msg.SignalTarget.PUBLISHER
SCENARIO = msg.SimulateScenario(server_leave=True)
STATE = msg.SyncState()

SENT: list[tuple[str, Callable[[Room], None], tuple[object, ...], dict[str, object]],] = [
    ("send_offer", lambda r: r.send_offer("v=0", offer_id=3), ("v=0",), {"offer_id": 3}),
    ("send_answer", lambda r: r.send_answer("v=0", offer_id=3), ("v=0",), {"offer_id": 3}),
    (
        "send_trickle",
        lambda r: r.send_trickle("{}", target=CANDIDATE, final=True),
        ("{}",),
        {"target": CANDIDATE, "final": True},
    ),
    ("send_sync_state", lambda r: r.send_sync_state(STATE), (STATE,), {}),
    ("send_ping_req", lambda r: r.send_ping_req(), (), {}),
    ("send_ping", lambda r: r.send_ping(), (), {}),
    ("simulate", lambda r: r.simulate(SCENARIO), (SCENARIO,), {}),
]


class TestRequests:
    @pytest.mark.parametrize(
        ("name", "ask", "args", "kwargs", "result"), REQUESTS, ids=[row[0] for row in REQUESTS]
    )
    def test_the_client_is_asked_and_its_result_returned(
        self,
        scene: Scene,
        name: str,
        ask: Callable[[Room], Coroutine[None, None, object]],
        args: tuple[object, ...],
        kwargs: dict[str, object],
        result: RequestResult,
    ) -> None:
        scene.client.answer = (result, None)
        assert finish(ask(scene.room)) is result
        assert scene.client.calls == [(name, args, {**kwargs, "now": 7.0})]

    @pytest.mark.parametrize(("name", "send", "args", "kwargs"), SENT, ids=[row[0] for row in SENT])
    def test_what_nobody_answers_is_sent_at_once(
        self,
        scene: Scene,
        name: str,
        send: Callable[[Room], None],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> None:
        scene.client.outputs.append(news(1))
        send(scene.room)
        assert scene.client.calls == [(name, args, {**kwargs, "now": 7.0})]
        assert drained(scene.inbox) == [news(1)], "the runtime was not woken"

    def test_every_request_of_a_client_is_here(self) -> None:
        from kitwire.session.methods import RequestMethods

        public = {name for name in vars(RequestMethods) if not name.startswith("_")}
        assert public - {"config"} == {row[0] for row in REQUESTS} | {row[0] for row in SENT}

    @pytest.mark.parametrize("name", sorted(row[0] for row in REQUESTS + SENT))
    def test_the_signatures_are_the_clients_without_now(self, name: str) -> None:
        from inspect import signature

        ours = dict(signature(getattr(Room, name)).parameters)
        theirs = dict(signature(getattr(Client, name)).parameters)
        del theirs["now"]
        assert list(ours) == list(theirs)
        assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]
        assert [p.annotation for p in ours.values()] == [p.annotation for p in theirs.values()]

    def test_a_failure_is_raised(self, scene: Scene) -> None:
        scene.client.answer = (None, REFUSED)
        with pytest.raises(RequestFailed) as caught:
            finish(scene.room.update_metadata("m"))
        assert caught.value.failure is REFUSED
        assert caught.value.request == "update_metadata"

    def test_an_answer_may_take_its_time(self, scene: Scene) -> None:
        scene.client.answer = None
        work = scene.room.add_track(ADD_TRACK)
        assert waits(work)
        scene.inbox.put(ended(RequestKey(1, "add_track"), TRACK))
        assert finish(work) is TRACK

    def test_a_cancelled_wait_forgets_the_waiter_not_the_request(self, scene: Scene) -> None:
        scene.client.answer = None
        work = scene.room.update_metadata("m")
        assert waits(work)
        work.close()
        scene.inbox.put(ended(RequestKey(1, "update_metadata")))
        assert drained(scene.inbox) == []

    def test_misuse_passes_through(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> RequestKey:
            raise LocalProtocolError("update_metadata", "nothing to change")

        monkeypatch.setattr(scene.client, "update_metadata", refuse, raising=False)
        with pytest.raises(LocalProtocolError):
            finish(scene.room.update_metadata())

    @pytest.mark.parametrize("phase", [Phase.CLOSING, Phase.CLOSED])
    def test_a_room_that_ended_fails_requests_and_blames_nobody(
        self, scene: Scene, phase: Phase
    ) -> None:
        scene.client.phase = phase
        with pytest.raises(RequestFailed, match="update_metadata: ABORTED: the room is being left"):
            finish(scene.room.update_metadata("m"))
        scene.inbox.put(CLOSED)
        with pytest.raises(RequestFailed, match=f"simulate: ABORTED: {re.escape(str(LEFT))}"):
            scene.room.simulate(msg.SimulateScenario(node_failure=True))
        assert scene.client.calls == []

    def test_a_result_of_the_wrong_kind_is_a_bug_that_shows(self, scene: Scene) -> None:
        scene.client.answer = (None, None)
        with pytest.raises(AssertionError, match="add_track gave NoneType"):
            finish(scene.room.add_track(ADD_TRACK))


class TestLife:
    def test_joined_first_closed_last_then_nothing(self, scene: Scene) -> None:
        for event in (JOINED, news(1), CLOSED):
            scene.inbox.put(event)
        assert finish(everything(scene.room)) == [JOINED, news(1), CLOSED]
        assert finish(everything(scene.room)) == []

    def test_iteration_waits_for_the_next_event(self, scene: Scene) -> None:
        work = following(scene.room)
        assert waits(work)
        assert waits(work)
        scene.inbox.put(news(1))
        assert finish(work) == news(1)

    def test_every_iterating_task_stops_at_the_end(self, scene: Scene) -> None:
        one, other = everything(scene.room), everything(scene.room)
        assert waits(one)
        assert waits(other)
        scene.inbox.put(CLOSED)
        assert finish(one) == [CLOSED]
        assert finish(other) == []

    def test_a_cancelled_iteration_loses_nothing(self, scene: Scene) -> None:
        work = following(scene.room)
        assert waits(work)
        scene.inbox.put(news(1))
        work.close()
        assert finish(following(scene.room)) == news(1)

    def test_waiting_for_the_join(self, scene: Scene) -> None:
        work = scene.room.wait_joined()
        assert waits(work)
        with pytest.raises(RuntimeError, match="not joined"):
            _ = scene.room.joined
        scene.inbox.put(JOINED)
        finish(work)
        assert scene.room.joined is JOINED
        assert scene.room.closed is None
        assert scene.room.rtt is None

    def test_a_join_that_failed(self, scene: Scene) -> None:
        scene.inbox.put(CLOSED)
        with pytest.raises(ConnectFailed) as caught:
            finish(scene.room.wait_joined())
        assert caught.value.reason is LEFT

    def test_a_join_that_ended_at_once_is_a_join(self, scene: Scene) -> None:
        scene.inbox.put(JOINED)
        scene.inbox.put(CLOSED)
        finish(scene.room.wait_joined())
        assert scene.room.closed is LEFT

    def test_leaving_closes_the_client_and_waits(self, scene: Scene) -> None:
        finish(scene.room.leave())
        assert scene.client.calls == [
            ("close", (), {"now": 7.0, "leave_reason": msg.DisconnectReason.CLIENT_INITIATED})
        ]
        assert scene.room.closed is LEFT

    def test_the_round_trip(self, scene: Scene) -> None:
        scene.inbox.put(pong(0.125))
        assert scene.room.rtt == 0.125
