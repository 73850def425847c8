"""The inputs that atheris found worth keeping, a line of hexadecimal each, in `corpus.txt`.

`python -m tests.fuzz.corpus unpack FOLDER` makes files of them, as libFuzzer wants them, and `pack`
writes the file from a folder.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

__all__ = ["KEPT", "kept", "pack", "unpack"]

KEPT: Final = Path(__file__).with_name("corpus.txt")


def kept() -> list[bytes]:
    """All of them."""
    return [bytes.fromhex(line) for line in KEPT.read_text(encoding="ascii").splitlines()]


def unpack(folder: Path, inputs: Iterable[bytes]) -> None:
    """Write a file for each, named by its content as libFuzzer does."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        (folder / name).write_bytes(data)


def pack(folder: Path) -> None:
    """Keep what is in a folder, the shortest first."""
    inputs = sorted({path.read_bytes() for path in folder.iterdir()}, key=lambda it: (len(it), it))
    if not inputs:
        raise SystemExit(f"{folder} is empty: nothing was merged, and what was kept stays")
    KEPT.write_text("".join(f"{data.hex()}\n" for data in inputs), encoding="ascii")


def main(arguments: Sequence[str]) -> None:
    """Do the one or the other."""
    action, folder = arguments
    match action:
        case "unpack":
            unpack(Path(folder), kept())
        case "pack":
            pack(Path(folder))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
