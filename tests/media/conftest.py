"""The real server's fixtures, and how a test joins its room: on each loop, by each path."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Unpack

import pytest

import kitwire_asyncio
import kitwire_trio
from kitwire import PathVersion
from kitwire.config import ClientOptions
from kitwire_aiortc import MediaRoom
from tests.interop.conftest import (
    livekit,
    livekit_by_version,
    livekit_version,
    room_name,
    start_livekit,
)
from tests.interop.livekit_server import LiveKitServer
from tests.media import loopback
from tests.media.loopback import MEDIA, PATHS, Connect, Enter, Run

__all__ = ["livekit", "livekit_by_version", "livekit_version", "room_name", "start_livekit"]


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> str:
    """A test that asks for this, or for what follows, runs on both."""
    name: str = request.param
    return name


@pytest.fixture
def run(loop: str) -> Run:
    """`loopback.run` on the loop."""
    return partial(loopback.run, loop=loop)


@pytest.fixture
def connect(loop: str) -> Connect:
    """The loop's adapter's."""
    return kitwire_trio.connect if loop == "trio" else kitwire_asyncio.connect


@pytest.fixture(params=PATHS)
def enter(
    request: pytest.FixtureRequest, connect: Connect, livekit: LiveKitServer, room_name: str
) -> Enter:
    """Joins the test's room under an identity, by each path in turn."""
    path: PathVersion = request.param

    def join(
        identity: str, **options: Unpack[ClientOptions]
    ) -> AbstractAsyncContextManager[MediaRoom]:
        token = livekit.token(identity, room_name)
        options["path"] = path
        return connect(livekit.url, token=token, media=MEDIA, **options)

    return join
