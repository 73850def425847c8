"""The client's side of the signaling protocol, in WebSocket messages.

A :class:`Session` never touches a socket or a clock. Whoever has a WebSocket carries out its
commands and reports what happened; :class:`~kitwire.client.Client` does that over plain bytes.
Each input computes all its consequences at once and queues them; draining late changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, assert_never

from .. import events as ev
from .. import messages as msg
from ..codec import encode_request
from ..commands import LinkId, PeersId, SessionCommand
from ..config import ClientConfig, is_sendable
from ..errors import CloseReason, DialError, LocalProtocolError, Reason
from .dispatch import event_of, joined_of
from .gate import ACCEPTING, is_open
from .incoming import Incoming, Item
from .keepalive import KeepAlive
from .links import Links
from .methods import RequestMethods
from .opening import Opening
from .outbox import Outbox, leave_request
from .peer_inputs import PeerInputs, PeerReport
from .peering import Peering
from .phases import Phase, Trigger, next_phase
from .reasons import (
    closed_by_application,
    dial_reason,
    explanation,
    lost_reason,
    media_reason,
    protocol_reason,
    reason_after_leave,
    refusal_reason,
    timeout_reason,
)
from .requests import Completion, Match
from .timers import Timer, TimerTable
from .tracing import Tracer

__all__ = ["Session"]

_HEARS: Final = (Phase.JOINING, Phase.JOINED, Phase.CLOSING)


class Session(RequestMethods, PeerInputs):
    """One participant's signaling connection, from connect to close.

    Inputs are methods; each takes ``now``, the time in monotonic seconds. A ``now`` that goes
    backwards counts as the last one. After each input, take outputs from :meth:`poll` until it
    gives None, and call :meth:`handle_timeout` when :attr:`deadline` has come.

    Args:
        config: what to connect to, and how.
        jitter: gives numbers from 0 to 1; where the waits between reconnects will get theirs.

    Raises:
        ValueError: for a URL that cannot be connected to, and for settings that cannot be sent.
    """

    def __init__(self, config: ClientConfig, *, jitter: Callable[[], float] | None = None) -> None:
        self.config = config
        self._jitter = jitter
        self._token = config.token
        self._phase = Phase.IDLE
        self._now = float("-inf")
        self._outputs: deque[SessionCommand | ev.Event] = deque()
        self._timers = TimerTable()
        self._keepalive = KeepAlive(self._timers)
        self._links = Links(config, emit=self._emit)
        self._outbox = Outbox(config, self._timers, send=self._links.send, emit=self._emit)
        self._peering = Peering(
            config,
            self._timers,
            say=self._say,
            emit=self._emit,
            fail=self._fail_media,
            bundle=self._prepared,
        )
        self._tracer = Tracer(config.trace)
        self._opening = Opening(config)
        self._refusal: CloseReason | None = None
        self._cause: CloseReason | None = None
        self._joined = False
        self._sid = ""
        self._incoming = Incoming(config.limits)

    # --- State ---

    @property
    def phase(self) -> Phase:
        """Where the session is in its life."""
        return self._phase

    @property
    def closed(self) -> bool:
        """Whether the session is over; :class:`~kitwire.events.Closed` is its last output."""
        return self._phase is Phase.CLOSED

    @property
    def token(self) -> str:
        """The newest access token: the one given, or one by which the server replaced it."""
        return self._token

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`, in seconds; None for not at all."""
        return self._timers.next()[1]

    @property
    def deadline_reason(self) -> Timer | None:
        """What the session waits for until :attr:`deadline`."""
        return self._timers.next()[0]

    def poll(self) -> SessionCommand | ev.Event | None:
        """The next output, or None when there is none."""
        return self._outputs.popleft() if self._outputs else None

    # --- Inputs: the application ---

    def connect(self, *, now: float) -> None:
        """Start.

        Raises:
            LocalProtocolError: when it was started before.
        """
        self._require_phase("connect", (Phase.IDLE,))
        self._input("connect", now)
        if self._opening.bundles_own_offer:
            self._advance(Trigger.PREPARE)
            self._peering.prepare(self._now)
        else:
            self._advance(Trigger.CONNECT)
            self._open()

    def close(
        self,
        *,
        now: float,
        leave_reason: msg.DisconnectReason = msg.DisconnectReason.CLIENT_INITIATED,
        cause: CloseReason | None = None,
    ) -> None:
        """Leave the room, or give up joining it. Harmless when that is under way or over.

        Where a link is open, a leave is sent and the server's close awaited, for at most
        ``timeouts.close``.

        ``cause`` is what :class:`~kitwire.events.Closed` says, where it is not the application's
        wish to leave.

        Raises:
            LocalProtocolError: when ``leave_reason`` is none.
        """
        if self._phase in (Phase.CLOSING, Phase.CLOSED):
            return
        frame = self._outbox.encode("close", leave_request(leave_reason))
        self._input("close", now, leave_reason=leave_reason, cause=cause)
        self._leave(frame, cause or closed_by_application(joined=self._joined))

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due. Harmless when nothing is."""
        self._input("handle_timeout", now)
        while (due := self._timers.pop_due(self._now)) is not None:
            self._timed_out(*due)

    # --- Inputs: the owner of the links ---

    def link_opened(self, link: LinkId, *, now: float) -> None:
        """The WebSocket is open: the server answered 101."""
        if not self._hears("link_opened", link, now) or not self._advance(Trigger.OPENED):
            return
        self._timers.stop(Timer.OPEN)
        self._timers.set(Timer.JOIN, self._now + self.config.timeouts.join)

    def link_refused(self, link: LinkId, status: int, body: bytes, *, now: float) -> None:
        """The server answered the upgrade with another status than 101.

        ``body`` is the answer's; some kilobytes of it are enough.
        """
        if not self._hears("link_refused", link, now, status=status, body=body):
            return
        if self._phase is not Phase.OPENING:
            return
        self._timers.stop(Timer.OPEN)
        self._links.drop()
        if self._opening.fall_back(status):
            self._advance(Trigger.FALL_BACK)
            self._peering.close(self._now)
            self._open()
            return
        self._advance(Trigger.REFUSED)
        self._refusal = refusal_reason(status, body)
        self._validate()

    def link_failed(self, link: LinkId, error: DialError, detail: str = "", *, now: float) -> None:
        """No connection could be made. ``detail`` is a few words for the reader."""
        if self._hears("link_failed", link, now, error=error, detail=detail):
            self._lose(dial_reason(error, detail))

    def link_closed(
        self, link: LinkId, *, code: int | None = None, detail: str = "", now: float
    ) -> None:
        """The link closed, whoever began it.

        ``code`` is that of the server's close frame, where there was one; ``detail`` is a few words
        for the reader.
        """
        if not self._hears("link_closed", link, now, code=code, detail=detail):
            return
        self._lose(lost_reason(code, detail))

    def http_responded(self, link: LinkId, status: int, body: bytes, *, now: float) -> None:
        """The answer to an :class:`~kitwire.commands.HttpGet`."""
        if not self._hears("http_responded", link, now, status=status, body=body):
            return
        if self._phase is Phase.VALIDATING:
            self._explain(explanation(status, body))

    def receive_message(self, link: LinkId, data: bytes | str, *, now: float) -> None:
        """A WebSocket message came: ``bytes`` for a binary one, ``str`` for text."""
        if not self._hears("receive_message", link, now, message=data):
            return
        if self._phase not in _HEARS:
            return
        if self._phase is Phase.JOINED:
            self._keepalive.heard(self._now)
        item = self._incoming.read(data)
        if self._joined:
            self._tell(item)
        else:
            self._await_join(item, len(data))
        if self._incoming.hopeless:
            self._lose(protocol_reason(self._incoming.hopeless))

    # --- Opening ---

    def _prepared(self, sdp: str) -> None:
        """The offer that the join will carry is made."""
        self._opening.bundle(sdp)
        self._advance(Trigger.PREPARED)
        self._open()

    def _open(self) -> None:
        self._timers.set(Timer.OPEN, self._now + self.config.timeouts.open)
        self._links.open(self._opening.url(self._token), self._token)

    def _validate(self) -> None:
        """Ask why the upgrade was refused, with the same query and token."""
        self._timers.set(Timer.VALIDATE, self._now + self.config.timeouts.validate)
        self._links.get(self._opening.dry_run_url(), self._token)

    def _explain(self, explained: CloseReason | None) -> None:
        """The refusal is explained, as well as it will be."""
        reason = explained or self._refusal
        assert reason is not None, "a refusal is noted before it is asked about"
        self._end(Trigger.EXPLAINED, reason)

    def _await_join(self, item: Item, size: int) -> None:
        """What comes before the join waits for it; a leave ends the attempt, told by Closed."""
        value = item[1] if isinstance(item, tuple) else None
        if isinstance(value, msg.LeaveRequest):
            self._left(value)
        elif self._phase is not Phase.JOINING:
            return  # The application has given up: nothing is joined any more.
        elif isinstance(value, msg.JoinResponse):
            self._join(value)
        else:
            self._incoming.keep(item, size)

    def _join(self, message: msg.JoinResponse) -> None:
        self._advance(Trigger.JOIN)
        self._joined = True
        self._timers.stop(Timer.JOIN)
        joined = joined_of(message, self._opening.path)
        self._sid = joined.participant.sid
        self._emit(joined)
        if self._keepalive.start(
            interval=joined.ping_interval, timeout=joined.ping_timeout, now=self._now
        ):
            self._ping()
        self._send_unbundled()
        self._outbox.open_gate(self._now)
        self._peering.joined(joined, self._now)
        for item in self._incoming.kept():
            self._tell(item)

    def _send_unbundled(self) -> None:
        """What the join could not carry, on ``/rtc`` or for its length."""
        for frame in self._opening.unbundled():
            self._links.send(frame)
        if self._opening.metadata:
            self.update_metadata(metadata=self._opening.metadata, now=self._now)

    # --- Messages ---

    def _tell(self, item: Item) -> None:
        """Tell what a frame says, then act on it."""
        if not isinstance(item, tuple):
            self._emit(item)
            return
        event = event_of(*item)
        if event is None:
            self._emit(ev.ProtocolViolated(detail=f"{item[0]} in the middle of a session"))
            return
        if isinstance(event, ev.PongReceived):
            rtt = self._keepalive.answered(event.last_ping_timestamp, self._now)
            event = replace(event, rtt=rtt)
        self._emit(event)
        self._act_on(event)

    def _act_on(self, event: ev.ServerEvent) -> None:
        match event:
            case ev.LeaveReceived():
                self._left(event)
            case ev.TokenRefreshed(token=token):
                self._token = token if is_sendable(token) else self._token
            case ev.RoomMoved(token=token, participant=participant):
                self._token = token if is_sendable(token) else self._token
                self._sid = participant.sid if participant is not None else self._sid
            case _:
                self._outbox.settle(event, own_sid=self._sid, now=self._now)
                self._peering.hear(event, self._now)

    # --- Requests ---

    def send_ping_req(self, *, now: float) -> None:
        """Ping now, besides the keep-alive; :class:`~kitwire.events.PongReceived` tells the rtt."""
        self._require_phase("send_ping_req", (Phase.JOINED,))
        self._input("send_ping_req", now)
        self._ping()

    def _next_request_id(self) -> int:
        return self._outbox.next_request_id()

    def _pass(self, name: str, message: msg.SignalRequest, *, now: float) -> None:
        self._require_phase(name, (Phase.JOINED,))
        self._peering.permit(name)
        frame = self._outbox.encode(name, message)
        self._input(name, now, request=message)
        self._links.send(frame)

    def _request(
        self,
        name: str,
        message: msg.SignalRequest,
        *,
        now: float,
        completion: Completion = Completion.SENT,
        match: Match | None = None,
        timeout: float = 0.0,
        muted: bool | None = None,
    ) -> ev.RequestKey:
        self._require_phase(name, ACCEPTING)
        gate_open = is_open(self._phase)
        request = self._outbox.prepare(
            name, message, completion, match, timeout, muted, gate_open=gate_open
        )
        self._input(name, now, request=message)
        return self._outbox.submit(request, gate_open=gate_open, now=self._now)

    # --- Peer connections ---

    def negotiate(self, *, now: float) -> int | None:
        """Ask for an offer, because of a track; see :meth:`.PeerInputs.negotiate`."""
        self._require_phase("negotiate", (Phase.JOINED,))
        self._input("negotiate", now)
        return self._peering.negotiate(self._now)

    def _report(
        self, name: str, peers: PeersId, report: PeerReport, *, now: float, **arguments: object
    ) -> None:
        if self._peering.owns(peers):
            self._input(name, now, peers=peers, **arguments)
            self._peering.report(report, self._now)

    # --- Time ---

    def _timed_out(self, timer: Timer, deadline: float) -> None:
        match timer:
            case Timer.OPEN:
                self._lose(timeout_reason(Reason.OPEN_TIMEOUT, "the server did not answer"))
            case Timer.JOIN:
                # So that the server does not keep a ghost of us for a minute.
                self._say(leave_request())
                self._lose(timeout_reason(Reason.JOIN_TIMEOUT, "no join message came"))
            case Timer.VALIDATE:
                self._explain(None)
            case Timer.PING:
                self._ping()
            case Timer.SILENCE:
                if self._keepalive.gives_up(deadline, self._now):
                    self._lose(timeout_reason(Reason.PING_TIMEOUT, "the server went silent"))
                else:
                    self._ping()
            case Timer.NEGOTIATION:
                self._peering.timed_out(self._now)
            case Timer.REQUEST:
                self._outbox.end_due(self._now)
            case Timer.CLOSE:
                self._lose(timeout_reason(Reason.SIGNAL_CLOSE, "the server did not close"))
            case _:
                assert_never(timer)

    # --- Sending and ending ---

    def _ping(self) -> None:
        self._say(msg.SignalRequest(ping_req=self._keepalive.ping(self._now)))

    def _say(self, message: msg.SignalRequest) -> None:
        self._links.send(encode_request(message, encoding=self.config.encoding))

    def _leave(self, frame: bytes | str, cause: CloseReason) -> None:
        """Begin the end: with a leave where a link is open, else at once."""
        self._cause = cause
        self._advance(Trigger.CLOSE)
        if self.closed:
            self._finish(cause)
            return
        self._timers.clear()
        self._timers.set(Timer.CLOSE, self._now + self.config.timeouts.close)
        self._links.send(frame)
        self._peering.close(self._now)

    def _fail_media(self, detail: str) -> None:
        """The peer connections cannot go on, and so the session cannot."""
        frame = encode_request(leave_request(), encoding=self.config.encoding)
        self._leave(frame, media_reason(detail))

    def _left(self, leave: ev.LeaveReceived | msg.LeaveRequest) -> None:
        """The server ends the session, or says that it heard our own leave."""
        self._cause = reason_after_leave(self._cause, leave)
        self._end(Trigger.LEAVE, self._cause)

    def _lose(self, reason: CloseReason) -> None:
        """The link is of no more use. While a refusal is being explained, it stays the reason."""
        if self._phase is Phase.VALIDATING:
            self._explain(None)
        else:
            self._end(Trigger.LOST, reason)

    def _end(self, trigger: Trigger, reason: CloseReason) -> None:
        """The session ends, for ``reason`` unless something before began the end."""
        if self._advance(trigger):
            self._finish(self._cause or reason)

    def _finish(self, reason: CloseReason) -> None:
        self._peering.close(self._now)
        self._timers.clear()
        self._links.drop()
        self._incoming.kept()
        self._outbox.abort(str(reason))
        self._emit(ev.Closed(reason=reason))

    # --- The basics ---

    def _input(self, name: str, now: float, **arguments: object) -> None:
        self._now = max(self._now, now)
        self._tracer.input(self._now, name, arguments)

    def _hears(self, name: str, link: LinkId, now: float, **arguments: object) -> bool:
        """Take note of an input about a link, unless it comes from one that is gone."""
        if not self._links.is_current(link):
            return False
        self._input(name, now, link=link, **arguments)
        return True

    def _require_phase(self, method: str, allowed: tuple[Phase, ...]) -> None:
        if self._phase in allowed:
            return
        names = tuple(str(phase) for phase in allowed)
        raise LocalProtocolError(
            method,
            f"not allowed in phase {self._phase}; allowed in {', '.join(names)}",
            phase=str(self._phase),
            allowed=names,
        )

    def _advance(self, trigger: Trigger) -> bool:
        """Move on, where the table says that the trigger means something."""
        phase = next_phase(self._phase, trigger)
        if phase is None:
            return False
        self._phase = phase
        return True

    def _emit(self, output: SessionCommand | ev.Event) -> None:
        self._tracer.output(self._now, output)
        self._outputs.append(output)
