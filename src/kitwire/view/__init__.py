"""An optional projection of events: who is in the room, with which tracks. Pure."""

from .changes import (
    ActiveSpeakersChanged,
    DataTrackAdded,
    DataTrackRemoved,
    ParticipantChanged,
    ParticipantConnected,
    ParticipantDisconnected,
    ParticipantQualityChanged,
    PublicationAdded,
    PublicationChanged,
    PublicationMuted,
    PublicationPaused,
    PublicationRemoved,
    PublicationResumed,
    PublicationUnmuted,
    RoomChanged,
    SubscriptionStateChanged,
    ViewChange,
)
from .snapshots import Participant, Publication, SubscriptionState
from .view import View

__all__ = [
    "ActiveSpeakersChanged",
    "DataTrackAdded",
    "DataTrackRemoved",
    "Participant",
    "ParticipantChanged",
    "ParticipantConnected",
    "ParticipantDisconnected",
    "ParticipantQualityChanged",
    "Publication",
    "PublicationAdded",
    "PublicationChanged",
    "PublicationMuted",
    "PublicationPaused",
    "PublicationRemoved",
    "PublicationResumed",
    "PublicationUnmuted",
    "RoomChanged",
    "SubscriptionState",
    "SubscriptionStateChanged",
    "View",
    "ViewChange",
]
