"""Who was there before a loss and is not named after it: servers do not always say that they left.

A resume is answered with an update of everybody, ourselves included (livekit pkg/rtc/room.go,
ResumeParticipant); who left in the meantime may have been told of on the lost link only.
"""

from __future__ import annotations

from dataclasses import replace

from ..events import Joined, ParticipantsUpdated, RoomMoved, ServerEvent
from ..messages import ParticipantInfo, ParticipantInfoState

__all__ = ["Roll"]


class Roll:
    """The participants of a room by sid, and who has been named since the roll was called."""

    def __init__(self) -> None:
        self._present: dict[str, ParticipantInfo] = {}
        self._named: set[str] | None = None
        self._own = ""

    def begin(self, joined: Joined) -> None:
        """A room was joined."""
        self._fill(joined.participant, joined.other_participants)

    def moved(self, event: RoomMoved) -> None:
        """We are in another room."""
        self._fill(event.participant, event.other_participants)

    def _fill(self, own: ParticipantInfo | None, others: tuple[ParticipantInfo, ...]) -> None:
        self._own = own.sid if own is not None else self._own
        self._present = {one.sid: one for one in others if one.sid != self._own}
        self._named = None

    def heard(self, event: ServerEvent) -> None:
        """The server said something."""
        if not isinstance(event, ParticipantsUpdated):
            return
        for one in event.participants:
            if self._named is not None:
                self._named.add(one.sid)
            if one.sid == self._own:
                continue
            if one.state is ParticipantInfoState.DISCONNECTED:
                self._present.pop(one.sid, None)
            else:
                self._present[one.sid] = one

    def call(self) -> None:
        """A session was resumed: everybody is named anew."""
        self._named = set()

    def missing(self) -> tuple[ParticipantInfo, ...]:
        """Who was not named, as having left; nobody as long as we have not been named ourselves."""
        named = self._named
        if named is None or self._own not in named:
            return ()
        self._named = None
        gone = [one for sid, one in self._present.items() if sid not in named]
        for one in gone:
            del self._present[one.sid]
        return tuple(replace(one, state=ParticipantInfoState.DISCONNECTED) for one in gone)
