"""Coverage-guided fuzzing of the codec with atheris: `make fuzz-atheris`.

A first byte chooses the class, the rest is a frame. It must be taken exactly where google.protobuf
takes it, raise nothing else, come back the same when it is written and read again, and be read in a
time that grows with its length. Inputs that reach what none before them did are kept in
`corpus.txt`, where the next run, and `test_corpus.py`, find them.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol, cast

from google.protobuf.message import DecodeError

from kitwire.errors import MalformedFrame

if TYPE_CHECKING:
    from kitwire.codec import Message

__all__ = ["check", "main"]

_SLOW: Final = (0.05, 20e-6)
"""Seconds that a frame may take, and more for each of its bytes: instrumented code is slow."""


class _Atheris(Protocol):
    def instrument_imports(self, include: Sequence[str]) -> AbstractContextManager[None]: ...

    def Setup(self, arguments: Sequence[str], entry: Callable[[bytes], None]) -> None: ...  # noqa: N802

    def Fuzz(self) -> None: ...  # noqa: N802


def check(data: bytes) -> None:
    """Hold one input to all of that."""
    from kitwire import codec
    from tests.fuzz.official import ROOTS, official_class

    if not data:
        return
    cls, frame = ROOTS[data[0] % len(ROOTS)], data[1:]
    limit = _SLOW[0] + _SLOW[1] * len(frame)
    message, spent = _read(cls, frame)
    for _ in range(3):
        # What else is done here, as collecting garbage, is slow once; a slow input is so again.
        if spent >= limit:
            spent = _read(cls, frame)[1]
    assert spent < limit, f"{spent} s for {len(frame)} bytes"
    try:
        official_class(cls).FromString(frame)
        accepted = True
    except DecodeError:
        accepted = False
    assert (message is not None) == accepted
    if message is not None:
        again = codec.encode_message(message)
        assert codec.encode_message(codec.decode_message(cls, again)) == again


def _read(cls: type[Message], frame: bytes) -> tuple[Message | None, float]:
    """The message, if it is one, and how many seconds that took."""
    from kitwire import codec

    begun = time.process_time()
    try:
        message = codec.decode_message(cls, frame)
    except MalformedFrame:
        message = None
    return message, time.process_time() - begun


def main() -> None:
    """Fuzz, as libFuzzer's arguments say."""
    # Installed by make fuzz-atheris alone, so that types must not depend on it.
    fuzzer = cast("_Atheris", importlib.import_module("atheris"))
    with fuzzer.instrument_imports(include=["kitwire.codec"]):
        importlib.import_module("kitwire.codec")
    # To merge, libFuzzer runs this command line again, in a shell: by its first word, which for
    # Python is a file that cannot be run.
    command = f"{sys.executable} -m tests.fuzz.under_atheris"
    fuzzer.Setup([command, *sys.argv[1:]], check)
    fuzzer.Fuzz()


if __name__ == "__main__":
    main()
