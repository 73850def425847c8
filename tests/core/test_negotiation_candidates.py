"""Candidates: what is one, and when it can be used."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from kitwire.codec import decode_response, which_variant
from kitwire.messages import SessionDescription, TrickleRequest
from kitwire.negotiation.candidates import (
    CandidateQueue,
    RemoteCandidate,
    read_candidate,
    user_fragments,
)

CAPTURES = Path(__file__).resolve().parents[1] / "captures"


def one(fragment: str | None, line: str = "candidate:1") -> RemoteCandidate:
    return RemoteCandidate(
        candidate=line, sdp_mid="0", sdp_mline_index=0, username_fragment=fragment, final=False
    )


# --- reading ---


def test_a_candidate_is_read() -> None:
    text = json.dumps(
        {
            "candidate": "candidate:1 1 udp 2 127.0.0.1 9 typ host ufrag abc",
            "sdpMid": "0",
            "sdpMLineIndex": 1,
            "usernameFragment": "xyz",
        }
    )
    read = read_candidate(text, final=True)
    assert read == RemoteCandidate(
        candidate="candidate:1 1 udp 2 127.0.0.1 9 typ host ufrag abc",
        sdp_mid="0",
        sdp_mline_index=1,
        username_fragment="xyz",
        final=True,
    )


@pytest.mark.parametrize(
    ("line", "said", "fragment"),
    [
        ("candidate:1 typ host ufrag abc", None, "abc"),
        ("candidate:1 typ host ufrag abc generation 0", "", "abc"),
        ("candidate:1 typ host", None, None),
        ("1 typ host", "abc", "abc"),
        ("", "abc", "abc"),
    ],
)
def test_the_generation_stands_in_either_place(
    line: str, said: str | None, fragment: str | None
) -> None:
    text = json.dumps({"candidate": line, "sdpMid": "0", "usernameFragment": said})
    read = read_candidate(text, final=False)
    assert read is not None
    assert read.username_fragment == fragment


def test_only_the_end_of_the_candidates_needs_no_section() -> None:
    assert read_candidate('{"candidate": "candidate:1"}', final=False) is None
    end = read_candidate('{"candidate": ""}', final=False)
    assert end is not None
    assert (end.candidate, end.sdp_mid, end.sdp_mline_index) == ("", None, None)
    assert read_candidate('{"candidate": "candidate:1", "sdpMid": "0"}', final=False)
    assert read_candidate('{"candidate": "candidate:1", "sdpMLineIndex": 0}', final=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:1",
        "null",
        "[]",
        '"candidate"',
        "{}",
        '{"candidate": null, "sdpMid": "0"}',
        '{"candidate": 1, "sdpMid": "0"}',
        '{"candidate": "c", "sdpMid": 0}',
        '{"candidate": "c", "sdpMLineIndex": "0"}',
        '{"candidate": "c", "sdpMLineIndex": 0.5}',
        '{"candidate": "c", "sdpMLineIndex": true}',
        '{"candidate": "c", "sdpMid": "0", "usernameFragment": 1}',
        '{"candidate": "c", "sdpMLineIndex": ' + "9" * 5000 + "}",
        "[" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_candidate_is_told_from_one(text: str) -> None:
    assert read_candidate(text, final=False) is None


@pytest.mark.parametrize("name", ["join_v0", "join_v1", "resume_v1_media"])
def test_a_real_server_names_the_generation(name: str) -> None:
    """Each candidate belongs to a description that came before it, by the server's own words."""
    fragments: set[str] = set()
    candidates = 0
    for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["dir"] != "in":
            continue
        member = which_variant(decode_response(base64.b64decode(record["b64"])))
        match member:
            case (_, SessionDescription(sdp=sdp)):
                fragments |= user_fragments(sdp)
            case (_, TrickleRequest(candidate_init=text, final=final)):
                read = read_candidate(text, final=final)
                assert read is not None
                assert read.username_fragment in fragments
                assert (read.sdp_mid, read.sdp_mline_index) == ("0", 0)
                candidates += 1
            case _:
                pass
    assert candidates >= 2


def test_user_fragments() -> None:
    assert user_fragments("v=0\r\na=ice-ufrag:ab\r\na=ice-ufrag:cd\r\n") == {"ab", "cd"}
    assert user_fragments("v=0\na=ice-ufrag:ab\nx a=ice-ufrag:no\n") == {"ab"}
    assert user_fragments("") == set()


def test_no_credential_is_shown() -> None:
    shown = repr(one("secret", "candidate:1 ufrag secret"))
    assert "secret" not in shown


# --- holding ---


def test_candidates_wait_for_the_first_description() -> None:
    queue = CandidateQueue()
    assert queue.add(one("a")) == ()
    assert queue.add(one(None)) == ()
    assert len(queue) == 2
    assert queue.described(frozenset({"a"})) == (one("a"), one(None))
    assert len(queue) == 0
    assert queue.fragments == {"a"}


def test_with_a_description_they_pass() -> None:
    queue = CandidateQueue()
    queue.described(frozenset({"a", "b"}))
    for fragment in ("a", "b", None, ""):
        assert queue.add(one(fragment)) == (one(fragment),)


def test_those_of_the_next_generation_wait_for_it() -> None:
    queue = CandidateQueue()
    queue.described(frozenset({"a"}))
    assert queue.add(one("b")) == ()
    assert queue.described(frozenset({"a"})) == ()
    assert queue.described(frozenset({"b"})) == (one("b"),)


def test_those_of_a_past_generation_are_dropped() -> None:
    queue = CandidateQueue()
    queue.described(frozenset({"a"}))
    queue.described(frozenset({"b"}))
    assert queue.add(one("a")) == ()
    assert len(queue) == 0
    assert queue.described(frozenset({"a"})) == ()
    assert queue.add(one("a")) == (one("a"),)


def test_a_description_without_generation_takes_all() -> None:
    queue = CandidateQueue()
    queue.add(one("a"))
    assert queue.described(frozenset()) == (one("a"),)
    assert queue.add(one("b")) == (one("b"),)


def test_not_more_than_a_hundred_wait() -> None:
    queue = CandidateQueue()
    for number in range(150):
        queue.add(one(None, f"candidate:{number}"))
    assert len(queue) == 100
    released = queue.described(frozenset({"a"}))
    assert released[0].candidate == "candidate:50"
    assert released[-1].candidate == "candidate:149"


def test_what_waits_can_be_forgotten() -> None:
    queue = CandidateQueue()
    queue.add(one(None))
    queue.clear()
    assert queue.described(frozenset({"a"})) == ()
