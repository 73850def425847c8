"""Real livekit-servers as fixtures.

- `livekit`: the server of the one version that everything runs against, shared by the whole run.
  Use room names of your own (the `room_name` fixture gives one).
- `livekit_version`: the same for each version in turn.
- `start_livekit`: starts servers for one test alone, which may kill, stop and restart them.
- `loop`: each of the three ways of use in turn; `path`: each of the two signal paths in turn.
- `join`: joins participants of ours, by `loop`, for the length of the test.

Where a binary is missing the test skips and says what to run; with KITWIRE_REQUIRE_LIVEKIT=1 it
fails.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Generator, Iterator
from typing import Protocol, Unpack

import pytest

from kitwire.config import ClientOptions, PathVersion
from tests.interop.livekit_server import (
    OLDER_VERSIONS,
    VERSION,
    Grants,
    LiveKitServer,
    Ports,
    ServerUnavailable,
    binary_for,
    running,
)
from tests.interop.participants import LOOPS, LoopName, Participant, Witness, joined

SERVERS = pytest.StashKey[list[LiveKitServer]]()


class StartLiveKit(Protocol):
    """The `start_livekit` fixture; the second function stops the server before the test's end."""

    def __call__(
        self,
        *,
        like: LiveKitServer | None = None,
        version: str = VERSION,
        auto_create: bool = True,
    ) -> tuple[LiveKitServer, Callable[[], None]]: ...


class Join(Protocol):
    """The `join` fixture: a participant who leaves at the end of the test, or before.

    `room` and `server` are the test's own unless given; `grants` are added to the right to join.
    """

    def __call__(
        self,
        identity: str,
        *,
        loop: LoopName | None = None,
        server: LiveKitServer | None = None,
        room: str | None = None,
        grants: Grants | None = None,
        **options: Unpack[ClientOptions],
    ) -> Participant: ...


def required() -> bool:
    """Whether a missing server is a failure."""
    return os.environ.get("KITWIRE_REQUIRE_LIVEKIT", "") not in ("", "0")


def enter(
    stack: contextlib.ExitStack,
    version: str,
    like: LiveKitServer | None = None,
    *,
    auto_create: bool = True,
) -> LiveKitServer:
    """Start a server that ends with the stack, or skip or fail the test that asked for it."""
    try:
        binary = binary_for(version)
    except ServerUnavailable as reason:
        if required():
            pytest.fail(f"{reason} (KITWIRE_REQUIRE_LIVEKIT is set)", pytrace=False)
        pytest.skip(str(reason))
    ports: Ports | None = None if like is None else like.ports
    key, secret = (None, None) if like is None else (like.api_key, like.api_secret)
    return stack.enter_context(
        running(
            binary,
            version=version,
            ports=ports,
            api_key=key,
            api_secret=secret,
            auto_create=auto_create,
        )
    )


@pytest.fixture(scope="session")
def livekit_by_version() -> Iterator[Callable[[str], LiveKitServer]]:
    """One server of each version that is asked for, until the end of the run."""
    servers: dict[str, LiveKitServer] = {}
    with contextlib.ExitStack() as stack:

        def get(version: str) -> LiveKitServer:
            if version not in servers:
                servers[version] = enter(stack, version)
            return servers[version]

        yield get


@pytest.fixture
def livekit(
    livekit_by_version: Callable[[str], LiveKitServer], request: pytest.FixtureRequest
) -> LiveKitServer:
    """The real server."""
    server = livekit_by_version(VERSION)
    request.node.stash.setdefault(SERVERS, []).append(server)
    return server


@pytest.fixture(params=[*OLDER_VERSIONS, VERSION])
def livekit_version(
    livekit_by_version: Callable[[str], LiveKitServer], request: pytest.FixtureRequest
) -> LiveKitServer:
    """The real server, in each version in turn; `.version` says which."""
    server = livekit_by_version(request.param)
    request.node.stash.setdefault(SERVERS, []).append(server)
    return server


@pytest.fixture
def start_livekit(request: pytest.FixtureRequest) -> Iterator[StartLiveKit]:
    """Starts servers that belong to this test; `like` takes the place of one that was stopped."""
    with contextlib.ExitStack() as stack:

        def start(
            *,
            like: LiveKitServer | None = None,
            version: str = VERSION,
            auto_create: bool = True,
        ) -> tuple[LiveKitServer, Callable[[], None]]:
            own = stack.enter_context(contextlib.ExitStack())
            server = enter(own, version, like, auto_create=auto_create)
            request.node.stash.setdefault(SERVERS, []).append(server)
            return server, own.close

        yield start


@pytest.fixture
def room_name() -> str:
    """A room that no other test uses."""
    return "room-" + secrets.token_hex(6)


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> LoopName:
    """Each way of use in turn."""
    chosen: LoopName = request.param
    return chosen


@pytest.fixture(params=[PathVersion.V1, PathVersion.V0])
def path(request: pytest.FixtureRequest) -> PathVersion:
    """Each signal path in turn."""
    chosen: PathVersion = request.param
    return chosen


@pytest.fixture
def witness() -> Iterator[Witness]:
    """What the test's participants let anybody see. Whatever the test is about: no secrets."""
    witness = Witness()
    yield witness
    assert witness.secrets() == []


@pytest.fixture
def join(
    livekit: LiveKitServer, room_name: str, loop: LoopName, witness: Witness
) -> Iterator[Join]:
    """Joins participants of ours."""
    own_loop = loop
    with contextlib.ExitStack() as stack:

        def join(
            identity: str,
            *,
            loop: LoopName | None = None,
            server: LiveKitServer | None = None,
            room: str | None = None,
            grants: Grants | None = None,
            **options: Unpack[ClientOptions],
        ) -> Participant:
            server = server or livekit
            token = server.token(identity, room or room_name, **(grants or {}))
            coming = joined(loop or own_loop, server.url, token, witness=witness, **options)
            return stack.enter_context(coming)

        yield join


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's own account below a failure."""
    report = yield
    if report.failed:
        report.sections += accounts(item)
    return report


def accounts(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """What the servers of a test have to say."""
    for server in item.stash.get(SERVERS, []):
        # A server of the test's own may have been stopped and cleared away.
        with contextlib.suppress(OSError):
            yield f"livekit-server {server.version}", server.log_tail()
