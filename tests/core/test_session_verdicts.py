"""What follows each loss in a living session: cause by stage, peer connections and configuration.

The table of the code itself is held in `test_session_recovery.py`; here it is held to what a
session does, by words of our own.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Final, NamedTuple

import pytest
from livekit.protocol import models, rtc

from kitwire.commands import OpenLink
from kitwire.config import PathVersion, ReconnectPolicy, Timeouts
from kitwire.errors import DialError, Origin
from kitwire.events import Closed, Joined
from kitwire.reconnect_events import Lost, Restarted, Restarting, Resuming
from kitwire.session.phases import Phase
from tests.peers.stages import MEDIA, STAGES, Stay, resumed_sid

# --- what can happen ---


def closes(stay: Stay) -> None:
    stay.life.cut(1000)


def talks_nonsense(stay: Stay) -> None:
    for _ in range(5):
        stay.life.hear_frame(b"\xff")


def says_nothing(stay: Stay) -> None:
    """Let time pass until the session does something about it, for at most a minute."""
    phase, begun = stay.life.session.phase, stay.life.now
    while stay.life.session.phase is phase:
        assert stay.life.session.deadline is not None
        stay.life.now = stay.life.session.deadline
        assert stay.life.now < begun + 60
        stay.life.session.handle_timeout(now=stay.life.now)


def only_answers_pings(stay: Stay) -> None:
    phase = stay.life.session.phase
    for _ in range(60):
        stay.life.hear(rtc.SignalResponse(pong=1))
        stay.life.wait(0.5)
        if stay.life.session.phase is not phase:
            return


def fails_to_dial(stay: Stay) -> None:
    stay.life.session.link_failed(stay.life.link, DialError.REFUSED, now=stay.life.now)


def shows_a_bad_certificate(stay: Stay) -> None:
    stay.life.session.link_failed(stay.life.link, DialError.TLS, now=stay.life.now)


def is_full(stay: Stay) -> None:
    stay.life.refuse(503)
    stay.life.answer_get(503)


def knows_the_token_no_more(stay: Stay) -> None:
    stay.life.refuse(401, b"invalid token")
    stay.life.answer_get(401, b"invalid token")


def breaks_the_path(stay: Stay) -> None:
    stay.break_down()


def closes_the_path(stay: Stay) -> None:
    stay.shut()
    stay.life.wait(Timeouts().close)


def closes_the_path_and_the_link(stay: Stay) -> None:
    stay.shut()
    assert not [each for each in stay.life.take() if isinstance(each, Resuming | Restarting)]
    stay.cut()


def cannot_negotiate(stay: Stay) -> None:
    stay.fail()


def leaves(
    action: rtc.LeaveRequest.Action, reason: models.DisconnectReason
) -> Callable[[Stay], None]:
    message = rtc.SignalResponse(leave=rtc.LeaveRequest(action=action, reason=reason))
    return lambda stay: stay.life.hear(message)


# --- what follows ---

RESUME, RESTART, END = "resume", "restart", "end"
# Only what was connected can be resumed; by two peer connections each resume restarts ICE.
PATH_LIVES: Final = {
    "none": RESTART,
    "v1 ice": RESUME,
    "v1": RESUME,
    "v0 ice": RESUME,
    "v0": RESTART,
}
PATH_IS_DEAD: Final = {
    "none": RESTART,
    "v1 ice": RESUME,
    "v1": RESTART,
    "v0 ice": RESUME,
    "v0": RESTART,
}
ANEW: Final = dict.fromkeys(MEDIA, RESTART)
FOR_GOOD: Final = dict.fromkeys(MEDIA, END)

STANDING: Final = ("joined", "resumed", "joined anew", "joined anew for a while")
LINKED: Final = (*STANDING, "settling", "joined anew, media to come")
ASKING: Final = ("asking to resume", "joining anew")
DIALING: Final = ("dialing a resume", "dialing a restart")
HEARING: Final = (*LINKED, *ASKING)
WITH_PEERS: Final = (*STANDING, "joined anew, media to come")


class Cause(NamedTuple):
    happens: Callable[[Stay], None]
    where: tuple[str, ...]
    follows: dict[str, str]


GO_ON, GO = rtc.LeaveRequest.RESUME, rtc.LeaveRequest.DISCONNECT
CAUSES: Final = {
    "the link is cut": Cause(Stay.cut, HEARING, PATH_LIVES),
    "the link is closed": Cause(closes, HEARING, PATH_LIVES),
    "nothing can be read": Cause(talks_nonsense, HEARING, PATH_LIVES),
    "silence": Cause(says_nothing, STANDING, PATH_LIVES),
    "no first message": Cause(says_nothing, ASKING, PATH_LIVES),
    "no answer to the dial": Cause(says_nothing, DIALING, PATH_LIVES),
    "nobody is there": Cause(fails_to_dial, DIALING, PATH_LIVES),
    "the server is full": Cause(is_full, DIALING, PATH_LIVES),
    "a bad token": Cause(knows_the_token_no_more, DIALING, FOR_GOOD),
    "a bad certificate": Cause(shows_a_bad_certificate, DIALING, FOR_GOOD),
    "a dead path": Cause(breaks_the_path, WITH_PEERS, PATH_IS_DEAD),
    "a closed path": Cause(closes_the_path, WITH_PEERS, ANEW),
    "a closed path, and no link": Cause(closes_the_path_and_the_link, WITH_PEERS, ANEW),
    "no negotiation": Cause(cannot_negotiate, WITH_PEERS, ANEW),
    "nothing settles": Cause(only_answers_pings, ("settling", "joined anew, media to come"), ANEW),
    "asked to resume": Cause(leaves(GO_ON, models.MIGRATION), HEARING, PATH_LIVES),
    "told of a dead path": Cause(leaves(GO_ON, models.CONNECTION_TIMEOUT), HEARING, PATH_IS_DEAD),
    "asked to begin anew": Cause(Stay.begin_anew, HEARING, ANEW),
    "told to go": Cause(leaves(GO, models.ROOM_DELETED), HEARING, FOR_GOOD),
}
NEEDS_PEERS: Final = {
    "a dead path",
    "a closed path",
    "a closed path, and no link",
    "no negotiation",
    "nothing settles",
}

BY_RESUME: Final = {"resumed", "settling", "asking to resume", "dialing a resume"}
# From here there is no way back to resuming.
RESTARTING: Final = {"joining anew", "joined anew, media to come", "dialing a restart"}


class Setting(NamedTuple):
    """What the server's client configuration says at a join, and at a resume; and our policy."""

    resumes: models.ClientConfigSetting = models.UNSET
    later: models.ClientConfigSetting | None = None
    policy: ReconnectPolicy = ReconnectPolicy()


SETTINGS: Final = {
    "usual": Setting(),
    "enabled": Setting(models.ENABLED),
    "disabled": Setting(models.DISABLED),
    "disabled later": Setting(models.ENABLED, models.DISABLED),
    "enabled later": Setting(models.DISABLED, models.ENABLED),
    "no resumes": Setting(policy=ReconnectPolicy(resumes=0)),
}
# Under which settings a stage by a resume is reached, and under which one more may follow there.
RESUMES: Final = {"usual", "enabled", "disabled later"}
RESUMES_AGAIN: Final = {"usual", "enabled"}
TOLD_LATER: Final = {"resumed", "settling"}


def rows() -> list[tuple[str, str, str, str]]:
    found = []
    for cause, media, setting in product(CAUSES, MEDIA, SETTINGS):
        for stage in CAUSES[cause].where:
            by_resume = PATH_LIVES[media] is RESUME and setting in RESUMES
            if stage in BY_RESUME and not by_resume:
                continue
            if media == "none" and (cause in NEEDS_PEERS or "media" in stage):
                continue
            found.append((cause, stage, media, setting))
    return found


def expected(cause: str, stage: str, media: str, setting: str) -> str:
    follows = CAUSES[cause].follows[media]
    if follows is not RESUME:
        return follows
    allowed = RESUMES_AGAIN if stage in TOLD_LATER else RESUMES
    return RESTART if stage in RESTARTING or setting not in allowed else RESUME


@pytest.mark.parametrize("cause", CAUSES)
def test_what_follows(cause: str) -> None:
    lives = [row for row in rows() if row[0] == cause]
    assert lives
    for _, stage, media, setting in lives:
        resumes, later, policy = SETTINGS[setting]
        stay = Stay(media, reconnect=policy, resumes=resumes, later=later)
        stay.reach(stage)
        CAUSES[cause].happens(stay)
        follows = expected(cause, stage, media, setting)
        assert verdict(stay) == follows, (stage, media, setting)


def verdict(stay: Stay) -> str:
    """What the session does about it, which must be one thing."""
    outputs = stay.life.take()
    closed = [each for each in outputs if isinstance(each, Closed)]
    attempts = [each for each in outputs if isinstance(each, Resuming | Restarting)]
    assert len(closed) + len(attempts) == 1
    if closed:
        assert stay.life.session.closed
        return END
    stay.life.session.reconnect_now(now=stay.life.now)
    opened = [each for each in (*outputs, *stay.life.take()) if isinstance(each, OpenLink)]
    resumes = isinstance(attempts[0], Resuming)
    # The word is kept.
    assert [resumed_sid(each.url) for each in opened] == [stay.sid if resumes else None]
    return RESUME if resumes else RESTART


def test_the_table_has_every_stage_after_a_loss() -> None:
    stages = {stage for _, stage, _, _ in rows()}
    assert stages == {name for name in STAGES if "leaving" not in name} - NEVER_STOOD
    for setting, media in product(SETTINGS, MEDIA):
        assert any(row[2:] == (media, setting) for row in rows())


# --- what is not brought back ---

NEVER_STOOD: Final = {"joining", "joined, media to come"}
AT_FIRST: Final = {
    "joining": [name for name in CAUSES if "asking to resume" in CAUSES[name].where],
    "joined, media to come": [
        name for name in CAUSES if "joined anew, media to come" in CAUSES[name].where
    ],
}


@pytest.mark.parametrize("stage", sorted(NEVER_STOOD))
def test_what_never_stood_is_not_brought_back(stage: str) -> None:
    for cause, media in product(AT_FIRST[stage], MEDIA):
        if media == "none" and (cause in NEEDS_PEERS or "media" in stage):
            continue
        if cause == "nothing settles" and MEDIA[media].path is PathVersion.V0:
            continue  # The first offer is the server's, which gives us up after a minute without.
        stay = Stay(media, reconnect=ReconnectPolicy())
        stay.reach(stage)
        CAUSES[cause].happens(stay)
        over(stay)


@pytest.mark.parametrize("media", MEDIA)
def test_without_a_policy_every_loss_is_the_end(media: str) -> None:
    for cause in (name for name in CAUSES if "joined" in CAUSES[name].where):
        if media == "none" and cause in NEEDS_PEERS:
            continue
        stay = Stay(media, reconnect=None)
        stay.reach("joined")
        CAUSES[cause].happens(stay)
        over(stay)


def over(stay: Stay) -> None:
    assert stay.life.session.phase in (Phase.CLOSING, Phase.CLOSED)
    stay.life.wait(10)
    assert stay.life.reason.origin is not Origin.LOCAL
    told = [each for each in stay.life.take() if isinstance(each, Lost | Resuming | Restarting)]
    assert not told


# --- what waits for the next attempt ---


@pytest.mark.parametrize("stage", ["dialing a resume", "asking to resume", "settling"])
@pytest.mark.parametrize(
    ("media", "happens", "follows"),
    [
        ("v1 ice", breaks_the_path, RESUME),
        ("v0 ice", breaks_the_path, RESUME),
        ("v1", breaks_the_path, RESTART),
        ("v1 ice", cannot_negotiate, RESTART),
        ("v0 ice", cannot_negotiate, RESTART),
        ("v1", cannot_negotiate, RESTART),
    ],
)
def test_peer_connections_that_fail_meanwhile_are_heeded_by_the_next_attempt(
    stage: str, media: str, happens: Callable[[Stay], None], follows: str
) -> None:
    stay = Stay(media, reconnect=ReconnectPolicy())
    stay.reach(stage)
    happens(stay)
    assert not [each for each in stay.life.take() if isinstance(each, Resuming | Restarting)]
    stay.cut()
    assert verdict(stay) == follows


# --- a new session in answer to a resume ---


@pytest.mark.parametrize("media", [name for name in MEDIA if PATH_LIVES[name] is RESUME])
def test_a_join_in_answer_to_a_resume_is_a_restart_like_any_other(media: str) -> None:
    stay = Stay(media, reconnect=ReconnectPolicy())
    stay.reach("asking to resume")
    first = stay.peers
    stay.join()
    stay.flow()
    assert stay.peers != first
    told = [each for each in stay.life.take() if isinstance(each, Joined | Restarted)]
    assert [type(each) for each in told] == [Joined, Restarted]
    assert isinstance(told[1], Restarted)
    assert told[1].sid == stay.sid == "PA_2"


@pytest.mark.parametrize("media", [name for name in MEDIA if PATH_LIVES[name] is RESUME])
def test_a_new_session_that_is_lost_before_it_stands_is_not_resumed(media: str) -> None:
    """Else `Resumed` would tell of a session that nobody had, and of no track that was lost."""
    stay = Stay(media, reconnect=ReconnectPolicy(), datagrams=True)
    stay.reach("asking to resume")
    stay.join()
    stay.flow()  # Connected, and no datagram has come yet: the episode goes on.
    assert not [each for each in stay.life.take() if isinstance(each, Restarted)]
    stay.cut()
    assert verdict(stay) == RESTART
