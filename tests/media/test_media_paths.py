"""Paths that die under a room while its link lives, on a real server: ICE is restarted."""

from __future__ import annotations

import time

import anyio
import pytest

from kitwire import Lost, PathVersion, Resumed, Timeouts
from kitwire.config import ClientOptions
from kitwire_aiortc import DataReceived, MediaRoom
from kitwire_aiortc.feeds import Feed
from tests.interop.livekit_server import LiveKitServer
from tests.media.episodes import ANN, BEN, duet
from tests.media.loopback import PATHS, Connect, Run, together, until
from tests.media.paths import ice_path, sever

pytestmark = [pytest.mark.livekit, pytest.mark.slow]

SILENCE = 2.0
"""Seconds until a path counts as dead, by the test's own config."""


class Numbers:
    """Sends numbers for ever, a hundred a second, and knows those that came."""

    def __init__(self) -> None:
        self.sent = 0
        self.came: list[int] = []

    async def send(self, room: MediaRoom) -> None:
        while True:
            self.sent += 1
            await room.publish_data(b"%d" % self.sent)
            await anyio.sleep(0.01)

    async def read(self, feed: Feed[DataReceived]) -> None:
        async for message in feed:
            self.came.append(int(message.data))


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_dies_is_found_anew_and_no_reliable_data_is_lost(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect, path: PathVersion
) -> None:
    async def main() -> None:
        options: ClientOptions = {"path": path, "timeouts": Timeouts(transport=SILENCE)}
        async with (
            duet(connect, livekit, room_name, **options) as (ann, ben),
            anyio.create_task_group() as tasks,
        ):
            away, home = Numbers(), Numbers()
            tasks.start_soon(away.read, ben.room.data())
            tasks.start_soon(home.read, ann.room.data())
            async with anyio.create_task_group() as sending:
                sending.start_soon(away.send, ann.room)
                sending.start_soon(home.send, ben.room)
                await until(lambda: min(len(away.came), len(home.came)) > 10)
                sid, peers = ann.sid, ann.room.studio.peers
                dead = {each: ice_path(each).in_use for each in (peers.publisher, peers.subscriber)}
                begun = time.monotonic()
                sever(*dead)
                await ann.hears_of(Lost)
                noticed = time.monotonic() - begun
                resumed = await ann.hears_of(Resumed)
                sending.cancel_scope.cancel()
            assert resumed.sid == sid == ann.sid
            await together(ann.hears_note(BEN), ben.hears_note(ANN))
            assert not [each for each in dead if ice_path(each).in_use is dead[each]]
            for numbers in (away, home):
                await until(lambda: len(numbers.came) >= numbers.sent - 1)  # noqa: B023
                assert numbers.came[: numbers.sent - 1] == [*range(1, numbers.sent)]
            print(  # noqa: T201
                f"noticed after {noticed:.2f} s, resumed {ann.took(Resumed):.2f} s later; longest "
                f"gaps {ann.heard.longest:.2f} and {ben.heard.longest:.2f} s"
            )
            assert max(ann.heard.longest, ben.heard.longest) < noticed + 1.0
            tasks.cancel_scope.cancel()

    run(main(), limit=40.0)
