"""What travels with the join: metadata, attributes, tracks, an offer."""

from __future__ import annotations

from functools import partial

from kitwire.config import Limits, PathVersion
from kitwire.events import (
    AnswerReceived,
    Joined,
    RequestResponseReceived,
    TrackPublished,
    TrickleReceived,
)
from kitwire.messages import (
    AddTrackRequest,
    RequestResponseReason,
    SignalTarget,
    TrackSource,
    TrackType,
)
from tests.interop.conftest import Join
from tests.interop.livekit_server import Grants, LiveKitServer
from tests.interop.participants import Participant

# A peer connection that wants data channels and says so; nobody answers behind its address.
OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 127.0.0.1",
        "a=mid:0",
        "a=ice-ufrag:kwKW",
        "a=ice-pwd:kwKWkwKWkwKWkwKWkwKWkw",
        "a=fingerprint:sha-256 " + ":".join(["A5"] * 32),
        "a=setup:actpass",
        "a=sctp-port:5000",
        "",
    ]
)

TRACKS = (
    AddTrackRequest(cid="mic", type=TrackType.AUDIO, source=TrackSource.MICROPHONE),
    AddTrackRequest(cid="cam", type=TrackType.VIDEO, source=TrackSource.CAMERA),
)

CAN_CHANGE_ITSELF = Grants(can_update_own_metadata=True)


def answers(track: AddTrackRequest, event: TrackPublished) -> bool:
    return event.cid == track.cid


def announced(who: Participant) -> None:
    """Each track is accepted, and the offer answered with its id."""
    for track in TRACKS:
        found = who.wait_for(TrackPublished, partial(answers, track))
        assert found.track is not None
        assert (found.track.type, found.track.source) == (track.type, track.source)
    answer = who.wait_for(AnswerReceived)
    assert (answer.type, answer.id) == ("answer", 1)
    assert "m=application" in answer.sdp
    candidate = who.wait_for(TrickleReceived, lambda event: event.target is SignalTarget.PUBLISHER)
    assert "127.0.0.1" in candidate.candidate_init


def test_metadata_and_attributes(
    join: Join, livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    """In the join itself, but for metadata on the older path, which follows it."""
    ann = join(
        "ann",
        path=path,
        grants=CAN_CHANGE_ITSELF,
        metadata="busy ✓",
        attributes={"mood": "good", "hat": "röt"},
    )
    me = ann.joined.participant
    assert me.attributes == {"mood": "good", "hat": "röt"}
    if path is PathVersion.V1:
        assert me.metadata == "busy ✓"
    else:
        ann.wait_for_participant("ann", lambda info: info.metadata == "busy ✓")
    (seen,) = livekit.participants(room_name)
    assert (seen.metadata, dict(seen.attributes)) == ("busy ✓", {"mood": "good", "hat": "röt"})


def test_tracks_and_an_offer(join: Join, path: PathVersion) -> None:
    """In the join on the newer path, right after it on the older one."""
    ann = join("ann", path=path, add_tracks=TRACKS, publisher_offer=OFFER)
    announced(ann)
    assert isinstance(next(iter(ann.events)), Joined)


def test_everything_at_once(join: Join) -> None:
    ann = join(
        "ann",
        path=PathVersion.V1,
        grants=CAN_CHANGE_ITSELF,
        metadata="busy",
        attributes={"mood": "good"},
        add_tracks=TRACKS,
        publisher_offer=OFFER,
    )
    announced(ann)
    assert ann.joined.participant.metadata == "busy"
    assert ann.joined.participant.attributes == {"mood": "good"}


def test_what_would_make_the_url_too_long_follows_the_join(join: Join) -> None:
    limits = Limits(url=300)
    announced(join("ann", limits=limits, add_tracks=TRACKS, publisher_offer=OFFER))


def test_much_metadata_needs_no_short_url(join: Join) -> None:
    """Compression keeps the join request small."""
    much = "lorem ipsum " * 4000
    ann = join("ann", path=PathVersion.V1, grants=CAN_CHANGE_ITSELF, metadata=much)
    assert ann.joined.participant.metadata == much


def test_a_bundled_track_that_is_not_granted(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path, grants={"can_publish": False}, add_tracks=TRACKS[:1])
    word = ann.wait_for(RequestResponseReceived)
    assert word.reason is RequestResponseReason.NOT_ALLOWED
    assert isinstance(word.request, AddTrackRequest)
    assert word.request.cid == "mic"
