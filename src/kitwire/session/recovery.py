"""After a loss: resume, restart, or give up; and when. One table, and the count of an episode.

The table is LiveKit's clients' common ground (client-sdk-js src/room/RTCEngine.ts, rust-sdks
livekit/src/rtc_engine/mod.rs), but that a resume is retried at the signal level before the session
restarts: a real server refuses the first one after some losses and takes the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from ..config import ReconnectPolicy
from ..errors import CloseReason
from ..events import LeaveReceived
from ..messages import (
    ClientConfigSetting,
    ClientConfiguration,
    DisconnectReason,
    LeaveRequest,
    LeaveRequestAction,
)

__all__ = [
    "DECISIONS",
    "Loss",
    "Plan",
    "Recovery",
    "Situation",
    "Verdict",
    "decide",
    "loss_of_leave",
    "needs_ice_restart",
]


class Loss(StrEnum):
    """What happened to the session."""

    LINK = "LINK"
    """The link closed, went silent, or brought nothing that can be read."""
    PEER = "PEER"
    """A peer connection failed, was closed by the server, or nothing arrives on it any more."""
    NEGOTIATION = "NEGOTIATION"
    """Descriptions could not be exchanged: a deadline passed, or a peer connection refused."""
    LEAVE_RESUME = "LEAVE_RESUME"
    """The server asks for a resume."""
    LEAVE_RECONNECT = "LEAVE_RECONNECT"
    """The server asks for a new session, or for something that this version does not know."""
    LEAVE_DISCONNECT = "LEAVE_DISCONNECT"
    """The server ends the session."""
    ATTEMPT = "ATTEMPT"
    """An attempt to come back got no link, or no answer on it."""
    UNSETTLED = "UNSETTLED"
    """The link came back, and the peer connections did not in time."""
    REFUSED = "REFUSED"
    """The server refused us for good, as for an expired token."""


class Verdict(StrEnum):
    """What to do about a loss."""

    RESUME = "RESUME"
    """Go on with the session on a new link."""
    RESTART = "RESTART"
    """Begin a new session."""
    GIVE_UP = "GIVE_UP"
    """End."""


DECISIONS: Final[Mapping[Loss, tuple[Verdict, Verdict]]] = MappingProxyType(
    {
        Loss.LINK: (Verdict.RESUME, Verdict.RESTART),
        Loss.PEER: (Verdict.RESUME, Verdict.RESTART),
        Loss.NEGOTIATION: (Verdict.RESTART, Verdict.RESTART),
        Loss.LEAVE_RESUME: (Verdict.RESUME, Verdict.RESTART),
        Loss.LEAVE_RECONNECT: (Verdict.RESTART, Verdict.RESTART),
        Loss.LEAVE_DISCONNECT: (Verdict.GIVE_UP, Verdict.GIVE_UP),
        Loss.ATTEMPT: (Verdict.RESUME, Verdict.RESTART),
        Loss.UNSETTLED: (Verdict.RESTART, Verdict.RESTART),
        Loss.REFUSED: (Verdict.GIVE_UP, Verdict.GIVE_UP),
    }
)
"""What follows a loss: where the session can be resumed, and where it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What decides whether a session can be resumed."""

    allowed: bool
    """Whether the server's client configuration leaves resuming on."""
    media: bool
    """Whether there are peer connections that were connected once: a server resumes no other
    session (it answers STATE_MISMATCH)."""
    follows: bool
    """Whether the peer connections can do the ICE restart that the loss, or the path, asks for. One
    that the server closed can do nothing any more."""
    restarting: bool
    """Whether the episode has come to restarting, from which there is no way back."""
    resumes_left: bool
    """Whether the policy allows one more attempt at resuming."""

    @property
    def resumable(self) -> bool:
        """Whether to try a resume."""
        able = self.allowed and self.media and self.follows
        return able and self.resumes_left and not self.restarting


def decide(loss: Loss, situation: Situation) -> Verdict:
    """What to do about a loss, by :data:`DECISIONS`."""
    resumable, otherwise = DECISIONS[loss]
    return resumable if situation.resumable else otherwise


def loss_of_leave(leave: LeaveReceived | LeaveRequest) -> Loss:
    """What a Leave is. Servers before protocol 13 say ``can_reconnect`` in place of an action."""
    match leave.action:
        case LeaveRequestAction.RESUME:
            return Loss.LEAVE_RESUME
        case LeaveRequestAction.DISCONNECT if not leave.can_reconnect:
            return Loss.LEAVE_DISCONNECT
        case _:
            return Loss.LEAVE_RECONNECT


def needs_ice_restart(loss: Loss, leave: LeaveReceived | LeaveRequest | None) -> bool:
    """Whether a resume after this loss must find new paths: they died, or were given up."""
    given_up = leave is not None and leave.reason is DisconnectReason.CONNECTION_TIMEOUT
    return loss is Loss.PEER or given_up


class Plan(NamedTuple):
    """The next attempt."""

    verdict: Verdict
    attempt: int
    delay: float


class Recovery:
    """What a loss may lead to; and of an episode its cause, its attempts, and how it goes on.

    Args:
        policy: how often and how long; None for never.
        jitter: gives numbers from 0 to 1.
    """

    def __init__(self, policy: ReconnectPolicy | None, jitter: Callable[[], float]) -> None:
        self._policy = policy
        self._jitter = jitter
        self.cause: CloseReason | None = None
        """What began the episode; None while there is none."""
        self.attempt = 0
        self.restarting = False
        self.ice_restart = False
        """Whether a resume must find new paths."""
        self._allowed = True
        self._restarts = 0
        self._steady_at = float("-inf")

    @property
    def running(self) -> bool:
        """Whether there is an episode."""
        return self.cause is not None

    @property
    def resumes_left(self) -> bool:
        """Whether one more attempt at resuming is allowed."""
        return self._policy is not None and self.attempt < self._policy.resumes

    def allow(self, configuration: ClientConfiguration | None) -> None:
        """Take in whether the server leaves resuming on; it does where it says nothing."""
        self._allowed = (
            configuration is None
            or configuration.resume_connection is not ClientConfigSetting.DISABLED
        )

    def situation(self, *, media: bool, follows: bool) -> Situation:
        """What decides now; of the peer connections as :class:`Situation` has it."""
        return Situation(
            allowed=self._allowed,
            media=media,
            follows=follows,
            restarting=self.restarting,
            resumes_left=self.resumes_left,
        )

    def plan(self, loss: Loss, cause: CloseReason, situation: Situation, now: float) -> Plan | None:
        """The next attempt, which begins an episode where there is none; None to give up."""
        verdict = decide(loss, situation)
        if self._policy is None or verdict is Verdict.GIVE_UP:
            return None
        if not self.running and now < self._steady_at:
            self.attempt = self._restarts
        if self.attempt >= self._policy.attempts:
            return None
        self.cause = self.cause or cause
        self.attempt += 1
        self.restarting |= verdict is Verdict.RESTART
        return Plan(verdict, self.attempt, self._delay(loss))

    def blamed(self, loss: Loss, reason: CloseReason) -> CloseReason:
        """Why the session ends: this loss where it is final, else what began the episode."""
        ended = DECISIONS[loss][0] is Verdict.GIVE_UP
        return reason if ended or self.cause is None else self.cause

    def over(self, now: float) -> None:
        """The episode is over: the session stands again.

        A server that lets everybody in and throws everybody out must not be asked for ever, and
        without a pause: what was restarted must stand a while before the count begins anew.
        """
        assert self._policy is not None, "without one there is no episode"
        self._restarts = self.attempt if self.restarting else 0
        self._steady_at = now + self._policy.cap
        self.cause, self.attempt, self.restarting, self.ice_restart = None, 0, False, False

    def _delay(self, loss: Loss) -> float:
        """What the server asks for is done at once; so is the first attempt."""
        asked = loss in (Loss.LEAVE_RESUME, Loss.LEAVE_RECONNECT)
        if asked or self._policy is None or self.attempt == 1:
            return 0.0
        return self._policy.delay(self.attempt, self._jitter())
