"""Frames read, counted, and kept for a while; with bounds on all of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from kitwire.config import Limits
from kitwire.events import Closed, FrameRejected, Joined, TokenRefreshed, UnknownMessage
from kitwire.session.incoming import Incoming, Item
from kitwire.session.phases import Phase
from tests.peers.frames import join, said
from tests.peers.lives import SessionLife, configured, snapshot

GOOD = said(rtc.SignalResponse(refresh_token="t"))
BAD = b"\x0a\xff"
ITEM: Item = ("refresh_token", "t")


def incoming(**limits: int) -> Incoming:
    return Incoming(Limits(**limits))


def early(frames: Incoming) -> int:
    """How many messages are held at this moment."""
    shown = snapshot(frames)
    return repr(shown).count("refresh_token")


# --- reading ---


def test_a_frame_is_what_it_says() -> None:
    frames = incoming()
    assert frames.read(GOOD) == ("refresh_token", "t")
    assert frames.read('{"refreshToken": "t"}') == ("refresh_token", "t")
    assert frames.read(b"") == UnknownMessage(field_numbers=())
    assert frames.read(b"\x9a\x06\x00") == UnknownMessage(field_numbers=(99,))
    assert frames.hopeless == ""


@pytest.mark.parametrize("frame", [BAD, "{", "[]", "\ud800"])
def test_a_frame_that_is_none_is_rejected(frame: bytes | str) -> None:
    rejected = incoming().read(frame)
    assert isinstance(rejected, FrameRejected)
    assert rejected.size == len(frame)
    assert rejected.detail


def test_a_frame_beyond_the_limit_is_not_read() -> None:
    frames = incoming(receive=len(GOOD))
    assert frames.read(GOOD) == ITEM
    assert isinstance(frames.read(GOOD + b"\x9a\x06\x00"), FrameRejected)


@given(st.binary(max_size=50) | st.text(max_size=50))
def test_reading_never_raises(frame: bytes | str) -> None:
    incoming().read(frame)


def test_malformed_frames_count_in_a_row() -> None:
    frames = incoming(malformed_frames=3)
    for frame in (BAD, BAD, GOOD, BAD, BAD, b"", BAD, BAD):
        frames.read(frame)
        assert frames.hopeless == ""
    frames.read(BAD)
    assert frames.hopeless == "3 malformed frames in a row"


# --- keeping ---


def test_what_is_kept_comes_back_in_order_and_once() -> None:
    frames = incoming()
    items: list[Item] = [
        ITEM,
        UnknownMessage(field_numbers=(99,)),
        FrameRejected(detail="x", size=1),
        ("refresh_token", "u"),
    ]
    for item in items:
        frames.keep(item, 1)
    assert frames.kept() == tuple(items)
    assert frames.kept() == ()


def test_at_most_a_hundred_messages_are_kept() -> None:
    frames = incoming()
    for _ in range(100):
        frames.keep(ITEM, 4)
    assert frames.hopeless == ""
    for _ in range(50):
        frames.keep(ITEM, 4)
        assert frames.hopeless == "more than 100 messages came before the join"
        assert early(frames) == 100
    assert len(frames.kept()) == 100
    assert early(frames) == 0


def test_at_most_a_messages_worth_of_bytes_is_kept() -> None:
    frames = incoming(receive=1000)
    for _ in range(10):
        frames.keep(ITEM, 100)
    assert frames.hopeless == ""
    for _ in range(3):
        frames.keep(ITEM, 1)
        assert frames.hopeless == "more than 1000 bytes came before the join"
        assert early(frames) == 10


def test_frames_of_which_nothing_is_kept_weigh_nothing() -> None:
    frames = incoming(receive=1000)
    frames.keep(FrameRejected(detail="too large", size=10_000), 10_000)
    frames.keep(UnknownMessage(field_numbers=(99,)), 900)
    frames.keep(ITEM, 1000)
    assert frames.hopeless == ""


def test_what_was_given_up_weighs_nothing() -> None:
    frames = incoming(receive=1000)
    for _ in range(5):
        frames.keep(ITEM, 1000)
        assert frames.kept() == (ITEM,)
    assert frames.hopeless == ""


# --- in a session ---


def test_a_session_holds_no_more_than_that_before_the_join() -> None:
    life = SessionLife()
    life.reach(Phase.JOINING)
    for count in range(1, 101):
        life.hear_frame(GOOD)
        assert early(life.session._incoming) == count
    life.hear_frame(GOOD)
    assert life.reason.detail == "more than 100 messages came before the join"
    assert early(life.session._incoming) == 0
    assert [type(each) for each in life.events] == [Closed]


def test_a_flood_of_large_messages_before_the_join_ends_it() -> None:
    limits = Limits(receive=10_000)
    update = rtc.ParticipantUpdate(participants=[models.ParticipantInfo(metadata="x" * 4000)])
    life = SessionLife(configured(limits=limits))
    life.reach(Phase.JOINING)
    for _ in range(3):
        life.hear(rtc.SignalResponse(update=update))
    assert life.reason.detail == "more than 10000 bytes came before the join"


def test_after_the_join_there_is_no_such_bound() -> None:
    life = SessionLife(configured(limits=Limits(receive=10_000)))
    life.reach(Phase.JOINING)
    for _ in range(100):
        life.hear_frame(GOOD)
    life.hear(join())
    for _ in range(300):
        life.hear_frame(GOOD)
    assert life.session.phase is Phase.JOINED
    assert [type(each) for each in life.events] == [Joined] + [TokenRefreshed] * 400
