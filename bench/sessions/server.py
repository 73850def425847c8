"""A server for many sessions: `python -m bench.sessions.server`.

Lets everybody in, answers pings, and tells each session of a room with a few others, about once a
second: mostly who speaks, now and then how good connections are, and seldom what changed of
somebody. It begins to when nobody has come for a while. Prints its port, and ends when its input
does.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import sys
from collections.abc import Iterator
from typing import Final

from livekit.protocol import models, rtc
from websockets.frames import Frame
from websockets.http11 import Request

from bench.wire.corpus import DECODED
from tests.peers.signal_end import SignalEnd, join_response
from tests.peers.virtual_server import frame

__all__ = ["MIX"]

OTHERS: Final = 5
MIX: Final = (("speakers", 12), ("connection quality", 6), ("update", 2))
"""Message → how many of twenty."""
QUIET: Final = 3.0
"""Seconds without a newcomer, after which those who are there are told things."""


def _messages() -> dict[str, bytes]:
    speakers = rtc.SignalResponse()
    speakers.speakers_changed.speakers.add(sid="PA_1", level=0.4, active=True)
    quality = rtc.SignalResponse()
    for number in range(OTHERS):
        quality.connection_quality.updates.add(
            participant_sid=f"PA_{number:012d}", quality=models.EXCELLENT, score=4.5
        )
    said = {
        "speakers": speakers.SerializeToString(),
        "connection quality": quality.SerializeToString(),
        "update": DECODED["update of 1"],
    }
    return {name: frame(2, data) for name, data in said.items()}


def _joined() -> rtc.SignalResponse:
    response = join_response(ping_interval=10, ping_timeout=30)
    others = rtc.SignalResponse.FromString(DECODED["join with 50 others"]).join.other_participants
    response.join.other_participants.extend(others[:OTHERS])
    return response


class Hall:
    """Those who are there, as long as they are told nothing."""

    def __init__(self) -> None:
        self._waiting: list[Session] = []
        self._quiet: asyncio.TimerHandle | None = None

    def enter(self, session: Session) -> None:
        """Somebody has come."""
        self._waiting.append(session)
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(QUIET, self._begin)

    def _begin(self) -> None:
        # A pause of this process's, for its garbage, would come to the other one as a flood.
        gc.collect()
        gc.freeze()
        waiting, self._waiting = self._waiting, []
        for session in waiting:
            session.begin()


class Session(asyncio.Protocol):
    """One of them."""

    def __init__(self, hall: Hall, joined: rtc.SignalResponse, said: Iterator[bytes]) -> None:
        self._end = SignalEnd()
        self._hall = hall
        self._joined = joined
        self._said = said
        self._pause = random.uniform(0.8, 1.2)
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """It says something."""
        leaving = False
        for received in self._end.receive(data):
            match received:
                case Request():
                    self._end.accept(received)
                    self._end.send(self._joined)
                    self._hall.enter(self)
                case rtc.SignalRequest() if received.HasField("ping_req"):
                    pong = rtc.Pong(last_ping_timestamp=received.ping_req.timestamp, timestamp=1)
                    self._end.send(rtc.SignalResponse(pong_resp=pong))
                case rtc.SignalRequest() if received.HasField("leave"):
                    self._silence()
                    self._end.close()
                case Frame():
                    leaving = True
                case _:
                    pass
        self._transport.write(self._end.outgoing())
        if leaving:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """It is gone."""
        self._silence()

    def begin(self) -> None:
        """Tell it things from now on."""
        if not self._transport.is_closing():
            self._wait(random.uniform(0.0, 1.0))

    def _silence(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def _wait(self, seconds: float) -> None:
        self._next = asyncio.get_running_loop().call_later(seconds, self._tell)

    def _tell(self) -> None:
        self._transport.write(next(self._said))
        self._wait(self._pause)


async def main() -> None:
    """Serve until the input ends."""
    gc.set_threshold(100_000)
    messages = _messages()
    deck = [messages[name] for name, share in MIX for _ in range(share)]
    random.Random(1).shuffle(deck)
    said, joined = itertools.cycle(deck), _joined()
    loop = asyncio.get_running_loop()
    hall = Hall()
    server = await loop.create_server(
        lambda: Session(hall, joined, said), "127.0.0.1", backlog=1024
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
