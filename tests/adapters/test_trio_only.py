"""What is the trio adapter's alone: cancellation by levels, strict groups, its dialing."""

from __future__ import annotations

import random
import ssl
from collections.abc import Awaitable, Callable

import pytest
import trio

import kitwire_trio
import kitwire_trio.link
from kitwire import ConnectFailed, Reason
from tests.peers.scripted_server import scripted_server


class Boom(Exception):
    pass


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def watched() -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        await main()
        assert trio.lowlevel.current_statistics().tasks_living == before

    trio.run(watched, strict_exception_groups=True)


def test_an_exception_of_the_block_wins_over_a_cancellation() -> None:
    async def member() -> None:
        with trio.CancelScope() as scope:
            async with kitwire_trio.connect(server.url, token="a"):
                scope.cancel()
                raise Boom

    async def main() -> None:
        with pytest.raises(Boom):
            await member()

    with scripted_server() as server:
        run(main)


def test_nurseries_in_the_block_may_be_cancelled() -> None:
    async def main() -> None:
        async with kitwire_trio.connect(server.url, token="a") as room:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.cancel_scope.cancel()
            await room.update_metadata("still here")

    with scripted_server() as server:
        run(main)


def test_reading_is_a_checkpoint_even_when_events_wait() -> None:
    async def main() -> None:
        async with kitwire_trio.connect(server.url, token="a") as room:
            await room.update_metadata("x")
            with trio.move_on_after(0) as scope:
                await anext(room)
            assert scope.cancelled_caught
            assert (await anext(room)) == room.joined

    with scripted_server() as server:
        run(main)


def test_a_bug_in_a_link_surfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(host: str, port: int) -> trio.SocketStream:
        raise Boom

    async def main() -> None:
        with pytest.raises(RuntimeError, match="driver") as caught:
            async with kitwire_trio.connect("ws://127.0.0.1:1", token="a"):
                pytest.fail("the room was not joined")
        assert isinstance(caught.value.__cause__, Boom)

    monkeypatch.setattr(trio, "open_tcp_stream", broken)
    run(main)


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (TimeoutError(110, "Connection timed out"), Reason.OPEN_TIMEOUT, "127.0.0.1:1"),
        (OSError(113, "No route to host"), Reason.UNREACHABLE, "127.0.0.1:1, No route to host"),
        (OSError("odd"), Reason.UNREACHABLE, "127.0.0.1:1, odd"),
    ],
)
def test_errors_of_a_dial_are_named(
    monkeypatch: pytest.MonkeyPatch, error: OSError, reason: Reason, detail: str
) -> None:
    async def failing(host: str, port: int) -> trio.SocketStream:
        raise error

    async def main() -> None:
        with pytest.raises(ConnectFailed) as caught:
            async with kitwire_trio.connect("ws://127.0.0.1:1", token="a"):
                pytest.fail("the room was not joined")
        assert caught.value.reason.reason is reason
        assert caught.value.reason.detail.endswith(detail)

    monkeypatch.setattr(trio, "open_tcp_stream", failing)
    run(main)


def test_tls_handshakes_may_be_cancelled_at_any_moment(
    presenting: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def main() -> None:
        for _ in range(40):
            with trio.move_on_after(random.uniform(0, 0.02)) as scope:
                async with kitwire_trio.connect(server.url, token="a", ssl=trusting) as room:
                    async for _ in room:
                        pass
            assert scope.cancelled_caught

    with scripted_server(tls=presenting) as server:
        run(main)
