"""A participant and a publication, as they were after one event. They never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from .. import messages as msg

__all__ = ["Participant", "Publication", "SubscriptionState", "TrackFacts"]

_NO_PUBLICATIONS: Final[Mapping[str, Publication]] = MappingProxyType({})


class SubscriptionState(StrEnum):
    """Whether a track of somebody else's reaches us, and if not, why."""

    UNSUBSCRIBED = "UNSUBSCRIBED"
    """It does not, by nobody's fault: not asked for, or not yet there."""
    SUBSCRIBED = "SUBSCRIBED"
    """The server sends it: it has bound it to a media section."""
    NOT_ALLOWED = "NOT_ALLOWED"
    """Its publisher does not let us."""
    CODEC_UNSUPPORTED = "CODEC_UNSUPPORTED"
    """It comes in a codec that we did not offer."""
    NOT_FOUND = "NOT_FOUND"
    """The server could not find it."""
    FAILED = "FAILED"
    """The server could not subscribe us, and does not say why."""


_FAILURES: Final = MappingProxyType(
    {
        msg.SubscriptionError.SE_CODEC_UNSUPPORTED: SubscriptionState.CODEC_UNSUPPORTED,
        msg.SubscriptionError.SE_TRACK_NOTFOUND: SubscriptionState.NOT_FOUND,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFacts:
    """What is said of a track besides its TrackInfo; it may come before that."""

    cid: str = ""
    heard: bool = False
    bound: bool = False
    allowed: bool = True
    paused: bool = False
    error: msg.SubscriptionError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A track that somebody publishes, ourselves included."""

    info: msg.TrackInfo
    """As the server describes it."""
    participant_sid: str
    """Who publishes it."""
    facts: TrackFacts = TrackFacts()

    @property
    def sid(self) -> str:
        """The track's sid."""
        return self.info.sid

    @property
    def name(self) -> str:
        """The track's name; it may be empty."""
        return self.info.name

    @property
    def kind(self) -> msg.TrackType:
        """Audio or video."""
        return self.info.type

    @property
    def source(self) -> msg.TrackSource:
        """Camera, microphone and the like."""
        return self.info.source

    @property
    def muted(self) -> bool:
        """Whether its publisher muted it."""
        return self.info.muted

    @property
    def cid(self) -> str:
        """Of a track of our own, the client id that it was announced with; else empty."""
        return self.facts.cid

    @property
    def has_subscriber(self) -> bool:
        """Of a track of our own, whether somebody has subscribed to it since it was published."""
        return self.facts.heard

    @property
    def subscription(self) -> SubscriptionState:
        """Of a track of somebody else's, whether it reaches us."""
        facts = self.facts
        if facts.bound:
            return SubscriptionState.SUBSCRIBED
        if not facts.allowed:
            return SubscriptionState.NOT_ALLOWED
        if facts.error is None:
            return SubscriptionState.UNSUBSCRIBED
        return _FAILURES.get(facts.error, SubscriptionState.FAILED)

    @property
    def subscribed(self) -> bool:
        """Whether it reaches us."""
        return self.facts.bound

    @property
    def allowed(self) -> bool:
        """Whether its publisher lets us subscribe."""
        return self.facts.allowed

    @property
    def error(self) -> msg.SubscriptionError | None:
        """Why the last subscription failed, if it did."""
        return self.facts.error

    @property
    def paused(self) -> bool:
        """Whether the server has stopped sending it for want of bandwidth."""
        return self.facts.paused


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Somebody in the room, ourselves included."""

    info: msg.ParticipantInfo
    """As the server describes them. Its tracks are better read in :attr:`publications`."""
    local: bool
    """Whether that is us."""
    publications: Mapping[str, Publication] = field(default_factory=lambda: _NO_PUBLICATIONS)
    """Their tracks by sid, in the server's order."""
    quality: msg.ConnectionQuality | None = None
    """How good the server finds their connection; None before it has said."""
    quality_score: float = 0.0
    """The same as a number."""
    audio_level: float = 0.0
    """How loud they speak, from 0 to 1; 0 while they are silent."""
    speaking: bool = False

    @property
    def sid(self) -> str:
        """The sid of this stay in the room; who comes back gets another."""
        return self.info.sid

    @property
    def identity(self) -> str:
        """Who they are, unique in the room."""
        return self.info.identity

    @property
    def name(self) -> str:
        """The name for people to read; it may be empty."""
        return self.info.name

    @property
    def metadata(self) -> str:
        """Their metadata."""
        return self.info.metadata

    @property
    def attributes(self) -> Mapping[str, str]:
        """Their attributes."""
        return MappingProxyType(self.info.attributes)

    @property
    def data_tracks(self) -> Mapping[str, msg.DataTrackInfo]:
        """Their data tracks by sid."""
        return MappingProxyType({track.sid: track for track in self.info.data_tracks})
