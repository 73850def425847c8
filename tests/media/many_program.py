"""One of many in a room, in the way of `tests.interop.processes`: sings, and tells whom it hears.

Its arguments are the loop, asyncio or trio, and the path, v1 or v0.
"""

from __future__ import annotations

import json
import sys

import anyio
import anyio.to_thread

import kitwire_asyncio
import kitwire_trio
from kitwire import PathVersion
from kitwire_aiortc import MediaRoom, Tone
from tests.media.loopback import MEDIA, Connect, frequency, read_audio


def say(event: str, **fields: object) -> None:
    """Tell the tests."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


async def listen(room: MediaRoom) -> None:
    """To one after the other, for as long as it takes to tell a pitch."""
    async for singer, publication in room.remote_publications():
        heard = await read_audio(room.audio(publication.sid, sample_rate=16_000), 0.6)
        # The first frames of a decoder have a noise of their own.
        say("heard", identity=singer.identity, hertz=round(frequency(heard[5:]), 1))


async def main(loop: str, path: PathVersion) -> None:
    """Join as the first command says, and stay until there are no more."""
    order = json.loads(await anyio.to_thread.run_sync(sys.stdin.readline))
    connect: Connect = kitwire_trio.connect if loop == "trio" else kitwire_asyncio.connect
    async with connect(order["url"], token=order["token"], path=path, media=MEDIA) as room:
        await room.publish_audio(Tone(float(order["hertz"])))
        say("done", do=order["do"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, room)
            await anyio.to_thread.run_sync(sys.stdin.readline)
            tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], PathVersion(sys.argv[2]), backend=sys.argv[1])
