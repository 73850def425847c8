"""Who is missing after a resume, alone."""

from __future__ import annotations

from kitwire.events import Joined, ParticipantsUpdated, RoomMoved
from kitwire.messages import JoinResponse, ParticipantInfo, ParticipantInfoState
from kitwire.session.dispatch import joined_of
from kitwire.session.roll import Roll

US = ParticipantInfo(sid="PA_us", identity="us")
BOB = ParticipantInfo(sid="PA_bob", identity="bob")
EVE = ParticipantInfo(sid="PA_eve", identity="eve")


def joined(*others: ParticipantInfo) -> Joined:
    return joined_of(JoinResponse(participant=US, other_participants=[*others]), "/rtc/v1")


def update(*participants: ParticipantInfo) -> ParticipantsUpdated:
    return ParticipantsUpdated(participants=participants)


def sids(roll: Roll) -> list[str]:
    return [one.sid for one in roll.missing()]


def test_who_is_not_named_with_ourselves_is_missing_once() -> None:
    roll = Roll()
    roll.begin(joined(BOB, EVE))
    assert sids(roll) == []
    roll.call()
    roll.heard(update(EVE))
    assert sids(roll) == []  # We have not been named.
    roll.heard(update(US))
    (gone,) = roll.missing()
    assert (gone.sid, gone.state) == ("PA_bob", ParticipantInfoState.DISCONNECTED)
    assert BOB.state is not ParticipantInfoState.DISCONNECTED
    assert sids(roll) == []
    roll.call()
    roll.heard(update(US, EVE))
    assert sids(roll) == []


def test_who_left_before_is_not_missed_and_who_came_is() -> None:
    roll = Roll()
    roll.begin(joined(BOB))
    left = ParticipantInfo(sid="PA_bob", state=ParticipantInfoState.DISCONNECTED)
    roll.heard(update(left, EVE))
    roll.call()
    roll.heard(update(US))
    assert sids(roll) == ["PA_eve"]


def test_another_room_has_other_people() -> None:
    roll = Roll()
    roll.begin(joined(BOB))
    me = ParticipantInfo(sid="PA_me")
    roll.moved(RoomMoved(room=None, token="", participant=me, other_participants=(EVE, me)))
    roll.call()
    roll.heard(update(me))
    assert sids(roll) == ["PA_eve"]
