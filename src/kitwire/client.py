"""The client's side of the signaling protocol over plain bytes; what adapters drive.

:class:`Client` is a :class:`~kitwire.session.session.Session` with the WebSocket and HTTP of
:mod:`kitwire.link` underneath. Whoever has sockets carries out three commands (Dial, Write,
CloseLink), reports what the sockets did, and hands on the events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import assert_never

from .commands import (
    ClientCommand,
    CloseLink,
    Dial,
    HttpGet,
    LinkCommand,
    LinkId,
    OpenLink,
    PeersId,
    SendMessage,
    Write,
)
from .config import ClientConfig
from .errors import CloseReason, DialError
from .events import Event, RequestKey
from .link.address import dial_target
from .link.http import ClientGet, Ended, Responded
from .link.websocket import ClientWebSocket, LinkEvent, MessageReceived, Opened, Refused
from .messages import DisconnectReason, SignalRequest
from .session.methods import RequestMethods
from .session.peer_inputs import PeerInputs, PeerReport
from .session.phases import Phase
from .session.requests import Completion, Match
from .session.session import Session
from .session.timers import Timer

__all__ = ["Client"]


class Client(RequestMethods, PeerInputs):
    """One participant's signaling connection, from connect to close, over bytes.

    Inputs are methods; each takes ``now``, the time in monotonic seconds. After each input, take
    outputs from :meth:`poll` until it gives None; call :meth:`handle_timeout` when
    :attr:`deadline` has come. Input for a link that was closed is dropped. Nothing that the network
    does makes a method raise.

    Args:
        config: what to connect to, and how.
        jitter: gives numbers from 0 to 1, such as ``random.random``; where the waits between
            reconnects will get theirs.

    Raises:
        ValueError: for a URL that cannot be connected to, and for settings that cannot be sent.
    """

    def __init__(self, config: ClientConfig, *, jitter: Callable[[], float] | None = None) -> None:
        self.config = config
        self._session = Session(config, jitter=jitter)
        self._links: dict[LinkId, ClientWebSocket | ClientGet] = {}
        self._dialed: set[LinkId] = set()
        self._outputs: deque[ClientCommand | Event] = deque()

    # --- State ---

    @property
    def phase(self) -> Phase:
        """Where the connection is in its life."""
        return self._session.phase

    @property
    def closed(self) -> bool:
        """Whether the connection is over; :class:`~kitwire.events.Closed` is its last output."""
        return self._session.closed

    @property
    def token(self) -> str:
        """The newest access token: the one given, or one by which the server replaced it."""
        return self._session.token

    @property
    def url(self) -> str:
        """The server's URL in use: the one given, or that of a region."""
        return self._session.url

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`, in seconds; None for not at all."""
        return self._session.deadline

    @property
    def deadline_reason(self) -> Timer | None:
        """What the connection waits for until :attr:`deadline`."""
        return self._session.deadline_reason

    def poll(self) -> ClientCommand | Event | None:
        """The next output, or None when there is none."""
        return self._outputs.popleft() if self._outputs else None

    # --- Inputs: the application ---

    def connect(self, *, now: float) -> None:
        """Start.

        Raises:
            LocalProtocolError: when it was started before.
        """
        self._session.connect(now=now)
        self._pump()

    def reconnect_now(self, *, now: float) -> None:
        """Make the next attempt at once: the network is back. Harmless when none is waited for."""
        self._session.reconnect_now(now=now)
        self._pump()

    def close(
        self,
        *,
        now: float,
        leave_reason: DisconnectReason = DisconnectReason.CLIENT_INITIATED,
        cause: CloseReason | None = None,
    ) -> None:
        """Leave the room, or give up joining it. Harmless when that is under way or over.

        Where a link is open, a leave is sent and the server's close awaited, for at most
        ``timeouts.close``.

        Args:
            now: the time, in seconds.
            leave_reason: what to tell the server.
            cause: what :class:`~kitwire.events.Closed` says, where it is not the application's
                wish to leave.

        Raises:
            LocalProtocolError: when ``leave_reason`` is none.
        """
        self._session.close(now=now, leave_reason=leave_reason, cause=cause)
        self._pump()

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due. Harmless when nothing is."""
        self._session.handle_timeout(now=now)
        self._pump()

    # --- Inputs: the owner of the sockets ---

    def dialed(self, link: LinkId, *, now: float) -> None:
        """The socket of a :class:`~kitwire.commands.Dial` is connected, and TLS done if asked."""
        if link in self._links:
            self._dialed.add(link)
            self._write(link)

    def dial_failed(self, link: LinkId, error: DialError, detail: str = "", *, now: float) -> None:
        """The socket of a :class:`~kitwire.commands.Dial` could not be connected.

        Args:
            link: the link.
            error: the kind of failure.
            detail: a few words for the reader.
            now: the time, in seconds.
        """
        self._session.link_failed(link, error, detail, now=now)
        self._pump()

    def receive(self, link: LinkId, data: bytes, *, now: float) -> None:
        """Bytes came from the socket; ``b""`` is the end of the stream."""
        end = self._links.get(link)
        if end is None:
            return
        events = end.receive(data)
        self._write(link)  # what the link itself answers, as a pong
        for event in events:
            self._tell(link, event, now)

    def link_lost(self, link: LinkId, detail: str, *, now: float) -> None:
        """The socket broke, as by a reset, or by a write that stalled for too long.

        Args:
            link: the link.
            detail: a few words for the reader.
            now: the time, in seconds.
        """
        self._session.link_closed(link, detail=detail, now=now)
        self._pump()

    # --- Requests ---

    def send_ping_req(self, *, now: float) -> None:
        """Ping now, besides the keep-alive; :class:`~kitwire.events.PongReceived` tells the rtt."""
        self._session.send_ping_req(now=now)
        self._pump()

    def _next_request_id(self) -> int:
        return self._session._next_request_id()

    def _pass(self, name: str, message: SignalRequest, *, now: float) -> None:
        self._session._pass(name, message, now=now)
        self._pump()

    def _request(
        self,
        name: str,
        message: SignalRequest,
        *,
        now: float,
        completion: Completion = Completion.SENT,
        match: Match | None = None,
        timeout: float = 0.0,
        muted: bool | None = None,
    ) -> RequestKey:
        key = self._session._request(
            name,
            message,
            now=now,
            completion=completion,
            match=match,
            timeout=timeout,
            muted=muted,
        )
        self._pump()
        return key

    # --- Peer connections ---

    def negotiate(self, *, now: float) -> int | None:
        """Ask for an offer, because of a track; see :meth:`.PeerInputs.negotiate`."""
        offer_id = self._session.negotiate(now=now)
        self._pump()
        return offer_id

    def _report(
        self,
        name: str,
        peers: PeersId,
        report: PeerReport | None,
        *,
        now: float,
        **arguments: object,
    ) -> None:
        self._session._report(name, peers, report, now=now, **arguments)
        self._pump()

    def reliable_received(self, publisher_sid: str, sequence: int, *, now: float) -> None:
        """A reliable data packet came; see :meth:`.PeerInputs.reliable_received`."""
        self._session.reliable_received(publisher_sid, sequence, now=now)
        self._pump()

    # --- Between the session and the links ---

    def _tell(self, link: LinkId, event: LinkEvent | Responded, now: float) -> None:
        """Tell the session what a link says."""
        match event:
            case Opened():
                self._session.link_opened(link, now=now)
            case MessageReceived(data=data):
                self._session.receive_message(link, data, now=now)
            case Refused(status=status, body=body):
                self._session.link_refused(link, status, body, now=now)
            case Responded(status=status, body=body):
                self._session.http_responded(link, status, body, now=now)
            case Ended(code=code, reason=reason, detail=detail):
                words = f"{detail}: {reason}" if reason else detail
                self._session.link_closed(link, code=code, detail=words, now=now)
            case _:
                assert_never(event)
        self._pump()

    def _pump(self) -> None:
        """Carry out what the session asks of its links, in bytes, and pass the events on."""
        while (output := self._session.poll()) is not None:
            if isinstance(output, LinkCommand):
                self._carry_out(output)
            else:
                self._outputs.append(output)

    def _carry_out(self, command: LinkCommand) -> None:
        match command:
            case OpenLink(link=link, url=url, headers=headers):
                limit = self.config.limits.receive
                self._dial(link, url, ClientWebSocket(url, headers, max_size=limit))
            case HttpGet(link=link, url=url, headers=headers):
                self._dial(link, url, ClientGet(url, headers))
            case SendMessage(link=link, data=data):
                end = self._links[link]
                assert isinstance(end, ClientWebSocket), "messages go to what was opened for them"
                end.send(data)
                self._write(link)
            case CloseLink():
                self._close(command)
            case _:
                assert_never(command)

    def _dial(self, link: LinkId, url: str, end: ClientWebSocket | ClientGet) -> None:
        self._links[link] = end
        host, port, tls = dial_target(url)
        self._outputs.append(Dial(link=link, host=host, port=port, tls=tls))

    def _close(self, command: CloseLink) -> None:
        end = self._links[command.link]
        if isinstance(end, ClientWebSocket):
            end.close(command.code, command.reason)
            self._write(command.link)
        self._outputs.append(command)
        del self._links[command.link]
        self._dialed.discard(command.link)

    def _write(self, link: LinkId) -> None:
        """Write what a link has to say, once its socket is connected."""
        if link in self._dialed and (data := self._links[link].outgoing()):
            self._outputs.append(Write(link=link, data=data))
