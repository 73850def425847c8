"""What changed between two states of a participant or a room, in words.

Pure functions from the state before and the state after to phrases such as ``muted microphone``.
Who did it is for the caller to say; every phrase reads right after ``bob`` and after ``you``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from kitwire.messages import (
    DataTrackInfo,
    DisconnectReason,
    ParticipantInfo,
    ParticipantInfoKind,
    ParticipantInfoState,
    ParticipantPermission,
    Room,
    TrackInfo,
    TrackSource,
    TrackType,
)

from .terminal import one_line, quoted

__all__ = [
    "arrival",
    "attribute_changes",
    "data_track_title",
    "departure",
    "participant_changes",
    "permission_changes",
    "room_changes",
    "track_kind",
    "track_title",
]

_SOURCES: Final[Mapping[TrackSource, str]] = MappingProxyType(
    {
        TrackSource.CAMERA: "camera",
        TrackSource.MICROPHONE: "microphone",
        TrackSource.SCREEN_SHARE: "screen share",
        TrackSource.SCREEN_SHARE_AUDIO: "screen share audio",
    }
)

_TYPES: Final[Mapping[TrackType, str]] = MappingProxyType(
    {
        TrackType.AUDIO: "audio track",
        TrackType.VIDEO: "video track",
        TrackType.DATA: "data track",
    }
)

_PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "can_subscribe": "subscribe",
        "can_publish": "publish",
        "can_publish_data": "publish data",
        "can_update_metadata": "change their own metadata",
        "can_subscribe_metrics": "subscribe to metrics",
        "can_manage_agent_session": "manage the agent session",
    }
)
"""What one may do, by the field that says so."""


# --- tracks ----------------------------------------------------------------------------------


def track_kind(track: TrackInfo) -> str:
    """``microphone``, ``camera`` …, or the type of a track whose source is unknown."""
    return _SOURCES.get(track.source) or _TYPES.get(track.type, "track")


def track_title(track: TrackInfo) -> str:
    """``microphone "mic" (TR_…)``."""
    return _title(track_kind(track), track.name, track.sid)


def data_track_title(track: DataTrackInfo) -> str:
    """``data track "poses" (DTR_…)``."""
    return _title("data track", track.name, track.sid)


def _title(kind: str, name: str, sid: str) -> str:
    parts = [kind]
    if name:
        parts.append(quoted(name))
    if sid:
        parts.append(f"({one_line(sid)})")
    return " ".join(parts)


def _track_changes(before: ParticipantInfo, after: ParticipantInfo) -> Iterator[str]:
    old = {track.sid: track for track in before.tracks}
    new = {track.sid: track for track in after.tracks}
    for sid, track in new.items():
        if sid not in old:
            yield f"published {track_title(track)}" + (", muted" if track.muted else "")
        elif track.muted != old[sid].muted:
            yield f"{'muted' if track.muted else 'unmuted'} {track_kind(track)}"
        elif track != old[sid]:
            yield f"changed {track_kind(track)}"
    for sid, track in old.items():
        if sid not in new:
            yield f"unpublished {track_title(track)}"
    old_data = {track.sid: track for track in before.data_tracks}
    new_data = {track.sid: track for track in after.data_tracks}
    for sid in new_data.keys() - old_data.keys():
        yield f"published {data_track_title(new_data[sid])}"
    for sid in old_data.keys() - new_data.keys():
        yield f"unpublished {data_track_title(old_data[sid])}"


# --- participants ----------------------------------------------------------------------------


def arrival(after: ParticipantInfo) -> str:
    """``joined``, and what there is to say of somebody seen for the first time."""
    notes = []
    if after.name and after.name != after.identity:
        notes.append(f"named {quoted(after.name)}")
    if after.kind != ParticipantInfoKind.STANDARD:
        notes.append(after.kind.name.lower() or "of an unknown kind")
    if after.metadata:
        notes.append(f"metadata {quoted(after.metadata)}")
    notes += [
        f"{one_line(key)}={one_line(value)}" for key, value in sorted(after.attributes.items())
    ]
    for track in after.tracks:
        notes.append(track_title(track) + (" muted" if track.muted else ""))
    notes += [data_track_title(track) for track in after.data_tracks]
    return f"joined ({', '.join(notes)})" if notes else "joined"


def departure(after: ParticipantInfo) -> str:
    """``left``, and why when it was not their own wish."""
    ordinary = (DisconnectReason.UNKNOWN_REASON, DisconnectReason.CLIENT_INITIATED)
    if after.disconnect_reason in ordinary:
        return "left"
    return f"left ({_words(after.disconnect_reason.name) or 'for an unknown reason'})"


def participant_changes(before: ParticipantInfo, after: ParticipantInfo) -> list[str]:
    """What somebody did between two updates, oldest state first. May be empty."""
    return list(_participant_changes(before, after))


def _participant_changes(before: ParticipantInfo, after: ParticipantInfo) -> Iterator[str]:
    if after.state != before.state:
        yield _STATES.get(after.state, "came to an unknown state")
    if after.name != before.name:
        yield f"changed name to {quoted(after.name)}" if after.name else "removed their name"
    if after.metadata != before.metadata:
        yield (
            f"changed metadata to {quoted(after.metadata)}"
            if after.metadata
            else "removed their metadata"
        )
    yield from attribute_changes(before.attributes, after.attributes)
    yield from _track_changes(before, after)
    if before.permission is not None and after.permission is not None:
        yield from permission_changes(before.permission, after.permission)


_STATES: Final[Mapping[ParticipantInfoState, str]] = MappingProxyType(
    {
        ParticipantInfoState.JOINING: "began to join",
        ParticipantInfoState.JOINED: "finished joining",
        ParticipantInfoState.ACTIVE: "connected media",
    }
)


def attribute_changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """``set attribute mood=happy``, ``removed attribute mood``, sorted by key."""
    for key, value in sorted(after.items()):
        if before.get(key) != value:
            yield f"set attribute {one_line(key)}={one_line(value)}"
    for key in sorted(before.keys() - after.keys()):
        yield f"removed attribute {one_line(key)}"


def permission_changes(
    before: ParticipantPermission, after: ParticipantPermission
) -> Iterator[str]:
    """``may no longer publish``, ``may now subscribe`` …"""
    for name, verb in _PERMISSIONS.items():
        now = getattr(after, name)
        if getattr(before, name) != now:
            yield f"may now {verb}" if now else f"may no longer {verb}"
    if before.can_publish_sources != after.can_publish_sources:
        sources = [_SOURCES.get(source, "unknown sources") for source in after.can_publish_sources]
        yield f"may now publish {' and '.join(sources) or 'any source'}" + (
            " only" if sources else ""
        )
    if before.hidden != after.hidden:
        yield "became hidden" if after.hidden else "became visible"


# --- rooms -----------------------------------------------------------------------------------


def room_changes(before: Room | None, after: Room) -> list[str]:
    """What changed in the room, as whole sentences. May be empty."""
    return list(_room_changes(before or Room(), after))


def _room_changes(before: Room, after: Room) -> Iterator[str]:
    if after.metadata != before.metadata:
        yield (
            f"room metadata changed to {quoted(after.metadata)}"
            if after.metadata
            else "room metadata removed"
        )
    if after.active_recording != before.active_recording:
        yield f"recording {'started' if after.active_recording else 'stopped'}"
    if after.num_participants != before.num_participants:
        yield f"{_count(after.num_participants, 'participant')} in the room"
    if after.num_publishers != before.num_publishers:
        yield f"{_count(after.num_publishers, 'publisher')} in the room"
    if after.sid != before.sid:
        yield f"the room's sid is {one_line(after.sid)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
