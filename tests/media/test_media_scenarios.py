"""What a real server can do to a session besides losing its link, while media flows both ways."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import anyio
import anyio.to_thread
import pytest
from anyio.abc import TaskStatus

from kitwire import (
    Lost,
    ParticipantsUpdated,
    PathVersion,
    Reason,
    ReconnectPolicy,
    Restarted,
    Resumed,
    Resuming,
)
from kitwire import messages as msg
from kitwire.errors import Origin
from kitwire.session.phases import Phase
from kitwire_aiortc import MediaRoom, Tone
from tests.interop.livekit_server import LiveKitServer
from tests.media.episodes import ANN, BEN, Singer, duet
from tests.media.loopback import MEDIA, PATHS, Connect, Run, together, until, within
from tests.media.unsteady import Way, way_to

pytestmark = [pytest.mark.livekit, pytest.mark.slow]

LOST: Final = 0.2
"""Seconds of audio that a busy machine may lose by itself."""

both_paths = pytest.mark.parametrize("path", PATHS)


async def assert_heard(ann: Singer, ben: Singer, path: PathVersion) -> None:
    """How much may be missing after a resume.

    Media never stops on the new path. On the old one ICE is restarted, and the server lets go of
    the way that there was as soon as that begins.
    """
    await together(ann.hears_note(BEN), ben.hears_note(ANN))
    missed, of_us = await ann.missed(), await ben.missed()
    print(f"missed {missed:.3f} s, of us {of_us:.3f} s")  # noqa: T201
    stopped = ann.took(Resumed) if path is PathVersion.V0 else 0.0
    assert max(missed, of_us) <= stopped + LOST


def figures(what: str, ann: Singer, ben: Singer, took: float) -> None:
    gaps = f"gap {ann.heard.longest:.3f} s, of us {ben.heard.longest:.3f} s"
    print(f"{what} after {took:.3f} s; {gaps}: {', '.join(ann.steps)}")  # noqa: T201


@both_paths
def test_a_simulated_migration_begins_a_new_session(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    async def main() -> None:
        async with duet(connect, livekit, room_name, path=path, reconnect=ReconnectPolicy()) as (
            ann,
            ben,
        ):
            sid, track = ann.sid, ann.ours.sid
            # A single server has nowhere to go: it closes the link, and knows no such session then.
            ann.room.simulate(msg.SimulateScenario(migration=True))
            restarted = await ann.hears_of(Restarted)
            assert ann.steps == ["Lost", "Resuming 1", "Restarting 2", "Restarted 2"]
            assert restarted.sid == ann.sid != sid
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            assert ann.ours.sid != track
            figures("restarted", ann, ben, ann.took(Restarted))

    run(main())


@both_paths
@pytest.mark.parametrize(
    ("scenario", "cause"),
    [
        (msg.SimulateScenario(disconnect_signal_on_resume=True), Reason.LINK_LOST),
        (msg.SimulateScenario(disconnect_signal_on_resume_no_messages=True), Reason.SERVER_ERROR),
    ],
    ids=["after the resume", "without a message"],
)
def test_a_link_that_is_lost_again_at_the_resume_is_resumed_all_the_same(
    livekit: LiveKitServer,
    room_name: str,
    run: Run,
    connect: Connect,
    path: PathVersion,
    scenario: msg.SimulateScenario,
    cause: Reason,
) -> None:
    async def main() -> None:
        async with (
            way_to(livekit.url) as way,
            duet(
                connect, livekit, room_name, url=way.url, path=path, reconnect=ReconnectPolicy()
            ) as (ann, ben),
        ):
            sid, track = ann.sid, ann.ours.sid
            ann.room.simulate(scenario)
            await within(5.0, ann.room.update_metadata("heard what came before"))
            way.cut()
            await until(lambda: len(ann.steps) > 3 and ann.steps[-1].startswith("Resumed"))
            expected = ["Lost", "Resuming 1", "Resuming 2", "Resumed 2"]
            if scenario.disconnect_signal_on_resume and ann.steps[2] == "Resumed 1":
                # It answers, then closes, which on a busy machine comes too late for the attempt.
                expected = ["Lost", "Resuming 1", "Resumed 1"] * 2
            assert ann.steps == expected
            resuming = [each for each in ann.episode if isinstance(each, Resuming)]
            assert resuming[1].cause.reason is cause
            resumed = await ann.hears_of(Resumed)
            assert resumed.sid == ann.sid == sid
            assert ann.ours.sid == track
            await assert_heard(ann, ben, path)
            figures("resumed", ann, ben, ann.took(Resumed))

    run(main())


@both_paths
def test_a_server_that_lets_us_go_is_not_bothered_again(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    async def main() -> None:
        async with duet(connect, livekit, room_name, path=path, reconnect=ReconnectPolicy()) as (
            ann,
            ben,
        ):
            ann.room.simulate(msg.SimulateScenario(server_leave=True))
            reason = await ann.ends()
            assert (reason.origin, reason.reason) == (Origin.SERVER, Reason.SERVER_SHUTDOWN)
            assert reason.retryable
            assert ann.steps == []
            await until(lambda: not ben.room.view.participants)

    run(main())


@both_paths
def test_a_slow_network_loses_nothing(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    async def main() -> None:
        async with (
            way_to(livekit.url) as way,
            duet(
                connect, livekit, room_name, url=way.url, path=path, reconnect=ReconnectPolicy()
            ) as (ann, ben),
        ):
            way.delay = 0.3
            took = []
            for number in range(3):
                begun = time.monotonic()
                await within(5.0, ann.room.update_metadata(f"number {number}"))
                took.append(time.monotonic() - begun)
            assert min(took) >= 0.6
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            assert ann.steps == []
            assert max(await ann.missed(), await ben.missed()) <= LOST
            # A link that is lost then comes back in as many round trips.
            way.cut()
            resumed = await ann.hears_of(Resumed)
            assert resumed.attempt == 1
            assert ann.took(Resumed) >= 0.6
            await assert_heard(ann, ben, path)
            figures(f"request {min(took):.3f} s; resumed", ann, ben, ann.took(Resumed))

    run(main())


Appearance = tuple[str, str, str]
"""Metadata, name, and an attribute."""

CHANGES: Final[tuple[tuple[Callable[[MediaRoom], Awaitable[None]], Appearance], ...]] = (
    (lambda room: room.update_metadata("1"), ("1", "", "")),
    (lambda room: room.update_metadata(attributes={"number": "2"}), ("1", "", "2")),
    (lambda room: room.update_metadata(name="3"), ("1", "3", "2")),
    (lambda room: room.update_metadata("4"), ("4", "3", "2")),
    (lambda room: room.update_metadata(attributes={"number": "5"}), ("4", "3", "5")),
    (lambda room: room.update_metadata("6"), ("6", "3", "5")),
)
"""Requests, and how we appear to the others after each."""


def appearances(witness: Singer, identity: str) -> list[Appearance]:
    """How somebody appeared to a witness, one after the other."""
    seen: list[Appearance] = []
    for _, event in witness.told:
        if not isinstance(event, ParticipantsUpdated):
            continue
        for each in event.participants:
            now = (each.metadata, each.name, each.attributes.get("number", ""))
            if each.identity == identity and now not in seen[-1:]:
                seen.append(now)
    return seen


@both_paths
@pytest.mark.parametrize("end", [Resumed, Restarted])
def test_requests_made_while_the_session_is_lost_arrive_in_order(
    livekit: LiveKitServer,
    room_name: str,
    run: Run,
    connect: Connect,
    path: PathVersion,
    end: type[Resumed | Restarted],
) -> None:
    async def main() -> None:
        async with (
            way_to(livekit.url) as way,
            duet(
                connect, livekit, room_name, url=way.url, path=path, reconnect=ReconnectPolicy()
            ) as (ann, ben),
            anyio.create_task_group() as tasks,
        ):
            # So that it takes a while to come back.
            way.delay = 0.3
            if end is Resumed:
                way.cut()
            else:
                ann.room.simulate(msg.SimulateScenario(node_failure=True))
            await ann.hears_of(Lost)
            done: list[Appearance] = []

            async def ask(number: int, *, task_status: TaskStatus[None]) -> None:
                request, appearance = CHANGES[number]
                task_status.started()
                await within(10.0, request(ann.room))
                done.append(appearance)

            for number in range(len(CHANGES)):
                await tasks.start(ask, number)
            assert ann.room.client.phase is not Phase.JOINED
            assert done == []
            await ann.hears_of(end)
            wanted = [appearance for _, appearance in CHANGES]
            await until(lambda: sorted(done) == sorted(wanted))
            await until(lambda: appearances(ben, "ann")[-1:] == wanted[-1:])
            assert appearances(ben, "ann")[-len(wanted) :] == wanted
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            figures(end.__name__, ann, ben, ann.took(end))

    run(main())


def wait_until_refused(server: LiveKitServer, token: str) -> None:
    """Until the server lets nobody in with that token any more; blocks."""
    # No proxy, whatever the environment says: this is loopback.
    opener = build_opener(ProxyHandler({}))
    request = Request(f"{server.http_url}/rtc/validate?access_token={token}")
    begun = time.monotonic()
    while time.monotonic() - begun < 15.0:
        try:
            opener.open(request, timeout=5.0).close()
        except HTTPError as error:
            error.close()
            if error.code != 401:
                raise
            return
        time.sleep(0.1)
    raise AssertionError("the token is good all the same")


@both_paths
def test_a_session_outlives_the_token_that_began_it(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    async def main() -> None:
        # The server takes a token for a minute longer than it is valid: so this one for seconds.
        token = livekit.token(
            "ann", room_name, ttl=timedelta(seconds=-54), can_update_own_metadata=True
        )
        async with (
            way_to(livekit.url) as way,
            duet(
                connect,
                livekit,
                room_name,
                url=way.url,
                token=token,
                path=path,
                reconnect=ReconnectPolicy(),
            ) as (ann, ben),
        ):
            await within(5.0, ann.room.update_metadata("newer than the token"))
            await anyio.to_thread.run_sync(wait_until_refused, livekit, token)
            way.cut()
            resumed = await ann.hears_of(Resumed)
            assert resumed.attempt == 1
            # To join again takes a token, too; what it says of us is what we were last.
            sid = ann.sid
            ann.room.simulate(msg.SimulateScenario(node_failure=True))
            await ann.hears_of(Restarted)
            assert ann.sid != sid
            assert ann.room.joined.participant.metadata == "newer than the token"
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            figures("restarted", ann, ben, ann.took(Restarted))

    run(main())


@both_paths
def test_two_with_the_same_identity_do_not_fight_for_ever(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    """Both would come back, and one of them does; which one is for the server to say."""

    async def main() -> None:
        token = livekit.token("ann", room_name)
        async with (
            way_to(livekit.url) as way,
            duet(
                connect, livekit, room_name, url=way.url, path=path, reconnect=ReconnectPolicy()
            ) as (ann, ben),
        ):
            way.shut = True
            way.cut()
            await ann.hears_of(Lost)
            async with (
                connect(
                    livekit.url, token=token, media=MEDIA, path=path, reconnect=ReconnectPolicy()
                ) as room,
                anyio.create_task_group() as tasks,
            ):
                again = Singer(room, await room.publish_audio(Tone(660.0)))
                tasks.start_soon(again.live)
                await again.hears(20)
                # While the first one cannot come back, that is all.
                assert again.steps == []
                assert ann.room.closed is None
                way.shut = False
                begun = time.monotonic()
                await until(lambda: ann.over or again.over)
                took = time.monotonic() - begun
                stays, goes, note = (again, ann, 660.0) if ann.over else (ann, again, ANN)
                reason = await goes.ends()
                assert reason.reason is Reason.DUPLICATE_IDENTITY
                assert not reason.retryable
                await together(stays.hears_note(BEN), ben.hears_note(note))
                steps = stays.steps
                await anyio.sleep(1.0)
                assert stays.steps == steps
                assert not stays.over
                there = await anyio.to_thread.run_sync(livekit.participants, room_name)
                assert {each.sid for each in there} == {stays.sid, ben.sid}
                print(f"{'the first' if stays is ann else 'the second'} stays; {took:.3f} s:")  # noqa: T201
                print(f"    {', '.join(ann.steps)} / {', '.join(again.steps)}")  # noqa: T201
                tasks.cancel_scope.cancel()

    run(main())


async def rejoining(way: Way, ann: Singer, ben: Singer) -> None:
    """Ann is cut off and joins again, as Ben sees; she is about to be told."""
    sid = ann.sid
    way.hold()
    way.cut()
    await until(lambda: (who := ben.room.view.participant("ann")) is not None and who.sid != sid)


@both_paths
def test_a_session_that_is_over_by_the_time_that_it_is_joined(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    """The server's answer and its farewell come at once."""

    async def main() -> None:
        restarting = ReconnectPolicy(resumes=0)
        async with (
            way_to(livekit.url) as way,
            duet(connect, livekit, room_name, url=way.url, path=path, reconnect=restarting) as (
                ann,
                ben,
            ),
        ):
            ended = way.ended
            await rejoining(way, ann, ben)
            token = livekit.token("ann", room_name)
            async with connect(livekit.url, token=token, media=MEDIA, path=path) as again:
                await until(lambda: way.ended > ended)
                way.release()
                reason = await ann.ends()
                assert reason.reason is Reason.DUPLICATE_IDENTITY
                assert ann.steps == ["Lost", "Restarting 1"]
                assert again.closed is None
                await until(
                    lambda: list(ben.room.view.participants) == [again.joined.participant.sid]
                )

    run(main())


CLOSE: Final = b"\x88\x02\x03\xe8"
"""A WebSocket's close frame with the code 1000, from a server's side (RFC 6455)."""


@both_paths
def test_a_link_that_is_gone_by_the_time_that_the_room_is_joined(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    """The server's answer and the end of the link come at once, as from a proxy that shuts down."""

    async def main() -> None:
        restarting = ReconnectPolicy(resumes=0)
        async with (
            way_to(livekit.url) as way,
            duet(connect, livekit, room_name, url=way.url, path=path, reconnect=restarting) as (
                ann,
                ben,
            ),
        ):
            await rejoining(way, ann, ben)
            way.release(CLOSE)
            await ann.hears_of(Restarted)
            assert ann.steps == ["Lost", "Restarting 1", "Restarting 2", "Restarted 2"]
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            there = await anyio.to_thread.run_sync(livekit.participants, room_name)
            assert {(each.sid, *(track.sid for track in each.tracks)) for each in there} == {
                (each.sid, each.ours.sid) for each in (ann, ben)
            }
            figures("restarted", ann, ben, ann.took(Restarted))

    run(main())
