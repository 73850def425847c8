"""The command `python docs/generate.py`: what is written, where, and whether it is current."""

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import errors_page, events_page, reconnect_page, state_machine_page

__all__ = ["DOCS", "drift", "generated", "main"]

DOCS = Path(__file__).resolve().parent.parent

USAGE = """Write the pages of docs/ that are made from the code.

Exit code 0 when all is well, 1 when --check found a difference."""


def generated() -> dict[str, str]:
    """Every generated page: its name in docs/, and its text."""
    return {
        "events.md": events_page.page(),
        "errors.md": errors_page.page(),
        "reconnect.md": reconnect_page.page(),
        "state-machine.md": state_machine_page.page(),
    }


def drift(pages: Mapping[str, str], folder: Path = DOCS) -> str:
    """A diff from what is in the folder to what would be written; empty when nothing differs."""
    parts: list[str] = []
    for name, text in pages.items():
        path = folder / name
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        parts += difflib.unified_diff(
            current.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"docs/{name} (in the repository)",
            f"docs/{name} (generated)",
        )
    return "".join(parts)


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python docs/generate.py",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    check: bool = parser.parse_args(arguments).check
    pages = generated()
    if check:
        difference = drift(pages)
        sys.stdout.write(difference)
        return 1 if difference else 0
    for name, text in pages.items():
        (DOCS / name).write_text(text, encoding="utf-8")
    return 0
