"""Recorded lives, lived again: nothing differs, and where something does, it is told.

`transcripts` has lives with a real server. Each was recorded by the command that its users have:

    kitwire join URL --token TOKEN --path v1 --duration 1 --record tests/core/transcripts/x.jsonl

`python -m tests.core.transcripts.record` starts a livekit-server and records all of them anew; do
so when a difference is meant, and read what has changed. A new episode is a line in that module.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.commands import PeerState
from kitwire.config import (
    ClientConfig,
    PathVersion,
    PeerCapabilities,
    ReconnectPolicy,
    Timeouts,
    TokenPlacement,
)
from kitwire.errors import CloseReason, DialError, LocalProtocolError, Origin, Reason
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from kitwire.trace import TraceRecord
from kitwire.transcript import (
    Difference,
    TranscriptError,
    replay,
    transcript_header,
    transcript_line,
)
from tests.peers.frames import join, leave
from tests.peers.lives import TOKEN, URL, SessionLife, configured
from tests.peers.media_lives import PEERS, PUB, SUB, media_join, with_peers

Live = Callable[[SessionLife], object]

TRANSCRIPTS = Path(__file__).parent / "transcripts"


def recorded(live: Live, config: ClientConfig | None = None) -> list[str]:
    """The transcript of a life."""
    records: list[TraceRecord] = []
    config = replace(config or configured(), trace=records.append)
    live(SessionLife(config))
    return [transcript_header(config), *map(transcript_line, records)]


def names(lines: list[str]) -> list[str]:
    return [json.loads(line)["name"] for line in lines[1:]]


# --- lives with a real server ---


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.glob("*.jsonl")))
def test_a_life_with_a_real_server(name: str) -> None:
    with (TRANSCRIPTS / f"{name}.jsonl").open(encoding="ascii") as lines:
        assert replay(lines) is None


def test_there_are_lives_with_a_real_server() -> None:
    lines = {
        path.stem: path.read_text(encoding="ascii").splitlines()
        for path in TRANSCRIPTS.glob("*.jsonl")
    }
    assert {"join_v0", "join_v1"} <= lines.keys()
    for name, life in lines.items():
        assert "eyJ" not in "".join(life), name
        assert names(life)[-1] == "Closed", name


# --- lives with a made-up server ---


def _whole(life: SessionLife) -> None:
    life.reach(Phase.JOINED)
    life.wait(7.25)
    life.session.mute_track("TR_1", True, now=life.now)
    life.hear(rtc.SignalResponse(pong_resp=rtc.Pong(last_ping_timestamp=1005000, timestamp=5)))
    life.session.send_ping_req(now=life.now)
    life.wait(1)
    life.close()
    life.hear(leave(models.CLIENT_INITIATED))


def _refused(life: SessionLife) -> None:
    life.connect()
    life.refuse(404)
    life.refuse(401, f"invalid token: {TOKEN}, error: expired\nmore".encode())
    life.answer_get(401, b"no permissions to access the room \xff")


def _unheard(life: SessionLife) -> None:
    life.connect()
    life.session.link_failed(life.link, DialError.TLS, f"for {TOKEN}", now=life.now)


def _timed_out(life: SessionLife) -> None:
    life.reach(Phase.JOINED)
    life.oversleep(1000)
    life.wait(5)


def _malformed(life: SessionLife) -> None:
    life.connect()
    life.open()
    life.hear_frame("")
    life.hear(join())
    for frame in (
        b"\x0a\xff",
        f'{{"x": "{TOKEN}"',
        "{}",
        b"\xfa\x07\x01x",
        "",
        "{",
        "[]",
        "1",
        b"\xff",
    ):
        life.hear_frame(frame)


def _closed_for_a_cause(life: SessionLife) -> None:
    life.reach(Phase.JOINED)
    cause = CloseReason(
        origin=Origin.LOCAL, reason=Reason.EVENTS_OVERFLOWED, detail="d", retryable=True
    )
    life.session.close(now=life.now, leave_reason=msg.DisconnectReason.STATE_MISMATCH, cause=cause)
    life.cut(1001, "bye")


def _requests(life: SessionLife) -> None:
    """Each request once, in a way that shows its arguments."""
    life.reach(Phase.JOINING)
    session, now = life.session, life.now
    track = msg.AddTrackRequest(cid="c", name="n", type=msg.TrackType.VIDEO, width=640)
    session.add_track(track, now=now)
    life.hear(join())
    session.mute_track("TR_1", True, now=now)
    session.update_audio_track("TR_1", [msg.AudioTrackFeature.TF_STEREO], now=now)
    session.update_video_track("TR_1", width=2, height=3, now=now)
    session.update_video_layers("TR_1", [msg.VideoLayer(ssrc=7)], now=now)
    tracks = [msg.ParticipantTracks(participant_sid="PA_1", track_sids=["TR_3"])]
    session.update_subscription(subscribe=True, participant_tracks=tracks, now=now)
    session.update_track_settings(["TR_1"], disabled=True, fps=3, priority=4, now=now)
    permission = msg.TrackPermission(participant_identity="bob", all_tracks=True)
    session.update_subscription_permission(
        all_participants=False, track_permissions=[permission], now=now
    )
    session.update_metadata("m", name="n", attributes={"a": "b"}, now=now)
    encoding = msg.DataTrackFrameEncoding(custom="x")
    session.publish_data_track("d", pub_handle=5, frame_encoding=encoding, now=now)
    session.unpublish_data_track(6, now=now)
    session.update_data_subscription(
        [msg.UpdateDataSubscriptionUpdate(track_sid="DTR_1", subscribe=True)], now=now
    )
    key = msg.DataBlobKey(generic="k")
    session.store_data_blob(key, b"\xff\x00", now=now)
    session.get_data_blob(key, participant_identity="bob", now=now)
    session.send_offer("a=ice-ufrag:x", offer_id=3, now=now)
    session.send_answer("a=ice-ufrag:y", offer_id=4, now=now)
    session.send_trickle('{"usernameFragment":"x"}', target=msg.SignalTarget.SUBSCRIBER, now=now)
    session.send_sync_state(msg.SyncState(publish_tracks=[]), now=now)
    session.send_ping(now=now)
    session.send_ping_req(now=now)
    session.simulate(msg.SimulateScenario(speaker_update=3), now=now)
    life.wait(20)


SDP = "v=0\r\na=ice-ufrag:{0}\r\na=ice-pwd:hush\r\na=mid:0\r\n"


def _offer(fragment: str, number: int) -> rtc.SignalResponse:
    sdp = SDP.format(fragment)
    return rtc.SignalResponse(offer=rtc.SessionDescription(type="offer", sdp=sdp, id=number))


def _answer(fragment: str, number: int) -> rtc.SignalResponse:
    sdp = SDP.format(fragment)
    return rtc.SignalResponse(answer=rtc.SessionDescription(type="answer", sdp=sdp, id=number))


def _candidate(fragment: str) -> rtc.SignalResponse:
    line = f"candidate:1 1 udp 1 127.0.0.1 9 typ host ufrag {fragment}"
    init = json.dumps({"candidate": line, "sdpMid": "0"})
    return rtc.SignalResponse(trickle=rtc.TrickleRequest(candidateInit=init, target=rtc.SUBSCRIBER))


def _media(life: SessionLife) -> None:
    """The server restarts ICE, which the peer connections can follow: candidates find theirs."""
    life.reach(Phase.JOINING)
    life.hear(media_join(PathVersion.V0))
    session = life.session
    life.hear(_candidate("one"), _candidate("two"), _offer("one", 1))
    session.answer_made(PEERS, SUB, 1, SDP.format("ours"), now=life.now)
    life.hear(_candidate("one"), _offer("two", 2))
    session.answer_made(PEERS, SUB, 2, SDP.format("ours"), now=life.now)
    life.hear(_candidate("one"), _candidate("two"))
    session.negotiate(now=life.now)
    session.offer_made(PEERS, PUB, 1, SDP.format("ours"), now=life.now)
    life.hear(_answer("three", 1))
    with pytest.raises(LocalProtocolError):
        session.answer_made(PEERS, SUB, 9, "never asked for", now=life.now)
    session.answer_applied(PEERS, PUB, 1, now=life.now)
    session.peer_state_changed(PEERS, PUB, PeerState.CONNECTED, now=life.now)
    session.peer_failed(PEERS, SUB, SDP.format("ours"), now=life.now)


def _media_that_cannot_restart(life: SessionLife) -> None:
    life.reach(Phase.JOINING)
    life.hear(media_join(PathVersion.V0))
    for number, fragment in ((1, "one"), (2, "one"), (3, "two")):
        life.hear(_offer(fragment, number))
        if number < 3:
            life.session.answer_made(PEERS, SUB, number, SDP.format("ours"), now=life.now)


def _prepared(life: SessionLife) -> None:
    life.connect()
    life.session.offer_made(PEERS, PUB, 1, SDP.format("ours"), now=life.now)
    life.open()
    life.hear(media_join(PathVersion.V1), _answer("one", 1))
    life.cut()


def _offering_on_v0(life: SessionLife) -> None:
    """The offer of the config is sent after the join, and made again later."""
    life.reach(Phase.JOINING)
    life.hear(join())
    life.session.send_offer(SDP.format("ours"), offer_id=2, now=life.now)
    life.hear(_answer("one", 1))


V0 = PathVersion.V0
FOLLOWS = PeerCapabilities(ice_restart=True)
LIVES: dict[str, tuple[Live, ClientConfig]] = {
    "whole": (_whole, configured()),
    "refused": (_refused, configured()),
    "not connected": (_unheard, configured(token_placement=TokenPlacement.QUERY)),
    "timed out": (_timed_out, configured()),
    "malformed frames": (_malformed, configured()),
    "closed for a cause": (_closed_for_a_cause, configured()),
    "every request": (_requests, configured()),
    "metadata after the join": (_whole, configured(path=V0, metadata=f"mine: {TOKEN}")),
    "media": (_media, with_peers(V0, peers=FOLLOWS)),
    "an ICE restart": (_media_that_cannot_restart, with_peers(V0)),
    "no end to a wait": (_whole, configured(timeouts=Timeouts(open=math.inf, join=3))),
    "an offer with the join": (_prepared, with_peers(ice_servers=())),
    "an offer of the config": (
        _offering_on_v0,
        configured(path=V0, publisher_offer=SDP.format("ours"), attributes={"a": "b"}),
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_a_life_is_lived_again(name: str) -> None:
    live, config = LIVES[name]
    lines = recorded(live, config)
    assert replay(lines) is None
    # As a file has them.
    assert replay(f"{line}\n" for line in lines) is None
    assert "hush" not in "".join(lines)
    assert "eyJ" not in "".join(lines)


def test_the_lives_show_what_they_are_for() -> None:
    """A candidate waits for its description, and an ICE restart ends what cannot follow it."""
    seen = {name: names(recorded(*LIVES[name])) for name in ("media", "an ICE restart")}
    assert seen["media"].count("AddCandidate") == 4
    assert "NegotiationFailed" in seen["an ICE restart"]


def test_every_request_is_among_the_lives() -> None:
    called = set(names(recorded(*LIVES["every request"])))
    requests = {name for name in dir(Session) if name.startswith(("add_", "mute_", "update_"))}
    requests |= {name for name in dir(Session) if name.startswith(("send_", "publish_"))}
    assert requests | {"simulate", "store_data_blob", "get_data_blob"} <= called


def test_a_session_that_draws_numbers_draws_them_again() -> None:
    """The waits between attempts to come back are random."""
    records: list[TraceRecord] = []
    config = configured(trace=records.append, reconnect=ReconnectPolicy())
    life = SessionLife(config)
    life.session = Session(config, jitter=iter([0.5, 0.25, 0.125]).__next__)
    life.reach(Phase.JOINED)
    life.cut()
    for _ in range(3):
        life.wait(1)
        life.session.link_failed(life.link, DialError.REFUSED, now=life.now)
    life.wait(1)
    life.open()
    life.hear(join())
    lines = [transcript_header(config), *map(transcript_line, records)]
    assert names(lines)[-1] == "Restarted"
    assert names(lines).count("jitter") == 3
    assert replay(lines) is None
    # Without the numbers the waits are others.
    assert replay(line for line in lines if '"jitter"' not in line) is not None
    found = replay(line.replace('"number":0.25', '"number":0.75') for line in lines)
    assert found is not None
    assert json.loads(found.expected or "")["name"] == "Restarting"


def test_a_number_that_nobody_draws() -> None:
    lines = [*recorded(_unheard), record(name="jitter", fields={"number": 0.5})]
    found = replay(lines)
    assert found is not None
    assert (found.line, found.got) == (len(lines), None)


# --- differences ---


def without(lines: list[str], *gone: str) -> list[str]:
    """The transcript without the first record of each name."""
    lines = [*lines]
    for name in gone:
        del lines[names(lines).index(name) + 1]
    return lines


def test_an_output_that_differs() -> None:
    lines = recorded(_unheard)
    last = lines[-1].replace('"TLS_FAILURE"', '"UNREACHABLE"')
    found = replay([*lines[:-1], last])
    assert found == Difference(
        line=len(lines), where="fields.reason.reason", expected=last, got=lines[-1]
    )
    assert str(found) == (
        f"line {len(lines)}, fields.reason.reason: expected {last}, got {lines[-1]}"
    )


def test_an_output_that_is_not_recorded() -> None:
    lines = recorded(_unheard)
    found = replay(lines[:-1])
    assert found == Difference(line=len(lines), where="", expected=None, got=lines[-1])
    found = replay(without(lines, "CloseLink"))
    assert found is not None
    assert (found.where, found.got) == ("name", lines[-2])


def test_an_output_that_does_not_come() -> None:
    lines = recorded(_unheard)
    assert replay([*lines, lines[-1]]) == Difference(
        line=len(lines) + 1, where="", expected=lines[-1], got=None
    )


def test_an_input_that_is_refused() -> None:
    lines = recorded(_whole)
    found = replay(without(lines, "connect", "OpenLink"))
    assert found is not None
    assert (found.line, found.got) == (2, None)
    found = replay([*lines[:3], lines[1]])
    assert found is not None
    assert found.got == "connect: not allowed in phase OPENING; allowed in IDLE"


def test_a_difference_deep_inside() -> None:
    lines = recorded(_whole, configured())
    number = names(lines).index("Joined") + 1
    changed = lines[number].replace('"turn:turn.test"', '"turn:another.test"')
    found = replay([*lines[:number], changed, *lines[number + 1 :]])
    assert found is not None
    assert (found.line, found.where) == (number + 1, "fields.ice_servers.0.urls.0")


def test_another_secret_than_the_recorded_one() -> None:
    lines = recorded(_media, LIVES["media"][1])
    number = names(lines).index("answer_made") + 1
    changed = lines[number].replace("<redacted-", "<redacted-9")
    found = replay([*lines[:number], changed, *lines[number + 1 :]])
    assert found is not None
    assert found.where.endswith("sdp")


# --- what is no transcript ---

HEADER = transcript_header(configured())


def header(**settings: object) -> str:
    plain = json.loads(HEADER)
    plain["config"] |= settings
    return json.dumps(plain)


RECORD = {"at": 1.0, "direction": "in", "name": "connect", "fields": {}}


def record(**changes: object) -> str:
    return json.dumps(RECORD | changes)


def frame(message: object) -> str:
    return record(name="receive_message", fields={"link": 1, "message": message})


BAD: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "line 1: there is nothing"),
    "prose": (["dear all"], "line 1: not JSON, or cut off"),
    "a list": (["[]"], "line 1: not a JSON object"),
    "another JSON": (['{"event": "joined"}'], "line 1: not the header of a transcript"),
    "another version": (
        ['{"kitwire_transcript": 2}'],
        "line 1: a transcript of version 2; this kitwire reads version 1",
    ),
    "no config": (
        ['{"kitwire_transcript": 1}'],
        "line 1: a config that .*dict expected, not None",
    ),
    "an unknown setting": ([header(colour="red")], "ClientConfig has no colour"),
    "a setting of another kind": ([header(path=1)], "1 is not a valid PathVersion"),
    "a bad setting": ([header(token="")], "the token is empty"),
    "a bad number": ([header(timeouts={"open": "soon"})], "float expected, not str"),
    "bad servers": ([header(ice_servers={})], "list expected, not dict"),
    "half a config": (['{"kitwire_transcript": 1, "config": {}}'], "something of ClientConfig is"),
    "a bad URL": ([header(url="nowhere")], "line 1: a config that no session can have"),
    "cut off": ([HEADER, record(), '{"at": 1.0, "dir'], "line 3: not JSON, or cut off"),
    "too deep": ([HEADER, "[" * 100_000], "line 2: not JSON, or cut off"),
    "no record": ([HEADER, '{"at": 1.0}'], "line 2: not the record of an input or an output"),
    "an unknown input": ([HEADER, record(name="dance")], r"no input .* \(there is no dance\)"),
    "a private method": ([HEADER, record(name="_open")], "there is no _open"),
    "no method": ([HEADER, record(name="config")], "there is no config"),
    "no input": ([HEADER, record(name="poll")], "there is no poll"),
    "no argument": ([HEADER, record(name="link_opened")], "link_opened needs link"),
    "an unknown argument": ([HEADER, record(fields={"why": 1})], "nothing takes why"),
    "a bad argument": (
        [HEADER, record(name="link_opened", fields={"link": "1"})],
        "int expected, not str",
    ),
    "a request of nothing": ([HEADER, record(fields={"request": {}})], "the request is empty"),
    "a bad request": ([HEADER, record(fields={"request": {"mute": 3}})], "expected an object"),
    "no frame": ([HEADER, frame(3)], "a message is a JSON object"),
    "a bad frame": ([HEADER, frame({"mute": 3})], "expected an object"),
    "bad unknown fields": ([HEADER, frame({"unknown_fields": "x"})], "list expected, not str"),
    "no number": ([HEADER, record(name="jitter")], "line 2: a number was drawn, but there is"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_transcript_is_refused(name: str) -> None:
    lines, problem = BAD[name]
    with pytest.raises(TranscriptError, match=problem) as refused:
        replay(lines)
    assert refused.value.line == max(len(lines), 1)
    assert refused.value.problem in str(refused.value)


# --- the header ---


def test_the_header_has_the_config_without_its_secrets() -> None:
    config = ClientConfig(
        url="https://livekit.test/prefix?region=hush&access_token=hush&flag",
        token=TOKEN,
        metadata=f"mine: {TOKEN}",
        publisher_offer=SDP.format("hush"),
        ice_servers=(msg.IceServer(urls=["turn:t"], username="hush", credential="hush"),),
        add_tracks=(msg.AddTrackRequest(cid="c"),),
    )
    line = transcript_header(config)
    assert "hush" not in line
    assert "eyJ" not in line
    settings = json.loads(line)["config"]
    assert settings["url"] == (
        "wss://livekit.test/prefix?region=<redacted>&access_token=<redacted>&flag=<redacted>"
    )
    assert settings["publisher_offer"] == SDP.format("<config-1>").replace("hush", "<config-1>")
    assert "trace" not in settings
    assert replay([line]) is None


def test_the_url_must_be_one() -> None:
    with pytest.raises(ValueError, match="must start with"):
        transcript_header(ClientConfig(url="nowhere", token=TOKEN))
    assert URL in HEADER
