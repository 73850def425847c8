"""The demo, as `make demo` runs it."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.interop.livekit_server import PROJECT, VERSION, LiveKitServer, binary_for


def test_the_demo_verifies_what_it_shows(livekit: LiveKitServer) -> None:
    # The fixture says that there is a binary; the demo starts a server of its own.
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "demo/run.py", "--server-binary", str(binary_for(VERSION))],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert "anna (asyncio) bruno left" in ended.stdout
    assert "bruno (trio)   anna set attribute" in ended.stdout
    table = ended.stdout.partition(f"Verified with livekit-server {VERSION}")[2]
    assert table.count("✔") == 21
    assert "✘" not in table
    assert not re.search(r"eyJ|ice-pwd", ended.stdout)
