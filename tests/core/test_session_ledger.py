"""What a session remembers of itself, alone."""

from __future__ import annotations

import pytest

from kitwire import events as ev
from kitwire.messages import (
    DataTrackInfo,
    ParticipantInfo,
    ParticipantInfoState,
    ParticipantTracks,
    SignalRequest,
    SubscriptionPermission,
    TrackInfo,
    UpdateSubscription,
    UpdateTrackSettings,
)
from kitwire.negotiation import Agreed
from kitwire.session.ledger import Ledger


def subscription(*sids: str, on: bool) -> SignalRequest:
    return SignalRequest(subscription=UpdateSubscription(track_sids=[*sids], subscribe=on))


@pytest.mark.parametrize("automatic", [True, False])
def test_only_what_differs_from_the_automatic_is_told(automatic: bool) -> None:
    ledger = Ledger(auto_subscribe=automatic)
    ledger.asked(subscription("TR_1", "TR_2", on=True))
    ledger.asked(subscription("TR_2", "TR_3", on=False))
    grouped = UpdateSubscription(
        participant_tracks=[ParticipantTracks(participant_sid="PA", track_sids=["TR_4"])],
        subscribe=not automatic,
    )
    ledger.asked(SignalRequest(subscription=grouped))
    told = ledger.sync_state(None).subscription
    assert told is not None
    assert told.subscribe is not automatic
    expected = ["TR_2", "TR_3"] if automatic else ["TR_1"]
    assert told.track_sids == [*expected, "TR_4"]


def test_the_last_wish_is_asked_for_again() -> None:
    ledger = Ledger(auto_subscribe=True)
    assert [*ledger.repairs()] == []
    ledger.asked(subscription("TR_1", on=False))
    ledger.asked(subscription("TR_2", on=False))
    ledger.asked(subscription("TR_1", on=True))
    for everybody in (False, True):
        permission = SubscriptionPermission(all_participants=everybody)
        ledger.asked(SignalRequest(subscription_permission=permission))
    on, off, allowed = ledger.repairs()
    assert on == subscription("TR_1", on=True)
    assert off == subscription("TR_2", on=False)
    assert allowed.subscription_permission == SubscriptionPermission(all_participants=True)


def test_settings_are_the_last_of_each_track() -> None:
    ledger = Ledger(auto_subscribe=True)
    for disabled, sids in ((True, ["TR_1", "TR_2"]), (False, ["TR_2"])):
        settings = UpdateTrackSettings(track_sids=sids, disabled=disabled)
        ledger.asked(SignalRequest(track_setting=settings))
    assert ledger.sync_state(None).track_sids_disabled == ["TR_1"]


def test_publications_are_as_the_server_described_them_last() -> None:
    ledger = Ledger(auto_subscribe=True)
    for cid, sid in (("a", "TR_a"), ("b", "TR_b")):
        ledger.heard(ev.TrackPublished(cid=cid, track=TrackInfo(sid=sid)), own_sid="PA")
    muted = TrackInfo(sid="TR_a", muted=True)
    stranger = TrackInfo(sid="TR_c")
    update = (
        ParticipantInfo(sid="PA", tracks=[muted, stranger]),
        ParticipantInfo(sid="PB", tracks=[TrackInfo(sid="TR_b", muted=True)]),
    )
    ledger.heard(ev.ParticipantsUpdated(participants=update), own_sid="PA")
    tracks = [each.track for each in ledger.tracks if each.track is not None]
    assert [(each.sid, each.muted) for each in tracks] == [("TR_a", True), ("TR_b", False)]
    ledger.heard(ev.TrackUnpublished(track_sid="TR_a"), own_sid="PA")
    ledger.heard(ev.TrackUnpublished(track_sid="TR_z"), own_sid="PA")
    assert [each.cid for each in ledger.sync_state(None).publish_tracks] == ["b"]


def test_data_tracks_and_what_was_received() -> None:
    ledger = Ledger(auto_subscribe=True)
    for handle in (1, 2):
        info = DataTrackInfo(pub_handle=handle, sid=f"DTR_{handle}")
        ledger.heard(ev.DataTrackPublished(info=info), own_sid="PA")
    ledger.heard(ev.DataTrackUnpublished(info=DataTrackInfo(pub_handle=1)), own_sid="PA")
    for sid, sequence in (("PA_b", 1), ("PA_c", 9), ("PA_b", 2)):
        ledger.received(sid, sequence)
    state = ledger.sync_state(Agreed(offer="o", answer="a"))
    assert [each.info.sid for each in state.publish_data_tracks if each.info] == ["DTR_2"]
    received = [(each.publisher_sid, each.last_seq) for each in state.datachannel_receive_states]
    assert received == [("PA_b", 2), ("PA_c", 9)]
    gone = ParticipantInfo(sid="PA_b", state=ParticipantInfoState.DISCONNECTED)
    here = ParticipantInfo(sid="PA_c", state=ParticipantInfoState.ACTIVE)
    ledger.heard(ev.ParticipantsUpdated(participants=(gone, here)), own_sid="PA")
    states = ledger.sync_state(None).datachannel_receive_states
    assert [each.publisher_sid for each in states] == ["PA_c"]
    assert state.offer is not None
    assert state.answer is not None
    assert (state.offer.sdp, state.answer.sdp) == ("o", "a")


def test_after_a_restart_wishes_stay_and_our_tracks_are_gone() -> None:
    ledger = Ledger(auto_subscribe=True)
    ledger.asked(subscription("TR_1", on=False))
    settings = UpdateTrackSettings(track_sids=["TR_2", "TR_3"], width=320)
    ledger.asked(SignalRequest(track_setting=settings))
    ledger.heard(ev.TrackPublished(cid="a", track=TrackInfo(sid="TR_a")), own_sid="PA")
    heir = ledger.successor()
    assert heir.tracks == ()
    off, second, third = heir.wishes()
    assert off == subscription("TR_1", on=False)
    assert second.track_setting == UpdateTrackSettings(track_sids=["TR_2"], width=320)
    assert third.track_setting == UpdateTrackSettings(track_sids=["TR_3"], width=320)


def test_another_room_has_other_tracks_of_others() -> None:
    ledger = Ledger(auto_subscribe=True)
    ledger.asked(subscription("TR_1", on=False))
    ledger.heard(ev.TrackPublished(cid="a", track=TrackInfo(sid="TR_a")), own_sid="PA")
    ledger.moved()
    assert [*ledger.repairs()] == []
    assert [each.cid for each in ledger.tracks] == ["a"]
