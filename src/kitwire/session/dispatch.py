"""One line for each member of SignalResponse: the event that it becomes.

``join`` needs to know the path, and ``reconnect`` is the answer to a resume; both drive the session
and are None here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from .. import events as ev
from .. import messages as msg
from ..codec import redact_text, which_variant

__all__ = ["ARMS", "event_of", "joined_of"]


def _description(m: msg.SessionDescription) -> dict[str, Any]:
    mids = MappingProxyType(dict(m.mid_to_track_id))
    return {"type": m.type, "sdp": m.sdp, "id": m.id, "mid_to_track_id": mids}


def _trickle(m: msg.TrickleRequest) -> ev.TrickleReceived:
    return ev.TrickleReceived(candidate_init=m.candidate_init, target=m.target, final=m.final)


def _leave(m: msg.LeaveRequest) -> ev.LeaveReceived:
    return ev.LeaveReceived(
        can_reconnect=m.can_reconnect,
        reason=m.reason,
        action=m.action,
        regions=tuple(m.regions.regions) if m.regions is not None else (),
    )


def _subscribed_quality(m: msg.SubscribedQualityUpdate) -> ev.SubscribedQualityChanged:
    return ev.SubscribedQualityChanged(
        track_sid=m.track_sid,
        subscribed_qualities=tuple(m.subscribed_qualities),
        subscribed_codecs=tuple(m.subscribed_codecs),
    )


def _subscribed_audio_codecs(m: msg.SubscribedAudioCodecUpdate) -> ev.SubscribedAudioCodecsChanged:
    return ev.SubscribedAudioCodecsChanged(
        track_sid=m.track_sid, subscribed_audio_codecs=tuple(m.subscribed_audio_codecs)
    )


def _subscription_permission(
    m: msg.SubscriptionPermissionUpdate,
) -> ev.SubscriptionPermissionChanged:
    return ev.SubscriptionPermissionChanged(
        participant_sid=m.participant_sid, track_sid=m.track_sid, allowed=m.allowed
    )


def _pong(m: msg.Pong) -> ev.PongReceived:
    return ev.PongReceived(
        last_ping_timestamp=m.last_ping_timestamp, timestamp=m.timestamp, rtt=None
    )


def _request_response(m: msg.RequestResponse) -> ev.RequestResponseReceived:
    echo = which_variant(m)
    request: Any = None if echo is None else echo[1]
    return ev.RequestResponseReceived(
        request_id=m.request_id,
        reason=m.reason,
        message=redact_text(m.message),
        request=request,
    )


def _room_moved(m: msg.RoomMovedResponse) -> ev.RoomMoved:
    return ev.RoomMoved(
        room=m.room,
        token=m.token,
        participant=m.participant,
        other_participants=tuple(m.other_participants),
    )


# The argument is the member's own message, or its scalar; what it is follows from the name, which
# tests hold against the schema.
Arm = Callable[[Any], ev.ServerEvent]

ARMS: Final[Mapping[str, Arm | None]] = MappingProxyType(
    {
        "join": None,
        "answer": lambda m: ev.AnswerReceived(**_description(m)),
        "offer": lambda m: ev.OfferReceived(**_description(m)),
        "trickle": _trickle,
        "update": lambda m: ev.ParticipantsUpdated(participants=tuple(m.participants)),
        "track_published": lambda m: ev.TrackPublished(cid=m.cid, track=m.track),
        "leave": _leave,
        "mute": lambda m: ev.MuteReceived(sid=m.sid, muted=m.muted),
        "speakers_changed": lambda m: ev.SpeakersChanged(speakers=tuple(m.speakers)),
        "room_update": lambda m: ev.RoomUpdated(room=m.room),
        "connection_quality": lambda m: ev.ConnectionQualityChanged(updates=tuple(m.updates)),
        "stream_state_update": lambda m: ev.StreamStatesChanged(
            stream_states=tuple(m.stream_states)
        ),
        "subscribed_quality_update": _subscribed_quality,
        "subscription_permission_update": _subscription_permission,
        "refresh_token": lambda token: ev.TokenRefreshed(token=token),
        "track_unpublished": lambda m: ev.TrackUnpublished(track_sid=m.track_sid),
        "pong": lambda timestamp: ev.LegacyPongReceived(timestamp=timestamp),
        "reconnect": None,
        "pong_resp": _pong,
        "subscription_response": lambda m: ev.SubscriptionFailed(track_sid=m.track_sid, err=m.err),
        "request_response": _request_response,
        "track_subscribed": lambda m: ev.TrackSubscribed(track_sid=m.track_sid),
        "room_moved": _room_moved,
        "media_sections_requirement": lambda m: ev.MediaSectionsRequired(
            num_audios=m.num_audios, num_videos=m.num_videos
        ),
        "subscribed_audio_codec_update": _subscribed_audio_codecs,
        "publish_data_track_response": lambda m: ev.DataTrackPublished(info=m.info),
        "unpublish_data_track_response": lambda m: ev.DataTrackUnpublished(info=m.info),
        "data_track_subscriber_handles": lambda m: ev.DataTrackSubscriberHandlesChanged(
            sub_handles=MappingProxyType(dict(m.sub_handles))
        ),
        "store_data_blob_response": lambda m: ev.DataBlobStored(request_id=m.request_id, key=m.key),
        "get_data_blob_response": lambda m: ev.DataBlobReceived(
            request_id=m.request_id, blob=m.blob
        ),
    }
)


def event_of(variant: str, value: object) -> ev.ServerEvent | None:
    """The event for a member of SignalResponse, or None for the two that drive the session."""
    arm = ARMS[variant]
    return None if arm is None else arm(value)


def joined_of(message: msg.JoinResponse, path: str) -> ev.Joined:
    """The event for a join that succeeded by ``path``."""
    info = message.server_info
    return ev.Joined(
        path=path,
        room=message.room or msg.Room(),
        participant=message.participant or msg.ParticipantInfo(),
        other_participants=tuple(message.other_participants),
        server_version=(info.version if info is not None else "") or message.server_version,
        server_info=info,
        ice_servers=tuple(message.ice_servers),
        subscriber_primary=message.subscriber_primary,
        alternative_url=message.alternative_url,
        client_configuration=message.client_configuration,
        ping_timeout=message.ping_timeout,
        ping_interval=message.ping_interval,
        sif_trailer=message.sif_trailer,
        enabled_publish_codecs=tuple(message.enabled_publish_codecs),
        fast_publish=message.fast_publish,
    )
