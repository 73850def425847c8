"""The view: who is there, by which news; what changed; what real servers' rooms look like."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwire import events as ev
from kitwire import messages as msg
from kitwire.codec import decode_response, which_variant
from kitwire.messages import ParticipantInfo, ParticipantInfoState, TrackInfo
from kitwire.session.dispatch import event_of, joined_of
from kitwire.view import (
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
    SubscriptionState,
    SubscriptionStateChanged,
    View,
    ViewChange,
)
from kitwire.view import view as module

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
GONE = ParticipantInfoState.DISCONNECTED
US = ParticipantInfo(sid="PA_me", identity="me", joined_at=100, version=1)


def bob(version: int = 1, sid: str = "PA_bob", at: int = 200, **fields: object) -> ParticipantInfo:
    info = ParticipantInfo(sid=sid, identity="bob", joined_at=at, version=version)
    for name, value in fields.items():
        setattr(info, name, value)
    return info


def track(sid: str = "TR_1", *, muted: bool = False, width: int = 0) -> TrackInfo:
    return TrackInfo(sid=sid, muted=muted, width=width)


def join(view: View, *others: ParticipantInfo, path: str = "/rtc/v1") -> tuple[ViewChange, ...]:
    message = msg.JoinResponse(
        room=msg.Room(sid="RM_1", name="room"), participant=US, other_participants=list(others)
    )
    return view.apply(joined_of(message, path))


def joined(*others: ParticipantInfo, path: str = "/rtc/v1") -> View:
    view = View()
    join(view, *others, path=path)
    return view


def update(view: View, *infos: ParticipantInfo) -> tuple[ViewChange, ...]:
    return view.apply(ev.ParticipantsUpdated(participants=infos))


def told(changes: tuple[ViewChange, ...]) -> list[str]:
    return [type(change).__name__ for change in changes]


def answer(*sids: str) -> ev.AnswerReceived:
    mids = {str(index): sid for index, sid in enumerate(sids)}
    return ev.AnswerReceived(type="answer", sdp="v=0\r\n", id=1, mid_to_track_id=mids)


def server_offer(*sids: str) -> ev.OfferReceived:
    mids = {str(index): sid for index, sid in enumerate(sids)}
    return ev.OfferReceived(type="offer", sdp="v=0\r\n", id=1, mid_to_track_id=mids)


# --- joining ---


def test_before_the_join_there_is_nothing() -> None:
    view = View()
    assert (view.room, view.own, view.speakers) == (None, None, ())
    assert view.participants == {}
    assert view.participant("me") is None
    assert view.by_sid("PA_me") is None
    assert view.publication("TR_1") is None


def test_the_join_tells_of_everybody_and_their_tracks() -> None:
    view = View()
    data = msg.DataTrackInfo(sid="DTR_1")
    changes = join(view, bob(tracks=[track()], data_tracks=[data]))
    assert told(changes) == [
        "RoomChanged",
        "ParticipantConnected",
        "PublicationAdded",
        "DataTrackAdded",
    ]
    assert view.own is not None
    assert (view.own.sid, view.own.local) == ("PA_me", True)
    assert view.room is not None
    assert view.room.name == "room"
    them = view.participants["PA_bob"]
    assert changes[1] == ParticipantConnected(participant=them)
    assert changes[3] == DataTrackAdded(participant=them, info=data)
    assert not them.local
    assert list(them.publications) == ["TR_1"]
    assert them.data_tracks == {"DTR_1": data}
    assert view.participant("bob") is view.by_sid("PA_bob") is them
    assert view.participant("me") is view.by_sid("PA_me") is view.own
    assert view.publication("TR_1") is them.publications["TR_1"]


def test_an_earlier_stay_of_our_own_is_not_somebody_else() -> None:
    view = joined(replace(US, sid="PA_before", joined_at=50), US)
    assert view.participants == {}


def test_a_second_join_keeps_who_stayed_and_forgets_what_was_said_of_tracks() -> None:
    view = joined(bob(tracks=[track()]), ParticipantInfo(sid="PA_eve", identity="eve"))
    view.apply(answer("TR_1"))
    changes = join(view, bob(tracks=[track()]))
    assert told(changes) == ["SubscriptionStateChanged", "ParticipantDisconnected"]
    assert list(view.participants) == ["PA_bob"]
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.subscription is SubscriptionState.UNSUBSCRIBED


def test_after_a_second_join_our_tracks_are_gone() -> None:
    view = joined()
    view.apply(ev.TrackPublished(cid="c", track=track()))
    assert told(join(view)) == ["PublicationRemoved"]
    assert view.publication("TR_1") is None


def test_a_move_replaces_everything() -> None:
    view = joined(bob(tracks=[track()]))
    view.apply(ev.TrackPublished(cid="c", track=track("TR_own")))
    moved = ev.RoomMoved(
        room=msg.Room(sid="RM_2"),
        token="t",
        participant=replace(US, sid="PA_me2"),
        other_participants=(bob(tracks=[track()]), ParticipantInfo(sid="PA_eve", identity="eve")),
    )
    assert told(view.apply(moved)) == [
        "PublicationRemoved",
        "ParticipantDisconnected",
        "RoomChanged",
        "ParticipantChanged",
        "PublicationRemoved",
        "ParticipantConnected",
        "PublicationAdded",
        "ParticipantConnected",
    ]
    assert list(view.participants) == ["PA_bob", "PA_eve"]
    assert view.own is not None
    assert view.own.sid == "PA_me2"
    assert view.own.publications == {}
    assert view.room == msg.Room(sid="RM_2")


def test_a_move_that_says_nothing_empties_the_room() -> None:
    view = joined(bob())
    moved = ev.RoomMoved(room=None, token="t", participant=None, other_participants=())
    assert told(view.apply(moved)) == ["ParticipantDisconnected"]
    assert view.own is not None
    assert view.own.sid == "PA_me"


# --- coming and going ---


def test_somebody_comes_and_goes() -> None:
    view = joined()
    assert told(update(view, bob(tracks=[track()]))) == ["ParticipantConnected", "PublicationAdded"]
    before = view.participants["PA_bob"]
    reason = msg.DisconnectReason.PARTICIPANT_REMOVED
    changes = update(view, bob(2, state=GONE, disconnect_reason=reason))
    assert changes == (
        PublicationRemoved(participant=before, publication=before.publications["TR_1"]),
        ParticipantDisconnected(participant=before, reason=reason),
    )
    assert view.participants == {}
    assert view.participant("bob") is None
    assert view.publication("TR_1") is None


def test_the_same_news_again_changes_nothing() -> None:
    view = joined(bob(3, tracks=[track()], name="Bob"))
    assert update(view, bob(3, tracks=[track()], name="Bob")) == ()


def test_old_news_changes_nothing() -> None:
    view = joined(bob(3, name="Bob"))
    assert update(view, bob(2, name="Rob")) == ()
    assert view.participants["PA_bob"].name == "Bob"


def test_servers_without_versions_are_believed() -> None:
    view = joined(bob(0, name="Bob"))
    assert told(update(view, bob(0, name="Rob"))) == ["ParticipantChanged"]


def test_another_stay_of_the_same_identity_is_somebody_gone_and_somebody_new() -> None:
    view = joined(bob(5, tracks=[track()]))
    changes = update(view, bob(1, "PA_bob2", 300, tracks=[track("TR_2")]))
    assert told(changes) == [
        "PublicationRemoved",
        "ParticipantDisconnected",
        "ParticipantConnected",
        "PublicationAdded",
    ]
    assert list(view.participants) == ["PA_bob2"]
    # Late news of the first stay: its end, and what was before that.
    assert update(view, bob(6, state=GONE), bob(7)) == ()
    found = view.participant("bob")
    assert found is not None
    assert found.sid == "PA_bob2"


def test_an_earlier_stay_that_we_never_saw_does_not_replace_a_later_one() -> None:
    view = joined(bob(1, "PA_bob2", 300))
    assert update(view, bob(9, "PA_bob", 200)) == ()
    assert update(view, bob(9, "PA_bob3", 0)) != ()  # nobody knows when; the last word counts


def test_news_that_comes_after_the_end_of_a_stay_is_old() -> None:
    view = joined(bob(1))
    update(view, bob(4, state=GONE))
    assert update(view, bob(3), bob(4)) == ()
    assert told(update(view, bob(5))) == ["ParticipantConnected"]


def test_the_end_of_a_stay_may_come_before_its_beginning() -> None:
    view = joined()
    assert update(view, bob(2, state=GONE)) == ()
    assert update(view, bob(1)) == ()
    assert view.participants == {}


def test_entries_without_identity_are_known_by_sid() -> None:
    view = joined(bob(1))
    nameless = ParticipantInfo(sid="PA_bob", version=2, name="Bob")
    assert told(update(view, nameless)) == ["ParticipantChanged"]
    assert view.participants["PA_bob"].identity == "bob"
    assert told(update(view, ParticipantInfo(sid="PA_bob", state=GONE))) == [
        "ParticipantDisconnected"
    ]


def test_entries_without_sid_are_known_by_identity() -> None:
    view = joined(bob(1))
    assert told(update(view, ParticipantInfo(identity="bob", version=2, name="Bob"))) == [
        "ParticipantChanged"
    ]
    assert list(view.participants) == ["PA_bob"]
    assert update(view, ParticipantInfo(identity="eve"), ParticipantInfo(state=GONE)) == ()


def test_two_without_identity_are_two() -> None:
    view = joined()
    update(view, ParticipantInfo(sid="PA_1"), ParticipantInfo(sid="PA_2"))
    assert list(view.participants) == ["PA_1", "PA_2"]
    assert view.participant("") is None


def test_not_every_end_is_remembered_for_ever() -> None:
    view = joined()
    update(view, *(ParticipantInfo(sid=f"PA_{number}", state=GONE) for number in range(1200)))
    assert told(update(view, ParticipantInfo(sid="PA_0"))) == ["ParticipantConnected"]
    assert update(view, ParticipantInfo(sid="PA_1199")) == ()


# --- ourselves ---


def test_news_of_ourselves() -> None:
    view = joined()
    changes = update(view, replace(US, version=2, name="Me"))
    assert told(changes) == ["ParticipantChanged"]
    assert view.own is not None
    assert view.own.name == "Me"
    assert update(view, US) == ()
    assert update(view, replace(US, version=9, state=GONE)) == ()
    assert view.own.name == "Me"


def test_another_stay_under_our_identity_is_ours_only_if_it_is_later() -> None:
    view = joined()
    assert update(view, replace(US, sid="PA_before", joined_at=50, version=9)) == ()
    changes = update(view, replace(US, sid="PA_after", joined_at=150))
    assert told(changes) == ["ParticipantChanged"]
    assert view.own is not None
    assert view.own.sid == "PA_after"
    assert view.participants == {}


def test_nobody_else_has_our_sid_or_identity() -> None:
    """A sid that turns out to be ours is not somebody else's any more."""
    view = joined(bob(tracks=[track()]))
    changes = update(view, replace(US, sid="PA_bob", joined_at=150))
    assert told(changes) == ["PublicationRemoved", "ParticipantDisconnected", "ParticipantChanged"]
    assert view.participants == {}
    assert view.by_sid("PA_bob") is view.own


def test_a_track_of_ours_is_there_when_the_server_took_it() -> None:
    """Updates tell of it only later, and those in between do not take it down."""
    view = joined()
    (added,) = view.apply(ev.TrackPublished(cid="c-1", track=track()))
    assert isinstance(added, PublicationAdded)
    assert (added.publication.cid, added.participant) == ("c-1", view.own)
    assert update(view, replace(US, version=2)) == ()
    assert view.publication("TR_1") == added.publication
    assert told(update(view, replace(US, version=3, tracks=[track(muted=True)]))) == [
        "PublicationMuted"
    ]
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.cid == "c-1"
    assert told(update(view, replace(US, version=4))) == ["PublicationRemoved"]


def test_the_server_takes_a_track_of_ours_down() -> None:
    view = joined()
    update(view, replace(US, version=2, tracks=[track()]))
    view.apply(ev.TrackPublished(cid="c", track=track("TR_2")))
    for sid in ("TR_1", "TR_2"):
        assert told(view.apply(ev.TrackUnpublished(track_sid=sid))) == ["PublicationRemoved"]
    assert view.apply(ev.TrackUnpublished(track_sid="TR_1")) == ()
    assert view.own is not None
    assert view.own.publications == {}
    view.apply(ev.TrackPublished(cid="c", track=track("TR_3")))
    assert list(view.own.publications) == ["TR_3"]


def test_the_first_subscriber_may_come_before_the_track() -> None:
    view = joined()
    assert view.apply(ev.TrackSubscribed(track_sid="TR_1")) == ()
    view.apply(ev.TrackPublished(cid="c", track=track()))
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.has_subscriber
    view.apply(ev.TrackPublished(cid="c", track=track("TR_2")))
    assert told(view.apply(ev.TrackSubscribed(track_sid="TR_2"))) == ["PublicationChanged"]


def test_a_track_announced_after_an_update_told_of_it_gets_its_cid() -> None:
    view = joined()
    update(view, replace(US, version=2, tracks=[track()]))
    assert told(view.apply(ev.TrackPublished(cid="c", track=track()))) == ["PublicationChanged"]
    # A second codec of the same track is announced under another cid.
    assert view.apply(ev.TrackPublished(cid="c2", track=track())) == ()
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.cid == "c"


def test_what_is_published_without_us_or_without_a_track_is_nothing() -> None:
    assert View().apply(ev.TrackPublished(cid="c", track=track())) == ()
    assert View().apply(ev.TrackUnpublished(track_sid="TR_1")) == ()
    assert joined().apply(ev.TrackPublished(cid="c", track=None)) == ()


# --- tracks of others ---


def test_tracks_come_change_and_go() -> None:
    view = joined(bob())
    assert told(update(view, bob(2, tracks=[track()]))) == ["PublicationAdded"]
    assert told(update(view, bob(3, tracks=[track(muted=True)]))) == ["PublicationMuted"]
    assert told(update(view, bob(4, tracks=[track(width=640)]))) == [
        "PublicationUnmuted",
        "PublicationChanged",
    ]
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.info.width == 640
    assert told(update(view, bob(5, tracks=[track("TR_2")]))) == [
        "PublicationRemoved",
        "PublicationAdded",
    ]


def test_data_tracks_come_and_go() -> None:
    view = joined(bob())
    one, two = msg.DataTrackInfo(sid="DTR_1"), msg.DataTrackInfo(sid="DTR_2")
    (added,) = update(view, bob(2, data_tracks=[one]))
    assert added == DataTrackAdded(participant=view.participants["PA_bob"], info=one)
    assert told(update(view, bob(3, data_tracks=[one, two]))) == ["DataTrackAdded"]
    (removed,) = update(view, bob(4, data_tracks=[two]))
    assert removed == DataTrackRemoved(participant=view.participants["PA_bob"], info=one)
    assert told(update(view, bob(5, state=GONE))) == ["DataTrackRemoved", "ParticipantDisconnected"]


@pytest.mark.parametrize("path", ["/rtc", "/rtc/v1"])
def test_a_track_is_subscribed_when_a_description_carries_it(path: str) -> None:
    """The one whose media sections are the server's to fill: its answer, or its offer."""
    view = joined(bob(tracks=[track("TR_1"), track("TR_2")]), path=path)
    described, other = (answer, server_offer) if path == "/rtc/v1" else (server_offer, answer)
    assert view.apply(other("TR_2")) == ()
    (change,) = view.apply(described("TR_1"))
    assert isinstance(change, SubscriptionStateChanged)
    assert change.before is SubscriptionState.UNSUBSCRIBED
    assert change.publication.subscription is SubscriptionState.SUBSCRIBED
    assert change.publication.subscribed
    assert view.apply(described("TR_1")) == ()
    assert told(view.apply(described("TR_2"))) == ["SubscriptionStateChanged"] * 2
    first = view.publication("TR_1")
    assert first is not None
    assert not first.subscribed


def test_a_description_may_carry_a_track_that_is_not_known_yet() -> None:
    view = joined()
    assert view.apply(answer("TR_1")) == ()
    update(view, bob(tracks=[track()]))
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.subscribed


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (msg.SubscriptionError.SE_CODEC_UNSUPPORTED, SubscriptionState.CODEC_UNSUPPORTED),
        (msg.SubscriptionError.SE_TRACK_NOTFOUND, SubscriptionState.NOT_FOUND),
        (msg.SubscriptionError.SE_UNKNOWN, SubscriptionState.FAILED),
        (msg.SubscriptionError(9), SubscriptionState.FAILED),
    ],
)
def test_a_failed_subscription_says_why_until_the_track_comes(
    error: msg.SubscriptionError, state: SubscriptionState
) -> None:
    view = joined(bob(tracks=[track()]))
    view.apply(answer("TR_1"))
    (change,) = view.apply(ev.SubscriptionFailed(track_sid="TR_1", err=error))
    assert isinstance(change, SubscriptionStateChanged)
    assert (change.before, change.publication.subscription) == (SubscriptionState.SUBSCRIBED, state)
    assert change.publication.error == error
    assert view.apply(answer()) == ()
    (change,) = view.apply(answer("TR_1"))
    assert isinstance(change, SubscriptionStateChanged)
    assert change.publication.subscribed
    assert change.publication.error is None


def test_a_codec_that_is_refused_before_its_answer_comes_stays_refused() -> None:
    # The server binds a track and finds that it cannot send it: it tells that and of the binding
    # at once, in either order, and takes the binding back with the next description.
    view = joined(bob(tracks=[track()]))
    error = msg.SubscriptionError.SE_CODEC_UNSUPPORTED
    (change,) = view.apply(ev.SubscriptionFailed(track_sid="TR_1", err=error))
    assert isinstance(change, SubscriptionStateChanged)
    assert view.apply(answer("TR_1")) == ()
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.subscription is SubscriptionState.CODEC_UNSUPPORTED
    assert view.apply(answer()) == ()
    (change,) = view.apply(answer("TR_1"))
    assert isinstance(change, SubscriptionStateChanged)
    assert change.publication.subscribed


def test_permission_to_subscribe() -> None:
    view = joined()

    def permit(*, allowed: bool) -> tuple[ViewChange, ...]:
        return view.apply(
            ev.SubscriptionPermissionChanged(
                participant_sid="PA_bob", track_sid="TR_1", allowed=allowed
            )
        )

    assert permit(allowed=False) == ()  # it waits for the track
    update(view, bob(tracks=[track()]))
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.subscription is SubscriptionState.NOT_ALLOWED
    assert not publication.allowed
    (change,) = permit(allowed=True)
    assert isinstance(change, SubscriptionStateChanged)
    assert change.publication.subscription is SubscriptionState.UNSUBSCRIBED
    # It reaches us as long as the server sends it, whatever it says.
    view.apply(answer("TR_1"))
    assert permit(allowed=False) == ()


def test_streams_are_paused_and_resumed() -> None:
    view = joined(bob(tracks=[track()]))
    told_of = []
    for state in (msg.StreamState.PAUSED, msg.StreamState.PAUSED, msg.StreamState.ACTIVE):
        states = (
            msg.StreamStateInfo(participant_sid="PA_bob", track_sid="TR_1", state=state),
            msg.StreamStateInfo(participant_sid="PA_bob", track_sid="TR_none", state=state),
        )
        told_of.append(view.apply(ev.StreamStatesChanged(stream_states=states)))
    (paused,), again, (resumed,) = told_of
    assert isinstance(paused, PublicationPaused)
    assert paused.publication.paused
    assert again == ()
    assert isinstance(resumed, PublicationResumed)


def test_what_waits_for_tracks_is_bounded() -> None:
    view = joined()
    for number in range(300):
        view.apply(ev.TrackSubscribed(track_sid=f"TR_{number}"))
    update(view, bob(tracks=[track("TR_0"), track("TR_299")]))
    heard = [each.has_subscriber for each in view.participants["PA_bob"].publications.values()]
    assert heard == [False, True]


def test_a_track_that_two_claim_is_of_the_first() -> None:
    eve = ParticipantInfo(sid="PA_eve", identity="eve", version=1, tracks=[track()])
    view = joined(bob(tracks=[track()]), eve)
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.participant_sid == "PA_bob"
    assert view.participants["PA_eve"].publications == {}
    update(view, bob(2, state=GONE))
    assert view.publication("TR_1") is None
    assert told(update(view, eve)) == ["PublicationAdded"]


def test_a_track_that_came_with_us_is_still_ours() -> None:
    view = joined()
    update(view, replace(US, version=2, tracks=[track()]))
    update(view, replace(US, sid="PA_after", joined_at=150, tracks=[track()]))
    publication = view.publication("TR_1")
    assert publication is not None
    assert publication.participant_sid == "PA_after"


# --- speakers, quality, room ---


def speak(view: View, *speakers: tuple[str, float, bool]) -> tuple[ViewChange, ...]:
    infos = (msg.SpeakerInfo(sid=sid, level=level, active=on) for sid, level, on in speakers)
    return view.apply(ev.SpeakersChanged(speakers=tuple(infos)))


def test_speakers_are_told_as_changes_and_known_as_a_whole() -> None:
    view = joined(bob())
    (change,) = speak(view, ("PA_bob", 0.5, True))
    assert isinstance(change, ActiveSpeakersChanged)
    assert [each.sid for each in change.speakers] == ["PA_bob"]
    (change,) = speak(view, ("PA_me", 0.75, True), ("PA_nobody", 1.0, True))
    assert isinstance(change, ActiveSpeakersChanged)
    assert [(each.sid, each.audio_level) for each in view.speakers] == [
        ("PA_me", 0.75),
        ("PA_bob", 0.5),
    ]
    assert speak(view, ("PA_me", 0.75, True)) == ()
    speak(view, ("PA_me", 0.75, False))
    assert view.own is not None
    assert (view.own.speaking, view.own.audio_level) == (False, 0.0)
    assert [each.sid for each in view.speakers] == ["PA_bob"]


def test_a_speaker_who_leaves_speaks_no_more() -> None:
    view = joined(bob())
    speak(view, ("PA_bob", 0.5, True))
    assert told(update(view, bob(2, state=GONE))) == [
        "ParticipantDisconnected",
        "ActiveSpeakersChanged",
    ]
    assert view.speakers == ()


def test_news_of_a_speaker_does_not_silence_them() -> None:
    view = joined(bob())
    speak(view, ("PA_bob", 0.5, True))
    update(view, bob(2, name="Bob"))
    assert view.participants["PA_bob"].speaking


def test_connection_quality() -> None:
    view = joined(bob())
    quality = msg.ConnectionQuality.EXCELLENT
    updates = (
        msg.ConnectionQualityInfo(participant_sid="PA_bob", quality=quality, score=4.5),
        msg.ConnectionQualityInfo(participant_sid="PA_nobody", quality=quality),
    )
    (change,) = view.apply(ev.ConnectionQualityChanged(updates=updates))
    assert isinstance(change, ParticipantQualityChanged)
    assert (change.before, change.participant.quality) == (None, quality)
    assert view.participants["PA_bob"].quality_score == 4.5
    assert view.apply(ev.ConnectionQualityChanged(updates=updates)) == ()


def test_the_room_changes() -> None:
    view = joined()
    before = view.room
    after = msg.Room(sid="RM_1", name="room", metadata="hello")
    assert view.apply(ev.RoomUpdated(room=after)) == (RoomChanged(before=before, room=after),)
    assert view.apply(ev.RoomUpdated(room=after)) == ()
    assert view.apply(ev.RoomUpdated(room=None)) == ()
    assert view.room == after


# --- snapshots ---


def test_what_was_given_out_does_not_change() -> None:
    view = joined(bob(tracks=[track()]))
    everybody, them = view.participants, view.participants["PA_bob"]
    assert view.participants is everybody
    update(view, bob(2, name="Bob"), ParticipantInfo(sid="PA_eve", identity="eve"))
    assert list(everybody) == ["PA_bob"]
    assert everybody["PA_bob"] is them
    assert (them.name, view.participants["PA_bob"].name) == ("", "Bob")


def test_participants_and_publications_read_like_their_messages() -> None:
    info = bob(
        name="Bob",
        metadata="m",
        attributes={"a": "b"},
        tracks=[
            TrackInfo(
                sid="TR_1",
                name="cam",
                type=msg.TrackType.VIDEO,
                source=msg.TrackSource.CAMERA,
                muted=True,
            )
        ],
    )
    them = joined(info).participants["PA_bob"]
    assert (them.sid, them.identity, them.name, them.metadata) == ("PA_bob", "bob", "Bob", "m")
    assert them.attributes == {"a": "b"}
    publication = them.publications["TR_1"]
    assert (publication.sid, publication.name, publication.muted) == ("TR_1", "cam", True)
    assert (publication.kind, publication.source) == (msg.TrackType.VIDEO, msg.TrackSource.CAMERA)


# --- every event ---


def test_every_event_is_used_or_ignored_by_name() -> None:
    ignored = set(get_args(module._Ignored))
    used = {
        ev.Joined,
        ev.RoomMoved,
        ev.ParticipantsUpdated,
        ev.RoomUpdated,
        ev.SpeakersChanged,
        ev.ConnectionQualityChanged,
        ev.OfferReceived,
        ev.AnswerReceived,
        *get_args(module._TrackEvent),
    }
    assert ignored | used == set(get_args(ev.Event))
    assert not ignored & used
    view = joined(bob())
    for event in (ev.FrameRejected(detail="x", size=1), ev.MuteReceived(sid="TR_1", muted=True)):
        assert view.apply(event) == ()


# --- real rooms ---


def recorded(name: str) -> list[ev.Event]:
    """The events of a capture's first life, made by the session's own dispatch."""
    events: list[ev.Event] = []
    for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["dir"] == "cut":
            break
        if record["dir"] != "in":
            continue
        frame = base64.b64decode(record["b64"]) if "b64" in record else record["text"]
        member = which_variant(decode_response(frame))
        assert member is not None
        if isinstance(member[1], msg.JoinResponse):
            events.append(joined_of(member[1], "/rtc/v1"))
        elif (event := event_of(*member)) is not None:
            events.append(event)
    return events


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_recorded_rooms_end_as_their_last_news_says(path: Path) -> None:
    view = View()
    last: dict[str, ParticipantInfo] = {}
    own = ""
    for event in recorded(path.stem):
        if isinstance(event, ev.Joined):
            own = event.participant.sid
            last = {one.sid: one for one in (event.participant, *event.other_participants)}
        elif isinstance(event, ev.ParticipantsUpdated):
            last |= {one.sid: one for one in event.participants}
        view.apply(event)
    there = {sid: info for sid, info in last.items() if info.state != GONE or sid == own}
    assert view.own is not None
    assert {view.own.sid: view.own.info} | {
        sid: one.info for sid, one in view.participants.items()
    } == there


def test_a_recorded_speaker() -> None:
    view = View()
    seen = []
    for event in recorded("simulate_speaker"):
        view.apply(event)
        if isinstance(event, ev.SpeakersChanged):
            seen.append(len(view.speakers))
    assert seen == [1, 0]


# --- any order of anything ---

SIDS = st.sampled_from(["PA_1", "PA_2", "PA_3", "PA_me", ""])
TRACKS = st.sampled_from(["TR_1", "TR_2", "TR_3"])
INFOS = st.builds(
    ParticipantInfo,
    sid=SIDS,
    identity=st.sampled_from(["a", "b", "me", ""]),
    state=st.sampled_from([ParticipantInfoState.ACTIVE, GONE]),
    version=st.integers(0, 3),
    joined_at=st.integers(0, 2),
    tracks=st.lists(st.builds(TrackInfo, sid=TRACKS, muted=st.booleans()), max_size=2),
)
EVENTS = st.one_of(
    st.builds(
        lambda infos: ev.ParticipantsUpdated(participants=tuple(infos)),
        st.lists(INFOS, max_size=3),
    ),
    st.builds(lambda sids: answer(*sids), st.lists(TRACKS, max_size=2)),
    st.builds(lambda sid: ev.TrackPublished(cid="c", track=track(sid)), TRACKS),
    st.builds(lambda sid: ev.TrackUnpublished(track_sid=sid), TRACKS),
    st.builds(lambda sid: ev.TrackSubscribed(track_sid=sid), TRACKS),
    st.builds(
        lambda sid: ev.SubscriptionFailed(track_sid=sid, err=msg.SubscriptionError(1)), TRACKS
    ),
    st.builds(
        lambda sid, on: ev.SpeakersChanged(
            speakers=(msg.SpeakerInfo(sid=sid, level=0.5, active=on),)
        ),
        SIDS,
        st.booleans(),
    ),
    st.builds(
        lambda infos: joined_of(
            msg.JoinResponse(participant=US, other_participants=infos), "/rtc/v1"
        ),
        st.lists(INFOS, max_size=3),
    ),
    st.builds(
        lambda infos, own: ev.RoomMoved(
            room=msg.Room(sid="RM_9"), token="t", participant=own, other_participants=tuple(infos)
        ),
        st.lists(INFOS, max_size=2),
        st.none() | INFOS,
    ),
)


class Books:
    """What somebody would know who only reads the changes."""

    def __init__(self) -> None:
        self.people: set[str] = set()
        self.tracks: dict[tuple[bool, str, str], tuple[bool, SubscriptionState]] = {}
        self.speakers: tuple[str, ...] = ()

    def read(self, change: ViewChange) -> None:
        match change:
            case ParticipantConnected(participant=one):
                assert one.sid not in self.people
                self.people.add(one.sid)
            case ParticipantDisconnected(participant=one):
                self.people.remove(one.sid)
                assert not [key for key in self.tracks if key[:2] == (False, one.sid)]
            case PublicationAdded(participant=one, publication=publication):
                key = (one.local, "" if one.local else one.sid, publication.sid)
                assert key not in self.tracks
                self.tracks[key] = (publication.muted, publication.subscription)
            case PublicationRemoved(participant=one, publication=publication):
                del self.tracks[one.local, "" if one.local else one.sid, publication.sid]
            case (
                PublicationMuted(participant=one, publication=publication)
                | PublicationUnmuted(participant=one, publication=publication)
                | SubscriptionStateChanged(participant=one, publication=publication)
            ):
                key = (one.local, "" if one.local else one.sid, publication.sid)
                assert self.tracks[key] != (publication.muted, publication.subscription)
                muted, subscription = self.tracks[key]
                if isinstance(change, SubscriptionStateChanged):
                    assert change.before is subscription
                    subscription = publication.subscription
                else:
                    muted = publication.muted
                self.tracks[key] = (muted, subscription)
            case ActiveSpeakersChanged(speakers=speakers):
                self.speakers = tuple(one.sid for one in speakers)
            case ParticipantChanged() | PublicationChanged() | RoomChanged():
                pass
            case other:
                raise AssertionError(other)


@given(events=st.lists(EVENTS, max_size=25), begun=st.booleans())
def test_who_reads_the_changes_knows_the_view(events: list[ev.Event], begun: bool) -> None:
    view, books = View(), Books()
    if begun:
        for change in join(view):
            books.read(change)
    for event in events:
        for change in view.apply(event):
            books.read(change)
        everybody = [*view.participants.values(), *([view.own] if view.own else [])]
        assert books.people == set(view.participants)
        assert books.tracks == {
            (one.local, "" if one.local else one.sid, sid): (each.muted, each.subscription)
            for one in everybody
            for sid, each in one.publications.items()
        }
        identities = [one.identity for one in everybody if one.identity]
        assert len(set(identities)) == len(identities), "an identity is there twice"
        assert len({one.sid for one in everybody}) == len(everybody)
        for sid in {sid for one in everybody for sid in one.publications}:
            publication = view.publication(sid)
            assert publication is not None
            owner = view.by_sid(publication.participant_sid)
            assert owner is not None
            assert owner.publications[sid] is publication


@given(
    order=st.permutations(range(1, 7)),
    again=st.lists(st.integers(1, 6), max_size=4),
)
def test_news_in_any_order_ends_as_the_newest(order: list[int], again: list[int]) -> None:
    view = joined()
    for version in (*order, *again):
        update(view, bob(version, name=f"v{version}", tracks=[track(f"TR_{version}")]))
    assert view.participants["PA_bob"].name == "v6"
    assert list(view.participants["PA_bob"].publications) == ["TR_6"]
