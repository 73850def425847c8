"""The programs and commands that stand in the documentation.

Every block of Python is a complete program unless the comment above it says otherwise:

- `<!-- run: server -->`: it needs a real server, and LIVEKIT_URL and LIVEKIT_TOKEN.
- `<!-- run: continued -->`: it goes on with the program before it on the page.

A block of text below `<!-- prints -->` is what the last program prints, to the letter.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["PAGES", "PROJECT", "Block", "Program", "blocks", "programs", "run", "shell_lines"]

PROJECT: Final = Path(__file__).resolve().parents[2]

PAGES: Final = tuple(
    sorted(
        path for pattern in ("*.md", "docs/**/*.md", "proto/*.md") for path in PROJECT.glob(pattern)
    )
)
"""Every page of documentation."""

_FENCE = re.compile(r"(?P<indent> *)```(?P<language>\w*)")
_DIRECTIVE = re.compile(r"<!-- (?P<text>run: \w+|prints) -->")
_PATIENCE: Final = 60.0
"""Seconds that a program may take; one is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    directive: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Python program of a page."""

    page: str
    line: int
    text: str
    needs_server: bool
    prints: str | None
    """What it is said to print; None where nothing is said."""

    @property
    def name(self) -> str:
        """A name for tests and files."""
        return f"{self.page.removesuffix('.md').replace('/', '-')}-{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start: int | None = None
    language = directive = ""
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if start is None:
            above = next((each for each in reversed(lines[:number]) if each.strip()), "")
            said = _DIRECTIVE.fullmatch(above.strip())
            start, language = number + 1, fence["language"]
            directive = said["text"] if said else ""
            continue
        yield Block(
            page=str(page.relative_to(PROJECT)),
            line=start + 1,
            language=language,
            directive=directive,
            text="\n".join(lines[start:number]) + "\n",
        )
        start = None
    assert start is None, f"{page.name}: a block that begins in line {start} does not end"


def programs(page: Path) -> tuple[Program, ...]:
    """The programs of a page, in order."""
    found: list[Program] = []
    for block in blocks(page):
        if block.directive == "prints":
            assert found, f"{block.page}:{block.line}: there is no program that could print this"
            found[-1] = _said(found[-1], block.text)
        if block.language != "python":
            continue
        before = found.pop() if block.directive == "run: continued" else None
        found.append(
            Program(
                page=block.page,
                line=block.line if before is None else before.line,
                text=block.text if before is None else f"{before.text}\n\n{block.text}",
                needs_server=(
                    block.directive == "run: server" if before is None else before.needs_server
                ),
                prints=None,
            )
        )
    return tuple(found)


def _said(program: Program, prints: str) -> Program:
    return Program(
        page=program.page,
        line=program.line,
        text=program.text,
        needs_server=program.needs_server,
        prints=prints,
    )


def shell_lines(page: Path) -> Iterator[tuple[int, str]]:
    """The commands in the shell blocks of a page, without comments; continued lines joined."""
    for block in blocks(page):
        if block.language not in ("sh", "shell", "bash", "console"):
            continue
        text = block.text.replace("\\\n", "  ")
        for offset, line in enumerate(text.splitlines()):
            command = re.sub(r"(^|\s)#.*", "", line).strip()
            if command:
                yield block.line + offset, command


def run(program: Program, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, any warning being an error; if it consists of tests, by pytest."""
    path = folder / f"{program.name}.py"
    path.write_text(program.text, encoding="utf-8")
    tests = ["-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder)]
    return subprocess.run(
        [
            # Not -X dev: asyncio then says so on stderr when a busy machine makes a step slow.
            *(sys.executable, "-W", "error"),
            *(tests if "\ndef test_" in program.text else ()),
            str(path),
        ],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
