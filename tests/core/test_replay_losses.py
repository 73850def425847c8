"""What the recorded lives show in which a session was lost and came back, at a real server.

That they are lived again without a difference is held in `test_replay.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.test_replay import TRANSCRIPTS
from tests.interop.participants import SECRET

RESUMES = ["resume_v0", "resume_v1"]


def lines_of(name: str) -> list[dict[str, Any]]:
    text = (TRANSCRIPTS / f"{name}.jsonl").read_text(encoding="ascii")
    return [json.loads(line) for line in text.splitlines()[1:]]


def until(lines: list[dict[str, Any]], first: str, last: str) -> list[dict[str, Any]]:
    """From the first record of a name to the first of another after it, both with it."""
    names = [each["name"] for each in lines]
    begin = names.index(first)
    return lines[begin : names.index(last, begin) + 1]


def heard(lines: list[dict[str, Any]]) -> list[str]:
    """The messages that came."""
    return [
        next(iter(each["fields"]["message"])) for each in lines if each["name"] == "receive_message"
    ]


def said(lines: list[dict[str, Any]]) -> list[str]:
    """The messages that were sent."""
    return [
        next(iter(each["fields"]["message"])) for each in lines if each["name"] == "SendMessage"
    ]


def fragments(lines: list[dict[str, Any]], kind: str) -> set[str]:
    """The ICE user names, under the names that they have here, of the descriptions of a kind."""
    sdps = [
        each["fields"]["message"][kind]["sdp"]
        for each in lines
        if each["name"] in ("SendMessage", "receive_message") and kind in each["fields"]["message"]
    ]
    return {
        line.removeprefix("a=ice-ufrag:")
        for sdp in sdps
        for line in sdp.splitlines()
        if line.startswith("a=ice-ufrag:")
    }


@pytest.mark.parametrize("name", [*RESUMES, "restart_v1"])
def test_no_secret_is_in_it(name: str) -> None:
    text = (TRANSCRIPTS / f"{name}.jsonl").read_text(encoding="ascii")
    assert SECRET.findall(text.replace("\\r\\n", "\n")) == []
    assert "Bearer" not in text


@pytest.mark.parametrize("name", RESUMES)
def test_a_session_that_was_resumed(name: str) -> None:
    lines = lines_of(name)
    episode = until(lines, "Lost", "Resumed")
    joined = next(each for each in lines if each["name"] == "Joined")
    assert episode[0]["fields"]["cause"]["reason"] == "LINK_LOST"
    assert episode[-1]["fields"]["sid"] == joined["fields"]["participant"]["sid"]
    assert "ClosePeers" not in [each["name"] for each in episode]
    assert heard(episode)[:3] == ["reconnect", "update", "room_update"]
    assert said(episode)[0] == "sync_state"
    sync = next(each for each in episode if each["name"] == "SendMessage")
    published = next(each for each in lines if each["name"] == "TrackPublished")["fields"]
    state = sync["fields"]["message"]["sync_state"]
    assert [each["track"]["sid"] for each in state["publish_tracks"]] == [published["track"]["sid"]]
    channels = {(each["target"], each["label"]) for each in state["data_channels"]}
    sides = ["PUBLISHER", "SUBSCRIBER"] if name == "resume_v0" else ["PUBLISHER"]
    labels = ["_reliable", "_lossy", "_data_track"]
    assert channels == {(side, label) for side in sides for label in labels}


def test_by_two_peer_connections_the_server_restarts_ice_at_a_resume() -> None:
    lines = lines_of("resume_v0")
    lost = next(at for at, each in enumerate(lines) if each["name"] == "Lost")
    before, after = fragments(lines[:lost], "offer"), fragments(lines[lost:], "offer")
    assert before
    assert after
    assert before.isdisjoint(after)
    # By one it does not, and so there is nothing to negotiate.
    single = until(lines_of("resume_v1"), "Lost", "Resumed")
    assert fragments(single, "offer") == set()
    assert "answer" not in said(single)


def test_a_session_that_was_restarted() -> None:
    lines = lines_of("restart_v1")
    episode = until(lines, "Lost", "Restarted")
    names = [each["name"] for each in episode]
    first, second = [each["fields"] for each in lines if each["name"] == "Joined"]
    assert heard(episode)[:2] == ["leave", "join"]
    leave = next(each for each in episode if each["name"] == "receive_message")
    told = leave["fields"]["message"]["leave"]
    assert (told["action"], told["reason"]) == ("RECONNECT", "STATE_MISMATCH")
    assert names.index("Resuming") < names.index("Restarting") < names.index("Joined")
    published = [each["fields"] for each in lines if each["name"] == "TrackPublished"]
    done = episode[-1]["fields"]
    assert done["sid"] == second["participant"]["sid"] != first["participant"]["sid"]
    assert [each["track"]["sid"] for each in done["lost_tracks"]] == [published[0]["track"]["sid"]]
    # The room publishes again by itself: the same track of ours, under another sid.
    assert published[0]["cid"] == published[1]["cid"]
    assert published[0]["track"]["sid"] != published[1]["track"]["sid"]
