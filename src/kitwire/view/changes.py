"""What an event changed in a view. One closed union, :data:`ViewChange`.

Participants and publications in a change are as they are after the event, those that went as they
were before. All changes of one event come in the order in which they make sense: who comes does so
before their tracks, who goes does so after them.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import messages as msg
from .snapshots import Participant, Publication, SubscriptionState

__all__ = [
    "ActiveSpeakersChanged",
    "DataTrackAdded",
    "DataTrackRemoved",
    "ParticipantChanged",
    "ParticipantConnected",
    "ParticipantDisconnected",
    "ParticipantQualityChanged",
    "PublicationAdded",
    "PublicationChanged",
    "PublicationMuted",
    "PublicationPaused",
    "PublicationRemoved",
    "PublicationResumed",
    "PublicationUnmuted",
    "RoomChanged",
    "SubscriptionStateChanged",
    "ViewChange",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantConnected:
    """Somebody else is in the room; at the join, everybody who was there before."""

    participant: Participant


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantDisconnected:
    """Somebody left."""

    participant: Participant
    reason: msg.DisconnectReason
    """Why; ``UNKNOWN_REASON`` where the server does not say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantChanged:
    """The name, state, metadata, attributes, permissions … of somebody changed, or of ourselves.

    Tracks have changes of their own.
    """

    before: Participant
    participant: Participant


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantQualityChanged:
    """The server finds somebody's connection better or worse than before."""

    before: msg.ConnectionQuality | None
    participant: Participant


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSpeakersChanged:
    """Who speaks."""

    speakers: tuple[Participant, ...]
    """Everybody who speaks now, the loudest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationAdded:
    """Somebody publishes a track, perhaps ourselves."""

    participant: Participant
    publication: Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationRemoved:
    """A track is published no more."""

    participant: Participant
    publication: Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationMuted:
    """A track was muted by its publisher."""

    participant: Participant
    publication: Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationUnmuted:
    """A track was unmuted by its publisher."""

    participant: Participant
    publication: Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationPaused:
    """The server stopped sending us a track, for want of bandwidth."""

    participant: Participant
    publication: Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationResumed:
    """The server sends us a paused track again."""

    participant: Participant
    publication: Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationChanged:
    """Something else about a track changed: its size, layers, first subscriber …"""

    participant: Participant
    before: Publication
    publication: Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStateChanged:
    """A track of somebody else's reaches us, does not any more, or cannot."""

    participant: Participant
    publication: Publication
    before: SubscriptionState


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTrackAdded:
    """Somebody publishes a data track."""

    participant: Participant
    info: msg.DataTrackInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTrackRemoved:
    """A data track is published no more."""

    participant: Participant
    info: msg.DataTrackInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomChanged:
    """The room's metadata, sid, counts or recording state changed, or it is another room."""

    before: msg.Room | None
    """None at the first join."""
    room: msg.Room


ViewChange = (
    ParticipantConnected
    | ParticipantDisconnected
    | ParticipantChanged
    | ParticipantQualityChanged
    | ActiveSpeakersChanged
    | PublicationAdded
    | PublicationRemoved
    | PublicationMuted
    | PublicationUnmuted
    | PublicationPaused
    | PublicationResumed
    | PublicationChanged
    | SubscriptionStateChanged
    | DataTrackAdded
    | DataTrackRemoved
    | RoomChanged
)
"""Everything that a view can tell."""
