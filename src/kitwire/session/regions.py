"""Where a server can be reached: the URL that was given, and those of its regions.

LiveKit Cloud tells its regions at ``/settings/regions``; any server may name some in a Leave. What
follows is what LiveKit's clients do (client-sdk-js src/room/RegionUrlProvider.ts, server-sdk-go
connection_manager.go): the regions in the server's order, then the URL that was given; each at most
once in an attempt; a resume goes elsewhere only where a Leave said so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from ..codec import message_from_json
from ..config import ClientConfig
from ..errors import CloseReason, MalformedFrame, Reason
from ..events import LeaveReceived
from ..link.address import parse_url, regions_url
from ..messages import LeaveRequest, RegionInfo, RegionSettings
from .reasons import refusal_reason
from .recovery import Loss

__all__ = ["LONGEST_ANSWER", "MOST", "Regions"]

LONGEST_ANSWER: Final = 16 * 1024
"""In bytes; no more of an answer is read."""

MOST: Final = 10
"""How many regions of a list are looked at."""

_LONGEST_URL: Final = 1024
_FRESH: Final = 60.0
"""Seconds after which a list of regions may be asked for again."""

# What a place can be at fault for: an attempt to join, and one to resume.
_JOINING: Final = frozenset({Loss.ATTEMPT, Loss.REFUSED, Loss.LEAVE_RESUME, Loss.LEAVE_RECONNECT})
_RESUMING: Final = frozenset({Loss.ATTEMPT, Loss.REFUSED})
# For good at the place itself, yet it says nothing of the next one.
_OF_ONE_REGION: Final = frozenset({Reason.TLS_FAILURE, Reason.SERVICE_MISSING})


class _Place(NamedTuple):
    name: str
    """What its URL is, however it is spelled."""
    url: str


class Regions:
    """The places of a server, and how far an attempt has come through them.

    Args:
        config: its ``url`` is the first place, and for ever one of them.

    Raises:
        ValueError: for a URL that cannot be connected to.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._given = _place(config.url)
        self._secure = parse_url(config.url).tls
        self._settings = regions_url(config.url)
        self._current = self._given
        self._regions: tuple[_Place, ...] = ()
        self._failed: set[str] = set()
        self._known_at = float("-inf")
        self.named = False
        """Whether a Leave named the regions, and none of them has been reached since."""
        self.asking = False
        """Whether the answer to :meth:`ask` is awaited."""
        self.cause: CloseReason | None = None
        """Why the first place of this attempt failed."""

    @property
    def url(self) -> str:
        """The base URL to use now."""
        return self._current.url

    @property
    def tried(self) -> int:
        """How many places have failed in this attempt."""
        return len(self._failed)

    # --- an attempt ---

    def begin(self) -> None:
        """Another attempt: where the last one ended, or where a Leave sent us."""
        self._failed.clear()
        self.cause = None
        if self.named:
            self._current = self._regions[0]

    def at_fault(self, loss: Loss, reason: CloseReason, *, resuming: bool) -> bool:
        """Whether another place may do better where an attempt failed at this one."""
        if loss not in (_RESUMING if resuming else _JOINING) or (resuming and not self.named):
            return False
        away = self._current.name != self._given.name
        return reason.retryable or (away and reason.reason in _OF_ONE_REGION)

    def failed(self, reason: CloseReason) -> CloseReason:
        """The place in use failed; why the first one of this attempt did."""
        self._failed.add(self._current.name)
        self.cause = self.cause or reason
        return self.cause

    def move(self) -> bool:
        """Go to the next place that has not failed in this attempt; whether there is one."""
        places = (*self._regions, self._given)
        left = [place for place in places if place.name not in self._failed]
        # A server could name other regions in each Leave.
        if not left or len(self._failed) > MOST:
            return False
        self._current = left[0]
        return True

    def reached(self) -> None:
        """The place in use let us in: what a Leave said is done."""
        self.named = False

    # --- the list ---

    def heard(self, leave: LeaveReceived | LeaveRequest, now: float) -> None:
        """A Leave may say where to go; one without regions leaves all as it was."""
        if usable := self._usable(_regions_of(leave)):
            self._regions, self.named, self._known_at = usable, True, now

    def due(self, now: float) -> bool:
        """Whether the list of regions is to be asked for, before the next place is tried."""
        return bool(self._settings) and now >= self._known_at + _FRESH

    def ask(self, now: float) -> str:
        """The URL to ask at. Whatever comes of it, it is not asked again for a minute."""
        self.asking, self._known_at = True, now
        return self._settings

    def answered(self, status: int, body: bytes) -> CloseReason | None:
        """Take the answer to :meth:`ask`; why it goes no further, where we are refused.

        Args:
            status: the HTTP status; 0 where no answer came.
            body: what came with it. Whatever is no list leaves all as it was.
        """
        self.asking = False
        if status in (401, 403):
            return refusal_reason(status, body)
        if status == 200 and (usable := self._usable(_regions_in(body))):
            self._regions, self.named = usable, False
        return None

    def _usable(self, regions: Iterable[RegionInfo]) -> tuple[_Place, ...]:
        """Each once, in order, and but those whose URL can be used."""
        found: dict[str, _Place] = {}
        for region in islice(regions, MOST):
            if (place := self._usable_place(region.url)) is not None:
                found.setdefault(place.name, place)
        return tuple(found.values())

    def _usable_place(self, url: str) -> _Place | None:
        if len(url) > _LONGEST_URL:
            return None
        try:
            # The token does not go in the clear to where it went encrypted.
            return None if self._secure and not parse_url(url).tls else _place(url)
        except ValueError:
            return None


def _place(url: str) -> _Place:
    base = parse_url(url)
    return _Place(replace(base, host=base.host.lower()).text(scheme="ws"), url)


def _regions_of(leave: LeaveReceived | LeaveRequest) -> Iterable[RegionInfo]:
    if isinstance(leave, LeaveReceived):
        return leave.regions
    return () if leave.regions is None else leave.regions.regions


def _regions_in(body: bytes) -> list[RegionInfo]:
    try:
        return message_from_json(RegionSettings, body[:LONGEST_ANSWER].decode()).regions
    except (MalformedFrame, UnicodeDecodeError):
        return []
