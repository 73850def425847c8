"""A real server that dies, comes back, drains or stays away, while two in it sing to each other."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import anyio.to_thread
import pytest

from kitwire import (
    Closed,
    Lost,
    PathVersion,
    Reason,
    ReconnectPolicy,
    RequestFailed,
    Restarted,
    Restarting,
    Resumed,
    Resuming,
)
from kitwire import messages as msg
from tests.interop.conftest import StartLiveKit
from tests.interop.livekit_server import LiveKitServer
from tests.interop.processes import ParticipantProcess, participant_process
from tests.media.episodes import ANN, BEN, duet
from tests.media.loopback import PATHS, Connect, Run, together
from tests.media.unsteady import way_to

pytestmark = [pytest.mark.livekit, pytest.mark.slow]

both_paths = pytest.mark.parametrize("path", PATHS)


class Host:
    """A server of the test's own, that dies and lives again on the same ports.

    A server ends with the thread that started it: this has one that lasts.
    """

    def __init__(self, start: StartLiveKit, thread: ThreadPoolExecutor) -> None:
        self._start = start
        self._thread = thread
        self.server: LiveKitServer
        self.server, self._stop = thread.submit(start).result()

    def crash(self) -> None:
        """Without a word to anybody."""
        os.kill(self.server.pid, signal.SIGKILL)
        self._stop()

    def signal(self, number: signal.Signals) -> None:
        """Ask the process for something."""
        os.kill(self.server.pid, number)

    def start_again(self) -> None:
        """Until it answers."""
        self.server, self._stop = self._thread.submit(self._start, like=self.server).result()


@pytest.fixture
def host(start_livekit: StartLiveKit) -> Iterator[Host]:
    with ThreadPoolExecutor(1, "server") as thread:
        yield Host(start_livekit, thread)


@both_paths
def test_a_server_that_crashes_and_comes_back_is_joined_again(
    host: Host, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    async def main() -> None:
        async with duet(
            connect, host.server, room_name, path=path, reconnect=ReconnectPolicy()
        ) as both:
            ann, ben = both
            before = {each: (each.sid, each.ours.sid, each.heard.frames) for each in both}
            await anyio.to_thread.run_sync(host.crash)
            for each in both:
                lost = await each.hears_of(Lost)
                assert lost.cause.reason is Reason.LINK_LOST
            await anyio.to_thread.run_sync(host.start_again)
            for each in both:
                restarted = await each.hears_of(Restarted, limit=20.0)
                sid, track, frames = before[each]
                assert restarted.sid == each.sid != sid
                assert [lost.track.sid for lost in restarted.lost_tracks if lost.track] == [track]
                assert frames >= 20
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            # As the server itself sees it, which knows nothing of what was.
            there = await anyio.to_thread.run_sync(host.server.participants, room_name)
            assert {(each.sid, *(track.sid for track in each.tracks)) for each in there} == {
                (each.sid, each.ours.sid) for each in both
            }
            for each in both:
                print(  # noqa: T201
                    f"restarted after {each.took(Restarted):.3f} s; "
                    f"gap {each.heard.longest:.3f} s: {', '.join(each.steps)}"
                )

    run(main(), limit=60.0)


AWAY: Final = ReconnectPolicy(attempts=5, resumes=3, base=0.2, factor=2.0, cap=0.5)
LONGEST: Final = (0.0, 0.2, 0.4, 0.5, 0.5)
"""The longest waits by it."""
ATTEMPTS: Final = ["Resuming 1", "Resuming 2", "Resuming 3", "Restarting 4", "Restarting 5"]


@both_paths
def test_a_server_that_stays_away_is_given_up_on_schedule(
    host: Host, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    async def main() -> None:
        async with duet(connect, host.server, room_name, path=path, reconnect=AWAY) as both:
            await anyio.to_thread.run_sync(host.crash)
            for each in both:
                reason = await each.ends()
                # What began it is what is told at the end.
                lost = await each.hears_of(Lost)
                assert reason == lost.cause
                assert reason.reason is Reason.LINK_LOST
                assert reason.retryable
                assert each.steps == ["Lost", *ATTEMPTS]
                told = [
                    (when, event)
                    for when, event in each.told
                    if isinstance(event, Resuming | Restarting | Closed)
                ]
                for (begun, event), (ended, _), most in zip(
                    told[:-1], told[1:], LONGEST, strict=True
                ):
                    assert isinstance(event, Resuming | Restarting)
                    assert 0.0 <= event.next_in <= most
                    # Each attempt is refused at once, so that it is all waiting.
                    assert event.next_in - 0.05 < ended - begun < event.next_in + 1.0
                    print(f"{event.next_in:.3f} s, and it was {ended - begun:.3f} s")  # noqa: T201
                with pytest.raises(RequestFailed):
                    await each.room.update_metadata("too late")

    run(main(), limit=60.0)


@both_paths
def test_a_server_that_drains_lets_everybody_stay_and_come_back(
    host: Host, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    server = host.server

    async def main() -> None:
        async with (
            way_to(server.url) as way,
            duet(connect, server, room_name, url=way.url, path=path) as (ann, ben),
        ):
            host.signal(signal.SIGTERM)
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            assert ann.steps == ben.steps == []
            way.cut()
            resumed = await ann.hears_of(Resumed)
            assert resumed.attempt == 1
            ann.room.simulate(msg.SimulateScenario(node_failure=True))
            await ann.hears_of(Restarted)
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            print(f"restarted after {ann.took(Restarted):.3f} s: {', '.join(ann.steps)}")  # noqa: T201

    run(main())


@pytest.mark.parametrize("policy", [None, AWAY], ids=["give up", "come back"])
@pytest.mark.parametrize(
    ("path", "number"), [(PathVersion.V1, signal.SIGTERM), (PathVersion.V0, signal.SIGINT)]
)
def test_a_server_that_shuts_down_ends_the_session_and_a_later_one_may_be_tried(
    host: Host,
    room_name: str,
    run: Run,
    connect: Connect,
    path: PathVersion,
    number: signal.Signals,
    policy: ReconnectPolicy | None,
) -> None:
    async def main() -> None:
        async with duet(connect, host.server, room_name, path=path, reconnect=policy) as both:
            begun = time.monotonic()
            # The first drains, the second ends it.
            host.signal(number)
            await together(*(each.hears(20) for each in both))
            host.signal(number)
            for each in both:
                reason = await each.ends()
                assert reason.retryable
                if reason.reason is Reason.SERVER_SHUTDOWN:
                    # The server has said that this is the end, and is believed: on the link, or on
                    # the first one after it.
                    assert each.steps in ([], ["Lost", "Resuming 1"])
                elif policy is None:
                    # It closes everything at once: something else may be noticed first.
                    assert reason.reason in (Reason.LINK_LOST, Reason.MEDIA_FAILURE)
                    assert each.steps == []
                else:
                    lost = await each.hears_of(Lost)
                    assert reason == lost.cause
                    assert each.steps[-1] == ATTEMPTS[-1]
                took = time.monotonic() - begun
                print(f"{reason} after {took:.3f} s: {', '.join(each.steps)}")  # noqa: T201

    run(main())


def test_a_program_that_knows_nothing_of_losses_survives_a_crash(
    host: Host, room_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_URL", host.server.url)
    with ExitStack() as stack:
        singers = {}
        for loop in ("asyncio", "trio"):
            monkeypatch.setenv("LIVEKIT_TOKEN", host.server.token(loop, room_name))
            program = participant_process("-W", "error", "-m", "tests.media.restart_program", loop)
            singers[loop] = stack.enter_context(program)

        def heard(sids: int) -> bool:
            """Whether both have heard a second of so many tracks."""
            return all(
                sum(frames >= 50 for frames in counted(singer).values()) == sids
                for singer in singers.values()
            )

        wait_until(lambda: heard(1))
        before = tracks(host.server, room_name)
        host.crash()
        host.start_again()
        wait_until(lambda: heard(2))
        after = tracks(host.server, room_name)
        # As the server itself sees it, which knows nothing of what was.
        assert after.keys() == before.keys() == {"asyncio", "trio"}
        for loop, other in (("asyncio", "trio"), ("trio", "asyncio")):
            assert after[loop] != before[loop]
            assert list(counted(singers[loop])) == [*before[other], *after[other]]
        host.server.delete_room(room_name)  # And both end by themselves.


def counted(singer: ParticipantProcess) -> Counter[object]:
    """How many frames a program has heard of each track, in order."""
    return Counter(event["sid"] for event in singer.events("heard"))


def tracks(server: LiveKitServer, room: str) -> dict[str, list[str]]:
    """What everybody publishes."""
    return {
        each.identity: [track.sid for track in each.tracks] for each in server.participants(room)
    }


def wait_until(ready: Callable[[], bool], *, limit: float = 20.0) -> None:
    """Where no loop runs."""
    begun = time.monotonic()
    while not ready():
        assert time.monotonic() - begun < limit, "waited in vain"
        time.sleep(0.02)
