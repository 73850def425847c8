"""Strict decoding, rule by rule; google.protobuf says what is right wherever it can be asked."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import betterproto2
import pytest
from google.protobuf.struct_pb2 import ListValue as OfficialList

from kitwire.codec import binary
from kitwire.codec.schema import UNKNOWN, M, Message
from kitwire.errors import MalformedFrame
from kitwire.messages import (
    DataTrackSubscriberHandles,
    DisconnectReason,
    LeaveRequest,
    LeaveRequestAction,
    ParticipantInfo,
    SessionDescription,
    SignalRequest,
    SignalResponse,
    SpeakerInfo,
    TrackInfo,
)
from tests.fuzz.everything import KINDS, Everything, official_everything
from tests.fuzz.learning import learn
from tests.fuzz.mutations import varint
from tests.fuzz.official import DecodeError, OfficialMessage, canonical, official_class

JOIN, PONG, REFRESH_TOKEN, LEAVE = 1, 18, 16, 8
"""Variants of SignalResponse."""


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def block(number: int, body: bytes) -> bytes:
    return tag(number, 2) + varint(len(body)) + body


def nested(body: bytes, *numbers: int) -> bytes:
    for number in reversed(numbers):
        body = block(number, body)
    return body


def groups(height: int, inside: bytes = b"") -> bytes:
    return tag(1000, 3) * height + inside + tag(1000, 4) * height


def official_of(cls: type[Message]) -> type[OfficialMessage]:
    return official_everything() if cls is Everything else official_class(cls)


def refused(cls: type[Message], data: bytes) -> MalformedFrame:
    """google.protobuf refuses it, and so do we."""
    with pytest.raises(DecodeError):
        official_of(cls).FromString(data)
    with pytest.raises(MalformedFrame) as caught:
        binary.decode(cls, data)
    return caught.value


def accepted(cls: type[M], data: bytes) -> M:
    """google.protobuf accepts it, and so do we, with the same fields, the unknown ones too."""
    official = official_of(cls)
    expected = official.FromString(data).SerializeToString(deterministic=True)
    message = binary.decode(cls, data)
    assert canonical(official, binary.encode(message)) == expected
    return message


def unknown(message: Message) -> bytes:
    held: object = getattr(message, UNKNOWN)
    assert isinstance(held, bytes)
    return held


# -------------------------------------------------------------------------------- tags and sizes


def test_an_empty_frame_is_an_empty_message() -> None:
    message = accepted(SignalResponse, b"")
    assert message == SignalResponse()
    assert unknown(message) == b""


@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_a_tag_need_not_be_minimal(padding: int) -> None:
    data = varint(PONG << 3, padding) + b"\x05"
    assert accepted(SignalResponse, data).pong == 5


def test_a_tag_has_at_most_5_bytes() -> None:
    assert accepted(LeaveRequest, varint(3 << 3, 4) + b"\x01").action == LeaveRequestAction.RESUME
    error = refused(LeaveRequest, varint(3 << 3, 5) + b"\x01")
    assert (error.problem, error.where, error.offset) == (
        "a tag has more than 5 bytes",
        "LeaveRequest",
        0,
    )


def test_a_tag_has_at_most_32_bits() -> None:
    accepted(SignalResponse, b"\xf8\xff\xff\xff\x0f\x00")
    error = refused(SignalResponse, b"\xf8\xff\xff\xff\x1f\x00")
    assert error.problem == "a tag is too large"


@pytest.mark.parametrize(
    ("inner", "problem", "where", "offset"),
    [
        (b"\x2a\x01\x80", "a tag is cut short", "update", 2),
        (b"\x2a\x01\x0a", "a length is cut short", "update.participants", 3),
        (b"\x2a\x03\x0a\x01\x30", "a number is cut short", "update.participants.joined_at", 5),
        (
            b"\x2a\x04\x0a\x02\x30\x80",
            "a number is cut short",
            "update.participants.joined_at",
            5,
        ),
        (
            b"\x2a\x05\x0a\x03\xa0\x01\x80",
            "a number is cut short",
            "update.participants.client_protocol",
            6,
        ),
    ],
)
def test_what_is_cut_short_within_a_message_ends_there_whatever_follows(
    inner: bytes, problem: str, where: str, offset: int
) -> None:
    for rest in (b"", b"\x01", b"\x70\x05"):
        error = refused(SignalResponse, inner + rest)
        found = (error.problem, error.where, error.offset)
        assert found == (problem, f"SignalResponse.{where}", offset)


def test_a_length_that_is_too_large_is_where_it_stands_behind_a_long_tag() -> None:
    error = refused(SignalResponse, tag(REFRESH_TOKEN, 2) + b"\x05ab")
    assert (error.problem, error.offset) == ("a length of 5 exceeds the 2 bytes left", 2)


def test_a_tag_that_is_cut_short() -> None:
    error = refused(SignalResponse, b"\x90\x01\x05" + b"\x80")
    assert (error.problem, error.offset) == ("a tag is cut short", 3)


def test_a_field_without_a_whole_tag_is_not_named() -> None:
    assert tag(REFRESH_TOKEN, 2)[:1] == b"\x82"
    assert (REFRESH_TOKEN << 3 | 2, PONG << 3 | 2) == (0x82, 0x92)
    for data in (b"\x82", b"\x92", tag(PONG, 0) + b"\x05\x82"):
        assert refused(SignalResponse, data).where == "SignalResponse"


@pytest.mark.parametrize("wire_type", range(8))
def test_field_0_is_refused(wire_type: int) -> None:
    refused(SignalResponse, tag(0, wire_type) + bytes(8))


def test_a_length_need_not_be_minimal_but_has_at_most_5_bytes() -> None:
    data = tag(REFRESH_TOKEN, 2)
    assert accepted(SignalResponse, data + varint(3, 4) + b"abc").refresh_token == "abc"
    error = refused(SignalResponse, data + varint(3, 5) + b"abc")
    assert error.problem == "a length has more than 5 bytes"
    assert error.where == "SignalResponse.refresh_token"


@pytest.mark.parametrize("size", [2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
def test_a_length_is_below_2_to_the_31(size: int) -> None:
    error = refused(SignalResponse, tag(REFRESH_TOKEN, 2) + varint(size))
    assert error.problem in ("a length is too large", "a length has more than 5 bytes")


@pytest.mark.parametrize("number", [REFRESH_TOKEN, JOIN, 1000])
@pytest.mark.parametrize("size", [4, 100, 2**31 - 1])
def test_a_length_beyond_the_end(number: int, size: int) -> None:
    error = refused(SignalResponse, tag(number, 2) + varint(size) + b"\x0a\x01a")
    assert error.problem == f"a length of {size} exceeds the 3 bytes left"


def test_a_length_beyond_the_message_that_holds_it() -> None:
    inner = tag(1, 2) + varint(5) + b"abc"
    error = refused(ParticipantInfo, block(4, inner) + b"\x0a\x05hello")
    assert error.where == "ParticipantInfo.tracks.sid"


def test_a_number_beyond_the_message_that_holds_it() -> None:
    refused(SignalResponse, nested(b"\x08\x80", LEAVE) + b"\x01")


def test_a_cut_at_every_place_of_a_frame_is_refused_or_means_less() -> None:
    whole = nested(b"\x0a\x03abc\x12\x01b\x18\x01", 5, 1) + block(REFRESH_TOKEN, b"token")
    for end in range(len(whole)):
        data = whole[:end]
        try:
            official_class(SignalResponse).FromString(data)
        except DecodeError:
            refused(SignalResponse, data)
        else:
            accepted(SignalResponse, data)


# ---------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("padding", range(8))
def test_a_number_need_not_be_minimal(padding: int) -> None:
    assert accepted(SignalResponse, tag(PONG, 0) + varint(300, padding)).pong == 300


def test_a_number_has_at_most_10_bytes() -> None:
    data = tag(PONG, 0)
    assert accepted(SignalResponse, data + b"\x85" + b"\x80" * 8 + b"\x00").pong == 5
    error = refused(SignalResponse, data + b"\x85" + b"\x80" * 9 + b"\x00")
    assert error.problem == "a number has more than 10 bytes"
    assert error.where == "SignalResponse.pong"
    assert error.offset == len(data)


@pytest.mark.parametrize("last", [0x01, 0x02, 0x7F])
def test_bits_beyond_64_are_dropped(last: int) -> None:
    message = accepted(SignalResponse, tag(PONG, 0) + b"\x80" * 9 + bytes((last,)))
    assert message.pong == (-(2**63) if last & 1 else 0)


def test_a_number_that_is_cut_short() -> None:
    assert refused(SignalResponse, tag(PONG, 0) + b"\x80").problem == "a number is cut short"
    assert refused(SignalResponse, tag(PONG, 0)).problem == "a number is cut short"


@pytest.mark.parametrize(
    ("kind", "number", "expected"),
    [
        ("int32", 2**32 + 7, 7),
        ("int32", 2**31, -(2**31)),
        ("int32", 2**64 - 1, -1),
        ("uint32", 2**32 + 7, 7),
        ("uint32", 2**64 - 1, 2**32 - 1),
        ("enum", 2**32 + 1, 1),
        ("enum", 2**64 - 5, -5),
        ("int64", 2**63, -(2**63)),
        ("uint64", 2**64 - 1, 2**64 - 1),
        ("sint32", 2**32 + 1, -1),
        ("sint32", 2**32 - 1, -(2**31)),
        ("sint64", 2**64 - 1, -(2**63)),
        ("sint64", 2**64 - 2, 2**63 - 1),
        ("bool", 2**63, True),
        ("bool", 2**32, True),
        ("bool", 0, False),
    ],
)
def test_numbers_are_cut_to_their_type(kind: str, number: int, expected: int) -> None:
    place = 1 + 5 * KINDS.index(kind)
    message = accepted(Everything, tag(place, 0) + varint(number))
    assert getattr(message, f"one_{kind}") == expected


def test_a_known_number_of_an_enum_is_its_member() -> None:
    for number, member in ((1, LeaveRequestAction.RESUME), (0, LeaveRequestAction.DISCONNECT)):
        assert accepted(LeaveRequest, tag(3, 0) + varint(number)).action is member


def test_an_unknown_number_of_an_enum_is_kept() -> None:
    action = accepted(LeaveRequest, tag(3, 0) + varint(77)).action
    assert action == 77
    assert isinstance(action, LeaveRequestAction)


@pytest.mark.parametrize("kind", ["float", "double", "fixed32", "sfixed64"])
def test_a_fixed_value_that_is_cut_short(kind: str) -> None:
    place = 1 + 5 * KINDS.index(kind)
    size = 4 if kind in ("float", "fixed32") else 8
    whole = tag(place, 5 if size == 4 else 1) + bytes(size)
    accepted(Everything, whole)
    assert refused(Everything, whole[:-1]).problem == f"a value of {size} bytes is cut short"


def test_floats_keep_their_32_bits() -> None:
    for number in (0.1, -0.0, 1e-45, float("inf")):
        data = tag(2, 5) + struct.pack("<f", number)
        assert struct.pack("<f", accepted(SpeakerInfo, data).level) == data[1:]


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"],
    ids=["stray", "cut", "overlong", "surrogate", "beyond Unicode"],
)
def test_a_string_that_is_not_utf8(text: bytes) -> None:
    error = refused(SignalResponse, block(REFRESH_TOKEN, text))
    assert error.problem == "a string is not UTF-8"
    assert error.where == "SignalResponse.refresh_token"
    assert error.offset == (4 if text.startswith(b"a") else 3)
    refused(SessionDescription, block(4, block(1, text) + block(2, b"x")))
    refused(SessionDescription, block(4, block(1, b"x") + block(2, text)))


def test_a_byte_order_mark_and_nul_are_text() -> None:
    text = "\ufeff\x00\U0010ffff"
    assert accepted(SignalResponse, block(REFRESH_TOKEN, text.encode())).refresh_token == text


# -------------------------------------------------------------------------------- unknown fields


@pytest.mark.parametrize(
    "raw",
    [
        tag(1000, 0) + varint(5, 3),
        tag(1000, 1) + b"12345678",
        tag(1000, 2) + varint(3, 1) + b"abc",
        varint(1000 << 3 | 5, 2) + b"1234",
        groups(1),
        groups(3, b"\x08\x01" + block(5, b"x")),
        tag(9, 0) + b"\x01",
        tag(2**29 - 1, 0) + b"\x01",
    ],
)
def test_unknown_fields_are_kept_as_they_came(raw: bytes) -> None:
    message = accepted(SignalResponse, raw + tag(PONG, 0) + b"\x05" + raw)
    assert message.pong == 5
    assert unknown(message) == raw + raw
    inner = accepted(SignalResponse, nested(raw, LEAVE)).leave
    assert inner is not None
    assert unknown(inner) == raw


@pytest.mark.parametrize("number", [REFRESH_TOKEN, PONG, JOIN])
def test_a_known_number_with_a_wrong_wire_type_is_an_unknown_field(number: int) -> None:
    right = 0 if number == PONG else 2
    for wire_type, value in ((0, b"\x05"), (1, bytes(8)), (2, b"\x02ab"), (5, bytes(4))):
        if wire_type != right:
            data = tag(number, wire_type) + value
            message = accepted(SignalResponse, data)
            assert message == SignalResponse()
            assert unknown(message) == data


def test_a_group_on_a_known_number_is_an_unknown_field() -> None:
    data = tag(JOIN, 3) + b"\x0a\x01x" + tag(JOIN, 4)
    message = accepted(SignalResponse, data)
    assert message.join is None
    assert unknown(message) == data


def test_field_0_is_let_through_inside_an_unknown_group() -> None:
    data = groups(1, b"\x00\x01" + b"\x03\x04" + b"\x02\x01x")
    assert unknown(accepted(SignalResponse, data)) == data


def test_the_end_of_a_group_matches_its_beginning() -> None:
    refused(SignalResponse, tag(1000, 3) + tag(1001, 4))
    refused(SignalResponse, tag(1000, 4))
    refused(SignalResponse, tag(1000, 3) + tag(1001, 3) + tag(1000, 4) + tag(1001, 4))
    error = refused(SignalResponse, nested(tag(1000, 3), LEAVE) + tag(1000, 4))
    assert error.problem == "a tag is cut short"


def test_a_tag_inside_a_group_obeys_the_rules() -> None:
    accepted(SignalResponse, groups(1, varint(7 << 3, 4) + b"\x01"))
    refused(SignalResponse, groups(1, varint(7 << 3, 5) + b"\x01"))
    refused(SignalResponse, groups(1, tag(7, 6)))
    refused(SignalResponse, groups(1, block(7, b"")[:-1] + varint(2**31)))
    refused(SignalResponse, tag(1000, 3) + tag(7, 5) + b"123")


@pytest.mark.parametrize("wire_type", [6, 7])
@pytest.mark.parametrize("number", [PONG, 1000])
def test_wire_types_that_do_not_exist(wire_type: int, number: int) -> None:
    error = refused(SignalResponse, tag(number, wire_type) + b"\x01")
    assert error.problem == f"wire type {wire_type}"


@pytest.mark.parametrize("path", [(), (LEAVE,), (5, 1), (5, 1, 4)])
def test_groups_and_messages_nest_to_100(path: tuple[int, ...]) -> None:
    accepted(SignalResponse, nested(groups(100 - len(path)), *path))
    error = refused(SignalResponse, nested(groups(101 - len(path)), *path))
    assert error.problem == "groups and messages nest deeper than 100"


def test_a_map_entry_counts_as_a_message() -> None:
    accepted(SessionDescription, nested(groups(99), 4))
    refused(SessionDescription, nested(groups(100), 4))
    accepted(DataTrackSubscriberHandles, nested(groups(98), 1, 2))
    refused(DataTrackSubscriberHandles, nested(groups(99), 1, 2))


def test_a_hundred_thousand_groups_are_refused_without_recursion() -> None:
    refused(SignalResponse, groups(100_000))


@dataclass(eq=False, repr=False)
class Value(betterproto2.Message):
    """google.protobuf.Value as far as lists go: LiveKit's schema has no message inside itself."""

    list_value: ListValue | None = betterproto2.field(  # noqa: RUF009 - a field, not a value
        6, "message", optional=True, group="kind"
    )


@dataclass(eq=False, repr=False)
class ListValue(betterproto2.Message):
    values: list[Value] = betterproto2.field(  # noqa: RUF009 - a field, not a value
        1, "message", repeated=True
    )


def test_messages_nest_to_100() -> None:
    learn(Value, ListValue)
    hundred, deeper = b"", block(1, b"")
    for _ in range(50):
        hundred, deeper = nested(hundred, 1, 6), nested(deeper, 1, 6)
    OfficialList.FromString(hundred)
    assert binary.encode(binary.decode(ListValue, hundred)) == hundred
    with pytest.raises(DecodeError):
        OfficialList.FromString(deeper)
    with pytest.raises(MalformedFrame, match="groups and messages nest deeper than 100"):
        binary.decode(ListValue, deeper)


# -------------------------------------------------------------------------- repeats and presence


def test_the_last_of_several_values_counts() -> None:
    message = accepted(LeaveRequest, b"\x10\x01\x10\x02\x10\x00")
    assert message.reason == 0
    assert binary.encode(message) == b""


def test_packed_and_unpacked_repeats_are_both_read() -> None:
    packed, one = block(19, b"\x01\x02"), tag(19, 0) + b"\x03"
    data = packed + one + block(19, b"") + packed
    assert [int(item) for item in accepted(TrackInfo, data).audio_features] == [1, 2, 3, 1, 2]


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("string", "bytes", "message")])
def test_every_packable_type_is_read_packed(kind: str) -> None:
    place = 3 + 5 * KINDS.index(kind)
    size = {"double": 8, "fixed64": 8, "sfixed64": 8, "float": 4, "fixed32": 4, "sfixed32": 4}
    body = bytes(3 * size.get(kind, 1))
    message = accepted(Everything, block(place, body))
    assert getattr(message, f"many_{kind}") == [0, 0, 0]
    assert refused(Everything, block(place, body + b"\x80")).where == f"Everything.many_{kind}"


def test_an_optional_scalar_shows_when_it_is_zero() -> None:
    place = 2 + 5 * KINDS.index("string")
    assert accepted(Everything, block(place, b"")).maybe_string == ""
    assert accepted(Everything, b"").maybe_string is None


def test_a_message_field_that_comes_twice_is_merged() -> None:
    first = b"\x0a\x03abc" + tag(1000, 0) + b"\x01" + block(4, b"\x0a\x01x")
    second = b"\x12\x01b" + tag(1000, 0) + b"\x02" + block(4, b"\x0a\x01y")
    join = accepted(SignalResponse, nested(first, JOIN, 2) + nested(second, JOIN, 2)).join
    assert join is not None
    assert join.participant is not None
    assert (join.participant.sid, join.participant.identity) == ("abc", "b")
    assert [track.sid for track in join.participant.tracks] == ["x", "y"]
    assert unknown(join.participant) == tag(1000, 0) + b"\x01" + tag(1000, 0) + b"\x02"


def test_a_oneof_keeps_its_last_member() -> None:
    data = tag(PONG, 0) + b"\x05" + block(REFRESH_TOKEN, b"t")
    message = accepted(SignalResponse, data)
    assert (message.pong, message.refresh_token) == (None, "t")


def test_a_oneof_member_that_comes_twice_is_merged() -> None:
    message = accepted(SignalResponse, nested(b"\x08\x01", LEAVE) + nested(b"\x10\x02", LEAVE))
    assert message.leave == LeaveRequest(can_reconnect=True, reason=DisconnectReason(2))


def test_of_a_b_a_the_last_a_remains_alone() -> None:
    data = nested(b"\x08\x01", LEAVE) + tag(PONG, 0) + b"\x05" + nested(b"\x10\x02", LEAVE)
    message = accepted(SignalResponse, data)
    assert message.leave == LeaveRequest(reason=DisconnectReason(2))
    assert message.pong is None


def test_an_unknown_variant_leaves_none_and_is_kept() -> None:
    data = block(77, b"\x08\x01")
    message = accepted(SignalResponse, data)
    assert message == SignalResponse()
    assert unknown(message) == data


# ------------------------------------------------------------------------------------------ maps


def entry(body: bytes) -> bytes:
    return block(4, body)


KEY, VALUE = block(1, b"a"), block(2, b"b")


@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_the_tag_of_a_map_entry_need_not_be_minimal(padding: int) -> None:
    padded = varint(tag(4, 2)[0], padding)
    written = [varint(6) + b"\x0a\x01" + key + b"\x12\x01v" for key in (b"a", b"b", b"c")]
    for tags in ((padded, tag(4, 2), padded), (tag(4, 2), padded, padded)):
        data = b"".join(each + body for each, body in zip(tags, written, strict=True))
        found = accepted(SessionDescription, data).mid_to_track_id
        assert list(found.items()) == [("a", "v"), ("b", "v"), ("c", "v")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (KEY + VALUE, {"a": "b"}),
        (VALUE + KEY, {"a": "b"}),
        (KEY, {"a": ""}),
        (VALUE, {"": "b"}),
        (b"", {"": ""}),
        (KEY + block(1, b"c") + VALUE + block(2, b"d"), {"c": "d"}),
    ],
)
def test_map_entries(body: bytes, expected: dict[str, str]) -> None:
    assert accepted(SessionDescription, entry(body)).mid_to_track_id == expected


def test_the_last_entry_with_a_key_counts() -> None:
    data = entry(KEY + VALUE) + entry(KEY + block(2, b"c"))
    assert accepted(SessionDescription, data).mid_to_track_id == {"a": "c"}


STRANGE = (tag(3, 0) + b"\x01", tag(1, 0) + b"\x01", tag(2, 5) + bytes(4), groups(1), block(9, b""))


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("known", [b"", KEY, VALUE, KEY + VALUE, block(1, b"") + block(2, b"")])
def test_a_map_entry_with_an_unknown_or_mistyped_field_is_unknown_whole(
    strange: bytes, known: bytes
) -> None:
    message = accepted(SessionDescription, entry(known + strange) + entry(strange + known))
    assert message.mid_to_track_id == {}
    assert binary.field_numbers(unknown(message)) == (4,)


@pytest.mark.parametrize(
    "value", [b"", block(2, b""), block(2, b"\x1a\x01x") + block(2, b"\x22\x00")]
)
@pytest.mark.parametrize("strange", [b"", b"\x18\x01"])
def test_map_entries_of_messages(value: bytes, strange: bytes) -> None:
    message = accepted(DataTrackSubscriberHandles, block(1, b"\x08\x07" + value + strange))
    assert list(message.sub_handles) == ([] if strange else [7])


def test_unknown_fields_inside_a_maps_message_stay_there() -> None:
    data = block(1, b"\x08\x07" + block(2, b"\x48\x01" + groups(1)))
    message = accepted(DataTrackSubscriberHandles, data)
    assert unknown(message.sub_handles[7]) == b"\x48\x01" + groups(1)


def test_an_unknown_map_entry_with_a_message_that_has_unknown_fields() -> None:
    accepted(
        DataTrackSubscriberHandles, block(1, b"\x08\x07" + block(2, b"\x48\x01") + b"\x18\x01")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_maps_to_every_type_fill_in_what_an_entry_lacks(kind: str) -> None:
    place = 5 + 5 * KINDS.index(kind)
    message = accepted(Everything, block(place, b"\x08\x01"))
    found: object = getattr(message, f"map_to_{kind}")
    assert isinstance(found, dict)
    assert list(found) == [1]


# -------------------------------------------------------------------------------- the exceptions


def test_the_exception_says_where() -> None:
    frame = nested(b"\x0a\x02PA" + block(4, b"\x0a\x01T" + b"\x1a\x05ab"), JOIN, 2)
    error = refused(SignalResponse, frame)
    assert error.where == "SignalResponse.join.participant.tracks.name"
    assert error.offset == len(frame) - 3
    assert str(error) == (
        f"a length of 5 exceeds the 2 bytes left in {error.where} at offset {error.offset}"
    )
    assert error.__context__ is None


def test_the_exception_quotes_nothing() -> None:
    error = refused(SignalResponse, block(REFRESH_TOKEN, b"eyJhbGciOi.secret\xff"))
    assert "secret" not in f"{error!s}{error!r}"


def test_a_bad_tag_is_in_the_message_that_holds_it() -> None:
    error = refused(SignalRequest, nested(b"\x07", 1))
    assert error.where == "SignalRequest.offer"


def test_field_numbers_are_listed_once_in_order() -> None:
    data = block(77, b"x") + tag(9, 0) + b"\x01" + groups(1) + block(77, b"")
    assert binary.field_numbers(data) == (77, 9, 1000)
    assert binary.field_numbers(b"") == ()


def test_messages_share_no_containers() -> None:
    one, other = (binary.decode(SessionDescription, b"") for _ in range(2))
    one.mid_to_track_id["a"] = "b"
    assert other.mid_to_track_id == {}
