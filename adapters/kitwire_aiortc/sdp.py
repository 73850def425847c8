"""What we read in session descriptions, and what we change in those that we send: pure text.

Descriptions carry ICE credentials, so nothing here puts a line of one into an exception.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Direction", "Section", "sections", "without_idle_sources"]


class Direction(enum.Enum):
    """Which way the media of a section flow, seen from whoever wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the writer of the description may send."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)


DIRECTIONS: Final[Mapping[str, Direction]] = {f"a={each.value}": each for each in Direction}
SOURCE_ATTRIBUTES: Final = ("a=msid:", "a=ssrc:", "a=ssrc-group:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One ``m=`` section, as far as it concerns us."""

    index: int
    """Its place, from 0: what ``sdpMLineIndex`` means."""
    mid: str
    """Its name, unique in a description; empty when it has none."""
    kind: str
    """``audio``, ``video`` or ``application``."""
    direction: Direction
    """``INACTIVE`` too when the section is rejected (RFC 9429, section 5.3.1: port 0, except in a
    bundle-only section)."""
    ssrcs: tuple[int, ...] = ()
    """The SSRCs of media that the writer sends, in order, without those that only repair."""
    repairs: tuple[tuple[int, int], ...] = ()
    """Pairs of a repairing SSRC (RTX, RFC 4588) and the one that it repairs."""
    msid: str = ""
    """Stream and track, separated by a space; empty when not said."""


def sections(sdp: str) -> tuple[Section, ...]:
    """The sections of a description, in order. Never raises: what cannot be read is left out."""
    session, media = _split(sdp)
    default = _direction(session, Direction.SENDRECV)
    return tuple(_section(index, lines, default) for index, lines in enumerate(media))


def without_idle_sources(sdp: str) -> str:
    """A description of ours without the sources of sections in which we send nothing.

    aiortc writes ``a=msid`` and ``a=ssrc`` into every section. A server that matches an announced
    track with the first new section that has a msid then takes a receive-only section for it
    (livekit pkg/rtc/participant_sdp.go), and the real one stays unmatched.
    """
    session, media = _split(sdp)
    default = _direction(session, Direction.SENDRECV)
    kept = [*session]
    for lines in media:
        idle = not _direction(lines, default).sends
        kept += [line for line in lines if not (idle and line.startswith(SOURCE_ATTRIBUTES))]
    return "".join(f"{line}\r\n" for line in kept)


def _split(sdp: str) -> tuple[list[str], list[list[str]]]:
    session: list[str] = []
    media: list[list[str]] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            media.append([line])
        elif line:
            (media[-1] if media else session).append(line)
    return session, media


def _direction(lines: Sequence[str], default: Direction) -> Direction:
    return next((DIRECTIONS[line] for line in lines if line in DIRECTIONS), default)


def _section(index: int, lines: Sequence[str], default: Direction) -> Section:
    kind, _, rest = lines[0].removeprefix("m=").partition(" ")
    rejected = rest.partition(" ")[0] == "0" and "a=bundle-only" not in lines
    seen = _numbers(lines, "a=ssrc:")
    repairs = tuple(
        (repairing, repaired)
        for line in lines
        if line.startswith("a=ssrc-group:FID ")
        for repaired, repairing in _pairs(line.split()[1:])
    )
    repairing = {pair[0] for pair in repairs}
    return Section(
        index=index,
        mid=_value(lines, "a=mid:"),
        kind=kind,
        direction=Direction.INACTIVE if rejected else _direction(lines, default),
        ssrcs=tuple(ssrc for ssrc in seen if ssrc not in repairing),
        repairs=repairs,
        msid=_value(lines, "a=msid:"),
    )


def _value(lines: Sequence[str], prefix: str) -> str:
    return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")


def _numbers(lines: Sequence[str], prefix: str) -> dict[int, None]:
    """The numbers at the beginning of these attributes, each once, in order."""
    words = (line.removeprefix(prefix).split() for line in lines if line.startswith(prefix))
    return {int(word[0]): None for word in words if word and word[0].isdecimal()}


def _pairs(words: Sequence[str]) -> list[tuple[int, int]]:
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return []
    return [(int(words[0]), int(words[1]))]
