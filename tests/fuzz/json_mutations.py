"""Turns good JSON frames into JSON that is off by a little: in its values, names, and syntax."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence

__all__ = ["mutated_json"]

Tree = dict[str, object] | list[object]

VALUES: Sequence[object] = (
    None,
    True,
    False,
    0,
    -0.0,
    1,
    -1,
    1.0,
    1.5,
    2**31,
    2**32,
    2**53,
    2**63,
    2**64,
    -(2**63) - 1,
    1e300,
    "",
    "1",
    "-1",
    "1.0",
    "1e2",
    "1e-2",
    " 1",
    "0x1",
    "01",
    "+1",
    "true",
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "AAE=",
    "AAE",
    "_-8=",
    "/+8=",
    "AA E=",
    "A",
    "A===",
    "NO_SUCH_VALUE",
    "OK",
    "AUDIO",
    "DISCONNECTED",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00.5+01:00",
    "9999-12-31T23:59:59Z",
    [],
    {},
    [1],
    [None],
    [[]],
    {"a": 1},
    {"": None},
    {"1": {}, "2": {}},
    {"a": "b"},
)


def _places(tree: Tree) -> list[Tree]:
    found = [tree]
    for item in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(item, dict | list):
            found += _places(item)
    return found


def _replace(rng: random.Random, place: Tree) -> None:
    if isinstance(place, dict) and place:
        place[rng.choice(list(place))] = copy.deepcopy(rng.choice(VALUES))
    elif isinstance(place, list) and place:
        place[rng.randrange(len(place))] = copy.deepcopy(rng.choice(VALUES))


def _rename(rng: random.Random, place: Tree) -> None:
    if isinstance(place, dict) and place:
        name = rng.choice(list(place))
        other = rng.choice((name.lower(), name.upper(), f"{name}_", "unknown", "", "sid", "offer"))
        place[other] = place.pop(name)


def _add(rng: random.Random, place: Tree) -> None:
    if isinstance(place, dict):
        name = rng.choice(("unknown", "sid", "name", "leave", "ping", "join", "request_id", "a"))
        place[name] = copy.deepcopy(rng.choice(VALUES))
    else:
        place.append(copy.deepcopy(rng.choice(VALUES)))


def _drop(rng: random.Random, place: Tree) -> None:
    if isinstance(place, dict) and place:
        del place[rng.choice(list(place))]
    elif isinstance(place, list) and place:
        del place[rng.randrange(len(place))]


_CHANGES: Sequence[Callable[[random.Random, Tree], None]] = (
    _replace,
    _replace,
    _rename,
    _add,
    _drop,
)


def mutated_json(rng: random.Random, text: str) -> str:
    """A changed copy of a JSON object."""
    tree: dict[str, object] = json.loads(text)
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_CHANGES)(rng, rng.choice(_places(tree)))
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.3:
        at = rng.randint(0, len(text))
        cut = rng.choice((0, 0, 1, 3, len(text)))
        extra = rng.choice(
            ("", "", '"', "}", "]", ",", ":", "{", "\\", "\\ud800", "1", "\t", "\x00", "null")
        )
        text = text[:at] + extra + text[at + cut :]
    return text
