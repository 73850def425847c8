"""The demo, as `make demo` runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import av

from kitwire_aiortc import read_counter
from tests.interop.livekit_server import PROJECT, VERSION, LiveKitServer, binary_for
from tests.interop.processes import STRICT, complaints


def test_the_demo_verifies_what_it_shows(livekit: LiveKitServer, tmp_path: Path) -> None:
    picture = tmp_path / "new" / "received.png"
    # The fixture says that there is a binary; the demo starts a server of its own.
    ended = subprocess.run(
        [
            *(sys.executable, *STRICT, "demo/run.py"),
            *("--server-binary", str(binary_for(VERSION)), "--picture", str(picture)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, complaints(ended.stderr)) == (0, ""), ended.stdout
    assert "anna (asyncio) bruno left" in ended.stdout
    assert "bruno (trio)   anna set attribute" in ended.stdout
    table = ended.stdout.partition(f"Verified with livekit-server {VERSION}")[2]
    assert table.count("✔") == 26
    assert "440 Hz" in table
    (frame,) = av.open(str(picture)).decode(video=0)
    assert (frame.width, frame.height) == (640, 360)
    assert read_counter(frame) is not None
    assert "✘" not in table
    assert not re.search(r"eyJ[\w-]{8,}\.|ice-pwd", ended.stdout)
