"""Every frame recorded from a real livekit-server: decoded, and encoded to the same bytes."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from google.protobuf import json_format

from kitwire.codec import (
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    to_plain,
    which_variant,
)
from kitwire.config import Encoding
from kitwire.messages import SignalRequest, SignalResponse
from tests.fuzz.official import official_class
from tests.fuzz.recorded import Frame, binary_frames, text_frames


def name_of(frame: Frame) -> str:
    return f"{frame.file} {frame.cls.__name__} {frame.time}"


def decoded(frame: Frame, data: bytes | str) -> SignalRequest | SignalResponse:
    return decode_response(data) if frame.cls is SignalResponse else decode_request(data)


def encoded(message: SignalRequest | SignalResponse, encoding: Encoding) -> bytes | str:
    if isinstance(message, SignalResponse):
        return encode_response(message, encoding=encoding)
    return encode_request(message, encoding=encoding)


def test_all_frames_are_here() -> None:
    assert len(binary_frames()) == 144
    assert len(text_frames()) == 9
    variants: Counter[str] = Counter()
    for frame in binary_frames():
        variant = which_variant(decoded(frame, frame.data))
        assert variant is not None
        variants[f"{frame.cls.__name__}.{variant[0]}"] += 1
    assert len(variants) > 20


@pytest.mark.parametrize("frame", binary_frames(), ids=name_of)
def test_a_binary_frame_encodes_to_the_same_bytes(frame: Frame) -> None:
    message = decoded(frame, frame.data)
    assert encoded(message, Encoding.BINARY) == frame.data


@pytest.mark.parametrize("frame", binary_frames(), ids=name_of)
def test_a_binary_frame_is_the_same_in_json(frame: Frame) -> None:
    official = official_class(frame.cls)
    expected = official.FromString(frame.data)
    message = decoded(frame, frame.data)
    text = encoded(message, Encoding.JSON)
    assert isinstance(text, str)
    assert json.loads(text) == json.loads(json_format.MessageToJson(expected))
    assert json_format.Parse(text, official()) == expected
    assert encoded(decoded(frame, text), Encoding.BINARY) == frame.data


@pytest.mark.parametrize(
    ("frame", "text"),
    text_frames(),
    ids=lambda value: value[:40] if isinstance(value, str) else name_of(value),
)
def test_a_json_frame_is_what_google_protobuf_reads(frame: Frame, text: str) -> None:
    official = official_class(frame.cls)
    message = decoded(frame, text)
    expected = json_format.Parse(text, official())
    assert encoded(message, Encoding.BINARY) == expected.SerializeToString()
    assert json.loads(encoded(message, Encoding.JSON)) == json.loads(text)


def test_no_frame_shows_a_secret_as_plain_data() -> None:
    for frame in binary_frames():
        shown = json.dumps(to_plain(decoded(frame, frame.data)))
        assert "eyJ" not in shown
        for line in frame.data.split(b"\r\n"):
            if line.startswith((b"a=ice-pwd:", b"a=ice-ufrag:")):
                assert line.partition(b":")[2].decode() not in shown
