"""A thousand times: connect, be cut off, come back, close. Nothing of it may stay, on either loop.

The far end is the scripted server on loopback, the peer connections are a script as well: what is
counted is what the core and the adapters hold. Samples are taken when no room and no server is
there, and printed: `pytest -s -m slow tests/adapters/test_reconnect_cycles.py`.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import anyio
import pytest
from livekit.protocol import rtc

import kitwire_asyncio.driver
from kitwire import (
    Client,
    ClientConfig,
    Lost,
    PathVersion,
    PeerCapabilities,
    PeersConnected,
    ReconnectPolicy,
    Restarted,
    Resumed,
    Room,
    messages,
)
from kitwire.commands import ApplyAnswer, AwaitDatagram, MakeOffer, PeerCommand, PeerState
from kitwire.room import Inbox
from kitwire_trio.connection import driven
from tests.adapters.conftest import tasks_of_this_loop
from tests.peers.scripted_server import Connection, scripted_server
from tests.peers.signal_end import Received, answer_politely, join_response
from tests.peers.stages import resumed_sid

pytestmark = pytest.mark.anyio

WARM: Final = 2
"""Samples before the caches of the interpreter and the loops are full."""
STRAY: Final = 50
"""Objects of one kind that caches may gain; each way of losing would leave hundreds of its own."""
KEPT: Final = ("asyncio_", "Trio thread", "AnyIO worker")
"""Threads that the loops keep for looking up host names, a few at most."""
PEERS: Final = PeerCapabilities(ice_restart=True, datagrams=True)


# --- the far end ---


def answers(connection: Connection, received: Received) -> None:
    """Do what a server does, and answer offers."""
    if isinstance(received, rtc.SignalRequest) and received.HasField("offer"):
        answer = rtc.SessionDescription(type="answer", sdp="theirs", id=received.offer.id)
        connection.send(rtc.SignalResponse(answer=answer))
    else:
        answer_politely(connection.end, received)
        connection.flush()


def losing(lose: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """Lets a client in, and loses the link when the client asks for a failure."""

    def script(connection: Connection) -> None:
        connection.let_in()
        while (received := connection.next()) is not None:
            if isinstance(received, rtc.SignalRequest) and received.HasField("simulate"):
                return lose(connection)
            answers(connection, received)
        raise AssertionError("the client went before it was cut off")

    return script


def welcoming(connection: Connection) -> None:
    """Goes on with a session, or begins another, as the client wishes."""
    upgrade = connection.upgrade()
    connection.end.accept(upgrade)
    again = rtc.SignalResponse(reconnect=rtc.ReconnectResponse(last_message_seq=1))
    connection.send(again if resumed_sid(upgrade.path) else join_response())
    while (received := connection.next()) is not None:
        answers(connection, received)


def close(connection: Connection) -> None:
    connection.end.close(1000)
    connection.flush()
    connection.wait_for_end()


def end(connection: Connection) -> None:
    """The script is over, and the socket with it."""


def demand(connection: Connection) -> None:
    leave = rtc.LeaveRequest(action=rtc.LeaveRequest.RECONNECT)
    connection.send(rtc.SignalResponse(leave=leave))
    connection.wait_for_end()


WAYS: Final = ((Connection.reset, Resumed), (end, Resumed), (close, Resumed), (demand, Restarted))
"""How the link is lost, and what brings the session back."""


# --- the near end ---


class Owner:
    """Peer connections that do at once and well what they are asked."""

    def __init__(self, client: Client, deliver: Callable[..., None]) -> None:
        self._client = client
        self._deliver = deliver

    def execute(self, command: PeerCommand) -> None:
        """The :class:`~kitwire.room.PeerOwner`."""
        client = self._client
        match command:
            case MakeOffer(peers=peers, target=target, offer_id=number):
                self._deliver(client.offer_made, peers, target, number, "ours")
            case ApplyAnswer(peers=peers, target=target, offer_id=number):
                self._deliver(client.answer_applied, peers, target, number)
                self._deliver(client.peer_state_changed, peers, target, PeerState.CONNECTED)
            case AwaitDatagram(peers=peers, target=target):
                self._deliver(client.datagram_received, peers, target)
            case _:
                pass


@asynccontextmanager
async def joined(url: str, backend: str) -> AsyncIterator[Room]:
    """A room with that owner, as `connect(media=…)` makes one with aiortc's."""
    config = ClientConfig(
        url=url, token="a.b.c", path=PathVersion.V1, peers=PEERS, reconnect=ReconnectPolicy()
    )
    client, inbox = Client(config), Inbox()
    if backend == "trio":
        async with driven(client, inbox, None) as driver:
            driver.owner = Owner(client, driver.input)
            driver.start()
            yield Room(client, inbox, driver)
        return
    near = kitwire_asyncio.driver.Driver(client, inbox, None)
    near.owner = Owner(client, near.input)
    try:
        near.input(client.connect)
        yield Room(client, inbox, near)
    finally:
        await near.stop()


async def read_until(room: Room, kind: type) -> None:
    """Read events until one of that kind."""
    with anyio.fail_after(20.0):
        async for event in room:
            if isinstance(event, kind):
                return
    raise AssertionError(f"the room closed before {kind.__name__}: {room.closed}")


async def cycle(number: int, backend: str) -> None:
    """Connect, lose, come back, close."""
    lose, back = WAYS[number % len(WAYS)]
    with scripted_server(losing(lose), welcoming) as server:
        async with joined(server.url, backend) as room:
            await read_until(room, PeersConnected)
            room.simulate(messages.SimulateScenario(node_failure=True))
            await read_until(room, Lost)
            await read_until(room, back)
            await room.update_metadata(str(number))
    assert server.connections == 2
    assert room.closed is not None
    assert room.closed.reason == "CLIENT_INITIATED"


# --- what is held ---


class Sample(NamedTuple):
    """What this process holds, when all that could go has gone."""

    objects: int
    blocks: int
    tasks: int
    descriptors: int
    threads: int


def sample(backend: str) -> Sample:
    gc.collect()
    return Sample(
        objects=len(gc.get_objects()),
        blocks=sys.getallocatedblocks(),
        tasks=len(tasks_of_this_loop(backend)),
        descriptors=len(os.listdir("/proc/self/fd")),
        threads=len([each for each in threading.enumerate() if not each.name.startswith(KEPT)]),
    )


def kinds() -> Counter[type]:
    """How many objects there are of each kind, of all that can refer to others."""
    return Counter(map(type, gc.get_objects()))


async def live(backend: str, cycles: int, every: int) -> None:
    """Live so many cycles, with samples in between, and see that nothing grows."""
    samples: list[Sample] = []
    before: Counter[type] = Counter()
    begun = time.monotonic()
    for number in range(1, cycles + 1):
        await cycle(number, backend)
        if number % every == 0:
            samples.append(sample(backend))
            took = time.monotonic() - begun
            print(f"{backend}, {number} cycles, {took:.1f} s: {samples[-1]}")  # noqa: T201
        if number == WARM * every:
            before = kinds()
    after = kinds()
    grown = {kind: after[kind] - before[kind] for kind in after if after[kind] > before[kind]}
    print(f"of what there is more: {grown}")  # noqa: T201
    assert all(more <= STRAY for more in grown.values()), grown
    warm, last = samples[WARM - 1], samples[-1]
    assert last[2:] == warm[2:]
    assert last.blocks - warm.blocks < cycles - WARM * every


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Without asyncio's debug mode, which keeps what it has to say."""
    name: str = request.param
    return name


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc/self/fd")
async def test_nothing_grows(anyio_backend_name: str) -> None:
    await live(anyio_backend_name, cycles=1000, every=100)
