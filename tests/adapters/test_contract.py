"""What both adapters promise, on real sockets: one suite, run on asyncio and on trio.

The far end is a scripted server in threads. Nothing here sleeps to wait for something.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread
from anyio.abc import TaskGroup
from livekit.protocol import models, rtc

from kitwire import (
    Closed,
    ConnectFailed,
    Event,
    FailureReason,
    Joined,
    LocalProtocolError,
    Lost,
    Origin,
    ParticipantsUpdated,
    PongReceived,
    Reason,
    ReconnectPolicy,
    RequestFailed,
    RequestQueued,
    Restarted,
    Restarting,
    Room,
    Timeouts,
    messages,
)
from kitwire.trace import TraceRecord
from tests.adapters.conftest import Connect
from tests.peers.scripted_server import Connection, ScriptedServer, scripted_server
from tests.peers.signal_end import answer_politely, join_response, metadata_answer

pytestmark = pytest.mark.anyio


def somebody(identity: str) -> rtc.SignalResponse:
    """The news of a participant."""
    someone = models.ParticipantInfo(sid=f"PA_{identity}", identity=identity)
    return rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=[someone]))


class Notes:
    """What a script saw, for the test to look at once the script has ended."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.reached = threading.Event()

    def polite(self, connection: Connection) -> None:
        """Be a polite server that writes down what it is asked."""
        while (received := connection.next()) is not None:
            if isinstance(received, rtc.SignalRequest):
                self.requests.append(received.WhichOneof("message") or "")
            answer_politely(connection.end, received)
            connection.flush()

    async def wait_until_reached(self) -> None:
        """Wait for the script to come to the point."""
        assert await to_thread.run_sync(self.reached.wait, 10.0)


async def all_events(room: Room) -> list[Event]:
    return [event async for event in room]


# --- a whole life ---


async def test_joined_comes_first_and_closed_last(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        connection.send(somebody("bob"))
        connection.be_polite()

    seen: list[Event] = []
    with scripted_server(script) as server:
        async with connect(server.url) as room:
            assert room.joined.participant.identity == "alice"
            async for event in room:
                seen.append(event)
                if isinstance(event, ParticipantsUpdated):
                    assert room.closed is None
                    await room.leave()
                    assert room.closed is not None
            assert await all_events(room) == []
    assert isinstance(seen[0], Joined)
    assert isinstance(seen[-1], Closed)
    assert seen[-1].reason == room.closed
    assert room.closed.reason is Reason.CLIENT_INITIATED
    news = [event for event in seen if isinstance(event, ParticipantsUpdated)]
    assert [event.participants[0].identity for event in news] == ["bob"]


async def test_a_room_can_be_read_after_it_was_left(connect: Connect) -> None:
    with scripted_server() as server:
        async with connect(server.url) as room:
            pass
    events = await all_events(room)
    assert isinstance(events[0], Joined)
    assert isinstance(events[-1], Closed)


async def test_leaving_the_block_tells_the_server(connect: Connect) -> None:
    notes = Notes()
    with scripted_server(notes.polite) as server:
        async with connect(server.url):
            pass
    assert notes.requests[-1] == "leave"


async def test_the_reason_to_leave_reaches_the_server(connect: Connect) -> None:
    reasons: list[int] = []

    def script(connection: Connection) -> None:
        connection.let_in()
        reasons.append(connection.request("leave").leave.reason)

    with scripted_server(script) as server:
        async with connect(server.url) as room:
            await room.leave(messages.DisconnectReason.USER_UNAVAILABLE)
            await room.leave()
    assert reasons == [models.DisconnectReason.USER_UNAVAILABLE]


async def test_the_server_ends_the_room(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        leave = rtc.LeaveRequest(
            reason=models.DisconnectReason.PARTICIPANT_REMOVED,
            action=rtc.LeaveRequest.Action.DISCONNECT,
        )
        connection.send(rtc.SignalResponse(leave=leave))
        connection.end.close()
        connection.flush()
        connection.wait_for_end()

    with scripted_server(script) as server:
        async with connect(server.url) as room:
            events = await all_events(room)
            assert room.closed is not None
            assert room.closed.origin is Origin.SERVER
            with pytest.raises(RequestFailed, match="PARTICIPANT_REMOVED") as caught:
                await room.update_metadata("too late")
            assert caught.value.reason is FailureReason.ABORTED
    assert isinstance(events[-1], Closed)
    assert events[-1].reason.reason is Reason.PARTICIPANT_REMOVED


@pytest.mark.parametrize("how", ["reset", "end", "close frame"])
async def test_a_lost_link_closes_the_room(connect: Connect, how: str) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        connection.request("ping_req")
        if how == "reset":
            connection.reset()
        elif how == "close frame":
            connection.end.close(1011)
            connection.flush()

    with scripted_server(script) as server:
        async with connect(server.url, reconnect=None) as room:
            await all_events(room)
    assert room.closed is not None
    assert room.closed.reason is Reason.LINK_LOST
    assert room.closed.retryable


async def test_a_session_that_is_lost_comes_back(connect: Connect) -> None:
    lives = iter(("lost", "stands"))
    refused = threading.Event()

    def script(connection: Connection) -> None:
        if next(lives) == "lost":
            connection.let_in()
            connection.request("ping_req")
            connection.reset()
        else:
            assert refused.wait(10)
            connection.let_in()
            connection.be_polite()

    with scripted_server(script) as server:
        async with connect(server.url) as room:
            seen = []
            async for event in room:
                seen.append(type(event))
                if isinstance(event, Restarting):
                    # Held until there is somebody to answer.
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(room.update_metadata, "still here")
                        await anyio.lowlevel.checkpoint()
                        refused.set()
                if isinstance(event, Restarted):
                    break
            await room.update_metadata("again")
    lifecycle = [each for each in seen if each in (Joined, Lost, Restarting, Restarted)]
    assert lifecycle == [Joined, Lost, Restarting, Joined, Restarted]
    assert room.closed is not None
    assert room.closed.reason is Reason.CLIENT_INITIATED


async def test_a_wait_between_attempts_ends_when_the_application_says_so(connect: Connect) -> None:
    lives = iter(("lost", "refused", "stands"))

    def script(connection: Connection) -> None:
        match next(lives):
            case "lost":
                connection.let_in()
                connection.request("ping_req")
                connection.reset()
            case "refused":
                connection.reset()
            case _:
                connection.let_in()
                connection.be_polite()

    # Waits of an hour and more: what the test would not live to see.
    policy = ReconnectPolicy(base=3600.0 * 1e9, cap=3600.0 * 1e9)
    with scripted_server(script) as server:
        async with connect(server.url, reconnect=policy) as room:
            async for event in room:
                if isinstance(event, Restarting) and event.attempt == 2:
                    assert event.next_in > 3600.0
                    room.reconnect_now()
                if isinstance(event, Restarted):
                    assert event.attempt == 2
                    break
            room.reconnect_now()  # Harmless.
            await room.update_metadata("here")


@pytest.mark.parametrize("where", ["waiting", "dialing"])
async def test_leaving_while_the_session_comes_back_ends_at_once(
    connect: Connect, where: str
) -> None:
    lives = iter(("lost", "half-open"))
    half_open, over = threading.Event(), threading.Event()

    def script(connection: Connection) -> None:
        if next(lives) == "lost":
            connection.let_in()
            connection.request("ping_req")
            connection.reset()
        elif where == "waiting":
            connection.reset()
        else:
            half_open.set()  # And the upgrade is never answered.
            assert over.wait(10)

    policy = ReconnectPolicy(base=3600.0 * 1e9, cap=3600.0 * 1e9)
    try:
        with scripted_server(script) as server:
            async with connect(server.url, reconnect=policy) as room:
                async for event in room:
                    if isinstance(event, Restarting) and (where == "dialing" or event.next_in):
                        break
                if where == "dialing":
                    assert await to_thread.run_sync(half_open.wait, 10.0)
                begun = anyio.current_time()
            took = anyio.current_time() - begun
            over.set()
    finally:
        over.set()
    assert took < 1.0
    assert room.closed is not None
    assert room.closed.reason is Reason.CLIENT_INITIATED


async def test_bytes_may_come_one_by_one(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.end.accept(connection.upgrade())
        connection.end.send(join_response())
        connection.end.send(somebody("bob"))
        for byte in connection.end.outgoing():
            connection.socket.sendall(bytes([byte]))
        connection.be_polite()

    with scripted_server(script) as server:
        async with connect(server.url) as room:
            async for event in room:
                if isinstance(event, ParticipantsUpdated):
                    break


async def test_the_round_trip_is_measured(connect: Connect) -> None:
    with scripted_server() as server:
        async with connect(server.url) as room:
            room.send_ping_req()
            async for event in room:
                if isinstance(event, PongReceived):
                    break
            assert room.rtt is not None
            assert 0 <= room.rtt < 10


async def test_two_rooms_at_once(connect: Connect) -> None:
    with scripted_server() as server:
        async with connect(server.url) as one, connect(server.url) as other:
            await one.update_metadata("one")
            await other.update_metadata("other")
    assert one.closed == other.closed is not None


async def test_several_tasks_may_iterate(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        for number in range(20):
            connection.send(somebody(str(number)))
        connection.be_polite()

    events: list[Event] = []

    async def read(room: Room) -> None:
        async for event in room:
            events.append(event)
            if len([e for e in events if isinstance(e, ParticipantsUpdated)]) == 20:
                await room.leave()

    with scripted_server(script) as server:
        async with connect(server.url) as room, anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(read, room)
    assert isinstance(events[0], Joined)
    assert isinstance(events[-1], Closed)
    names = [e.participants[0].identity for e in events if isinstance(e, ParticipantsUpdated)]
    assert names == [str(number) for number in range(20)]


# --- requests ---


async def test_a_request_succeeds_or_is_refused(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        connection.send(metadata_answer(connection.request("update_metadata")))
        refused = rtc.RequestResponse.NOT_ALLOWED
        connection.send(metadata_answer(connection.request("update_metadata"), refused))
        connection.be_polite()

    with scripted_server(script) as server:
        async with connect(server.url) as room:
            await room.update_metadata("good")
            with pytest.raises(RequestFailed) as caught:
                await room.update_metadata("bad")
    assert caught.value.reason is FailureReason.NOT_ALLOWED
    assert caught.value.request == "update_metadata"


async def test_add_track_gives_its_track(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        asked = connection.request("add_track").add_track
        track = models.TrackInfo(sid="TR_1", name=asked.name)
        published = rtc.TrackPublishedResponse(cid=asked.cid, track=track)
        connection.send(rtc.SignalResponse(track_published=published))
        connection.be_polite()

    track = messages.AddTrackRequest(cid="c1", name="mic", type=messages.TrackType.AUDIO)
    with scripted_server(script) as server:
        async with connect(server.url) as room:
            assert (await room.add_track(track)).sid == "TR_1"


async def test_misuse_raises_before_anything_is_sent(connect: Connect) -> None:
    notes = Notes()
    with scripted_server(notes.polite) as server:
        async with connect(server.url) as room:
            with pytest.raises(LocalProtocolError):
                await room.update_metadata()
    assert "update_metadata" not in notes.requests


async def test_many_requests_wait_at_once(connect: Connect) -> None:
    with scripted_server() as server:
        async with connect(server.url) as room, anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(room.update_metadata, str(number))


async def test_the_end_of_the_connection_ends_every_request(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        connection.request("update_metadata")
        connection.request("update_metadata")

    failures: list[RequestFailed] = []

    async def ask(room: Room) -> None:
        try:
            await room.update_metadata("?")
        except RequestFailed as failure:
            failures.append(failure)

    with scripted_server(script) as server:
        async with (
            connect(server.url, reconnect=None) as room,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(ask, room)
            tasks.start_soon(ask, room)
    assert [failure.reason for failure in failures] == [FailureReason.ABORTED] * 2


async def test_cancelling_a_wait_forgets_the_waiter_not_the_request(connect: Connect) -> None:
    notes = Notes()

    def script(connection: Connection) -> None:
        connection.let_in()
        first = connection.request("update_metadata")
        notes.reached.set()
        second = connection.request("update_metadata")
        connection.send(metadata_answer(first))
        connection.send(metadata_answer(second))
        connection.be_polite()

    with scripted_server(script) as server:
        async with connect(server.url) as room:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(room.update_metadata, "first")
                await notes.wait_until_reached()
                tasks.cancel_scope.cancel()
            await room.update_metadata("second")
            assert room.closed is None
            await room.leave()
            events = await all_events(room)
    assert not [event for event in events if isinstance(event, RequestQueued)]
    assert not [event for event in events if "RequestEnded" in type(event).__name__]


# --- how the block may end ---


class Boom(Exception):
    pass


@pytest.mark.parametrize(
    "raised",
    [Boom("body"), ExceptionGroup("several", [Boom("one"), Boom("two")]), KeyboardInterrupt()],
    ids=["exception", "group", "interrupt"],
)
async def test_what_the_block_raises_leaves_as_itself(
    connect: Connect, raised: BaseException
) -> None:
    notes = Notes()
    with scripted_server(notes.polite) as server, pytest.raises(type(raised)) as caught:
        async with connect(server.url):
            raise raised
    assert caught.value is raised
    assert notes.requests[-1] == "leave"


async def test_a_cancelled_block_still_leaves(connect: Connect) -> None:
    notes = Notes()
    with scripted_server(notes.polite) as server:
        with anyio.CancelScope() as scope:
            async with connect(server.url):
                scope.cancel()
                await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert notes.requests[-1] == "leave"


async def test_a_cancellation_while_leaving_waits_for_the_leave(connect: Connect) -> None:
    notes = Notes()

    def script(connection: Connection) -> None:
        connection.let_in()
        connection.request("leave")
        notes.reached.set()
        connection.wait_for_end()  # no answer: the client must give up by itself

    async def cancel_soon(scope: anyio.CancelScope) -> None:
        await notes.wait_until_reached()
        scope.cancel()

    with scripted_server(script) as server:
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                tasks.start_soon(cancel_soon, scope)
                async with connect(server.url, timeouts=Timeouts(close=0.2)) as room:
                    pass
    assert scope.cancel_called
    assert room.closed is not None
    assert room.closed.reason is Reason.CLIENT_INITIATED


# --- not joining ---


def says_nothing(connection: Connection) -> None:
    connection.wait_for_end()


def never_joins(connection: Connection) -> None:
    connection.end.accept(connection.upgrade())
    connection.flush()
    connection.wait_for_end()


def refuses(connection: Connection) -> None:
    connection.end.refuse(401, "invalid API key")
    connection.flush()


@pytest.mark.parametrize(
    ("scripts", "timeouts", "reason"),
    [
        ((says_nothing,), Timeouts(open=0.2), Reason.OPEN_TIMEOUT),
        ((never_joins,), Timeouts(join=0.2), Reason.JOIN_TIMEOUT),
        ((refuses, refuses), Timeouts(), Reason.BAD_TOKEN),
        ((refuses, says_nothing), Timeouts(validate=0.2), Reason.BAD_TOKEN),
    ],
    ids=["silent", "no join", "refused", "refused and silent"],
)
async def test_connect_fails_with_the_reason(
    connect: Connect,
    scripts: tuple[Callable[[Connection], None], ...],
    timeouts: Timeouts,
    reason: Reason,
) -> None:
    with scripted_server(*scripts) as server, pytest.raises(ConnectFailed) as caught:
        async with connect(server.url, timeouts=timeouts):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is reason


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("ws://127.0.0.1:1", "refused: 127.0.0.1:1"),
        ("ws://localhost:1", "refused: localhost:1"),
        ("ws://no-such-host.invalid", "not known: no-such-host.invalid"),
        (f"ws://{'a' * 70}.invalid", "not known: aaaa"),
    ],
)
async def test_a_server_that_is_not_there(connect: Connect, url: str, detail: str) -> None:
    with pytest.raises(ConnectFailed) as caught:
        async with connect(url):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is Reason.UNREACHABLE
    assert detail in caught.value.reason.detail


async def test_a_bad_url_is_misuse(connect: Connect) -> None:
    with pytest.raises(ValueError, match="ws://"):
        connect("ftp://127.0.0.1")
    with pytest.raises(ValueError, match="max_events"):
        connect("ws://127.0.0.1", max_events=-1)


@pytest.mark.parametrize("stage", ["dialed", "asked", "let in", "joined"])
async def test_joining_may_be_cancelled(connect: Connect, stage: str) -> None:
    notes = Notes()

    def announced(connection: Connection) -> None:
        if stage == "asked":
            connection.upgrade()
        elif stage == "let in":
            connection.end.accept(connection.upgrade())
            connection.flush()
        elif stage == "joined":
            connection.let_in()
        notes.reached.set()
        connection.be_polite() if stage == "joined" else connection.wait_for_end()

    async def join(server: ScriptedServer, cancelled: list[bool]) -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            async with connect(server.url, timeouts=Timeouts(close=0.1)):
                await anyio.sleep_forever()
        cancelled.append(scope.cancelled_caught)

    scopes: list[anyio.CancelScope] = []
    cancelled: list[bool] = []
    with scripted_server(announced) as server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(join, server, cancelled)
            await notes.wait_until_reached()
            scopes[0].cancel()
    assert cancelled == [True]


# --- addresses and TLS ---


@pytest.mark.parametrize(
    ("host", "dialed"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("::1", "[::1]")]
)
async def test_names_and_both_families_of_addresses(
    connect: Connect, host: str, dialed: str
) -> None:
    with scripted_server(host=host) as server:
        async with connect(f"ws://{dialed}:{server.port}"):
            pass


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_tls_with_a_trusted_certificate(
    connect: Connect, host: str, trusting: ssl.SSLContext, presenting: ssl.SSLContext
) -> None:
    with scripted_server(tls=presenting) as server:
        async with connect(f"wss://{host}:{server.port}", ssl=trusting) as room:
            await room.update_metadata("x" * 100_000)


async def test_a_certificate_that_nobody_trusts(
    connect: Connect, presenting: ssl.SSLContext
) -> None:
    with scripted_server(tls=presenting) as server, pytest.raises(ConnectFailed) as caught:
        async with connect(server.url):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is Reason.TLS_FAILURE
    assert "self-signed certificate" in caught.value.reason.detail
    assert not caught.value.reason.retryable


async def test_a_certificate_for_somebody_else(
    connect: Connect, trusting: ssl.SSLContext, presenting: ssl.SSLContext
) -> None:
    elsewhere = scripted_server(tls=presenting, host="127.0.0.2")
    with elsewhere as server, pytest.raises(ConnectFailed) as caught:
        async with connect(server.url, ssl=trusting):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is Reason.TLS_FAILURE
    assert "127.0.0.2" in caught.value.reason.detail


async def test_no_tls_where_there_should_be(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.socket.recv(1)
        connection.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with scripted_server(script) as server, pytest.raises(ConnectFailed) as caught:
        async with connect(server.url.replace("ws:", "wss:")):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is Reason.TLS_FAILURE


async def test_the_end_during_the_handshake(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.socket.recv(1)

    with scripted_server(script) as server, pytest.raises(ConnectFailed) as caught:
        async with connect(server.url.replace("ws:", "wss:")):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is Reason.TLS_FAILURE


async def test_a_silent_handshake_times_out(connect: Connect) -> None:
    with scripted_server(says_nothing) as server, pytest.raises(ConnectFailed) as caught:
        async with connect(server.url.replace("ws:", "wss:"), timeouts=Timeouts(open=0.2)):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is Reason.OPEN_TIMEOUT


# --- reading always, within bounds ---


async def test_unread_events_overflow(connect: Connect) -> None:
    notes = Notes()

    def script(connection: Connection) -> None:
        connection.let_in()
        for number in range(50):
            connection.send(somebody(str(number)))
        notes.polite(connection)

    with scripted_server(script) as server:
        async with connect(server.url, max_events=10) as room:
            while room.closed is None:  # noqa: ASYNC110 - what is tested is not to iterate
                await anyio.sleep(0.01)
            events = await all_events(room)
    assert isinstance(events[0], Joined)
    assert [type(event) for event in events[1:10]] == [ParticipantsUpdated] * 9
    assert isinstance(events[10], Closed)
    assert events[10].reason.reason is Reason.EVENTS_OVERFLOWED
    assert "max_events" in events[10].reason.detail
    assert notes.requests[-1] == "leave"


async def test_who_never_reads_may_say_so(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        for number in range(50):
            connection.send(somebody(str(number)))
        connection.be_polite()

    with scripted_server(script) as server:
        async with connect(server.url, max_events=0) as room:
            await room.update_metadata("after all the news")
            assert room.closed is None
    assert [type(event) for event in await all_events(room)] == [Joined, Closed]


async def test_a_server_that_stops_reading_loses_the_link(connect: Connect) -> None:
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.let_in()
        assert done.wait(20)

    with scripted_server(script) as server:
        try:
            async with connect(server.url, reconnect=None) as room:
                for number in range(40):
                    room.send_offer("v" * 1_000_000, offer_id=number + 1)
                    await anyio.lowlevel.checkpoint()
                    if room.closed is not None:
                        break
                async for event in room:
                    if isinstance(event, Closed):
                        break
        finally:
            done.set()
    assert room.closed is not None
    assert room.closed.reason is Reason.LINK_LOST
    assert "takes no more data" in room.closed.detail


async def test_a_stalled_write_stops_neither_reading_nor_time(connect: Connect) -> None:
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.let_in()
        for number in range(5):
            connection.send(somebody(str(number)))
        assert done.wait(20)

    with scripted_server(script) as server:
        try:
            async with connect(server.url, timeouts=Timeouts(close=0.1)) as room:
                for number in range(7):
                    room.send_offer("v" * 1_000_000, offer_id=number + 1)
                seen = 0
                async for event in room:
                    seen += isinstance(event, ParticipantsUpdated)
                    if seen == 5:
                        break
                with anyio.fail_after(5):
                    await room.leave()
        finally:
            done.set()


# --- a bug must surface ---


class Bug(Exception):
    pass


def failing_on(name: str) -> Callable[[TraceRecord], None]:
    """A trace callback with a bug, which stands for any bug below the driver."""

    def trace(record: TraceRecord) -> None:
        if record.name == name:
            raise Bug(name)

    return trace


async def test_a_bug_while_joining_surfaces(connect: Connect) -> None:
    with scripted_server() as server, pytest.raises(RuntimeError, match="driver") as caught:
        async with connect(server.url, trace=failing_on("receive_message")):
            pytest.fail("the room was not joined")
    assert isinstance(caught.value.__cause__, Bug)


@pytest.mark.parametrize("waiting", ["for nothing", "for an event", "for an outcome"])
async def test_a_bug_interrupts_the_block(connect: Connect, waiting: str) -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        connection.request("update_metadata" if waiting == "for an outcome" else None)
        connection.send(somebody("bob"))
        connection.wait_for_end()

    async def stay() -> None:
        async with connect(server.url, trace=failing_on("ParticipantsUpdated")) as room:
            if waiting == "for an outcome":
                await room.update_metadata("?")
            elif waiting == "for an event":
                await all_events(room)
            await anyio.sleep_forever()

    with scripted_server(script) as server, pytest.raises(RuntimeError, match="driver") as caught:
        await stay()
    assert isinstance(caught.value.__cause__, Bug)


async def test_a_bug_surfaces_outside_the_block_too(connect: Connect) -> None:
    """A task that waits on the room from elsewhere is told as well."""
    notes = Notes()
    told: list[str] = []

    def script(connection: Connection) -> None:
        connection.let_in()
        assert notes.reached.wait(10)
        connection.send(somebody("bob"))
        connection.wait_for_end()

    async def read(room: Room) -> None:
        await anext(room)
        notes.reached.set()
        try:
            await anext(room)
        except RuntimeError as error:
            told.append(str(error))

    async def stay(readers: TaskGroup) -> None:
        async with connect(server.url, trace=failing_on("ParticipantsUpdated")) as room:
            readers.start_soon(read, room)
            await anyio.sleep_forever()

    with scripted_server(script) as server:
        async with anyio.create_task_group() as readers:
            with pytest.raises(RuntimeError, match="driver"):
                await stay(readers)
    assert told == ["the driver of this room failed"]


async def test_a_bug_in_a_request_surfaces(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        async with connect(server.url) as room:
            monkeypatch.setattr(room.client, "poll", None)
            with contextlib.suppress(Exception):
                await room.update_metadata("?")
            await anyio.sleep_forever()

    with scripted_server() as server, pytest.raises(RuntimeError, match="driver"):
        await ask()


async def test_after_a_bug_the_loop_goes_on(connect: Connect, tmp_path: Path) -> None:
    with scripted_server() as server:
        with pytest.raises(RuntimeError, match="driver"):
            async with connect(server.url, trace=failing_on("receive_message")):
                pass
        await anyio.lowlevel.checkpoint()
        async with connect(server.url) as room:
            await room.update_metadata("fine")
