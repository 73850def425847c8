"""A record of every input and output, for a reader who debugs. Redacted by construction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["TraceRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRecord:
    """One input or one output of a session."""

    at: float
    """The session's time, in seconds: the ``now`` of the input that this belongs to."""
    direction: Literal["in", "out"]
    """``in`` for a method called on the session, ``out`` for a command or an event."""
    name: str
    """The method's name, or the class of the output."""
    fields: Mapping[str, object]
    """Its arguments or fields as plain JSON-able data, secrets masked."""
