"""How many media sections the server needs, and how many are on their way to it.

The server counts the tracks for which it has no media section. Between two of its answers each
``media_sections_requirement`` says how many more it needs than it said before; with an answer it
begins anew from all that are still without a section (livekit pkg/rtc/transport.go). So what it
asked for since the last answer is the whole of its need, and sections that it has not seen yet,
because their offer is on its way or not made, count against it.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SectionLedger", "Sections"]


class Sections(NamedTuple):
    """A number of receive-only media sections."""

    audios: int
    videos: int

    def plus(self, other: Sections) -> Sections:
        """Both together."""
        return Sections(self.audios + other.audios, self.videos + other.videos)

    def beyond(self, other: Sections) -> Sections:
        """What is more than in ``other``."""
        return Sections(max(0, self.audios - other.audios), max(0, self.videos - other.videos))


NONE = Sections(0, 0)


class SectionLedger:
    """The account of one peer connection.

    Args:
        first: what the first offer has without being asked.
    """

    def __init__(self, first: Sections) -> None:
        self._next = first
        self._unanswered = NONE
        self._required = NONE

    @property
    def due(self) -> bool:
        """Whether sections wait for the next offer."""
        return self._next != NONE

    def require(self, needed: Sections) -> None:
        """The server asked for so many more."""
        self._required = self._required.plus(needed)
        under_way = self._next.plus(self._unanswered)
        self._next = self._next.plus(self._required.beyond(under_way))

    def take(self) -> Sections:
        """What to add with the offer that is made now."""
        self._unanswered, self._next = self._next, NONE
        return self._unanswered

    def answered(self) -> None:
        """The server answered that offer."""
        self._unanswered = self._required = NONE
