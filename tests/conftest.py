"""What all tests share: how hypothesis behaves, and markers that follow from fixtures."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# No deadline: two cores shared with real servers say nothing about the code. In CI the same
# examples every time, so that a commit has one result.
settings.register_profile("kitwire", deadline=None, print_blob=True)
settings.register_profile("kitwire-ci", settings.get_profile("kitwire"), derandomize=True)
settings.load_profile("kitwire-ci" if os.environ.get("CI") else "kitwire")

# A test that asks for one of these fixtures needs a real server, so `-m "not livekit"` means what
# it says without everybody having to remember the marker.
SERVER_FIXTURES = {"livekit", "livekit_version", "start_livekit"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        wanted = SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if wanted:
            item.add_marker("livekit")
        if "livekit_version" in wanted:
            item.add_marker("livekit_versions")
