"""One readable line for every event."""

from __future__ import annotations

import dataclasses

import pytest

from kitwire import events as ev
from kitwire.errors import CloseReason, Origin, Reason
from kitwire.messages import (
    ConnectionQuality,
    ConnectionQualityInfo,
    DataTrackInfo,
    DataTrackSubscriberHandlesPublishedDataTrack,
    DisconnectReason,
    LeaveRequestAction,
    ParticipantInfo,
    ParticipantInfoState,
    ParticipantPermission,
    RequestResponseReason,
    Room,
    SignalTarget,
    SpeakerInfo,
    StreamState,
    StreamStateInfo,
    SubscribedAudioCodec,
    SubscribedCodec,
    SubscribedQuality,
    SubscriptionError,
    TrackInfo,
    TrackSource,
    VideoQuality,
)
from kitwire_cli.prose import Narrator
from tests.cli.samples import KEY, OTHERS, every_event

MIC = TrackInfo(sid="TR_m", source=TrackSource.MICROPHONE, name="mic")
OWN_CAMERA = TrackInfo(sid="TR_c", source=TrackSource.CAMERA)
MAY = ParticipantPermission(can_publish=True, can_subscribe=True)
ALICE = ParticipantInfo(sid="PA_a", identity="alice", permission=MAY, tracks=[OWN_CAMERA])
BOB = ParticipantInfo(sid="PA_b", identity="bob", tracks=[MIC], attributes={"mood": "calm"})
ROOM = Room(sid="RM_1", name="r")


def joined(*others: ParticipantInfo, version: str = "1.13.5") -> ev.Joined:
    return ev.Joined(
        path="/rtc",
        room=ROOM,
        participant=ALICE,
        other_participants=others,
        server_version=version,
        server_info=None,
        ice_servers=(),
        subscriber_primary=True,
        alternative_url="",
        client_configuration=None,
        ping_timeout=15,
        ping_interval=5,
        sif_trailer=b"",
        enabled_publish_codecs=(),
        fast_publish=True,
    )


@pytest.fixture
def narrator() -> Narrator:
    """One that sees alice (us) and bob."""
    narrator = Narrator()
    narrator.tell(joined(BOB))
    return narrator


def update(*participants: ParticipantInfo) -> ev.ParticipantsUpdated:
    return ev.ParticipantsUpdated(participants=participants)


def test_joining() -> None:
    assert Narrator().tell(joined()) == 'joined "r" as alice by /rtc, server 1.13.5'
    assert Narrator().tell(joined(BOB, version="")) == 'joined "r" as alice by /rtc; here: bob'


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (dataclasses.replace(BOB, metadata="hi"), 'bob changed metadata to "hi"'),
        (dataclasses.replace(BOB, attributes={"mood": "happy"}), "bob set attribute mood=happy"),
        (
            dataclasses.replace(BOB, tracks=[dataclasses.replace(MIC, muted=True)]),
            "bob muted microphone",
        ),
        (
            dataclasses.replace(BOB, name="Bob", metadata="x"),
            'bob changed name to "Bob", changed metadata to "x"',
        ),
        (dataclasses.replace(BOB, version=7), "bob changed in a detail"),
        (BOB, "bob sent nothing new"),
        (dataclasses.replace(BOB, state=ParticipantInfoState.DISCONNECTED), "bob left"),
        (
            dataclasses.replace(ALICE, permission=dataclasses.replace(MAY, can_publish=False)),
            "you may no longer publish",
        ),
        (ParticipantInfo(sid="PA_c", identity="ca\nrol"), r"ca\nrol joined"),
        (ParticipantInfo(sid="PA_c"), "PA_c joined"),
        (ParticipantInfo(), "somebody joined"),
    ],
)
def test_updates(narrator: Narrator, after: ParticipantInfo, line: str) -> None:
    assert narrator.tell(update(after)) == line


def test_several_in_one_update(narrator: Narrator) -> None:
    gone = dataclasses.replace(BOB, state=ParticipantInfoState.DISCONNECTED)
    carol = ParticipantInfo(sid="PA_c", identity="carol")
    assert narrator.tell(update(gone, carol)) == "bob left; carol joined"
    assert narrator.tell(update(gone)) == "bob left"
    assert narrator.tell(update()) == "none"


def test_the_state_moves_on(narrator: Narrator) -> None:
    after = dataclasses.replace(BOB, metadata="hi")
    narrator.tell(update(after))
    assert narrator.tell(update(after)) == "bob sent nothing new"
    narrator.tell(ev.RoomUpdated(room=Room(sid="RM_1", name="r", metadata="m")))
    again = ev.RoomUpdated(room=Room(sid="RM_1", name="r", metadata="m"))
    assert narrator.tell(again) == "the room changed in a detail"


def test_a_track_that_was_announced_is_known(narrator: Narrator) -> None:
    narrator.tell(ev.TrackPublished(cid="c", track=dataclasses.replace(MIC, sid="TR_own")))
    asked = ev.MuteReceived(sid="TR_own", muted=True)
    assert narrator.tell(asked) == 'the server asks you to mute microphone "mic" (TR_own)'


def test_moving_forgets_everybody(narrator: Narrator) -> None:
    own = dataclasses.replace(ALICE, sid="PA_a2")
    carol = ParticipantInfo(sid="PA_c", identity="carol")
    moved = ev.RoomMoved(
        room=Room(name="r2"), token="", participant=own, other_participants=(carol,)
    )
    assert narrator.tell(moved) == 'the server moved us to "r2"; here: carol'
    assert narrator.tell(ev.SpeakersChanged(speakers=(SpeakerInfo(sid="PA_b", active=True),))) == (
        "speaking: PA_b"
    )
    nowhere = ev.RoomMoved(room=None, token="", participant=None, other_participants=())
    assert narrator.tell(nowhere) == "the server moved us to another room"


QUALITIES = [
    SubscribedQuality(quality=VideoQuality.HIGH, enabled=True),
    SubscribedQuality(quality=VideoQuality.LOW, enabled=False),
]

LINES: list[tuple[ev.Event, str]] = [
    (
        ev.LeaveReceived(
            can_reconnect=False,
            reason=DisconnectReason.ROOM_DELETED,
            action=LeaveRequestAction.DISCONNECT,
            regions=(),
        ),
        "the server says leave: room deleted",
    ),
    (
        ev.LeaveReceived(
            can_reconnect=True,
            reason=DisconnectReason.STATE_MISMATCH,
            action=LeaveRequestAction.RECONNECT,
            regions=(),
        ),
        "the server says reconnect: state mismatch",
    ),
    (
        ev.LeaveReceived(
            can_reconnect=False,
            reason=DisconnectReason.CLIENT_INITIATED,
            action=LeaveRequestAction.DISCONNECT,
            regions=(),
        ),
        "the server says goodbye",
    ),
    (ev.TokenRefreshed(token="hush"), "the server renewed our token"),
    (ev.PongReceived(last_ping_timestamp=1, timestamp=2, rtt=0.00123), "round trip 1.2 ms"),
    (ev.PongReceived(last_ping_timestamp=1, timestamp=2, rtt=None), "a pong"),
    (ev.LegacyPongReceived(timestamp=2), "a pong by the server's clock"),
    (ev.RoomUpdated(room=None), "an empty room update"),
    (
        ev.RoomUpdated(room=dataclasses.replace(ROOM, metadata="m", num_participants=2)),
        'room metadata changed to "m"; 2 participants in the room',
    ),
    (
        ev.SpeakersChanged(speakers=(SpeakerInfo(sid="PA_b", active=True),)),
        "speaking: bob",
    ),
    (
        ev.SpeakersChanged(
            speakers=(SpeakerInfo(sid="PA_a", active=True), SpeakerInfo(sid="PA_b"))
        ),
        "speaking: you; no longer speaking: bob",
    ),
    (ev.SpeakersChanged(speakers=()), "nobody speaks"),
    (
        ev.ConnectionQualityChanged(
            updates=(
                ConnectionQualityInfo(participant_sid="PA_b", quality=ConnectionQuality.EXCELLENT),
                ConnectionQualityInfo(participant_sid="", quality=ConnectionQuality(9)),
            )
        ),
        "connection quality: bob excellent; somebody unknown",
    ),
    (ev.TrackPublished(cid="c", track=OWN_CAMERA), "the server took our camera (TR_c)"),
    (ev.TrackPublished(cid="c", track=None), "the server took our track c"),
    (ev.TrackUnpublished(track_sid="TR_c"), "the server took down our camera (TR_c)"),
    (ev.TrackSubscribed(track_sid="TR_x"), "somebody subscribed to our track TR_x"),
    (ev.MuteReceived(sid="TR_c", muted=True), "the server asks you to mute camera (TR_c)"),
    (ev.MuteReceived(sid="TR_c", muted=False), "the server asks you to unmute camera (TR_c)"),
    (
        ev.SubscribedQualityChanged(
            track_sid="TR_c",
            subscribed_qualities=(),
            subscribed_codecs=(
                SubscribedCodec(codec="vp8", qualities=QUALITIES),
                SubscribedCodec(codec="av1"),
            ),
        ),
        "wanted of our camera (TR_c): vp8 high; av1 none",
    ),
    (
        ev.SubscribedQualityChanged(
            track_sid="TR_c", subscribed_qualities=tuple(QUALITIES), subscribed_codecs=()
        ),
        "wanted of our camera (TR_c): high",
    ),
    (
        ev.SubscribedAudioCodecsChanged(
            track_sid="TR_a",
            subscribed_audio_codecs=(
                SubscribedAudioCodec(codec="opus", enabled=True),
                SubscribedAudioCodec(codec="red"),
            ),
        ),
        "wanted of our track TR_a: opus",
    ),
    (
        ev.StreamStatesChanged(
            stream_states=(
                StreamStateInfo(participant_sid="PA_b", track_sid="TR_m", state=StreamState.PAUSED),
                StreamStateInfo(participant_sid="PA_b", track_sid="TR_x", state=StreamState.ACTIVE),
            )
        ),
        "bob's microphone paused by the server; bob's track TR_x resumed by the server",
    ),
    (
        ev.SubscriptionPermissionChanged(participant_sid="PA_b", track_sid="TR_m", allowed=False),
        "you may no longer subscribe to bob's microphone",
    ),
    (
        ev.SubscriptionPermissionChanged(participant_sid="PA_b", track_sid="TR_m", allowed=True),
        "you may now subscribe to bob's microphone",
    ),
    (
        ev.SubscriptionFailed(track_sid="TR_y", err=SubscriptionError.SE_CODEC_UNSUPPORTED),
        "the subscription to track TR_y failed: codec unsupported",
    ),
    (
        ev.SubscriptionFailed(track_sid="TR_c", err=SubscriptionError(7)),
        "the subscription to your camera failed: unknown",
    ),
    (
        ev.OfferReceived(type="offer", sdp="v=0", id=250, mid_to_track_id={}),
        "the server offers a subscriber session (offer 250)",
    ),
    (
        ev.AnswerReceived(type="answer", sdp="v=0", id=3, mid_to_track_id={}),
        "the server answers our offer 3",
    ),
    (
        ev.TrickleReceived(candidate_init="{}", target=SignalTarget.SUBSCRIBER, final=True),
        "the last ICE candidate for the subscriber",
    ),
    (
        ev.TrickleReceived(candidate_init="{}", target=SignalTarget.PUBLISHER, final=False),
        "an ICE candidate for the publisher",
    ),
    (
        ev.MediaSectionsRequired(num_audios=1, num_videos=2),
        "the server wants 1 more audio and 2 more video sections",
    ),
    (
        ev.DataTrackPublished(info=DataTrackInfo(sid="DTR_1", name="poses")),
        'the server took our data track "poses" (DTR_1)',
    ),
    (ev.DataTrackPublished(info=None), "the server took our data track"),
    (ev.DataTrackUnpublished(info=None), "our data track is gone"),
    (
        ev.DataTrackSubscriberHandlesChanged(
            sub_handles={5: DataTrackSubscriberHandlesPublishedDataTrack(publisher_identity="bob")}
        ),
        "data tracks reach us as: 5 from bob",
    ),
    (ev.DataBlobStored(request_id=1, key=None), "the server stored our data blob (request 1)"),
    (ev.DataBlobReceived(request_id=1, blob=None), "the server gave us a data blob (request 1)"),
    (
        ev.RequestResponseReceived(
            request_id=9, reason=RequestResponseReason.OK, message="", request=None
        ),
        "the server accepts request 9",
    ),
    (
        ev.RequestResponseReceived(
            request_id=0, reason=RequestResponseReason.QUEUED, message="", request=None
        ),
        "the server queues a request",
    ),
    (
        ev.RequestResponseReceived(
            request_id=9, reason=RequestResponseReason.NOT_ALLOWED, message="no", request=None
        ),
        "the server refuses request 9: not allowed (no)",
    ),
    (ev.RequestQueued(key=KEY), "add track waits for an earlier request"),
    (ev.RequestEnded(key=KEY, result=None, failure=None), "add track succeeded"),
    (OTHERS[3], "update metadata failed: not allowed (no grant)"),
    (
        ev.UnknownMessage(field_numbers=(99, 7)),
        "a message of an unknown kind (field 99, 7), ignored",
    ),
    (ev.UnknownMessage(field_numbers=()), "a message of an unknown kind, ignored"),
    (ev.FrameRejected(detail="cut", size=3), "an undecodable frame of 3 bytes, dropped: cut"),
    (ev.ProtocolViolated(detail="a\nb"), r"the server broke the protocol: a\nb"),
]


@pytest.mark.parametrize(("event", "line"), LINES, ids=lambda value: type(value).__name__)
def test_lines(narrator: Narrator, event: ev.Event, line: str) -> None:
    assert narrator.tell(event) == line


@pytest.mark.parametrize(
    ("origin", "reason", "before", "after"),
    [
        (Origin.LOCAL, Reason.CLIENT_INITIATED, "gave up joining", "left the room"),
        (
            Origin.SERVER,
            Reason.ROOM_DELETED,
            "not joined: room deleted",
            "disconnected: room deleted",
        ),
    ],
)
def test_the_end(
    narrator: Narrator, origin: Origin, reason: Reason, before: str, after: str
) -> None:
    closed = ev.Closed(
        reason=CloseReason(origin=origin, reason=reason, detail="why", retryable=False)
    )
    assert Narrator().tell(closed) == before
    assert narrator.tell(closed) == after


@pytest.mark.parametrize("met", [True, False], ids=["in a room", "out of the blue"])
def test_every_event_is_one_line_and_no_dump(met: bool) -> None:
    for event in every_event():
        narrator = Narrator()
        if met:
            narrator.tell(joined(BOB))
        line = narrator.tell(event)
        assert line
        assert len(line.splitlines()) == 1
        assert "=<" not in line
        assert "Info(" not in line
        assert "{" not in line
