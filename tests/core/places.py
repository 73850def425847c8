"""What the tests of regions share: servers of many places, and where a session went.

The lists are written by google.protobuf, as a server writes them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack
from urllib.parse import urlsplit

from google.protobuf import json_format
from livekit.protocol import models, rtc

from kitwire.commands import HttpGet, OpenLink
from kitwire.config import (
    ClientConfig,
    ClientOptions,
    PathVersion,
    PeerCapabilities,
    ReconnectPolicy,
)
from kitwire.errors import DialError
from kitwire.events import Closed, Joined
from kitwire.reconnect_events import Lost, Restarted, Restarting, Resumed, Resuming
from kitwire.session.phases import Phase
from tests.peers.frames import join_request, leave
from tests.peers.lives import (
    SessionLife,
    configured,
    lasting,
)

CLOUD = "wss://project.livekit.cloud"
SETTINGS = "https://project.livekit.cloud/settings/regions"
EAST, WEST = "wss://east.livekit.cloud", "wss://west.livekit.cloud"
ELSEWHERE = "wss://livekit.test"
Action = rtc.LeaveRequest.Action


def settings(*urls: str) -> rtc.RegionSettings:
    regions = [
        rtc.RegionInfo(region=f"r{number}", url=url, distance=number * 1000)
        for number, url in enumerate(urls)
    ]
    return rtc.RegionSettings(regions=regions)


def listed(*urls: str) -> bytes:
    """The body of ``/settings/regions``: distances are strings in it, as of any int64."""
    return json_format.MessageToJson(settings(*urls)).encode()


def named(*urls: str, action: int = Action.RECONNECT) -> rtc.SignalResponse:
    """A Leave that names regions."""
    request = rtc.LeaveRequest(action=action, regions=settings(*urls))  # type: ignore[arg-type]  # an int, as on the wire
    return rtc.SignalResponse(leave=request)


def at(url: str, **options: Unpack[ClientOptions]) -> ClientConfig:
    options.setdefault("path", PathVersion.V1)
    return replace(configured(**options), url=url)


def joining(url: str = CLOUD, **options: Unpack[ClientOptions]) -> SessionLife:
    life = SessionLife(at(url, **options))
    life.connect()
    return life


def standing(url: str, **options: Unpack[ClientOptions]) -> SessionLife:
    """A session whose media flows, and that is brought back."""
    options.setdefault("peers", PeerCapabilities(ice_restart=True))
    life = SessionLife(lasting(at(url, **options)))
    life.establish()
    life.take()
    return life


def signaling(url: str, **options: Unpack[ClientOptions]) -> SessionLife:
    """One without media, which only ever restarts."""
    options.setdefault("reconnect", ReconnectPolicy())
    life = SessionLife(at(url, **options))
    life.reach(Phase.JOINED)
    return life


def fail(life: SessionLife, error: DialError = DialError.REFUSED) -> None:
    life.session.link_failed(life.link, error, now=life.now)


def place(url: str) -> str:
    """Where a URL leads to, without the signal path and what is said there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}".removesuffix("/rtc/v1")


def request(life: SessionLife) -> rtc.JoinRequest:
    """What the newest URL says."""
    return join_request([each.url for each in life.outputs if isinstance(each, OpenLink)][-1])


def tried(life: SessionLife) -> list[str]:
    """Where WebSockets were asked for, in order."""
    return [place(each.url) for each in life.outputs if isinstance(each, OpenLink)]


def asked(life: SessionLife) -> list[HttpGet]:
    """What was asked of ``/settings/regions``."""
    gets = [each for each in life.outputs if isinstance(each, HttpGet)]
    return [each for each in gets if urlsplit(each.url).path == "/settings/regions"]


def phase(life: SessionLife) -> Phase:
    return life.session.phase


def kinds(life: SessionLife) -> list[type]:
    told = (Lost, Resuming, Restarting, Resumed, Restarted, Joined, Closed)
    return [type(each) for each in life.take() if isinstance(each, told)]


def refuse(life: SessionLife, status: int, explained: int = 200, body: bytes = b"") -> None:
    life.refuse(status, body)
    life.answer_get(explained, body)


def sent_away(life: SessionLife) -> None:
    life.hear(leave(models.STATE_MISMATCH, Action.RECONNECT))
