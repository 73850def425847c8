"""100,000 mutated frames: accepted exactly where google.protobuf accepts, with the same value.

``KITWIRE_MUTATIONS`` changes the number. Every frame is made from a seed, so that a failure can be
made again: it prints the frame too.
"""

from __future__ import annotations

import functools
import json
import math
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from kitwire import codec
from kitwire.codec import Message
from kitwire.errors import MalformedFrame

from .everything import Everything, official_everything
from .json_mutations import mutated_json
from .mutations import mutated
from .official import (
    ROOTS,
    VARIANTS,
    DecodeError,
    OfficialMessage,
    canonical,
    descriptor_of,
    official_class,
)
from .recorded import binary_frames
from .samples import populated

MUTATIONS = int(os.environ.get("KITWIRE_MUTATIONS", "100000"))
BATCHES = 10


@dataclass(frozen=True, slots=True)
class Good:
    """A good frame, and the two classes that read it."""

    cls: type[Message]
    official: type[OfficialMessage]
    data: bytes


@functools.cache
def corpus() -> Sequence[Good]:
    """All frames that were recorded, a dozen of every variant, and every type in every place."""
    rng = random.Random("corpus")
    found = [
        Good(frame.cls, official_class(frame.cls), frame.data)
        for frame in binary_frames()
        if len(frame.data) < 2_000
    ]

    def add(cls: type[Message], official: type[OfficialMessage], variant: str | None) -> None:
        message = populated(official, rng, variant=variant)
        found.append(Good(cls, official, message.SerializeToString(deterministic=True)))

    for cls, variant in VARIANTS * 12:
        add(cls, official_class(cls), variant)
    for cls in ROOTS[2:] * 60:
        add(cls, official_class(cls), None)
    for _ in range(200):
        add(Everything, official_everything(), None)
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the two made of one frame; ``None`` where it was refused."""

    ours: Message | None
    official: OfficialMessage | None


def check_place(error: MalformedFrame, cls: type[Message], data: bytes | None = None) -> None:
    """The exception says where."""
    assert error.where.split(".")[0] == cls.__name__
    if data is not None:
        assert error.offset is not None
        assert 0 <= error.offset <= len(data)


def judged(good: Good, data: bytes) -> Outcome:
    """Anything but the one exception of each fails the test."""
    ours: Message | None
    official: OfficialMessage | None
    try:
        ours = codec.decode_message(good.cls, data)
    except MalformedFrame as error:
        check_place(error, good.cls, data)
        ours = None
    try:
        official = good.official.FromString(data)
    except DecodeError:
        official = None
    return Outcome(ours, official)


def holds_nan(value: object) -> bool:
    if isinstance(value, Message):
        return holds_nan(vars(value))
    if isinstance(value, dict):
        return any(holds_nan(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_nan(item) for item in value)
    return isinstance(value, float) and math.isnan(value)


LISTED: Sequence[tuple[str, Callable[[Message], bool]]] = (
    # Python's floats are doubles. Widening a signalling NaN makes it a quiet one; no other value
    # changes, and LiveKit never sends one.
    ("a signalling NaN comes back as a quiet one", holds_nan),
)
"""The differences that there are, each with its reason and the messages that it explains."""


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_binary_frames_fare_as_with_google_protobuf(batch: int) -> None:
    rng = random.Random(f"binary {batch}")
    tally: Counter[str] = Counter()
    for _ in range(MUTATIONS // BATCHES):
        good = rng.choice(corpus())
        data = mutated(rng, good.data, descriptor_of(good.official))
        outcome = judged(good, data)
        shown = f"{good.cls.__name__} {data.hex()}"
        assert (outcome.ours is None) == (outcome.official is None), shown
        if outcome.ours is None or outcome.official is None:
            tally["refused"] += 1
            continue
        tally["accepted"] += 1
        again = codec.encode_message(outcome.ours)
        expected = outcome.official.SerializeToString(deterministic=True)
        if again == expected or canonical(good.official, again) == expected:
            continue
        reasons = [reason for reason, explains in LISTED if explains(outcome.ours)]
        assert reasons, shown
        tally[reasons[0]] += 1
    # The frames must reach both sides, and the exceptions stay exceptions.
    assert tally["refused"] > MUTATIONS // BATCHES // 4
    assert tally["accepted"] > MUTATIONS // BATCHES // 4
    assert sum(tally[reason] for reason, _ in LISTED) <= max(3, MUTATIONS // 10_000)


def test_mutation_changes_nearly_every_frame() -> None:
    rng = random.Random("changes")
    changed = sum(
        mutated(rng, good.data, descriptor_of(good.official)) != good.data for good in corpus()
    )
    assert changed > len(corpus()) * 0.9


# ------------------------------------------------------------------------------------------ JSON

RECORDED = Path(__file__).with_name("protojson.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What Go's protojson made of a text; ``binary`` and ``json`` are ``None`` when it refused."""

    cls: type[Message]
    text: str
    binary: bytes | None
    json: str | None


def verdicts() -> list[Verdict]:
    """As ``record_protojson.py`` recorded them."""
    names = {cls.__name__: cls for cls in ROOTS}
    return [
        Verdict(
            cls=names[record["message"]],
            text=record["text"],
            binary=None if record["binary"] is None else bytes.fromhex(record["binary"]),
            json=record["json"],
        )
        for record in map(json.loads, RECORDED.read_text().splitlines())
    ]


def test_json_frames_fare_as_with_gos_protojson() -> None:
    tally: Counter[str] = Counter()
    for verdict in verdicts():
        try:
            ours = codec.message_from_json(verdict.cls, verdict.text)
        except MalformedFrame:
            assert verdict.binary is None, verdict.text
            tally["refused"] += 1
            continue
        assert verdict.binary is not None, verdict.text
        official = official_class(verdict.cls)
        again = canonical(official, codec.encode_message(ours))
        assert again == canonical(official, verdict.binary), verdict.text
        if verdict.json is not None:
            assert json.loads(codec.message_to_json(ours)) == json.loads(verdict.json)
            tally["written"] += 1
        tally["accepted"] += 1
    assert tally["refused"] > 250
    assert tally["accepted"] > 250
    assert tally["written"] > 250


def test_json_frames_raise_nothing_but_malformed_frame() -> None:
    rng = random.Random("json")
    texts = [
        (good.cls, codec.message_to_json(codec.decode_message(good.cls, good.data)))
        for good in corpus()
    ]
    tally: Counter[str] = Counter()
    for _ in range(MUTATIONS // 10):
        cls, good_text = rng.choice(texts)
        text = mutated_json(rng, good_text)
        try:
            message = codec.message_from_json(cls, text)
        except MalformedFrame as error:
            check_place(error, cls)
            tally["refused"] += 1
        else:
            # What was read can be written, in both encodings, and means the same.
            data = codec.encode_message(message)
            assert codec.encode_message(codec.decode_message(cls, data)) == data
            again = codec.message_from_json(cls, codec.message_to_json(message))
            assert codec.encode_message(again) == data
            tally["accepted"] += 1
    assert min(tally["refused"], tally["accepted"]) > MUTATIONS // 10 // 4
