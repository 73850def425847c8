"""Who is in the room, with which tracks, from events. See :class:`View`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeVar, assert_never

from .. import events as ev
from .. import messages as msg
from ..peer_events import PeerEvent
from ..reconnect_events import ReconnectEvent
from .bindings import bound_tracks
from .changes import ActiveSpeakersChanged, RoomChanged, ViewChange
from .diff import arrival, departure, difference
from .roster import FOR_GOOD, Roster, began
from .snapshots import Participant, Publication, TrackFacts

__all__ = ["View"]

_SINGLE_PATH: Final = "/rtc/v1"
_EARLY_FACTS: Final = 256
_T = TypeVar("_T")
_Changes = tuple[ViewChange, ...]

_Ignored = (
    PeerEvent
    # What a loss changes comes in a Joined, or in updates.
    | ReconnectEvent
    | ev.Closed
    | ev.LeaveReceived
    | ev.TokenRefreshed
    | ev.PongReceived
    | ev.LegacyPongReceived
    # The application mutes; an update tells when that is done.
    | ev.MuteReceived
    | ev.SubscribedQualityChanged
    | ev.SubscribedAudioCodecsChanged
    | ev.TrickleReceived
    | ev.MediaSectionsRequired
    # Data tracks stand in updates, ours too.
    | ev.DataTrackPublished
    | ev.DataTrackUnpublished
    | ev.DataTrackSubscriberHandlesChanged
    | ev.DataBlobStored
    | ev.DataBlobReceived
    | ev.RequestResponseReceived
    | ev.RequestQueued
    | ev.RequestEnded
    | ev.UnknownMessage
    | ev.FrameRejected
    | ev.ProtocolViolated
)
"""Events that change nothing here."""


_TrackEvent = (
    ev.TrackPublished
    | ev.TrackUnpublished
    | ev.TrackSubscribed
    | ev.StreamStatesChanged
    | ev.SubscriptionPermissionChanged
    | ev.SubscriptionFailed
)


class View:
    """The room, as the events so far describe it. One per connection; give it every event.

    It is optional and has no influence on the session. What it gives out never changes: hold on to
    a participant or to :attr:`participants`, and compare later.
    """

    def __init__(self) -> None:
        self._room: msg.Room | None = None
        self._own: Participant | None = None
        self._roster = Roster()
        self._single = False
        self._bound: frozenset[str] = frozenset()
        self._refused: set[str] = set()
        self._owners: dict[str, str] = {}
        self._announced: dict[str, msg.TrackInfo] = {}
        self._early: dict[str, TrackFacts] = {}
        self._speaking: tuple[tuple[str, float], ...] = ()

    # --- What is known ---

    @property
    def room(self) -> msg.Room | None:
        """The room; None before the join."""
        return self._room

    @property
    def own(self) -> Participant | None:
        """Ourselves; None before the join."""
        return self._own

    @property
    def participants(self) -> Mapping[str, Participant]:
        """Everybody else by sid, as of now."""
        return self._roster.everybody

    @property
    def speakers(self) -> tuple[Participant, ...]:
        """Everybody who speaks, the loudest first, ourselves included."""
        everybody = (self._own, *self._roster) if self._own else tuple(self._roster)
        loud = (each for each in everybody if each is not None and each.speaking)
        return tuple(sorted(loud, key=lambda each: (-each.audio_level, each.sid)))

    def participant(self, identity: str) -> Participant | None:
        """Who has that identity, ourselves included."""
        if self._own is not None and self._own.identity == identity:
            return self._own
        return self._roster.by_identity(identity)

    def by_sid(self, sid: str) -> Participant | None:
        """Who has that sid, ourselves included."""
        if self._own is not None and self._own.sid == sid:
            return self._own
        return self._roster.by_sid(sid)

    def publication(self, track_sid: str) -> Publication | None:
        """The track with that sid, whoever publishes it; data tracks stand with participants."""
        owner = self._owner(track_sid)
        return None if owner is None else owner.publications[track_sid]

    # --- What happens ---

    def apply(self, event: ev.Event) -> tuple[ViewChange, ...]:
        """Take an event in; what it changed, in order. Most events change nothing."""
        if isinstance(event, _Ignored):
            return ()
        match event:
            case ev.Joined():
                return self._joined(event)
            case ev.RoomMoved():
                return self._moved(event)
            case ev.ParticipantsUpdated(participants=participants):
                return _each(self._news, participants)
            case ev.RoomUpdated(room=room):
                return () if room is None else self._set_room(room)
            case ev.SpeakersChanged(speakers=speakers):
                return (*_each(self._speaks, speakers), *self._speakers_changed())
            case ev.ConnectionQualityChanged(updates=updates):
                return _each(self._quality, updates)
            case ev.OfferReceived(sdp=sdp, mid_to_track_id=tracks):
                return () if self._single else self._described(bound_tracks(sdp, tracks))
            case ev.AnswerReceived(sdp=sdp, mid_to_track_id=tracks):
                return self._described(bound_tracks(sdp, tracks)) if self._single else ()
            case _:
                return self._track_event(event)

    def _track_event(self, event: _TrackEvent) -> _Changes:
        match event:
            case ev.TrackPublished(cid=cid, track=track):
                return () if track is None else self._announce(cid, track)
            case ev.TrackUnpublished(track_sid=sid):
                return self._take_down(sid)
            case ev.TrackSubscribed(track_sid=sid):
                return self._learn(sid, lambda facts: replace(facts, heard=True))
            case ev.StreamStatesChanged(stream_states=states):
                return _each(self._stream_state, states)
            case ev.SubscriptionPermissionChanged(track_sid=sid, allowed=allowed):
                return self._learn(sid, lambda facts: replace(facts, allowed=allowed))
            case ev.SubscriptionFailed(track_sid=sid, err=err):
                self._bound -= {sid}
                if err is msg.SubscriptionError.SE_CODEC_UNSUPPORTED and sid in self._owners:
                    self._refused.add(sid)
                return self._learn(sid, lambda facts: replace(facts, error=err, bound=False))
            case _:
                assert_never(event)

    # --- Rooms ---

    def _joined(self, event: ev.Joined) -> _Changes:
        """A first join, or one after a restart, which may find people who stayed."""
        self._single = event.path == _SINGLE_PATH
        others = [one for one in event.other_participants if one.sid != event.participant.sid]
        return (
            *self._empty({one.sid for one in others}),
            *self._set_room(event.room),
            *self._become(event.participant),
            *self._fill(others),
        )

    def _moved(self, event: ev.RoomMoved) -> _Changes:
        """Everybody known is gone, also who moved with us; we may have another sid."""
        return (
            *self._empty(set()),
            *(() if event.room is None else self._set_room(event.room)),
            *(() if event.participant is None else self._become(event.participant)),
            *self._fill(event.other_participants),
        )

    def _empty(self, staying: set[str]) -> _Changes:
        """Everybody goes but those; nothing that was said of tracks holds any more."""
        self._bound = frozenset()
        self._refused.clear()
        self._early.clear()
        self._announced.clear()
        changes: list[ViewChange] = []
        for one in self._roster:
            if one.sid in staying:
                anew = replace(one, publications=self._publish(one.info))
                changes += self._store(one, anew)
            else:
                changes += self._leave(one, msg.DisconnectReason.UNKNOWN_REASON)
        # In another room, or another session, they may be there under the sids that they had.
        self._roster.forget()
        return tuple(changes)

    def _fill(self, others: Iterable[msg.ParticipantInfo]) -> _Changes:
        """Who is there; an earlier stay of our own may still be listed."""
        return _each(self._news, [one for one in others if not self._is_us(one)])

    def _become(self, info: msg.ParticipantInfo) -> _Changes:
        """This is us from now on."""
        self._announced.clear()
        before = self._own or Participant(info=info, local=True)
        gone = self._evict(info)
        self._disown(before.sid, before.publications)
        after = replace(before, info=info, publications=self._publish(info))
        return (*gone, *self._store(before, after))

    def _evict(self, us: msg.ParticipantInfo) -> _Changes:
        """Whoever was known under a sid or an identity that turns out to be ours is not there."""
        changes: _Changes = ()
        for one in (self._roster.by_sid(us.sid), self._roster.by_identity(us.identity)):
            if one is not None and self._roster.by_sid(one.sid) is one:
                changes += self._leave(one, msg.DisconnectReason.UNKNOWN_REASON)
        return changes

    def _set_room(self, room: msg.Room) -> _Changes:
        before, self._room = self._room, room
        return () if before == room else (RoomChanged(before=before, room=room),)

    # --- Participants ---

    def _is_us(self, info: msg.ParticipantInfo) -> bool:
        own = self._own
        return own is not None and (
            info.sid == own.sid or (info.identity != "" and info.identity == own.identity)
        )

    def _news(self, info: msg.ParticipantInfo) -> _Changes:
        """News of one participant."""
        left = info.state == msg.ParticipantInfoState.DISCONNECTED
        if self._own is not None and self._is_us(info):
            return () if left else self._news_of_us(self._own, info)
        known = self._roster.known(info)
        if left:
            return self._left(known, info)
        if (known is None and not info.sid) or self._roster.is_old(info):
            return ()
        identity = info.identity if known is None else known.identity or info.identity
        earlier = self._roster.by_identity(identity)
        gone: _Changes = ()
        if earlier is not None and earlier is not known:
            gone = self._leave(earlier, msg.DisconnectReason.UNKNOWN_REASON)
        if known is not None:
            return (*gone, *self._renew(known, info))
        participant = Participant(info=info, local=False, publications=self._publish(info))
        self._roster.put(participant)
        return (*gone, *arrival(participant))

    def _news_of_us(self, own: Participant, info: msg.ParticipantInfo) -> _Changes:
        if info.sid not in ("", own.sid):
            # Another stay under our identity: an earlier one, or ours after a move of the server's.
            return self._become(info) if began(info) > began(own.info) else ()
        if info.version < own.info.version:
            return ()
        for track in info.tracks:
            self._announced.pop(track.sid, None)
        return (*self._evict(info), *self._renew(own, info))

    def _renew(self, known: Participant, info: msg.ParticipantInfo) -> _Changes:
        """Newer news of somebody known. It may lack the sid or the identity, which both stay."""
        info = replace(info, sid=known.sid, identity=known.identity or info.identity)
        return self._store(
            known, replace(known, info=info, publications=self._publish(info, known))
        )

    def _left(self, known: Participant | None, info: msg.ParticipantInfo) -> _Changes:
        if known is not None:
            version = max(known.info.version, info.version)
            return self._leave(known, info.disconnect_reason, version=version)
        # The end of an earlier stay, or of one that we never heard of.
        self._roster.end(info.sid)
        return ()

    def _leave(
        self, one: Participant, reason: msg.DisconnectReason, *, version: int = FOR_GOOD
    ) -> _Changes:
        self._roster.remove(one, version=version)
        self._disown(one.sid, one.publications)
        silent = self._speakers_changed() if one.speaking else ()
        return (*departure(one, reason), *silent)

    def _store(self, before: Participant, after: Participant) -> _Changes:
        """Somebody changed."""
        self._disown(before.sid, before.publications.keys() - after.publications.keys())
        if after.local:
            self._own = after
        else:
            self._roster.put(after)
        return tuple(difference(before, after))

    def _speaks(self, info: msg.SpeakerInfo) -> _Changes:
        who = self.by_sid(info.sid)
        if who is None:
            return ()
        level = info.level if info.active else 0.0
        return self._store(who, replace(who, speaking=info.active, audio_level=level))

    def _speakers_changed(self) -> _Changes:
        speakers = self.speakers
        before, self._speaking = (
            self._speaking,
            tuple((each.sid, each.audio_level) for each in speakers),
        )
        if before == self._speaking:
            return ()
        return (ActiveSpeakersChanged(speakers=speakers),)

    def _quality(self, info: msg.ConnectionQualityInfo) -> _Changes:
        who = self.by_sid(info.participant_sid)
        if who is None:
            return ()
        return self._store(who, replace(who, quality=info.quality, quality_score=info.score))

    # --- Tracks ---

    def _publish(
        self, info: msg.ParticipantInfo, known: Participant | None = None
    ) -> Mapping[str, Publication]:
        """The publications of a participant; what is known of their tracks stays."""
        tracks = {track.sid: track for track in info.tracks}
        if self._own is not None and info.sid == self._own.sid:
            tracks = {**self._announced, **tracks}
        publications = {}
        for sid, track in tracks.items():
            # A track that somebody else has already is theirs until they go.
            if self._owners.setdefault(sid, info.sid) != info.sid:
                continue
            before = None if known is None else known.publications.get(sid)
            if before is None:
                facts = replace(self._early.pop(sid, TrackFacts()), bound=sid in self._bound)
                before = Publication(info=track, participant_sid=info.sid, facts=facts)
            publications[sid] = before if before.info == track else replace(before, info=track)
        return MappingProxyType(publications)

    def _owner(self, track_sid: str) -> Participant | None:
        sid = self._owners.get(track_sid)
        return None if sid is None else self.by_sid(sid)

    def _disown(self, participant_sid: str, track_sids: Iterable[str]) -> None:
        for sid in track_sids:
            if self._owners.get(sid) == participant_sid:
                del self._owners[sid]

    def _announce(self, cid: str, track: msg.TrackInfo) -> _Changes:
        """The server took a track of ours; updates tell of it only when its media comes."""
        own = self._own
        if own is None:
            return ()
        changes = self._learn(track.sid, lambda facts: replace(facts, cid=facts.cid or cid))
        if track.sid in own.publications:
            return changes
        self._announced[track.sid] = track
        return self._renew(own, own.info)

    def _take_down(self, sid: str) -> _Changes:
        own = self._own
        if own is None or sid not in own.publications:
            return ()
        self._announced.pop(sid, None)
        tracks = [track for track in own.info.tracks if track.sid != sid]
        return self._renew(own, replace(own.info, tracks=tracks))

    def _stream_state(self, info: msg.StreamStateInfo) -> _Changes:
        paused = info.state == msg.StreamState.PAUSED
        return self._learn(info.track_sid, lambda facts: replace(facts, paused=paused))

    def _described(self, bound: frozenset[str]) -> _Changes:
        """The server sends these tracks, and no others.

        A binding that failed for its codec is still in the description that was made with it,
        which may come after the news, and not in the next.
        """
        self._refused &= bound
        bound -= self._refused
        changed, self._bound = bound ^ self._bound, bound
        known = sorted(sid for sid in changed if sid in self._owners)
        return _each(lambda sid: self._learn(sid, _bound if sid in bound else _unbound), known)

    def _learn(self, sid: str, learn: Callable[[TrackFacts], TrackFacts]) -> _Changes:
        """Something was said of a track; where it is not known yet, that waits for it."""
        owner = self._owner(sid)
        if owner is None:
            self._early[sid] = learn(self._early.pop(sid, TrackFacts()))
            if len(self._early) > _EARLY_FACTS:
                del self._early[next(iter(self._early))]
            return ()
        publication = owner.publications[sid]
        changed = replace(publication, facts=learn(publication.facts))
        publications = MappingProxyType({**owner.publications, sid: changed})
        return self._store(owner, replace(owner, publications=publications))


def _bound(facts: TrackFacts) -> TrackFacts:
    return replace(facts, bound=True, error=None)


def _unbound(facts: TrackFacts) -> TrackFacts:
    return replace(facts, bound=False)


def _each(step: Callable[[_T], _Changes], items: Iterable[_T]) -> _Changes:
    """What each of them changes, one after the other."""

    def steps() -> Iterator[ViewChange]:
        for item in items:
            yield from step(item)

    return tuple(steps())
