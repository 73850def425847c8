"""From a participant before and after to changes. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .. import messages as msg
from .changes import (
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
    SubscriptionStateChanged,
    ViewChange,
)
from .snapshots import Participant, Publication

__all__ = ["arrival", "departure", "difference"]


def arrival(participant: Participant) -> Iterator[ViewChange]:
    """Somebody came."""
    yield ParticipantConnected(participant=participant)
    yield from _tracks(
        replace(participant, info=msg.ParticipantInfo(), publications={}), participant
    )


def departure(participant: Participant, reason: msg.DisconnectReason) -> Iterator[ViewChange]:
    """Somebody went."""
    yield from _tracks(participant, _without_tracks(participant), shown=participant)
    yield ParticipantDisconnected(participant=participant, reason=reason)


def difference(before: Participant, after: Participant) -> Iterator[ViewChange]:
    """Somebody changed, or nothing did."""
    if before.info is not after.info and _but_tracks(before.info) != _but_tracks(after.info):
        yield ParticipantChanged(before=before, participant=after)
    if before.quality != after.quality:
        yield ParticipantQualityChanged(before=before.quality, participant=after)
    yield from _tracks(before, after)


def _without_tracks(participant: Participant) -> Participant:
    return replace(participant, info=_but_tracks(participant.info), publications={})


def _but_tracks(info: msg.ParticipantInfo) -> msg.ParticipantInfo:
    return replace(info, tracks=[], data_tracks=[], version=0)


def _tracks(
    before: Participant, after: Participant, *, shown: Participant | None = None
) -> Iterator[ViewChange]:
    participant = shown or after
    for sid, publication in before.publications.items():
        if sid not in after.publications:
            yield PublicationRemoved(participant=participant, publication=publication)
    for sid, publication in after.publications.items():
        if sid not in before.publications:
            yield PublicationAdded(participant=participant, publication=publication)
        elif publication is not before.publications[sid]:
            yield from _publication(participant, before.publications[sid], publication)
    old, new = before.data_tracks, after.data_tracks
    for sid, info in old.items():
        if sid not in new:
            yield DataTrackRemoved(participant=participant, info=info)
    for sid, info in new.items():
        if sid not in old:
            yield DataTrackAdded(participant=participant, info=info)


def _publication(
    participant: Participant, before: Publication, after: Publication
) -> Iterator[ViewChange]:
    if after.muted != before.muted:
        kind = PublicationMuted if after.muted else PublicationUnmuted
        yield kind(participant=participant, publication=after)
    if after.paused != before.paused:
        step = PublicationPaused if after.paused else PublicationResumed
        yield step(participant=participant, publication=after)
    if after.subscription != before.subscription:
        yield SubscriptionStateChanged(
            participant=participant, publication=after, before=before.subscription
        )
    if (
        replace(before.info, muted=after.muted) != after.info
        or before.cid != after.cid
        or before.has_subscriber != after.has_subscriber
    ):
        yield PublicationChanged(participant=participant, before=before, publication=after)
