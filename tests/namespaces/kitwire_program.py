"""Participants of ours as a program, in the way of `tests.interop.processes`.

Each publishes a tone and listens for another, and goes on by itself when it is lost; what happens
to it is told with its time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import kitwire_asyncio
from kitwire import (
    Closed,
    ConnectFailed,
    Lost,
    PathVersion,
    ReconnectPolicy,
    Restarted,
    Restarting,
    Resumed,
    Resuming,
)
from kitwire_aiortc import Media, MediaRoom, Tone
from kitwire_aiortc.gathering import Gathering
from kitwire_aiortc.sinks import samples
from tests.namespaces.hearing import Ear

EPISODES = (Lost, Resuming, Resumed, Restarting, Restarted, Closed)


def say(event: str, **fields: object) -> None:
    """Tell the tests."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def joining(order: Mapping[str, str]) -> AbstractAsyncContextManager[MediaRoom]:
    """A room, as the command says."""
    # Unless it is said, whatever addresses there are, now and later; there is no STUN server here.
    addresses = (order["bind"],) if "bind" in order else None
    return kitwire_asyncio.connect(
        order["url"],
        token=order["token"],
        path=PathVersion(order["path"]),
        media=Media(gathering=Gathering(ice_servers=(), addresses=addresses)),
        reconnect=ReconnectPolicy(),
    )


async def attempt(order: Mapping[str, str]) -> dict[str, object]:
    """Join, and leave at once; tells how long the join took, or why there was none."""
    begun = time.monotonic()
    try:
        async with joining(order):
            return {"took": time.monotonic() - begun}
    except ConnectFailed as failure:
        return {"why": str(failure), "retryable": failure.reason.retryable}


class Guest:
    """Somebody of ours in a room."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.ear = Ear(0.0)
        self._room: MediaRoom | None = None
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, order: Mapping[str, str]) -> None:
        """Join, publish, and listen from now on."""
        self.ear = Ear(float(order["other_hertz"]))
        self._room = room = await self._stack.enter_async_context(joining(order))
        for work in (self._tell(room), self._follow(room)):
            self._do(work)
        await room.publish_audio(Tone(float(order["hertz"])))

    async def packets(self) -> dict[str, int]:
        """How many packets were for us, lost ones among them, and how many were decoded."""
        assert self._room is not None
        peers = (await self._room.statistics()).values()
        came = [each for peer in peers for each in peer.inbound]
        return {
            "sent": sum(each.packets + each.packets_lost for each in came),
            "decoded": sum(each.frames for each in came),
        }

    async def leave(self) -> None:
        """Leave, unless that was done."""
        await self._stack.aclose()
        await asyncio.gather(*self._tasks)

    def _do(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.add(asyncio.ensure_future(work))

    async def _tell(self, room: MediaRoom) -> None:
        async for event in room:
            if isinstance(event, EPISODES):
                why = getattr(event, "cause", None) or getattr(event, "reason", None)
                say(
                    type(event).__name__.lower(),
                    who=self.who,
                    at=time.monotonic(),
                    why=None if why is None else str(why),
                )
            if isinstance(event, Resumed | Restarted):
                say("back", who=self.who)

    async def _follow(self, room: MediaRoom) -> None:
        async for _, publication in room.remote_publications():
            self._do(self._listen(room, publication.sid))

    async def _listen(self, room: MediaRoom, sid: str) -> None:
        async for frame in room.audio(sid):
            self.ear.hear(samples(frame)[:, 0])


async def main() -> None:
    """Carry out commands until there are no more."""
    guests: dict[str, Guest] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        guest = guests.setdefault(order["who"], Guest(order["who"]))
        begun = time.monotonic()
        answer: dict[str, object] = {}
        match order["do"]:
            case "attempt":
                tokens = order["tokens"].split()
                tried = (attempt({**order, "token": token}) for token in tokens)
                answer = {"tried": await asyncio.gather(*tried)}
            case "join":
                await guest.join(order)
            case "hear":
                answer = await guest.ear.hear_more(order)
            case "tell":
                answer = {**guest.ear.told(), **await guest.packets()}
            case "leave":
                await guest.leave()
        say("done", do=order["do"], took=time.monotonic() - begun, **answer)
    # A test that failed did not let them.
    for guest in guests.values():
        await guest.leave()


if __name__ == "__main__":
    asyncio.run(main())
