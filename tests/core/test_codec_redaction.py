"""What foreign text is shown without. Every secret here is made up, or from a throwaway key."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwire.codec.redaction import MASK, redact_jwt, redact_text
from tests.fuzz.recorded import frames


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


HEADER, CLAIMS = part({"alg": "HS256", "typ": "JWT"}), part({"video": {"roomJoin": True}})
SIGNATURE = "s3cr3t-_s1gn4tur3"
TOKEN = f"{HEADER}.{CLAIMS}.{SIGNATURE}"


def hidden(text: str, *secrets: str) -> str:
    shown = redact_text(text)
    for secret in secrets:
        assert secret not in shown
    assert MASK in shown
    return shown


def test_a_token_in_a_servers_error_body() -> None:
    body = f"invalid token: {TOKEN}, error: token is expired by 5s"
    assert hidden(body, TOKEN) == f"invalid token: {MASK}, error: token is expired by 5s"


@pytest.mark.parametrize("end", range(6, len(TOKEN)))
def test_a_token_that_is_cut_short(end: int) -> None:
    assert redact_text(f"({TOKEN[:end]}") == f"({MASK}"
    assert redact_jwt(f"({TOKEN[:end]}") == f"({MASK}"


@pytest.mark.parametrize("before", ["=", "%20", "%3D", "/", '"', "x", "0", "_"])
def test_a_token_after_anything(before: str) -> None:
    assert redact_text(before + TOKEN) == before + MASK
    assert redact_jwt(before + TOKEN) == before + MASK


def test_a_token_whose_beginning_is_missing() -> None:
    assert redact_text(f"…{CLAIMS}.{SIGNATURE}") == f"…{MASK}"


@pytest.mark.parametrize(
    "text",
    [
        f"wss://example.com/rtc?access_token={TOKEN}&protocol=16",
        f"/rtc?auto_subscribe=1&access_token={TOKEN}",
        f"/rtc?access_token={urllib.parse.quote(TOKEN).replace('.', '%2E')}&sid=x",
        "/rtc?access_token=opaque-secret&x=1",
        "GET /rtc?token=opaque-secret HTTP/1.1",
        "/rtc/v1?join_request=Q2kzb3BhcXVlLXNlY3JldA==",
    ],
)
def test_tokens_in_urls(text: str) -> None:
    shown = hidden(text, TOKEN, SIGNATURE, "opaque-secret", "Q2kzb3BhcXVlLXNlY3JldA")
    for kept in ("protocol=16", "sid=x", "x=1", " HTTP/1.1", "auto_subscribe=1"):
        assert (kept in shown) == (kept in text)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {TOKEN}",
        "authorization: bearer opaque-secret",
        "['Bearer opaque-secret']",
        "Bearer   opaque-secret\r\nHost: x",
    ],
)
def test_authorization_headers(text: str) -> None:
    shown = hidden(text, TOKEN, "opaque-secret")
    assert "earer" in shown


UFRAG, PASSWORD = "Uf/rA+g1", "pass/word+With/24chars=="
SDP = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"
    f"a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PASSWORD}\r\na=ice-options:trickle\r\na=mid:0\r\n"
)


@pytest.mark.parametrize(
    "text",
    [
        SDP,
        SDP.replace("\r\n", "\n"),
        json.dumps({"sdp": SDP}),
        json.dumps({"sdp": SDP}).replace("/", "\\/"),
        json.dumps({"text": json.dumps({"sdp": SDP})}),
        repr(SDP),
        SDP.replace(":", ": "),
    ],
)
def test_credentials_in_sdp(text: str) -> None:
    shown = hidden(text, UFRAG, PASSWORD, "rA+g1", "word+With", "24chars")
    assert shown.count(MASK) == 2
    assert "trickle" in shown
    assert "mid" in shown
    if text == SDP:
        assert shown.splitlines()[2:4] == [f"a=ice-ufrag:{MASK}", f"a=ice-pwd:{MASK}"]


CANDIDATE = f"candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host ufrag {UFRAG}"


@pytest.mark.parametrize(
    "text",
    [
        CANDIDATE,
        f"{CANDIDATE} network-cost 10",
        json.dumps({"candidate": CANDIDATE, "sdpMid": "0", "usernameFragment": UFRAG}),
        json.dumps(json.dumps({"candidate": CANDIDATE, "usernameFragment": UFRAG})),
    ],
)
def test_credentials_in_candidates(text: str) -> None:
    shown = hidden(text, UFRAG)
    assert "127.0.0.1 7882 typ host" in shown


def test_a_missing_fragment_is_shown() -> None:
    text = '{"candidate":"candidate:1 1 udp 1 127.0.0.1 1 typ host","usernameFragment":null}'
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "name", ["credential", "password", "token", "refreshToken", "secret", "turn_password"]
)
def test_members_of_json_that_are_called_secret(name: str) -> None:
    hidden(json.dumps({name: "opaque value", "urls": ["turn:x"]}), "opaque value")
    hidden(repr({name: "opaque value"}), "opaque value")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "invalid API key: APIabc",
        "no permissions to access the room",
        "connection closed by media",
        "participant alice is a bearer of news",
        "tokens: 5, passwords: none",
        "the word eye, beyJond, EYJAFJALLA, monkeyJim, keyJson=5",
        "a=ice-lite\r\na=fingerprint:sha-256 AA:BB\r\n",
        "stun:127.0.0.1:7999",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    shown = redact_text(text)
    assert shown in (text, text.replace("of news", f"{MASK} news"))
    assert redact_jwt(text) == text


def test_only_tokens_are_masked_in_data() -> None:
    assert redact_jwt(f"Bearer x, {TOKEN} password: y") == f"Bearer x, {MASK} password: y"


@given(st.text())
def test_masking_twice_masks_no_more(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@given(st.text(), st.text())
def test_a_token_anywhere_is_masked(before: str, after: str) -> None:
    assert SIGNATURE not in redact_text(f"{before}{TOKEN}{after}")
    assert SIGNATURE not in redact_jwt(f"{before}{TOKEN}{after}")


def test_no_recorded_frame_shows_a_token() -> None:
    seen = 0
    for frame in frames():
        text = frame.text or frame.data.decode("utf-8", "replace")
        seen += "eyJ" in text
        assert "eyJ" not in redact_text(text)
        assert "eyJ" not in redact_jwt(text)
    assert seen > 10
