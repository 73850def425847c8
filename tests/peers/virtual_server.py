"""A LiveKit server and the network before it, in virtual time, for a client that speaks bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from urllib.parse import urlsplit

from livekit.protocol import rtc
from websockets.frames import Frame
from websockets.http11 import Request

from kitwire.client import Client
from kitwire.commands import (
    ClientCommand,
    CloseLink,
    Dial,
    LinkId,
    PeerCommand,
    PeersId,
    PeerState,
    PeerTarget,
    Write,
)
from kitwire.config import ClientConfig
from kitwire.errors import CloseReason, DialError
from kitwire.events import Closed, Event
from kitwire.session.phases import Phase
from tests.peers.frames import join
from tests.peers.lives import ANSWER, configured, connect_media, lasting, preparing
from tests.peers.signal_end import Received, SignalEnd

__all__ = ["ClientLife", "Connection", "frame"]


class Connection:
    """One link of a client, seen from the server.

    Attributes:
        dial: where the client wanted to go.
        end: the server's end, once the socket stands.
        received: what the client said, in order.
        let_go: whether the client has closed its socket.
    """

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self.end = SignalEnd()
        self.received: list[Received] = []
        self.written = bytearray()
        self.let_go = False

    @property
    def upgrade(self) -> Request:
        """The client's GET."""
        assert isinstance(self.received[0], Request)
        return self.received[0]

    @property
    def path(self) -> str:
        """The path of the client's GET, without the query."""
        return urlsplit(self.upgrade.path).path

    @property
    def requests(self) -> list[rtc.SignalRequest]:
        """The client's requests."""
        return [item for item in self.received if isinstance(item, rtc.SignalRequest)]

    @property
    def close_frames(self) -> list[Frame]:
        """The client's close frames."""
        return [item for item in self.received if isinstance(item, Frame)]


class ClientLife:
    """A client, the time it lives in, and a server that answers at once.

    Args:
        config: the client's.
        answers: statuses and bodies by path, for GETs that are refused; others are let in, and
            asked-about refusals are answered with 200.
        silent: whether the server says nothing of its own accord, not even the join.
        step: how many bytes the network delivers at a time; 0 for all that there are.

    Attributes:
        events: all events so far.
        commands: all commands so far.
        connections: every link so far.
        dial_error: set to let dials fail; ``hang`` to let them neither fail nor succeed.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        answers: Mapping[str, tuple[int, str]] | None = None,
        silent: bool = False,
        step: int = 0,
        now: float = 1000.0,
    ) -> None:
        self.client = Client(config or configured())
        self.now = now
        self.events: list[Event] = []
        self.commands: list[ClientCommand] = []
        self.outputs: list[ClientCommand | Event] = []
        self.connections: dict[LinkId, Connection] = {}
        self.dial_error: DialError | None = None
        self.hang = False
        self._answers = dict(answers or {})
        self._silent = silent
        self._step = step

    # --- what happens ---

    def connect(self) -> None:
        self.client.connect(now=self.now)
        self.settle()

    def close(self) -> None:
        self.client.close(now=self.now)
        self.settle()

    def say(self, *messages: rtc.SignalResponse) -> None:
        """The server says something on the newest link, in one frame each."""
        for message in messages:
            self.deliver(frame(2, message.SerializeToString()))

    def deliver(self, data: bytes) -> None:
        """Bytes arrive, whether a server may send them or not; ``b""`` is the end of the stream."""
        link = self.newest.dial.link
        step = self._step or len(data) or 1
        for start in range(0, len(data) or 1, step):
            self.client.receive(link, data[start : start + step], now=self.now)
            self.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass, as a loop does that wakes exactly when it was asked to."""
        until = self.now + seconds
        while (deadline := self.client.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.client.handle_timeout(now=self.now)
            self.settle()
        self.now = until

    def reach(self, phase: Phase) -> None:
        """Live straight into a phase. The server must be one that answers.

        A client whose config asks for no preparation becomes one that does where it must.
        """
        if phase is Phase.PREPARING:
            self.client = Client(preparing(self.client.config))
        elif phase in (Phase.SETTLING, Phase.WAITING):
            self._live_through_a_loss(phase)
            return
        self.hang = phase is Phase.OPENING
        self._silent = phase is Phase.JOINING
        if phase is Phase.VALIDATING:
            self._answers["/rtc/v1"] = (500, "")
            self._answers["/rtc/v1/validate"] = (0, "")
        if phase is not Phase.IDLE:
            self.connect()
        if phase is Phase.CLOSING:
            self._silent = True
            self.close()
        if phase is Phase.CLOSED:
            self.deliver(b"")
        assert self.client.phase is phase

    def _live_through_a_loss(self, phase: Phase) -> None:
        self.client = Client(lasting(self.client.config))
        self.connect()
        connect_media(self.client, lambda: self.say(ANSWER), self.now)
        lost = PeerState.DISCONNECTED
        self.client.peer_state_changed(PeersId(1), PeerTarget.PUBLISHER, lost, now=self.now)
        self._silent = True
        if phase is Phase.WAITING:
            self.dial_error = DialError.REFUSED
        self.deliver(b"")
        if phase is Phase.SETTLING:
            self.say(rtc.SignalResponse(reconnect=rtc.ReconnectResponse()))
        assert self.client.phase is phase

    def settle(self) -> None:
        """Carry out what the client asks and let the server answer, until both are quiet."""
        while self._carry_out() or self._bring_answers():
            pass

    # --- what came of it ---

    @property
    def newest(self) -> Connection:
        """The link that was dialed last."""
        return next(reversed(self.connections.values()))

    @property
    def requests(self) -> list[rtc.SignalRequest]:
        """Everything that was ever asked of the server."""
        return [request for one in self.connections.values() for request in one.requests]

    @property
    def reason(self) -> CloseReason:
        """Why the client closed; it must have, once and at last, with every link let go."""
        assert self.client.closed
        last = self.outputs[-1]
        assert isinstance(last, Closed)
        assert [item for item in self.events if isinstance(item, Closed)] == [last]
        assert all(one.let_go for one in self.connections.values())
        return last.reason

    # --- the network ---

    def _carry_out(self) -> bool:
        output = self.client.poll()
        match output:
            case None:
                return False
            case Dial(link=link):
                self.connections[link] = Connection(output)
                self._dial(link)
            case Write(link=link, data=data):
                self._arrive(self.connections[link], data)
            case CloseLink(link=link):
                assert not self.connections[link].let_go, "let go twice"
                self.connections[link].let_go = True
            case _ if isinstance(output, PeerCommand):
                pass  # In self.commands, for whoever plays the owner of the peer connections.
            case event:
                self.events.append(event)
        if isinstance(output, ClientCommand):
            self.commands.append(output)
        self.outputs.append(output)
        return True

    def _dial(self, link: LinkId) -> None:
        if self.dial_error is not None:
            self.client.dial_failed(link, self.dial_error, "as told", now=self.now)
        elif not self.hang:
            self.client.dialed(link, now=self.now)

    def _arrive(self, connection: Connection, data: bytes) -> None:
        assert data, "an empty Write"
        assert not connection.let_go, "a Write after CloseLink"
        connection.written += data
        for received in connection.end.receive(data):
            connection.received.append(received)
            self._react(connection, received)

    def _react(self, connection: Connection, received: Received) -> None:
        if isinstance(received, Request):
            self._answer(connection, received)
        elif self._silent or isinstance(received, Frame):
            return
        elif received.HasField("ping_req"):
            pong = rtc.Pong(last_ping_timestamp=received.ping_req.timestamp, timestamp=1)
            connection.end.send(rtc.SignalResponse(pong_resp=pong))
        elif received.HasField("leave"):
            connection.end.send(rtc.SignalResponse(leave=received.leave))
            connection.end.close()

    def _answer(self, connection: Connection, request: Request) -> None:
        path = connection.path
        validating = path.endswith("/validate")
        status, body = self._answers.get(path, (200, "success") if validating else (101, ""))
        if status == 101:
            connection.end.accept(request)
            if not self._silent:
                connection.end.send(join())
        elif status:
            connection.end.refuse(status, body)

    def _bring_answers(self) -> bool:
        brought = False
        for link, connection in list(self.connections.items()):
            data = connection.end.outgoing()
            step = self._step or len(data) or 1
            for start in range(0, len(data), step):
                # A socket that was let go delivers nothing; one that is, whatever it has.
                if not connection.let_go:
                    self.client.receive(link, data[start : start + step], now=self.now)
                    brought = True
                    while self._carry_out():
                        pass
        return brought


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A server's WebSocket frame by hand (RFC 6455 §5.2), unmasked."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload
