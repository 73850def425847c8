"""Participants in processes of their own: commands go in, events come out, a JSON a line.

A program answers each command with the event "done", which repeats the command's name in "do" and
adds what it has to tell; between them it tells what happens. It ends when its input does.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Final, cast

from tests.interop.livekit_server import masked
from tests.interop.participants import Log

__all__ = ["STRICT", "ParticipantProcess", "complaints", "participant_process"]

STRICT: Final = ("-X", "dev", "-W", "error")
"""Arguments of Python's by which whatever a program leaves behind is said on stderr."""

SLOW_STEP: Final = r"Executing <.*> took \d+\.\d+ seconds"
"""What asyncio says with STRICT when a step takes more than 0.1 s, as on a busy machine."""

WITHIN: Final = 20.0
"""Seconds to wait for it; starting takes a second of them."""


def complaints(stderr: str, own_words: str = r"(?!)") -> str:
    """The lines of stderr that fail a test, secrets masked.

    All do, but for those that match `own_words`, and what asyncio says of a slow machine.
    """
    known = rf"{own_words}|{SLOW_STEP}"
    lines = masked(stderr).splitlines()
    return "\n".join(line for line in lines if not re.fullmatch(known, line))


class ParticipantProcess:
    """A running program. Every method blocks, and fails when it takes too long."""

    def __init__(self, process: subprocess.Popen[str], within: float) -> None:
        self._process = process
        self._within = within
        self._log: Log[dict[str, object]] = Log()
        self._reader = threading.Thread(target=self._read, name="participant")
        self._reader.start()

    def _read(self) -> None:
        for line in cast(IO[str], self._process.stdout):
            self._log.add(json.loads(line))
        self._log.add({"event": "ended"})

    def do(self, command: str, **arguments: str) -> dict[str, object]:
        """Carry out a command; returns what it answers."""
        return self.answer(command, self.begin(command, **arguments))

    def begin(self, command: str, **arguments: str) -> int:
        """Let a command begin; returns what :meth:`answer` wants to know."""
        before = len(self._log)
        pipe = cast(IO[str], self._process.stdin)
        pipe.write(json.dumps({"do": command, **arguments}) + "\n")
        pipe.flush()
        return before

    def answer(self, command: str, begun: int) -> dict[str, object]:
        """What it answers to a command."""

        def find(event: dict[str, object]) -> dict[str, object] | None:
            return event if event["event"] in ("done", "ended") else None

        answered = self._log.wait_for(find, within=self._within, after=begun)
        assert answered.get("do") == command, f"{command}: the program ended"
        return answered

    def wait_for(self, event: str, **fields: object) -> dict[str, object]:
        """An event with these values among its fields, come already or yet to come."""
        wanted = {"event": event, **fields}

        def find(happened: dict[str, object]) -> dict[str, object] | None:
            return happened if wanted.items() <= happened.items() else None

        return self._log.wait_for(find, within=self._within)

    def events(self, event: str) -> list[dict[str, object]]:
        """All of a kind so far."""
        return [happened for happened in self._log if happened["event"] == event]

    def end(self) -> int:
        """Let the program come to its end; returns its status."""
        cast(IO[str], self._process.stdin).close()
        status = self._process.wait(self._within)
        self._reader.join(self._within)
        return status


@contextlib.contextmanager
def participant_process(
    *arguments: str,
    within: float = WITHIN,
    own_words: str = r"(?!)",
    environment: Mapping[str, str] | None = None,
) -> Iterator[ParticipantProcess]:
    """Run Python with these arguments for the length of a `with`, and see that it ends cleanly.

    Whatever is waited for fails after `within` seconds; so does the test by any of the process's
    :func:`complaints`. Its environment is this process's, where none is given.
    """
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
            env=environment,
        ) as process,
    ):
        participant = ParticipantProcess(process, within)
        try:
            yield participant
            status = participant.end()
        except BaseException as error:
            process.kill()
            participant.end()
            errors.seek(0)
            error.add_note(f"The process said:\n{masked(errors.read())}")
            raise
        errors.seek(0)
        said = complaints(errors.read(), own_words)
        assert (status, said) == (0, ""), f"it ended with status {status}, and said:\n{said}"
