"""What holds for the tree as a whole: the layers, the sizes, and nothing of one machine in it."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

MODULE_LINES = 500
DRIVER_LINES = 200


@cache
def tracked() -> tuple[Path, ...]:
    """Everything that a checkout would contain, new files that are not ignored included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = (PROJECT / name for name in listed.stdout.split("\0") if name)
    return tuple(sorted({path for path in paths if path.is_file()}))


def length(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_imports_only_point_down() -> None:
    """The contracts of pyproject.toml; `make lint` runs them too."""
    run = subprocess.run(
        [
            *(sys.executable, "-c"),
            "from importlinter.cli import lint_imports_command as run; run()",
            *("--no-logo", "--no-cache"),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_module_of_the_core_is_too_long() -> None:
    core = PROJECT / "src" / "kitwire"
    written = [path for path in core.rglob("*.py") if "# Generated" not in path.read_text()[:20]]
    assert {path: length(path) for path in written if length(path) > MODULE_LINES} == {}


def test_no_driver_is_too_long() -> None:
    drivers = (PROJECT / "adapters").glob("*/driver.py")
    assert {path: length(path) for path in drivers if length(path) >= DRIVER_LINES} == {}


# In pieces, so that this file does not contain them either.
FOREIGN = re.compile(
    "|".join(
        [
            *(re.escape(".".join(host)) for host in (
                ("pypi", "org"),
                ("pythonhosted", "org"),
                # Not the bare domain: modules of Go are named after it.
                ("proxy", "golang", "org"),
                ("sum", "golang", "org"),
                ("npmjs", "org"),
                ("npmjs", "com"),
                ("yarnpkg", "com"),
                ("crates", "io"),
                ("jsdelivr", "net"),
                ("unpkg", "com"),
            )),
            *(rf"(?<![\w.)}}\]]){'/'}{folder}/" for folder in ("work", "root", "farm")),
        ]
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("see https://" + "py" + "pi.org/project", True),
        ("open('/" + "work/shared')", True),
        ("cd /" + "root/x", True),
        ("a net/work/ of paths, https://example.org/" + "root/x", False),
    ],
)
def test_the_search_for_foreign_names(text: str, hits: bool) -> None:
    assert bool(FOREIGN.search(text)) is hits


def test_nothing_names_a_registry_or_a_folder_of_one_machine() -> None:
    found = {}
    for path in tracked():
        # Recorded frames are base64, which spells anything sooner or later.
        if path.suffix in {".jsonl", ".bin"}:
            continue
        if hit := FOREIGN.search(path.read_bytes().decode(errors="replace")):
            found[str(path.relative_to(PROJECT))] = hit.group()
    assert found == {}


def test_no_lock_file_of_another_tool_is_kept() -> None:
    """constraints.txt pins what make installs; a second list of pins would only differ from it.

    What npm installs is pinned by tests/browser/package.json; npm's own lock names its registry.
    """
    names = {path.name for path in tracked()}
    assert names.isdisjoint({"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"})
    assert names.isdisjoint({"package-lock.json", "npm-shrinkwrap.json", "yarn.lock"})
