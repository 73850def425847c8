"""The frames in tests/captures: what a real livekit-server 1.13.5 and its clients sent.

JSON Lines, one record for each thing that happened: ``t`` in seconds since the connect, ``dir``
(``in`` is a SignalResponse, ``out`` a SignalRequest), and the frame as ``b64`` or ``text``. The
tokens in them were made with a key that existed only for the recording.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kitwire.messages import SignalRequest, SignalResponse

__all__ = ["CAPTURES", "Frame", "binary_frames", "frames", "text_frames"]

CAPTURES = Path(__file__).parents[1] / "captures"


@dataclass(frozen=True, slots=True)
class Frame:
    """One recorded frame."""

    file: str
    time: float
    cls: type[SignalRequest | SignalResponse]
    data: bytes
    text: str | None


@functools.cache
def frames() -> Sequence[Frame]:
    """Every frame of every capture, in order."""
    found = []
    for path in sorted(CAPTURES.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            if record["dir"] in ("in", "out"):
                found.append(
                    Frame(
                        file=path.name,
                        time=record["t"],
                        cls=SignalResponse if record["dir"] == "in" else SignalRequest,
                        data=base64.b64decode(record.get("b64", "")),
                        text=record.get("text"),
                    )
                )
    return found


def binary_frames() -> Sequence[Frame]:
    """The binary ones."""
    return [frame for frame in frames() if frame.text is None]


def text_frames() -> Sequence[tuple[Frame, str]]:
    """The JSON ones, with their text."""
    return [(frame, frame.text) for frame in frames() if frame.text is not None]
