"""What we publish in a room: announced, sent, and, when the session restarts, published again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from kitwire import messages as msg
from kitwire.commands import PeerTarget
from kitwire.errors import FailureReason, RequestFailed
from kitwire.events import (
    Event,
    Joined,
    MuteReceived,
    RequestEnded,
    RequestKey,
    TrackUnpublished,
)
from kitwire.peer_events import Negotiated
from kitwire.reconnect_events import Restarting
from kitwire.room import Room, Runtime
from kitwire.session.phases import Phase
from kitwire_aiortc.channels import ChannelClosed
from kitwire_aiortc.outbound import Outbound
from kitwire_aiortc.portal import Portal
from kitwire_aiortc.publication import LocalPublication, Terms
from kitwire_aiortc.studio import Studio

__all__ = ["Publications"]


class Publications:
    """The :class:`~kitwire_aiortc.publication.Publishing` of a room: what it publishes, by sid.

    Args:
        room: by which tracks are announced and muted.
        runtime: the adapter's driver.
        portal: leads to aiortc's loop.
        studio: has the peer connections there.

    Attributes:
        by_sid: a view of them that follows what happens.
    """

    def __init__(self, room: Room, runtime: Runtime, portal: Portal, studio: Studio) -> None:
        self._room = room
        self._runtime = runtime
        self._portal = portal
        self._studio = studio
        self._publications: dict[str, LocalPublication] = {}
        self._renewing: dict[RequestKey, LocalPublication] = {}
        self._negotiated = 0
        self._sessions = 0
        self.by_sid: Mapping[str, LocalPublication] = MappingProxyType(self._publications)

    async def publish(self, method: str, terms: Terms) -> LocalPublication:
        """Announce a track, send it from the next offer on, and wait for the answer.

        Raises:
            RequestFailed: when the server does not want it, or the connection ended.
        """
        session = self._sessions
        info = await self._room.add_track(terms.request)
        publication = LocalPublication(self, info, terms)
        self._publications[info.sid] = publication
        try:
            listening = partial(self._studio.publish, terms, listener=publication)
            outbound = await self._portal.call(partial(listening, stream=self._stream))
            if self._sessions != session:
                return publication  # The session restarted, and publishes it by itself.
            publication.carry(outbound)
            offer_id = self.negotiate(method)
            assert offer_id is not None, "the config names an owner of peer connections"
            await self.settled(offer_id)
            if self._negotiated < offer_id and self._sessions == session:
                raise self._room.ended_before(method)
        except ChannelClosed:
            publication.take_down()
            raise self._room.ended_before(method) from None
        except BaseException:
            publication.take_down()
            raise
        return publication

    def negotiate(self, method: str) -> int | None:
        """Ask for an offer; None where there are no peer connections at the moment.

        Raises:
            RequestFailed: when the connection is ending.
        """
        if self._over:
            raise self._room.ended_before(method)
        offer_id = self._room.client.negotiate(now=self._runtime.now())
        self._runtime.wake()
        return offer_id

    @property
    def _over(self) -> bool:
        """Whether nothing can be asked for any more: the end may be heard of only later."""
        return self._room.client.phase in (Phase.CLOSING, Phase.CLOSED)

    @property
    def _stream(self) -> str:
        return self._room.joined.participant.sid

    # --- for a publication ---

    async def mute_track(self, sid: str, muted: bool) -> None:
        """Tell the server."""
        await self._room.mute_track(sid, muted)

    def take_down(self, publication: LocalPublication) -> int | None:
        """It is no longer sent: make an offer that says so; its id, None when it is too late."""
        self._publications.pop(publication.sid, None)
        if self._over:
            return None
        return self.negotiate("unpublish")

    def post(self, step: Callable[[], object]) -> None:
        """Do something in aiortc's loop."""
        self._portal.post(step)

    async def settled(self, offer_id: int) -> None:
        """Wait until that offer is answered, or nothing will be."""
        session = self._sessions
        await self._runtime.until(
            lambda: (
                self._negotiated >= offer_id
                or self._room.closed is not None
                or self._sessions != session  # Offers are counted anew.
            )
        )

    # --- what happens ---

    def hear(self, event: Event) -> None:
        """An event came."""
        match event:
            case Restarting():
                self._suspend()
            case Joined():
                self._sessions += 1
                self._publish_again()
            case RequestEnded(key=key) if key in self._renewing:
                self._renewed(self._renewing.pop(key), event)
            case Negotiated(target=PeerTarget.PUBLISHER, offer_id=offer_id):
                self._negotiated = offer_id
            case MuteReceived(sid=sid, muted=muted) if sid in self._publications:
                self._publications[sid].obey(muted)
            case TrackUnpublished(track_sid=sid) if sid in self._publications:
                self._publications[sid].take_down()
            case _:
                pass

    def end(self) -> None:
        """The room is over, and so is everything that was published in it."""
        for publication in self._publications.values():
            publication.end()
        self._publications.clear()

    def _suspend(self) -> None:
        for publication in self._publications.values():
            publication.suspend()

    def _publish_again(self) -> None:
        """The room was joined anew: what we published is announced again."""
        self._negotiated = 0
        self._renewing.clear()
        self._suspend()
        client, now = self._room.client, self._runtime.now()
        if client.phase is not Phase.JOINED:
            return  # Lost again already, or over, as will be heard.
        for publication in self._publications.values():
            request = replace(publication.terms.request, muted=publication.muted)
            self._renewing[client.add_track(request, now=now)] = publication

    def _renewed(self, publication: LocalPublication, ended: RequestEnded) -> None:
        """The server took a track again, or did not."""
        failure = ended.failure
        if publication.over or (failure and failure.reason is FailureReason.ABORTED):
            return  # Lost again: it will be announced by the next session.
        self._publications.pop(publication.sid, None)
        if not isinstance(ended.result, msg.TrackInfo):
            publication.failure = None if failure is None else RequestFailed("add_track", failure)
            publication.end()
            return
        publication.renew(ended.result)
        self._publications[publication.sid] = publication
        if self._over:
            return
        if publication.muted is not ended.result.muted:
            # The application muted it, or took that back, while the server was asked.
            now = self._runtime.now()
            self._room.client.mute_track(publication.sid, publication.muted, now=now)
        session = self._sessions

        def carry(outbound: Outbound) -> None:
            if self._sessions == session and not self._over:
                publication.carry(outbound)
                self.negotiate("publish_again")

        self._portal.post(
            partial(
                self._studio.publish_again,
                publication.terms,
                stream=self._stream,
                listener=publication,
                done=carry,
            )
        )
