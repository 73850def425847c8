"""Reading JSON as LiveKit's Go server does. Each verdict was compared with Go's protojson 1.36.11.

Two differ: Go allows arrays and objects to nest to 10,000, which Python's reader cannot; and of a
string that begins with a number and goes on, Go reads the beginning.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import pytest

from kitwire.codec import json
from kitwire.codec.schema import Message
from kitwire.errors import MalformedFrame
from kitwire.messages import (
    DataTrackSubscriberHandles,
    DisconnectReason,
    LeaveRequest,
    LeaveRequestAction,
    MetricSample,
    Ping,
    SessionDescription,
    SignalRequest,
    SignalResponse,
    SpeakerInfo,
    Timestamp,
    TrackInfo,
    TrickleRequest,
    UpdateSubscription,
    WrappedJoinRequest,
)
from tests.fuzz.everything import Everything


def refused(cls: type[Message], text: str) -> MalformedFrame:
    with pytest.raises(MalformedFrame) as caught:
        json.decode(cls, text)
    return caught.value


# ----------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["midToTrackId", "mid_to_track_id"])
def test_names_are_camel_case_or_the_schemas(name: str) -> None:
    message = json.decode(SessionDescription, f'{{"{name}": {{"0": "TR"}}}}')
    assert message.mid_to_track_id == {"0": "TR"}


def test_candidate_init_is_spelled_as_in_the_schema_alone() -> None:
    assert json.decode(TrickleRequest, '{"candidateInit": "x"}').candidate_init == "x"
    assert json.decode(TrickleRequest, '{"candidate_init": "x"}').candidate_init == ""


def test_unknown_names_are_ignored_whatever_they_hold() -> None:
    text = '{"new": {"a": [1e999, null, {"b": {}}]}, "rtt": "5", "new": 1, "RTT": "6"}'
    assert json.decode(Ping, text) == Ping(rtt=5)


def test_names_may_be_escaped() -> None:
    assert json.decode(Ping, '{"\\u0072tt": 5}').rtt == 5


@pytest.mark.parametrize("text", ['{"rtt": 1, "rtt": 1}', '{"rtt": null, "rtt": null}'])
def test_a_field_comes_once(text: str) -> None:
    error = refused(Ping, text)
    assert str(error) == "comes twice in Ping.rtt"


def test_a_field_comes_once_under_both_names() -> None:
    refused(TrackInfo, '{"disableDtx": true, "disable_dtx": true}')


def test_null_is_absence() -> None:
    text = '{"sid": null, "muted": null, "layers": null, "version": null, "type": null}'
    assert json.decode(TrackInfo, text) == TrackInfo()
    assert json.decode(SessionDescription, '{"midToTrackId": null}') == SessionDescription()
    assert json.decode(SignalRequest, '{"ping": "1", "leave": null}') == SignalRequest(ping=1)


def test_a_oneof_has_one_member() -> None:
    error = refused(SignalRequest, '{"ping": "1", "leave": {}}')
    assert str(error) == "another member of message is set already in SignalRequest.leave"


def test_presence_shows() -> None:
    assert json.decode(SignalRequest, '{"leave": {}}') == SignalRequest(leave=LeaveRequest())
    assert json.decode(SignalRequest, '{"ping": "0"}') == SignalRequest(ping=0)
    assert json.decode(SignalRequest, "{}") == SignalRequest()


# -------------------------------------------------------------------------------------- integers


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("5", 5),
        ('"5"', 5),
        ("-5", -5),
        ('"-5"', -5),
        ("-0", 0),
        ("5.0", 5),
        ("5e0", 5),
        ("0.5e1", 5),
        ("50e-1", 5),
        ("5E+2", 500),
        ("1.20e1", 12),
        ('"1e2"', 100),
        ("0e5", 0),
        ("0.000", 0),
        ("9223372036854775807", 2**63 - 1),
        ('"-9223372036854775808"', -(2**63)),
        ("9007199254740993", 2**53 + 1),
        ("9.223372036854775807e18", 2**63 - 1),
    ],
)
def test_integers(spelled: str, expected: int) -> None:
    assert json.decode(Ping, f'{{"timestamp": {spelled}}}').timestamp == expected


@pytest.mark.parametrize(
    "spelled",
    [
        "1.5",
        "5e-1",
        "1e-1000000000000",
        "9223372036854775808",
        "-9223372036854775809",
        "1e19",
        "1e1000000000000",
        '""',
        '" 5"',
        '"5 "',
        '"0x5"',
        '"05"',
        '"+5"',
        '"5."',
        '".5"',
        '"five"',
        '"1.5"',
        '"5}"',
        '"٣"',
        "true",
        "{}",
        "[]",
        "[5]",
        "1" + "0" * 5000,
    ],
)
def test_what_is_no_integer(spelled: str) -> None:
    error = refused(Ping, f'{{"timestamp": {spelled}}}')
    assert error.where == "Ping.timestamp"


def test_integers_have_the_range_of_their_type() -> None:
    assert json.decode(TrackInfo, '{"width": 4294967295}').width == 2**32 - 1
    assert str(refused(TrackInfo, '{"width": 4294967296}')).startswith("out of the range of uint32")
    refused(TrackInfo, '{"width": -1}')
    refused(TrackInfo, '{"width": "-1"}')


# -------------------------------------------------------------------------------------- enums


@pytest.mark.parametrize("spelled", ['"RESUME"', "1", "1.0", "1e0"])
def test_enums_by_name_or_number(spelled: str) -> None:
    message = json.decode(LeaveRequest, f'{{"action": {spelled}}}')
    assert message.action is LeaveRequestAction.RESUME


def test_unknown_numbers_of_enums_are_kept() -> None:
    for number in (77, -1, 2**31 - 1, -(2**31)):
        assert json.decode(LeaveRequest, f'{{"reason": {number}}}').reason == number


@pytest.mark.parametrize("name", ["NEW_IN_A_LATER_SERVER", "", "1", "resume"])
def test_unknown_names_of_enum_values_are_dropped(name: str) -> None:
    assert json.decode(LeaveRequest, f'{{"action": "{name}"}}') == LeaveRequest()
    text = f'{{"audioFeatures": ["{name}", "TF_STEREO"]}}'
    assert [int(item) for item in json.decode(TrackInfo, text).audio_features] == [0]
    found: object = json.decode(Everything, f'{{"mapToEnum": {{"1": "{name}", "2": "BLUE"}}}}')
    assert getattr(found, "map_to_enum") == {2: -5}  # noqa: B009 - it has no such attribute for mypy


def test_an_unknown_name_takes_its_oneof_as_in_go() -> None:
    refused(Everything, '{"anyEnum": "NEW", "anyInt32": 1}')


@pytest.mark.parametrize("spelled", ["true", "1.5", "2147483648", "{}", "[]"])
def test_what_is_no_enum(spelled: str) -> None:
    refused(LeaveRequest, f'{{"action": {spelled}}}')


# ------------------------------------------------------------------------------ floats and bools


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("0.5", 0.5),
        ('"0.5"', 0.5),
        ("1", 1.0),
        ('"-1e3"', -1000.0),
        ("0.1", 0.10000000149011612),
        ('"Infinity"', math.inf),
        ('"-Infinity"', -math.inf),
        ("3.4028235e38", 3.4028234663852886e38),
        ("1e-60", 0.0),
    ],
)
def test_floats(spelled: str, expected: float) -> None:
    assert json.decode(SpeakerInfo, f'{{"level": {spelled}}}').level == expected


def test_a_float_may_be_none() -> None:
    assert math.isnan(json.decode(SpeakerInfo, '{"level": "NaN"}').level)


def test_minus_zero_is_kept() -> None:
    assert math.copysign(1, json.decode(SpeakerInfo, '{"level": -0.0}').level) == -1


@pytest.mark.parametrize(
    "spelled", ["1e39", "-1e39", "1e400", '"nan"', '"inf"', '""', '" 1"', "true"]
)
def test_what_is_no_float(spelled: str) -> None:
    refused(SpeakerInfo, f'{{"level": {spelled}}}')


def test_doubles_have_the_range_of_theirs() -> None:
    found: object = json.decode(Everything, '{"oneDouble": 1e39}')
    assert getattr(found, "one_double") == 1e39  # noqa: B009 - it has no such attribute for mypy
    assert str(refused(Everything, '{"oneDouble": 1e400}')).startswith("out of the range of double")


@pytest.mark.parametrize("spelled", ["1", '"true"', "0", "{}"])
def test_bools_are_spelled_out(spelled: str) -> None:
    assert json.decode(TrackInfo, '{"muted": true}').muted is True
    refused(TrackInfo, f'{{"muted": {spelled}}}')


# ------------------------------------------------------------------------------ strings and bytes


@pytest.mark.parametrize("text", ["1", "true", "{}", "[]"])
def test_strings_are_strings(text: str) -> None:
    refused(TrackInfo, f'{{"sid": {text}}}')


def test_strings_may_be_escaped() -> None:
    text = '{"sid": "\\ud83d\\ude00 \\u00e9 \\\\ud800 \\" \\/ \\n"}'
    assert json.decode(TrackInfo, text).sid == '😀 é \\ud800 " / \n'


@pytest.mark.parametrize(
    "text",
    [
        "\\ud800",
        "\\uDC00",
        "\\ud800\\ud800",
        "\\ud800x\\udc00",
        "\\ud83d\\n\\ude00",
        "\\udc00\\ud800",
        "\\ud83d\\ude00\\udc00",
        "\\\\\\ud800",
    ],
)
@pytest.mark.parametrize("name", ["sid", "unknown"])
def test_half_a_surrogate_pair_is_refused(text: str, name: str) -> None:
    error = refused(TrackInfo, f'{{"{name}": "{text}"}}')
    assert error.problem == "a string has half a surrogate pair"


BINARY = b"\xfb\xff\xfe\x00\x01"


@pytest.mark.parametrize("data", [BINARY[:size] for size in range(len(BINARY) + 1)])
def test_base64_of_either_alphabet_padded_or_not(data: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        padded = encode(data).decode()
        for spelled in (padded, padded.rstrip("=")):
            text = f'{{"joinRequest": "{spelled}"}}'
            assert json.decode(WrappedJoinRequest, text).join_request == data


def test_base64_may_have_lines_as_in_go() -> None:
    # Go counts line ends when it decides whether to expect padding.
    text = '{"joinRequest": "AA\\nAA\\n\\r\\n"}'
    assert json.decode(WrappedJoinRequest, text).join_request == bytes(3)
    refused(WrappedJoinRequest, '{"joinRequest": "AA\\r\\nA="}')


@pytest.mark.parametrize(
    "spelled",
    ["A", "AAAAA", "A=", "A===", "AA=", "=", "AA A", "AA+_", "-A+A", "AA==AA==", "é", "AAA=="],
)
def test_what_is_no_base64(spelled: str) -> None:
    error = refused(WrappedJoinRequest, f'{{"joinRequest": "{spelled}"}}')
    assert str(error) == "expected base64 in WrappedJoinRequest.join_request"
    refused(WrappedJoinRequest, '{"joinRequest": 5}')


# -------------------------------------------------------------------------------------- containers


def test_lists() -> None:
    assert json.decode(UpdateSubscription, '{"trackSids": ["a", ""]}').track_sids == ["a", ""]
    assert json.decode(UpdateSubscription, '{"trackSids": []}').track_sids == []


@pytest.mark.parametrize("spelled", ['"a"', "{}", "[1]", "[null]", '[["a"]]'])
def test_what_is_no_list_of_strings(spelled: str) -> None:
    refused(UpdateSubscription, f'{{"trackSids": {spelled}}}')


@pytest.mark.parametrize("spelled", ["[null]", "{}", "[[]]", '["x"]'])
def test_what_is_no_list_of_messages(spelled: str) -> None:
    refused(TrackInfo, f'{{"layers": {spelled}}}')


@pytest.mark.parametrize("spelled", ["[]", '"x"', "1", "true", "false"])
def test_what_is_no_message(spelled: str) -> None:
    refused(SignalRequest, f'{{"leave": {spelled}}}')


def test_maps() -> None:
    text = '{"subHandles": {"7": {"trackSid": "a"}, "4294967295": {}}}'
    assert {
        key: value.track_sid
        for key, value in json.decode(DataTrackSubscriberHandles, text).sub_handles.items()
    } == {7: "a", 2**32 - 1: ""}


@pytest.mark.parametrize(
    "spelled",
    [
        "[]",
        '"x"',
        '{"x": {}}',
        '{"-1": {}}',
        '{"4294967296": {}}',
        '{"": {}}',
        '{"7": null}',
        '{"7": []}',
        '{"7": {}, "7": {}}',
        '{"7": {}, "7.0": {}}',
    ],
)
def test_what_is_no_map(spelled: str) -> None:
    error = refused(DataTrackSubscriberHandles, f'{{"subHandles": {spelled}}}')
    assert error.where.startswith("DataTrackSubscriberHandles.sub_handles")


def test_keys_that_are_bools() -> None:
    found: object = json.decode(Everything, '{"mapOfBool": {"true": 1, "false": 2}}')
    assert getattr(found, "map_of_bool") == {True: 1, False: 2}  # noqa: B009 - unknown to mypy
    for key in ("True", "1", ""):
        refused(Everything, f'{{"mapOfBool": {{"{key}": 1}}}}')


def test_keys_that_are_strings_are_taken_as_they_are() -> None:
    text = '{"midToTrackId": {"": "a", "null": "b"}}'
    assert json.decode(SessionDescription, text).mid_to_track_id == {"": "a", "null": "b"}


def test_times() -> None:
    text = '{"normalizedTimestamp": "1970-01-01T00:00:01.5Z"}'
    expected = Timestamp(seconds=1, nanos=500_000_000)
    assert json.decode(MetricSample, text).normalized_timestamp == expected


@pytest.mark.parametrize("spelled", ['"now"', "5", '{"seconds": 5}', "true"])
def test_what_is_no_time(spelled: str) -> None:
    error = refused(MetricSample, f'{{"normalizedTimestamp": {spelled}}}')
    assert error.problem.startswith("expected a time")


# ---------------------------------------------------------------------------------------- syntax


@dataclass(frozen=True, slots=True)
class Bad:
    text: str
    problem: str
    offset: int | None


@pytest.mark.parametrize(
    "bad",
    [
        Bad("", "not JSON: expecting value", 0),
        Bad("   ", "not JSON: expecting value", 3),
        Bad("{", "not JSON: expecting property name enclosed in double quotes", 1),
        Bad('{"rtt": 5', "not JSON: expecting ',' delimiter", 9),
        Bad('{"rtt": 5}}', "not JSON: extra data", 10),
        Bad("{'rtt': 5}", "not JSON: expecting property name enclosed in double quotes", 1),
        Bad('{"rtt": 05}', "not JSON: expecting ',' delimiter", 9),
        Bad('{"rtt": NaN}', "not JSON: NaN", None),
        Bad('{"rtt": -Infinity}', "not JSON: -Infinity", None),
        Bad('{"a": "\t"}', "not JSON: invalid control character at", 7),
        Bad("\ufeff{}", "not JSON: unexpected UTF-8 BOM (decode using utf-8-sig)", 0),
        Bad("null", "expected an object, not null", None),
        Bad("[]", "expected an object, not an array", None),
        Bad("5", "expected an object, not a number", None),
        Bad('"a"', "expected an object, not a string", None),
        Bad("true", "expected an object, not true or false", None),
        Bad('{"rtt": {}}', "expected a number, not an object", None),
    ],
    ids=lambda bad: repr(bad.text),
)
def test_what_is_not_json_or_no_message(bad: Bad) -> None:
    error = refused(Ping, bad.text)
    assert (error.problem, error.offset) == (bad.problem, bad.offset)
    assert error.where.split(".")[0] == "Ping"


def test_nesting_is_limited() -> None:
    def deep(levels: int) -> str:
        return '{"unknown": ' + "[" * (levels - 1) + "]" * (levels - 1) + "}"

    assert json.decode(Ping, deep(100)) == Ping()
    assert refused(Ping, deep(101)).problem == "arrays and objects nest deeper than 100"
    refused(Ping, "[" * 1_000_000)
    refused(Ping, '{"a":' * 1_000_000)


def test_brackets_in_strings_and_between_siblings_do_not_nest() -> None:
    assert json.decode(Ping, '{"a": "' + "[" * 1000 + '\\""}') == Ping()
    assert json.decode(Ping, '{"a": [' + "[]," * 1000 + "[]]}") == Ping()


def test_the_exception_says_where_and_quotes_nothing() -> None:
    text = '{"join": {"otherParticipants": [{}, {"tracks": [{"width": "eyJhbGciOi.secret"}]}]}}'
    error = refused(SignalResponse, text)
    assert error.where == "SignalResponse.join.other_participants.tracks.width"
    assert "secret" not in f"{error!s}{error!r}"
    assert error.__suppress_context__


def test_a_whole_message() -> None:
    text = """{"leave": {"canReconnect": false, "reason": "DUPLICATE_IDENTITY", "action": 0,
        "regions": {"regions": [{"region": "eu", "url": "wss://eu.example", "distance": "12"}]}}}"""
    leave = json.decode(SignalResponse, text).leave
    assert leave is not None
    assert leave.reason is DisconnectReason.DUPLICATE_IDENTITY
    assert leave.regions is not None
    assert [region.distance for region in leave.regions.regions] == [12]
