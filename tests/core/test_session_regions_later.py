"""Regions after the first join: restarts, resumes, Leaves that name some; and any life at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from livekit.protocol import rtc
from websockets.http11 import Request

from kitwire.commands import HttpGet, LinkId, OpenLink, SessionCommand
from kitwire.config import (
    ClientConfig,
    PeerCapabilities,
    ReconnectPolicy,
    Timeouts,
)
from kitwire.errors import DialError, Reason
from kitwire.events import Event, Joined
from kitwire.reconnect_events import Lost, Restarted, Restarting, Resumed, Resuming
from kitwire.session.phases import Phase
from kitwire.session.regions import LONGEST_ANSWER, MOST
from kitwire.trace import TraceRecord
from kitwire.transcript import replay, transcript_header, transcript_line
from tests.core.places import (
    CLOUD,
    EAST,
    ELSEWHERE,
    SETTINGS,
    WEST,
    Action,
    asked,
    at,
    fail,
    joining,
    kinds,
    listed,
    named,
    phase,
    place,
    refuse,
    request,
    sent_away,
    settings,
    signaling,
    standing,
    tried,
)
from tests.peers.frames import join
from tests.peers.lives import (
    ANSWER,
    TOKEN,
    SessionLife,
    connect_media,
    lasting,
)
from tests.peers.schedules import Schedule
from tests.peers.virtual_server import ClientLife, Connection

# --- restarts and resumes ---


def test_a_restart_asks_with_the_newest_token_and_goes_on() -> None:
    life = signaling(CLOUD)
    life.hear(rtc.SignalResponse(refresh_token="fresh.er.one"))
    life.cut()
    fail(life)
    (get,) = asked(life)
    assert ("Authorization", "Bearer fresh.er.one") in get.headers
    life.answer_get(200, listed(EAST))
    life.open()
    life.hear(join(sid="PA_second"))
    assert kinds(life) == [Lost, Restarting, Joined, Restarted]
    assert tried(life) == [CLOUD, CLOUD, EAST]


def test_an_attempt_that_fails_everywhere_is_one_attempt_and_the_next_one_waits() -> None:
    life = signaling(CLOUD)
    life.cut()
    life.take()
    life.wait(0.0)
    refuse(life, 503)
    life.answer_get(200, listed(EAST, WEST))
    fail(life)
    fail(life)
    (restarting,) = [each for each in life.take() if isinstance(each, Restarting)]
    assert (restarting.attempt, restarting.next_in) == (2, 0.3)
    assert restarting.cause.reason is Reason.SERVER_ERROR
    assert phase(life) is Phase.WAITING
    life.wait(0.3)
    # It begins where the last one ended, and comes through all again.
    for error in (DialError.UNRESOLVED, DialError.REFUSED, DialError.REFUSED):
        fail(life, error)
    (restarting,) = [each for each in life.take() if isinstance(each, Restarting)]
    assert "host name" in restarting.cause.detail
    assert tried(life)[1:] == [CLOUD, EAST, WEST, WEST, EAST, CLOUD]
    assert len(asked(life)) == 1


def test_what_is_known_is_kept_and_asked_for_again_only_after_a_minute() -> None:
    life = signaling(CLOUD, reconnect=ReconnectPolicy(attempts=100, base=7.0, factor=1.0))
    life.cut()
    begun = life.now
    times: list[float] = []
    while life.now < begun + 200:
        if phase(life) is Phase.VALIDATING:
            times.append(life.now - begun)
            life.answer_get(200 if len(times) == 1 else 500, listed(EAST))
        elif phase(life) is Phase.OPENING:
            fail(life)
        else:
            life.wait(7.0)
    assert times == [0, 63, 126, 189]
    # What was known before is used where the answer is none.
    assert tried(life)[-1] in (EAST, CLOUD)
    assert tried(life).count(EAST) > 25


def test_a_resume_stays_where_the_session_is() -> None:
    life = standing(CLOUD)
    life.cut()
    for _ in range(2):
        fail(life)
        assert asked(life) == []
        life.wait(7.0)
    assert tried(life) == [CLOUD] * 4
    fail(life)  # The last resume: from now on it restarts.
    life.wait(7.0)
    fail(life)
    assert len(asked(life)) == 1


def test_a_session_stays_in_the_region_that_it_came_to() -> None:
    life = SessionLife(lasting(at(CLOUD, peers=PeerCapabilities(ice_restart=True))))
    life.connect()
    fail(life)
    life.answer_get(200, listed(EAST, WEST))
    fail(life)
    life.open()
    life.hear(join())
    connect_media(life.session, lambda: life.hear(ANSWER), life.now)
    life.cut()
    assert (tried(life)[-1], request(life).reconnect) == (WEST, True)
    life.open()
    sent_away(life)
    assert (tried(life)[-1], request(life).reconnect) == (WEST, False)
    fail(life)
    fail(life)
    assert tried(life)[-2:] == [EAST, CLOUD]


def test_a_refusal_ends_a_restart_too() -> None:
    life = signaling(CLOUD)
    life.cut()
    fail(life)
    life.answer_get(401)
    assert life.reason.reason is Reason.BAD_TOKEN


def test_an_answer_that_comes_too_late_is_not_heard() -> None:
    life = signaling(CLOUD)
    life.cut()
    fail(life)
    link = life.link
    life.wait(3.0)
    life.session.http_responded(link, 200, listed(EAST), now=life.now)
    life.wait(60.0)
    assert EAST not in tried(life)


# --- leaves that name regions ---


def test_a_restart_goes_where_the_leave_says_on_any_host() -> None:
    life = signaling(ELSEWHERE)
    life.hear(named(EAST, WEST))
    fail(life)
    life.open()
    life.hear(join(sid="PA_second"))
    assert kinds(life) == [Lost, Restarting, Joined, Restarted]
    assert tried(life) == [ELSEWHERE, EAST, WEST]
    assert asked(life) == []
    # What was said is done: the next loss begins where the session is.
    life.cut()
    assert tried(life)[-1] == WEST


def test_the_given_url_comes_last_and_then_it_begins_anew() -> None:
    life = signaling(ELSEWHERE)
    life.hear(named(EAST, WEST))
    for _ in range(3):
        fail(life)
    assert phase(life) is Phase.WAITING
    life.wait(0.3)
    assert tried(life)[1:] == [EAST, WEST, ELSEWHERE, EAST]


def test_a_resume_goes_where_the_leave_says() -> None:
    life = standing(ELSEWHERE)
    life.hear(named(EAST, WEST, action=Action.RESUME))
    assert (tried(life)[-1], request(life).reconnect) == (EAST, True)
    fail(life)
    assert (tried(life)[-1], request(life).reconnect) == (WEST, True)
    life.open()
    life.hear(rtc.SignalResponse(reconnect=rtc.ReconnectResponse()))
    assert kinds(life) == [Lost, Resuming, Resumed]
    life.cut()
    fail(life)
    life.wait(0.3)
    assert tried(life)[-2:] == [WEST, WEST]


def test_a_resume_that_fails_everywhere_is_one_attempt() -> None:
    life = standing(CLOUD)
    life.hear(named(EAST, action=Action.RESUME))
    life.take()
    fail(life)
    refuse(life, 500)
    (resuming,) = [each for each in life.take() if isinstance(each, Resuming)]
    assert resuming.attempt == 2
    assert asked(life) == []
    life.wait(0.3)
    assert tried(life)[1:] == [EAST, CLOUD, EAST]


def test_a_resume_asks_for_nothing_however_long_it_takes() -> None:
    life = standing(CLOUD, timeouts=Timeouts(open=70.0))
    life.hear(named(EAST, action=Action.RESUME))
    life.wait(70.0)
    assert (tried(life)[-1], asked(life)) == (CLOUD, [])


def test_what_cloud_answers_takes_the_place_of_what_a_leave_said() -> None:
    life = signaling(CLOUD, timeouts=Timeouts(open=70.0))
    life.hear(named(EAST))
    life.wait(70.0)
    life.answer_get(200, listed(WEST))
    fail(life)
    fail(life)
    life.wait(0.3)
    # As in any other attempt, it begins where the last one ended.
    assert tried(life) == [CLOUD, EAST, WEST, CLOUD, CLOUD]


def test_a_leave_in_answer_to_a_resume_restarts_where_it_says() -> None:
    life = standing(ELSEWHERE)
    life.cut()
    life.open()
    life.hear(named(EAST))
    assert kinds(life) == [Lost, Resuming, Restarting]
    assert (tried(life)[-1], request(life).reconnect) == (EAST, False)


def test_a_leave_that_names_none_leaves_what_is_known() -> None:
    life = signaling(ELSEWHERE)
    life.hear(named(EAST))
    life.open()
    life.hear(join(sid="PA_second"))
    sent_away(life)
    assert tried(life) == [ELSEWHERE, EAST, EAST]
    life.open()
    life.hear(join(sid="PA_third"), named(WEST))
    fail(life)
    assert tried(life)[3:] == [WEST, ELSEWHERE]  # EAST was replaced.


def test_the_first_join_follows_a_leave() -> None:
    life = joining(ELSEWHERE)
    life.open()
    life.hear(named(EAST))
    life.open()
    life.hear(join())
    assert kinds(life) == [Joined]
    assert tried(life) == [ELSEWHERE, EAST]


def test_a_list_in_a_leave_is_as_good_as_an_answer_of_cloud() -> None:
    life = signaling(CLOUD)
    life.hear(named(EAST))
    fail(life)
    assert (tried(life)[-1], asked(life)) == (CLOUD, [])


@pytest.mark.parametrize("begun", [joining, signaling], ids=["a join", "a restart"])
def test_servers_that_name_another_one_each_time(begun: Callable[[str], SessionLife]) -> None:
    life = begun(ELSEWHERE)
    sent = 0
    while phase(life) not in (Phase.CLOSED, Phase.WAITING):
        if phase(life) is Phase.OPENING:
            life.open()
        sent += 1
        life.hear(named(*(f"wss://r{sent}-{number}.test" for number in range(MOST))))
    assert sent <= MOST + 2


# --- what can be seen ---


def test_a_life_through_regions_is_replayed() -> None:
    records: list[TraceRecord] = []
    config = at(CLOUD, reconnect=ReconnectPolicy(), trace=records.append)
    life = SessionLife(config)
    life.connect()
    fail(life)
    # Nearly as long as it may be, so that none of it may be left out.
    regions = [EAST, WEST, *(f"wss://{'x' * 1000}.test/{number}" for number in range(14))]
    assert LONGEST_ANSWER * 0.9 < len(listed(*regions)) < LONGEST_ANSWER
    life.answer_get(200, listed(*regions))
    fail(life)
    life.open()
    life.hear(join(), named("wss://third.test"))
    life.open()
    life.hear(join(sid="PA_second"))
    life.close()
    life.cut()
    assert tried(life) == [CLOUD, EAST, WEST, "wss://third.test"]
    lines = [transcript_header(config), *map(transcript_line, records)]
    assert replay(lines) is None
    assert not any(part in line for line in lines for part in TOKEN.split("."))


def test_nothing_secret_is_shown() -> None:
    life = joining()
    fail(life)
    life.answer_get(200, listed(f"{EAST}/?access_token={TOKEN}"))
    life.refuse(401, f"invalid token: {TOKEN}".encode())
    life.answer_get(401, f"invalid token: {TOKEN}".encode())
    assert TOKEN not in repr(life.outputs)
    assert life.reason.reason is Reason.BAD_TOKEN


# --- over bytes ---


class Place(ClientLife):
    """Cloud's door, which lets nobody in but tells its regions, and one of these, which does."""

    def _dial(self, link: LinkId) -> None:
        self.dial_error = DialError.UNRESOLVED if self.host(link) == "west.livekit.cloud" else None
        super()._dial(link)

    def _answer(self, connection: Connection, upgrade: Request) -> None:
        at_the_door = connection.dial.host == "project.livekit.cloud"
        self._answers["/rtc/v1"] = (503, "") if at_the_door else (101, "")
        super()._answer(connection, upgrade)

    def host(self, link: LinkId) -> str:
        return self.connections[link].dial.host


def test_a_client_comes_to_another_region() -> None:
    body = listed(WEST, f"{EAST}:8443").decode()
    life = Place(at(CLOUD), answers={"/settings/regions": (200, body)})
    life.connect()
    dials = [(each.dial.host, each.dial.port, each.dial.tls) for each in life.connections.values()]
    door = ("project.livekit.cloud", 443, True)
    assert dials == [
        *(door, door, door),  # The upgrade, the dry run, the list.
        ("west.livekit.cloud", 443, True),
        ("east.livekit.cloud", 8443, True),
    ]
    assert isinstance(life.events[0], Joined)
    assert life.client.url == f"{EAST}:8443"
    assert life.newest.upgrade.headers["Host"] == "east.livekit.cloud:8443"


# --- any life ---


class CloudSchedule(Schedule):
    """A life by a lot with a server of many places; none is tried twice in an attempt."""

    def _config(self) -> ClientConfig:
        url = self.lot.choice([CLOUD, ELSEWHERE])
        return replace(super()._config(), url=url)

    def _explain(self) -> None:
        lot = self.lot
        if self._link is None or self.session.phase is not Phase.VALIDATING:
            return
        status = lot.choice([200, 200, 200, 500, 404, 401])
        body = listed(*lot.choices(_URLS, k=lot.randint(0, 4)))
        self.session.http_responded(self._link, status, body, now=self.now)

    def _anything(self) -> rtc.SignalResponse:
        message = super()._anything()
        if message.HasField("leave") and self.lot.random() < 0.7:
            urls = self.lot.choices(_URLS, k=self.lot.randint(1, 4))
            message.leave.regions.CopyFrom(settings(*urls))
        return message

    def _take(self, output: SessionCommand | Event) -> None:
        super()._take(output)
        match output:
            case Resuming() | Restarting():
                self._tried = frozenset()
            case OpenLink(url=url):
                where = place(url)
                assert where.startswith("wss://"), "in the clear"
                assert where not in self._tried, "twice in an attempt"
                assert len(self._tried) <= MOST, "too many in an attempt"
                self._tried = self._tried | {where}
                self.counts["elsewhere"] += where.startswith("wss://r")
            case HttpGet(url=url) if url.endswith("/settings/regions"):
                assert url == SETTINGS
                assert self.config.url == CLOUD
                assert self.now >= self._asked_at + 60, "asked again too soon"
                self._asked_at = self.now
                self.counts["asked"] += 1
            case _:
                pass

    _asked_at = float("-inf")
    _tried: frozenset[str] = frozenset()


_URLS = [*(f"wss://r{number}.test" for number in range(6)), "ws://r6.test", "nonsense"]


def test_lives_among_many_places() -> None:
    counts: Counter[str] = Counter()
    for seed in range(300):
        schedule = CloudSchedule(seed)
        schedule.live(120)
        counts.update(schedule.counts)
    assert counts["Closed"] == 300
    for name in ("asked", "elsewhere", "Resumed", "Restarted"):
        assert counts[name] > 25, name
