"""Binary writing: the bytes of google.protobuf, and clear errors for values that cannot be sent."""

from __future__ import annotations

import random
import struct

import pytest

from kitwire.codec import binary
from kitwire.codec.schema import Message
from kitwire.messages import (
    AddTrackRequest,
    DataPacket,
    DisconnectReason,
    LeaveRequest,
    Ping,
    SessionDescription,
    SignalRequest,
    SimulateScenario,
    SpeakerInfo,
    SpeakersChanged,
    SubscriptionResponse,
    TrackInfo,
    UpdateParticipantMetadata,
    UpdateSubscription,
    UserPacket,
    WrappedJoinRequest,
)
from tests.fuzz.everything import KEY_KINDS, Everything, official_everything
from tests.fuzz.official import classes, copied, official_class
from tests.fuzz.samples import populated


@pytest.mark.parametrize("cls", classes())
def test_messages_built_by_hand_are_written_as_by_google_protobuf(cls: type[Message]) -> None:
    rng = random.Random(cls.__name__)
    official = official_class(cls)
    for _ in range(8):
        message = populated(official, rng, map_sizes=[1])
        expected = message.SerializeToString(deterministic=True)
        assert binary.encode(copied(message)) == expected


def test_every_type_in_every_place_is_written_as_by_google_protobuf() -> None:
    rng = random.Random("everything")
    for _ in range(100):
        expected = populated(official_everything(), rng).SerializeToString(deterministic=True)
        message = binary.decode(Everything, expected)
        again = official_everything().FromString(binary.encode(message))
        assert again.SerializeToString(deterministic=True) == expected


def test_fields_go_by_ascending_number_also_around_a_oneof() -> None:
    packet = DataPacket(participant_sid="PA", user=UserPacket(id="x"), sequence=7)
    expected = official_class(DataPacket)()
    expected.participant_sid, expected.sequence = "PA", 7  # type: ignore[attr-defined] # no stub
    expected.user.id = "x"  # type: ignore[attr-defined] # no stub
    assert binary.encode(packet) == expected.SerializeToString()


@pytest.mark.parametrize("level", [-0.0, float("nan"), float("-inf"), 1e-45, 3.4028234663852886e38])
def test_no_float_is_dropped_but_positive_zero(level: float) -> None:
    assert binary.encode(SpeakerInfo(level=level)) == b"\x15" + struct.pack("<f", level)
    assert binary.encode(SpeakerInfo(level=0.0)) == b""


def test_presence_shows() -> None:
    assert binary.encode(SignalRequest(leave=LeaveRequest())) == b"\x42\x00"
    assert binary.encode(SignalRequest(ping=0)) == b"\x70\x00"
    assert binary.encode(SignalRequest(ping=-1)) == b"\x70" + b"\xff" * 9 + b"\x01"
    assert binary.encode(SignalRequest()) == b""


def test_a_maps_entries_keep_their_order() -> None:
    message = SessionDescription(mid_to_track_id={"b": "", "a": "x"})
    assert binary.encode(message) == b"\x22\x05\x0a\x01b\x12\x00\x22\x06\x0a\x01a\x12\x01x"


def test_unknown_fields_come_last_as_they_came() -> None:
    raw = b"\xc0\x3e\x85\x00" + b"\x42\x00" + b"\xc3\x3e\xc4\x3e"
    message = binary.decode(SignalRequest, raw)
    assert binary.encode(message) == b"\x42\x00" + b"\xc0\x3e\x85\x00" + b"\xc3\x3e\xc4\x3e"


def test_tuples_and_plain_numbers_are_taken_too() -> None:
    message = UpdateSubscription(track_sids=("a", "b"))  # type: ignore[arg-type] # on purpose
    assert binary.encode(message) == b"\x0a\x01a\x0a\x01b"
    leave = LeaveRequest(reason=2)  # type: ignore[arg-type] # on purpose
    assert binary.encode(leave) == b"\x10\x02"
    speaker = SpeakerInfo(level=1)
    assert binary.encode(speaker) == b"\x15" + struct.pack("<f", 1.0)
    wrapped = WrappedJoinRequest(join_request=bytearray(b"x"))  # type: ignore[arg-type] # on purpose
    assert binary.encode(wrapped) == b"\x12\x01x"


def broken(message: Message, name: str, value: object) -> Message:
    setattr(message, name, value)
    return message


SECRET = "eyJhbGciOi.secret"


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (broken(Ping(), "timestamp", "5"), TypeError, "Ping.timestamp must be an int, not str"),
        (broken(Ping(), "timestamp", True), TypeError, "Ping.timestamp must be an int, not bool"),
        (
            broken(Ping(), "timestamp", None),
            TypeError,
            "Ping.timestamp must be an int, not NoneType",
        ),
        (Ping(rtt=2**63), ValueError, "Ping.rtt is out of the range of int64"),
        (
            AddTrackRequest(width=-1),
            ValueError,
            "AddTrackRequest.width is out of the range of uint32",
        ),
        (
            broken(LeaveRequest(), "reason", 2**31),
            ValueError,
            "LeaveRequest.reason is out of the range of enum",
        ),
        (
            broken(LeaveRequest(), "can_reconnect", 1),
            TypeError,
            "LeaveRequest.can_reconnect must be a bool, not int",
        ),
        (
            broken(LeaveRequest(), "regions", SECRET),
            TypeError,
            "LeaveRequest.regions must be a RegionSettings, not str",
        ),
        (
            SignalRequest(offer=SessionDescription(sdp=f"{SECRET}\ud800")),
            ValueError,
            "SignalRequest.offer.sdp has surrogates, which UTF-8 cannot carry",
        ),
        (
            broken(SessionDescription(), "sdp", SECRET.encode()),
            TypeError,
            "SessionDescription.sdp must be a str, not bytes",
        ),
        (
            broken(WrappedJoinRequest(), "join_request", SECRET),
            TypeError,
            "WrappedJoinRequest.join_request must be bytes, not str",
        ),
        (
            SpeakersChanged(speakers=[SpeakerInfo(), SpeakerInfo(level=1e39)]),
            ValueError,
            "SpeakersChanged.speakers.level is out of the range of float",
        ),
        (
            broken(SpeakerInfo(), "level", "1"),
            TypeError,
            "SpeakerInfo.level must be a float, not str",
        ),
        (
            broken(SpeakerInfo(), "level", 10**400),
            ValueError,
            "SpeakerInfo.level is out of the range of float",
        ),
        (
            broken(UpdateSubscription(), "track_sids", SECRET),
            TypeError,
            "UpdateSubscription.track_sids must be a list, not str",
        ),
        (
            broken(TrackInfo(), "audio_features", None),
            TypeError,
            "TrackInfo.audio_features must be a list, not NoneType",
        ),
        (
            broken(UpdateSubscription(), "track_sids", [None]),
            TypeError,
            "UpdateSubscription.track_sids must be a str, not NoneType",
        ),
        (
            broken(UpdateParticipantMetadata(), "attributes", [("a", "b")]),
            TypeError,
            "UpdateParticipantMetadata.attributes must be a dict, not list",
        ),
        (
            broken(UpdateParticipantMetadata(), "attributes", {1: "b"}),
            TypeError,
            "UpdateParticipantMetadata.attributes must be a str, not int",
        ),
        (
            SignalRequest(ping=1, simulate=SimulateScenario(node_failure=True)),
            ValueError,
            "SignalRequest may hold one of simulate and ping, not both",
        ),
        (
            SignalRequest(simulate=SimulateScenario(node_failure=True, migration=True)),
            ValueError,
            "SignalRequest.simulate may hold one of node_failure and migration, not both",
        ),
        (
            broken(SignalRequest(), "leave", SubscriptionResponse()),
            TypeError,
            "SignalRequest.leave must be a LeaveRequest, not SubscriptionResponse",
        ),
    ],
)
def test_a_value_that_cannot_be_sent_is_named_and_not_quoted(
    message: Message, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        binary.encode(message)
    assert str(caught.value) == text
    assert type(caught.value) is error
    assert caught.value.__context__ is None
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_maps_of_every_key_are_read_and_written(kind: str) -> None:
    key = {"string": "k", "bool": True}.get(kind, 1)
    message = binary.decode(Everything, b"")
    setattr(message, f"map_of_{kind}", {key: 5})
    data = binary.encode(message)
    assert official_everything().FromString(data).SerializeToString() == data
    assert binary.decode(Everything, data) == message


def test_enum_numbers_without_a_name_are_sent() -> None:
    assert binary.encode(LeaveRequest(reason=DisconnectReason(77))) == b"\x10\x4d"
