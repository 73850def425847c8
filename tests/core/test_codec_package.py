"""The codec as others use it: four functions for frames, two pairs for other messages."""

from __future__ import annotations

import os

import pytest

from kitwire import codec
from kitwire.codec import (
    decode_message,
    decode_request,
    decode_response,
    encode_message,
    encode_request,
    encode_response,
    implementation,
    message_from_json,
    message_to_json,
    unknown_fields,
    which_variant,
)
from kitwire.config import Encoding
from kitwire.errors import MalformedFrame
from kitwire.messages import (
    DataBlobKey,
    JoinRequest,
    LeaveRequest,
    Ping,
    RequestResponse,
    SignalRequest,
    SignalResponse,
    SimulateScenario,
    SubscriptionPermission,
    TrickleRequest,
)


def test_bytes_are_binary_and_text_is_json() -> None:
    assert decode_response(b"\x90\x01\x05") == SignalResponse(pong=5)
    assert decode_response('{"pong": "5"}') == SignalResponse(pong=5)
    assert decode_request(b"\x70\x05") == SignalRequest(ping=5)
    assert decode_request('{"ping": 5}') == SignalRequest(ping=5)


def test_a_frame_is_written_in_the_encoding_asked_for() -> None:
    request, response = SignalRequest(ping=5), SignalResponse(pong=5)
    assert encode_request(request) == b"\x70\x05"
    assert encode_request(request, encoding=Encoding.BINARY) == b"\x70\x05"
    assert encode_request(request, encoding=Encoding.JSON) == '{"ping":"5"}'
    assert encode_response(response) == b"\x90\x01\x05"
    assert encode_response(response, encoding=Encoding.BINARY) == b"\x90\x01\x05"
    assert encode_response(response, encoding=Encoding.JSON) == '{"pong":"5"}'


def test_a_zero_length_binary_frame_is_an_empty_message_and_empty_text_is_none() -> None:
    assert decode_response(b"") == SignalResponse()
    with pytest.raises(MalformedFrame):
        decode_response("")


@pytest.mark.parametrize("decode", [decode_request, decode_response])
def test_what_is_no_frame(decode: type) -> None:
    for frame in (b"\x07", "{", "[]", '{"leave": 5}'):
        with pytest.raises(MalformedFrame):
            decode(frame)


@pytest.mark.parametrize("frame", [b"\x82\x01\x03\xc3\xa9x", '{"refreshToken":"éx"}'])
def test_a_frame_that_is_too_large(frame: bytes | str) -> None:
    size = len(frame) if isinstance(frame, bytes) else len(frame.encode())
    assert decode_response(frame, max_size=size) == SignalResponse(refresh_token="éx")
    with pytest.raises(MalformedFrame) as caught:
        decode_response(frame, max_size=size - 1)
    assert str(caught.value) == (
        f"{size} bytes are more than the limit of {size - 1} in SignalResponse"
    )
    with pytest.raises(MalformedFrame):
        decode_request(frame, max_size=0)


def test_text_that_no_utf8_can_carry() -> None:
    with pytest.raises(MalformedFrame) as caught:
        decode_response('{"refreshToken":"\ud800"}')
    assert (caught.value.problem, caught.value.offset) == ("the text is not Unicode", 17)


def test_bytes_like_frames_are_read() -> None:
    for kind in (bytearray, memoryview):
        frame = kind(b"\x82\x01\x03abc\xc0\x3e\x01")
        message = decode_response(frame)
        assert message.refresh_token == "abc"
        assert unknown_fields(message) == (1000,)
        assert encode_response(message) == bytes(frame)


def test_any_message() -> None:
    join = JoinRequest(metadata="x", participant_attributes={"a": "b"})
    data = encode_message(join)
    assert decode_message(JoinRequest, data) == join
    assert message_from_json(JoinRequest, message_to_json(join)) == join
    with pytest.raises(MalformedFrame):
        decode_message(JoinRequest, data[:-1])
    with pytest.raises(MalformedFrame):
        message_from_json(JoinRequest, "")


def test_bad_values_are_refused_before_anything_is_sent() -> None:
    request = SignalRequest(ping=2**63)
    for encoding in Encoding:
        with pytest.raises(ValueError, match=r"SignalRequest\.ping is out of the range of int64"):
            encode_request(request, encoding=encoding)
    with pytest.raises(ValueError, match="may hold one of"):
        encode_response(SignalResponse(pong=1, refresh_token=""))


@pytest.mark.parametrize(
    ("message", "variant"),
    [
        (SignalRequest(), None),
        (SignalRequest(ping=0), ("ping", 0)),
        (SignalRequest(trickle=TrickleRequest()), ("trickle", TrickleRequest())),
        (SignalResponse(refresh_token=""), ("refresh_token", "")),
        (RequestResponse(request_id=5), None),
        (RequestResponse(trickle=TrickleRequest()), ("trickle", TrickleRequest())),
        (SimulateScenario(node_failure=False), ("node_failure", False)),
        (DataBlobKey(generic="x"), ("generic", "x")),
    ],
)
def test_the_member_that_is_set(message: codec.Message, variant: tuple[str, object] | None) -> None:
    assert which_variant(message) == variant


def test_a_message_without_a_oneof_has_no_variant() -> None:
    with pytest.raises(ValueError, match="SubscriptionPermission has no oneof"):
        which_variant(SubscriptionPermission())


def test_two_members_are_no_variant() -> None:
    with pytest.raises(ValueError, match="SignalRequest may hold one of leave and ping, not both"):
        which_variant(SignalRequest(ping=0, leave=LeaveRequest()))


def test_an_unknown_variant_is_none_and_its_number_is_told() -> None:
    response = decode_response(b"\xea\x04\x02\x08\x01" + b"\xc0\x3e\x01" + b"\xea\x04\x00")
    assert which_variant(response) is None
    assert unknown_fields(response) == (77, 1000)
    assert unknown_fields(SignalResponse(pong_resp=None)) == ()


def test_unknown_fields_of_nested_messages_are_theirs() -> None:
    request = decode_request(b"\x82\x01\x05\x08\x01\xc0\x3e\x01")
    assert which_variant(request) == ("ping_req", Ping(timestamp=1))
    assert unknown_fields(request) == ()
    assert request.ping_req is not None
    assert unknown_fields(request.ping_req) == (1000,)


def test_every_public_name_is_there() -> None:
    assert sorted(codec.__all__, key=str.lower) == sorted(set(codec.__all__), key=str.lower)
    assert all(hasattr(codec, name) for name in codec.__all__)


def test_the_implementation_is_the_one_that_is_tested() -> None:
    """`make test-compiled` says so; everywhere else the sources themselves run."""
    assert implementation == os.environ.get("KITWIRE_EXPECT_CODEC", "pure")
