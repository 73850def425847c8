"""A network of namespaces with a real server at one end of it, for each test anew.

Where there can be none the tests skip and say why; with KITWIRE_REQUIRE_NAMESPACES=1 they fail.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator

import pytest

from tests.interop.conftest import SERVERS, accounts
from tests.interop.conftest import required as server_required
from tests.interop.livekit_server import (
    VERSION,
    LiveKitServer,
    Place,
    ServerUnavailable,
    binary_for,
    start,
)
from tests.namespaces.namespaces import INTERFACE, SERVER, Network, NoNamespaces, network
from tests.namespaces.scene import Scene


def required() -> bool:
    """Whether a machine without namespaces is a failure."""
    return os.environ.get("KITWIRE_REQUIRE_NAMESPACES", "") not in ("", "0")


@pytest.fixture
def wire() -> Iterator[Network]:
    """The network."""
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(network())
        except NoNamespaces as reason:
            if required():
                pytest.fail(f"{reason} (KITWIRE_REQUIRE_NAMESPACES is set)", pytrace=False)
            pytest.skip(str(reason))
        yield made


@pytest.fixture
def server(wire: Network, request: pytest.FixtureRequest) -> Iterator[LiveKitServer]:
    """The real server, at its end."""
    try:
        binary = binary_for(VERSION)
    except ServerUnavailable as reason:
        if server_required():
            pytest.fail(f"{reason} (KITWIRE_REQUIRE_LIVEKIT is set)", pytrace=False)
        pytest.skip(str(reason))
    with wire.server.inside():
        running, stop = start(binary, place=Place(host=SERVER, interface=INTERFACE))
    request.node.stash.setdefault(SERVERS, []).append(running)
    try:
        yield running
    finally:
        stop()


@pytest.fixture
def scene(wire: Network, server: LiveKitServer) -> Iterator[Scene]:
    """Everybody who takes part, not in the rooms yet."""
    with contextlib.ExitStack() as stack:
        yield Scene(stack, wire, server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's own account below a failure."""
    report = yield
    if report.failed:
        report.sections += accounts(item)
    return report
