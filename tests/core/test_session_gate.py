"""What waits for the join, in which order it leaves, and how much may wait."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from livekit.protocol import rtc

from kitwire import messages as msg
from kitwire.commands import SendMessage
from kitwire.config import Limits, PathVersion
from kitwire.errors import FailureReason, LocalProtocolError
from kitwire.events import Joined, RequestEnded, RequestKey
from kitwire.session.gate import Gate, HeldRequest, is_open
from kitwire.session.phases import Phase
from tests.peers.frames import join
from tests.peers.lives import SessionLife, configured, snapshot

BEFORE_THE_JOIN = (Phase.PREPARING, Phase.OPENING, Phase.VALIDATING, Phase.JOINING)


def held(number: int) -> HeldRequest:
    return HeldRequest(key=RequestKey(number, "test"), frame=bytes([number]))


def test_the_gate_is_open_in_one_phase_only() -> None:
    assert [phase for phase in Phase if is_open(phase)] == [Phase.JOINED]


def test_first_in_first_out_up_to_the_limit() -> None:
    gate = Gate(2)
    assert (len(gate), gate.full) == (0, False)
    gate.hold(held(1))
    assert (len(gate), gate.full) == (1, False)
    gate.hold(held(2))
    assert (len(gate), gate.full) == (2, True)
    assert gate.release() == (held(1), held(2))
    assert (len(gate), gate.full) == (0, False)
    assert gate.release() == ()


def test_what_is_held_shows_no_frame() -> None:
    assert "frame" not in repr(held(7))


@pytest.mark.parametrize("phase", BEFORE_THE_JOIN)
def test_requests_made_before_the_join_are_held(phase: Phase) -> None:
    life = SessionLife()
    life.reach(phase)
    key = life.session.update_metadata(name="early", now=life.now)
    assert life.take() == []
    assert life.outcome(key) is None


def test_held_requests_leave_in_order_right_after_the_join() -> None:
    life = SessionLife()
    life.connect()
    for sid in ("A", "B"):
        life.session.mute_track(sid, True, now=life.now)
    life.open()
    life.session.update_subscription(subscribe=True, track_sids=["C"], now=life.now)
    assert life.said == []
    life.take()
    life.hear(join())
    taken = life.take()
    assert isinstance(taken[0], Joined)
    assert [type(item) for item in taken[1:]] == [*[SendMessage] * 4, RequestEnded]
    assert life.said == ["ping_req", "mute", "mute", "subscription"]
    assert [request.mute.sid for request in life.requests[1:3]] == ["A", "B"]
    # And nothing is sent twice.
    life.session.mute_track("D", True, now=life.now)
    assert [request.mute.sid for request in life.requests if request.HasField("mute")] == [
        "A",
        "B",
        "D",
    ]


def test_a_deadline_begins_when_the_request_is_sent() -> None:
    life = SessionLife(now=0.0)
    life.connect()
    key = life.session.update_metadata(name="early", now=life.now)
    life.wait(10.0)
    life.open()
    life.wait(4.0)
    assert life.outcome(key) is None
    life.hear(join())
    life.wait(4.9)
    assert life.outcome(key) is None
    life.wait(0.2)
    outcome = life.outcome(key)
    assert outcome is not None
    assert outcome.failure is not None
    assert outcome.failure.reason is FailureReason.TIMEOUT


def test_only_so_many_are_held() -> None:
    life = SessionLife(configured(limits=Limits(held_requests=2)))
    life.connect()
    life.session.mute_track("A", True, now=life.now)
    life.session.mute_track("B", True, now=life.now)
    before = snapshot(life.session)
    with pytest.raises(LocalProtocolError, match=r"mute_track: .*limits\.held_requests"):
        life.session.mute_track("C", True, now=life.now + 1)
    assert snapshot(life.session) == before
    life.open()
    life.hear(join())
    life.session.mute_track("C", True, now=life.now)
    assert life.said == ["ping_req", "mute", "mute", "mute"]


def test_a_full_gate_does_not_stop_what_the_join_itself_says() -> None:
    """On /rtc the metadata is said by a request of the session's own, before those that wait."""
    life = SessionLife(
        configured(path=PathVersion.V0, metadata="hello", limits=Limits(held_requests=1))
    )
    life.connect()
    life.session.mute_track("A", True, now=life.now)
    life.open()
    life.hear(join())
    assert life.said == ["ping_req", "update_metadata", "mute"]


@pytest.mark.parametrize("phase", BEFORE_THE_JOIN)
def test_held_requests_are_aborted_when_there_will_be_no_join(phase: Phase) -> None:
    life = SessionLife()
    life.reach(phase)
    keys = [life.session.mute_track(sid, True, now=life.now) for sid in "AB"]
    life.close()
    life.wait(5)
    assert life.reason.reason == "CANCELLED"
    ended = [item for item in life.events if isinstance(item, RequestEnded)]
    assert [item.key for item in ended] == keys
    assert {item.failure.reason for item in ended if item.failure} == {FailureReason.ABORTED}
    assert not any(request.HasField("mute") for request in life.requests)


@pytest.mark.parametrize("phase", [*BEFORE_THE_JOIN, Phase.IDLE, Phase.CLOSING, Phase.CLOSED])
def test_what_passes_the_gate_is_refused_before_the_join_and_after_the_end(phase: Phase) -> None:
    life = SessionLife()
    life.reach(phase)
    before = snapshot(life.session)
    sends: list[Callable[[float], None]] = [
        lambda now: life.session.send_offer("v=0", offer_id=1, now=now),
        lambda now: life.session.send_answer("v=0", offer_id=1, now=now),
        lambda now: life.session.send_trickle("{}", target=msg.SignalTarget.PUBLISHER, now=now),
        lambda now: life.session.send_sync_state(msg.SyncState(), now=now),
        lambda now: life.session.simulate(msg.SimulateScenario(node_failure=True), now=now),
        lambda now: life.session.send_ping(now=now),
        lambda now: life.session.send_ping_req(now=now),
    ]
    for send in sends:
        with pytest.raises(LocalProtocolError) as caught:
            send(life.now + 1)
        assert (caught.value.phase, caught.value.allowed) == (phase, ("JOINED",))
    assert snapshot(life.session) == before


def test_early_answers_find_the_requests_that_were_held() -> None:
    """An answer cannot come before the question; one that does is nobody's."""
    life = SessionLife()
    life.connect()
    life.open()
    key = life.session.add_track(
        msg.AddTrackRequest(cid="c", type=msg.TrackType.AUDIO), now=life.now
    )
    life.hear(rtc.SignalResponse(track_published=rtc.TrackPublishedResponse(cid="c")))
    assert life.outcome(key) is None
    life.hear(join())
    # Delivered after Joined, and by then the request is on its way: it counts.
    assert life.outcome(key) is not None
