"""A record of every input and output, for a reader who debugs. Redacted by construction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["TraceRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRecord:
    """One input or one output of a session.

    An input that the session gives to itself in the course of another one is a record too.
    """

    at: float
    """The session's time, in seconds: the ``now`` of the input that this belongs to."""
    direction: Literal["in", "out"]
    """``in`` for a method called on the session and for what it drew from ``jitter``, ``out`` for
    a command or an event."""
    name: str
    """The method's name, ``jitter``, or the class of the output."""
    fields: Mapping[str, object]
    """Its arguments or fields as plain JSON-able data, secrets masked.

    Of the secrets that a session compares, equal ones have the same name, such as
    ``<redacted-1>``; all others are ``<redacted>``."""


def to_json_line(data: object) -> str:
    """Plain data as one line of JSON, without its line feed: ASCII, whatever is in it."""
    return json.dumps(data, separators=(",", ":"))


def from_json_line(line: str) -> object:
    """The data of such a line. Raises ValueError for a line that is none, or nests too deeply."""
    try:
        data: object = json.loads(line)
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    return data
