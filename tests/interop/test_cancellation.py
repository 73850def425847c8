"""Connect to a real server, cancel at a random moment, 200 times: nothing may be left.

Each adapter does it in a Python process of its own under `-X dev -W error`, where a warning about
a socket, a task or an exception that nobody looked at is an error, and ends the process with 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.livekit_server import LiveKitServer, masked
from tests.interop.processes import STRICT, complaints

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("cancelling_program.py")
ROUNDS = 200


@pytest.mark.parametrize("adapter", ["asyncio", "trio"])
@pytest.mark.parametrize("path", ["v1", "v0"])
def test_cancelling_at_random_moments_leaves_nothing(
    livekit: LiveKitServer, room_name: str, adapter: str, path: str
) -> None:
    token = livekit.token("restless", room_name, can_update_own_metadata=True)
    run = subprocess.run(
        [sys.executable, *STRICT, str(PROGRAM), adapter, path, str(ROUNDS)],
        cwd=PROJECT,
        env={**os.environ, "LIVEKIT_URL": livekit.url, "LIVEKIT_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    said = masked(run.stdout + run.stderr)
    assert run.returncode == 0, said
    assert complaints(run.stderr) == "", said
    # That the moments were spread over the whole life of a connection.
    cancelled, joined, settled = (int(word) for word in run.stdout.split())
    assert cancelled == ROUNDS
    assert 0 < joined < ROUNDS
    assert 0 < settled < joined
    # Every leave arrived: nobody is there whom the server would have to miss first.
    assert [participant.identity for participant in livekit.participants(room_name)] == []
