"""The life of a session from one phase to the next: opening, joining, coming back, ending.

:class:`~.session.Session` has the inputs; this is what they set in motion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from .. import events as ev
from .. import messages as msg
from .. import reconnect_events as rec
from ..codec import encode_request
from ..commands import SessionCommand
from ..config import ClientConfig, is_sendable
from ..errors import CloseReason
from ..link.address import Resume
from .dispatch import event_of, joined_of
from .incoming import Incoming, Item
from .keepalive import KeepAlive
from .ledger import Ledger
from .links import Links
from .opening import Opening
from .outbox import Outbox, leave_request
from .peering import Peering
from .phases import Phase, Trigger, next_phase
from .reasons import explanation, media_reason, reason_after_leave, server_leave_reason
from .recovery import Loss, Recovery, Verdict, loss_of_leave, needs_ice_restart
from .regions import Regions
from .roll import Roll
from .timers import Timer, TimerTable
from .tracing import Tracer

__all__ = ["Life"]

_Leave = ev.LeaveReceived | msg.LeaveRequest


class Life(ABC):
    """Everything of a session but its inputs. Times are in seconds.

    Args:
        config: what to connect to, and how.
        jitter: gives numbers from 0 to 1, for the waits between attempts; without one each is as
            long as it may be.
    """

    def __init__(self, config: ClientConfig, *, jitter: Callable[[], float] | None) -> None:
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
        self._regions = Regions(config)
        self._recovery = Recovery(config.reconnect, self._draw)
        self._ledger = Ledger(auto_subscribe=config.auto_subscribe)
        self._roll = Roll()
        self._refusal: CloseReason | None = None
        self._cause: CloseReason | None = None
        self._joined = False
        self._established = False
        self._sid = ""
        self._resume: Resume | None = None
        self._lost_tracks: tuple[msg.TrackPublishedResponse, ...] = ()
        self._incoming = Incoming(config.limits)

    # --- Opening ---

    def _start(self) -> None:
        """Join, for the first time or anew."""
        if self._opening.bundles_own_offer:
            self._advance(Trigger.PREPARE)
            self._peering.prepare(self._now)
        else:
            self._advance(Trigger.CONNECT if self._phase is Phase.IDLE else Trigger.RETRY)
            self._open()

    def _prepared(self, sdp: str) -> None:
        """The offer that the join will carry is made."""
        self._opening.bundle(sdp)
        self._advance(Trigger.PREPARED)
        self._open()

    def _open(self) -> None:
        self._timers.set(Timer.OPEN, self._now + self.config.timeouts.open)
        url = self._opening.url(self._token, self._resume, base=self._regions.url)
        self._links.open(url, self._token)

    def _validate(self) -> None:
        """Ask why the upgrade was refused, with the same query and token."""
        self._timers.set(Timer.VALIDATE, self._now + self.config.timeouts.validate)
        self._links.get(self._opening.dry_run_url(), self._token)

    def _answered(self, status: int = 0, body: bytes = b"") -> None:
        """What was asked for by a GET is here; without a status it will not come."""
        if not self._regions.asking:
            self._explain(explanation(status, body) if status else None)
        elif (refusal := self._regions.answered(status, body)) is not None:
            self._lost(Loss.REFUSED, refusal, end=Trigger.EXPLAINED)
        else:
            cause = self._regions.cause
            assert cause is not None, "a place failed before others are asked for"
            self._lost(Loss.ATTEMPT, cause, end=Trigger.EXPLAINED)

    def _go_elsewhere(self) -> bool:
        """Ask for the server's other places, or try the next; whether there was one."""
        asks = self._resume is None and self._regions.due(self._now)
        if not asks and not self._regions.move():
            return False
        self._let_go()
        if asks:
            self._advance(Trigger.ASK)
            self._timers.set(Timer.VALIDATE, self._now + self.config.timeouts.validate)
            self._links.get(self._regions.ask(self._now), self._token, bearer=True)
        else:
            self._advance(Trigger.MOVE)
            self._open()
        return True

    def _explain(self, explained: CloseReason | None) -> None:
        """The refusal is explained, as well as it will be."""
        reason = explained or self._refusal
        assert reason is not None, "a refusal is noted before it is asked about"
        loss = Loss.ATTEMPT if reason.retryable else Loss.REFUSED
        self._lost(loss, reason, end=Trigger.EXPLAINED)

    def _await_first(self, item: Item, size: int) -> None:
        """What comes first on a link. What comes before a join waits for it."""
        variant, value = item if isinstance(item, tuple) else ("", None)
        if isinstance(value, msg.LeaveRequest):
            self._left(value)
        elif self._phase is not Phase.JOINING:
            return  # The application has given up: nothing is joined any more.
        elif isinstance(value, msg.JoinResponse):
            if self._resume is not None:
                self._supersede()
                self._recovery.restarting = True  # That session is gone, whatever comes of this.
            self._join(value)
        elif self._resume is None:
            self._incoming.keep(item, size)
        elif isinstance(item, ev.FrameRejected):
            self._emit(item)
        elif variant == "reconnect":
            self._go_on(value if isinstance(value, msg.ReconnectResponse) else None)
        else:
            # Servers leave the Reconnect out for some clients: anything else says the same.
            self._go_on(None)
            self._tell(item)

    def _join(self, message: msg.JoinResponse) -> None:
        self._advance(Trigger.JOIN)
        self._regions.reached()
        again, self._joined = self._joined, True
        self._timers.stop(Timer.JOIN)
        joined = joined_of(message, self._opening.path)
        self._sid = joined.participant.sid
        self._recovery.allow(joined.client_configuration)
        self._roll.begin(joined)
        self._emit(joined)
        if self._keepalive.start(
            interval=joined.ping_interval, timeout=joined.ping_timeout, now=self._now
        ):
            self._ping()
        self._send_unbundled()
        for request in self._ledger.wishes() if again else ():
            self._say(request)
        self._outbox.open_gate(self._now)
        times = self.config.timeouts
        if again:
            self._timers.set(Timer.SETTLE, self._now + times.peers)
        elif self.config.peers is not None:
            # Each step has its own deadline; this is for a server that takes none.
            self._timers.set(Timer.SETTLE, self._now + times.negotiation + times.peers)
        self._peering.joined(joined, self._now)
        for item in self._incoming.kept():
            self._tell(item)
        self._look()

    def _send_unbundled(self) -> None:
        """What the join could not carry, on ``/rtc`` or for its length."""
        for frame in self._opening.unbundled():
            self._links.send(frame)
        if self._opening.metadata:
            self._say_metadata(self._opening.metadata)

    @abstractmethod
    def _say_metadata(self, metadata: str) -> None:
        """Make the request that sets our metadata."""

    # --- Going on after a loss ---

    def _go_on(self, message: msg.ReconnectResponse | None) -> None:
        """The server goes on with the session: tell it what we know, before anything else."""
        self._advance(Trigger.RESUME)
        self._regions.reached()
        self._timers.stop(Timer.JOIN)
        self._timers.set(Timer.SETTLE, self._now + self.config.timeouts.peers)
        state = self._ledger.sync_state(self._peering.agreed, self._peering.channels)
        self._say(msg.SignalRequest(sync_state=state))
        if self._keepalive.restart(self._now):
            self._ping()
        self._roll.call()
        for request in self._ledger.repairs():
            self._say(request)
        if message is not None:
            self._recovery.allow(message.client_configuration)
        self._peering.relink(message, ice_restart=self._recovery.ice_restart, now=self._now)
        self._look()

    def _look(self) -> None:
        """See whether what is waited for is there: media for a gate, a datagram for an episode."""
        if self._phase is Phase.SETTLING and self._peering.settled:
            self._advance(Trigger.SETTLED)
            self._outbox.open_gate(self._now)
        if self._phase is not Phase.JOINED or not self._peering.settled:
            return
        self._established = True
        self._peering.watch(self._now)
        if not self._recovery.running:
            self._timers.stop(Timer.SETTLE)
        elif self._peering.transports.all_heard:
            self._recovered()

    def _recovered(self) -> None:
        """The episode is over, and well."""
        attempt, restarted = self._recovery.attempt, self._resume is None
        self._timers.stop(Timer.SETTLE)
        self._recovery.over(self._now)
        if restarted:
            lost, self._lost_tracks = self._lost_tracks, ()
            self._emit(rec.Restarted(sid=self._sid, attempt=attempt, lost_tracks=lost))
        else:
            self._emit(rec.Resumed(sid=self._sid, attempt=attempt))
            self._answer_roll()
        self._resume = None

    def _answer_roll(self) -> None:
        """Who has not been named since the resume is gone; nobody else will say so."""
        if gone := self._roll.missing():
            self._emit(ev.ParticipantsUpdated(participants=gone))

    def _supersede(self) -> None:
        """The old session is over: nothing of it is kept but what it stood for."""
        self._lost_tracks = self._lost_tracks or self._ledger.tracks
        self._ledger = self._ledger.successor()
        self._peering.close(self._now)
        self._outbox.abort_bound("the session was restarted")
        self._opening.begin_again(fresh=self._token == self.config.token)
        self._resume = None

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
                self._roll.moved(event)
                self._ledger.moved()
            case _:
                self._ledger.heard(event, own_sid=self._sid)
                self._roll.heard(event)
                self._outbox.settle(event, own_sid=self._sid, now=self._now)
                self._peering.hear(event, self._now)
                if not self._recovery.running:
                    self._answer_roll()

    # --- Sending ---

    def _ping(self, due: float | None = None) -> None:
        self._say(msg.SignalRequest(ping_req=self._keepalive.ping(self._now, due)))

    def _say(self, message: msg.SignalRequest) -> None:
        self._links.send(encode_request(message, encoding=self.config.encoding))

    # --- Losing ---

    def _left(self, leave: _Leave) -> None:
        """The server ends the session or asks for another link, or heard our own leave."""
        reason = server_leave_reason(leave)
        self._regions.heard(leave, self._now)
        if self._phase is Phase.CLOSING:
            self._cause = reason_after_leave(self._cause, leave)
        self._lost(loss_of_leave(leave), reason, leave=leave, end=Trigger.LEAVE)

    def _lose(self, reason: CloseReason) -> None:
        """The link is of no more use. While a refusal is being explained, it stays the reason."""
        if self._phase is Phase.VALIDATING:
            self._answered()
            return
        stood = self._phase in (Phase.JOINED, Phase.SETTLING)
        if not reason.retryable and not stood:
            self._lost(Loss.REFUSED, reason)
        else:
            self._lost(Loss.LINK if stood else Loss.ATTEMPT, reason)

    def _fail_media(self, loss: Loss, detail: str) -> None:
        """The peer connections cannot go on as they are."""
        reason = media_reason(detail)
        hopeless = self._phase is Phase.SETTLING and self._peering.closed is not None
        if self._phase in (Phase.JOINED, Phase.PREPARING) or hopeless or not self._recovers:
            self._lost(loss, reason)
        elif loss is Loss.NEGOTIATION:
            self._recovery.restarting = True  # Where the next attempt will notice it.
        else:
            self._recovery.ice_restart = True

    @property
    def _recovers(self) -> bool:
        """Whether a loss can be got over: what never stood cannot come back."""
        return self._established and self.config.reconnect is not None

    def _lost(
        self,
        loss: Loss,
        reason: CloseReason,
        *,
        leave: _Leave | None = None,
        end: Trigger = Trigger.LOST,
    ) -> None:
        """Something is lost: decide, and do it."""
        resuming = self._resume is not None
        if self._phase in _TRYING and self._regions.at_fault(loss, reason, resuming=resuming):
            reason = self._regions.failed(reason)
            if self._go_elsewhere():
                return
            # Of several places none let us in, whatever the last one said.
            loss = Loss.ATTEMPT if self._regions.tried > 1 else loss
        if self._phase is Phase.CLOSING or not self._recovers:
            self._give_up(loss, reason, end)
            return
        recovery = self._recovery
        recovery.ice_restart |= needs_ice_restart(loss, leave)
        follows = self._peering.follows(ice_restart=recovery.ice_restart)
        situation = recovery.situation(media=self._peering.media, follows=follows)
        begins = not recovery.running
        plan = recovery.plan(loss, reason, situation, self._now)
        if plan is None:
            self._give_up(loss, recovery.blamed(loss, reason), end)
            return
        if begins:
            self._emit(rec.Lost(cause=reason))
        self._detach(loss, plan.verdict)
        self._advance(Trigger.RECOVER)
        announce = rec.Resuming if plan.verdict is Verdict.RESUME else rec.Restarting
        self._emit(announce(attempt=plan.attempt, cause=reason, next_in=plan.delay))
        if plan.delay > 0:
            self._timers.set(Timer.RETRY, self._now + plan.delay)
        else:
            self._retry()

    def _detach(self, loss: Loss, verdict: Verdict) -> None:
        """Let go of the link; and of everything else, where the session begins anew."""
        stood = self._phase in (Phase.JOINED, Phase.SETTLING)
        ours = loss in (Loss.PEER, Loss.NEGOTIATION, Loss.UNSETTLED)
        if verdict is Verdict.RESTART and stood and ours:
            self._say(leave_request())  # So that the server does not keep a ghost of us.
        self._timers.stop(Timer.SETTLE)
        self._let_go()
        if verdict is Verdict.RESTART:
            if stood or self._resume is not None:
                self._supersede()
            self._peering.close(self._now)
        else:
            failed = loss is Loss.PEER and self.config.peers and self.config.peers.ice_tcp
            why = msg.ReconnectReason.RR_SIGNAL_DISCONNECTED
            if failed:
                why = msg.ReconnectReason.RR_PUBLISHER_FAILED
            self._resume = Resume(sid=self._sid, reason=why)
            self._peering.unlink(self._now)

    def _let_go(self) -> None:
        """Be done with the link, and with what was waited for on it."""
        for timer in _LINK_TIMERS:
            self._timers.stop(timer)
        self._links.drop()
        self._incoming.renew()

    def _retry(self) -> None:
        """Make the attempt that is due."""
        self._timers.stop(Timer.RETRY)
        self._regions.begin()
        if self._resume is None:
            self._start()
        else:
            self._advance(Trigger.RETRY)
            self._open()

    # --- Ending ---

    def _leave(self, frame: bytes | str, cause: CloseReason) -> None:
        """Begin the end: with a leave where a link is open, else at once."""
        self._cause = cause
        self._advance(Trigger.CLOSE)
        if self._phase is Phase.CLOSED:
            self._finish(cause)
            return
        self._timers.clear()
        self._timers.set(Timer.CLOSE, self._now + self.config.timeouts.close)
        self._links.send(frame)
        self._peering.close(self._now)

    def _give_up(self, loss: Loss, reason: CloseReason, end: Trigger) -> None:
        """The session ends, for ``reason`` unless something before began the end."""
        open_link = self._phase in (Phase.JOINED, Phase.SETTLING)
        media = (Loss.PEER, Loss.NEGOTIATION, Loss.UNSETTLED)
        if open_link and loss in media:
            frame = encode_request(leave_request(), encoding=self.config.encoding)
            self._leave(frame, reason)
        elif self._advance(end if next_phase(self._phase, end) else Trigger.LOST):
            self._finish(self._cause or reason)

    def _finish(self, reason: CloseReason) -> None:
        self._peering.close(self._now)
        self._timers.clear()
        self._links.drop()
        self._incoming.kept()
        self._outbox.abort(str(reason))
        self._emit(ev.Closed(reason=reason))

    # --- The basics ---

    def _advance(self, trigger: Trigger) -> bool:
        """Move on, where the table says that the trigger means something."""
        phase = next_phase(self._phase, trigger)
        if phase is None:
            return False
        self._phase = phase
        return True

    def _draw(self) -> float:
        """A number from 0 to 1, traced, so that a replay has the same."""
        return 1.0 if self._jitter is None else self._tracer.drawn(self._now, self._jitter())

    def _emit(self, output: SessionCommand | ev.Event) -> None:
        if self._tracer.on:
            self._tracer.output(self._now, output)
        self._outputs.append(output)


_TRYING = (Phase.OPENING, Phase.VALIDATING, Phase.JOINING)
_LINK_TIMERS = (Timer.OPEN, Timer.VALIDATE, Timer.JOIN, Timer.PING, Timer.SILENCE, Timer.RETRY)
