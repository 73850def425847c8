"""What leaves, what waits for the gate, and how each request ends.

The outbox owns the requests whose outcome is open. It is told of the server's events and of time;
it sends frames and tells of outcomes through the session that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ..codec import encode_request, redact_text
from ..config import ClientConfig
from ..errors import FailureReason, LocalProtocolError, RequestFailure
from ..events import (
    ParticipantsUpdated,
    RequestEnded,
    RequestKey,
    RequestQueued,
    RequestResponseReceived,
    RequestResult,
    ServerEvent,
)
from ..messages import (
    DisconnectReason,
    LeaveRequest,
    LeaveRequestAction,
    ParticipantInfo,
    RequestResponseReason,
    SignalRequest,
)
from .gate import Gate, HeldRequest
from .requests import (
    Completion,
    Match,
    MatchKind,
    Pending,
    PendingRequests,
    failure_of,
    is_result_of,
    match_of_echo,
    result_of,
)
from .timers import Timer, TimerTable

__all__ = ["Outbox", "Prepared", "bounded_frame", "leave_request"]

_INDEPENDENT: Final = frozenset({"update_metadata", "store_data_blob", "get_data_blob"})
"""Requests that mean the same in another session of the same participant."""

_MATCH_NAMES: Final = {
    MatchKind.CID: "the cid",
    MatchKind.PUBLISH_HANDLE: "the pub_handle",
    MatchKind.UNPUBLISH_HANDLE: "the pub_handle",
}


class Prepared(NamedTuple):
    """A request that was checked and encoded, and can be submitted."""

    name: str
    frame: bytes | str
    completion: Completion
    match: Match | None
    timeout: float
    muted: bool | None


class Outbox:
    """The requests of a session.

    Args:
        config: for the encoding and the limits.
        timers: where :data:`Timer.REQUEST` is armed.
        send: sends a frame on the current link.
        emit: tells of an outcome.
    """

    def __init__(
        self,
        config: ClientConfig,
        timers: TimerTable,
        *,
        send: Callable[[bytes | str], None],
        emit: Callable[[RequestEnded | RequestQueued], None],
    ) -> None:
        self._config = config
        self._timers = timers
        self._send = send
        self._emit = emit
        self._gate = Gate(config.limits.held_requests)
        self._pending = PendingRequests()
        self._keys = 0

    def next_request_id(self) -> int:
        """A request id that is not in use."""
        return self._pending.next_request_id()

    def encode(self, name: str, message: SignalRequest) -> bytes | str:
        """A request as a frame.

        Raises:
            LocalProtocolError: for values that do not fit the protocol, or too many of them.
        """
        try:
            return bounded_frame(self._config, message)
        except (TypeError, ValueError) as error:
            raise LocalProtocolError(name, redact_text(str(error))) from None

    def prepare(
        self,
        name: str,
        message: SignalRequest,
        completion: Completion,
        match: Match | None,
        timeout: float,
        muted: bool | None,
        *,
        gate_open: bool,
    ) -> Prepared:
        """Check a request, changing nothing.

        Raises:
            LocalProtocolError: when it may not be made.
        """
        frame = self.encode(name, message)
        if completion is Completion.RESULT and match is not None and self._pending.find(match):
            named = f"{_MATCH_NAMES[match.kind]} {match.value!r}"
            raise LocalProtocolError(name, f"a request with {named} is still under way")
        if self._gate.full and not gate_open:
            raise LocalProtocolError(
                name, "too many requests wait for the session already (limits.held_requests)"
            )
        return Prepared(name, frame, completion, match, timeout, muted)

    def submit(self, request: Prepared, *, gate_open: bool, now: float) -> RequestKey:
        """Register a request; send it, or hold it while the gate is closed."""
        self._keys += 1
        key = RequestKey(self._keys, request.name)
        self._pending.register(
            Pending(
                key=key,
                completion=request.completion,
                match=request.match,
                timeout=request.timeout,
                muted=request.muted,
            )
        )
        if gate_open:
            self._transmit(key, request.frame, now)
        else:
            self._gate.hold(HeldRequest(key=key, frame=request.frame))
        return key

    def open_gate(self, now: float) -> None:
        """Send what was held, in order."""
        for held in self._gate.release():
            self._transmit(held.key, held.frame, now)

    def settle(self, event: ServerEvent, *, own_sid: str, now: float) -> None:
        """End the request that an event answers, if there is one."""
        match event:
            case RequestResponseReceived():
                self._settle_response(event, now)
            case ParticipantsUpdated(participants=participants):
                self._settle_mutes(one for one in participants if one.sid == own_sid)
            case _:
                if (answered := result_of(event)) is not None:
                    self._settle_result(*answered)

    def end_due(self, now: float) -> None:
        """End the requests whose deadline has come: done where silence is consent, else failed."""
        while (pending := self._pending.due(now)) is not None:
            if pending.completion is Completion.NO_REFUSAL:
                self._end(pending)
                continue
            message = f"no answer within {pending.timeout:g} s"
            self._end(pending, failure=_failure(FailureReason.TIMEOUT, message))
        self._arm()

    def abort_bound(self, why: str) -> None:
        """Fail every request that is bound to the session that is over.

        Those are all that were sent, and of those that are held the ones that name its tracks.
        """
        free = [held for held in self._gate.release() if held.key.request in _INDEPENDENT]
        kept = {held.key for held in free}
        failure = _failure(FailureReason.ABORTED, why)
        for pending in self._pending.abandon(kept):
            self._emit(RequestEnded(key=pending.key, result=None, failure=failure))
        for held in free:
            self._gate.hold(held)
        self._arm()

    def abort(self, why: str) -> None:
        """Fail every request whose outcome is open: the session is over."""
        self._gate.release()
        failure = _failure(FailureReason.ABORTED, why)
        for pending in self._pending.abandon():
            self._emit(RequestEnded(key=pending.key, result=None, failure=failure))

    def _transmit(self, key: RequestKey, frame: bytes | str, now: float) -> None:
        pending = self._pending.sent(key, now)
        self._send(frame)
        if pending.completion is Completion.SENT:
            self._end(pending)
        else:
            self._arm()

    def _settle_response(self, event: RequestResponseReceived, now: float) -> None:
        match = match_of_echo(event.request_id, event.request)
        pending = None if match is None else self._pending.find(match)
        if pending is None:
            return
        if event.reason is RequestResponseReason.QUEUED:
            self._pending.sent(pending.key, now)
            self._arm()
            self._emit(RequestQueued(key=pending.key))
        elif event.reason is not RequestResponseReason.OK:
            self._end(pending, failure=failure_of(event.reason, event.message))
        elif pending.completion is not Completion.RESULT:
            self._end(pending)

    def _settle_result(self, match: Match, result: RequestResult) -> None:
        pending = self._pending.find(match)
        if pending is not None and is_result_of(result, pending.key.request):
            self._end(pending, result=result)

    def _settle_mutes(self, ourselves: Iterable[ParticipantInfo]) -> None:
        for track in (track for one in ourselves for track in one.tracks):
            while (pending := self._pending.find_mute(track.sid, track.muted)) is not None:
                self._end(pending)

    def _end(
        self,
        pending: Pending,
        *,
        result: RequestResult = None,
        failure: RequestFailure | None = None,
    ) -> None:
        self._pending.end(pending.key)
        self._arm()
        self._emit(RequestEnded(key=pending.key, result=result, failure=failure))

    def _arm(self) -> None:
        deadline = self._pending.deadline()
        if deadline is None:
            self._timers.stop(Timer.REQUEST)
        else:
            self._timers.set(Timer.REQUEST, deadline)


def bounded_frame(config: ClientConfig, message: SignalRequest) -> bytes | str:
    """A request as a frame, in the config's encoding and within its limit.

    Raises:
        TypeError: a field holds a value of a wrong type.
        ValueError: a value does not fit the protocol, or the frame is larger than ``limits.send``.
    """
    frame = encode_request(message, encoding=config.encoding)
    size = len(frame) if isinstance(frame, bytes) else len(frame.encode())
    if size > config.limits.send:
        raise ValueError(f"the message has {size} bytes; limits.send allows {config.limits.send}")
    return frame


def _failure(reason: FailureReason, message: str) -> RequestFailure:
    return RequestFailure(reason=reason, message=message)


def leave_request(reason: DisconnectReason = DisconnectReason.CLIENT_INITIATED) -> SignalRequest:
    """What tells the server that we leave, and why."""
    leave = LeaveRequest(reason=reason, action=LeaveRequestAction.DISCONNECT)
    return SignalRequest(leave=leave)
