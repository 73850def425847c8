"""A track of ours in a room: what the application holds of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from aiortc.mediastreams import MediaStreamTrack

from kitwire import messages as msg
from kitwire_aiortc.loops import Signal
from kitwire_aiortc.outbound import Outbound

__all__ = ["LocalPublication", "Publishing", "Terms"]


class Publishing(Protocol):
    """What a publication needs of its room."""

    async def mute_track(self, sid: str, muted: bool) -> None:
        """Tell the server."""

    def take_down(self, publication: LocalPublication) -> int | None:
        """It is no longer sent: make an offer that says so; its id, None when it is too late."""

    def post(self, step: Callable[[], object]) -> None:
        """Do something in the loop that sections belong to."""

    async def settled(self, offer_id: int) -> None:
        """Wait until that offer is answered, or nothing will be."""


class Terms(NamedTuple):
    """How a track is published, the first time and after a restart."""

    request: msg.AddTrackRequest
    source: MediaStreamTrack
    max_bitrate: int | None
    """In bits a second."""
    max_framerate: float | None
    """In frames a second."""


class LocalPublication:
    """A track that we publish.

    It is over when it is unpublished: by :meth:`unpublish`, because its source ended or failed,
    or because the server took it down. The source itself is never stopped. A session that restarts
    publishes it again: then it has another sid.

    Attributes:
        info: the track as the server announced it.
        terms: how it is published.
        failure: what its source raised, when that ended it.
    """

    def __init__(self, room: Publishing, info: msg.TrackInfo, terms: Terms) -> None:
        self.info = info
        self.terms = terms
        self.failure: Exception | None = None
        self._room = room
        self._outbound: Outbound | None = None
        self._is_over = False
        self._muted = False
        self._suspended = False
        self._changed = Signal()
        self._last_offer: int | None = None

    def __repr__(self) -> str:
        state = "over" if self.over else "muted" if self.muted else "live"
        return f"<LocalPublication {self.sid} {self.info.name!r} {state}>"

    @property
    def sid(self) -> str:
        """The track's sid."""
        return self.info.sid

    @property
    def cid(self) -> str:
        """The id under which we announced it."""
        return self.terms.request.cid

    @property
    def muted(self) -> bool:
        """Whether its source is read and nothing of it is sent."""
        return self._muted and not self._is_over

    @property
    def over(self) -> bool:
        """Whether it is published no more."""
        return self._is_over

    async def mute(self) -> None:
        """Send nothing, and tell the server. Harmless when it is muted.

        While the session restarts the server is told when it takes the track again.
        """
        self.obey(True)
        if not self._suspended:
            await self._room.mute_track(self.sid, True)

    async def unmute(self) -> None:
        """Send again, also after a mute from elsewhere. The server may refuse that."""
        if not self._suspended:
            await self._room.mute_track(self.sid, False)
        self.obey(False)

    async def unpublish(self) -> None:
        """Take it down, and wait until the server has agreed. Harmless when it is over."""
        self.take_down()
        if self._last_offer is not None:
            await self._room.settled(self._last_offer)

    async def wait_over(self) -> None:
        """Wait until it is over, whoever ended it; :attr:`failure` tells of a broken source."""
        await self._changed.until(lambda: self._is_over)

    # --- what the room tells it ---

    def suspend(self) -> None:
        """The session that it was announced to is lost; another will follow."""
        self._outbound = None
        self._suspended = True

    def renew(self, info: msg.TrackInfo) -> None:
        """It is announced to that other session."""
        self.info = info
        self._suspended = False

    def carry(self, outbound: Outbound) -> None:
        """It has a section from now on, unless it is over since."""
        if self._is_over:
            self._room.post(outbound.unpublish)
            return
        self._outbound = outbound
        if self._muted:
            self._room.post(partial(outbound.mute, True))

    def obey(self, muted: bool) -> None:
        """Send or not, as the application or the server wants it."""
        if self._is_over:
            return
        self._muted = muted
        if self._outbound is not None:
            self._room.post(partial(self._outbound.mute, muted))

    def take_down(self) -> None:
        """Send nothing any more; the next offer says so."""
        if self.over:
            return
        if self._outbound is not None:
            self._room.post(self._outbound.unpublish)
        self.end()
        self._last_offer = self._room.take_down(self)

    def end(self) -> None:
        """It is over. Its section may be another publication's soon."""
        self._outbound = None
        self._is_over = True
        self._changed.set()

    # --- what its source tells it ---

    def source_ended(self, source: MediaStreamTrack) -> None:
        """It said so itself: the publication goes with it."""
        self.take_down()

    def source_failed(self, source: MediaStreamTrack, error: Exception) -> None:
        """It raised, or gave something that cannot be sent: likewise."""
        self.failure = error
        self.take_down()
