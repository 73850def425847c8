"""Records the transcripts beside it: `python -m tests.core.transcripts.record [NAME …]`.

Each is a stay at a real livekit-server; see `tests/core/test_replay.py`. Most are by the command
that its users have. Those in which a session is lost and comes back need somebody to take it away,
and are by the adapter under it. Without names, all of them are recorded anew.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from kitwire import (
    ClientConfig,
    Event,
    PathVersion,
    ReconnectPolicy,
    Restarted,
    Resumed,
    messages,
)
from kitwire_aiortc import MediaRoom, Tone
from kitwire_asyncio import connect
from kitwire_cli.__main__ import main as kitwire
from kitwire_cli.transcripts import recording
from tests.interop.livekit_server import VERSION, LiveKitServer, binary_for, running
from tests.media.loopback import MEDIA
from tests.media.unsteady import Way, way_to

FOLDER: Final = Path(__file__).parent

EPISODES: Final[dict[str, str]] = {
    "join_v0": "--path v0 --metadata hello --duration 0.5",
    "join_v1": "--path v1 --duration 0.5",
    "media_v1": "--path v1 --media --ice-servers none --bind 127.0.0.1 --duration 1",
}
"""What to say to `kitwire join` for each, besides who joins what."""


class Loss(NamedTuple):
    """How a session is lost, and what tells that it is back."""

    path: PathVersion
    lose: Callable[[Way, MediaRoom], None]
    back: type[Event]


def _cut(way: Way, room: MediaRoom) -> None:
    way.cut()


def _fail(way: Way, room: MediaRoom) -> None:
    """The server closes without a word, and answers a resume by the demand to begin anew."""
    room.simulate(messages.SimulateScenario(node_failure=True))


LOSSES: Final[dict[str, Loss]] = {
    "resume_v0": Loss(PathVersion.V0, _cut, Resumed),
    "resume_v1": Loss(PathVersion.V1, _cut, Resumed),
    "restart_v1": Loss(PathVersion.V1, _fail, Restarted),
}
"""Sessions that publish a tone, are lost, and come back."""

SETTLED: Final = 0.3
"""Seconds before the loss and after it, for what the server says late."""


def record(name: str) -> int:
    """Record one episode, with a server of its own; the command's exit code."""
    with running(binary_for(VERSION), version=VERSION) as server:
        if name in LOSSES:
            asyncio.run(_lose(server, name))
            return 0
        token = server.token("alice", "den", can_update_own_metadata=True)
        return kitwire(
            [
                *("join", server.url, "--token", token, "--record", str(_file(name))),
                *EPISODES[name].split(),
            ]
        )


async def _lose(server: LiveKitServer, name: str) -> None:
    path, lose, back = LOSSES[name]
    token = server.token("alice", "den", can_update_own_metadata=True)
    async with way_to(server.url) as way:
        config = ClientConfig(url=way.url, token=token, path=path, reconnect=ReconnectPolicy())
        with recording(str(_file(name)), token) as recorder:
            recorder.begin(MEDIA.configured(config))
            async with connect(
                way.url,
                token=token,
                media=MEDIA,
                path=path,
                reconnect=config.reconnect,
                trace=recorder,
            ) as room:
                await room.publish_audio(Tone(440.0))
                await asyncio.sleep(SETTLED)
                lose(way, room)
                async with asyncio.timeout(20.0):
                    async for event in room:
                        if isinstance(event, back):
                            break
                await room.update_metadata("back")
                await asyncio.sleep(SETTLED)


def _file(name: str) -> Path:
    return FOLDER / f"{name}.jsonl"


if __name__ == "__main__":
    sys.exit(max(record(name) for name in sys.argv[1:] or (*EPISODES, *LOSSES)))
