"""All 52 variants, to and from google.protobuf: binary byte for byte, JSON equal after parsing."""

from __future__ import annotations

import json
import random

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from kitwire.codec import (
    Message,
    decode_message,
    encode_message,
    message_from_json,
    message_to_json,
    which_variant,
)
from kitwire.messages import SignalRequest, SignalResponse
from tests.fuzz.official import ROOTS, VARIANTS, canonical, copied, official_class
from tests.fuzz.samples import populated


def check(cls: type[Message], rng: random.Random, variant: str | None) -> Message:
    """One random message, both ways in both encodings."""
    official = official_class(cls)
    # One entry a map: google.protobuf writes several in an order of its own.
    message = populated(official, rng, variant=variant, map_sizes=[1])
    data = message.SerializeToString()
    ours = decode_message(cls, data)
    assert ours == copied(message)
    assert encode_message(ours) == data
    assert encode_message(copied(message)) == data

    text = json_format.MessageToJson(message)
    from_text = message_from_json(cls, text)
    assert encode_message(from_text) == json_format.Parse(text, official()).SerializeToString()
    assert json.loads(message_to_json(ours)) == json.loads(text)
    assert json_format.Parse(message_to_json(ours), official()) == message
    return ours


def test_there_are_52_variants() -> None:
    assert len(VARIANTS) == len(set(VARIANTS)) == 52
    assert sum(cls is SignalRequest for cls, _ in VARIANTS) == 22
    assert sum(cls is SignalResponse for cls, _ in VARIANTS) == 30


@pytest.mark.parametrize(("cls", "variant"), VARIANTS)
def test_a_variant_round_trips(cls: type[Message], variant: str) -> None:
    rng = random.Random(f"{cls.__name__}.{variant}")
    for _ in range(20):
        found = which_variant(check(cls, rng, variant))
        assert found is not None
        assert found[0] == variant


@pytest.mark.parametrize(("cls", "variant"), VARIANTS)
def test_an_empty_variant_round_trips(cls: type[Message], variant: str) -> None:
    official = official_class(cls)()
    member: object = getattr(official, variant)
    if hasattr(member, "SetInParent"):
        member.SetInParent()
    else:
        setattr(official, variant, member)  # zero, but set
    data = official.SerializeToString()
    ours = decode_message(cls, data)
    assert which_variant(ours) == (variant, which_value(ours, variant))
    assert encode_message(ours) == data
    text = message_to_json(ours)
    assert json.loads(text) == json.loads(json_format.MessageToJson(official))
    assert message_from_json(cls, text) == ours


def which_value(message: Message, name: str) -> object:
    return getattr(message, name)


@pytest.mark.parametrize("cls", ROOTS)
def test_messages_outside_the_signals_round_trip(cls: type[Message]) -> None:
    rng = random.Random(cls.__name__)
    for _ in range(50):
        check(cls, rng, None)


@given(st.randoms(use_true_random=False), st.sampled_from(VARIANTS))
def test_any_message_round_trips(rng: random.Random, variant: tuple[type[Message], str]) -> None:
    check(variant[0], rng, variant[1])


def test_maps_with_many_entries_round_trip() -> None:
    rng = random.Random("maps")
    for cls, variant in VARIANTS:
        official = official_class(cls)
        message = populated(official, rng, variant=variant, map_sizes=[3, 5])
        data = message.SerializeToString(deterministic=True)
        ours = decode_message(cls, data)
        assert encode_message(ours) == data
        assert canonical(official, encode_message(copied(message))) == data
        assert json_format.Parse(message_to_json(ours), official()) == message
