"""Regions at the first join, in virtual time: who is asked for them, and which is tried next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlsplit

import pytest

from kitwire.commands import ClosePeers, HttpGet, MakeOffer, OpenLink
from kitwire.config import (
    PathVersion,
    TokenPlacement,
)
from kitwire.errors import DialError, Origin, Reason
from kitwire.events import Closed, Joined
from kitwire.session.phases import Phase
from kitwire.session.regions import MOST
from kitwire.session.timers import Timer
from tests.core.places import (
    CLOUD,
    EAST,
    ELSEWHERE,
    SETTINGS,
    WEST,
    asked,
    at,
    fail,
    joining,
    kinds,
    listed,
    named,
    phase,
    refuse,
    sent_away,
    tried,
)
from tests.peers.frames import join, join_request, leave
from tests.peers.lives import (
    TOKEN,
    SessionLife,
    preparing,
)

# --- LiveKit Cloud, the first join ---


def test_a_place_that_fails_makes_cloud_be_asked_and_the_next_one_is_tried_at_once() -> None:
    life = joining()
    fail(life)
    (get,) = asked(life)
    assert get.url == SETTINGS
    assert ("Authorization", f"Bearer {TOKEN}") in get.headers
    assert phase(life) is Phase.VALIDATING
    assert (life.session.deadline_reason, life.session.deadline) == (Timer.VALIDATE, life.now + 3)
    life.answer_get(200, listed(EAST, WEST))
    assert tried(life) == [CLOUD, EAST]
    fail(life)
    assert tried(life) == [CLOUD, EAST, WEST]
    assert life.session.url == WEST
    assert life.now == 1000.0  # Nothing was waited for.
    life.open()
    life.hear(join())
    assert kinds(life) == [Joined]
    assert len(asked(life)) == 1


def after_opening(life: SessionLife, then: Callable[[SessionLife], None]) -> None:
    life.open()
    then(life)


def garble(life: SessionLife) -> None:
    for _ in range(5):
        life.hear_frame(b"\xff")


FAULTS: dict[str, Callable[[SessionLife], None]] = {
    "refused": fail,
    "no such host": lambda life: fail(life, DialError.UNRESOLVED),
    "a dial that times out": lambda life: fail(life, DialError.TIMED_OUT),
    "another failure": lambda life: fail(life, DialError.OTHER),
    "no answer": lambda life: life.wait(15.0),
    "cut before the answer": SessionLife.cut,
    "429": lambda life: refuse(life, 429),
    "500": lambda life: refuse(life, 500),
    "503": lambda life: refuse(life, 503),
    "cut before the join": lambda life: after_opening(life, SessionLife.cut),
    "no join": lambda life: after_opening(life, lambda life: life.wait(5.0)),
    "garbage": lambda life: after_opening(life, garble),
    "a leave to come back": lambda life: after_opening(life, sent_away),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_another_place_may_do_better(fault: str) -> None:
    life = joining()
    FAULTS[fault](life)
    life.answer_get(200, listed(EAST))
    assert tried(life) == [CLOUD, EAST]
    FAULTS[fault](life)
    assert tried(life) == [CLOUD, EAST]
    assert kinds(life) == [Closed]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_other_host_is_asked_anything(fault: str) -> None:
    life = joining(ELSEWHERE)
    FAULTS[fault](life)
    assert tried(life) == [ELSEWHERE]
    assert asked(life) == []
    assert kinds(life) == [Closed]


HOPELESS: dict[str, tuple[Callable[[SessionLife], None], Reason]] = {
    "a certificate": (lambda life: fail(life, DialError.TLS), Reason.TLS_FAILURE),
    "401": (lambda life: refuse(life, 401, 401), Reason.BAD_TOKEN),
    "403": (lambda life: refuse(life, 403, 403), Reason.PERMISSION_DENIED),
    "404": (lambda life: refuse(life, 404, 404), Reason.SERVICE_MISSING),
    "a missing room": (
        lambda life: refuse(life, 404, 404, b"requested room does not exist"),
        Reason.ROOM_MISSING,
    ),
    "400": (lambda life: refuse(life, 400, 400), Reason.BAD_REQUEST),
    "a 500 that is explained": (lambda life: refuse(life, 500, 401), Reason.BAD_TOKEN),
    "a leave for good": (
        lambda life: after_opening(life, lambda life: life.hear(leave())),
        Reason.PARTICIPANT_REMOVED,
    ),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_what_is_the_same_everywhere(name: str) -> None:
    happens, reason = HOPELESS[name]
    life = joining()
    happens(life)
    assert asked(life) == []
    assert tried(life) == [CLOUD]
    assert life.reason.reason is reason


@pytest.mark.parametrize("name", HOPELESS)
def test_what_a_region_is_passed_by_for(name: str) -> None:
    """A certificate, or a wrong path, is that region's alone; the rest is the same everywhere."""
    happens, reason = HOPELESS[name]
    life = joining()
    fail(life)
    life.answer_get(200, listed(EAST, WEST))
    happens(life)
    if reason in (Reason.TLS_FAILURE, Reason.SERVICE_MISSING):
        assert tried(life) == [CLOUD, EAST, WEST]
        fail(life)
        assert life.reason.reason is Reason.UNREACHABLE
    else:
        assert tried(life) == [CLOUD, EAST]
        assert life.reason.reason is reason


def test_each_is_tried_once_and_the_first_cause_is_told() -> None:
    life = joining()
    life.wait(15.0)
    spelled = [EAST, "https://EAST.livekit.cloud:443/", "wss://Project.livekit.cloud/", WEST, EAST]
    life.answer_get(200, listed(*spelled))
    refuse(life, 503)
    fail(life, DialError.UNRESOLVED)
    assert tried(life) == [CLOUD, EAST, WEST]
    assert life.reason.reason is Reason.OPEN_TIMEOUT
    assert life.reason.retryable
    opened = {each.link for each in life.outputs if isinstance(each, OpenLink | HttpGet)}
    assert life.let_go() == opened


@pytest.mark.parametrize("host", ["project.livekit.cloud", "a.b.LiveKit.Run", "x.livekit.run"])
def test_hosts_of_cloud(host: str) -> None:
    life = joining(f"ws://{host}:8080/prefix/?a=b")
    fail(life)
    (get,) = asked(life)
    assert get.url == f"http://{host}:8080/settings/regions"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "[::1]", "localhost", "livekit.cloud", "livekit.run", "evillivekit.cloud"),
        *("project.livekit.cloud.test", "project.livekit.io", "project-livekit-cloud"),
    ],
)
def test_hosts_that_are_not_of_cloud(host: str) -> None:
    life = joining(f"wss://{host}")
    fail(life)
    assert asked(life) == []
    assert life.reason.reason is Reason.UNREACHABLE


# --- what is answered ---

NO_LISTS: dict[str, tuple[int, bytes]] = {
    "nothing": (200, b""),
    "no regions": (200, b"{}"),
    "an empty list": (200, b'{"regions":[]}'),
    "a page": (200, b"<html>Welcome</html>"),
    "another shape": (200, b"[1,2]"),
    "half of it": (200, listed(EAST)[:-3]),
    "no UTF-8": (200, b"\xff\xfe" + listed(EAST)),
    "too long": (200, listed(*[f"wss://{'x' * 100}.test"] * 150)),
    "deep": (200, b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "a number for a URL": (200, b'{"regions":[{"url":7}]}'),
    "404": (404, listed(EAST)),
    "451": (451, b"project not allowed in this region."),
    "500": (500, listed(EAST)),
    "a redirect": (302, listed(EAST)),
}


@pytest.mark.parametrize("name", NO_LISTS)
def test_an_answer_that_is_none_changes_nothing(name: str) -> None:
    life = joining()
    fail(life, DialError.UNRESOLVED)
    life.answer_get(*NO_LISTS[name])
    assert tried(life) == [CLOUD]
    assert life.reason.reason is Reason.UNREACHABLE
    assert "host name" in life.reason.detail


@pytest.mark.parametrize(
    "lost",
    [fail, SessionLife.cut, lambda life: life.wait(3.0), lambda life: fail(life, DialError.TLS)],
    ids=["no link", "cut", "silence", "a certificate"],
)
def test_no_answer_changes_nothing(lost: Callable[[SessionLife], None]) -> None:
    life = joining()
    life.wait(15.0)
    lost(life)
    assert life.reason.reason is Reason.OPEN_TIMEOUT
    assert life.let_go() == {1, 2}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b"invalid token", Reason.BAD_TOKEN),
        (401, b"permissions denied", Reason.PERMISSION_DENIED),
        (403, b"", Reason.PERMISSION_DENIED),
    ],
)
def test_a_refusal_says_why_nothing_works(status: int, body: bytes, reason: Reason) -> None:
    life = joining()
    fail(life)
    life.answer_get(status, body)
    assert (life.reason.origin, life.reason.reason) == (Origin.AUTH, reason)
    assert not life.reason.retryable


def test_leaving_while_the_answer_is_awaited() -> None:
    life = joining()
    fail(life)
    link = life.link
    life.close()
    assert life.reason.reason is Reason.CANCELLED
    assert link in life.let_go()
    life.session.http_responded(link, 200, listed(EAST), now=life.now)
    assert tried(life) == [CLOUD]


USABLE: dict[str, tuple[str, Sequence[str], Sequence[str]]] = {
    "but those that are no URL": (
        CLOUD,
        [
            "",
            "east",
            "ftp://a.test",
            "wss://",
            "wss://u:p@a.test",
            "wss://a b.test",
            "wss://ä.test",
        ],
        [],
    ),
    "but those that are too long": (CLOUD, [f"wss://a.test/{'x' * 1024}", EAST], [EAST]),
    "but those in the clear": (
        CLOUD,
        ["ws://a.test", "http://b.test", "https://c.test"],
        ["wss://c.test"],
    ),
    "also in the clear where it began so": (
        "ws://project.livekit.cloud",
        ["http://a.test:8080", "wss://b.test"],
        ["ws://a.test:8080", "wss://b.test"],
    ),
    "those looked at": (CLOUD, [*[EAST] * MOST, WEST], [EAST]),
    "the first ten": (
        CLOUD,
        [f"wss://r{number}.test" for number in range(MOST + 5)],
        [f"wss://r{number}.test" for number in range(MOST)],
    ),
}


@pytest.mark.parametrize("name", USABLE)
@pytest.mark.parametrize("way", ["asked", "in a leave"])
def test_regions_are_used(name: str, way: str) -> None:
    url, regions, used = USABLE[name]
    life = joining(url)
    if way == "asked":
        fail(life)
        life.answer_get(200, listed(*regions))
    else:
        life.open()
        life.hear(named(*regions))
        if not used:
            life.answer_get(404)  # Nothing was said, so it is asked.
    while phase(life) is Phase.OPENING:
        fail(life)
    assert tried(life) == [url, *used]
    assert life.reason.reason in (Reason.UNREACHABLE, Reason.UNKNOWN_REASON)


# --- how a region is opened ---


def test_path_and_query_of_a_region_are_kept_as_those_of_the_given_url() -> None:
    life = joining(f"{CLOUD}/mine/?a=1", token_placement=TokenPlacement.QUERY)
    fail(life)
    (get,) = asked(life)
    assert get.url == SETTINGS
    assert ("Authorization", f"Bearer {TOKEN}") in get.headers
    life.answer_get(200, listed("https://east.livekit.cloud/base/?b=2"))
    opened = [each for each in life.outputs if isinstance(each, OpenLink)][-1]
    parts = urlsplit(opened.url)
    assert (parts.scheme, parts.netloc) == ("wss", "east.livekit.cloud")
    assert parts.path == "/base/rtc/v1"
    query = parse_qs(parts.query)
    assert (query["b"], query["access_token"]) == (["2"], [TOKEN])
    assert "a" not in query
    assert not any(name == "Authorization" for name, _ in opened.headers)


def test_a_refusal_of_a_region_is_explained_there() -> None:
    life = joining()
    fail(life)
    life.answer_get(200, listed(EAST))
    life.refuse(503)
    get = [each for each in life.outputs if isinstance(each, HttpGet)][-1]
    assert get.url.startswith("https://east.livekit.cloud/rtc/v1/validate?")


def test_a_region_that_knows_the_old_path_only() -> None:
    life = joining(path=PathVersion.AUTO)
    fail(life)
    life.answer_get(200, listed(EAST))
    life.refuse(404)
    opened = [each for each in life.outputs if isinstance(each, OpenLink)][-1]
    assert opened.url.startswith(f"{EAST}/rtc?")
    life.open()
    life.hear(join())
    assert kinds(life) == [Joined]


def test_the_offer_that_was_made_before_the_join_travels_to_every_place() -> None:
    life = SessionLife(preparing(at(CLOUD)))
    life.connect()
    life.make_offer("v=0")
    fail(life)
    life.answer_get(200, listed(EAST, WEST))
    life.open()
    life.cut()
    opened = [each.url for each in life.outputs if isinstance(each, OpenLink)]
    assert [join_request(url).publisher_offer.sdp for url in opened] == ["v=0"] * 3
    assert len([each for each in life.outputs if isinstance(each, MakeOffer)]) == 1
    assert not [each for each in life.outputs if isinstance(each, ClosePeers)]
    life.wait(14.0)  # An offer that nobody has seen has no deadline.
    assert phase(life) is Phase.OPENING


def test_requests_are_held_all_the_way() -> None:
    life = joining()
    key = life.session.update_metadata("m", now=life.now)
    fail(life)
    life.session.mute_track("TR_1", True, now=life.now)
    life.answer_get(200, listed(EAST))
    assert life.outcome(key) is None
    life.open()
    life.hear(join())
    assert [name for name in life.said if name != "ping_req"] == ["update_metadata", "mute"]
