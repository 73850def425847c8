"""Sessions in virtual time: whatever goes in carries `now`, whatever comes out is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from types import FunctionType, MethodType
from typing import Final, Unpack

from livekit.protocol import rtc

from kitwire.client import Client
from kitwire.commands import (
    CloseLink,
    HttpGet,
    LinkId,
    MakeOffer,
    OpenLink,
    PeersId,
    PeerState,
    PeerTarget,
    SendMessage,
    SessionCommand,
)
from kitwire.config import ClientConfig, ClientOptions, PeerCapabilities, ReconnectPolicy
from kitwire.errors import CloseReason
from kitwire.events import Closed, Event, RequestEnded, RequestKey
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from tests.peers.frames import heard, join, said

__all__ = [
    "ANSWER",
    "TOKEN",
    "URL",
    "SessionLife",
    "configured",
    "connect_media",
    "lasting",
    "preparing",
    "snapshot",
]

URL = "ws://livekit.test:7880"
# Shaped like a JWT, and known to nobody: whoever finds a part of it has found a leak.
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJ0d2VldCJ9.c2lnbmF0dXJlLWNhbmFyeQ"


def configured(**options: Unpack[ClientOptions]) -> ClientConfig:
    """A config for a server that does not exist; without `reconnect` a loss ends the session."""
    options.setdefault("reconnect", None)
    return ClientConfig(url=URL, token=TOKEN, **options)


def preparing(config: ClientConfig) -> ClientConfig:
    """The same with peer connections whose first offer travels with the join."""
    return replace(config, peers=config.peers or PeerCapabilities(), ice_servers=())


def lasting(config: ClientConfig) -> ClientConfig:
    """The same with peer connections, and a session that is brought back when it is lost."""
    return replace(
        config,
        peers=config.peers or PeerCapabilities(),
        reconnect=config.reconnect or ReconnectPolicy(),
    )


class SessionLife:
    """A session, the time it lives in, and everything that it said.

    Attributes:
        session: the session itself.
        now: the time, in seconds; :meth:`wait` lets it pass.
    """

    def __init__(self, config: ClientConfig | None = None, *, now: float = 1000.0) -> None:
        self.session = Session(config or configured())
        self.now = now
        self._outputs: list[SessionCommand | Event] = []
        self._taken = 0

    # --- what goes in ---

    def connect(self) -> None:
        self.session.connect(now=self.now)

    def open(self) -> None:
        self.session.link_opened(self.link, now=self.now)

    def refuse(self, status: int, body: bytes = b"") -> None:
        self.session.link_refused(self.link, status, body, now=self.now)

    def answer_get(self, status: int, body: bytes = b"") -> None:
        self.session.http_responded(self.link, status, body, now=self.now)

    def hear(self, *messages: rtc.SignalResponse) -> None:
        for message in messages:
            self.hear_frame(said(message))

    def hear_frame(self, frame: bytes | str) -> None:
        self.session.receive_message(self.link, frame, now=self.now)

    def cut(self, code: int | None = None, detail: str = "") -> None:
        self.session.link_closed(self.link, code=code, detail=detail, now=self.now)

    def close(self) -> None:
        self.session.close(now=self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, as a loop does that wakes exactly when it was asked to."""
        until = self.now + seconds
        while (deadline := self.session.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.session.handle_timeout(now=self.now)
        self.now = until

    def oversleep(self, seconds: float) -> None:
        """Let time pass without a wake-up, as for a loop that was held up."""
        self.now += seconds
        self.session.handle_timeout(now=self.now)

    def make_offer(self, sdp: str = "prepared") -> None:
        """The peer connection makes the offer that was asked for last."""
        asked = [item for item in self.outputs if isinstance(item, MakeOffer)][-1]
        self.session.offer_made(asked.peers, asked.target, asked.offer_id, sdp, now=self.now)

    def establish(self, state: PeerState = PeerState.CONNECTED) -> None:
        """Live until media flows; then its peer connection comes to a state."""
        _enter(self)
        self.open()
        _hear_join(self)
        connect_media(self.session, lambda: self.hear(ANSWER), self.now)
        self.session.peer_state_changed(PeersId(1), PeerTarget.PUBLISHER, state, now=self.now)

    def reach(self, phase: Phase) -> None:
        """Live straight into a phase; what was said on the way is taken.

        A session whose config asks for no preparation becomes one that does where it must.
        """
        if phase is Phase.PREPARING:
            self.session = Session(preparing(self.session.config))
        elif phase in (Phase.SETTLING, Phase.WAITING):
            self.session = Session(lasting(self.session.config))
        for step in _WAYS[phase]:
            step(self)
        assert self.session.phase is phase
        self.take()

    # --- what comes out ---

    @property
    def outputs(self) -> list[SessionCommand | Event]:
        """Everything that was said so far."""
        while (output := self.session.poll()) is not None:
            self._outputs.append(output)
        return self._outputs

    def take(self) -> list[SessionCommand | Event]:
        """What was said since this was last asked."""
        taken = self.outputs[self._taken :]
        self._taken = len(self._outputs)
        return taken

    @property
    def link(self) -> LinkId:
        """The newest link, whether it still stands or not; the first, when there was none."""
        opened = [item.link for item in self.outputs if isinstance(item, OpenLink | HttpGet)]
        return opened[-1] if opened else LinkId(1)

    @property
    def events(self) -> list[Event]:
        """All events so far."""
        return [item for item in self.outputs if not isinstance(item, SessionCommand)]

    @property
    def requests(self) -> list[rtc.SignalRequest]:
        """All requests sent so far, as google.protobuf reads them."""
        return [heard(item.data) for item in self.outputs if isinstance(item, SendMessage)]

    @property
    def said(self) -> list[str]:
        """The names of all requests sent so far."""
        return [request.WhichOneof("message") or "nothing" for request in self.requests]

    @property
    def reason(self) -> CloseReason:
        """Why the session closed; it must have, once and at last."""
        assert self.session.closed
        last = self.outputs[-1]
        assert isinstance(last, Closed)
        assert [item for item in self.outputs if isinstance(item, Closed)] == [last]
        return last.reason

    def outcome(self, key: RequestKey) -> RequestEnded | None:
        """How a request ended, if it did; never twice."""
        ended = [item for item in self.events if isinstance(item, RequestEnded) and item.key == key]
        assert len(ended) <= 1
        return ended[0] if ended else None

    def let_go(self) -> set[LinkId]:
        """The links that were closed."""
        return {item.link for item in self.outputs if isinstance(item, CloseLink)}


ANSWER: Final = rtc.SignalResponse(answer=rtc.SessionDescription(type="answer", sdp="theirs", id=1))


def connect_media(core: Session | Client, answer: Callable[[], None], now: float) -> None:
    """The first offer of the only peer connection is made and answered, and it connects.

    Args:
        core: a session or a client that has joined by the new path.
        answer: lets the server say ANSWER.
        now: the time.
    """
    peers, target = PeersId(1), PeerTarget.PUBLISHER
    if core.config.ice_servers is None:  # Otherwise it was made before the join.
        core.offer_made(peers, target, 1, "ours", now=now)
    answer()
    core.answer_applied(peers, target, 1, now=now)
    core.peer_state_changed(peers, target, PeerState.CONNECTED, now=now)


_Step = Callable[[SessionLife], None]


def _enter(life: SessionLife) -> None:
    life.connect()
    if life.session.phase is Phase.PREPARING:
        life.make_offer()


def _refused(life: SessionLife) -> None:
    life.refuse(503)


def _hear_join(life: SessionLife) -> None:
    life.hear(join())


def _unsettled(life: SessionLife) -> None:
    life.establish(PeerState.DISCONNECTED)
    life.cut()
    life.open()
    life.hear(rtc.SignalResponse(reconnect=rtc.ReconnectResponse()))


def _waiting(life: SessionLife) -> None:
    life.establish()
    life.cut()
    life.cut()


_WAYS: dict[Phase, tuple[_Step, ...]] = {
    Phase.IDLE: (),
    Phase.PREPARING: (SessionLife.connect,),
    Phase.OPENING: (_enter,),
    Phase.VALIDATING: (_enter, _refused),
    Phase.JOINING: (_enter, SessionLife.open),
    Phase.JOINED: (_enter, SessionLife.open, _hear_join),
    Phase.SETTLING: (_unsettled,),
    Phase.WAITING: (_waiting,),
    Phase.CLOSING: (_enter, SessionLife.open, _hear_join, SessionLife.close),
    Phase.CLOSED: (_enter, SessionLife.open, _hear_join, SessionLife.cut),
}


def snapshot(value: object) -> object:
    """Everything that an object holds, all the way down, as data that compares by value."""
    return _snapshot(value, set())


def _snapshot(value: object, above: set[int]) -> object:
    if isinstance(value, Enum | type | FunctionType | MethodType):
        return repr(value)
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if id(value) in above:
        return "…"
    above = above | {id(value)}
    if isinstance(value, dict):
        return [(_snapshot(key, above), _snapshot(item, above)) for key, item in value.items()]
    if isinstance(value, bytearray):
        return bytes(value)
    inside: list[object] = []
    if isinstance(value, list | tuple | set | frozenset | deque):
        inside += [_snapshot(item, above) for item in value]
    names = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
    names |= set(getattr(value, "__dict__", {}))
    inside += [
        (name, _snapshot(getattr(value, name), above))
        for name in sorted(names)
        if hasattr(value, name)
    ]
    return (type(value).__name__, inside)
