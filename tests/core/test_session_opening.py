"""The way in: which path, what fits into the URL, what is said afterwards, what cannot be said."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from random import Random
from typing import Unpack
from urllib.parse import parse_qs, urlsplit

import pytest
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.client import Client
from kitwire.commands import HttpGet, OpenLink
from kitwire.config import (
    ClientConfig,
    ClientOptions,
    Encoding,
    Limits,
    PathVersion,
    TokenPlacement,
)
from kitwire.session.opening import Opening
from kitwire.session.session import Session
from tests.peers.frames import heard, join, join_request
from tests.peers.lives import TOKEN, URL, SessionLife, configured

TRACKS = (
    msg.AddTrackRequest(cid="mic", type=msg.TrackType.AUDIO),
    msg.AddTrackRequest(cid="cam", type=msg.TrackType.VIDEO),
)


def opened(life: SessionLife) -> list[OpenLink]:
    return [item for item in life.outputs if isinstance(item, OpenLink)]


@pytest.mark.parametrize(
    ("path", "paths"),
    [
        (PathVersion.AUTO, ["/rtc/v1", "/rtc"]),
        (PathVersion.V1, ["/rtc/v1"]),
        (PathVersion.V0, ["/rtc"]),
    ],
)
def test_paths_are_tried_while_the_server_knows_none(path: PathVersion, paths: list[str]) -> None:
    opening = Opening(configured(path=path))
    tried = [opening.path]
    for status in (200, 400, 401, 403, 500):
        assert not opening.fall_back(status)
    while opening.fall_back(404):
        tried.append(opening.path)
    assert tried == paths
    assert not opening.fall_back(404)


@pytest.mark.parametrize("prefix", ["", "/", "/livekit", "/a/b/"])
def test_urls_of_the_link_and_of_the_dry_run(prefix: str) -> None:
    config = ClientConfig(url=f"https://livekit.test{prefix}", token=TOKEN)
    opening = Opening(config)
    link = urlsplit(opening.url(TOKEN))
    dry_run = urlsplit(opening.dry_run_url())
    assert (link.scheme, dry_run.scheme) == ("wss", "https")
    assert link.path == f"{prefix.rstrip('/')}/rtc/v1"
    assert dry_run.path == f"{link.path}/validate"
    assert dry_run.query == link.query
    assert link.netloc == dry_run.netloc == "livekit.test"


def test_what_fits_travels_in_the_url() -> None:
    config = configured(
        add_tracks=TRACKS, publisher_offer="v=0", metadata="m", attributes={"a": "1"}
    )
    opening = Opening(config)
    request = join_request(opening.url(TOKEN))
    assert [track.cid for track in request.add_track_requests] == ["mic", "cam"]
    assert request.publisher_offer == rtc.SessionDescription(type="offer", sdp="v=0", id=1)
    assert (request.metadata, dict(request.participant_attributes)) == ("m", {"a": "1"})
    assert opening.unbundled() == ()
    assert opening.metadata == ""


@pytest.mark.parametrize("encoding", Encoding)
def test_what_is_too_long_for_the_url_is_said_after_the_join(encoding: Encoding) -> None:
    sdp = b64encode(Random(1).randbytes(600)).decode()  # gzip finds nothing in it
    opening = Opening(
        configured(
            add_tracks=TRACKS,
            publisher_offer=sdp,
            limits=Limits(url=400),
            encoding=encoding,
        )
    )
    request = join_request(opening.url(TOKEN))
    assert not request.add_track_requests
    assert not request.HasField("publisher_offer")
    said = [heard(frame) for frame in opening.unbundled()]
    assert [one.WhichOneof("message") for one in said] == ["add_track", "add_track", "offer"]
    assert said[1].add_track == rtc.AddTrackRequest(cid="cam", type=models.VIDEO)
    assert said[2].offer == rtc.SessionDescription(type="offer", sdp=sdp, id=1)


def test_the_old_path_says_everything_after_the_join_in_order() -> None:
    life = SessionLife(
        configured(path=PathVersion.V0, add_tracks=TRACKS, publisher_offer="v=0", metadata="hello")
    )
    life.connect()
    held = life.session.mute_track("TR_1", True, now=life.now)
    life.open()
    life.hear(join())
    assert life.said == [
        "ping_req",
        "add_track",
        "add_track",
        "offer",
        "update_metadata",
        "mute",
    ]
    update = life.requests[4].update_metadata
    assert (update.metadata, update.name, dict(update.attributes)) == ("hello", "", {})
    assert held.number == 1
    assert update.request_id == 1


def test_the_new_path_says_nothing_twice() -> None:
    life = SessionLife(
        configured(add_tracks=TRACKS, publisher_offer="v=0", metadata="hello", attributes={"a": ""})
    )
    life.connect()
    life.open()
    life.hear(join())
    assert life.said == ["ping_req"]


def test_a_fallback_says_afterwards_what_the_new_path_would_have_carried() -> None:
    life = SessionLife(configured(add_tracks=TRACKS[:1], metadata="hello"))
    life.connect()
    life.refuse(404)
    life.open()
    life.hear(join())
    assert [urlsplit(link.url).path for link in opened(life)] == ["/rtc/v1", "/rtc"]
    assert life.said == ["ping_req", "add_track", "update_metadata"]


@pytest.mark.parametrize("placement", TokenPlacement)
def test_the_token_travels_once_for_the_link_and_for_the_dry_run(placement: TokenPlacement) -> None:
    life = SessionLife(configured(token_placement=placement, path=PathVersion.V1))
    life.connect()
    life.refuse(401)
    asked = [item for item in life.outputs if isinstance(item, OpenLink | HttpGet)]
    assert [type(item) for item in asked] == [OpenLink, HttpGet]
    for item in asked:
        fields = dict(item.headers)
        query = parse_qs(urlsplit(item.url).query)
        if placement is TokenPlacement.HEADER:
            assert fields["Authorization"] == f"Bearer {TOKEN}"
            assert "access_token" not in query
        else:
            assert "Authorization" not in fields
            assert query["access_token"] == [TOKEN]
        assert fields["User-Agent"].startswith("kitwire/")


# --- What cannot be said is refused when the session is made ---

LONE_SURROGATE = "\ud800"

UNSAYABLE: dict[str, tuple[Mapping[str, object], str]] = {
    "an URL without a scheme": ({"url": "localhost:7880"}, "must start with"),
    "metadata that is not Unicode": ({"metadata": LONE_SURROGATE}, "metadata"),
    "metadata that is no text": ({"metadata": 7}, "metadata"),
    "an attribute that is no text": ({"attributes": {"a": 7}}, "attributes"),
    "an empty offer": ({"publisher_offer": ""}, "publisher_offer is empty"),
    "an offer that is not Unicode": ({"publisher_offer": LONE_SURROGATE}, "sdp"),
    "an offer that is too large": (
        {"publisher_offer": "v" * 101, "limits": Limits(send=100)},
        r"limits\.send allows 100",
    ),
    "metadata that is too large": (
        {"metadata": "m" * 101, "limits": Limits(send=100)},
        r"limits\.send allows 100",
    ),
    "a track with a number that does not fit": (
        {"add_tracks": (msg.AddTrackRequest(cid="c", width=-1),)},
        "width",
    ),
    "a client that is not Unicode": (
        {"client_info": msg.ClientInfo(os=LONE_SURROGATE)},
        "os|surrogates",
    ),
}


@pytest.mark.parametrize("name", UNSAYABLE)
@pytest.mark.parametrize("path", PathVersion)
@pytest.mark.parametrize("made", [Session, Client])
def test_settings_that_cannot_be_sent_are_refused_at_once(
    made: type[Session] | type[Client], path: PathVersion, name: str
) -> None:
    """Not by a join that comes later: nothing that a server sends may raise."""
    settings, problem = UNSAYABLE[name]
    with pytest.raises(ValueError, match=problem):
        made(ClientConfig(**{"url": URL, "token": TOKEN, "path": path, **settings}))  # type: ignore[arg-type]  # by name


def test_settings_at_the_limit_are_sent() -> None:
    options: ClientOptions = {"path": PathVersion.V0, "metadata": "m" * 80}
    life = joined_within(100, **options)
    assert life.requests[-1].update_metadata.metadata == "m" * 80


def joined_within(limit: int, **options: Unpack[ClientOptions]) -> SessionLife:
    life = SessionLife(configured(limits=Limits(send=limit), **options))  # type: ignore[misc]  # limits is not among them
    life.connect()
    life.open()
    life.hear(join())
    return life
