"""What the notes on the protocol say, held against the official descriptors and recorded frames."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor
from livekit.protocol import models, rtc

from kitwire.config import ClientConfig, PathVersion
from kitwire.link.address import PROTOCOL, Resume, signal_url
from tests.docs.snippets import PROJECT

NOTES = " ".join((PROJECT / "docs" / "protocol-notes.md").read_text().split())
CAPTURES = PROJECT / "tests" / "captures"


def fields(descriptor: object) -> dict[str, int]:
    # The stubs have two kinds of descriptors, of which only one is there at run time.
    return {field.name: field.number for field in cast("Descriptor", descriptor).fields}


def values(enum: EnumDescriptor) -> set[str]:
    return set(enum.values_by_name)


def said(text: str) -> bool:
    return text in NOTES


def test_the_counts_of_variants() -> None:
    requests, responses = (
        fields(rtc.SignalRequest.DESCRIPTOR),
        fields(rtc.SignalResponse.DESCRIPTOR),
    )
    assert said("52 variants: `SignalRequest` has 22 members, `SignalResponse` 30")
    assert (len(requests), len(responses)) == (22, 30)
    assert said("field 9 of `SignalRequest` and field 7 of `SignalResponse` are not used")
    assert set(range(1, 24)) - set(requests.values()) == {9}
    assert set(range(1, 32)) - set(responses.values()) == {7}
    assert said("`store_data_blob_request` (22) and `get_data_blob_request` (23)")
    assert (requests["store_data_blob_request"], requests["get_data_blob_request"]) == (22, 23)
    assert (responses["store_data_blob_response"], responses["get_data_blob_response"]) == (30, 31)


def test_the_fields_that_the_description_lacks() -> None:
    publish = fields(rtc.PublishDataTrackRequest.DESCRIPTOR)
    assert said("also `frame_encoding` (4) and `schema` (5)")
    assert (publish["frame_encoding"], publish["schema"], len(publish)) == (4, 5, 5)
    assert said("also `data_subscription` (9)")
    assert fields(rtc.SyncState.DESCRIPTOR)["data_subscription"] == 9
    assert said("also `AGENT_ERROR` (16)")
    assert models.DisconnectReason.Value("AGENT_ERROR") == 16


def test_the_enum_values_that_the_description_has_otherwise() -> None:
    enums = models.DESCRIPTOR.enum_types_by_name
    assert values(enums["PacketTrailerFeature"]) == set(re.findall(r"`(PTF_\w+)`", NOTES))
    assert "TF_NO_RED" not in values(enums["AudioTrackFeature"])
    assert "PREFER_REGRESSION" in values(enums["BackupCodecPolicy"])


def test_the_requests_that_have_an_id() -> None:
    assert said("only three requests have a `request_id`")
    with_id = {
        member.name
        for member in rtc.SignalRequest.DESCRIPTOR.fields
        if member.message_type is not None and "request_id" in fields(member.message_type)
    }
    assert with_id == {"update_metadata", "store_data_blob_request", "get_data_blob_request"}


def test_the_query_of_a_resume_says_sid() -> None:
    config = ClientConfig(url="ws://localhost", token="t", attributes={"a": "b"})
    url = signal_url(config, PathVersion.V0, token="t", resume=Resume(sid="PA_1"))
    query = parse_qs(urlsplit(url).query)
    assert (query["sid"], query["reconnect"]) == (["PA_1"], ["1"])
    assert "participant_sid" not in query
    plain = parse_qs(urlsplit(signal_url(config, PathVersion.V0, token="t")).query)
    assert "attributes" in plain
    assert (plain["sdk"], plain["protocol"]) == (["python"], [str(PROTOCOL)])
    assert said(f"kitwire says `python` and {PROTOCOL}")


def frames(name: str) -> Iterator[rtc.SignalResponse | str]:
    """What the server sent in a recording: messages for binary frames, the text of the others."""
    for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["dir"] != "in":
            continue
        if "text" in record:
            yield str(record["text"])
        else:
            yield rtc.SignalResponse.FromString(base64.b64decode(record["b64"]))


def test_the_first_response_to_a_client_that_writes_json_is_binary() -> None:
    received = list(frames("json_frames"))
    assert isinstance(received[0], rtc.SignalResponse)
    assert received[0].WhichOneof("message") == "join"
    assert isinstance(received[-1], str)


def test_a_refusal_echoes_the_request_with_id_zero() -> None:
    refusals = [
        frame.request_response
        for frame in frames("refused_requests")
        if isinstance(frame, rtc.SignalResponse) and frame.HasField("request_response")
    ]
    refused = {each.WhichOneof("request"): each for each in refusals if each.request_id == 0}
    assert {"add_track", "mute"} <= set(refused)
    assert refused["add_track"].add_track.cid


@pytest.mark.parametrize("name", ["join_v0", "join_v1"])
def test_a_token_comes_right_after_the_join(name: str) -> None:
    kinds = [
        frame.WhichOneof("message")
        for frame in frames(name)
        if isinstance(frame, rtc.SignalResponse)
    ]
    assert kinds[0] == "join"
    assert "refresh_token" in kinds[1:6]


def test_pings_are_in_seconds_and_timestamps_in_milliseconds() -> None:
    join = next(iter(frames("join_v1")))
    assert isinstance(join, rtc.SignalResponse)
    assert (join.join.ping_interval, join.join.ping_timeout) == (5, 15)
    assert said("are in seconds (5 and 15)")
