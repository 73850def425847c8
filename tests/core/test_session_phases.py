"""The phase table, pair by pair, against what a real session does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from livekit.protocol import models, rtc

from kitwire.commands import HttpGet, OpenLink, PeersId, PeerState
from kitwire.config import ClientConfig, ReconnectPolicy
from kitwire.errors import LocalProtocolError
from kitwire.events import Closed, ProtocolViolated
from kitwire.session.phases import TRANSITIONS, Phase, Trigger, next_phase
from tests.peers.frames import join, leave
from tests.peers.lives import TOKEN, URL, SessionLife, configured, lasting, preparing, snapshot
from tests.peers.media_lives import PEERS, PUB

# What happens to a session that was never lost, and what happens after a loss, where the same phase
# may be left in another way.
RECOVERING = {Trigger.RECOVER, Trigger.RETRY, Trigger.RESUME, Trigger.SETTLED}
# What happens only where there are other places.
ELSEWHERE = {Trigger.ASK, Trigger.MOVE}
PAIRS = [
    (phase, trigger)
    for phase, trigger in product(Phase, Trigger)
    if phase not in (Phase.SETTLING, Phase.WAITING) and trigger not in RECOVERING | ELSEWHERE
]

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
    if (phase, trigger) == (Phase.PREPARING, Trigger.LOST):
        # No link is there to be lost.
        life.session.peer_failed(PEERS, PUB, "no address", now=life.now)
        assert life.session.phase is expected
    elif expected is not None:
        STIMULI[trigger](life)
        assert life.session.phase is expected
        assert snapshot(life.session) != before
    elif (phase, trigger) == LOST_EXPLANATION:
        STIMULI[trigger](life)
        assert life.session.phase is TRANSITIONS[phase, Trigger.EXPLAINED]
    elif trigger in CALLS and (phase, trigger) not in HARMLESS:
        with pytest.raises(LocalProtocolError) as caught:
            STIMULI[trigger](life)
        allowed = (str(Phase.IDLE),)
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


def lost(life: SessionLife) -> None:
    life.establish()
    life.cut()


def waiting_to_restart(life: SessionLife) -> None:
    life.establish()
    life.cut()
    life.open()
    life.hear(leave(action=rtc.LeaveRequest.RECONNECT))  # Restarts at once.
    life.session.peer_failed(PeersId(2), PUB, "no address", now=life.now)


def reconnect(life: SessionLife) -> None:
    life.hear(rtc.SignalResponse(reconnect=rtc.ReconnectResponse()))


def refused(life: SessionLife) -> None:
    lost(life)
    life.refuse(500)


def opened(life: SessionLife) -> None:
    lost(life)
    life.open()


def unsettled(life: SessionLife) -> None:
    life.establish(PeerState.DISCONNECTED)
    life.cut()
    life.open()
    reconnect(life)


def at_once(life: SessionLife) -> None:
    life.session.reconnect_now(now=life.now)


def connected(life: SessionLife) -> None:
    life.session.peer_state_changed(PEERS, PUB, PeerState.CONNECTED, now=life.now)


def waits(life: SessionLife) -> None:
    lost(life)
    life.cut()


def preparing_again(life: SessionLife) -> None:
    waiting_to_restart(life)
    at_once(life)


def no_offer(life: SessionLife) -> None:
    life.session.peer_failed(PeersId(3), PUB, "no address", now=life.now)


OWN = ClientConfig(url=URL, token=TOKEN, ice_servers=())
ONCE = ClientConfig(url=URL, token=TOKEN, reconnect=ReconnectPolicy(attempts=1))
PLAIN = configured()
_Act = Callable[[SessionLife], None]

# How a pair comes about after a loss: the config, the way there, and what happens then.
AFTER_A_LOSS: dict[tuple[Phase, Trigger], tuple[ClientConfig, _Act, _Act]] = {
    (Phase.JOINED, Trigger.RECOVER): (PLAIN, SessionLife.establish, SessionLife.cut),
    (Phase.OPENING, Trigger.RECOVER): (PLAIN, lost, SessionLife.cut),
    (Phase.VALIDATING, Trigger.RECOVER): (PLAIN, refused, lambda life: life.answer_get(200)),
    (Phase.JOINING, Trigger.RECOVER): (PLAIN, opened, SessionLife.cut),
    (Phase.SETTLING, Trigger.RECOVER): (PLAIN, unsettled, SessionLife.cut),
    (Phase.PREPARING, Trigger.RECOVER): (OWN, preparing_again, no_offer),
    (Phase.JOINING, Trigger.RESUME): (PLAIN, opened, reconnect),
    (Phase.SETTLING, Trigger.SETTLED): (PLAIN, unsettled, connected),
    (Phase.SETTLING, Trigger.LEAVE): (PLAIN, unsettled, lambda life: life.hear(leave())),
    (Phase.SETTLING, Trigger.LOST): (ONCE, unsettled, SessionLife.cut),
    (Phase.SETTLING, Trigger.CLOSE): (PLAIN, unsettled, SessionLife.close),
    (Phase.WAITING, Trigger.RETRY): (PLAIN, waits, at_once),
    (Phase.WAITING, Trigger.PREPARE): (OWN, waiting_to_restart, at_once),
    (Phase.WAITING, Trigger.CLOSE): (PLAIN, waits, SessionLife.close),
}


REGIONS = b'{"regions":[{"url":"wss://one.test"},{"url":"wss://two.test"}]}'


def refused_at_first(life: SessionLife) -> None:
    life.connect()
    life.refuse(500)


def opened_at_first(life: SessionLife) -> None:
    life.connect()
    life.open()


def asking(life: SessionLife) -> None:
    life.connect()
    life.cut()


def known(life: SessionLife) -> None:
    asking(life)
    life.answer_get(200, REGIONS)


def known_and_opened(life: SessionLife) -> None:
    known(life)
    life.open()


# How a pair comes about where there are other places: the way there, and what happens then.
WITH_REGIONS: dict[tuple[Phase, Trigger], tuple[_Act, _Act]] = {
    (Phase.OPENING, Trigger.ASK): (SessionLife.connect, SessionLife.cut),
    (Phase.VALIDATING, Trigger.ASK): (refused_at_first, lambda life: life.answer_get(200)),
    (Phase.JOINING, Trigger.ASK): (opened_at_first, SessionLife.cut),
    (Phase.OPENING, Trigger.MOVE): (known, SessionLife.cut),
    (Phase.VALIDATING, Trigger.MOVE): (asking, lambda life: life.answer_get(200, REGIONS)),
    (Phase.JOINING, Trigger.MOVE): (known_and_opened, SessionLife.cut),
}


PASSED = {
    (Phase.JOINED, Trigger.RECOVER): Trigger.RETRY,
    (Phase.JOINING, Trigger.RESUME): Trigger.SETTLED,
}


@pytest.mark.parametrize(("phase", "trigger"), AFTER_A_LOSS, ids=str)
def test_every_other_pair_after_a_loss(phase: Phase, trigger: Trigger) -> None:
    config, way, act = AFTER_A_LOSS[phase, trigger]
    life = SessionLife(lasting(config))
    way(life)
    assert life.session.phase is phase
    act(life)
    expected = TRANSITIONS[phase, trigger]
    # Some phases are passed through: the first attempt is made at once, and where media lives there
    # is nothing to settle.
    passed = PASSED.get((phase, trigger))
    assert life.session.phase is (TRANSITIONS[expected, passed] if passed else expected)


@pytest.mark.parametrize(("phase", "trigger"), WITH_REGIONS, ids=str)
def test_every_other_pair_among_many_places(phase: Phase, trigger: Trigger) -> None:
    way, act = WITH_REGIONS[phase, trigger]
    life = SessionLife(replace(PLAIN, url="wss://project.livekit.cloud"))
    way(life)
    assert life.session.phase is phase
    links = life.link
    act(life)
    assert life.session.phase is TRANSITIONS[phase, trigger]
    assert life.link == links + 1
    asked = isinstance(life.outputs[-1], HttpGet)
    assert asked is (trigger is Trigger.ASK)


def test_the_tests_together_cover_the_table() -> None:
    assert set(TRANSITIONS) - set(PAIRS) == set(AFTER_A_LOSS) | set(WITH_REGIONS)


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


def test_the_life_is_linear_but_for_other_ways_in_and_the_next_attempt() -> None:
    """No other way leads back."""
    order = list(Phase)
    backwards = {
        (phase, trigger)
        for (phase, trigger), to in TRANSITIONS.items()
        if order.index(to) <= order.index(phase)
    }
    assert backwards == {
        (Phase.OPENING, Trigger.FALL_BACK),
        *WITH_REGIONS.keys() - {(Phase.OPENING, Trigger.ASK)},
        (Phase.WAITING, Trigger.RETRY),
        (Phase.WAITING, Trigger.PREPARE),
    }


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
