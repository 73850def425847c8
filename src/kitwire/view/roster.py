"""Who is there, by sid and by identity, and which news of them is old.

The rules are those of a room whose news may come late, twice or not at all: news is compared by
``version`` within one stay, a stay by when it began; an identity has one stay at a time; a stay
that ended does not begin again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ..messages import ParticipantInfo
from .snapshots import Participant

__all__ = ["FOR_GOOD", "Roster", "began"]

_REMEMBERED: Final = 1000
FOR_GOOD: Final = 1 << 32
"""Above every version."""


def began(info: ParticipantInfo) -> int:
    """When a stay began, in milliseconds since 1970; 0 where the server does not say."""
    return info.joined_at_ms or info.joined_at * 1000


class Roster:
    """Everybody but ourselves."""

    def __init__(self) -> None:
        self._by_sid: dict[str, Participant] = {}
        self._sids: dict[str, str] = {}
        self._ended: dict[str, int] = {}
        self._snapshot: Mapping[str, Participant] | None = None

    def __iter__(self) -> Iterator[Participant]:
        return iter(tuple(self._by_sid.values()))

    @property
    def everybody(self) -> Mapping[str, Participant]:
        """Participants by sid, as they are now: it does not change with the roster."""
        if self._snapshot is None:
            self._snapshot = MappingProxyType(dict(self._by_sid))
        return self._snapshot

    def by_sid(self, sid: str) -> Participant | None:
        """Who has that sid."""
        return self._by_sid.get(sid)

    def by_identity(self, identity: str) -> Participant | None:
        """Who has that identity."""
        return self._by_sid.get(self._sids.get(identity, ""))

    def known(self, info: ParticipantInfo) -> Participant | None:
        """Whom this news is about: by sid, or by identity where it has no sid."""
        return self.by_sid(info.sid) if info.sid else self.by_identity(info.identity)

    def is_old(self, info: ParticipantInfo) -> bool:
        """Whether this news was overtaken.

        That is by newer news, by the end of the stay, or by a later stay of the same identity.
        """
        if info.version <= self._ended.get(info.sid, -1):
            return True
        known = self.known(info)
        if known is not None:
            return info.version < known.info.version
        other = self.by_identity(info.identity)
        return other is not None and 0 < began(info) < began(other.info)

    def put(self, participant: Participant) -> None:
        """Somebody is there, as they are now."""
        self._snapshot = None
        self._by_sid[participant.sid] = participant
        if participant.identity:
            self._sids[participant.identity] = participant.sid

    def remove(self, participant: Participant, *, version: int = FOR_GOOD) -> None:
        """A stay is over; news of it up to that version is old."""
        self._snapshot = None
        self._by_sid.pop(participant.sid, None)
        if self._sids.get(participant.identity) == participant.sid:
            del self._sids[participant.identity]
        self.end(participant.sid, version=version)

    def end(self, sid: str, *, version: int = FOR_GOOD) -> None:
        """Remember that a stay is over, known or not."""
        self._ended.pop(sid, None)
        self._ended[sid] = version
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def forget(self) -> None:
        """A new beginning: what ended before may be there again."""
        self._ended.clear()
