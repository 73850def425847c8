"""The programs in the documentation: those that need no server run here, all are type-checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import PAGES, PROJECT, Program, blocks, programs, run

PROGRAMS = [program for page in PAGES for program in programs(page)]
OFFLINE = [program for program in PROGRAMS if not program.needs_server]


@pytest.mark.parametrize("program", OFFLINE, ids=lambda program: program.name)
def test_a_program_does_what_its_page_says(program: Program, tmp_path: Path) -> None:
    done = run(program, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    if program.prints is not None:
        assert done.stdout == program.prints


@pytest.mark.parametrize(
    "tool",
    [
        ("mypy", "--config-file", "pyproject.toml"),
        ("ruff", "check", "--no-cache", "--isolated", "--select", "B,F,FURB,PIE,RUF,SIM,UP"),
    ],
    ids=lambda tool: str(tool[0]),
)
def test_programs_satisfy_the_checks_of_our_own_code(tool: tuple[str, ...], tmp_path: Path) -> None:
    for program in PROGRAMS:
        (tmp_path / f"{program.name.replace('-', '_')}.py").write_text(program.text)
    checked = subprocess.run(
        [sys.executable, "-m", *tool, str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_pages_that_promise_programs_have_some() -> None:
    pages = {program.page for program in PROGRAMS}
    assert {
        "README.md",
        "docs/tutorial.md",
        "docs/testing.md",
        "docs/embedding.md",
        "docs/events.md",
        "docs/errors.md",
    } <= pages


def test_every_block_says_what_language_it_is_in() -> None:
    known = {"python", "sh", "text", "json", "mermaid", "yaml"}
    unknown = [
        f"{block.page}:{block.line}: {block.language!r}"
        for page in PAGES
        for block in blocks(page)
        if page.parent.name in ("docs", "decisions") and block.language not in known
    ]
    assert unknown == []


# --- the reader of snippets itself ---


def test_the_reader_finds_joins_and_marks_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.docs.snippets.PROJECT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "Text\n\n```python\na = 1\n```\n\n<!-- run: continued -->\n```python\nprint(a)\n```\n\n"
        "<!-- prints -->\n```text\n1\n```\n\n<!-- run: server -->\n\n```python\nb = 2\n```\n"
    )
    first, second = programs(page)
    assert (first.text, first.prints, first.needs_server) == ("a = 1\n\n\nprint(a)\n", "1\n", False)
    assert (second.text, second.prints, second.needs_server) == ("b = 2\n", None, True)
    assert (first.name, second.line) == ("page-4", 20)
    assert run(first, tmp_path).stdout == "1\n"


def test_the_reader_refuses_a_block_without_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.docs.snippets.PROJECT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\na = 1\n")
    with pytest.raises(AssertionError, match="does not end"):
        list(blocks(page))


def test_a_warning_fails_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.snippets.PROJECT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\nimport warnings\n\nwarnings.warn('x')\n```\n")
    (program,) = programs(page)
    assert run(program, tmp_path).returncode == 1
