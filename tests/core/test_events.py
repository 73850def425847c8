"""The vocabulary of events and commands: its shape, its fields, what it shows of secrets."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass
from types import UnionType
from typing import get_args

import pytest
from livekit.protocol import rtc

from kitwire import commands, config, errors, events, peer_events, reconnect_events, trace
from kitwire.codec import Message
from kitwire.events import ServerEvent
from kitwire.messages import (
    AddTrackRequest,
    MuteTrackRequest,
    PublishDataTrackRequest,
    TrickleRequest,
    UnpublishDataTrackRequest,
    UpdateLocalAudioTrack,
    UpdateLocalVideoTrack,
    UpdateParticipantMetadata,
)
from kitwire.messages._names import PROTO_TYPE_NAMES

VOCABULARY = (events, peer_events, reconnect_events, commands, config, errors, trace)


def dataclasses_of(*modules: object) -> list[type]:
    found: list[type] = []
    for module in modules:
        for name in getattr(module, "__all__", ()):
            item: object = getattr(module, name)
            if isinstance(item, type) and is_dataclass(item):
                found.append(item)
    return found


SERVER_EVENTS: tuple[type[ServerEvent], ...] = get_args(ServerEvent)

# Where an event says something else than its message: the field it adds, and those it leaves out
# or has under another name.
EXCEPTIONS: dict[str, tuple[set[str], set[str]]] = {
    "join": ({"path"}, {"server_region"}),
    "trickle": ({"candidate_init"}, {"candidateInit"}),
    "pong_resp": ({"rtt"}, set()),
    "request_response": (
        {"request"},
        {field.name for field in rtc.RequestResponse.DESCRIPTOR.oneofs_by_name["request"].fields},
    ),
}
SCALARS = {"refresh_token": {"token"}, "pong": {"timestamp"}}


@pytest.mark.parametrize("kind", SERVER_EVENTS, ids=lambda kind: kind.__name__)
def test_the_fields_of_an_event_are_those_of_its_message(kind: type[ServerEvent]) -> None:
    held = {field.name for field in fields(kind)}
    member = rtc.SignalResponse.DESCRIPTOR.fields_by_name[kind.variant]
    if member.message_type is None:
        assert held == SCALARS[kind.variant]
        return
    official = {field.name for field in member.message_type.fields}
    added, left_out = EXCEPTIONS.get(kind.variant, (set(), set()))
    assert held == official - left_out | added
    assert not added & official
    assert left_out <= official


def test_every_response_but_reconnect_has_one_event() -> None:
    variants = [kind.variant for kind in SERVER_EVENTS]
    official = {field.name for field in rtc.SignalResponse.DESCRIPTOR.fields}
    assert len(variants) == len(set(variants))
    assert set(variants) == official - {"reconnect"}


def test_the_union_of_events_is_closed() -> None:
    in_union = set(get_args(events.Event))
    assert all(inspect.isclass(member) for member in in_union)
    kinds = set(dataclasses_of(events, peer_events, reconnect_events)) - {events.RequestKey}
    assert in_union == kinds
    assert set(get_args(peer_events.PeerEvent)) == set(dataclasses_of(peer_events))
    told = set(get_args(reconnect_events.ReconnectEvent))
    assert told == set(dataclasses_of(reconnect_events))


def test_the_unions_of_commands_are_closed() -> None:
    kinds = set(dataclasses_of(commands)) - {commands.DataChannel}
    session, client = set(get_args(commands.SessionCommand)), set(get_args(commands.ClientCommand))
    links, peers = set(get_args(commands.LinkCommand)), set(get_args(commands.PeerCommand))
    assert set(get_args(commands.Command)) == session | client == kinds
    assert session == links | peers
    assert session & client == peers | {commands.CloseLink}
    assert not links & peers


@pytest.mark.parametrize("union", [events.Event, commands.Command], ids=["Event", "Command"])
def test_unions_can_be_matched_and_asked(union: UnionType) -> None:
    assert not isinstance(object(), union)
    assert isinstance(commands.CloseLink(link=commands.LinkId(1)), union) is (
        union is commands.Command
    )


@pytest.mark.parametrize(
    "kind", dataclasses_of(*VOCABULARY), ids=lambda kind: f"{kind.__module__}.{kind.__name__}"
)
def test_everything_is_frozen_slotted_and_by_keyword(kind: type) -> None:
    assert is_dataclass(kind)
    assert "__slots__" in vars(kind)
    made = object.__new__(kind)
    for field in fields(kind):
        # A key is the one that is made by position: two words that nobody confuses.
        assert field.kw_only is (kind is not events.RequestKey), field.name
        with pytest.raises(FrozenInstanceError):
            setattr(made, field.name, None)


@pytest.mark.parametrize("kind", dataclasses_of(*VOCABULARY), ids=lambda kind: kind.__name__)
def test_what_sounds_secret_is_not_shown(kind: type) -> None:
    assert is_dataclass(kind)
    secret = {"token", "sdp", "candidate_init", "sif_trailer", "headers", "url", "data"}
    for field in fields(kind):
        if field.name in secret and kind is not config.Limits:
            assert not field.repr, field.name


def test_an_echo_can_be_any_request_that_the_protocol_echoes() -> None:
    official = rtc.RequestResponse.DESCRIPTOR.oneofs_by_name["request"].fields
    echoes: tuple[type[Message], ...] = get_args(events.EchoedRequest)
    assert {field.message_type.name for field in official if field.message_type} == {
        PROTO_TYPE_NAMES.get(kind.__name__, kind.__name__) for kind in echoes
    }
    assert set(echoes) == {
        AddTrackRequest,
        MuteTrackRequest,
        PublishDataTrackRequest,
        TrickleRequest,
        UnpublishDataTrackRequest,
        UpdateLocalAudioTrack,
        UpdateLocalVideoTrack,
        UpdateParticipantMetadata,
    }
