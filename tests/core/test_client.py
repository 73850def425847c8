"""A client's life in bytes, against websockets' own server and LiveKit's own messages."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.client import Client
from kitwire.commands import ClientCommand, CloseLink, ClosePeers, Dial, LinkId, OpenLink, Write
from kitwire.config import ClientConfig, Encoding, Limits, PathVersion, TokenPlacement
from kitwire.errors import CloseReason, DialError, LocalProtocolError, Origin, Reason
from kitwire.events import (
    Closed,
    Joined,
    LeaveReceived,
    PongReceived,
    RequestEnded,
    TokenRefreshed,
)
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from kitwire.session.timers import Timer
from tests.peers.frames import join, leave, said
from tests.peers.lives import TOKEN, URL, configured, snapshot
from tests.peers.virtual_server import ClientLife, frame

REFRESH = rtc.SignalResponse(refresh_token="newer")


# --- Whole lives ---


@pytest.mark.parametrize("step", [0, 1, 7])
def test_join_talk_and_leave(step: int) -> None:
    life = ClientLife(step=step)
    life.connect()
    assert isinstance(life.events[0], Joined)
    assert life.client.phase is Phase.JOINED
    key = life.client.mute_track("TR_1", True, now=life.now)
    life.say(
        REFRESH,
        rtc.SignalResponse(
            request_response=rtc.RequestResponse(
                reason=rtc.RequestResponse.NOT_FOUND, mute=rtc.MuteTrackRequest(sid="TR_1")
            )
        ),
    )
    assert life.client.token == "newer"
    ended = [event for event in life.events if isinstance(event, RequestEnded)]
    assert [event.key for event in ended] == [key]
    life.wait(5.0)
    life.client.send_ping(now=life.now)
    life.client.send_ping_req(now=life.now)
    life.settle()
    life.close()
    assert life.reason.reason is Reason.CLIENT_INITIATED
    assert [request.WhichOneof("message") for request in life.requests] == [
        "ping_req",
        "mute",
        "ping_req",
        "ping",
        "ping_req",
        "leave",
    ]
    kinds = [type(event) for event in life.events]
    assert kinds[0] is Joined
    assert kinds.count(PongReceived) == 3
    assert kinds[-2:] == [LeaveReceived, Closed]


def test_request_ids_are_the_sessions() -> None:
    life = ClientLife()
    life.reach(Phase.JOINED)
    keys = [life.client.update_metadata(name=name, now=life.now) for name in "ab"]
    life.settle()
    ids = [
        one.update_metadata.request_id for one in life.requests if one.HasField("update_metadata")
    ]
    assert ids == [1, 2]
    for number in ids:
        ok = rtc.RequestResponse(request_id=number, reason=rtc.RequestResponse.OK)
        life.say(rtc.SignalResponse(request_response=ok))
    ended = [event for event in life.events if isinstance(event, RequestEnded)]
    assert [(event.key, event.failure) for event in ended] == [(key, None) for key in keys]


def test_the_upgrade_is_what_livekit_expects() -> None:
    life = ClientLife()
    life.connect()
    upgrade = life.newest.upgrade
    assert life.newest.path == "/rtc/v1"
    assert upgrade.headers["Authorization"] == f"Bearer {TOKEN}"
    assert upgrade.headers["Host"] == "livekit.test:7880"
    assert upgrade.headers["User-Agent"].startswith("kitwire/")
    assert set(parse_qs(urlsplit(upgrade.path).query)) == {"join_request"}


@pytest.mark.parametrize(
    ("url", "dial"),
    [
        ("ws://h.test", ("h.test", 80, False)),
        ("http://h.test:7880/x", ("h.test", 7880, False)),
        ("wss://h.test", ("h.test", 443, True)),
        ("https://[::1]:8443", ("::1", 8443, True)),
    ],
)
def test_where_to_dial(url: str, dial: tuple[str, int, bool]) -> None:
    life = ClientLife(ClientConfig(url=url, token=TOKEN))
    life.hang = True
    life.connect()
    (command,) = life.commands
    assert isinstance(command, Dial)
    assert (command.host, command.port, command.tls) == dial


@pytest.mark.parametrize("url", ["", "localhost:7880", "ftp://h", "ws://u:p@h", "ws://h:99999"])
def test_urls_that_cannot_be_connected_to(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Client(ClientConfig(url=url, token=TOKEN), jitter=lambda: 0.5)


def test_an_old_server_is_joined_by_the_old_path() -> None:
    life = ClientLife(configured(metadata="hello"), answers={"/rtc/v1": (404, "not found")})
    life.connect()
    assert [one.path for one in life.connections.values()] == ["/rtc/v1", "/rtc"]
    assert [one.let_go for one in life.connections.values()] == [True, False]
    (joined,) = [event for event in life.events if isinstance(event, Joined)]
    assert joined.path == "/rtc"
    assert [request.WhichOneof("message") for request in life.requests] == [
        "ping_req",
        "update_metadata",
    ]


@pytest.mark.parametrize("encoding", Encoding)
def test_both_encodings_are_sent_as_their_own_kind_of_frame(encoding: Encoding) -> None:
    life = ClientLife(configured(encoding=encoding))
    life.connect()
    opcode = 2 if encoding is Encoding.BINARY else 1
    first_frame = bytes(life.newest.written).partition(b"\r\n\r\n")[2]
    assert first_frame[0] & 0x0F == opcode


REFUSALS = [
    (401, f"invalid token: {TOKEN}, error: x", Reason.BAD_TOKEN, Origin.AUTH),
    (401, "permissions denied", Reason.PERMISSION_DENIED, Origin.AUTH),
    (400, "no room name", Reason.BAD_REQUEST, Origin.SERVER),
]


@pytest.mark.parametrize(("status", "body", "reason", "origin"), REFUSALS)
@pytest.mark.parametrize("placement", TokenPlacement)
def test_a_refused_upgrade_is_asked_about_on_a_fresh_connection(
    status: int, body: str, reason: Reason, origin: Origin, placement: TokenPlacement
) -> None:
    life = ClientLife(
        configured(token_placement=placement),
        answers={"/rtc/v1": (status, ""), "/rtc/v1/validate": (status, body)},
    )
    life.connect()
    assert (life.reason.reason, life.reason.origin) == (reason, origin)
    assert TOKEN not in repr(life.outputs)
    link, get = life.connections.values()
    assert get.path == "/rtc/v1/validate"
    assert urlsplit(get.upgrade.path).query == urlsplit(link.upgrade.path).query
    assert get.upgrade.headers.get("Authorization") == link.upgrade.headers.get("Authorization")
    assert "Upgrade" not in get.upgrade.headers
    kinds = [type(item) for item in life.outputs]
    assert kinds == [Dial, Write, CloseLink, Dial, Write, CloseLink, Closed]


def test_a_get_that_ends_without_an_answer_explains_nothing() -> None:
    life = ClientLife(answers={"/rtc/v1": (503, "no nodes"), "/rtc/v1/validate": (0, "")})
    life.connect()
    assert life.client.phase is Phase.VALIDATING
    life.deliver(b"")
    assert life.reason.detail == "HTTP 503: no nodes"


def test_a_get_that_is_not_answered_times_out() -> None:
    life = ClientLife(answers={"/rtc/v1": (503, "no nodes"), "/rtc/v1/validate": (0, "")})
    life.connect()
    assert life.client.deadline_reason is Timer.VALIDATE
    life.wait(3.0)
    assert life.reason.reason is Reason.SERVER_ERROR


@pytest.mark.parametrize("error", DialError)
def test_a_dial_that_fails(error: DialError) -> None:
    life = ClientLife()
    life.dial_error = error
    life.connect()
    assert life.reason.detail.endswith(": as told")
    assert [type(item) for item in life.outputs] == [Dial, CloseLink, Closed]


def test_a_dial_that_hangs() -> None:
    life = ClientLife()
    life.hang = True
    life.connect()
    life.wait(15.0)
    assert life.reason.reason is Reason.OPEN_TIMEOUT
    assert [type(item) for item in life.outputs] == [Dial, CloseLink, Closed]


def test_a_server_that_never_says_join() -> None:
    life = ClientLife(silent=True)
    life.connect()
    life.wait(5.0)
    assert life.reason.reason is Reason.JOIN_TIMEOUT
    assert [request.WhichOneof("message") for request in life.requests] == ["leave"]
    assert len(life.newest.close_frames) == 1


def test_a_server_that_goes_silent() -> None:
    life = ClientLife()
    life.reach(Phase.JOINED)
    life._silent = True
    life.wait(20.0)
    assert life.reason.reason is Reason.PING_TIMEOUT


def test_a_server_that_says_leave() -> None:
    life = ClientLife()
    life.reach(Phase.JOINED)
    life.say(leave(models.DUPLICATE_IDENTITY))
    assert life.reason.reason is Reason.DUPLICATE_IDENTITY
    # Our end of the closing handshake is written before the socket is closed.
    assert len(life.newest.close_frames) == 1
    assert [type(item) for item in life.outputs[-4:]] == [LeaveReceived, Write, CloseLink, Closed]


def test_a_server_that_closes_with_words() -> None:
    life = ClientLife()
    life.reach(Phase.JOINED)
    life.deliver(frame(8, b"\x0f\xa0" + f"go away {TOKEN}".encode()))
    assert life.reason.reason is Reason.LINK_LOST
    assert life.reason.detail == (
        "the peer closed the WebSocket with code 4000: go away <redacted> (close code 4000)"
    )


def test_a_socket_that_breaks() -> None:
    life = ClientLife()
    life.reach(Phase.JOINED)
    life.client.link_lost(life.newest.dial.link, "reset by peer", now=life.now)
    life.settle()
    assert life.reason.reason is Reason.LINK_LOST
    assert life.reason.detail == "reset by peer"


def test_several_messages_in_one_piece_and_one_in_many() -> None:
    life = ClientLife(silent=True)
    life.connect()
    life.deliver(frame(2, said(join())) + frame(2, said(REFRESH)) + frame(9, b"ping"))
    assert [type(event) for event in life.events[:2]] == [Joined, TokenRefreshed]
    whole = said(rtc.SignalResponse(refresh_token="split"))
    life.deliver(frame(2, whole[:3], fin=False)[:3])
    life.deliver(frame(2, whole[:3], fin=False)[3:] + frame(0, whole[3:]))
    assert life.client.token == "split"


def test_what_came_along_with_a_leave_is_not_heard() -> None:
    life = ClientLife()
    life.reach(Phase.JOINED)
    life.deliver(frame(2, said(leave())) + frame(2, said(REFRESH)) + frame(8, b"\x03\xe8"))
    assert life.reason.reason is Reason.PARTICIPANT_REMOVED
    assert not any(isinstance(event, TokenRefreshed) for event in life.events)


def test_text_is_heard_as_text() -> None:
    life = ClientLife()
    life.reach(Phase.JOINED)
    life.deliver(frame(1, b'{"refreshToken": "text"}'))
    assert life.client.token == "text"


def test_what_is_too_large_ends_the_link() -> None:
    life = ClientLife(configured(limits=Limits(receive=200)))
    life.reach(Phase.JOINED)
    life.deliver(frame(2, b"x" * 201))
    assert life.reason.reason is Reason.LINK_LOST
    assert "larger than 200 bytes" in life.reason.detail


# --- Closing ---

CLOSES: dict[Phase, tuple[Reason, list[type]]] = {
    Phase.IDLE: (Reason.CANCELLED, [Closed]),
    Phase.PREPARING: (Reason.CANCELLED, [ClosePeers, Closed]),
    Phase.OPENING: (Reason.CANCELLED, [CloseLink, Closed]),
    Phase.VALIDATING: (Reason.CANCELLED, [CloseLink, Closed]),
    Phase.JOINING: (Reason.CANCELLED, [Write, Write, CloseLink, Closed]),
    Phase.JOINED: (Reason.CLIENT_INITIATED, [Write, Write, LeaveReceived, CloseLink, Closed]),
    Phase.SETTLING: (
        Reason.CLIENT_INITIATED,
        # The server is silent here, as it must be to let a session settle.
        [Write, ClosePeers, Write, CloseLink, Closed],
    ),
    Phase.WAITING: (Reason.CLIENT_INITIATED, [ClosePeers, Closed]),
    Phase.CLOSING: (Reason.CLIENT_INITIATED, [Write, CloseLink, Closed]),
    Phase.CLOSED: (Reason.LINK_LOST, []),
}


@pytest.mark.parametrize("phase", Phase)
def test_close_in_every_phase(phase: Phase) -> None:
    life = ClientLife()
    life.reach(phase)
    before = len(life.outputs)
    life.close()
    life.wait(2.0)
    reason, kinds = CLOSES[phase]
    assert [type(item) for item in life.outputs[before:]] == kinds
    assert life.reason.reason is reason
    assert life.client.deadline is None
    assert life.client.poll() is None


def test_closing_for_a_cause_and_a_reason() -> None:
    cause = CloseReason(
        origin=Origin.LOCAL, reason=Reason.EVENTS_OVERFLOWED, detail="x", retryable=True
    )
    life = ClientLife()
    life.reach(Phase.JOINED)
    life.client.close(now=life.now, cause=cause, leave_reason=msg.DisconnectReason.USER_UNAVAILABLE)
    life.settle()
    assert life.reason == cause
    assert life.requests[-1].leave.reason == models.USER_UNAVAILABLE


# --- What a client is beside a session ---


def test_a_client_has_every_method_of_a_session_but_those_about_messages() -> None:
    def public(owner: type) -> set[str]:
        return {name for name in dir(owner) if not name.startswith("_")}

    about_links = {
        "link_opened",
        "link_refused",
        "link_failed",
        "link_closed",
        "http_responded",
        "receive_message",
    }
    about_sockets = {"dialed", "dial_failed", "receive", "link_lost"}
    assert public(Session) - public(Client) == about_links
    assert public(Client) - public(Session) == about_sockets
    for name in public(Session) & public(Client):
        ours, theirs = getattr(Client, name), getattr(Session, name)
        if inspect.isfunction(ours) and name != "poll":
            same = [inspect.signature(one, eval_str=True) for one in (ours, theirs)]
            assert same[0] == same[1], name


def test_a_client_shows_the_state_of_its_session() -> None:
    life = ClientLife()
    assert (life.client.phase, life.client.closed, life.client.token) == (Phase.IDLE, False, TOKEN)
    assert (life.client.deadline, life.client.deadline_reason) == (None, None)
    assert life.client.config.url == URL
    life.connect()
    assert (life.client.deadline, life.client.deadline_reason) == (life.now + 5, Timer.PING)


MISUSE: dict[str, Callable[[Client], object]] = {
    "connect": lambda client: client.connect(now=2000.0),
    "add_track": lambda client: client.add_track(msg.AddTrackRequest(), now=2000.0),
    "update_metadata": lambda client: client.update_metadata(now=2000.0),
    "send_offer": lambda client: client.send_offer("", offer_id=1, now=2000.0),
    "send_ping": lambda client: client.send_ping(now=2000.0),
    "send_ping_req": lambda client: client.send_ping_req(now=2000.0),
    "close": lambda client: client.close(now=2000.0, leave_reason="x"),  # type: ignore[arg-type]  # the point
}
FINE = {
    (Phase.IDLE, "connect"),
    (Phase.JOINED, "send_ping"),
    (Phase.JOINED, "send_ping_req"),
    (Phase.CLOSING, "close"),
    (Phase.CLOSED, "close"),
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", MISUSE)
def test_misuse_changes_nothing_all_the_way_down(name: str, phase: Phase) -> None:
    life = ClientLife()
    life.reach(phase)
    before = snapshot(life.client)
    if (phase, name) in FINE:
        MISUSE[name](life.client)
        return
    with pytest.raises(LocalProtocolError) as caught:
        MISUSE[name](life.client)
    assert caught.value.method == name
    assert snapshot(life.client) == before


STALE: dict[str, Callable[[Client, LinkId], None]] = {
    "dialed": lambda client, link: client.dialed(link, now=2000.0),
    "dial_failed": lambda client, link: client.dial_failed(link, DialError.TLS, now=2000.0),
    "receive": lambda client, link: client.receive(link, frame(2, said(leave())), now=2000.0),
    "the end of receive": lambda client, link: client.receive(link, b"", now=2000.0),
    "link_lost": lambda client, link: client.link_lost(link, "reset", now=2000.0),
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", STALE)
def test_a_link_that_is_gone_or_never_was_changes_nothing(name: str, phase: Phase) -> None:
    life = ClientLife(configured(path=PathVersion.V1))
    life.reach(phase)
    gone = [link for link, one in life.connections.items() if one.let_go]
    before = snapshot(life.client)
    for link in (*gone, LinkId(99), LinkId(0), LinkId(-1)):
        STALE[name](life.client, link)
    lost = (Phase.VALIDATING, Phase.SETTLING, Phase.WAITING, Phase.CLOSED)
    assert bool(gone) is (phase in lost)
    assert snapshot(life.client) == before


def test_being_told_twice_that_a_dial_stands_writes_once() -> None:
    life = ClientLife()
    life.hang = True
    life.connect()
    link = life.newest.dial.link
    life.client.dialed(link, now=life.now)
    life.client.dialed(link, now=life.now)
    life.settle()
    assert [type(item) for item in life.outputs[:2]] == [Dial, Write]
    assert life.newest.written.count(b"GET ") == 1


def test_a_get_that_is_given_up_before_its_dial_stands() -> None:
    life = ClientLife()
    life.client.connect(now=life.now)
    dial = life.client.poll()
    assert isinstance(dial, Dial)
    life.client.dialed(dial.link, now=life.now)
    life.client.receive(dial.link, b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n", now=life.now)
    life.client.close(now=life.now)
    left = [life.client.poll() for _ in range(6)]
    assert [type(item) for item in left] == [
        Write,
        CloseLink,
        Dial,
        CloseLink,
        Closed,
        type(None),
    ]


def test_commands_of_a_session_stay_inside() -> None:
    life = ClientLife()
    life.reach(Phase.CLOSED)
    assert not any(isinstance(item, OpenLink) for item in life.outputs)
    assert all(isinstance(item, ClientCommand) for item in life.commands)


def test_links_are_named_once() -> None:
    life = ClientLife(answers={"/rtc/v1": (404, ""), "/rtc": (500, "")})
    life.connect()
    dialed = [item.link for item in life.commands if isinstance(item, Dial)]
    let_go = [item.link for item in life.commands if isinstance(item, CloseLink)]
    assert dialed == let_go == [1, 2, 3]
