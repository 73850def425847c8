"""`kitwire` and `python -m kitwire_cli`: says in one sentence what is not installed.

Only the standard library is imported at the top, so that there is always somebody to say so.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

__all__ = ["main"]

_STARTED = time.monotonic()

_NEEDED = {"cyclopts": "cyclopts", "jwt": "PyJWT", "rich": "rich"}
"""What the extra `[cli]` brings: the import's name and the distribution's."""

_USAGE = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (the process's own by default); returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            from kitwire_cli.app import run
        except ModuleNotFoundError as missing:
            name = (missing.name or "").partition(".")[0]
            if name not in _NEEDED:
                raise
            return _fail(
                f"the command line needs {_NEEDED[name]}, which is not installed; "
                "run: pip install 'kitwire[cli]'"
            )
        return run(arguments, os.environ, started=_STARTED)
    except KeyboardInterrupt:
        # Before the command could see to signals itself.
        return _INTERRUPTED


def _fail(sentence: str) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"error: {sentence}\n")
    return _USAGE


if __name__ == "__main__":
    sys.exit(main())
