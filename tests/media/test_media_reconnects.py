"""Links that are lost while media flows, on a real server: the session goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
import pytest

from kitwire import Lost, PathVersion, ReconnectPolicy, Restarted, Restarting, Resumed
from kitwire import messages as msg
from kitwire_aiortc import MediaRoom, Tone
from tests.interop.livekit_server import LiveKitServer
from tests.media.episodes import Gaps, next_of
from tests.media.loopback import (
    MEDIA,
    PATHS,
    Connect,
    Run,
    frequency,
    known,
    read_audio,
    until,
    within,
)
from tests.media.unsteady import Way, way_to

pytestmark = pytest.mark.livekit

both_paths = pytest.mark.parametrize("path", PATHS)


async def losing(
    livekit: LiveKitServer,
    room_name: str,
    connect: Connect,
    lose: Callable[[Way], None],
    *,
    path: PathVersion,
    times: int,
    limit: float,
) -> float:
    """A session is lost so often while it hears and is heard; the longest gap, in seconds."""
    token = livekit.token("ann", room_name, can_update_own_metadata=True)
    async with (
        way_to(livekit.url) as way,
        connect(livekit.url, token=livekit.token("ben", room_name), media=MEDIA) as ben,
        connect(way.url, token=token, media=MEDIA, path=path, reconnect=ReconnectPolicy()) as ann,
        anyio.create_task_group() as tasks,
    ):
        tone = await ben.publish_audio(Tone(440.0))
        ours = await ann.publish_audio(Tone(880.0))
        await known(ann, tone.sid)
        await known(ben, ours.sid)
        heard, heard_of_us = Gaps(), Gaps()
        tasks.start_soon(heard.read, ann, tone.sid)
        tasks.start_soon(heard_of_us.read, ben, ours.sid)
        for number in range(times):
            await anyio.sleep(0.5)
            before, before_of_us = heard.frames, heard_of_us.frames
            lose(way)
            begun = time.monotonic()
            resumed = await next_of(ann, Resumed, limit)
            took = time.monotonic() - begun
            assert resumed.sid == ann.joined.participant.sid
            await within(5.0, ann.update_metadata(f"number {number}"))
            await anyio.sleep(0.5)
            # Some fifty frames a second come and go, before and after.
            assert heard.frames >= before + 20
            assert heard_of_us.frames >= before_of_us + 20
            print(f"resumed after {took:.3f} s; longest gap {heard.longest:.3f} s")  # noqa: T201
        tasks.cancel_scope.cancel()
    return max(heard.longest, heard_of_us.longest)


@both_paths
def test_a_link_that_is_cut_is_resumed_and_media_never_stops(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    gap = run(losing(livekit, room_name, connect, Way.cut, path=path, times=3, limit=3.0))
    assert gap < 0.25


@pytest.mark.slow
@both_paths
def test_a_link_that_only_seems_to_stand_is_noticed_and_resumed(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    main = losing(livekit, room_name, connect, Way.stall, path=path, times=1, limit=25.0)
    gap = run(main, limit=60.0)
    assert gap < 0.25


def muted(room: MediaRoom, sid: str) -> bool:
    publication = room.view.publication(sid)
    assert publication is not None
    return publication.muted


def test_a_session_that_must_restart_publishes_and_hears_as_before(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect
) -> None:
    async def main() -> None:
        async with (
            connect(livekit.url, token=livekit.token("ben", room_name), media=MEDIA) as ben,
            connect(
                livekit.url,
                token=livekit.token("ann", room_name),
                media=MEDIA,
                path=PathVersion.V1,
                reconnect=ReconnectPolicy(),
            ) as ann,
            anyio.create_task_group() as tasks,
        ):
            tone = await ben.publish_audio(Tone(440.0))
            ours = await ann.publish_audio(Tone(880.0))
            quiet = await ann.publish_audio(Tone(660.0), name="quiet")
            await quiet.mute()
            late = await ann.publish_audio(Tone(550.0), name="late")
            await known(ann, tone.sid)
            heard = Gaps()
            tasks.start_soon(heard.read, ann, tone.sid)
            await anyio.sleep(0.5)
            sid, first, before = ann.joined.participant.sid, ours.sid, heard.frames
            assert before
            # The link is closed without a word, and a resume is answered by a demand to restart.
            ann.simulate(msg.SimulateScenario(node_failure=True))
            await next_of(ann, Restarting, 10.0)
            # Whether it is announced anew already, under way or yet to be: it is muted then.
            await late.mute()
            restarted = await next_of(ann, Restarted, 10.0)
            assert restarted.sid == ann.joined.participant.sid != sid
            assert {each.cid for each in restarted.lost_tracks} == {
                each.cid for each in (ours, quiet, late)
            }
            await until(lambda: ours.sid != first)
            await until(lambda: set(ann.publications) == {ours.sid, quiet.sid, late.sid})
            await known(ben, ours.sid)
            audio = ben.audio(ours.sid, sample_rate=16_000)
            assert frequency((await within(10.0, read_audio(audio, 1.0)))[10:]) == pytest.approx(
                880.0, abs=3.0
            )
            # The same iterator goes on, and what was muted still is.
            assert heard.frames > before + 20
            for each in (quiet, late):
                await known(ben, each.sid)
                await until(lambda: muted(ben, each.sid))  # noqa: B023
                assert each.muted
            tasks.cancel_scope.cancel()

    run(main())


@pytest.mark.slow
@both_paths
def test_a_session_that_carries_nothing_is_not_taken_for_dead(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    async def main() -> None:
        token = livekit.token("ann", room_name)
        async with connect(
            livekit.url, token=token, media=MEDIA, path=path, reconnect=ReconnectPolicy()
        ) as ann:
            await anyio.sleep(20.0)
            await ann.leave()
            assert not [event async for event in ann if isinstance(event, Lost)]

    run(main())
