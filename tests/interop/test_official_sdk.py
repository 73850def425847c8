"""LiveKit's own SDK is the other participant, with real media: each sees the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitwire.config import PathVersion
from kitwire.events import ParticipantsUpdated, SubscriptionPermissionChanged
from kitwire.messages import (
    ParticipantInfo,
    ParticipantInfoState,
    TrackInfo,
    TrackSource,
    TrackType,
)
from tests.interop.conftest import Join
from tests.interop.livekit_server import Grants, LiveKitServer
from tests.interop.official import official_participant
from tests.interop.processes import ParticipantProcess

CAN_CHANGE_ITSELF = Grants(can_update_own_metadata=True)


@pytest.fixture
def official(livekit: LiveKitServer, room_name: str) -> Iterator[ParticipantProcess]:
    """Somebody called otto, in the room already."""
    token = livekit.token("otto", room_name, **CAN_CHANGE_ITSELF)
    with official_participant(livekit.url, token) as participant:
        yield participant


def tracks_of(info: ParticipantInfo) -> dict[str, TrackInfo]:
    return {track.sid: track for track in info.tracks}


def test_each_sees_the_other(join: Join, path: PathVersion, official: ParticipantProcess) -> None:
    ann = join("ann", path=path, grants=CAN_CHANGE_ITSELF)
    assert [info.identity for info in ann.joined.other_participants] == ["otto"]
    # The server tells of publishers at once, and of others every three seconds.
    ann.call("publish_data_track", name="pose", pub_handle=1)
    ann.call("update_metadata", metadata="new here")
    assert official.wait_for("participant_connected", identity="ann")["sid"] == ann.sid

    sid = official.do("publish", name="microphone")["sid"]
    assert isinstance(sid, str)
    otto = ann.wait_for_participant("otto", lambda info: sid in tracks_of(info))
    track = tracks_of(otto)[sid]
    assert (track.type, track.source) == (TrackType.AUDIO, TrackSource.MICROPHONE)
    assert (track.name, track.muted) == ("microphone", False)

    official.do("mute")
    ann.wait_for_participant("otto", lambda info: sid in tracks_of(info) and muted(info, sid))
    before = len(ann.events)
    official.do("unmute")
    unmuted = ann.wait_for(
        ParticipantsUpdated,
        lambda event: any(i.identity == "otto" and not muted(i, sid) for i in event.participants),
        after=before,
    )
    assert len(unmuted.participants) == 1

    official.do("set_metadata", metadata="away")
    ann.wait_for_participant("otto", lambda info: info.metadata == "away")
    official.do("set_attribute", key="mood", value="good")
    ann.wait_for_participant("otto", lambda info: info.attributes == {"mood": "good"})

    ann.call("update_metadata", metadata="busy", attributes={"hat": "red"})
    official.wait_for("participant_metadata_changed", identity="ann", metadata="busy")
    official.wait_for("participant_attributes_changed", identity="ann", attributes={"hat": "red"})

    ann.leave()
    assert official.wait_for("participant_disconnected", identity="ann")["sid"] == ann.sid


def muted(info: ParticipantInfo, sid: str) -> bool:
    return tracks_of(info)[sid].muted


def test_its_unpublishing_and_leaving_are_seen(
    join: Join, path: PathVersion, official: ParticipantProcess
) -> None:
    ann = join("ann", path=path)
    sid = official.do("publish", name="microphone")["sid"]
    assert isinstance(sid, str)
    ann.wait_for_participant("otto", lambda info: sid in tracks_of(info))
    before = len(ann.events)
    ann.call("update_subscription", subscribe=False, track_sids=[sid])
    ann.call("update_subscription", subscribe=True, track_sids=[sid])
    permission = ann.wait_for(SubscriptionPermissionChanged, after=before)
    assert (permission.track_sid, permission.allowed) == (sid, True)
    official.do("unpublish")
    ann.wait_for(
        ParticipantsUpdated,
        lambda event: any(i.identity == "otto" and not i.tracks for i in event.participants),
        after=before,
    )
    official.do("disconnect")
    ann.wait_for_participant("otto", lambda info: info.state is ParticipantInfoState.DISCONNECTED)
