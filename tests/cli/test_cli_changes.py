"""What changed, in words."""

from __future__ import annotations

import dataclasses

import pytest

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
from kitwire_cli.changes import (
    arrival,
    departure,
    participant_changes,
    room_changes,
    track_title,
)

MIC = TrackInfo(sid="TR_m", source=TrackSource.MICROPHONE, name="mic")
CAMERA = TrackInfo(sid="TR_c", type=TrackType.VIDEO, source=TrackSource.CAMERA)
POSES = DataTrackInfo(sid="DTR_1", name="poses")
MAY_ALL = ParticipantPermission(can_subscribe=True, can_publish=True, can_publish_data=True)


@pytest.mark.parametrize(
    ("track", "title"),
    [
        (MIC, 'microphone "mic" (TR_m)'),
        (CAMERA, "camera (TR_c)"),
        (TrackInfo(type=TrackType.VIDEO), "video track"),
        (TrackInfo(type=TrackType(9), source=TrackSource(9), name="\x1b"), r'track "\x1b"'),
        (TrackInfo(source=TrackSource.SCREEN_SHARE_AUDIO), "screen share audio"),
    ],
)
def test_titles_of_tracks(track: TrackInfo, title: str) -> None:
    assert track_title(track) == title


def test_an_arrival_says_what_is_there() -> None:
    assert arrival(ParticipantInfo(identity="bob", name="bob")) == "joined"
    everything = ParticipantInfo(
        identity="bob",
        name="Bob",
        kind=ParticipantInfoKind.AGENT,
        metadata="hi\n",
        attributes={"mood": "happy", "age": "7"},
        tracks=[dataclasses.replace(MIC, muted=True), CAMERA],
        data_tracks=[POSES],
    )
    assert arrival(everything) == (
        r'joined (named "Bob", agent, metadata "hi\n", age=7, mood=happy, '
        'microphone "mic" (TR_m) muted, camera (TR_c), data track "poses" (DTR_1))'
    )
    odd = ParticipantInfo(kind=ParticipantInfoKind(77))
    assert arrival(odd) == "joined (of an unknown kind)"


@pytest.mark.parametrize(
    ("reason", "phrase"),
    [
        (DisconnectReason.UNKNOWN_REASON, "left"),
        (DisconnectReason.CLIENT_INITIATED, "left"),
        (DisconnectReason.PARTICIPANT_REMOVED, "left (participant removed)"),
        (DisconnectReason(99), "left (for an unknown reason)"),
    ],
)
def test_a_departure_says_why_unless_it_was_a_wish(reason: DisconnectReason, phrase: str) -> None:
    assert departure(ParticipantInfo(disconnect_reason=reason)) == phrase


@pytest.mark.parametrize(
    ("before", "after", "phrases"),
    [
        (ParticipantInfo(), ParticipantInfo(version=2, region="x"), []),
        (ParticipantInfo(), ParticipantInfo(metadata="a"), ['changed metadata to "a"']),
        (ParticipantInfo(metadata="a"), ParticipantInfo(), ["removed their metadata"]),
        (ParticipantInfo(), ParticipantInfo(name="B"), ['changed name to "B"']),
        (ParticipantInfo(name="B"), ParticipantInfo(), ["removed their name"]),
        (
            ParticipantInfo(attributes={"a": "1", "b": "2", "c": "3"}),
            ParticipantInfo(attributes={"a": "1", "b": "x", "d": ""}),
            ["set attribute b=x", "set attribute d=", "removed attribute c"],
        ),
        (
            ParticipantInfo(),
            ParticipantInfo(state=ParticipantInfoState.JOINED),
            ["finished joining"],
        ),
        (
            ParticipantInfo(),
            ParticipantInfo(state=ParticipantInfoState.ACTIVE),
            ["connected media"],
        ),
        (
            ParticipantInfo(),
            ParticipantInfo(state=ParticipantInfoState(8)),
            ["came to an unknown state"],
        ),
    ],
)
def test_changes_of_a_participant(
    before: ParticipantInfo, after: ParticipantInfo, phrases: list[str]
) -> None:
    assert participant_changes(before, after) == phrases


@pytest.mark.parametrize(
    ("before", "after", "phrases"),
    [
        ([], [MIC], ['published microphone "mic" (TR_m)']),
        ([], [dataclasses.replace(MIC, muted=True)], ['published microphone "mic" (TR_m), muted']),
        ([MIC], [], ['unpublished microphone "mic" (TR_m)']),
        ([MIC], [dataclasses.replace(MIC, muted=True)], ["muted microphone"]),
        ([dataclasses.replace(MIC, muted=True)], [MIC], ["unmuted microphone"]),
        ([CAMERA], [dataclasses.replace(CAMERA, width=640)], ["changed camera"]),
        ([MIC, CAMERA], [MIC, CAMERA], []),
    ],
)
def test_changes_of_tracks(
    before: list[TrackInfo], after: list[TrackInfo], phrases: list[str]
) -> None:
    changes = participant_changes(ParticipantInfo(tracks=before), ParticipantInfo(tracks=after))
    assert changes == phrases


def test_changes_of_data_tracks() -> None:
    without, with_track = ParticipantInfo(), ParticipantInfo(data_tracks=[POSES])
    assert participant_changes(without, with_track) == ['published data track "poses" (DTR_1)']
    assert participant_changes(with_track, without) == ['unpublished data track "poses" (DTR_1)']
    assert participant_changes(with_track, with_track) == []


@pytest.mark.parametrize(
    ("after", "phrases"),
    [
        (MAY_ALL, []),
        (
            ParticipantPermission(can_subscribe=True, can_publish_data=True),
            ["may no longer publish"],
        ),
        (
            dataclasses.replace(MAY_ALL, can_subscribe_metrics=True),
            ["may now subscribe to metrics"],
        ),
        (dataclasses.replace(MAY_ALL, hidden=True), ["became hidden"]),
        (
            dataclasses.replace(MAY_ALL, can_publish_sources=[TrackSource.CAMERA, TrackSource(99)]),
            ["may now publish camera and unknown sources only"],
        ),
    ],
)
def test_changes_of_permissions(after: ParticipantPermission, phrases: list[str]) -> None:
    changes = participant_changes(
        ParticipantInfo(permission=MAY_ALL), ParticipantInfo(permission=after)
    )
    assert changes == phrases


def test_permissions_given_back() -> None:
    limited = dataclasses.replace(
        MAY_ALL, hidden=True, can_publish=False, can_publish_sources=[TrackSource.CAMERA]
    )
    assert participant_changes(
        ParticipantInfo(permission=limited), ParticipantInfo(permission=MAY_ALL)
    ) == ["may now publish", "may now publish any source", "became visible"]


def test_unknown_permissions_are_no_change() -> None:
    known = ParticipantInfo(permission=ParticipantPermission())
    assert participant_changes(ParticipantInfo(), known) == []
    assert participant_changes(known, ParticipantInfo()) == []


@pytest.mark.parametrize(
    ("before", "after", "phrases"),
    [
        (Room(name="r"), Room(name="r", empty_timeout=3), []),
        (None, Room(metadata="m"), ['room metadata changed to "m"']),
        (Room(metadata="m"), Room(), ["room metadata removed"]),
        (Room(), Room(active_recording=True), ["recording started"]),
        (Room(active_recording=True), Room(), ["recording stopped"]),
        (
            Room(num_participants=2),
            Room(num_participants=1, num_publishers=2),
            ["1 participant in the room", "2 publishers in the room"],
        ),
        (Room(), Room(sid="RM_1"), ["the room's sid is RM_1"]),
    ],
)
def test_changes_of_a_room(before: Room | None, after: Room, phrases: list[str]) -> None:
    assert room_changes(before, after) == phrases
