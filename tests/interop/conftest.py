"""Real livekit-servers as fixtures.

- `livekit`: the server of the one version that everything runs against, shared by the whole run.
  Use room names of your own (the `room_name` fixture gives one).
- `livekit_version`: the same for each version in turn.
- `start_livekit`: starts servers for one test alone, which may kill, stop and restart them.

Where a binary is missing the test skips and says what to run; with KITWIRE_REQUIRE_LIVEKIT=1 it
fails.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

import pytest

from tests.interop.livekit_server import (
    OLDER_VERSIONS,
    VERSION,
    LiveKitServer,
    Ports,
    ServerUnavailable,
    binary_for,
    running,
)

SERVERS = pytest.StashKey[list[LiveKitServer]]()


class StartLiveKit(Protocol):
    """The `start_livekit` fixture; the second function stops the server before the test's end."""

    def __call__(
        self, *, like: LiveKitServer | None = None, version: str = VERSION
    ) -> tuple[LiveKitServer, Callable[[], None]]: ...


def required() -> bool:
    """Whether a missing server is a failure."""
    return os.environ.get("KITWIRE_REQUIRE_LIVEKIT", "") not in ("", "0")


def enter(
    stack: contextlib.ExitStack, version: str, like: LiveKitServer | None = None
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
        running(binary, version=version, ports=ports, api_key=key, api_secret=secret)
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
            *, like: LiveKitServer | None = None, version: str = VERSION
        ) -> tuple[LiveKitServer, Callable[[], None]]:
            own = stack.enter_context(contextlib.ExitStack())
            server = enter(own, version, like)
            request.node.stash.setdefault(SERVERS, []).append(server)
            return server, own.close

        yield start


@pytest.fixture
def room_name() -> str:
    """A room that no other test uses."""
    return "room-" + secrets.token_hex(6)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's own account below a failure."""
    report = yield
    if report.failed:
        for server in item.stash.get(SERVERS, []):
            # A server of the test's own may have been stopped and cleared away.
            with contextlib.suppress(OSError):
                report.sections.append((f"livekit-server {server.version}", server.log_tail()))
    return report
