"""`kitwire join --record` at the real server, and `kitwire replay` of what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.transcripts.record import EPISODES
from tests.interop.livekit_server import LiveKitServer
from tests.interop.participants import LoopName

WITHIN = 30.0
"""Seconds for what takes two."""


def kitwire(*arguments: str) -> tuple[int, str, str]:
    """The whole command: exit code, stdout, stderr."""
    run = subprocess.run(
        [sys.executable, "-m", "kitwire_cli", *arguments],
        env={key: value for key, value in os.environ.items() if not key.startswith("LIVEKIT_")},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    return run.returncode, run.stdout, run.stderr


def recorded(path: Path, *secrets: str) -> list[str]:
    """The names in a transcript that holds none of these secrets and replays."""
    text = path.read_text(encoding="ascii")
    assert "eyJ" not in text
    for secret in secrets:
        assert secret not in text
    assert kitwire("replay", str(path)) == (0, "no difference\n", "")
    return [json.loads(line)["name"] for line in text.splitlines()[1:]]


@pytest.mark.parametrize("path", ["v0", "v1"])
def test_a_stay_is_recorded_and_replayed(
    livekit: LiveKitServer, room_name: str, loop: LoopName, path: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.jsonl"
    token = livekit.token("alice", room_name, can_update_own_metadata=True)
    code, _, err = kitwire(
        *("join", livekit.url, "--token", token, "--loop", loop, "--path", path),
        *("--metadata", "hi", "--duration", "0.2", "--record", str(file)),
    )
    assert (code, err) == (0, "")
    names = recorded(file, *token.split("."))
    assert names[0] == "connect"
    assert {"Closed", "Joined", "TokenRefreshed", "PongReceived", "close"} <= set(names)


def test_a_stay_with_media_is_recorded_and_replayed(
    livekit: LiveKitServer, room_name: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.jsonl"
    token = livekit.token("alice", room_name)
    episode = EPISODES["media_v1"].split()
    code, _, err = kitwire("join", livekit.url, "--token", token, *episode, "--record", str(file))
    assert (code, err) == (0, "")
    assert {"offer_made", "ApplyAnswer", "PeersConnected"} <= set(recorded(file))
    text = file.read_text(encoding="ascii")
    fragments = {line.partition("\\r")[0] for line in text.split("a=ice-ufrag:")[1:]}
    assert fragments
    assert all(each.startswith("<redacted-") for each in fragments)


def test_a_refusal_is_recorded_and_replayed(
    livekit: LiveKitServer, room_name: str, tmp_path: Path
) -> None:
    """The server's answer contains the whole token."""
    file = tmp_path / "x.jsonl"
    token = livekit.token("alice", room_name, api_secret="not the secret " * 3)
    code, _, _ = kitwire("join", livekit.url, "--token", token, "--record", str(file))
    assert code == 3
    assert "link_refused" in recorded(file, *token.split("."))
