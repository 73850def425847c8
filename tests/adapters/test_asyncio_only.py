"""What is the asyncio adapter's alone: its dialing, its cancellation by edges, its event loops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator

import pytest

import kitwire_asyncio
import kitwire_asyncio.link
from kitwire import ConnectFailed, Reason, Timeouts
from kitwire_asyncio.link import open_socket
from tests.peers.scripted_server import Connection, scripted_server

Address = tuple[str, int]


class Boom(Exception):
    pass


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run on asyncio in debug mode; whatever its exception handler is told fails the test."""
    complaints: list[object] = []

    async def watched() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(watched(), debug=True)
    assert complaints == []


def test_a_second_run_works_as_the_first() -> None:
    async def main() -> None:
        async with kitwire_asyncio.connect(server.url, token="a") as room:
            await room.update_metadata("x")

    with scripted_server() as server:
        run(main)
        run(main)


def test_waits_that_are_given_up_leave_nothing_behind() -> None:
    """As of a game that looks for an event at every frame, in a room where nothing happens."""

    def futures() -> int:
        gc.collect()
        return sum(type(each) is asyncio.Future for each in gc.get_objects())

    async def main() -> None:
        async with kitwire_asyncio.connect(server.url, token="a") as room:
            await anext(room)
            before = futures()
            for _ in range(50):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(anext(room), 0.001)
            assert futures() < before + 10

    with scripted_server() as server:
        run(main)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
def test_eager_tasks_work() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - not in 3.11
        async with kitwire_asyncio.connect(server.url, token="a") as room:
            await room.update_metadata("x")

    with scripted_server() as server:
        run(main)


def test_a_cancellation_is_not_lost_to_an_exception_of_the_block() -> None:
    """A cancellation comes once; hidden, it would let a task that retries for ever live on."""

    def script(connection: Connection) -> None:
        connection.let_in()
        connection.request("leave")
        task = tasks[0]
        task.get_loop().call_soon_threadsafe(task.cancel)
        connection.be_polite()

    async def member() -> None:
        async with kitwire_asyncio.connect(server.url, token="a"):
            raise Boom

    async def main() -> None:
        tasks.append(asyncio.create_task(member()))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]

    tasks: list[asyncio.Task[None]] = []
    with scripted_server(script) as server:
        run(main)


def test_a_bug_in_a_dial_surfaces_and_the_cancellation_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(host: str, port: int) -> socket.socket:
        raise Boom

    async def main() -> None:
        with pytest.raises(RuntimeError, match="driver") as caught:
            async with kitwire_asyncio.connect("ws://127.0.0.1:1", token="a"):
                pytest.fail("the room was not joined")
        assert isinstance(caught.value.__cause__, Boom)

    monkeypatch.setattr(kitwire_asyncio.link, "open_socket", broken)
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
    async def failing(host: str, port: int) -> socket.socket:
        raise error

    async def main() -> None:
        with pytest.raises(ConnectFailed) as caught:
            async with kitwire_asyncio.connect("ws://127.0.0.1:1", token="a"):
                pytest.fail("the room was not joined")
        assert caught.value.reason.reason is reason
        assert caught.value.reason.detail.endswith(detail)

    monkeypatch.setattr(kitwire_asyncio.link, "open_socket", failing)
    run(main)


def test_a_bug_during_a_dial_cancels_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[bool] = []

    async def endless(host: str, port: int) -> socket.socket:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            await asyncio.sleep(0)
            raise
        raise AssertionError

    def trace(record: object) -> None:
        if getattr(record, "name", "") == "handle_timeout":
            raise Boom

    async def main() -> None:
        timeouts = Timeouts(open=0.05)
        with pytest.raises(RuntimeError, match="driver"):
            async with kitwire_asyncio.connect(
                "ws://127.0.0.1:1", token="a", trace=trace, timeouts=timeouts
            ):
                pytest.fail("the room was not joined")

    monkeypatch.setattr(kitwire_asyncio.link, "open_socket", endless)
    run(main)
    assert cancelled == [True]


def test_the_task_of_the_block_is_cancelled_only_by_others_after_a_bug() -> None:
    def trace(record: object) -> None:
        if getattr(record, "name", "") == "PongReceived":
            raise Boom

    async def member() -> None:
        async with kitwire_asyncio.connect(server.url, token="a", trace=trace) as room:
            room.send_ping_req()
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(RuntimeError, match="driver"):
            await member()
        assert task.cancelling() == 0
        await asyncio.sleep(0)

    with scripted_server() as server:
        run(main)


def test_tls_handshakes_may_be_cancelled_at_any_moment(
    presenting: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def member() -> None:
        async with kitwire_asyncio.connect(server.url, token="a", ssl=trusting) as room:
            async for _ in room:
                pass

    async def main() -> None:
        for _ in range(40):
            task = asyncio.create_task(member())
            await asyncio.sleep(random.uniform(0, 0.02))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with scripted_server(tls=presenting) as server:
        run(main)


class TestDialing:
    """Several addresses for one name, in a race that nobody may lose a socket in."""

    @pytest.fixture
    def resolve(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Address]], None]:
        """Says what a name resolves to."""

        def resolve(addresses: list[Address]) -> None:
            async def getaddrinfo(
                self: object, host: str, port: int, **_: int
            ) -> list[tuple[int, int, int, str, Address]]:
                families = [socket.AF_INET6 if ":" in a[0] else socket.AF_INET for a in addresses]
                return [
                    (f, socket.SOCK_STREAM, 0, "", a)
                    for f, a in zip(families, addresses, strict=True)
                ]

            monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)

        return resolve

    @pytest.fixture
    def listener(self) -> Iterator[Address]:
        """An address where somebody listens."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()

    @pytest.fixture
    def dead(self) -> Address:
        """An address where nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            address: Address = server.getsockname()
        return address

    @pytest.fixture
    def deaf(self) -> Iterator[Address]:
        """An address that answers nothing: a listener whose queue is full."""
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(socket.socket())
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            for _ in range(3):
                full = stack.enter_context(socket.socket())
                full.setblocking(False)
                full.connect_ex(server.getsockname())
            yield server.getsockname()

    def test_the_first_address_that_answers_wins(
        self, resolve: Callable[[list[Address]], None], dead: Address, listener: Address
    ) -> None:
        async def main() -> None:
            with await open_socket("name", 1) as sock:
                assert sock.getpeername() == listener
                assert sock.gettimeout() == 0

        resolve([dead, dead, listener])
        run(main)

    def test_a_deaf_address_does_not_hold_up_the_next(
        self, resolve: Callable[[list[Address]], None], deaf: Address, listener: Address
    ) -> None:
        async def main() -> None:
            with await open_socket("name", 1) as sock:
                assert sock.getpeername() == listener

        resolve([deaf, listener])
        run(main)

    def test_refusals_say_more_than_other_errors(
        self, resolve: Callable[[list[Address]], None], dead: Address
    ) -> None:
        async def main() -> None:
            with pytest.raises(ConnectionRefusedError):
                await open_socket("name", 1)

        resolve([("255.255.255.255", 1), dead])
        run(main)

    def test_families_take_turns(
        self, resolve: Callable[[list[Address]], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried: list[object] = []

        async def attempt(family: int, address: Address) -> socket.socket:
            tried.append(address)
            raise OSError(f"no route to {address[0]}")

        async def main() -> None:
            with pytest.raises(OSError, match="no route to ::1"):
                await open_socket("name", 1)

        monkeypatch.setattr(kitwire_asyncio.link, "_attempt", attempt)
        resolve([("::1", 1), ("::2", 1), ("::3", 1), ("127.0.0.1", 1), ("127.0.0.2", 1)])
        run(main)
        assert [address[0] for address in tried if isinstance(address, tuple)] == [
            *("::1", "127.0.0.1", "::2", "127.0.0.2", "::3")
        ]

    def test_of_two_winners_one_is_closed(
        self,
        resolve: Callable[[list[Address]], None],
        listener: Address,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        made: list[socket.socket] = []

        async def attempt(family: int, address: Address) -> socket.socket:
            made.append(socket.create_connection(address))
            sock = made[-1]
            await released.wait()
            return sock

        async def main() -> None:
            asyncio.get_running_loop().call_later(0.05, released.set)
            with await open_socket("name", 1) as sock:
                assert [one is sock or one.fileno() == -1 for one in made] == [True, True]

        released = asyncio.Event()
        monkeypatch.setattr(kitwire_asyncio.link, "ATTEMPT", 0.001)
        monkeypatch.setattr(kitwire_asyncio.link, "_attempt", attempt)
        resolve([listener, listener])
        run(main)
        assert len(made) == 2

    def test_a_race_may_be_cancelled(
        self, resolve: Callable[[list[Address]], None], deaf: Address
    ) -> None:
        async def main() -> None:
            task = asyncio.create_task(open_socket("name", 1))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        resolve([deaf, deaf, deaf])
        run(main)

    def test_a_name_without_addresses(self, resolve: Callable[[list[Address]], None]) -> None:
        async def main() -> None:
            with pytest.raises(ConnectFailed) as caught:
                async with kitwire_asyncio.connect("ws://name", token="a"):
                    pytest.fail("the room was not joined")
            assert caught.value.reason.reason is Reason.UNREACHABLE

        resolve([])
        run(main)
