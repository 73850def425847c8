"""Leaves: whenever the server says one, whatever it says, by a table of what must follow.

A server of protocol 13 and later says what it wants by an action; one before that says only whether
we may come back, and never asks for a resume. Reasons are for the reader, with two exceptions: some
say that the same call may succeed later, and one says that the path of media is dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import pytest
from livekit.protocol import models, rtc

from kitwire.commands import CloseLink, ClosePeers, LinkId, OpenLink, SendMessage
from kitwire.config import ReconnectPolicy
from kitwire.errors import CloseReason, Origin, Reason
from kitwire.events import Closed, LeaveReceived
from kitwire.reconnect_events import Lost, Restarting, Resuming
from kitwire.session.phases import Phase
from tests.peers.frames import leave
from tests.peers.lives import SessionLife, snapshot
from tests.peers.stages import MEDIA, STAGES, Stay, resumed_sid

Action = rtc.LeaveRequest

# --- what a server can say ---

NEW, OLD = 17, 12
"""Protocols of servers: with actions, and from before them."""

# What is asked of us, by what is said: (the server's protocol, action, can_reconnect).
ASKED: Final[dict[tuple[int, int, bool], str]] = {
    (NEW, Action.DISCONNECT, False): "go",
    (NEW, Action.RESUME, False): "resume",
    (NEW, Action.RECONNECT, False): "begin anew",
    (NEW, 9, False): "begin anew",  # Of a newer server: what always works.
    (OLD, 0, False): "go",
    (OLD, 0, True): "begin anew",
    # Nobody says both, but a proxy between the ages might.
    (NEW, Action.RESUME, True): "resume",
    (NEW, Action.RECONNECT, True): "begin anew",
    (NEW, 9, True): "begin anew",
}

UNKNOWN = 77
REASONS: Final = (*models.DisconnectReason.values(), UNKNOWN)
SOME_REASONS: Final = (models.CONNECTION_TIMEOUT, UNKNOWN)
# Told to go, yet the same call may succeed later.
PASSING: Final = {"SERVER_SHUTDOWN", "JOIN_FAILURE", "CONNECTION_TIMEOUT", "MEDIA_FAILURE"}

# --- what follows ---

# By the stage in which it is said, for a session that may come back and can resume.
FOLLOWS: Final[dict[str, dict[str, str]]] = {
    # What never stood does not come back.
    "joining": {"resume": "closed", "begin anew": "closed", "go": "closed"},
    "joined, media to come": {"resume": "closed", "begin anew": "closed", "go": "closed"},
    "joined": {"resume": "resume", "begin anew": "restart", "go": "closed"},
    "asking to resume": {"resume": "resume", "begin anew": "restart", "go": "closed"},
    "settling": {"resume": "resume", "begin anew": "restart", "go": "closed"},
    "resumed": {"resume": "resume", "begin anew": "restart", "go": "closed"},
    # From restarting there is no way back to resuming, until the session stands again.
    "joining anew": {"resume": "restart", "begin anew": "restart", "go": "closed"},
    "joined anew, media to come": {"resume": "restart", "begin anew": "restart", "go": "closed"},
    "joined anew": {"resume": "resume", "begin anew": "restart", "go": "closed"},
    "joined anew for a while": {"resume": "resume", "begin anew": "restart", "go": "closed"},
    # We have said that we leave, and that is why it ends.
    "leaving": {"resume": "left", "begin anew": "left", "go": "left"},
    "leaving before the join": {"resume": "left", "begin anew": "left", "go": "left"},
    "leaving while asking to resume": {"resume": "left", "begin anew": "left", "go": "left"},
}
# Before it is told, nothing is said of what comes as the first message on a link.
FIRST_MESSAGES: Final = {"joining", "asking to resume", "joining anew", "leaving before the join"}
TELLING: Final = {"joining", "joined", "asking to resume", "joining anew", "leaving"}
# Stages in which a loss is being got over, by the first attempt.
EPISODE: Final = {"asking to resume", "settling", "joining anew", "joined anew, media to come"}
# Stages in which attempts are counted on: a server that throws out whom it lets in is given up.
COUNTED: Final = EPISODE | {"joined anew"}

# Which peer connections a server resumes: by two an ICE restart comes with each resume.
RESUMABLE: Final = {"none": False, "v1 ice": True, "v1": True, "v0 ice": True, "v0": False}
# Which can find another path, where the server says that theirs is dead.
RESUMABLE_ANEW: Final = {"none": False, "v1 ice": True, "v1": False, "v0 ice": True, "v0": False}

# Stages that there are only in a life that was got over, by a resume, or in which media matters.
AFTER_A_LOSS: Final = {name for name in FOLLOWS if "anew" in name or "resum" in name} | {"settling"}
BY_RESUME: Final = {"asking to resume", "settling", "resumed", "leaving while asking to resume"}
WITH_MEDIA: Final = {"joined, media to come", "joined anew, media to come"}

STAYS: Final = [
    (stage, media, comes_back)
    for stage, media, comes_back in product(FOLLOWS, MEDIA, (True, False))
    if (comes_back or stage not in AFTER_A_LOSS)
    and (RESUMABLE[media] or stage not in BY_RESUME)
    and (media != "none" or stage not in WITH_MEDIA)
]


def expected(stage: str, media: str, asked: str, reason: int, *, comes_back: bool) -> str:
    """What follows a Leave: looked up."""
    follows = FOLLOWS[stage][asked]
    if follows == "left":
        return "left"
    if not comes_back:
        return "closed"
    dead = reason == models.CONNECTION_TIMEOUT
    if follows == "resume" and not (RESUMABLE_ANEW if dead else RESUMABLE)[media]:
        return "restart"
    return follows


def name_of(reason: int) -> str:
    return "UNKNOWN_REASON" if reason == UNKNOWN else models.DisconnectReason.Name(reason)


stays = pytest.mark.parametrize(("stage", "media", "comes_back"), STAYS)


@stays
def test_a_leave(stage: str, media: str, comes_back: bool) -> None:
    """With every reason where stages differ most, and with those that tell apart elsewhere."""
    telling = stage in TELLING and media == "v1 ice" and comes_back
    check_leaves(stage, media, REASONS if telling else SOME_REASONS, comes_back)


@pytest.mark.slow
@stays
def test_a_leave_with_every_reason(stage: str, media: str, comes_back: bool) -> None:
    check_leaves(stage, media, REASONS, comes_back)


def check_leaves(stage: str, media: str, reasons: Sequence[int], comes_back: bool) -> None:
    for (protocol, action, can_reconnect), reason in product(ASKED, reasons):
        asked = ASKED[protocol, action, can_reconnect]
        policy = ReconnectPolicy() if comes_back else None
        stay = Stay(media, reconnect=policy, protocol=protocol)
        stay.reach(stage)
        link, had_peers = stay.life.link, stay.peers is not None
        message = rtc.LeaveRequest(action=action, can_reconnect=can_reconnect, reason=reason)  # type: ignore[arg-type]  # ints, as on the wire
        stay.life.hear(rtc.SignalResponse(leave=message))
        outputs = stay.life.take()

        heard = [each for each in outputs if isinstance(each, LeaveReceived)]
        if stage in FIRST_MESSAGES:
            assert not heard
        else:
            assert outputs[0] is heard[0]
            said = (int(heard[0].action), int(heard[0].reason), heard[0].can_reconnect)
            assert said == (action, reason, can_reconnect)
        assert CloseLink(link=link) in outputs
        # The server knows, and would not listen.
        assert not [each for each in outputs if isinstance(each, SendMessage)]

        follows = expected(stage, media, asked, reason, comes_back=comes_back)
        closed = [each.reason for each in outputs if isinstance(each, Closed)]
        told = [each for each in outputs if isinstance(each, Lost | Resuming | Restarting)]
        opened = [each for each in outputs if isinstance(each, OpenLink)]
        if follows in ("closed", "left"):
            assert stay.life.reason in closed
            assert not told
            assert not opened
            if follows == "left":
                check_left(closed[0], joined=stage != "leaving before the join")
            else:
                check_cause(closed[0], reason, asked)
            continue
        assert not closed
        # One Lost for an episode, and what the server asks for is done at once.
        cause = check_cause(told[-1].cause, reason, asked)
        kind = Resuming if follows == "resume" else Restarting
        assert told == [
            *([] if stage in EPISODE else [Lost(cause=cause)]),
            kind(attempt=2 if stage in COUNTED else 1, cause=cause, next_in=0.0),
        ]
        assert stay.life.session.phase is Phase.OPENING
        assert resumed_sid(opened[0].url) == (stay.sid if follows == "resume" else None)
        # A resume keeps the peer connections, a restart none.
        gone = any(isinstance(each, ClosePeers) for each in outputs)
        assert gone is (follows == "restart" and had_peers)


def check_cause(cause: CloseReason, reason: int, asked: str) -> CloseReason:
    """The Leave is the cause; trying again makes sense unless we are told to go for good."""
    assert cause.origin is Origin.SERVER
    assert cause.reason == name_of(reason)
    assert cause.retryable is (asked != "go" or name_of(reason) in PASSING)
    return cause


def check_left(reason: CloseReason, *, joined: bool) -> None:
    """What we wanted is why it ended."""
    assert reason.origin is Origin.LOCAL
    assert reason.reason is (Reason.CLIENT_INITIATED if joined else Reason.CANCELLED)
    assert not reason.retryable


# --- where none can come ---

DEAF: Final = {
    Phase.IDLE,
    Phase.PREPARING,
    Phase.OPENING,
    Phase.VALIDATING,
    Phase.WAITING,
    Phase.CLOSED,
}


@pytest.mark.parametrize("phase", sorted(DEAF))
def test_where_no_link_is_open_no_leave_is_heard(phase: Phase) -> None:
    life = SessionLife()
    life.reach(phase)
    before = snapshot(life.session)
    for (_, action, can_reconnect), reason in product(ASKED, REASONS):
        message = rtc.LeaveRequest(action=action, can_reconnect=can_reconnect, reason=reason)  # type: ignore[arg-type]  # ints, as on the wire
        life.hear(rtc.SignalResponse(leave=message))
        assert life.take() == []
    assert snapshot(life.session) == before


def test_the_two_tables_cover_every_phase_and_every_word_of_the_protocol() -> None:
    assert {STAGES[stage].phase for stage in FOLLOWS} | DEAF == set(Phase)
    assert {STAGES[stage].phase for stage in FOLLOWS} & DEAF == set()
    new = {action for protocol, action, _ in ASKED if protocol == NEW}
    assert new > set(rtc.LeaveRequest.Action.values())
    assert {both for protocol, _, both in ASKED if protocol == OLD} == {False, True}
    assert "resume" not in {ASKED[key] for key in ASKED if key[0] == OLD}
    assert {media for _, media, _ in STAYS} == set(MEDIA)
    assert set(models.DisconnectReason.keys()) > PASSING


# --- the rest of the stay ---


def test_a_leave_on_the_old_link_is_not_heard_any_more() -> None:
    for asked, stage in product((*Action.Action.values(), 9), ("dialing a resume", "resumed")):
        stay = Stay("v1 ice", reconnect=ReconnectPolicy())
        stay.reach(stage)
        old = LinkId(1)
        before = snapshot(stay.life.session)
        message = leave(models.DUPLICATE_IDENTITY, asked)  # type: ignore[arg-type]  # an int, as on the wire
        frame = message.SerializeToString()
        stay.life.session.receive_message(old, frame, now=stay.life.now)
        assert stay.life.take() == []
        assert snapshot(stay.life.session) == before
