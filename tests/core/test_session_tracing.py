"""What a trace records of a life, and what it must never record."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from livekit.protocol import models, rtc

from kitwire import messages as msg
from kitwire.commands import LinkId, SendMessage
from kitwire.config import ClientConfig, Encoding, PathVersion, TokenPlacement
from kitwire.errors import CloseReason, DialError, Origin, Reason
from kitwire.session.phases import Phase
from kitwire.session.regions import LONGEST_ANSWER
from kitwire.session.tracing import Tracer
from kitwire.trace import TraceRecord
from kitwire.transcript import replay, transcript_header, transcript_line
from tests.peers.frames import join, leave, said
from tests.peers.lives import TOKEN, URL, SessionLife, configured

SECRETS = ("eyJ", "hush-ufrag", "hush-pwd", "hush-credential", "hush-trailer", "hush-turn")
SDP = "v=0\r\na=ice-ufrag:hush-ufrag\r\na=ice-pwd:hush-pwd\r\na=mid:0\r\n"
CANDIDATE = json.dumps(
    {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host ufrag hush-ufrag", "sdpMid": "0"}
)


class Traced(SessionLife):
    """A session whose trace is kept."""

    def __init__(self, config: ClientConfig | None = None) -> None:
        self.records: list[TraceRecord] = []
        super().__init__(config)

    @classmethod
    def made(cls, **options: object) -> Traced:
        records: list[TraceRecord] = []
        options.setdefault("reconnect", None)
        config = ClientConfig(url=URL, token=TOKEN, trace=records.append, **options)  # type: ignore[arg-type]  # by name
        life = cls(config)
        life.records = records
        return life

    def names(self) -> list[str]:
        return [f"{record.direction} {record.name}" for record in self.records]

    def fields_of(self, name: str) -> list[object]:
        return [dict(record.fields) for record in self.records if record.name == name]


def test_a_life_is_recorded_in_order() -> None:
    life = Traced.made()
    life.connect()
    life.open()
    life.hear(join())
    life.now += 1
    life.session.mute_track("TR_1", True, now=life.now)
    life.close()
    life.hear(leave(models.CLIENT_INITIATED))
    assert life.names() == [
        "in connect",
        "out OpenLink",
        "in link_opened",
        "in receive_message",
        "out Joined",
        "out SendMessage",
        "in mute_track",
        "out SendMessage",
        "in close",
        "out SendMessage",
        "in receive_message",
        "out LeaveReceived",
        "out CloseLink",
        "out RequestEnded",
        "out Closed",
    ]
    assert [record.at for record in life.records] == [1000.0] * 6 + [1001.0] * 9
    outputs = [record.name for record in life.records if record.direction == "out"]
    assert outputs == [type(output).__name__ for output in life.outputs]


def test_records_name_what_was_said() -> None:
    life = Traced.made()
    life.reach(Phase.JOINED)
    life.session.mute_track("TR_1", True, now=life.now)
    life.hear(rtc.SignalResponse(mute=rtc.MuteTrackRequest(sid="TR_2", muted=True)))
    life.session.close(
        now=life.now,
        cause=CloseReason(
            origin=Origin.LOCAL, reason=Reason.EVENTS_OVERFLOWED, detail="d", retryable=True
        ),
    )
    life.cut(1000)
    assert life.fields_of("SendMessage")[1] == {
        "link": 1,
        "message": {"mute": {"sid": "TR_1", "muted": True}},
    }
    assert life.fields_of("mute_track") == [{"request": {"mute": {"sid": "TR_1", "muted": True}}}]
    assert life.fields_of("receive_message")[1] == {
        "link": 1,
        "message": {"mute": {"sid": "TR_2", "muted": True}},
    }
    assert life.fields_of("MuteReceived") == [{"sid": "TR_2", "muted": True}]
    reason = {
        "origin": "LOCAL",
        "reason": "EVENTS_OVERFLOWED",
        "detail": "d",
        "retryable": True,
    }
    assert life.fields_of("close") == [{"leave_reason": "CLIENT_INITIATED", "cause": reason}]
    assert life.fields_of("Closed") == [{"reason": reason}]
    assert life.fields_of("RequestEnded") == [
        {
            "key": {"number": 1, "request": "mute_track"},
            "result": None,
            "failure": {"reason": "ABORTED", "message": "EVENTS_OVERFLOWED (d)"},
        }
    ]
    assert life.fields_of("link_closed") == [{"link": 1, "code": 1000, "detail": ""}]


def test_the_servers_words_are_words_and_not_frames() -> None:
    """Fields called `message` hold texts, which must not be taken for frames."""
    life = Traced.made()
    life.reach(Phase.JOINED)
    life.session.update_metadata(name="x", now=life.now)
    refused = rtc.RequestResponse(
        request_id=1, reason=rtc.RequestResponse.NOT_ALLOWED, message='{"join": {}}'
    )
    life.hear(rtc.SignalResponse(request_response=refused))
    (received,) = life.fields_of("RequestResponseReceived")
    assert received == {
        "request_id": 1,
        "reason": "NOT_ALLOWED",
        "message": '{"join": {}}',
        "request": None,
    }
    (ended,) = life.fields_of("RequestEnded")
    assert ended == {
        "key": {"number": 1, "request": "update_metadata"},
        "result": None,
        "failure": {"reason": "NOT_ALLOWED", "message": '{"join": {}}'},
    }


@pytest.mark.parametrize("frame", [b"\x0a\xff", "{", "\ud800", f'{{"x": "{TOKEN}"', b""])
def test_frames_that_are_none_are_recorded_too(frame: bytes | str) -> None:
    life = Traced.made()
    life.reach(Phase.JOINED)
    life.hear_frame(frame)
    (_, record) = life.fields_of("receive_message")
    assert isinstance(record, dict)
    if frame:
        assert record["message"]["size"] == len(frame)
        assert record["message"]["malformed"]
    else:
        assert record["message"] == {}


def test_secrets_are_left_out_whatever_they_look_like() -> None:
    """Not every token need look like one."""
    life = Traced.made()
    life.reach(Phase.JOINED)
    life.hear(
        rtc.SignalResponse(refresh_token="plain"),
        rtc.SignalResponse(offer=rtc.SessionDescription(type="offer", sdp="plain", id=1)),
    )
    assert life.fields_of("TokenRefreshed") == [{"token": "<redacted>"}]
    assert life.fields_of("OfferReceived") == [
        {"type": "offer", "sdp": "<redacted>", "id": 1, "mid_to_track_id": {}}
    ]
    assert life.fields_of("OpenLink") == [{"link": 1, "url": "<redacted>", "headers": "<redacted>"}]
    (_, refresh, _) = life.fields_of("receive_message")
    # The third secret: an ICE server has two.
    assert refresh == {"link": 1, "message": {"refresh_token": "<redacted-3>"}}


def received(*messages: rtc.SignalResponse) -> list[object]:
    """What is recorded of messages after the join, their secrets counted from 3."""
    life = Traced.made()
    life.reach(Phase.JOINED)
    life.hear(*messages)
    recorded = life.fields_of("receive_message")[1:]
    return [fields["message"] for fields in recorded if isinstance(fields, dict)]


def test_equal_secrets_have_one_name_and_others_have_another() -> None:
    """A session compares them: a candidate's user name with that of a description."""
    sdp = "a=ice-ufrag:{}\r\na=ice-pwd:hush-pwd\r\n"
    offer, first, second, again = received(
        rtc.SignalResponse(offer=rtc.SessionDescription(sdp=sdp.format("ab/c"))),
        rtc.SignalResponse(trickle=rtc.TrickleRequest(candidateInit='"x typ host ufrag ab\\/c"')),
        rtc.SignalResponse(trickle=rtc.TrickleRequest(candidateInit='{"usernameFragment":"abd"}')),
        rtc.SignalResponse(answer=rtc.SessionDescription(sdp=sdp.format("abd"))),
    )
    assert "a=ice-ufrag:<redacted-3>\\r\\na=ice-pwd:<redacted-4>" in json.dumps(offer)
    assert "ufrag <redacted-3>" in json.dumps(first)
    assert "<redacted-5>" in json.dumps(second)
    assert "a=ice-ufrag:<redacted-5>\\r\\na=ice-pwd:<redacted-4>" in json.dumps(again)


def test_what_stands_for_a_secret_is_as_valid_as_it_was() -> None:
    """Whoever reads a record again decides as on the secret itself."""
    assert received(
        rtc.SignalResponse(refresh_token="plain"),
        rtc.SignalResponse(refresh_token="no token\n"),
        rtc.SignalResponse(refresh_token=""),
    ) == [
        {"refresh_token": "<redacted-3>"},
        {"refresh_token": "<redacted 4>"},
        {"refresh_token": ""},
    ]
    message = join()
    message.join.sif_trailer = b"hush-trailer"
    (plain,) = received(message)
    trailer = json.loads(json.dumps(plain))["join"]["sif_trailer"]
    assert base64.b64decode(trailer, validate=True) == b"<redacted>"


def test_what_a_refusal_said_is_recorded() -> None:
    life = Traced.made(path=PathVersion.V0)
    life.connect()
    life.refuse(401, f"no\x00pe: {TOKEN[:10]}\x1b{TOKEN[10:]}\n\xff".encode("latin-1"))
    life.answer_get(401, b"y" * (LONGEST_ANSWER + 1))
    assert life.fields_of("link_refused") == [
        {"link": 1, "status": 401, "body": "nope: <redacted>\n\ufffd"}
    ]
    assert life.fields_of("http_responded") == [
        {"link": 2, "status": 401, "body": "y" * LONGEST_ANSWER}
    ]


def test_the_fields_that_a_newer_server_sends_are_counted() -> None:
    life = Traced.made()
    life.reach(Phase.JOINED)
    life.hear_frame(b"\xfa\x07\x01x\xfa\x07\x01y")
    (_, record) = life.fields_of("receive_message")
    assert record == {"link": 1, "message": {"unknown_fields": [127]}}


def test_times_are_texts() -> None:
    records: list[TraceRecord] = []
    batch = msg.MetricsBatch(normalized_timestamp=msg.Timestamp(seconds=1))
    Tracer(records.append).input(0.0, "metrics", {"batch": batch})
    assert "1970-01-01T00:00:01Z" in json.dumps(dict(records[0].fields))


def test_a_number_that_was_drawn_is_recorded_and_given_back() -> None:
    records: list[TraceRecord] = []
    assert Tracer(records.append).drawn(3.0, 0.25) == 0.25
    fields = {"number": 0.25}
    assert records == [TraceRecord(at=3.0, direction="in", name="jitter", fields=fields)]


def test_without_a_trace_nothing_is_recorded_and_nothing_looked_at() -> None:
    """Not even what could not be recorded."""
    tracer = Tracer(None)
    tracer.input(0.0, "receive_message", {"message": object()})
    tracer.output(0.0, SendMessage(link=LinkId(1), data=b"no request at all \xff"))
    assert tracer.drawn(0.0, 0.5) == 0.5


def test_input_that_is_dropped_is_not_recorded() -> None:
    life = Traced.made()
    life.reach(Phase.CLOSED)
    before = list(life.records)
    life.cut()
    life.open()
    life.close()
    assert life.records == before


def everything(life: Traced) -> None:
    """A life in which every secret goes by, some of them more than once."""
    life.connect()
    life.refuse(404, f"no {TOKEN}".encode())
    life.open()
    life.hear_frame(f'{{"refreshToken": "{TOKEN}", "trickle": 7')
    joining = join()
    joining.join.sif_trailer = b"hush-trailer"
    joining.join.room.turn_password = "hush-turn"
    joining.join.ice_servers[0].credential = "hush-credential"
    joining.join.participant.metadata = f"a token by mistake: {TOKEN}"
    life.hear(joining)
    session, now = life.session, life.now
    session.send_offer(SDP, offer_id=1, now=now)
    session.send_answer(SDP, offer_id=1, now=now)
    session.send_trickle(CANDIDATE, target=msg.SignalTarget.PUBLISHER, now=now)
    session.send_sync_state(
        msg.SyncState(answer=msg.SessionDescription(type="answer", sdp=SDP)), now=now
    )
    session.update_metadata(metadata=f"mine: {TOKEN}", now=now)
    description = rtc.SessionDescription(type="offer", sdp=SDP, id=1)
    life.hear(
        rtc.SignalResponse(offer=description),
        rtc.SignalResponse(answer=description),
        rtc.SignalResponse(trickle=rtc.TrickleRequest(candidateInit=CANDIDATE)),
        rtc.SignalResponse(refresh_token=f"{TOKEN}x"),
        rtc.SignalResponse(room_moved=rtc.RoomMovedResponse(token=f"{TOKEN}y")),
        rtc.SignalResponse(
            request_response=rtc.RequestResponse(
                request_id=1,
                reason=rtc.RequestResponse.NOT_ALLOWED,
                message=f"invalid token: {TOKEN}",
                trickle=rtc.TrickleRequest(candidateInit=CANDIDATE),
            )
        ),
        rtc.SignalResponse(room_update=rtc.RoomUpdate(room=models.Room(turn_password="hush-turn"))),
    )
    life.hear_frame(said(rtc.SignalResponse(refresh_token=TOKEN))[:-4])
    life.hear_frame(f'{{"{TOKEN}": "{TOKEN}", "join": "{TOKEN}"}}')
    life.cut(4000, f"go away, {TOKEN}")


SETTINGS: dict[str, dict[str, object]] = {
    "as it comes": {},
    "JSON": {"encoding": Encoding.JSON},
    "token in the URL": {"token_placement": TokenPlacement.QUERY},
    "with everything on board": {
        "publisher_offer": SDP,
        "metadata": f"mine: {TOKEN}",
        "attributes": {"mine": TOKEN},
    },
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_secret_is_in_any_record_event_or_command(settings: str) -> None:
    life = Traced.made(**SETTINGS[settings])
    everything(life)
    assert life.reason.reason == "LINK_LOST"
    transcript = [transcript_header(life.session.config), *map(transcript_line, life.records)]
    assert replay(transcript) is None
    shown = [*transcript, *(repr(record) for record in life.records)]
    shown += [json.dumps(dict(record.fields)) for record in life.records]
    shown += [repr(life.session.config), str(life.reason)]
    for text in shown:
        for secret in (*SECRETS, base64.b64encode(b"hush-trailer").decode()):
            assert secret not in text, text
    # What has a token in it of its own accord shows it: metadata is the application's.
    for output in life.outputs:
        text = repr(output).replace(f"a token by mistake: {TOKEN}", "")
        for secret in SECRETS:
            assert secret not in text, text


@pytest.mark.parametrize("path", [PathVersion.V0, PathVersion.V1])
def test_no_refusal_shows_the_token_that_it_quotes(path: PathVersion) -> None:
    """The real server's 401 contains the whole token."""
    body = f"invalid token: {TOKEN}, error: go-jose: validation failed".encode()
    life = Traced.made(path=path)
    life.connect()
    life.refuse(401, body)
    life.answer_get(401, body)
    assert life.reason.reason == "BAD_TOKEN"
    assert "<redacted>" in life.reason.detail
    for shown in (*map(repr, life.records), *map(repr, life.outputs), str(life.reason)):
        assert "eyJ" not in shown


@pytest.mark.parametrize("error", DialError)
def test_no_dial_error_shows_a_token(error: DialError) -> None:
    life = Traced.made()
    life.connect()
    life.session.link_failed(life.link, error, f"while sending {TOKEN}", now=life.now)
    for shown in (*map(repr, life.records), *map(repr, life.outputs), str(life.reason)):
        assert "eyJ" not in shown


def test_no_exception_shows_a_token() -> None:
    cases: list[Callable[[], object]] = [
        lambda: SessionLife(configured(metadata=f"{TOKEN}\ud800")),
        lambda: SessionLife(ClientConfig(url=f"ftp://x/?access_token={TOKEN}", token=TOKEN)),
        lambda: SessionLife(ClientConfig(url=URL, token=f"{TOKEN}\n")),
    ]
    for bad in cases:
        with pytest.raises(ValueError, match=r".") as caught:
            bad()
        assert "eyJ" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_every_record_can_be_written_as_json() -> None:
    life = Traced.made()
    everything(life)
    for record in life.records:
        assert json.loads(json.dumps(dict(record.fields))) == dict(record.fields)
