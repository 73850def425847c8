"""Many sessions in one process: what each costs, and how late the loop is that they share.

kitwire holds thousands, joined to a scripted server in another process that tells each of them
something about once a second, when all are there. Beside the official SDK both join a real
livekit-server, where nothing happens: the SDK cannot be had without its peer connections, and
kitwire is measured without.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.interop.livekit_server import LiveKitServer
from tests.interop.official import OWN_WORDS
from tests.interop.processes import participant_process
from tests.peers.lives import TOKEN

__all__ = ["BESIDE", "CROWDS", "Held", "beside", "crowd"]

CROWDS: Final = (1000, 2500, 4000, 5000)
"""Sessions of kitwire's on the scripted server."""
BESIDE: Final = (20, 50, 100)
"""Rooms of each on the real one."""
SECONDS: Final = 10.0
_LIMIT: Final = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process told that held sessions."""

    sessions: int
    closed: Sequence[str]
    """Why some of them ended, which none should."""
    memory: float
    """Bytes a session."""
    events: int
    cpu: float
    """Of one core, all threads: 1.0 is the whole of it."""
    median: float
    """Seconds that a timer of the process's event loop comes late."""
    p99: float
    worst: float
    codec: str = ""
    """Of kitwire: pure or compiled."""

    @property
    def cpu_per_event(self) -> float:
        """Seconds, everything included."""
        return self.cpu * SECONDS / self.events


def crowd(sessions: int, installed: Path | None) -> Held:
    """So many sessions of kitwire's, in a room each, on the scripted server.

    Args:
        sessions: how many.
        installed: where a kitwire is installed whose codec is compiled; the sources without.
    """
    environment = dict(os.environ)
    if installed is not None:
        environment["PYTHONPATH"] = str(installed)
    with _scripted_server() as url:
        held = _held("kitwire", url, [TOKEN] * sessions, environment)
    assert held.codec == ("pure" if installed is None else "compiled")
    return held


def beside(subject: str, server: LiveKitServer, rooms: int) -> Held:
    """So many rooms of a subject's on a real server."""
    tokens = [server.token("bench", f"bench-{subject}-{number}") for number in range(rooms)]
    return _held(subject, server.url, tokens)


def _held(
    subject: str, url: str, tokens: Sequence[str], environment: Mapping[str, str] | None = None
) -> Held:
    module = f"bench.sessions.by_{subject}"
    with participant_process(
        "-m", module, within=_LIMIT, own_words=OWN_WORDS, environment=environment
    ) as process:
        told = process.do("hold", url=url, tokens=json.dumps(tokens), seconds=str(SECONDS))
    names = (field.name for field in dataclasses.fields(Held))
    fields: dict[str, Any] = {name: told[name] for name in names if name in told}
    held = Held(**fields)
    assert not held.closed, held.closed
    return held


@contextlib.contextmanager
def _scripted_server() -> Iterator[str]:
    command = [sys.executable, "-m", "bench.sessions.server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield f"ws://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()
