"""Generated messages of every class, read by betterproto2 and written by google.protobuf beside us.

``KITWIRE_GENERATED`` changes how many. Each has some fields and not others, in any order, and some
that nobody knows, at every depth. Every frame is made from a seed, so that a failure can be made
again: it prints the frame too.
"""

from __future__ import annotations

import functools
import os
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from kitwire import codec
from kitwire.codec import Message

from .everything import Everything, official_everything
from .mutations import shuffled
from .official import OfficialMessage, canonical, classes, descriptor_of, official_class
from .samples import populated

GENERATED = int(os.environ.get("KITWIRE_GENERATED", "20000"))
BATCHES = max(4, GENERATED // 20_000)


@functools.cache
def kinds() -> Sequence[tuple[type[Message], type[OfficialMessage]]]:
    """Every class of the schema, and the one that has every type in every place."""
    known = [(cls, official_class(cls)) for cls in classes()]
    return [*known, *[(Everything, official_everything())] * (len(known) // 10)]


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_generated_messages_are_what_betterproto2_and_google_protobuf_say(batch: int) -> None:
    rng = random.Random(f"generated {batch}")
    tally: Counter[str] = Counter()
    for _ in range(GENERATED // BATCHES):
        cls, official = rng.choice(kinds())
        density = rng.choice((0.1, 0.3, 0.6, 0.9))
        sample = populated(official, rng, density=density).SerializeToString()
        data = shuffled(rng, sample, descriptor_of(official))
        shown = f"{cls.__name__} {data.hex()}"
        ours, theirs = codec.decode_message(cls, data), cls.parse(data)
        assert ours == theirs, shown
        assert ours._unknown_fields == theirs._unknown_fields, shown
        expected = official.FromString(data).SerializeToString(deterministic=True)
        again = codec.encode_message(ours)
        assert again == expected or canonical(official, again) == expected, shown
        tally["exact" if again == expected else "maps or unknown fields in another order"] += 1
    assert tally["exact"] > GENERATED // BATCHES // 2
