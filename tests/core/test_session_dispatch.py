"""Each of the 30 responses, built and encoded by google.protobuf, becomes its event, whole."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import cast

import pytest
from livekit.protocol import models, rtc

from kitwire import events as ev
from kitwire import messages as msg
from kitwire.codec import Message
from kitwire.session.dispatch import ARMS, event_of, joined_of
from kitwire.session.phases import Phase
from tests.fuzz.official import copied
from tests.fuzz.samples import populated
from tests.peers.frames import join, said, said_in_json
from tests.peers.lives import SessionLife

VARIANTS = [field.name for field in rtc.SignalResponse.DESCRIPTOR.fields]
DRIVING = {"join", "reconnect"}
SEEDS = range(6)

EVENTS: dict[str, type[ev.ServerEvent]] = {
    kind.variant: kind for kind in cast("tuple[type[ev.ServerEvent], ...]", ev.ServerEvent.__args__)
}


def official(variant: str, seed: int) -> rtc.SignalResponse:
    """A response with that member set and its fields filled at random."""
    message = populated(rtc.SignalResponse, random.Random(f"{variant} {seed}"), variant=variant)
    assert isinstance(message, rtc.SignalResponse)
    assert message.WhichOneof("message") == variant
    return message


def values_of(variant: str, message: rtc.SignalResponse) -> dict[str, object]:
    """What the event must hold, field by field, copied from the official message."""
    value = getattr(copied(message), variant)
    match variant:
        case "refresh_token":
            return {"token": value}
        case "pong":
            return {"timestamp": value}
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    match variant:
        case "leave":
            regions = named["regions"]
            named["regions"] = (
                [] if regions is None else cast("msg.RegionSettings", regions).regions
            )
        case "pong_resp":
            named["rtt"] = None  # it echoes no ping of ours
        case "request_response":
            echo = message.request_response.WhichOneof("request")
            members = [field.name for field in rtc.RequestResponse.DESCRIPTOR.oneofs[0].fields]
            echoed = {member: named.pop(member) for member in members}
            named["request"] = None if echo is None else echoed[echo]
    return named


def plain(value: object) -> object:
    """Lists and tuples, dicts and their views, alike."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value


def joined() -> SessionLife:
    life = SessionLife()
    life.reach(Phase.JOINED)
    return life


def test_there_is_a_line_for_each_of_the_30() -> None:
    assert len(VARIANTS) == 30
    assert list(ARMS) == VARIANTS
    assert {name for name, arm in ARMS.items() if arm is None} == DRIVING
    assert set(EVENTS) == set(VARIANTS) - {"reconnect"}


@pytest.mark.parametrize("variant", sorted(EVENTS.keys() - DRIVING))
@pytest.mark.parametrize("write", [said, said_in_json])
def test_every_field_of_every_variant_arrives(
    write: Callable[[rtc.SignalResponse], bytes | str], variant: str
) -> None:
    for seed in SEEDS:
        message = official(variant, seed)
        life = joined()
        life.hear_frame(write(message))
        event = life.events[1]
        assert isinstance(event, EVENTS[variant])
        held = {field.name: plain(getattr(event, field.name)) for field in fields(event)}
        expected = {name: plain(value) for name, value in values_of(variant, message).items()}
        assert held == expected, f"seed {seed}"


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_empty_message_of_each_kind_is_an_event_too(variant: str) -> None:
    message = rtc.SignalResponse()
    descriptor = rtc.SignalResponse.DESCRIPTOR.fields_by_name[variant]
    if descriptor.message_type is None:
        setattr(message, variant, getattr(message, variant))
    else:
        getattr(message, variant).SetInParent()
    assert message.WhichOneof("message") == variant
    life = joined()
    life.hear(message)
    event = life.events[1]
    if variant in DRIVING:
        assert event == ev.ProtocolViolated(detail=f"{variant} in the middle of a session")
    else:
        assert isinstance(event, EVENTS[variant])


@pytest.mark.parametrize("variant", sorted(DRIVING))
def test_join_and_reconnect_in_the_middle_are_violations_and_change_nothing(variant: str) -> None:
    life = joined()
    phase, deadline = life.session.phase, life.session.deadline
    life.hear(official(variant, 3))
    assert life.take() == [ev.ProtocolViolated(detail=f"{variant} in the middle of a session")]
    assert (life.session.phase, life.session.deadline) == (phase, deadline)


@pytest.mark.parametrize(
    ("frame", "numbers"),
    [
        (b"", ()),
        ("{}", ()),
        (b"\xfa\x3f\x03abc", (1023,)),
        (b"\xf8\x3f\x01", (1023,)),
        (b"\xfa\x3f\x00\x80\x40\x01\xfa\x3f\x00", (1023, 1024)),
        (b"\x38\x01", (7,)),  # A number that the schema has left out.
        ('{"aVariantOfTheFuture": {}}', ()),
    ],
)
def test_an_unknown_variant_is_an_event(frame: bytes | str, numbers: tuple[int, ...]) -> None:
    life = joined()
    life.hear_frame(frame)
    assert life.events[1:] == [ev.UnknownMessage(field_numbers=numbers)]
    assert life.session.phase is Phase.JOINED


def test_a_known_variant_with_unknown_fields_is_itself() -> None:
    life = joined()
    life.hear_frame(rtc.SignalResponse(refresh_token="t").SerializeToString() + b"\xfa\x3f\x00")
    assert life.events[1:] == [ev.TokenRefreshed(token="t")]


# --- Joined ---


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", ["/rtc", "/rtc/v1"])
def test_joined_holds_every_field_of_the_join(seed: int, path: str) -> None:
    message = official("join", seed)
    ours = copied(message)
    assert isinstance(ours, msg.SignalResponse)
    value = ours.join
    assert value is not None
    joined = joined_of(value, path)
    derived = {"path", "server_version", "room", "participant"}
    for field in fields(joined):
        if field.name not in derived:
            assert plain(getattr(joined, field.name)) == getattr(value, field.name), field.name
    assert joined.path == path
    assert joined.room == (value.room or msg.Room())
    assert joined.participant == (value.participant or msg.ParticipantInfo())
    version = message.join.server_info.version or message.join.server_version
    assert joined.server_version == version


def test_what_joined_leaves_out_of_the_join_is_said_elsewhere() -> None:
    """`server_region` is in `server_info`."""
    members = {field.name for field in rtc.JoinResponse.DESCRIPTOR.fields}
    held = {field.name for field in fields(ev.Joined)}
    assert members - held == {"server_region"}
    assert held - members == {"path"}
    assert "region" in {field.name for field in models.ServerInfo.DESCRIPTOR.fields}


def test_a_join_without_anything_still_joins() -> None:
    life = SessionLife()
    life.reach(Phase.JOINING)
    life.hear_frame(b"\x0a\x00")
    (event,) = life.events
    assert isinstance(event, ev.Joined)
    assert (event.room, event.participant) == (msg.Room(), msg.ParticipantInfo())
    assert (event.server_version, event.path) == ("", "/rtc/v1")
    assert life.session.deadline is None


def test_the_join_of_the_peers_is_as_described() -> None:
    life = SessionLife()
    life.reach(Phase.JOINING)
    life.hear(join(others=("bob", "eve")))
    event = life.events[0]
    assert isinstance(event, ev.Joined)
    assert [other.identity for other in event.other_participants] == ["bob", "eve"]
    assert event.server_version == "1.13.5"


# --- Events do not change afterwards ---


def test_mappings_and_lists_in_events_are_their_own() -> None:
    description = msg.SessionDescription(type="offer", mid_to_track_id={"0": "TR_1"})
    offer = event_of("offer", description)
    update = msg.ParticipantUpdate(participants=[msg.ParticipantInfo(sid="PA_1")])
    updated = event_of("update", update)
    description.mid_to_track_id["1"] = "TR_2"
    update.participants.clear()
    assert isinstance(offer, ev.OfferReceived)
    assert offer.mid_to_track_id == {"0": "TR_1"}
    assert isinstance(updated, ev.ParticipantsUpdated)
    assert len(updated.participants) == 1
    assert isinstance(updated.participants[0], Message)
    with pytest.raises(TypeError):
        offer.mid_to_track_id["2"] = "TR_3"  # type: ignore[index]  # the point
