"""Joining the real server and leaving it; what the others in the room are told of it."""

from __future__ import annotations

from kitwire.config import PathVersion
from kitwire.errors import Origin, Reason
from kitwire.events import PongReceived, RoomUpdated, TokenRefreshed
from kitwire.messages import ParticipantInfoState
from tests.interop.conftest import Join
from tests.interop.livekit_server import VERSION, LiveKitServer

SIGNAL_PATH = {PathVersion.V1: "/rtc/v1", PathVersion.V0: "/rtc"}


def test_join_and_leave(
    join: Join, livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    ann = join("ann", path=path)
    joined = ann.joined
    assert joined.path == SIGNAL_PATH[path]
    assert joined.subscriber_primary is (path is PathVersion.V0)
    assert joined.room.name == room_name
    assert joined.participant.identity == "ann"
    assert joined.participant.sid.startswith("PA_")
    assert joined.other_participants == ()
    assert joined.server_version == VERSION
    assert (joined.ping_interval, joined.ping_timeout) == (5, 15)
    ann.wait_for(TokenRefreshed)
    assert [info.identity for info in livekit.participants(room_name)] == ["ann"]

    reason = ann.leave()
    assert (reason.origin, reason.reason) == (Origin.LOCAL, Reason.CLIENT_INITIATED)
    assert not reason.retryable
    livekit.wait_until_empty(room_name)


def test_the_newer_path_is_taken_where_there_is_one(join: Join) -> None:
    assert join("ann").joined.path == "/rtc/v1"


def test_the_round_trip_is_measured_from_the_start(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    first = ann.wait_for(PongReceived)
    assert first.rtt is not None
    assert 0 < first.rtt < 5
    before = len(ann.events)
    ann.call("send_ping_req")
    second = ann.wait_for(PongReceived, after=before)
    assert second.rtt is not None
    assert second.last_ping_timestamp >= first.last_ping_timestamp


def test_each_sees_the_other_come_change_and_go(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    bob = join("bob", path=path, grants={"can_update_own_metadata": True})
    assert [info.identity for info in bob.joined.other_participants] == ["ann"]
    assert ann.wait_for_participant("bob").sid == bob.sid

    # The server tells of publishers at once, and of others every three seconds.
    bob.call("publish_data_track", name="pose", pub_handle=1)
    bob.call("update_metadata", metadata="busy")
    assert ann.wait_for_participant("bob", lambda info: info.metadata == "busy").sid == bob.sid
    bob.call("update_metadata", name="Bob")
    ann.wait_for_participant("bob", lambda info: info.name == "Bob")
    bob.call("update_metadata", attributes={"mood": "good", "hat": "red"})
    ann.wait_for_participant("bob", lambda info: info.attributes == {"mood": "good", "hat": "red"})
    bob.call("update_metadata", attributes={"hat": ""})
    ann.wait_for_participant("bob", lambda info: info.attributes == {"mood": "good"})

    bob.leave()
    gone = ann.wait_for_participant(
        "bob", lambda info: info.state is ParticipantInfoState.DISCONNECTED
    )
    assert gone.sid == bob.sid


def test_what_the_application_server_changes_is_told(
    join: Join, livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    ann = join("ann", path=path)
    livekit.update_room_metadata(room_name, "welcome")
    ann.wait_for(RoomUpdated, lambda event: event.room and event.room.metadata == "welcome")
    livekit.update_participant(room_name, "ann", metadata="guest", attributes={"seat": "7"})
    ann.wait_for_participant("ann", lambda info: info.attributes == {"seat": "7"})
    ann.wait_for_participant("ann", lambda info: info.metadata == "guest")
