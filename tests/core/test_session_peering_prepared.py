"""An offer of the session's own that travels with the join: made before it, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

import pytest
from livekit.protocol import rtc

from kitwire.commands import (
    ApplyAnswer,
    ClosePeers,
    MakeOffer,
    OpenLink,
    OpenPeers,
    PeerCommand,
    PeersId,
    PeerState,
    Topology,
)
from kitwire.config import ClientConfig, ClientOptions, Limits, PathVersion, Timeouts
from kitwire.errors import Origin, Reason
from kitwire.events import Closed, Joined, PongReceived
from kitwire.negotiation.channels import DATA_CHANNELS
from kitwire.peer_events import Negotiated, NegotiationFailed, PeersConnected, PeerStateChanged
from kitwire.session.phases import Phase
from kitwire.session.timers import Timer
from tests.peers.frames import join_request
from tests.peers.lives import SessionLife, configured, preparing
from tests.peers.media_lives import (
    PEERS,
    PUB,
    ClientMedia,
    MediaLife,
    SessionMedia,
    media_join,
    with_peers,
)
from tests.peers.virtual_server import ClientLife

Kind = type[SessionMedia] | type[ClientMedia]
both = pytest.mark.parametrize("kind", [SessionMedia, ClientMedia])

SDP = "v=0\r\na=ice-ufrag:hush-ufrag\r\na=ice-pwd:hush-pwd\r\n"
OPENED = OpenPeers(
    peers=PEERS,
    topology=Topology.SINGLE,
    ice_servers=(),
    force_relay=False,
    data_channels=DATA_CHANNELS,
)
MAKE = MakeOffer(peers=PEERS, target=PUB, offer_id=1, audio_sections=1, video_sections=1)
APPLY = ApplyAnswer(peers=PEERS, target=PUB, offer_id=1, sdp=SDP, mid_to_track_id={})
ANSWER = rtc.SignalResponse(answer=rtc.SessionDescription(type="answer", sdp=SDP, id=1))


def prepared(
    kind: Kind, path: PathVersion = PathVersion.V1, /, **options: Unpack[ClientOptions]
) -> MediaLife:
    """A life whose own ICE servers let its offer be made first; the offer is not made yet."""
    life = kind(preparing(with_peers(path, **options)))
    life.core.connect(now=life.now)
    assert life.core.phase is Phase.PREPARING
    return life


def urls(life: MediaLife) -> list[str]:
    """The request targets of all upgrades so far."""
    _ = life.outputs
    if isinstance(life.life, ClientLife):
        return [each.upgrade.path for each in life.life.connections.values()]
    return [each.url for each in life.outputs if isinstance(each, OpenLink)]


def let_in(life: MediaLife) -> None:
    """The server accepts the upgrade and the join; only a real one answers the offer."""
    if isinstance(life.life, SessionLife):
        life.life.open()
        life.say(media_join(PathVersion.V1))


@both
@pytest.mark.parametrize("path", [PathVersion.V1, PathVersion.AUTO])
def test_with_ice_servers_of_our_own_the_offer_travels_with_the_join(
    kind: Kind, path: PathVersion
) -> None:
    life = prepared(kind, path)
    assert life.take() == [OPENED, MAKE]
    assert urls(life) == []
    assert life.core.deadline_reason is Timer.NEGOTIATION

    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    (url,) = urls(life)
    assert join_request(url).publisher_offer == rtc.SessionDescription(type="offer", sdp=SDP, id=1)
    let_in(life)
    told = [type(each) for each in life.take()]
    assert [each for each in told if each is not PongReceived] == [Joined]
    assert life.sent() == []

    life.say(ANSWER)
    _, applied = life.take()
    assert applied == APPLY
    life.core.answer_applied(PEERS, PUB, 1, now=life.now)
    life.core.peer_state_changed(PEERS, PUB, PeerState.CONNECTED, now=life.now)
    assert life.take() == [
        Negotiated(target=PUB, offer_id=1),
        PeerStateChanged(target=PUB, state=PeerState.CONNECTED),
        PeersConnected(),
    ]
    assert life.core.negotiate(now=life.now) == 2


@both
def test_an_offer_too_long_for_the_url_follows_the_join(kind: Kind) -> None:
    life = prepared(kind, limits=Limits(url=120))
    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    assert not join_request(urls(life)[0]).HasField("publisher_offer")
    let_in(life)
    (request,) = life.sent()
    assert request.offer == rtc.SessionDescription(type="offer", sdp=SDP, id=1)
    life.say(ANSWER)
    assert APPLY in life.take()


@both
def test_an_offer_that_the_server_never_answers_ends_the_session_in_time(kind: Kind) -> None:
    waits = Timeouts(negotiation=3.0)
    life = prepared(kind, timeouts=waits)
    life.wait(1.0)
    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    let_in(life)
    answered_by = life.now + waits.negotiation
    while not any(isinstance(each, NegotiationFailed) for each in life.outputs):
        assert life.core.deadline is not None
        life.wait(life.core.deadline - life.now)
    assert life.now == answered_by


def test_a_server_without_the_new_path_gets_two_peer_connections_after_the_join() -> None:
    life = SessionLife(preparing(with_peers(PathVersion.AUTO)))
    life.connect()
    life.make_offer(SDP)
    life.refuse(404)
    made = [each for each in life.outputs if isinstance(each, PeerCommand)]
    assert made == [OPENED, MAKE, ClosePeers(peers=PEERS)]
    # What it still reports is not heard.
    life.session.peer_state_changed(PEERS, PUB, PeerState.CLOSED, now=life.now)
    life.open()
    life.hear(media_join(PathVersion.V0))
    fresh = [each for each in life.outputs if isinstance(each, PeerCommand)][3:]
    assert fresh == [replace(OPENED, peers=PeersId(2), topology=Topology.DUAL)]
    assert life.said == ["ping_req"]


@pytest.mark.parametrize(
    "config",
    [
        with_peers(),
        preparing(with_peers(PathVersion.V0)),
        configured(ice_servers=()),
    ],
    ids=["the server's ICE servers", "the old path", "no peer connections"],
)
def test_otherwise_nothing_is_prepared(config: ClientConfig) -> None:
    life = SessionLife(config)
    life.connect()
    assert [type(each) for each in life.outputs] == [OpenLink]


@both
def test_a_close_while_the_offer_is_made_ends_at_once(kind: Kind) -> None:
    life = prepared(kind)
    life.take()
    life.core.close(now=life.now)
    closed, last = life.take()
    assert closed == ClosePeers(peers=PEERS)
    assert isinstance(last, Closed)
    assert life.reason.reason is Reason.CANCELLED
    life.core.offer_made(PEERS, PUB, 1, SDP, now=life.now)
    assert life.take() == []
    assert urls(life) == []


@both
@pytest.mark.parametrize("how", ["fails", "stalls"])
def test_an_owner_that_cannot_make_the_offer_ends_the_session(kind: Kind, how: str) -> None:
    life = prepared(kind)
    begun = life.now
    if how == "fails":
        life.core.peer_failed(PEERS, PUB, "no address", now=life.now)
    else:
        life.wait(60)
    reason = life.reason
    assert (reason.origin, reason.reason) == (Origin.LINK, Reason.MEDIA_FAILURE)
    assert reason.retryable
    assert ClosePeers(peers=PEERS) in life.outputs
    assert urls(life) == []
    assert how == "fails" or life.now >= begun + Timeouts().negotiation


def test_a_refusal_closes_what_was_prepared() -> None:
    life = SessionLife(preparing(with_peers()))
    life.connect()
    life.make_offer()
    life.refuse(401, b"invalid token")
    life.answer_get(401, b"invalid token")
    assert life.reason.reason is Reason.BAD_TOKEN
    assert ClosePeers(peers=PEERS) in life.outputs


def test_a_request_made_while_the_offer_is_made_is_held_until_the_join() -> None:
    life = SessionLife(preparing(with_peers()))
    life.connect()
    life.session.mute_track("TR_1", True, now=life.now)
    life.make_offer()
    life.open()
    assert life.said == []
    life.hear(media_join(PathVersion.V1))
    assert life.said == ["ping_req", "mute"]
