"""What happened, for the application. One closed union, :data:`Event`.

Events that come from a server message carry its values under the protocol's own field names, and
say in ``variant`` which member of ``SignalResponse`` they are. Values inside them are messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from . import messages as msg
from .errors import CloseReason, RequestFailure
from .peer_events import PeerEvent
from .reconnect_events import ReconnectEvent

__all__ = [
    "AnswerReceived",
    "Closed",
    "ConnectionQualityChanged",
    "DataBlobReceived",
    "DataBlobStored",
    "DataTrackPublished",
    "DataTrackSubscriberHandlesChanged",
    "DataTrackUnpublished",
    "EchoedRequest",
    "Event",
    "FrameRejected",
    "Joined",
    "LeaveReceived",
    "LegacyPongReceived",
    "MediaSectionsRequired",
    "MuteReceived",
    "OfferReceived",
    "ParticipantsUpdated",
    "PongReceived",
    "ProtocolViolated",
    "RequestEnded",
    "RequestKey",
    "RequestQueued",
    "RequestResponseReceived",
    "RequestResult",
    "RoomMoved",
    "RoomUpdated",
    "ServerEvent",
    "SpeakersChanged",
    "StreamStatesChanged",
    "SubscribedAudioCodecsChanged",
    "SubscribedQualityChanged",
    "SubscriptionFailed",
    "SubscriptionPermissionChanged",
    "TokenRefreshed",
    "TrackPublished",
    "TrackSubscribed",
    "TrackUnpublished",
    "TrickleReceived",
    "UnknownMessage",
]

# --- The life of a connection ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The room is joined. Always the first event; it comes again after each restart."""

    variant: ClassVar[str] = "join"
    path: str
    """The signal path that the join succeeded by: ``/rtc`` or ``/rtc/v1``."""
    room: msg.Room
    """The room; its sid may be empty and come later, by :class:`RoomUpdated`."""
    participant: msg.ParticipantInfo
    """Ourselves."""
    other_participants: tuple[msg.ParticipantInfo, ...]
    """Everybody who was there before."""
    server_version: str
    """The server's version; ``server_info.version`` where that is set."""
    server_info: msg.ServerInfo | None
    ice_servers: tuple[msg.IceServer, ...]
    subscriber_primary: bool
    """Whether the connection state follows the subscriber's peer connection (``/rtc`` only)."""
    alternative_url: str
    client_configuration: msg.ClientConfiguration | None
    ping_timeout: int
    """Seconds of silence after which the server counts as gone; 0 for never."""
    ping_interval: int
    """Seconds between pings; 0 for none."""
    sif_trailer: bytes = field(repr=False)
    enabled_publish_codecs: tuple[msg.Codec, ...]
    fast_publish: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The connection has ended for good. Always the last event, once."""

    reason: CloseReason
    """Why; what began it all, where attempts to bring it back ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveReceived:
    """The server tells us to leave, and what to do then. :class:`Closed` follows."""

    variant: ClassVar[str] = "leave"
    can_reconnect: bool
    """Set by servers before protocol 13, in place of ``action``."""
    reason: msg.DisconnectReason
    action: msg.LeaveRequestAction
    regions: tuple[msg.RegionInfo, ...]
    """Where to reconnect to, where the server knows better places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshed:
    """The server gave a newer token; the session already uses it for what it opens next."""

    variant: ClassVar[str] = "refresh_token"
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomMoved:
    """The server moved us to another room. Everybody known before is gone."""

    variant: ClassVar[str] = "room_moved"
    room: msg.Room | None
    token: str = field(repr=False)
    participant: msg.ParticipantInfo | None
    other_participants: tuple[msg.ParticipantInfo, ...]


# --- Keep-alive ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PongReceived:
    """The server answered a ping."""

    variant: ClassVar[str] = "pong_resp"
    last_ping_timestamp: int
    """The timestamp of our ping, in milliseconds of our own clock, echoed."""
    timestamp: int
    """The server's clock, in milliseconds since 1970."""
    rtt: float | None
    """The round trip in seconds; None when the echo matches no ping of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPongReceived:
    """The server answered a legacy ping with its own clock."""

    variant: ClassVar[str] = "pong"
    timestamp: int
    """Milliseconds since 1970, by the server's clock."""


# --- Participants and the room ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantsUpdated:
    """Participants came, changed or went (``state`` DISCONNECTED), ourselves among them."""

    variant: ClassVar[str] = "update"
    participants: tuple[msg.ParticipantInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomUpdated:
    """The room's metadata, sid, counts or recording state changed."""

    variant: ClassVar[str] = "room_update"
    room: msg.Room | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakersChanged:
    """Who speaks, as a change: a speaker with ``active`` false has stopped."""

    variant: ClassVar[str] = "speakers_changed"
    speakers: tuple[msg.SpeakerInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionQualityChanged:
    """How good the server finds the connections of these participants."""

    variant: ClassVar[str] = "connection_quality"
    updates: tuple[msg.ConnectionQualityInfo, ...]


# --- Our own tracks ---


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPublished:
    """The server accepted a track that we announced."""

    variant: ClassVar[str] = "track_published"
    cid: str
    """The client id that the announcement carried."""
    track: msg.TrackInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackUnpublished:
    """The server took a track of ours down."""

    variant: ClassVar[str] = "track_unpublished"
    track_sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSubscribed:
    """A track of ours has its first subscriber."""

    variant: ClassVar[str] = "track_subscribed"
    track_sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteReceived:
    """The server asks us to mute or unmute a track of ours."""

    variant: ClassVar[str] = "mute"
    sid: str
    """The track's sid."""
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribedQualityChanged:
    """Which layers of a video track of ours somebody wants."""

    variant: ClassVar[str] = "subscribed_quality_update"
    track_sid: str
    subscribed_qualities: tuple[msg.SubscribedQuality, ...]
    """Deprecated in the protocol in favour of ``subscribed_codecs``."""
    subscribed_codecs: tuple[msg.SubscribedCodec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribedAudioCodecsChanged:
    """Which codecs of an audio track of ours somebody wants."""

    variant: ClassVar[str] = "subscribed_audio_codec_update"
    track_sid: str
    subscribed_audio_codecs: tuple[msg.SubscribedAudioCodec, ...]


# --- Tracks of others ---


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatesChanged:
    """The server paused or resumed streams towards us."""

    variant: ClassVar[str] = "stream_state_update"
    stream_states: tuple[msg.StreamStateInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionPermissionChanged:
    """Whether we may subscribe to a track."""

    variant: ClassVar[str] = "subscription_permission_update"
    participant_sid: str
    track_sid: str
    allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFailed:
    """A subscription of ours failed; no media comes until we subscribe again."""

    variant: ClassVar[str] = "subscription_response"
    track_sid: str
    err: msg.SubscriptionError


# --- Negotiation ---


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReceived:
    """The server offers a session description for the subscriber's peer connection."""

    variant: ClassVar[str] = "offer"
    type: str
    sdp: str = field(repr=False)
    id: int
    """The offer's number, to be echoed in the answer."""
    mid_to_track_id: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReceived:
    """The server answers an offer of ours."""

    variant: ClassVar[str] = "answer"
    type: str
    sdp: str = field(repr=False)
    id: int
    """The number of the offer that this answers; 0 from servers that do not number."""
    mid_to_track_id: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrickleReceived:
    """The server has an ICE candidate."""

    variant: ClassVar[str] = "trickle"
    candidate_init: str = field(repr=False)
    """The text of an ``RTCIceCandidateInit``, in JSON."""
    target: msg.SignalTarget
    """The peer connection that it is for."""
    final: bool
    """Whether this was the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSectionsRequired:
    """The server needs that many more media sections; 0 and 0 just asks for an offer."""

    variant: ClassVar[str] = "media_sections_requirement"
    num_audios: int
    num_videos: int


# --- Data tracks and blobs ---


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTrackPublished:
    """The server accepted a data track of ours."""

    variant: ClassVar[str] = "publish_data_track_response"
    info: msg.DataTrackInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTrackUnpublished:
    """A data track of ours is gone, by our wish or by the server's."""

    variant: ClassVar[str] = "unpublish_data_track_response"
    info: msg.DataTrackInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTrackSubscriberHandlesChanged:
    """The handles under which data tracks reach us. Each event replaces the last one."""

    variant: ClassVar[str] = "data_track_subscriber_handles"
    sub_handles: Mapping[int, msg.DataTrackSubscriberHandlesPublishedDataTrack]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBlobStored:
    """The server stored a blob of ours."""

    variant: ClassVar[str] = "store_data_blob_response"
    request_id: int
    key: msg.DataBlobKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBlobReceived:
    """The server gave a blob that we asked for."""

    variant: ClassVar[str] = "get_data_blob_response"
    request_id: int
    blob: msg.DataBlob | None


# --- Requests ---

EchoedRequest = (
    msg.TrickleRequest
    | msg.AddTrackRequest
    | msg.MuteTrackRequest
    | msg.UpdateParticipantMetadata
    | msg.UpdateLocalAudioTrack
    | msg.UpdateLocalVideoTrack
    | msg.PublishDataTrackRequest
    | msg.UnpublishDataTrackRequest
)
"""A request that the server can echo in a RequestResponse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResponseReceived:
    """The server's word on a request. What it decides arrives as :class:`RequestEnded` as well."""

    variant: ClassVar[str] = "request_response"
    request_id: int
    """The request's id; 0 for requests that have none."""
    reason: msg.RequestResponseReason
    message: str
    """The server's own words, masked where they repeat a secret."""
    request: EchoedRequest | None
    """The request, echoed; absent for data blobs and from old servers."""


RequestResult = msg.TrackInfo | msg.DataTrackInfo | msg.DataBlobKey | msg.DataBlob | None
"""What a request gives: a TrackInfo for add_track, a DataTrackInfo for data tracks, the key or the
blob for data blobs, None for the others."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The name of one request, unique in its session."""

    number: int
    request: str
    """The method that made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestQueued:
    """The server holds a request until an earlier one with the same cid is done with."""

    key: RequestKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEnded:
    """The one outcome of a request: it succeeded when ``failure`` is None."""

    key: RequestKey
    result: RequestResult
    failure: RequestFailure | None


# --- What should not happen, and may ---


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMessage:
    """A message of a kind that this version does not know, from a newer server. It is ignored."""

    field_numbers: tuple[int, ...]
    """The field numbers it consists of; empty for an empty message, and for JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRejected:
    """A frame that is not a message. It is dropped; several in a row end the link."""

    detail: str
    size: int
    """In bytes, or characters for a text frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolViolated:
    """The server sent what it may not send now. It is ignored."""

    detail: str


ServerEvent = (
    Joined
    | LeaveReceived
    | TokenRefreshed
    | RoomMoved
    | PongReceived
    | LegacyPongReceived
    | ParticipantsUpdated
    | RoomUpdated
    | SpeakersChanged
    | ConnectionQualityChanged
    | TrackPublished
    | TrackUnpublished
    | TrackSubscribed
    | MuteReceived
    | SubscribedQualityChanged
    | SubscribedAudioCodecsChanged
    | StreamStatesChanged
    | SubscriptionPermissionChanged
    | SubscriptionFailed
    | OfferReceived
    | AnswerReceived
    | TrickleReceived
    | MediaSectionsRequired
    | DataTrackPublished
    | DataTrackUnpublished
    | DataTrackSubscriberHandlesChanged
    | DataBlobStored
    | DataBlobReceived
    | RequestResponseReceived
)
"""An event that is one message of the server; it has a ``variant``."""

Event = (
    ServerEvent | PeerEvent | ReconnectEvent | Closed | RequestQueued | RequestEnded
    | UnknownMessage | FrameRejected | ProtocolViolated
)  # fmt: skip
"""Everything that a session tells an application."""
