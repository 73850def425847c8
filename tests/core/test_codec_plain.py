"""Messages as plain data: everything spelled out, no secret in it."""

from __future__ import annotations

import json
import math
import random
from enum import Enum, IntEnum, StrEnum
from typing import cast

import pytest
from google.protobuf import json_format

from kitwire.codec import binary
from kitwire.codec.plain import to_plain
from kitwire.codec.redaction import MASK
from kitwire.codec.schema import Label, Message, shape_of
from kitwire.messages import (
    ChatMessage,
    DataChannelInfo,
    DataTrackSubscriberHandles,
    DataTrackSubscriberHandlesPublishedDataTrack,
    DisconnectReason,
    IceServer,
    JoinResponse,
    LeaveRequest,
    LeaveRequestAction,
    MetricSample,
    Ping,
    Room,
    RoomMovedResponse,
    SessionDescription,
    SignalResponse,
    SpeakerInfo,
    Timestamp,
    TrackInfo,
    TrickleRequest,
    UpdateParticipantMetadata,
    UserPacket,
    WrappedJoinRequest,
)
from kitwire.messages._secrets import SECRET_FIELDS
from tests.fuzz.official import classes, copied, official_class
from tests.fuzz.samples import populated

TOKEN = "eyJhbGciOi.eyJ2aWRlbyI6.s1gn4tur3"


def without_nulls(tree: object) -> object:
    if isinstance(tree, dict):
        return {name: without_nulls(item) for name, item in tree.items() if item is not None}
    if isinstance(tree, list):
        return [without_nulls(item) for item in tree]
    return tree


@pytest.mark.parametrize("cls", [cls for cls in classes() if cls is not Timestamp])
def test_plain_data_is_googles_dict_with_defaults(cls: type[Message]) -> None:
    rng = random.Random(cls.__name__)
    official = official_class(cls)
    for _ in range(8):
        message = populated(official, rng)
        expected = json_format.MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        plain = to_plain(copied(message))
        assert without_secrets(cls, without_nulls(plain)) == without_secrets(cls, expected)
        json.dumps(plain, allow_nan=False)


def without_secrets(cls: type[Message], tree: object) -> object:
    """The tree without the fields that are masked."""
    if not isinstance(tree, dict):
        return tree
    kept: dict[str, object] = {}
    for field in shape_of(cls).fields:
        if field.secret or field.proto_name not in tree:
            continue
        value: object = tree[field.proto_name]
        inner = field.entry[1].message if field.entry else field.message
        if inner is None:
            kept[field.proto_name] = value
        elif field.label is Label.MAP:
            entries = cast("dict[str, object]", value)
            kept[field.proto_name] = {k: without_secrets(inner, v) for k, v in entries.items()}
        elif isinstance(value, list):
            kept[field.proto_name] = [without_secrets(inner, item) for item in value]
        else:
            kept[field.proto_name] = without_secrets(inner, value)
    return kept


def test_defaults_are_there_unset_messages_are_none() -> None:
    assert to_plain(LeaveRequest()) == {
        "can_reconnect": False,
        "reason": "UNKNOWN_REASON",
        "action": "DISCONNECT",
        "regions": None,
    }
    assert to_plain(SessionDescription()) == {
        "type": "",
        "sdp": "",
        "id": 0,
        "mid_to_track_id": {},
    }


def test_unset_members_of_a_oneof_and_unset_optionals_are_not() -> None:
    assert to_plain(SignalResponse()) == {}
    assert to_plain(SignalResponse(pong=0)) == {"pong": "0"}
    plain = cast("dict[str, object]", to_plain(ChatMessage()))
    assert "edit_timestamp" not in plain
    assert (
        cast("dict[str, object]", to_plain(ChatMessage(edit_timestamp=0)))["edit_timestamp"] == "0"
    )


def test_spelling() -> None:
    assert to_plain(Ping(timestamp=5)) == {"timestamp": "5", "rtt": "0"}
    leave = LeaveRequest(reason=DisconnectReason(77), action=LeaveRequestAction.RESUME)
    plain = cast("dict[str, object]", to_plain(leave))
    assert (plain["reason"], plain["action"]) == (77, "RESUME")
    assert cast("dict[str, object]", to_plain(SpeakerInfo(level=0.1)))["level"] == 0.1
    assert cast("dict[str, object]", to_plain(SpeakerInfo(level=math.nan)))["level"] == "NaN"
    assert cast("dict[str, object]", to_plain(UserPacket(payload=b"\xff")))["payload"] == "/w=="
    handles = DataTrackSubscriberHandles(
        sub_handles={7: DataTrackSubscriberHandlesPublishedDataTrack(track_sid="a")}
    )
    assert to_plain(handles) == {
        "sub_handles": {"7": {"publisher_identity": "", "publisher_sid": "", "track_sid": "a"}}
    }


def test_times() -> None:
    sample = MetricSample(normalized_timestamp=Timestamp(seconds=1))
    plain = cast("dict[str, object]", to_plain(sample))
    assert plain["normalized_timestamp"] == "1970-01-01T00:00:01Z"
    assert to_plain(Timestamp(nanos=-1)) == {"seconds": "0", "nanos": -1}


# --------------------------------------------------------------------------------------- secrets


def filled(cls: type[Message], name: str) -> Message:
    """A message with a secret in one field."""
    (field,) = (field for field in shape_of(cls).fields if field.name == name)
    message = cls()
    secret: object = b"s1gn4tur3" if field.kind == "bytes" else "opaque s1gn4tur3"
    setattr(message, name, secret)
    return message


@pytest.mark.parametrize(
    ("cls_name", "name"),
    [
        (cls_name, name)
        for cls_name, names in SECRET_FIELDS.items()
        for name in sorted(names)
        if (cls_name, name)
        not in (("SessionDescription", "sdp"), ("TrickleRequest", "candidate_init"))
    ],
)
def test_secret_fields_are_masked(cls_name: str, name: str) -> None:
    (cls,) = (cls for cls in classes() if cls.__name__ == cls_name)
    plain = cast("dict[str, object]", to_plain(filled(cls, name)))
    assert plain[name] == MASK
    assert "s1gn4tur3" not in str(plain)


def test_an_empty_secret_shows_that_it_is_empty() -> None:
    assert to_plain(SignalResponse(refresh_token="")) == {"refresh_token": ""}
    assert cast("dict[str, object]", to_plain(IceServer()))["credential"] == ""
    assert cast("dict[str, object]", to_plain(WrappedJoinRequest()))["join_request"] == ""


def test_of_sdp_and_candidates_only_the_credentials_go() -> None:
    sdp = "v=0\r\na=ice-ufrag:UFRAG\r\na=ice-pwd:PASSWORD\r\na=mid:0\r\n"
    plain = cast("dict[str, object]", to_plain(SessionDescription(type="offer", sdp=sdp)))
    assert plain["sdp"] == f"v=0\r\na=ice-ufrag:{MASK}\r\na=ice-pwd:{MASK}\r\na=mid:0\r\n"
    candidate = '{"candidate":"candidate:1 1 udp 1 10.0.0.1 1 typ host ufrag UFRAG","sdpMid":"0"}'
    plain = cast("dict[str, object]", to_plain(TrickleRequest(candidate_init=candidate)))
    assert plain["candidateInit"] == candidate.replace("UFRAG", MASK)


def test_tokens_are_masked_wherever_they_stand() -> None:
    update = UpdateParticipantMetadata(metadata=TOKEN, attributes={TOKEN: TOKEN})
    moved = RoomMovedResponse(token=TOKEN, room=Room(name=f"in {TOKEN}"))
    join = JoinResponse(ice_servers=[IceServer(urls=["turn:x"], credential="s1gn4tur3")])
    for value in (update, moved, join, [TOKEN], {"a": TOKEN}, (update,), {TOKEN: 1}):
        assert "s1gn4tur3" not in json.dumps(to_plain(value))
        assert MASK in json.dumps(to_plain(value))


def test_a_message_that_is_no_utf8_for_a_terminal_is_still_json() -> None:
    json.dumps(to_plain(DataChannelInfo(label="\ud800")))


# ----------------------------------------------------------------------------------- other values


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    A = "a"


class Other(Enum):
    PAIR = (1, 2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (0.5, 0.5),
        (math.inf, "Infinity"),
        ("text", "text"),
        (b"\xff", "/w=="),
        (bytearray(b"\xff"), "/w=="),
        (DisconnectReason.ROOM_DELETED, "ROOM_DELETED"),
        (DisconnectReason(77), 77),
        (Number.ONE, 1),
        (Word.A, "a"),
        (Other.PAIR, [1, 2]),
        ([Ping(), 1], [{"timestamp": "0", "rtt": "0"}, 1]),
        ((1, (2,)), [1, [2]]),
        (frozenset({1}), [1]),
        ({"a": {1: True}, True: Word.A}, {"a": {"1": True}, "true": "a"}),
        ({DisconnectReason.ROOM_DELETED: 1}, {"ROOM_DELETED": 1}),
    ],
)
def test_other_values(value: object, expected: object) -> None:
    plain = to_plain(value)
    assert plain == expected
    assert type(plain) is type(expected)


def test_what_is_no_data() -> None:
    with pytest.raises(TypeError, match="object is neither a message nor plain data"):
        to_plain([object()])


def test_a_badly_built_message_still_shows() -> None:
    track = TrackInfo()
    track.layers = None  # type: ignore[assignment] # on purpose
    track.width = "wide"  # type: ignore[assignment] # on purpose
    plain = cast("dict[str, object]", to_plain(track))
    assert (plain["layers"], plain["width"]) == (None, "wide")
    assert cast("dict[str, object]", to_plain(SpeakerInfo(level=1e39)))["level"] == 1e39


def test_unknown_fields_are_left_out() -> None:
    assert to_plain(binary.decode(SignalResponse, b"\xc0\x3e\x01")) == {}
