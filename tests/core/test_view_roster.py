"""Which news of somebody is old, and who is there."""

from __future__ import annotations

import pytest

from kitwire.messages import ParticipantInfo
from kitwire.view.roster import Roster, began
from kitwire.view.snapshots import Participant


def info(sid: str, identity: str = "bob", version: int = 3, at: int = 5) -> ParticipantInfo:
    return ParticipantInfo(sid=sid, identity=identity, version=version, joined_at_ms=at)


def one(sid: str, identity: str = "bob", version: int = 3, at: int = 5) -> Participant:
    return Participant(info=info(sid, identity, version, at), local=False)


def test_a_stay_began_when_the_server_says_in_either_unit() -> None:
    assert began(ParticipantInfo(joined_at=2)) == 2000
    assert began(ParticipantInfo(joined_at=2, joined_at_ms=2345)) == 2345
    assert began(ParticipantInfo()) == 0


@pytest.mark.parametrize(
    ("news", "old"),
    [
        (info("PA_1", version=2), True),
        (info("PA_1", version=3), False),
        (info("PA_1", version=4), False),
        (info("PA_2", version=1, at=4), True),
        (info("PA_2", version=1, at=5), False),
        (info("PA_2", version=1, at=6), False),
        (info("PA_2", version=1, at=0), False),
        (info("PA_2", "eve", version=0, at=1), False),
        (info("", version=2), True),
        (info("", version=3), False),
    ],
)
def test_old_news(news: ParticipantInfo, old: bool) -> None:
    roster = Roster()
    roster.put(one("PA_1"))
    assert roster.is_old(news) is old


def test_news_of_a_stay_that_ended() -> None:
    roster = Roster()
    roster.put(one("PA_1"))
    roster.remove(one("PA_1"), version=3)
    assert roster.is_old(info("PA_1", version=3))
    assert not roster.is_old(info("PA_1", version=4))
    roster.end("PA_1")
    assert roster.is_old(info("PA_1", version=1_000_000))
    roster.forget()
    assert not roster.is_old(info("PA_1", version=0))


def test_removing_an_earlier_stay_leaves_the_later_one() -> None:
    roster = Roster()
    first, second = one("PA_1"), one("PA_2")
    roster.put(first)
    roster.put(second)
    roster.remove(first)
    assert roster.by_identity("bob") is second
    assert list(roster) == [second]
    assert roster.everybody == {"PA_2": second}
    roster.remove(second)
    assert roster.by_identity("bob") is None
    roster.remove(second)
    assert list(roster) == []


def test_whom_news_is_about() -> None:
    roster = Roster()
    somebody = one("PA_1")
    roster.put(somebody)
    assert roster.known(info("PA_1", "other")) is somebody
    assert roster.known(info("")) is somebody
    assert roster.known(info("PA_2")) is None
