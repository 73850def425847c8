"""Records the transcripts beside it: `python -m tests.core.transcripts.record [NAME …]`.

Each is a stay at a real livekit-server, by the command that its users have; see
`tests/core/test_replay.py`. Without names, all of them are recorded anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from kitwire_cli.__main__ import main as kitwire
from tests.interop.livekit_server import VERSION, binary_for, running

FOLDER: Final = Path(__file__).parent

EPISODES: Final[dict[str, str]] = {
    "join_v0": "--path v0 --metadata hello --duration 0.5",
    "join_v1": "--path v1 --duration 0.5",
    "media_v1": "--path v1 --media --ice-servers none --bind 127.0.0.1 --duration 1",
}
"""What to say to `kitwire join` for each, besides who joins what."""


def record(name: str) -> int:
    """Record one episode, with a server of its own; the command's exit code."""
    with running(binary_for(VERSION), version=VERSION) as server:
        token = server.token("alice", "den", can_update_own_metadata=True)
        return kitwire(
            [
                *("join", server.url, "--token", token, "--record", str(FOLDER / f"{name}.jsonl")),
                *EPISODES[name].split(),
            ]
        )


if __name__ == "__main__":
    sys.exit(max(record(name) for name in sys.argv[1:] or EPISODES))
