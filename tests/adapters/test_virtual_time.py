"""What both adapters promise about time, in virtual time: hours pass, nobody waits."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from livekit.protocol import rtc
from trio.testing import MockClock
from websockets.http11 import Request

from kitwire import (
    ConnectFailed,
    FailureReason,
    PongReceived,
    Reason,
    RequestFailed,
    Timeouts,
    messages,
)
from tests.adapters.conftest import Connect
from tests.peers.signal_end import Received, SignalEnd, answer_politely, join_response
from tests.peers.virtual import Network, VirtualLoop

pytestmark = pytest.mark.anyio

URL = "ws://livekit.test"
Install = Callable[[Network], Network]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Both loops with a clock that jumps."""
    if request.param == "asyncio":
        return "asyncio", {"loop_factory": VirtualLoop, "debug": True}
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
def install(anyio_backend_name: str, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a network in memory in the place of the real one."""

    def install(network: Network) -> Network:
        network.install(anyio_backend_name, monkeypatch)
        return network

    return install


def silent(end: SignalEnd, received: Received) -> None:
    """Never answer anything."""


def joins_and_falls_silent(end: SignalEnd, received: Received) -> None:
    if isinstance(received, Request):
        end.accept(received)
        end.send(join_response(ping_interval=5, ping_timeout=15))


def kinds(network: Network) -> list[str | None]:
    return [r.WhichOneof("message") for r in network.received if isinstance(r, rtc.SignalRequest)]


async def test_a_silent_server_is_given_up_when_the_core_says_so(
    connect: Connect, install: Install
) -> None:
    network = install(Network(silent))
    started = anyio.current_time()
    with pytest.raises(ConnectFailed) as caught:
        async with connect(URL):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is Reason.OPEN_TIMEOUT
    assert anyio.current_time() - started == pytest.approx(Timeouts().open)
    assert network.dials == 1


async def test_a_dial_that_never_ends_is_cancelled(connect: Connect, install: Install) -> None:
    install(Network(silent, answers_dials=False))
    started = anyio.current_time()
    with pytest.raises(ConnectFailed) as caught:
        async with connect(URL, timeouts=Timeouts(open=300)):
            pytest.fail("the room was not joined")
    assert caught.value.reason.reason is Reason.OPEN_TIMEOUT
    assert anyio.current_time() - started == pytest.approx(300)


async def test_who_reads_nothing_for_an_hour_is_still_there(
    connect: Connect, install: Install
) -> None:
    network = install(Network(answer_politely))
    async with connect(URL) as room:
        await anyio.sleep(3600)
        assert room.closed is None
        assert room.rtt is not None
        await room.update_metadata("still here")
        await room.leave()
        pongs = [event async for event in room if isinstance(event, PongReceived)]
    assert kinds(network).count("ping_req") == pytest.approx(720, abs=2)
    assert len(pongs) == kinds(network).count("ping_req")


async def test_a_server_that_falls_silent_is_noticed_without_a_reader(
    connect: Connect, install: Install
) -> None:
    install(Network(joins_and_falls_silent))
    async with connect(URL, reconnect=None) as room:
        started = anyio.current_time()
        await anyio.sleep(14)
        async for _ in room:
            pass
        waited = anyio.current_time() - started
    assert room.closed is not None
    assert room.closed.reason is Reason.PING_TIMEOUT
    assert 15 <= waited <= 20


async def test_a_leave_that_nobody_answers_is_bounded(connect: Connect, install: Install) -> None:
    network = install(Network(joins_and_falls_silent))
    async with connect(URL, timeouts=Timeouts(close=2.5)):
        started = anyio.current_time()
    assert 2.5 <= anyio.current_time() - started <= 3.5
    assert kinds(network)[-1] == "leave"


async def test_a_request_that_nobody_answers_times_out(connect: Connect, install: Install) -> None:
    install(Network(joins_and_falls_silent))
    track = messages.AddTrackRequest(cid="c1", type=messages.TrackType.AUDIO)
    async with connect(URL) as room:
        started = anyio.current_time()
        with pytest.raises(RequestFailed) as caught:
            await room.add_track(track)
        assert caught.value.reason is FailureReason.TIMEOUT
        assert anyio.current_time() - started == pytest.approx(Timeouts().add_track)


async def test_a_timeout_around_the_block_does_not_outlast_the_leave(
    connect: Connect, install: Install
) -> None:
    network = install(Network(answer_politely))
    started = anyio.current_time()
    with anyio.move_on_after(60) as scope:
        async with connect(URL):
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert anyio.current_time() - started == pytest.approx(60)
    assert kinds(network)[-1] == "leave"


async def test_a_timeout_around_the_block_is_a_timeout(connect: Connect, install: Install) -> None:
    install(Network(answer_politely))

    async def stay() -> None:
        with anyio.fail_after(60):
            async with connect(URL):
                await anyio.sleep_forever()

    with pytest.raises(TimeoutError):
        await stay()
