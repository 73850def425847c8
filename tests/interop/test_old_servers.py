"""Servers of other versions: joined, talked to and left in all three ways of use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from kitwire.config import Encoding, PathVersion, Timeouts
from kitwire.errors import FailureReason, Origin, Reason, RequestFailed
from kitwire.events import FrameRejected, LeaveReceived, PongReceived, TrackPublished
from kitwire.messages import AddTrackRequest, ParticipantInfoState, TrackInfo
from tests.interop.livekit_server import LiveKitServer
from tests.interop.participants import LOOPS, LoopName, Participant, Witness, joined, refusal

WITHOUT_V1 = "1.8.4"

MICROPHONE = AddTrackRequest(cid="mic", name="microphone")


@pytest.fixture
def ann(
    livekit_version: LiveKitServer, loop: LoopName, room_name: str, witness: Witness
) -> Iterator[Participant]:
    """Somebody in a room of that server, by whichever path it knows."""
    token = livekit_version.token("ann", room_name, can_update_own_metadata=True)
    with joined(loop, livekit_version.url, token, witness=witness) as participant:
        yield participant


def test_join_and_leave(ann: Participant, livekit_version: LiveKitServer, room_name: str) -> None:
    """By falling back to the older path where the newer one is unknown."""
    joined = ann.joined
    assert joined.path == ("/rtc" if livekit_version.version == WITHOUT_V1 else "/rtc/v1")
    assert joined.server_version == livekit_version.version
    assert joined.participant.identity == "ann"
    assert ann.wait_for(PongReceived).rtt is not None

    assert ann.leave().reason is Reason.CLIENT_INITIATED
    livekit_version.wait_until_empty(room_name)
    assert not any(isinstance(event, FrameRejected) for event in ann.events)


def test_requests(ann: Participant) -> None:
    ann.call("update_metadata", metadata="busy", attributes={"mood": "good"})
    ann.wait_for_participant("ann", lambda info: info.metadata == "busy")
    info = ann.call("add_track", track=MICROPHONE)
    assert isinstance(info, TrackInfo)
    assert info.name == "microphone"
    assert ann.wait_for(TrackPublished).cid == "mic"


def test_refusals(
    livekit_version: LiveKitServer, loop: LoopName, room_name: str, witness: Witness
) -> None:
    token = livekit_version.token("ann", room_name, can_publish=False)
    quickly = Timeouts(add_track=0.3)
    with joined(loop, livekit_version.url, token, witness=witness, timeouts=quickly) as ann:
        with pytest.raises(RequestFailed) as refused:
            ann.call("update_metadata", metadata="busy")
        assert refused.value.reason is FailureReason.NOT_ALLOWED
        with pytest.raises(RequestFailed) as refused:
            ann.call("add_track", track=MICROPHONE)
        # The old one says nothing.
        silent = livekit_version.version == WITHOUT_V1
        expected = FailureReason.TIMEOUT if silent else FailureReason.NOT_ALLOWED
        assert refused.value.reason is expected


def test_others_are_seen(livekit_version: LiveKitServer, room_name: str, witness: Witness) -> None:
    """By all three ways of use in one room, because a server takes three seconds to tell them."""
    url = livekit_version.url
    with ExitStack() as stack:
        seers = [
            stack.enter_context(
                joined(loop, url, livekit_version.token(loop, room_name), witness=witness)
            )
            for loop in LOOPS
        ]
        with joined("asyncio", url, livekit_version.token("bob", room_name)) as bob:
            others = {info.identity for info in bob.joined.other_participants}
            assert others == {"asyncio", "trio", "bare"}
            for seer in seers:
                assert seer.wait_for_participant("bob").sid == bob.sid
        for seer in seers:
            seer.wait_for_participant(
                "bob", lambda info: info.state is ParticipantInfoState.DISCONNECTED
            )


def test_removal(ann: Participant, livekit_version: LiveKitServer, room_name: str) -> None:
    livekit_version.remove_participant(room_name, "ann")
    reason = ann.closed()
    assert (reason.origin, reason.reason) == (Origin.SERVER, Reason.PARTICIPANT_REMOVED)
    ann.wait_for(LeaveReceived)


def test_json(
    livekit_version: LiveKitServer, loop: LoopName, room_name: str, witness: Witness
) -> None:
    token = livekit_version.token("ann", room_name, can_update_own_metadata=True)
    with joined(loop, livekit_version.url, token, witness=witness, encoding=Encoding.JSON) as ann:
        ann.call("update_metadata", metadata="busy")
        assert ann.wait_for(PongReceived).rtt is not None
    assert not any(isinstance(event, FrameRejected) for event in ann.events)


def test_a_token_that_is_refused(
    livekit_version: LiveKitServer, loop: LoopName, room_name: str, witness: Witness
) -> None:
    token = livekit_version.token("ann", room_name, ttl=timedelta(hours=-1))
    reason = refusal(loop, livekit_version.url, token, witness=witness)
    assert (reason.origin, reason.reason) == (Origin.AUTH, Reason.BAD_TOKEN)


@pytest.mark.livekit
@pytest.mark.livekit_versions
def test_the_newer_path_alone_where_it_is_unknown(
    livekit_by_version: Callable[[str], LiveKitServer], loop: LoopName, witness: Witness
) -> None:
    server = livekit_by_version(WITHOUT_V1)
    token = server.token("ann", "den")
    reason = refusal(loop, server.url, token, witness=witness, path=PathVersion.V1)
    assert (reason.origin, reason.reason) == (Origin.SERVER, Reason.SERVICE_MISSING)
