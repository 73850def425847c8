"""Events as JSON Lines: what `--json` prints.

``{"event": …, "t": …}`` and the fields of the message at the top level, as protobuf's JSON has them
but under their original names and with defaults included. An event's message is rebuilt from its
values, so that the codec, which knows every field's type, decides how a value looks in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Final

from kitwire import events as ev
from kitwire import messages
from kitwire.codec import Message, to_plain
from kitwire.codec.redaction import MASK
from kitwire.codec.schema import shape_of
from kitwire.errors import CloseReason, RequestFailure
from kitwire.peer_events import (
    Negotiated,
    NegotiationFailed,
    PeersConnected,
    PeerStateChanged,
)
from kitwire.reconnect_events import Lost, Restarted, Restarting, Resumed, Resuming

from .notes import Note, note_fields, note_name
from .terminal import Secrets

__all__ = ["event_name", "json_line", "plain"]

Plain = dict[str, object]


def json_line(event: ev.Event | Note, t: float, secrets: Secrets) -> str:
    """One line of JSON without its line feed; ``t`` is seconds since the start.

    Only ASCII: whatever a server sends, a terminal shows it as escapes.
    """
    if isinstance(event, Note):
        name, values = note_name(event), note_fields(event)
    else:
        name, values = event_name(event), plain(event)
    line = {"event": name, "t": round(t, 6), **values}
    return json.dumps(_masked(line, secrets), allow_nan=False)


def _masked(value: object, secrets: Secrets) -> object:
    match value:
        case str():
            return secrets.masked(value)
        case dict():
            return {
                secrets.masked(str(name)): _masked(each, secrets) for name, each in value.items()
            }
        case list():
            return [_masked(each, secrets) for each in value]
        case _:
            return value


def event_name(event: ev.Event) -> str:
    """``joined``, ``closed``, the member of ``SignalResponse``, or our own name for the rest."""
    match event:
        case ev.Joined():
            return "joined"
        case (
            ev.Closed()
            | ev.RequestQueued()
            | ev.RequestEnded()
            | ev.UnknownMessage()
            | ev.FrameRejected()
            | ev.ProtocolViolated()
            | PeerStateChanged()
            | PeersConnected()
            | Negotiated()
            | NegotiationFailed()
            | Lost()
            | Resuming()
            | Resumed()
            | Restarting()
            | Restarted()
        ):
            return _snake_case(type(event).__name__)
        case _:
            return event.variant


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


# --- events that are no message --------------------------------------------------------------


def plain(event: ev.Event) -> Plain:
    """The event's fields as JSON has them."""
    match event:
        case ev.Joined():
            return _joined(event)
        case ev.Closed(reason=reason):
            return _reason(reason)
        case ev.RequestQueued(key=key):
            return _key(key)
        case ev.RequestEnded(key=key, result=result, failure=failure):
            return {**_key(key), "result": to_plain(result), "failure": _failure(failure)}
        case ev.UnknownMessage(field_numbers=numbers):
            return {"field_numbers": list(numbers)}
        case ev.FrameRejected(detail=detail, size=size):
            return {"detail": detail, "size": size}
        case ev.ProtocolViolated(detail=detail):
            return {"detail": detail}
        case PeerStateChanged(target=target, state=state):
            return {"target": target.value, "state": state.value}
        case PeersConnected():
            return {}
        case Negotiated(target=target, offer_id=offer_id):
            return {"target": target.value, "offer_id": offer_id}
        case NegotiationFailed(target=target, failure=failed, detail=detail):
            return {"target": target.value, "failure": failed.value, "detail": detail}
        case Lost(cause=cause):
            return {"cause": _reason(cause)}
        case Resuming() | Restarting():
            return {
                "attempt": event.attempt,
                "cause": _reason(event.cause),
                "next_in": event.next_in,
            }
        case Resumed():
            return {"sid": event.sid, "attempt": event.attempt}
        case Restarted():
            lost = [to_plain(each) for each in event.lost_tracks]
            return {"sid": event.sid, "attempt": event.attempt, "lost_tracks": lost}
        case ev.TokenRefreshed():
            return {"value": MASK}
        case ev.LegacyPongReceived(timestamp=timestamp):
            return {"value": str(timestamp)}
        case ev.PongReceived(rtt=rtt):
            return {**_from_message(event), "rtt": rtt}
        case ev.LeaveReceived():
            return _leave(event)
        case ev.RequestResponseReceived():
            return _request_response(event)
        case _:
            return _from_message(event)


def _reason(reason: CloseReason) -> Plain:
    return {
        "origin": reason.origin.value,
        "reason": reason.reason.value,
        "detail": reason.detail,
        "retryable": reason.retryable,
    }


def _key(key: ev.RequestKey) -> Plain:
    return {"number": key.number, "request": key.request}


def _failure(failure: RequestFailure | None) -> Plain | None:
    if failure is None:
        return None
    return {"reason": failure.reason.value, "message": failure.message}


# --- events that are a message ---------------------------------------------------------------

_MESSAGES: Final[Mapping[type[ev.ServerEvent], type[Message]]] = MappingProxyType(
    {
        ev.Joined: messages.JoinResponse,
        ev.AnswerReceived: messages.SessionDescription,
        ev.OfferReceived: messages.SessionDescription,
        ev.TrickleReceived: messages.TrickleRequest,
        ev.ParticipantsUpdated: messages.ParticipantUpdate,
        ev.TrackPublished: messages.TrackPublishedResponse,
        ev.LeaveReceived: messages.LeaveRequest,
        ev.MuteReceived: messages.MuteTrackRequest,
        ev.SpeakersChanged: messages.SpeakersChanged,
        ev.RoomUpdated: messages.RoomUpdate,
        ev.ConnectionQualityChanged: messages.ConnectionQualityUpdate,
        ev.StreamStatesChanged: messages.StreamStateUpdate,
        ev.SubscribedQualityChanged: messages.SubscribedQualityUpdate,
        ev.SubscriptionPermissionChanged: messages.SubscriptionPermissionUpdate,
        ev.TrackUnpublished: messages.TrackUnpublishedResponse,
        ev.PongReceived: messages.Pong,
        ev.SubscriptionFailed: messages.SubscriptionResponse,
        ev.RequestResponseReceived: messages.RequestResponse,
        ev.TrackSubscribed: messages.TrackSubscribed,
        ev.RoomMoved: messages.RoomMovedResponse,
        ev.MediaSectionsRequired: messages.MediaSectionsRequirement,
        ev.SubscribedAudioCodecsChanged: messages.SubscribedAudioCodecUpdate,
        ev.DataTrackPublished: messages.PublishDataTrackResponse,
        ev.DataTrackUnpublished: messages.UnpublishDataTrackResponse,
        ev.DataTrackSubscriberHandlesChanged: messages.DataTrackSubscriberHandles,
        ev.DataBlobStored: messages.StoreDataBlobResponse,
        ev.DataBlobReceived: messages.GetDataBlobResponse,
    }
)
"""Which message an event was made from. The two scalar members of SignalResponse have none."""

_ECHOES: Final[Mapping[type[ev.EchoedRequest], str]] = MappingProxyType(
    {
        messages.TrickleRequest: "trickle",
        messages.AddTrackRequest: "add_track",
        messages.MuteTrackRequest: "mute",
        messages.UpdateParticipantMetadata: "update_metadata",
        messages.UpdateLocalAudioTrack: "update_audio_track",
        messages.UpdateLocalVideoTrack: "update_video_track",
        messages.PublishDataTrackRequest: "publish_data_track",
        messages.UnpublishDataTrackRequest: "unpublish_data_track",
    }
)
"""Which member of RequestResponse an echoed request is."""


def _joined(event: ev.Joined) -> Plain:
    first: Plain = {
        "room": event.room.name,
        "sid": event.participant.sid,
        "identity": event.participant.identity,
        "server_version": event.server_version,
        "path": event.path,
    }
    whole = _from_message(event)
    # `room` is the name here, where the message has the whole room.
    return {**first, "room_info": whole["room"], **whole, **first}


def _leave(event: ev.LeaveReceived) -> Plain:
    regions = messages.RegionSettings(regions=list(event.regions)) if event.regions else None
    return _from_message(event, regions=regions)


def _request_response(event: ev.RequestResponseReceived) -> Plain:
    if event.request is None:
        return _from_message(event)
    return _from_message(event, **{_ECHOES[type(event.request)]: event.request})


def _from_message(event: ev.ServerEvent, **others: object) -> Plain:
    """The event's message in JSON: its fields of the same name, and ``others``."""
    kind = _MESSAGES[type(event)]
    same = {field.name for field in fields(event)} & {field.name for field in shape_of(kind).fields}
    values = {name: _mutable(getattr(event, name)) for name in sorted(same)}
    return _object(kind(**(values | others)))


def _object(message: Message) -> Plain:
    in_json = to_plain(message)
    assert isinstance(in_json, dict), f"{type(message).__name__} is an object in JSON"
    return in_json


def _mutable(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
