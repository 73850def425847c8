"""LiveKit's own Python SDK as the other participant, in a process of its own.

It is held to `-X dev -W error`: whatever it says on stderr fails the test, but for what the SDK
says of itself when it disconnects while it was about to negotiate (`OWN_WORDS`).
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

from tests.interop.livekit_server import masked
from tests.interop.participants import Log

__all__ = ["MEDIA_PROGRAM", "OfficialParticipant", "official_participant"]

PROGRAM: Final = Path(__file__).with_name("official_program.py")
MEDIA_PROGRAM: Final = PROGRAM.with_name("official_media_program.py")

OWN_WORDS: Final = re.compile(
    r"livekit::rtc_engine\S* - failed to negotiate the publisher: .*wrong state: closed.*"
)
"""What the SDK logs when its own disconnect overtakes an offer that it made a moment before."""

WITHIN: Final = 20.0
"""Seconds to wait for it; starting takes a second of them."""


class OfficialParticipant:
    """Somebody in a room by the official SDK. Every method blocks, and fails within `WITHIN`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._log: Log[dict[str, object]] = Log()
        self._reader = threading.Thread(target=self._read, name="official sdk")
        self._reader.start()

    def _read(self) -> None:
        for line in cast(IO[str], self._process.stdout):
            self._log.add(json.loads(line))
        self._log.add({"event": "ended"})

    def do(self, command: str, **arguments: str) -> dict[str, object]:
        """Carry out a command of official_program.py; returns what it answers."""
        before = len(self._log)
        pipe = cast(IO[str], self._process.stdin)
        pipe.write(json.dumps({"do": command, **arguments}) + "\n")
        pipe.flush()

        def answer(event: dict[str, object]) -> dict[str, object] | None:
            return event if event["event"] in ("done", "ended") else None

        answered = self._log.wait_for(answer, within=WITHIN, after=before)
        assert answered.get("do") == command, f"{command}: the program ended"
        return answered

    def wait_for(self, event: str, **fields: object) -> dict[str, object]:
        """An event with these values among its fields, come already or yet to come."""
        wanted = {"event": event, **fields}

        def find(happened: dict[str, object]) -> dict[str, object] | None:
            return happened if wanted.items() <= happened.items() else None

        return self._log.wait_for(find, within=WITHIN)

    def events(self, event: str) -> list[dict[str, object]]:
        """All of a kind so far."""
        return [happened for happened in self._log if happened["event"] == event]

    def end(self) -> int:
        """Let the program come to its end; returns its status."""
        cast(IO[str], self._process.stdin).close()
        status = self._process.wait(WITHIN)
        self._reader.join(WITHIN)
        return status


@contextlib.contextmanager
def official_participant(
    url: str, token: str, *, program: Path = PROGRAM
) -> Iterator[OfficialParticipant]:
    """Join by the official SDK for the length of a `with`, and see that it ends cleanly.

    `program` is PROGRAM or MEDIA_PROGRAM, which know different commands.
    """
    command = [sys.executable, "-X", "dev", "-W", "error", str(program)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
        ) as process,
    ):
        participant = OfficialParticipant(process)
        try:
            participant.do("connect", url=url, token=token)
            yield participant
            participant.do("disconnect")
            status = participant.end()
        except BaseException as error:
            process.kill()
            participant.end()
            errors.seek(0)
            error.add_note(f"The official SDK's process said:\n{masked(errors.read())}")
            raise
        errors.seek(0)
        lines = masked(errors.read()).splitlines()
        said = "\n".join(line for line in lines if not OWN_WORDS.fullmatch(line))
        assert (status, said) == (0, ""), f"it ended with status {status}, and said:\n{said}"
