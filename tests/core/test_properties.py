"""Random lives: whatever happens in whatever order, some things always hold.

Nothing but LocalProtocolError is raised. Joined comes first and once, Closed last and once. Every
request ends exactly once, and those that are sent leave in the order in which they were made. Every
link is let go. And nobody waits for nothing: a live session has a deadline, unless the server
turned the keep-alive off.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.commands import CloseLink, Dial, HttpGet, LinkId, OpenLink, SendMessage, Write
from kitwire.config import Encoding, Limits, PathVersion
from kitwire.errors import DialError, LocalProtocolError
from kitwire.events import Closed, Event, Joined, RequestEnded, RequestKey, RequestQueued
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from tests.fuzz.samples import populated
from tests.peers.frames import join, leave, said, said_in_json
from tests.peers.lives import SessionLife, configured
from tests.peers.virtual_server import ClientLife

VARIANTS = [field.name for field in rtc.SignalResponse.DESCRIPTOR.fields]
RR = rtc.RequestResponse

STATUSES = st.sampled_from([101, 200, 302, 400, 401, 403, 404, 404, 404, 429, 500, 503])
BODIES = st.one_of(
    st.sampled_from([b"", b"requested room does not exist", b"permissions denied", b"<html>"]),
    st.binary(max_size=30),
)
# Mostly the newest link; otherwise one that is gone, or that never was.
WHICH_LINK = st.sampled_from([0, 0, 0, 0, 0, -1, -2, 1, 99])

REQUESTS: list[Callable[[Session, float, int], RequestKey]] = [
    lambda on, now, n: on.mute_track(f"TR_{n}", n % 2 == 0, now=now),
    lambda on, now, n: on.mute_track(f"TR_{n}", n % 2 == 0, now=now),
    lambda on, now, n: on.add_track(
        msg.AddTrackRequest(cid=f"c{n % 3}", type=msg.TrackType.AUDIO), now=now
    ),
    lambda on, now, n: on.update_metadata(name=f"n{n}", now=now),
    lambda on, now, n: on.publish_data_track("d", pub_handle=n % 3 + 1, now=now),
    lambda on, now, n: on.unpublish_data_track(n % 3 + 1, now=now),
    lambda on, now, n: on.store_data_blob(msg.DataBlobKey(generic="g"), b"", now=now),
    lambda on, now, n: on.update_audio_track(f"TR_{n % 3}", [], now=now),
    lambda on, now, n: on.update_subscription(subscribe=True, track_sids=[f"TR_{n}"], now=now),
    lambda on, now, n: on.update_metadata(now=now),  # nothing to change: always refused
]
PASSING: list[Callable[[Session, float], None]] = [
    lambda on, now: on.send_offer("v=0", offer_id=1, now=now),
    lambda on, now: on.send_trickle("{}", target=msg.SignalTarget.PUBLISHER, now=now),
    lambda on, now: on.send_ping(now=now),
    lambda on, now: on.send_ping_req(now=now),
    lambda on, now: on.simulate(msg.SimulateScenario(), now=now),  # always refused
]


@st.composite
def answers(draw: st.DrawFn) -> rtc.SignalResponse:
    """What could answer one of the requests above."""
    number = draw(st.integers(0, 6))
    reason = draw(st.sampled_from([RR.OK, RR.QUEUED, RR.NOT_ALLOWED, RR.NOT_FOUND]))
    kind = draw(st.integers(0, 7))
    echoes: list[RR] = [
        RR(request_id=number),
        RR(add_track=rtc.AddTrackRequest(cid=f"c{number % 3}")),
        RR(mute=rtc.MuteTrackRequest(sid=f"TR_{number}")),
        RR(publish_data_track=rtc.PublishDataTrackRequest(pub_handle=number % 3 + 1)),
        RR(update_audio_track=rtc.UpdateLocalAudioTrack(track_sid=f"TR_{number % 3}")),
    ]
    if kind < len(echoes):
        echoes[kind].reason = reason
        return rtc.SignalResponse(request_response=echoes[kind])
    info = models.DataTrackInfo(pub_handle=number % 3 + 1)
    results = [
        rtc.SignalResponse(track_published=rtc.TrackPublishedResponse(cid=f"c{number % 3}")),
        rtc.SignalResponse(publish_data_track_response=rtc.PublishDataTrackResponse(info=info)),
        rtc.SignalResponse(store_data_blob_response=rtc.StoreDataBlobResponse(request_id=number)),
    ]
    return results[kind - len(echoes)]


class Lives(RuleBasedStateMachine):
    """A session to which anything happens."""

    def __init__(self) -> None:
        super().__init__()
        self.life = SessionLife()
        self.made: list[RequestKey] = []
        self.muted: list[str] = []
        self.count = 0

    @initialize(
        path=st.sampled_from(PathVersion),
        encoding=st.sampled_from(Encoding),
        held=st.integers(1, 8),
        bundled=st.booleans(),
    )
    def begin(self, path: PathVersion, encoding: Encoding, held: int, bundled: bool) -> None:
        config = configured(
            path=path,
            encoding=encoding,
            limits=Limits(held_requests=held, malformed_frames=3),
            metadata="m" if bundled else "",
            publisher_offer="v=0" if bundled else None,
        )
        self.life = SessionLife(config, now=100.0)

    def link(self, which: int) -> LinkId:
        return LinkId(self.life.link + which)

    # --- the application ---

    @rule()
    def connect(self) -> None:
        if self.life.session.phase is Phase.IDLE:
            self.life.connect()

    @rule(which=st.integers(0, len(REQUESTS) - 1))
    def request(self, which: int) -> None:
        self.count += 1
        try:
            key = REQUESTS[which](self.life.session, self.life.now, self.count)
        except LocalProtocolError:
            return
        assert key not in self.made
        self.made.append(key)
        if key.request == "mute_track":
            self.muted.append(f"TR_{self.count}")

    @rule(which=st.integers(0, len(PASSING) - 1))
    def pass_the_gate(self, which: int) -> None:
        try:
            PASSING[which](self.life.session, self.life.now)
        except LocalProtocolError:
            return
        assert self.life.session.phase is Phase.JOINED

    @rule(sure=st.integers(0, 5))
    def close(self, sure: int) -> None:
        if sure == 0:  # Not so often that lives are always short.
            self.life.close()

    # --- time ---

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.life.wait(seconds)

    @rule(seconds=st.floats(0, 100))
    def oversleep(self, seconds: float) -> None:
        self.life.oversleep(seconds)
        deadline = self.life.session.deadline
        assert deadline is None or deadline > self.life.now

    @rule(seconds=st.floats(0, 1e6))
    def look_at_a_clock_that_went_back(self, seconds: float) -> None:
        self.life.session.handle_timeout(now=self.life.now - seconds)

    # --- the links ---

    @rule(which=WHICH_LINK)
    def opened(self, which: int) -> None:
        self.life.session.link_opened(self.link(which), now=self.life.now)

    @rule()
    def let_in(self) -> None:
        """Straight into the room, so that lives do not end before they began."""
        if self.life.session.phase is Phase.IDLE:
            self.life.connect()
        self.life.open()
        self.life.hear(join())

    @rule(which=WHICH_LINK, status=STATUSES, body=BODIES)
    def refused(self, which: int, status: int, body: bytes) -> None:
        self.life.session.link_refused(self.link(which), status, body, now=self.life.now)

    @rule(which=WHICH_LINK, status=STATUSES, body=BODIES)
    def responded(self, which: int, status: int, body: bytes) -> None:
        self.life.session.http_responded(self.link(which), status, body, now=self.life.now)

    @rule(which=WHICH_LINK, error=st.sampled_from(DialError), rare=st.integers(0, 3))
    def failed(self, which: int, error: DialError, rare: int) -> None:
        if which != 0 or rare == 0:
            self.life.session.link_failed(self.link(which), error, now=self.life.now)

    @rule(which=WHICH_LINK, code=st.sampled_from([None, 1000, 1006, 4000]), rare=st.integers(0, 3))
    def closed_by_the_server(self, which: int, code: int | None, rare: int) -> None:
        if which != 0 or rare == 0:
            self.life.session.link_closed(self.link(which), code=code, now=self.life.now)

    # --- what the server says ---

    def hear(self, which: int, frame: bytes | str) -> None:
        self.life.session.receive_message(self.link(which), frame, now=self.life.now)

    @rule(which=WHICH_LINK, answer=answers())
    def answered(self, which: int, answer: rtc.SignalResponse) -> None:
        self.hear(which, said(answer))

    @rule(
        which=WHICH_LINK,
        interval=st.sampled_from([5, 1, 0, -1]),
        timeout=st.sampled_from([15, 2, 0, -1]),
    )
    def joined(self, which: int, interval: int, timeout: int) -> None:
        self.hear(which, said(join(ping_interval=interval, ping_timeout=timeout)))

    @rule(
        which=WHICH_LINK,
        variant=st.sampled_from(VARIANTS),
        seed=st.integers(0, 9),
        text=st.booleans(),
    )
    def anything(self, which: int, variant: str, seed: int, text: bool) -> None:
        if variant == "leave" and which == 0 and seed:
            return
        message = populated(rtc.SignalResponse, random.Random(seed), variant=variant)
        assert isinstance(message, rtc.SignalResponse)
        self.hear(which, said_in_json(message) if text else said(message))

    @rule(which=WHICH_LINK, frame=st.one_of(st.binary(max_size=12), st.text(max_size=12)))
    def nonsense(self, which: int, frame: bytes | str) -> None:
        self.hear(which, frame)

    # --- what always holds ---

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        session = self.life.session
        if session.phase in (Phase.IDLE, Phase.CLOSED):
            assert session.deadline is None
        elif session.deadline is None:
            assert session.phase is Phase.JOINED
            joined = self.life.events[0]
            assert isinstance(joined, Joined)
            assert joined.ping_interval <= 0
        assert (session.deadline is None) is (session.deadline_reason is None)

    @invariant()
    def the_story_makes_sense(self) -> None:
        check_order(self.life)

    def teardown(self) -> None:
        self.life.close()
        self.life.wait(60.0)
        check_order(self.life)
        assert isinstance(self.life.outputs[-1], Closed)
        ended = [event.key for event in self.life.events if isinstance(event, RequestEnded)]
        assert len(ended) == len(set(ended))
        # The session's own request, by which it says the metadata on /rtc, is the one more.
        assert set(self.made) <= set(ended)
        assert {key.request for key in set(ended) - set(self.made)} <= {"update_metadata"}
        sent = [one.mute.sid for one in self.life.requests if one.HasField("mute")]
        assert sent == self.muted[: len(sent)]
        opened = [item.link for item in self.life.outputs if isinstance(item, OpenLink | HttpGet)]
        let_go = [item.link for item in self.life.outputs if isinstance(item, CloseLink)]
        assert opened == let_go == list(range(1, len(opened) + 1))


def check_order(life: SessionLife) -> None:
    """Joined first and once, Closed last and once, and what is sent goes to the link that is."""
    standing: LinkId | None = None
    for output in life.outputs:
        match output:
            case OpenLink(link=link) | HttpGet(link=link):
                assert standing is None
                standing = link
            case SendMessage(link=link):
                assert link == standing
            case CloseLink(link=link):
                assert link == standing
                standing = None
            case _:
                pass
    check_events(life.events, closed=life.session.closed)


def check_events(events: list[Event], *, closed: bool) -> None:
    """Joined first and once, Closed last and once; outcomes may come before either."""
    told = [event for event in events if not isinstance(event, RequestEnded)]
    kinds = [type(event) for event in told]
    assert kinds.count(Joined) <= 1
    assert kinds.count(Closed) == closed
    if kinds and kinds != [Closed]:
        assert kinds[0] is Joined
    if closed:
        assert kinds[-1] is Closed
        assert isinstance(events[-1], Closed)
    ended: set[RequestKey] = set()
    for event in events:
        if isinstance(event, RequestEnded):
            assert event.key not in ended
            ended.add(event.key)
        elif isinstance(event, RequestQueued):
            assert event.key not in ended


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=50, stateful_step_count=30)


# --- The same in bytes ---

FAULTS = ["say", "leave", "cut", "garbage", "wait", "reset", "close", "request", "stale"]


@given(
    st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 30)), max_size=12),
    st.sampled_from([0, 1, 5]),
    st.sampled_from([{}, {"/rtc/v1": (404, "")}, {"/rtc/v1": (404, ""), "/rtc": (500, "no")}]),
)
@settings(max_examples=60)
def test_a_client_in_a_bad_network(
    faults: list[tuple[str, int]], step: int, answers: dict[str, tuple[int, str]]
) -> None:
    life = ClientLife(step=step, answers=answers)
    keys: list[RequestKey] = []
    life.connect()
    for fault, number in faults:
        link = life.newest.dial.link
        match fault:
            case "say":
                message = populated(
                    rtc.SignalResponse, random.Random(number), variant=VARIANTS[number % 30]
                )
                assert isinstance(message, rtc.SignalResponse)
                life.say(message)
            case "leave":
                life.say(leave())
            case "cut":
                life.deliver(b"")
            case "garbage":
                life.deliver(random.Random(number).randbytes(number))
            case "wait":
                life.wait(float(number))
            case "reset":
                life.client.link_lost(link, "reset", now=life.now)
            case "close":
                life.client.close(now=life.now)
            case "request":
                try:
                    keys.append(life.client.mute_track("TR_1", True, now=life.now))
                except LocalProtocolError:
                    assert life.client.phase in (Phase.CLOSING, Phase.CLOSED)
            case _:
                life.client.receive(LinkId(link + number + 1), b"x", now=life.now)
                life.client.dialed(LinkId(link - 1), now=life.now)
        life.settle()
        check_events(life.events, closed=life.client.closed)
        assert life.client.closed or life.client.deadline is not None
    life.close()
    life.wait(5.0)
    assert life.reason is not None
    ended = [event.key for event in life.events if isinstance(event, RequestEnded)]
    assert ended == keys
    # What is written goes to a link that was dialed and not let go; the network checks that too.
    standing: set[LinkId] = set()
    for command in life.commands:
        match command:
            case Dial(link=link):
                standing.add(link)
            case Write(link=link):
                assert link in standing
            case CloseLink(link=link):
                standing.remove(link)
    assert not standing
