"""Events as sentences: one line each, naming who and what.

A :class:`Narrator` remembers who is in the room and in which state, so that it can say what an
update changed, and call people by identity where the protocol has only sids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from kitwire import events as ev
from kitwire.errors import CloseReason
from kitwire.messages import (
    DisconnectReason,
    LeaveRequestAction,
    ParticipantInfo,
    ParticipantInfoState,
    RequestResponseReason,
    Room,
    SignalTarget,
    SpeakerInfo,
    StreamState,
    TrackInfo,
)
from kitwire.peer_events import (
    Negotiated,
    NegotiationFailed,
    PeerEvent,
    PeersConnected,
    PeerStateChanged,
)
from kitwire.reconnect_events import Lost, ReconnectEvent, Restarted, Restarting, Resumed, Resuming

from .changes import (
    arrival,
    data_track_title,
    departure,
    participant_changes,
    room_changes,
    track_kind,
    track_title,
)
from .exit_codes import ExitCode, exit_code
from .terminal import one_line, quoted

__all__ = ["Narrator"]


class Narrator:
    """Tells events, in the order in which they happened. One per connection."""

    def __init__(self) -> None:
        self._own_sid = ""
        self._people: dict[str, ParticipantInfo] = {}
        self._room: Room | None = None
        # Tracks of ours, which no update has before their media flows.
        self._announced: dict[str, TrackInfo] = {}

    def tell(self, event: ev.Event) -> str:
        """One line about the event, never empty, safe for a terminal."""
        match event:
            case ev.Joined():
                return self._joined(event)
            case ev.Closed(reason=reason):
                return self._closed(reason)
            case ev.LeaveReceived(reason=reason, action=action):
                return _leave(reason, action)
            case ev.TokenRefreshed():
                return "the server renewed our token"
            case ev.RoomMoved():
                return self._moved(event)
            case ev.PongReceived(rtt=rtt):
                return "a pong" if rtt is None else f"round trip {rtt * 1000:.1f} ms"
            case ev.LegacyPongReceived():
                return "a pong by the server's clock"
            case ev.ParticipantsUpdated(participants=participants):
                return self._updated(participants)
            case ev.RoomUpdated(room=room):
                return self._room_updated(room)
            case ev.SpeakersChanged(speakers=speakers):
                return self._speakers(speakers)
            case ev.ConnectionQualityChanged(updates=updates):
                return "connection quality: " + _listed(
                    f"{self._name(each.participant_sid)} {_words(each.quality.name)}"
                    for each in updates
                )
            case _:
                return self._tell_more(event)

    def _tell_more(self, event: _Media | _Rest) -> str:
        match event:
            case ev.TrackPublished(track=track, cid=cid):
                return f"the server took our {self._took(track, cid)}"
            case ev.TrackUnpublished(track_sid=sid):
                return f"the server took down our {self._track(sid)}"
            case ev.TrackSubscribed(track_sid=sid):
                return f"somebody subscribed to our {self._track(sid)}"
            case ev.MuteReceived(sid=sid, muted=muted):
                return f"the server asks you to {'mute' if muted else 'unmute'} {self._track(sid)}"
            case ev.SubscribedQualityChanged():
                return f"wanted of our {self._track(event.track_sid)}: {_qualities(event)}"
            case ev.SubscribedAudioCodecsChanged():
                return f"wanted of our {self._track(event.track_sid)}: " + _listed(
                    one_line(each.codec) for each in event.subscribed_audio_codecs if each.enabled
                )
            case ev.StreamStatesChanged(stream_states=states):
                return _listed(
                    f"{self._whose(each.track_sid, each.participant_sid)} "
                    f"{'paused' if each.state == StreamState.PAUSED else 'resumed'} by the server"
                    for each in states
                )
            case ev.SubscriptionPermissionChanged():
                may = "may now" if event.allowed else "may no longer"
                whose = self._whose(event.track_sid, event.participant_sid)
                return f"you {may} subscribe to {whose}"
            case ev.SubscriptionFailed(track_sid=sid, err=err):
                why = _words(err.name.removeprefix("SE_"))
                return f"the subscription to {self._whose(sid, '')} failed: {why}"
            case _:
                return self._tell_rest(event)

    def _tell_rest(self, event: _Rest) -> str:
        match event:
            case ev.OfferReceived(id=number):
                return f"the server offers a subscriber session (offer {number})"
            case ev.AnswerReceived(id=number):
                return f"the server answers our offer {number}"
            case ev.TrickleReceived(target=target, final=final):
                role = "publisher" if target == SignalTarget.PUBLISHER else "subscriber"
                return f"{'the last' if final else 'an'} ICE candidate for the {role}"
            case ev.MediaSectionsRequired(num_audios=audios, num_videos=videos):
                return f"the server wants {audios} more audio and {videos} more video sections"
            case ev.DataTrackPublished(info=info):
                return f"the server took our {data_track_title(info) if info else 'data track'}"
            case ev.DataTrackUnpublished(info=info):
                return f"our {data_track_title(info) if info else 'data track'} is gone"
            case ev.DataTrackSubscriberHandlesChanged(sub_handles=handles):
                return "data tracks reach us as: " + _listed(
                    f"{handle} from {one_line(each.publisher_identity)}"
                    for handle, each in sorted(handles.items())
                )
            case ev.DataBlobStored(request_id=number):
                return f"the server stored our data blob (request {number})"
            case ev.DataBlobReceived(request_id=number):
                return f"the server gave us a data blob (request {number})"
            case ev.RequestResponseReceived():
                return _response(event)
            case ev.RequestQueued(key=key):
                return f"{_words(key.request)} waits for an earlier request"
            case ev.RequestEnded(key=key, failure=failure):
                what = _words(key.request)
                if failure is None:
                    return f"{what} succeeded"
                return f"{what} failed: {_reasoned(failure.reason.name, failure.message)}"
            case ev.UnknownMessage(field_numbers=numbers):
                which = f" (field {', '.join(map(str, numbers))})" if numbers else ""
                return f"a message of an unknown kind{which}, ignored"
            case ev.FrameRejected(detail=detail, size=size):
                return f"an undecodable frame of {size} bytes, dropped: {one_line(detail)}"
            case ev.ProtocolViolated(detail=detail):
                return f"the server broke the protocol: {one_line(detail)}"
            case PeerStateChanged(target=target, state=state):
                return f"the {target}'s peer connection is {state}"
            case PeersConnected():
                return "media is connected"
            case Negotiated(target=target, offer_id=number):
                return f"the {target}'s offer {number} is in force"
            case NegotiationFailed(target=target, detail=detail):
                return f"the {target}'s peer connection cannot go on: {one_line(detail)}"
            case Lost(cause=cause):
                return f"the session was lost: {one_line(str(cause))}"
            case Resuming() | Restarting():
                doing = "resuming" if isinstance(event, Resuming) else "starting anew"
                when = f" in {event.next_in:.1f} s" if event.next_in else ""
                return f"{doing}{when} (attempt {event.attempt})"
            case Resumed():
                return "the session goes on"
            case Restarted(sid=sid):
                return f"back in the room, as {one_line(sid)}"
            case _:
                assert_never(event)

    # --- the state that sentences need ---

    def _joined(self, event: ev.Joined) -> str:
        self._enter(event.room, event.participant, event.other_participants)
        version = f", server {one_line(event.server_version)}" if event.server_version else ""
        return (
            f"joined {quoted(event.room.name)} as {one_line(event.participant.identity)} "
            f"by {one_line(event.path)}{version}{self._company()}"
        )

    def _closed(self, reason: CloseReason) -> str:
        # What that means and what to do is said on stderr.
        if exit_code(reason) == ExitCode.LEFT:
            return "left the room" if self._own_sid else "gave up joining"
        return f"{'disconnected' if self._own_sid else 'not joined'}: {_words(reason.reason.name)}"

    def _moved(self, event: ev.RoomMoved) -> str:
        self._enter(event.room, event.participant, event.other_participants)
        where = quoted(event.room.name) if event.room is not None else "another room"
        return f"the server moved us to {where}{self._company()}"

    def _enter(
        self, room: Room | None, own: ParticipantInfo | None, others: Iterable[ParticipantInfo]
    ) -> None:
        self._room = room
        self._people = {each.sid: each for each in others}
        if own is not None:
            self._own_sid = own.sid
            self._people[own.sid] = own

    def _company(self) -> str:
        others = [self._name(sid) for sid in self._people if sid != self._own_sid]
        return f"; here: {', '.join(others)}" if others else ""

    def _updated(self, participants: Sequence[ParticipantInfo]) -> str:
        return _listed(self._update(each) for each in participants)

    def _took(self, track: TrackInfo | None, cid: str) -> str:
        if track is None:
            return f"track {one_line(cid)}"
        self._announced[track.sid] = track
        return track_title(track)

    def _update(self, after: ParticipantInfo) -> str:
        before = self._people.get(after.sid)
        if after.state == ParticipantInfoState.DISCONNECTED:
            who = self._called(after)
            self._people.pop(after.sid, None)
            return f"{who} {departure(after)}"
        self._people[after.sid] = after
        who = self._called(after)
        if before is None:
            return f"{who} {arrival(after)}"
        phrases = participant_changes(before, after) or [
            "sent nothing new" if after == before else "changed in a detail"
        ]
        return f"{who} {', '.join(phrases)}"

    def _room_updated(self, room: Room | None) -> str:
        if room is None:
            return "an empty room update"
        phrases = room_changes(self._room, room)
        self._room = room
        return "; ".join(phrases) or "the room changed in a detail"

    def _speakers(self, speakers: Sequence[SpeakerInfo]) -> str:
        active = [self._name(each.sid) for each in speakers if each.active]
        silent = [self._name(each.sid) for each in speakers if not each.active]
        phrases = [f"speaking: {', '.join(active)}"] if active else []
        if silent:
            phrases.append(f"no longer speaking: {', '.join(silent)}")
        return "; ".join(phrases) or "nobody speaks"

    # --- names ---

    def _name(self, sid: str) -> str:
        person = self._people.get(sid)
        return self._called(person) if person is not None else one_line(sid) or "somebody"

    def _called(self, person: ParticipantInfo) -> str:
        if person.sid == self._own_sid:
            return "you"
        return one_line(person.identity) or one_line(person.sid) or "somebody"

    def _find(self, track_sid: str) -> tuple[ParticipantInfo, TrackInfo] | None:
        for person in self._people.values():
            for track in person.tracks:
                if track.sid == track_sid:
                    return person, track
        return None

    def _track(self, track_sid: str) -> str:
        found = self._find(track_sid)
        track = found[1] if found else self._announced.get(track_sid)
        return track_title(track) if track else f"track {one_line(track_sid)}"

    def _whose(self, track_sid: str, participant_sid: str) -> str:
        """``bob's microphone``."""
        found = self._find(track_sid)
        if found:
            return f"{_possessive(self._called(found[0]))} {track_kind(found[1])}"
        track = f"track {one_line(track_sid)}"
        return f"{_possessive(self._name(participant_sid))} {track}" if participant_sid else track


_Media = (
    ev.TrackPublished
    | ev.TrackUnpublished
    | ev.TrackSubscribed
    | ev.MuteReceived
    | ev.SubscribedQualityChanged
    | ev.SubscribedAudioCodecsChanged
    | ev.StreamStatesChanged
    | ev.SubscriptionPermissionChanged
    | ev.SubscriptionFailed
)

_Rest = (
    PeerEvent
    | ReconnectEvent
    | ev.OfferReceived
    | ev.AnswerReceived
    | ev.TrickleReceived
    | ev.MediaSectionsRequired
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


def _possessive(name: str) -> str:
    return "your" if name == "you" else f"{name}'s"


def _leave(reason: DisconnectReason, action: LeaveRequestAction) -> str:
    if action != LeaveRequestAction.DISCONNECT:
        return f"the server says {_words(action.name)}: {_words(reason.name)}"
    if reason == DisconnectReason.CLIENT_INITIATED:
        return "the server says goodbye"
    return f"the server says leave: {_words(reason.name)}"


def _qualities(event: ev.SubscribedQualityChanged) -> str:
    codecs = [
        f"{one_line(each.codec) or 'video'} "
        + _listed(_words(layer.quality.name) for layer in each.qualities if layer.enabled)
        for each in event.subscribed_codecs
    ] or [_words(layer.quality.name) for layer in event.subscribed_qualities if layer.enabled]
    return _listed(codecs)


def _response(event: ev.RequestResponseReceived) -> str:
    which = f"request {event.request_id}" if event.request_id else "a request"
    if event.reason == RequestResponseReason.OK:
        return f"the server accepts {which}"
    if event.reason == RequestResponseReason.QUEUED:
        return f"the server queues {which}"
    return f"the server refuses {which}: {_reasoned(event.reason.name, event.message)}"


def _reasoned(reason: str, message: str) -> str:
    return f"{_words(reason)} ({one_line(message)})" if message else _words(reason)


def _words(name: str) -> str:
    """``NOT_ALLOWED`` → ``not allowed``; numbers without a name are unknown."""
    return name.lower().replace("_", " ") or "unknown"


def _listed(phrases: Iterable[str]) -> str:
    return "; ".join(phrases) or "none"
