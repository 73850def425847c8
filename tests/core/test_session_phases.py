"""The phase table, pair by pair, against what a real session does."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from livekit.protocol import models, rtc

from kitwire.commands import HttpGet, OpenLink
from kitwire.errors import LocalProtocolError
from kitwire.events import Closed, ProtocolViolated
from kitwire.session.phases import TRANSITIONS, Phase, Trigger, next_phase
from tests.peers.frames import join, leave
from tests.peers.lives import SessionLife, configured, preparing, snapshot
from tests.peers.media_lives import PEERS, PUB

PAIRS = list(product(Phase, Trigger))

# One way in which each trigger reaches a session. Three are calls of the application's; the rest
# comes from the server, and one from the owner of the peer connections.
CALLS = {Trigger.CONNECT: "connect", Trigger.PREPARE: "connect", Trigger.CLOSE: "close"}
STIMULI: dict[Trigger, Callable[[SessionLife], None]] = {
    Trigger.PREPARE: SessionLife.connect,
    Trigger.PREPARED: lambda life: life.session.offer_made(PEERS, PUB, 1, "sdp", now=life.now),
    Trigger.CONNECT: SessionLife.connect,
    Trigger.OPENED: SessionLife.open,
    Trigger.FALL_BACK: lambda life: life.refuse(404),
    Trigger.REFUSED: lambda life: life.refuse(401),
    Trigger.EXPLAINED: lambda life: life.answer_get(200, b"success"),
    Trigger.JOIN: lambda life: life.hear(join()),
    Trigger.LEAVE: lambda life: life.hear(leave()),
    Trigger.LOST: lambda life: life.cut(1006),
    Trigger.CLOSE: SessionLife.close,
}

# What the table has no line for although the session answers: a GET that is lost explains as little
# as one that is answered with nothing new, and a second close is harmless rather than refused.
LOST_EXPLANATION = (Phase.VALIDATING, Trigger.LOST)
HARMLESS = {(Phase.CLOSING, Trigger.CLOSE), (Phase.CLOSED, Trigger.CLOSE)}


@pytest.mark.parametrize(("phase", "trigger"), PAIRS, ids=str)
def test_every_pair_is_in_the_table_or_changes_nothing(phase: Phase, trigger: Trigger) -> None:
    life = SessionLife(preparing(configured()) if trigger is Trigger.PREPARE else None)
    life.reach(phase)
    before = snapshot(life.session)
    expected = TRANSITIONS.get((phase, trigger))
    if expected is not None:
        STIMULI[trigger](life)
        assert life.session.phase is expected
        assert snapshot(life.session) != before
    elif (phase, trigger) == LOST_EXPLANATION:
        STIMULI[trigger](life)
        assert life.session.phase is TRANSITIONS[phase, Trigger.EXPLAINED]
    elif trigger in CALLS and (phase, trigger) not in HARMLESS:
        with pytest.raises(LocalProtocolError) as caught:
            STIMULI[trigger](life)
        allowed = tuple(str(one) for one in Phase if (one, trigger) in TRANSITIONS)
        assert caught.value.method == CALLS[trigger]
        assert caught.value.phase == phase
        assert caught.value.allowed == allowed
        assert all(word in str(caught.value) for word in (CALLS[trigger], phase, *allowed))
        assert snapshot(life.session) == before
    elif phase is Phase.JOINED and trigger is Trigger.JOIN:
        STIMULI[trigger](life)
        assert life.session.phase is Phase.JOINED
        assert life.take() == [ProtocolViolated(detail="join in the middle of a session")]
    else:
        STIMULI[trigger](life)
        assert life.session.phase is phase
        violated = [ProtocolViolated(detail="join in the middle of a session")]
        heard_while_closing = phase is Phase.CLOSING and trigger is Trigger.JOIN
        assert life.take() == (violated if heard_while_closing else [])
        assert snapshot(life.session) == before


def test_next_phase_reads_the_table() -> None:
    for pair in PAIRS:
        assert next_phase(*pair) is TRANSITIONS.get(pair)


def test_every_phase_and_trigger_is_used() -> None:
    assert {phase for phase, _ in TRANSITIONS} == set(Phase) - {Phase.CLOSED}
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)
    assert set(TRANSITIONS.values()) == set(Phase) - {Phase.IDLE}


def test_every_phase_leads_to_closed() -> None:
    for start in set(Phase) - {Phase.CLOSED}:
        reached = {start}
        for _ in Phase:
            reached |= {to for (phase, _), to in TRANSITIONS.items() if phase in reached}
        assert Phase.CLOSED in reached, start


def test_the_life_is_linear_but_for_the_fallback() -> None:
    """No way leads back: a joined session cannot become an opening one."""
    order = list(Phase)
    backwards = {
        (phase, trigger)
        for (phase, trigger), to in TRANSITIONS.items()
        if order.index(to) <= order.index(phase)
    }
    assert backwards == {(Phase.OPENING, Trigger.FALL_BACK)}


@pytest.mark.parametrize("phase", Phase)
def test_close_ends_every_phase_with_one_closed(phase: Phase) -> None:
    life = SessionLife()
    life.reach(phase)
    life.close()
    life.wait(60)
    assert life.reason is not None
    assert isinstance(life.outputs[-1], Closed)
    opened = {item.link for item in life.outputs if isinstance(item, OpenLink | HttpGet)}
    assert life.let_go() == opened
    assert life.session.deadline is None


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[Phase.CLOSED, Trigger.CONNECT] = Phase.OPENING  # type: ignore[index]  # the point


def test_a_leave_that_follows_a_leave_is_not_heard() -> None:
    life = SessionLife()
    life.reach(Phase.JOINED)
    life.hear(leave(models.ROOM_DELETED))
    life.hear(leave(models.DUPLICATE_IDENTITY), rtc.SignalResponse(refresh_token="late"))
    assert life.reason.reason == "ROOM_DELETED"
