"""JSON Lines: compared, message by message, with google.protobuf's JSON of the same bytes."""

from __future__ import annotations

import json
from typing import get_args
from unittest.mock import ANY

import pytest
from google.protobuf.json_format import MessageToDict
from livekit.protocol.rtc import RequestResponse, SignalResponse

from kitwire import events as ev
from kitwire.codec.redaction import MASK
from kitwire_cli.lines import event_name, json_line
from kitwire_cli.terminal import Secrets
from tests.cli.samples import CLOSED, KEY, OTHERS, PATH, VARIANTS, event_from, every_event, official

ECHOES = [field.name for field in RequestResponse.DESCRIPTOR.oneofs_by_name["request"].fields]

LOST = {
    "origin": "LINK",
    "reason": "LINK_LOST",
    "detail": "the connection was cut",
    "retryable": True,
}
SECRET_NAMES = {"credential", "username", "turn_password", "sif_trailer", "token"}
"""Masked whole."""

NOBODY = Secrets()


def parsed(event: ev.Event) -> dict[str, object]:
    line = json_line(event, 1.25, NOBODY)
    assert "\n" not in line
    assert line.isascii()
    value = json.loads(line)
    assert isinstance(value, dict)
    assert list(value)[:2] == ["event", "t"]
    assert value.pop("t") == 1.25
    return value


def theirs(response: SignalResponse) -> dict[str, object]:
    """The member as google.protobuf says it, with what we mask masked."""
    variant = response.WhichOneof("message")
    assert variant is not None
    whole = MessageToDict(
        response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    member = masked(whole[variant])
    assert isinstance(member, dict)
    return member


def masked(value: object, name: str = "") -> object:
    if name in SECRET_NAMES and value:
        return MASK
    if isinstance(value, dict):
        return {key: masked(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    return value


def without_nulls(value: object) -> object:
    """We say null for a message that is not set, google.protobuf says nothing."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


SCALARS = {"refresh_token", "pong"}


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "empty"])
@pytest.mark.parametrize("variant", [name for name in VARIANTS if name not in SCALARS | {"join"}])
def test_a_line_has_the_fields_of_the_message(variant: str, filled: bool) -> None:
    response = official(variant, filled=filled)
    line = parsed(event_from(response))
    assert line.pop("event") == variant
    line.pop("rtt", None)
    assert without_nulls(line) == theirs(response)


@pytest.mark.parametrize("echo", ECHOES)
def test_an_echoed_request_is_under_its_own_name(echo: str) -> None:
    response = official("request_response", echo=echo)
    line = parsed(event_from(response))
    assert line.pop("event") == "request_response"
    assert echo in line
    assert without_nulls(line) == theirs(response)


def test_joined_says_who_where_and_how() -> None:
    response = official("join")
    line = parsed(event_from(response))
    assert line.pop("event") == "joined"
    expected = theirs(response)
    room = expected.pop("room")
    assert line.pop("room") == "a name"
    assert line.pop("room_info") == room
    assert line.pop("path") == PATH
    assert line.pop("sid") == "a sid"
    assert line.pop("identity") == "a identity"
    # The version that the server means is in server_info.
    assert line.pop("server_version") == "a version"
    assert expected.pop("server_version") == "a server_version"
    # Deprecated, and no part of the event.
    assert line.pop("server_region") == ""
    assert expected.pop("server_region") == "a server_region"
    assert line == expected


def test_scalars_are_values() -> None:
    assert parsed(event_from(official("pong"))) == {"event": "pong", "value": str(2**53 + 1)}


def test_a_renewed_token_is_not_shown() -> None:
    assert parsed(ev.TokenRefreshed(token="a secret")) == {"event": "refresh_token", "value": MASK}


def test_a_pong_says_the_round_trip() -> None:
    event = ev.PongReceived(last_ping_timestamp=5, timestamp=6, rtt=0.002)
    assert parsed(event) == {
        "event": "pong_resp",
        "last_ping_timestamp": "5",
        "timestamp": "6",
        "rtt": 0.002,
    }


def test_closed_says_why() -> None:
    assert parsed(ev.Closed(reason=CLOSED)) == {
        "event": "closed",
        "origin": "SERVER",
        "reason": "ROOM_DELETED",
        "detail": "the room is gone",
        "retryable": False,
    }


def test_events_of_our_own() -> None:
    lines = [parsed(event) for event in OTHERS[1:]]
    key = {"number": KEY.number, "request": KEY.request}
    track = lines[1].pop("result")
    assert isinstance(track, dict)
    assert track["sid"] == "TR_1"
    assert lines == [
        {"event": "request_queued", **key},
        {"event": "request_ended", **key, "failure": None},
        {
            "event": "request_ended",
            "number": 8,
            "request": "update_metadata",
            "result": None,
            "failure": {"reason": "NOT_ALLOWED", "message": "no grant"},
        },
        {"event": "unknown_message", "field_numbers": [99]},
        {"event": "unknown_message", "field_numbers": []},
        {"event": "frame_rejected", "detail": "a field is cut", "size": 17},
        {"event": "protocol_violated", "detail": "a second join"},
        {"event": "peer_state_changed", "target": "subscriber", "state": "connected"},
        {"event": "peers_connected"},
        {"event": "negotiated", "target": "publisher", "offer_id": 3},
        {
            "event": "negotiation_failed",
            "target": "publisher",
            "failure": "NO_ANSWER",
            "detail": "15 s are over",
        },
        {"event": "lost", "cause": LOST},
        {"event": "resuming", "attempt": 1, "cause": LOST, "next_in": 0.0},
        {"event": "resumed", "sid": "PA_1", "attempt": 1},
        {"event": "restarting", "attempt": 2, "cause": LOST, "next_in": 0.25},
        {"event": "restarted", "sid": "PA_2", "attempt": 2, "lost_tracks": [ANY]},
    ]
    (track,) = json.loads(json_line(OTHERS[-1], 0, NOBODY))["lost_tracks"]
    assert (track["cid"], track["track"]["sid"]) == ("mic", "TR_1")


def test_every_event_has_a_line() -> None:
    assert {type(event) for event in every_event()} == set(get_args(ev.Event))
    for event in every_event():
        assert parsed(event)["event"] == event_name(event)


def test_the_names_of_events() -> None:
    names = {event_name(event) for event in every_event()}
    own = {"closed", "request_queued", "request_ended", "unknown_message", "frame_rejected"}
    peers = {"peer_state_changed", "peers_connected", "negotiated", "negotiation_failed"}
    losses = {"lost", "resuming", "resumed", "restarting", "restarted"}
    others = {*own, *peers, *losses, "joined", "protocol_violated"}
    assert names == {*VARIANTS, *others} - {"join"}


def test_secrets_are_masked_and_names_of_fields_are_not() -> None:
    secrets = Secrets("detail-of-mine", "retryable")
    event = ev.ProtocolViolated(detail="saw detail-of-mine and eyJhbGciOiJIUzI1NiJ9.e30.c2ln")
    line = json.loads(json_line(event, 0, secrets))
    assert line["detail"] == f"saw {MASK} and {MASK}"
    update = event_from(official("update"))
    assert isinstance(update, ev.ParticipantsUpdated)
    update.participants[0].attributes["detail-of-mine"] = "x"
    assert "detail-of-mine" not in json_line(update, 0, secrets)


def test_ice_credentials_are_masked() -> None:
    offer = ev.OfferReceived(
        type="offer", sdp="v=0\r\na=ice-pwd:hunter2hunter2\r\n", id=1, mid_to_track_id={"0": "TR"}
    )
    line = json_line(offer, 0, NOBODY)
    assert "hunter2" not in line
    assert "v=0" in line
