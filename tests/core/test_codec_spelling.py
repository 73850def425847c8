"""Writing JSON as LiveKit's Go server does; google.protobuf reads it back to the same message."""

from __future__ import annotations

import json
import math
import random
import struct

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from kitwire.codec import binary, spelling
from kitwire.codec.json import decode
from kitwire.codec.schema import Message
from kitwire.messages import (
    DataTrackSubscriberHandles,
    DataTrackSubscriberHandlesPublishedDataTrack,
    DisconnectReason,
    LeaveRequest,
    MetricSample,
    Ping,
    RequestResponse,
    RequestResponseReason,
    SessionDescription,
    SignalRequest,
    SignalResponse,
    SimulateScenario,
    SpeakerInfo,
    SpeakersChanged,
    Timestamp,
    TrackInfo,
    TrickleRequest,
    WrappedJoinRequest,
)
from tests.fuzz.everything import Everything, official_everything
from tests.fuzz.official import classes, copied, official_class
from tests.fuzz.samples import populated


@pytest.mark.parametrize("cls", [cls for cls in classes() if cls is not Timestamp])
def test_json_is_that_of_google_protobuf(cls: type[Message]) -> None:
    rng = random.Random(cls.__name__)
    official = official_class(cls)
    for _ in range(8):
        message = populated(official, rng)
        text = spelling.encode(copied(message))
        assert json.loads(text) == json.loads(json_format.MessageToJson(message))
        assert json_format.Parse(text, official()) == message


def test_every_type_in_every_place() -> None:
    rng = random.Random("everything")
    for _ in range(50):
        message = populated(official_everything(), rng)
        text = spelling.encode(binary.decode(Everything, message.SerializeToString()))
        again = json_format.Parse(text, official_everything()())
        assert again.SerializeToString(deterministic=True) == message.SerializeToString(
            deterministic=True
        )


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (SignalRequest(), "{}"),
        (SignalRequest(ping=0), '{"ping":"0"}'),
        (SignalRequest(leave=LeaveRequest()), '{"leave":{}}'),
        (
            LeaveRequest(can_reconnect=True, reason=DisconnectReason.ROOM_DELETED),
            '{"canReconnect":true,"reason":"ROOM_DELETED"}',
        ),
        (LeaveRequest(reason=DisconnectReason(77)), '{"reason":77}'),
        (
            RequestResponse(reason=RequestResponseReason.NOT_ALLOWED, message='é"\n'),
            '{"reason":"NOT_ALLOWED","message":"é\\"\\n"}',
        ),
        (TrickleRequest(candidate_init="x"), '{"candidateInit":"x"}'),
        (Ping(timestamp=2**63 - 1, rtt=-5), '{"timestamp":"9223372036854775807","rtt":"-5"}'),
        (TrackInfo(width=5), '{"width":5}'),
        (WrappedJoinRequest(join_request=b"\xfb\xff"), '{"joinRequest":"+/8="}'),
        (SessionDescription(mid_to_track_id={"": "a"}), '{"midToTrackId":{"":"a"}}'),
        (
            DataTrackSubscriberHandles(
                sub_handles={7: DataTrackSubscriberHandlesPublishedDataTrack()}
            ),
            '{"subHandles":{"7":{}}}',
        ),
        (SpeakerInfo(level=-0.0), '{"level":-0.0}'),
        (SpeakerInfo(level=0.0), "{}"),
        (SpeakerInfo(level=0.1), '{"level":0.1}'),
        (SpeakerInfo(level=1e-45), '{"level":1e-45}'),
        (SpeakerInfo(level=math.nan), '{"level":"NaN"}'),
        (SpeakerInfo(level=math.inf), '{"level":"Infinity"}'),
        (SpeakerInfo(level=-math.inf), '{"level":"-Infinity"}'),
    ],
)
def test_spelling(message: Message, text: str) -> None:
    assert spelling.encode(message) == text
    # By their bytes: a 32-bit float is read as the nearest double, 0.1 as 0.10000000149011612.
    assert binary.encode(decode(type(message), text)) == binary.encode(message)


@given(st.floats(width=32, allow_nan=False))
def test_floats_are_spelled_shortest_and_read_back(level: float) -> None:
    text = spelling.encode(SpeakersChanged(speakers=[SpeakerInfo(level=level)]))
    (speaker,) = decode(SpeakersChanged, text).speakers
    assert struct.pack("<f", speaker.level) == struct.pack("<f", level)
    if math.isfinite(level) and level:
        spelled = str(json.loads(text)["speakers"][0]["level"])
        digits = spelled.split("e")[0].strip("-").replace(".", "").strip("0")
        assert len(digits) <= 9


def test_doubles_keep_all_their_digits() -> None:
    message = decode(Everything, '{"oneDouble": 0.30000000000000004, "maybeDouble": "NaN"}')
    assert spelling.encode(message) == '{"oneDouble":0.30000000000000004,"maybeDouble":"NaN"}'


def test_keys_that_are_bools() -> None:
    message = decode(Everything, '{"mapOfBool": {"true": 1}}')
    assert spelling.encode(message) == '{"mapOfBool":{"true":1}}'


def test_times() -> None:
    sample = MetricSample(normalized_timestamp=Timestamp(seconds=1, nanos=500_000_000))
    assert spelling.encode(sample) == '{"normalizedTimestamp":"1970-01-01T00:00:01.500Z"}'


def test_unknown_fields_are_left_out() -> None:
    message = binary.decode(SignalResponse, b"\xc0\x3e\x01")
    assert spelling.encode(message) == "{}"


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (TrackInfo(width=-1), ValueError, "TrackInfo.width is out of the range of uint32"),
        (
            SignalRequest(offer=SessionDescription(sdp="\ud800")),
            ValueError,
            "SignalRequest.offer.sdp has surrogates, which UTF-8 cannot carry",
        ),
        (
            SignalRequest(simulate=SimulateScenario(node_failure=True, migration=True)),
            ValueError,
            "SignalRequest.simulate may hold one of node_failure and migration, not both",
        ),
        (
            MetricSample(normalized_timestamp=Timestamp(nanos=-1)),
            ValueError,
            "MetricSample.normalized_timestamp is outside the years 1 to 9999",
        ),
        (
            SignalRequest(leave=SimulateScenario()),  # type: ignore[arg-type] # on purpose
            TypeError,
            "SignalRequest.leave must be a LeaveRequest, not SimulateScenario",
        ),
    ],
)
def test_a_value_that_cannot_be_sent(message: Message, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        spelling.encode(message)
    assert str(caught.value) == text
    assert caught.value.__suppress_context__
