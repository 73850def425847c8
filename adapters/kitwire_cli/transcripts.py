"""`kitwire join --record` and `kitwire replay`: transcripts as files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from kitwire.config import ClientConfig
from kitwire.trace import TraceRecord
from kitwire.transcript import (
    Difference,
    TranscriptError,
    replay,
    transcript_header,
    transcript_line,
)

from .credentials import UsageError
from .terminal import Secrets, one_line, quoted

__all__ = ["Recorder", "difference_in", "recording"]


class Recorder:
    """Writes a transcript, line by line, as a session lives. It is the config's ``trace``.

    Args:
        file: where to; nothing is written after it has failed once.
        secrets: what must not be in it, whatever it looks like.

    Attributes:
        failure: what went wrong with the file, if anything did.
    """

    def __init__(self, file: TextIO, secrets: Secrets) -> None:
        self.failure: OSError | None = None
        self._file = file
        self._secrets = secrets

    def begin(self, config: ClientConfig) -> None:
        """Write the header: the config that the session has."""
        self._write(transcript_header(config))

    def __call__(self, record: TraceRecord) -> None:
        """Write a record. Never raises for a file that cannot be written."""
        self._write(transcript_line(record))

    def close(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        except OSError as error:
            self.failure = self.failure or error

    def _write(self, line: str) -> None:
        if self.failure is not None:
            return
        try:
            self._file.write(f"{self._secrets.masked(line)}\n")
        except OSError as error:
            self.failure = error

    @property
    def complaint(self) -> str | None:
        """What went wrong, in a sentence without a full stop."""
        if self.failure is None:
            return None
        return f"the transcript is incomplete: {_why(self.failure)}"


@contextlib.contextmanager
def recording(word: str, token: str) -> Iterator[Recorder]:
    """The recorder of `--record`. What was in the file before is gone.

    Raises:
        UsageError: at once, when the file cannot be written.
    """
    try:
        # Each line is flushed: a process that dies leaves all that it lived.
        file = Path(word).open("w", buffering=1, encoding="ascii")  # noqa: SIM115 - by the recorder
    except (OSError, ValueError) as error:
        raise UsageError(f"--record {quoted(word)} cannot be written: {_why(error)}") from error
    with contextlib.closing(Recorder(file, Secrets(token))) as recorder:
        yield recorder


def difference_in(word: str) -> Difference | None:
    """What differs first when the transcript in a file is replayed.

    Raises:
        UsageError: for a file that cannot be read, or is no transcript.
    """
    try:
        with Path(word).open(encoding="ascii", errors="replace") as file:
            return replay(file)
    except TranscriptError as error:
        raise UsageError(f"{quoted(word)} cannot be replayed: {one_line(str(error))}") from error
    except OSError as error:
        raise UsageError(f"{quoted(word)} cannot be read: {_why(error)}") from error


def _why(error: Exception) -> str:
    return one_line(getattr(error, "strerror", None) or str(error) or "unknown error")
