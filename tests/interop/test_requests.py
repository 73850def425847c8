"""Requests to the real server, granted and refused."""

from __future__ import annotations

import time

import pytest

from kitwire.config import PathVersion, Timeouts
from kitwire.errors import FailureReason, LocalProtocolError, RequestFailed
from kitwire.events import (
    LegacyPongReceived,
    RequestResponseReceived,
    SpeakersChanged,
    TokenRefreshed,
    TrackPublished,
)
from kitwire.messages import (
    AddTrackRequest,
    AudioTrackFeature,
    DataBlobKey,
    DataTrackInfo,
    ParticipantInfo,
    SimulateScenario,
    TrackInfo,
    TrackSource,
    TrackType,
)
from tests.interop.conftest import Join
from tests.interop.livekit_server import Grants
from tests.interop.participants import LoopName, Participant

CAN_CHANGE_ITSELF = Grants(can_update_own_metadata=True)

STEREO = [AudioTrackFeature.TF_STEREO]

SOON = 0.1
"""Seconds within which a refusal is there; the official SDKs wait ten."""


def microphone(cid: str = "mic") -> AddTrackRequest:
    return AddTrackRequest(
        cid=cid, name=f"the {cid}", type=TrackType.AUDIO, source=TrackSource.MICROPHONE
    )


def refused(who: Participant, reason: FailureReason, method: str, **arguments: object) -> None:
    """The request is refused, and at once; it gets three tries to be quick on a busy machine."""
    took: list[float] = []
    while not took or (min(took) >= SOON and len(took) < 3):
        begun = time.monotonic()
        with pytest.raises(RequestFailed) as caught:
            who.call(method, **arguments)
        took.append(time.monotonic() - begun)
        assert caught.value.reason is reason
    assert min(took) < SOON


def publish(who: Participant, name: str, pub_handle: int) -> DataTrackInfo:
    info = who.call("publish_data_track", name=name, pub_handle=pub_handle)
    assert isinstance(info, DataTrackInfo)
    return info


def added(who: Participant, cid: str = "mic") -> TrackInfo:
    info = who.call("add_track", track=microphone(cid))
    assert isinstance(info, TrackInfo)
    return info


# --- metadata ---


def test_metadata_with_the_grant(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path, grants=CAN_CHANGE_ITSELF)
    ann.wait_for(TokenRefreshed)
    before = len(ann.events)
    ann.call("update_metadata", metadata="busy", attributes={"mood": "good"})
    ann.wait_for_participant("ann", lambda info: info.metadata == "busy")
    ann.wait_for_participant("ann", lambda info: info.attributes == {"mood": "good"})
    ann.wait_for(TokenRefreshed, after=before)


def test_metadata_without_the_grant(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    refused(ann, FailureReason.NOT_ALLOWED, "update_metadata", metadata="busy")
    refused(ann, FailureReason.NOT_ALLOWED, "update_metadata", name="Ann")
    word = ann.wait_for(RequestResponseReceived)
    assert "permission" in word.message


# --- our tracks ---


def test_add_track(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    info = added(ann)
    assert info.sid.startswith("TR_")
    assert (info.name, info.type, info.muted) == ("the mic", TrackType.AUDIO, False)
    assert info.source is TrackSource.MICROPHONE
    published = ann.wait_for(TrackPublished)
    assert published.cid == "mic"
    assert published.track == info
    video = AddTrackRequest(cid="cam", type=TrackType.VIDEO, width=640, height=360)
    second = ann.call("add_track", track=video)
    assert isinstance(second, TrackInfo)
    assert (second.type, second.width, second.height) == (TrackType.VIDEO, 640, 360)


def test_add_track_without_the_grant(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path, grants={"can_publish": False})
    refused(ann, FailureReason.NOT_ALLOWED, "add_track", track=microphone())


def test_add_track_of_a_source_that_is_not_granted(join: Join) -> None:
    ann = join("ann", grants={"can_publish_sources": ["camera"]})
    refused(ann, FailureReason.NOT_ALLOWED, "add_track", track=microphone())


def test_mute(join: Join, path: PathVersion) -> None:
    """Before there is media the server takes it in silence; done is when no refusal has come."""
    ann = join("ann", path=path, timeouts=Timeouts(refusal=0.2))
    sid = added(ann).sid
    ann.call("mute_track", sid=sid, muted=True)
    ann.call("mute_track", sid=sid, muted=False)


def test_features_of_a_track(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path, timeouts=Timeouts(refusal=0.2))
    sid = added(ann).sid
    ann.call("update_audio_track", track_sid=sid, features=STEREO)


def test_mute_of_a_track_that_is_not_ours(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    refused(ann, FailureReason.NOT_FOUND, "mute_track", sid="TR_nobody", muted=True)
    refused(
        ann,
        FailureReason.NOT_FOUND,
        "update_audio_track",
        track_sid="TR_nobody",
        features=[AudioTrackFeature.TF_STEREO],
    )
    refused(
        ann, FailureReason.NOT_FOUND, "update_video_track", track_sid="TR_nobody", width=1, height=1
    )


# --- data tracks and blobs ---


def test_data_tracks_come_and_go(join: Join, path: PathVersion) -> None:
    ann, bob = join("ann", path=path), join("bob", path=path)
    first, second = publish(ann, "pose", 7), publish(ann, "map", 0xFFFF)
    assert (first.name, first.pub_handle) == ("pose", 7)
    assert first.sid.startswith("DTR_")

    def tracks(info: ParticipantInfo) -> set[str]:
        return {track.sid for track in info.data_tracks}

    bob.wait_for_participant("ann", lambda info: tracks(info) == {first.sid, second.sid})
    gone = ann.call("unpublish_data_track", pub_handle=7)
    assert isinstance(gone, DataTrackInfo)
    assert gone.sid == first.sid
    bob.wait_for_participant("ann", lambda info: tracks(info) == {second.sid})


def test_data_tracks_refused(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path, grants={"can_publish_data": False})
    refused(ann, FailureReason.NOT_ALLOWED, "publish_data_track", name="pose", pub_handle=7)
    bob = join("bob", path=path)
    publish(bob, "pose", 7)
    refused(bob, FailureReason.DUPLICATE_HANDLE, "publish_data_track", name="other", pub_handle=7)
    refused(bob, FailureReason.DUPLICATE_NAME, "publish_data_track", name="pose", pub_handle=8)
    refused(bob, FailureReason.NOT_FOUND, "unpublish_data_track", pub_handle=9)


def test_blobs_refused(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    refused(
        ann,
        FailureReason.NOT_ALLOWED,
        "store_data_blob",
        key=DataBlobKey(generic="map"),
        contents=b"here",
    )
    refused(
        ann,
        FailureReason.NOT_FOUND,
        "get_data_blob",
        key=DataBlobKey(generic="map"),
        participant_identity="ann",
    )


# --- the rest ---


def test_the_older_ping(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    ann.call("send_ping")
    assert ann.wait_for(LegacyPongReceived).timestamp > 1_600_000_000_000


def test_a_simulated_speaker(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    ann.call("simulate", scenario=SimulateScenario(speaker_update=1))
    begun = ann.wait_for(SpeakersChanged)
    assert [(speaker.sid, speaker.active) for speaker in begun.speakers] == [(ann.sid, True)]
    assert begun.speakers[0].level > 0.5
    ended = ann.wait_for(SpeakersChanged, lambda event: event is not begun)
    assert [(speaker.sid, speaker.active) for speaker in ended.speakers] == [(ann.sid, False)]


def test_misuse_is_told_before_anything_is_sent(join: Join) -> None:
    ann = join("ann")
    with pytest.raises(LocalProtocolError):
        ann.call("add_track", track=AddTrackRequest(cid=""))


def test_a_request_after_the_end_is_told_why(join: Join, loop: LoopName) -> None:
    ann = join("ann")
    ann.leave()
    # A client knows the phase it is in; a room may end behind its user's back.
    expected = LocalProtocolError if loop == "bare" else RequestFailed
    with pytest.raises(expected, match=r"update_metadata: .*(CLOSED|CLIENT_INITIATED)"):
        ann.call("update_metadata", metadata="late")
