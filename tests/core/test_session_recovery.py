"""The decision table, what a Leave is, and the count of attempts, alone."""

from __future__ import annotations

from itertools import product

import pytest

from kitwire import messages as msg
from kitwire.config import ReconnectPolicy
from kitwire.errors import CloseReason, Origin, Reason
from kitwire.session.recovery import (
    DECISIONS,
    Loss,
    Plan,
    Recovery,
    Situation,
    Verdict,
    decide,
    loss_of_leave,
    needs_ice_restart,
)

FIRST = CloseReason(origin=Origin.LINK, reason=Reason.LINK_LOST, detail="first", retryable=True)
LATER = CloseReason(origin=Origin.LINK, reason=Reason.UNREACHABLE, detail="later", retryable=True)
GOOD = Situation(allowed=True, media=True, follows=True, restarting=False, resumes_left=True)
BAD = Situation(allowed=True, media=False, follows=True, restarting=False, resumes_left=True)


@pytest.mark.parametrize("loss", Loss)
def test_every_loss_has_its_decision(loss: Loss) -> None:
    resumable, otherwise = DECISIONS[loss]
    assert otherwise is not Verdict.RESUME
    assert decide(loss, GOOD) is resumable
    assert decide(loss, BAD) is otherwise
    # Only for good is there no way back, whatever the situation.
    given_up = loss in (Loss.LEAVE_DISCONNECT, Loss.REFUSED)
    assert (Verdict.GIVE_UP in (resumable, otherwise)) is given_up


def test_one_thing_that_is_missing_prevents_a_resume() -> None:
    for values in product([False, True], repeat=5):
        allowed, media, follows, restarting, left = values
        situation = Situation(
            allowed=allowed, media=media, follows=follows, restarting=restarting, resumes_left=left
        )
        assert situation.resumable is (values == (True, True, True, False, True))


LEAVES = [
    (msg.LeaveRequestAction.DISCONNECT, False, Loss.LEAVE_DISCONNECT),
    (msg.LeaveRequestAction.DISCONNECT, True, Loss.LEAVE_RECONNECT),
    (msg.LeaveRequestAction.RESUME, False, Loss.LEAVE_RESUME),
    (msg.LeaveRequestAction.RESUME, True, Loss.LEAVE_RESUME),
    (msg.LeaveRequestAction.RECONNECT, False, Loss.LEAVE_RECONNECT),
    (msg.LeaveRequestAction(9), False, Loss.LEAVE_RECONNECT),
    (msg.LeaveRequestAction(9), True, Loss.LEAVE_RECONNECT),
]


@pytest.mark.parametrize(("action", "can_reconnect", "loss"), LEAVES)
@pytest.mark.parametrize("reason", msg.DisconnectReason)
def test_a_leave_is_told_by_its_action(
    action: msg.LeaveRequestAction,
    can_reconnect: bool,
    loss: Loss,
    reason: msg.DisconnectReason,
) -> None:
    leave = msg.LeaveRequest(action=action, can_reconnect=can_reconnect, reason=reason)
    assert loss_of_leave(leave) is loss
    dead = reason is msg.DisconnectReason.CONNECTION_TIMEOUT
    assert needs_ice_restart(loss, leave) is dead


def test_a_path_that_died_needs_an_ice_restart() -> None:
    assert needs_ice_restart(Loss.PEER, None)
    assert not needs_ice_restart(Loss.LINK, None)


def test_the_count_of_an_episode() -> None:
    recovery = Recovery(ReconnectPolicy(attempts=4, resumes=2), lambda: 1.0)
    left = [recovery.resumes_left]
    assert recovery.plan(Loss.LINK, FIRST, GOOD, 0.0) == Plan(Verdict.RESUME, 1, 0.0)
    left.append(recovery.resumes_left)
    assert recovery.plan(Loss.ATTEMPT, LATER, GOOD, 0.0) == Plan(Verdict.RESUME, 2, 0.3)
    left.append(recovery.resumes_left)
    assert left == [True, True, False]
    assert recovery.running
    assert recovery.plan(Loss.ATTEMPT, LATER, BAD, 0.0) == Plan(Verdict.RESTART, 3, 0.6)
    assert recovery.restarting
    # What the server asks for is done at once.
    assert recovery.plan(Loss.LEAVE_RECONNECT, LATER, BAD, 0.0) == Plan(Verdict.RESTART, 4, 0.0)
    assert recovery.plan(Loss.ATTEMPT, LATER, BAD, 0.0) is None
    assert recovery.cause == FIRST
    recovery.over(0.0)
    assert (recovery.running, recovery.attempt, recovery.restarting) == (False, 0, False)


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        (None, True),
        (msg.ClientConfigSetting.UNSET, True),
        (msg.ClientConfigSetting.ENABLED, True),
        (msg.ClientConfigSetting.DISABLED, False),
    ],
)
def test_the_server_may_turn_resuming_off(
    setting: msg.ClientConfigSetting | None, allowed: bool
) -> None:
    recovery = Recovery(ReconnectPolicy(), lambda: 1.0)
    said = None if setting is None else msg.ClientConfiguration(resume_connection=setting)
    recovery.allow(msg.ClientConfiguration(resume_connection=msg.ClientConfigSetting.DISABLED))
    recovery.allow(said)  # What it said last counts.
    assert recovery.situation(media=True, follows=True).allowed is allowed


def test_the_situation_is_that_of_the_episode() -> None:
    recovery = Recovery(ReconnectPolicy(resumes=1), lambda: 1.0)
    assert recovery.situation(media=True, follows=True) == GOOD
    assert recovery.situation(media=False, follows=True) == BAD
    recovery.plan(Loss.NEGOTIATION, FIRST, GOOD, 0.0)
    assert recovery.situation(media=True, follows=False) == Situation(
        allowed=True, media=True, follows=False, restarting=True, resumes_left=False
    )


@pytest.mark.parametrize("loss", Loss)
def test_what_ends_a_session_is_what_began_the_episode(loss: Loss) -> None:
    recovery = Recovery(ReconnectPolicy(), lambda: 1.0)
    assert recovery.blamed(loss, LATER) == LATER
    recovery.plan(Loss.LINK, FIRST, GOOD, 0.0)
    final = loss in (Loss.LEAVE_DISCONNECT, Loss.REFUSED)
    assert recovery.blamed(loss, LATER) == (LATER if final else FIRST)


def test_new_paths_are_wanted_for_one_episode() -> None:
    recovery = Recovery(ReconnectPolicy(), lambda: 1.0)
    recovery.plan(Loss.PEER, FIRST, GOOD, 0.0)
    recovery.ice_restart = True
    recovery.plan(Loss.ATTEMPT, LATER, GOOD, 1.0)
    assert recovery.ice_restart
    recovery.over(2.0)
    assert not recovery.ice_restart


def test_what_was_restarted_must_stand_a_while_before_the_count_begins_anew() -> None:
    recovery = Recovery(ReconnectPolicy(attempts=3, cap=7.0), lambda: 1.0)
    assert recovery.plan(Loss.LINK, FIRST, BAD, 0.0) == Plan(Verdict.RESTART, 1, 0.0)
    recovery.over(0.0)
    assert recovery.plan(Loss.LINK, LATER, BAD, 6.9) == Plan(Verdict.RESTART, 2, 0.3)
    recovery.over(7.5)
    # A resume is proof of a session that stands.
    assert recovery.plan(Loss.LINK, FIRST, GOOD, 8.0) == Plan(Verdict.RESUME, 3, 0.6)
    recovery.over(8.1)
    assert recovery.plan(Loss.LINK, FIRST, BAD, 8.2) == Plan(Verdict.RESTART, 1, 0.0)
    recovery.over(9.0)
    assert recovery.plan(Loss.LINK, FIRST, BAD, 16.0) == Plan(Verdict.RESTART, 1, 0.0)


def test_giving_up_begins_no_episode() -> None:
    for policy, loss in ((None, Loss.LINK), (ReconnectPolicy(), Loss.REFUSED)):
        recovery = Recovery(policy, lambda: 1.0)
        assert recovery.plan(loss, FIRST, GOOD, 0.0) is None
        assert not recovery.running


def test_the_policy() -> None:
    policy = ReconnectPolicy()
    bounds = [policy.delay(attempt, 1.0) for attempt in range(1, 11)]
    assert bounds == pytest.approx([0, 0.3, 0.6, 1.2, 2.4, 4.8, 7, 7, 7, 7])
    assert policy.delay(5, 0.5) == pytest.approx(1.2)
    assert policy.delay(10**6, 1.0) == 7
    for wrong in (
        {"attempts": 0},
        {"resumes": -1},
        {"base": 0.0},
        {"factor": 0.5},
        {"cap": 0.0},
    ):
        with pytest.raises(ValueError, match="ReconnectPolicy needs"):
            ReconnectPolicy(**wrong)
