"""What stands for secrets where a reader must see which of them are the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwire.codec.redaction import MASK, Pseudonyms, redact_text

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJ0d2VldCJ9.c2lnbmF0dXJlLWNhbmFyeQ"


def test_each_secret_has_a_name_of_its_own_and_keeps_it() -> None:
    pseudonyms = Pseudonyms()
    assert [pseudonyms.of(each) for each in ("a", "b", "a")] == [
        "<redacted-1>",
        "<redacted-2>",
        "<redacted-1>",
    ]
    assert Pseudonyms("config").of("a") == "<config-1>"


def test_what_was_masked_stays_masked() -> None:
    pseudonyms = Pseudonyms()
    assert pseudonyms.of(MASK) == MASK
    assert pseudonyms.redact_text(f"a=ice-ufrag:{MASK}") == f"a=ice-ufrag:{MASK}"
    assert pseudonyms.of("a") == "<redacted-1>"


def test_credentials_of_ice_are_named_wherever_they_stand() -> None:
    pseudonyms = Pseudonyms()
    sdp = "a=ice-ufrag:u/1\r\na=ice-pwd:p\r\na=mid:0\r\n"
    named = "a=ice-ufrag:<redacted-1>\r\na=ice-pwd:<redacted-2>\r\na=mid:0\r\n"
    assert pseudonyms.redact_text(sdp) == named
    assert json.loads(pseudonyms.redact_text(json.dumps(sdp))) == named
    line = "candidate:1 1 udp 1 127.0.0.1 9 typ host ufrag u/1 network-cost 1"
    init = {"candidate": line, "usernameFragment": "u/1"}
    expected = {
        "candidate": line.replace("u/1", "<redacted-1>"),
        "usernameFragment": "<redacted-1>",
    }
    for text in (json.dumps(init), json.dumps(init).replace("/", "\\/")):
        assert json.loads(pseudonyms.redact_text(text)) == expected


def test_a_slash_that_json_escapes_ends_no_secret() -> None:
    for text in (
        r'{"candidate":"candidate:1 1 udp 1 h 9 typ host ufrag ab\/hush","sdpMid":"0"}',
        r'{"usernameFragment":"ab\/hush"}',
        r'{"password":"ab\/hush"}',
    ):
        assert "hush" not in redact_text(text)
        assert "hush" not in Pseudonyms().redact_text(text)


@pytest.mark.parametrize(
    "text", [f"invalid token: {TOKEN}", "/rtc?access_token=hush&x=1", "Bearer hush", "a=mid:0"]
)
def test_all_others_are_masked_by_the_constant(text: str) -> None:
    assert Pseudonyms().redact_text(text) == redact_text(text)


SECRETS = st.sampled_from(
    [TOKEN, "ice-ufrag:u", "ufrag u", '"token":"t"', r'"token":"a\/b"', "token=t", "Bearer b", "<>"]
)


@given(st.lists(SECRETS | st.text()).map(" ".join))
def test_masking_what_is_named_masks_what_it_names(text: str) -> None:
    """A session that is given names says of them what it says of the secrets."""
    named = Pseudonyms().redact_text(text)
    assert redact_text(named) == redact_text(text)
    # Another session's records give them names in the same order.
    assert Pseudonyms().redact_text(named) == named
