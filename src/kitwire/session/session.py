"""The client's side of the signaling protocol, in WebSocket messages.

A :class:`Session` never touches a socket or a clock. Whoever has a WebSocket carries out its
commands and reports what happened; :class:`~kitwire.client.Client` does that over plain bytes.
Each input computes all its consequences at once and queues them; draining late changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from .. import events as ev
from .. import messages as msg
from ..commands import LinkId, PeersId, PeerTarget, SessionCommand
from ..config import ClientConfig
from ..errors import CloseReason, DialError, LocalProtocolError, Reason
from .gate import ACCEPTING, is_open
from .life import Life
from .methods import RequestMethods
from .outbox import leave_request
from .peer_inputs import PeerInputs, PeerReport
from .phases import Phase, Trigger
from .reasons import (
    closed_by_application,
    dial_reason,
    lost_reason,
    protocol_reason,
    refusal_reason,
    timeout_reason,
)
from .recovery import Loss
from .requests import Completion, Match
from .timers import Timer

__all__ = ["Session"]

_HEARS: Final = (Phase.JOINING, Phase.SETTLING, Phase.JOINED, Phase.CLOSING)


class Session(Life, RequestMethods, PeerInputs):
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
        super().__init__(config, jitter=jitter)

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
    def url(self) -> str:
        """The server's URL in use: the one given, or that of a region."""
        return self._regions.url

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
        self._start()

    def reconnect_now(self, *, now: float) -> None:
        """Make the next attempt at once: the network is back. Harmless when none is waited for."""
        self._input("reconnect_now", now)
        if self._phase is Phase.WAITING:
            self._retry()

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
            self._answered(status, body)

    def receive_message(self, link: LinkId, data: bytes | str, *, now: float) -> None:
        """A WebSocket message came: ``bytes`` for a binary one, ``str`` for text."""
        # What _hears does, without gathering for every frame what only a trace has a use for.
        if not self._links.is_current(link):
            return
        self._now = max(self._now, now)
        if self._tracer.on:
            self._tracer.input(self._now, "receive_message", {"link": link, "message": data})
        if self._phase not in _HEARS:
            return
        if self._phase in (Phase.SETTLING, Phase.JOINED):
            self._keepalive.heard(self._now)
        item = self._incoming.read(data)
        if self._joined and self._phase is not Phase.JOINING:
            self._tell(item)
        else:
            self._await_first(item, len(data))
        if self._incoming.hopeless:
            self._lose(protocol_reason(self._incoming.hopeless))

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
        self._ledger.asked(message)
        return self._outbox.submit(request, gate_open=gate_open, now=self._now)

    # --- Peer connections ---

    def negotiate(self, *, now: float) -> int | None:
        """Ask for an offer, because of a track; see :meth:`.PeerInputs.negotiate`."""
        self._require_phase("negotiate", ACCEPTING if self._joined else (Phase.JOINED,))
        self._input("negotiate", now)
        return self._peering.negotiate(self._now)

    def _report(
        self,
        name: str,
        peers: PeersId,
        report: PeerReport | None,
        *,
        now: float,
        **arguments: object,
    ) -> None:
        if not self._peering.owns(peers):
            return
        self._input(name, now, peers=peers, **arguments)
        if report is not None:
            self._peering.report(report, self._now)
        elif isinstance(target := arguments["target"], PeerTarget):
            self._peering.transports.heard(target, self._now)
        self._look()

    def reliable_received(self, publisher_sid: str, sequence: int, *, now: float) -> None:
        """A reliable data packet came; see :meth:`.PeerInputs.reliable_received`."""
        self._input("reliable_received", now, publisher_sid=publisher_sid, sequence=sequence)
        self._ledger.received(publisher_sid, sequence)

    def _say_metadata(self, metadata: str) -> None:
        self.update_metadata(metadata=metadata, now=self._now)

    # --- Time ---

    def _timed_out(self, timer: Timer, deadline: float) -> None:
        match timer:
            case Timer.OPEN:
                self._lose(timeout_reason(Reason.OPEN_TIMEOUT, "the server did not answer"))
            case Timer.JOIN:
                if self._resume is None:
                    # So that the server does not keep a ghost of us for a minute.
                    self._say(leave_request())
                self._lose(timeout_reason(Reason.JOIN_TIMEOUT, "no join message came"))
            case Timer.VALIDATE:
                self._answered()
            case Timer.PING:
                self._ping(deadline)
            case Timer.SILENCE:
                if self._keepalive.gives_up(deadline, self._now):
                    self._lose(timeout_reason(Reason.PING_TIMEOUT, "the server went silent"))
                else:
                    self._ping()
            case Timer.NEGOTIATION:
                self._peering.timed_out(self._now)
            case Timer.RETRY:
                self._retry()
            case Timer.SETTLE:
                detail = "the peer connections were not there in time"
                self._lost(Loss.UNSETTLED, timeout_reason(Reason.MEDIA_FAILURE, detail))
            case Timer.TRANSPORT:
                silent = self._peering.transports.timed_out(self._now)
                if silent is not None:
                    waited = f"{self.config.timeouts.transport:g} s"
                    self._fail_media(Loss.PEER, f"nothing came on the {silent} for {waited}")
            case Timer.REQUEST:
                self._outbox.end_due(self._now)
            case Timer.FAREWELL:
                self._peering.farewell_timed_out()
            case Timer.CLOSE:
                self._lose(timeout_reason(Reason.SIGNAL_CLOSE, "the server did not close"))
            case _:
                assert_never(timer)

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
