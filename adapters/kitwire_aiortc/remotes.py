"""The tracks of the others in a room: those that there are, then those that come."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable

from kitwire.view import Participant, Publication, PublicationAdded, View, ViewChange
from kitwire_aiortc.feeds import Feed

__all__ = ["RemotePublications"]


class RemotePublications:
    """Async iteration over every track of the others, each once; it can be left at any time.

    A class and not an async generator: one that is left half-way has to be closed by hand.

    Args:
        view: who is in the room now, and with which tracks.
        changes: what changes from now on.
        published: whether a track, by its sid, is still there.
    """

    def __init__(
        self, view: View, changes: Feed[ViewChange], published: Callable[[str], bool]
    ) -> None:
        self._there = deque(
            (participant, publication)
            for participant in view.participants.values()
            if not participant.local
            for publication in participant.publications.values()
        )
        self._changes = changes
        self._published = published

    def __aiter__(self) -> AsyncIterator[tuple[Participant, Publication]]:
        return self

    async def __anext__(self) -> tuple[Participant, Publication]:
        while self._there:
            participant, publication = self._there.popleft()
            if self._published(publication.sid):
                return participant, publication
        async for change in self._changes:
            match change:
                case PublicationAdded(participant=participant, publication=publication):
                    if not participant.local and self._published(publication.sid):
                        return participant, publication
                case _:
                    pass
        raise StopAsyncIteration
