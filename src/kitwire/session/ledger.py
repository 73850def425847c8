"""What a session stands for beyond its link: what we published, and what we asked for.

After a resume the server is told of it (``SyncState``), and some of it is asked for again; after a
restart it tells an application what is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..events import (
    DataTrackPublished,
    DataTrackUnpublished,
    ParticipantsUpdated,
    ServerEvent,
    TrackPublished,
    TrackUnpublished,
)
from ..messages import (
    DataChannelInfo,
    DataChannelReceiveState,
    DataTrackInfo,
    ParticipantInfoState,
    PublishDataTrackResponse,
    SessionDescription,
    SignalRequest,
    SubscriptionPermission,
    SyncState,
    TrackInfo,
    TrackPublishedResponse,
    UpdateSubscription,
    UpdateTrackSettings,
)
from ..negotiation import Agreed

__all__ = ["Ledger"]


class Ledger:
    """The books of one session; a restart opens new ones.

    Args:
        auto_subscribe: whether the server subscribes us to every track.
    """

    def __init__(self, *, auto_subscribe: bool) -> None:
        self._auto_subscribe = auto_subscribe
        self._tracks: dict[str, tuple[str, TrackInfo]] = {}
        self._data_tracks: dict[int, DataTrackInfo] = {}
        self._subscribed: dict[str, bool] = {}
        self._settings: dict[str, UpdateTrackSettings] = {}
        self._permission: SubscriptionPermission | None = None
        self._received: dict[str, int] = {}

    # --- what is noted ---

    def asked(self, request: SignalRequest) -> None:
        """A request was made, sent or held."""
        if (update := request.subscription) is not None:
            sids = [*update.track_sids, *_grouped(update)]
            self._subscribed.update(dict.fromkeys(sids, update.subscribe))
        elif (settings := request.track_setting) is not None:
            self._settings.update(dict.fromkeys(settings.track_sids, settings))
        elif (permission := request.subscription_permission) is not None:
            self._permission = permission

    def heard(self, event: ServerEvent, *, own_sid: str) -> None:
        """The server said something."""
        match event:
            case TrackPublished(cid=cid, track=TrackInfo() as track):
                self._tracks[track.sid] = (cid, track)
            case TrackUnpublished(track_sid=sid):
                self._tracks.pop(sid, None)
            case DataTrackPublished(info=DataTrackInfo() as info):
                self._data_tracks[info.pub_handle] = info
            case DataTrackUnpublished(info=DataTrackInfo() as info):
                self._data_tracks.pop(info.pub_handle, None)
            case ParticipantsUpdated(participants=participants):
                for one in participants:
                    if one.state is ParticipantInfoState.DISCONNECTED:
                        self._received.pop(one.sid, None)
                    for track in one.tracks if one.sid == own_sid else ():
                        if (known := self._tracks.get(track.sid)) is not None:
                            self._tracks[track.sid] = (known[0], track)
            case _:
                pass

    def received(self, publisher_sid: str, sequence: int) -> None:
        """A reliable data packet came, the latest of that publisher's."""
        self._received[publisher_sid] = sequence

    def moved(self) -> None:
        """We are in another room, where the server has cleared our subscriptions."""
        self._subscribed.clear()
        self._settings.clear()

    # --- what is told ---

    @property
    def tracks(self) -> tuple[TrackPublishedResponse, ...]:
        """The tracks that we publish, with their cids."""
        return tuple(
            TrackPublishedResponse(cid=cid, track=track) for cid, track in self._tracks.values()
        )

    def sync_state(
        self, agreed: Agreed | None, channels: Sequence[DataChannelInfo] = ()
    ) -> SyncState:
        """What the server is told first after a resume (client-sdk-js RTCEngine.sendSyncState).

        The server reads the publications, and those that it does not know make it ask for a new
        session; the rest matters to a server that took the session over from another.
        """
        differing = [sid for sid, on in self._subscribed.items() if on != self._auto_subscribe]
        state = SyncState(
            subscription=UpdateSubscription(
                track_sids=differing, subscribe=not self._auto_subscribe
            ),
            publish_tracks=list(self.tracks),
            data_channels=[*channels],
            track_sids_disabled=[sid for sid, each in self._settings.items() if each.disabled],
            datachannel_receive_states=[
                DataChannelReceiveState(publisher_sid=sid, last_seq=sequence)
                for sid, sequence in self._received.items()
            ],
            publish_data_tracks=[
                PublishDataTrackResponse(info=info) for info in self._data_tracks.values()
            ],
        )
        if agreed is not None:
            state.offer = SessionDescription(type="offer", sdp=agreed.offer)
            state.answer = SessionDescription(type="answer", sdp=agreed.answer)
        return state

    def successor(self) -> Ledger:
        """The books of the session that follows by a restart.

        Our own tracks are gone; those of others are the same, and what we want of them too.
        """
        heir = Ledger(auto_subscribe=self._auto_subscribe)
        heir._subscribed = self._subscribed
        heir._settings = self._settings
        heir._permission = self._permission
        return heir

    def wishes(self) -> Iterable[SignalRequest]:
        """What is asked for again after a restart, of which the server knows nothing."""
        yield from self.repairs()
        for sid, settings in self._settings.items():
            yield SignalRequest(track_setting=replace(settings, track_sids=[sid]))

    def repairs(self) -> Iterable[SignalRequest]:
        """What is asked for again after a resume: a request may have been lost with the link."""
        for wanted in (True, False):
            sids = [sid for sid, on in self._subscribed.items() if on is wanted]
            if sids:
                update = UpdateSubscription(track_sids=sids, subscribe=wanted)
                yield SignalRequest(subscription=update)
        if self._permission is not None:
            yield SignalRequest(subscription_permission=self._permission)


def _grouped(update: UpdateSubscription) -> Iterable[str]:
    for group in update.participant_tracks:
        yield from group.track_sids
