"""Each of the 22 requests: the frame that a method makes, and the arguments that it refuses."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.client import Client
from kitwire.config import Encoding
from kitwire.errors import LocalProtocolError
from kitwire.session.methods import RequestMethods
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from tests.peers.lives import SessionLife, configured, snapshot

NOW = 1000.5
Call = Callable[[RequestMethods], object]
Request = rtc.SignalRequest

BLOB = msg.DataBlobKey(generic="thumbnail")
OFFICIAL_BLOB = models.DataBlobKey(generic="thumbnail")
ENCODING = msg.DataTrackFrameEncodingWellKnownFrameEncoding

# --- What is sent, in every field, as google.protobuf would have it ---

SENT: dict[str, tuple[Call, Request]] = {
    "add_track": (
        lambda on: on.add_track(
            msg.AddTrackRequest(
                cid="c",
                name="cam",
                type=msg.TrackType.VIDEO,
                width=640,
                height=360,
                source=msg.TrackSource.CAMERA,
                layers=[msg.VideoLayer(quality=msg.VideoQuality.LOW, width=320, bitrate=90_000)],
                simulcast_codecs=[msg.SimulcastCodec(codec="vp8", cid="c")],
            ),
            now=NOW,
        ),
        Request(
            add_track=rtc.AddTrackRequest(
                cid="c",
                name="cam",
                type=models.VIDEO,
                width=640,
                height=360,
                source=models.CAMERA,
                layers=[models.VideoLayer(quality=models.LOW, width=320, bitrate=90_000)],
                simulcast_codecs=[rtc.SimulcastCodec(codec="vp8", cid="c")],
            )
        ),
    ),
    "mute_track": (
        lambda on: on.mute_track("TR_1", True, now=NOW),
        Request(mute=rtc.MuteTrackRequest(sid="TR_1", muted=True)),
    ),
    "mute_track (off)": (
        lambda on: on.mute_track("TR_1", False, now=NOW),
        Request(mute=rtc.MuteTrackRequest(sid="TR_1", muted=False)),
    ),
    "update_audio_track": (
        lambda on: on.update_audio_track(
            "TR_1", (msg.AudioTrackFeature.TF_STEREO, msg.AudioTrackFeature.TF_NO_DTX), now=NOW
        ),
        Request(
            update_audio_track=rtc.UpdateLocalAudioTrack(
                track_sid="TR_1", features=[models.TF_STEREO, models.TF_NO_DTX]
            )
        ),
    ),
    "update_video_track": (
        lambda on: on.update_video_track("TR_1", width=640, height=360, now=NOW),
        Request(
            update_video_track=rtc.UpdateLocalVideoTrack(track_sid="TR_1", width=640, height=360)
        ),
    ),
    "update_video_layers": (
        lambda on: on.update_video_layers("TR_1", [msg.VideoLayer(ssrc=7)], now=NOW),
        Request(
            update_layers=rtc.UpdateVideoLayers(
                track_sid="TR_1", layers=[models.VideoLayer(ssrc=7)]
            )
        ),
    ),
    "update_subscription": (
        lambda on: on.update_subscription(
            subscribe=True,
            track_sids=("TR_1", "TR_2"),
            participant_tracks=[msg.ParticipantTracks(participant_sid="PA_1", track_sids=["TR_3"])],
            now=NOW,
        ),
        Request(
            subscription=rtc.UpdateSubscription(
                subscribe=True,
                track_sids=["TR_1", "TR_2"],
                participant_tracks=[
                    models.ParticipantTracks(participant_sid="PA_1", track_sids=["TR_3"])
                ],
            )
        ),
    ),
    "update_track_settings": (
        lambda on: on.update_track_settings(
            ["TR_1"],
            disabled=True,
            quality=msg.VideoQuality.MEDIUM,
            width=1,
            height=2,
            fps=3,
            priority=4,
            now=NOW,
        ),
        Request(
            track_setting=rtc.UpdateTrackSettings(
                track_sids=["TR_1"],
                disabled=True,
                quality=models.MEDIUM,
                width=1,
                height=2,
                fps=3,
                priority=4,
            )
        ),
    ),
    "update_track_settings (by default)": (
        lambda on: on.update_track_settings(["TR_1"], now=NOW),
        Request(track_setting=rtc.UpdateTrackSettings(track_sids=["TR_1"], quality=models.HIGH)),
    ),
    "update_subscription_permission": (
        lambda on: on.update_subscription_permission(
            all_participants=False,
            track_permissions=[
                msg.TrackPermission(participant_identity="bob", track_sids=["TR_1"])
            ],
            now=NOW,
        ),
        Request(
            subscription_permission=rtc.SubscriptionPermission(
                all_participants=False,
                track_permissions=[
                    rtc.TrackPermission(participant_identity="bob", track_sids=["TR_1"])
                ],
            )
        ),
    ),
    "update_metadata": (
        lambda on: on.update_metadata(
            metadata="m", name="n", attributes={"a": "1", "b": ""}, now=NOW
        ),
        Request(
            update_metadata=rtc.UpdateParticipantMetadata(
                metadata="m", name="n", attributes={"a": "1", "b": ""}, request_id=1
            )
        ),
    ),
    "publish_data_track": (
        lambda on: on.publish_data_track(
            "poses",
            pub_handle=65535,
            encryption=msg.EncryptionType.GCM,
            frame_encoding=msg.DataTrackFrameEncoding(well_known=ENCODING.CBOR),
            schema=msg.DataTrackSchemaId(name="pose"),
            now=NOW,
        ),
        Request(
            publish_data_track_request=rtc.PublishDataTrackRequest(
                pub_handle=65535,
                name="poses",
                encryption=models.Encryption.GCM,
                frame_encoding=models.DataTrackFrameEncoding(
                    well_known=models.DataTrackFrameEncoding.WELL_KNOWN_FRAME_ENCODING_CBOR
                ),
                schema=models.DataTrackSchemaId(name="pose"),
            )
        ),
    ),
    "unpublish_data_track": (
        lambda on: on.unpublish_data_track(1, now=NOW),
        Request(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=1)),
    ),
    "update_data_subscription": (
        lambda on: on.update_data_subscription(
            [msg.UpdateDataSubscriptionUpdate(track_sid="DTR_1", subscribe=True)], now=NOW
        ),
        Request(
            update_data_subscription=rtc.UpdateDataSubscription(
                updates=[rtc.UpdateDataSubscription.Update(track_sid="DTR_1", subscribe=True)]
            )
        ),
    ),
    "store_data_blob": (
        lambda on: on.store_data_blob(BLOB, b"\x00\xff", now=NOW),
        Request(
            store_data_blob_request=rtc.StoreDataBlobRequest(
                request_id=1, blob=models.DataBlob(key=OFFICIAL_BLOB, contents=b"\x00\xff")
            )
        ),
    ),
    "get_data_blob": (
        lambda on: on.get_data_blob(BLOB, participant_identity="bob", now=NOW),
        Request(
            get_data_blob_request=rtc.GetDataBlobRequest(
                request_id=1, participant_identity="bob", key=OFFICIAL_BLOB
            )
        ),
    ),
    "send_offer": (
        lambda on: on.send_offer("v=0", offer_id=2, now=NOW),
        Request(offer=rtc.SessionDescription(type="offer", sdp="v=0", id=2)),
    ),
    "send_answer": (
        lambda on: on.send_answer("v=0", offer_id=250, now=NOW),
        Request(answer=rtc.SessionDescription(type="answer", sdp="v=0", id=250)),
    ),
    "send_trickle": (
        lambda on: on.send_trickle(
            '{"candidate": ""}', target=msg.SignalTarget.SUBSCRIBER, final=True, now=NOW
        ),
        Request(
            trickle=rtc.TrickleRequest(
                candidateInit='{"candidate": ""}', target=rtc.SUBSCRIBER, final=True
            )
        ),
    ),
    "send_sync_state": (
        lambda on: on.send_sync_state(
            msg.SyncState(subscription=msg.UpdateSubscription(subscribe=True)), now=NOW
        ),
        Request(sync_state=rtc.SyncState(subscription=rtc.UpdateSubscription(subscribe=True))),
    ),
    "send_ping": (lambda on: on.send_ping(now=NOW), Request(ping=1_000_500)),
    "send_ping_req": (
        lambda on: on.send_ping_req(now=NOW),
        Request(ping_req=rtc.Ping(timestamp=1_000_500)),
    ),
    "simulate": (
        lambda on: on.simulate(msg.SimulateScenario(speaker_update=3), now=NOW),
        Request(simulate=rtc.SimulateScenario(speaker_update=3)),
    ),
    "simulate (a zero)": (
        lambda on: on.simulate(msg.SimulateScenario(subscriber_bandwidth=0), now=NOW),
        Request(simulate=rtc.SimulateScenario(subscriber_bandwidth=0)),
    ),
    "close": (
        lambda on: (
            on.close(now=NOW, leave_reason=msg.DisconnectReason.USER_REJECTED)
            if isinstance(on, Session | Client)
            else None
        ),
        Request(
            leave=rtc.LeaveRequest(reason=models.USER_REJECTED, action=rtc.LeaveRequest.DISCONNECT)
        ),
    ),
}

# Methods by which requests are made, and what they need.
METHODS = {
    name
    for name, member in inspect.getmembers(RequestMethods, inspect.isfunction)
    if not name.startswith("_")
}


def test_every_request_of_the_protocol_has_a_method_and_the_other_way_round() -> None:
    official = {field.name for field in Request.DESCRIPTOR.fields}
    assert len(official) == 22
    assert {expected.WhichOneof("message") for _, expected in SENT.values()} == official
    assert {name.split()[0] for name in SENT} == METHODS | {"close"}


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("name", SENT)
def test_what_a_method_sends_in_the_words_of_the_official_classes(
    name: str, encoding: Encoding
) -> None:
    call, expected = SENT[name]
    life = SessionLife(configured(encoding=encoding), now=1000.0)
    life.reach(Phase.JOINED)
    before = len(life.requests)
    call(life.session)
    assert life.requests[before:] == [expected]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_takes_now_by_keyword(name: str) -> None:
    for owner in (RequestMethods, Session, Client):
        now = inspect.signature(getattr(owner, name)).parameters["now"]
        assert now.kind is inspect.Parameter.KEYWORD_ONLY
        assert now.default is inspect.Parameter.empty


# --- What may be called when ---

HELD = {name for name in METHODS if not name.startswith("send_") and name != "simulate"}
LIVE = (
    Phase.PREPARING,
    Phase.OPENING,
    Phase.VALIDATING,
    Phase.JOINING,
    Phase.SETTLING,
    Phase.JOINED,
    Phase.WAITING,
)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", [name for name in SENT if name != "close"])
def test_a_call_in_a_wrong_phase_changes_nothing(name: str, phase: Phase) -> None:
    method = name.split()[0]
    allowed = LIVE if method in HELD else (Phase.JOINED,)
    life = SessionLife()
    life.reach(phase)
    before = snapshot(life.session)
    if phase in allowed:
        SENT[name][0](life.session)
        assert snapshot(life.session) != before
        return
    with pytest.raises(LocalProtocolError) as caught:
        SENT[name][0](life.session)
    error = caught.value
    assert (error.method, error.phase) == (method, phase)
    assert error.allowed == tuple(str(one) for one in allowed)
    assert all(word in str(error) for word in (method, phase, *error.allowed))
    assert snapshot(life.session) == before


# --- What is refused ---

TRACK = msg.AddTrackRequest(cid="c", type=msg.TrackType.AUDIO)
LONE_SURROGATE = "\ud800"

REFUSED: dict[str, tuple[Call, str]] = {
    "a track without cid": (
        lambda on: on.add_track(msg.AddTrackRequest(type=msg.TrackType.AUDIO), now=NOW),
        "add_track: the track needs a cid",
    ),
    "a track of data": (
        lambda on: on.add_track(msg.AddTrackRequest(cid="c", type=msg.TrackType.DATA), now=NOW),
        "add_track: the track's type must be AUDIO or VIDEO",
    ),
    "a track with a number that does not fit": (
        lambda on: on.add_track(
            msg.AddTrackRequest(cid="c", type=msg.TrackType.VIDEO, width=-1), now=NOW
        ),
        "add_track: .*width",
    ),
    "a mute of nothing": (
        lambda on: on.mute_track("", True, now=NOW),
        "mute_track: which track",
    ),
    "features of nothing": (
        lambda on: on.update_audio_track("", [], now=NOW),
        "update_audio_track: which track",
    ),
    "the size of nothing": (
        lambda on: on.update_video_track("", width=1, height=1, now=NOW),
        "update_video_track: which track",
    ),
    "a size below zero": (
        lambda on: on.update_video_track("TR_1", width=-1, height=1, now=NOW),
        "update_video_track: .*width",
    ),
    "layers of nothing": (
        lambda on: on.update_video_layers("", [], now=NOW),
        "update_video_layers: which track",
    ),
    "a subscription to nothing": (
        lambda on: on.update_subscription(subscribe=True, now=NOW),
        "update_subscription: which tracks",
    ),
    "a subscription to letters": (
        lambda on: on.update_subscription(subscribe=True, track_sids="TR_1", now=NOW),
        "update_subscription: track_sids must be a list, not one sid",
    ),
    "settings of nothing": (
        lambda on: on.update_track_settings([], now=NOW),
        "update_track_settings: which tracks",
    ),
    "settings of letters": (
        lambda on: on.update_track_settings("TR_1", now=NOW),
        "update_track_settings: track_sids must be a list, not one sid",
    ),
    "settings that do not fit": (
        lambda on: on.update_track_settings(["TR_1"], fps=2**32, now=NOW),
        "update_track_settings: .*fps",
    ),
    "no change": (
        lambda on: on.update_metadata(now=NOW),
        "update_metadata: nothing to change",
    ),
    "no change in attributes": (
        lambda on: on.update_metadata(attributes={}, now=NOW),
        "update_metadata: nothing to change",
    ),
    "a text that is not Unicode": (
        lambda on: on.update_metadata(name=LONE_SURROGATE, now=NOW),
        "update_metadata: .*name",
    ),
    "an attribute that is no text": (
        lambda on: on.update_metadata(attributes={"a": 1}, now=NOW),  # type: ignore[dict-item]  # the point
        "update_metadata: .*attributes",
    ),
    "a data track without a name": (
        lambda on: on.publish_data_track("", pub_handle=1, now=NOW),
        "publish_data_track: name needs 1 to 256 characters",
    ),
    "a data track with a long name": (
        lambda on: on.publish_data_track("n" * 257, pub_handle=1, now=NOW),
        "publish_data_track: name needs 1 to 256 characters",
    ),
    "a data track with handle 0": (
        lambda on: on.publish_data_track("n", pub_handle=0, now=NOW),
        "publish_data_track: pub_handle must be from 1 to 65535",
    ),
    "a data track with a large handle": (
        lambda on: on.publish_data_track("n", pub_handle=65536, now=NOW),
        "publish_data_track: pub_handle must be from 1 to 65535",
    ),
    "no data track": (
        lambda on: on.unpublish_data_track(-1, now=NOW),
        "unpublish_data_track: pub_handle must be from 1 to 65535",
    ),
    "no data tracks": (
        lambda on: on.update_data_subscription([], now=NOW),
        "update_data_subscription: which tracks",
    ),
    "a blob without a key": (
        lambda on: on.store_data_blob(msg.DataBlobKey(), b"", now=NOW),
        "store_data_blob: the key is empty",
    ),
    "a blob with two keys": (
        lambda on: on.store_data_blob(
            msg.DataBlobKey(generic="x", schema_id=msg.DataTrackSchemaId()), b"", now=NOW
        ),
        "store_data_blob: .*generic and schema_id",
    ),
    "no blob": (
        lambda on: on.get_data_blob(msg.DataBlobKey(), participant_identity="bob", now=NOW),
        "get_data_blob: the key is empty",
    ),
    "an empty offer": (
        lambda on: on.send_offer("", offer_id=1, now=NOW),
        "send_offer: the offer is empty",
    ),
    "an offer with a number that does not fit": (
        lambda on: on.send_offer("v=0", offer_id=-1, now=NOW),
        "send_offer: .*id",
    ),
    "an empty answer": (
        lambda on: on.send_answer("", offer_id=1, now=NOW),
        "send_answer: the answer is empty",
    ),
    "an empty candidate": (
        lambda on: on.send_trickle("", target=msg.SignalTarget.PUBLISHER, now=NOW),
        "send_trickle: the candidate is empty",
    ),
    "no scenario": (
        lambda on: on.simulate(msg.SimulateScenario(), now=NOW),
        "simulate: the scenario is empty",
    ),
    "two scenarios": (
        lambda on: on.simulate(msg.SimulateScenario(node_failure=True, migration=True), now=NOW),
        "simulate: .*node_failure and migration",
    ),
    "a sync state with a wrong type in it": (
        lambda on: on.send_sync_state(msg.SyncState(track_sids_disabled=[7]), now=NOW),  # type: ignore[list-item]  # the point
        "send_sync_state: .*track_sids_disabled",
    ),
    "a leave for no reason": (
        lambda on: (
            on.close(now=NOW, leave_reason="because")  # type: ignore[arg-type]  # the point
            if isinstance(on, Session)
            else None
        ),
        "close: .*reason",
    ),
}


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused_before_anything_changes(name: str, encoding: Encoding) -> None:
    call, problem = REFUSED[name]
    life = SessionLife(configured(encoding=encoding))
    life.reach(Phase.JOINED)
    before = snapshot(life.session)
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        call(life.session)
    assert caught.value.method in problem
    assert snapshot(life.session) == before


def test_good_arguments_at_the_bounds() -> None:
    life = SessionLife()
    life.reach(Phase.JOINED)
    life.session.publish_data_track("n" * 256, pub_handle=1, now=NOW)
    life.session.publish_data_track("n", pub_handle=65535, now=NOW)
    life.session.update_metadata(attributes={"a": ""}, now=NOW)
    life.session.update_subscription(
        subscribe=False, participant_tracks=[msg.ParticipantTracks()], now=NOW
    )
    assert len(life.requests) == 5
