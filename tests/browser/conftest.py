"""Chromium for the whole run, and the fixtures by which kitwire joins with media.

Where something is missing the tests skip and say what to run; with KITWIRE_REQUIRE_BROWSER=1 they
fail.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator

import pytest

from tests.browser.browser import Browser, BrowserUnavailable, installed, running
from tests.interop.conftest import accounts
from tests.media.conftest import (
    connect,
    enter,
    livekit,
    livekit_by_version,
    loop,
    room_name,
    run,
)

__all__ = ["connect", "enter", "livekit", "livekit_by_version", "loop", "room_name", "run"]

BROWSERS = pytest.StashKey[Browser]()


def required() -> bool:
    """Whether a missing browser is a failure."""
    return os.environ.get("KITWIRE_REQUIRE_BROWSER", "") not in ("", "0")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Started once, for all tests of a module."""
    try:
        where = installed()
    except BrowserUnavailable as reason:
        if required():
            pytest.fail(f"{reason} (KITWIRE_REQUIRE_BROWSER is set)", pytrace=False)
        pytest.skip(str(reason))
    with running(where) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Chromium for a test that joins by it; afterwards it leaves."""
    request.node.stash[BROWSERS] = chromium
    yield chromium
    chromium.leave()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show below a failure what the browser and the server have to say."""
    report = yield
    if report.failed:
        # A browser that has ended has cleared its folder away.
        with contextlib.suppress(OSError, KeyError):
            report.sections.append(("browser", item.stash[BROWSERS].account()))
        report.sections += accounts(item)
    return report
