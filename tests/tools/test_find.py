"""The scripts behind make: which Go and Python they take, and what they say when there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.livekit_server import OLDER_VERSIONS, VERSION

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = PROJECT / "tools"


def run(
    command: list[str], path: Path, cwd: Path = PROJECT, **variables: str
) -> tuple[int, str, str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": f"{path}", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A path with the few tools that every machine has, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "sed", "dirname", "mkdir", "rm", "mv", "awk", "make"):
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return folder


def fake(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("go1.26.8", True),
        ("go1.26rc1", True),
        ("go1.31", True),
        ("devel go1.27-0123abcd", True),
        ("go1.25.12", False),
        ("go1.9", False),
        ("nonsense", False),
    ],
)
def test_an_old_go_counts_as_none(bare: Path, version: str, taken: bool) -> None:
    go = fake(bare, "some-go", f'[ "$GOTOOLCHAIN" = local ] && echo "{version}"')
    status, found, complaint = run([str(TOOLS / "find-go")], bare, GO=str(go))
    if taken:
        assert (status, found) == (0, str(go))
    else:
        assert (status, found) == (1, "")
        assert complaint.startswith("Go 1.26 or newer was not found")


def test_a_python_is_run_before_it_is_taken(bare: Path) -> None:
    fake(bare, "python3.13", "echo 'not installed' >&2; exit 127")
    (bare / "python3.12").symlink_to(sys.executable)
    assert run([str(TOOLS / "find-python")], bare) == (0, "python3.12", "")


def test_no_python_is_one_sentence(bare: Path) -> None:
    status, found, complaint = run([str(TOOLS / "find-python")], bare)
    assert (status, found) == (1, "")
    assert complaint.startswith("kitwire needs Python 3.11 or newer")
    assert len(complaint.splitlines()) == 1
    old = str(fake(bare, "python-old", "exit 1"))
    status, found, complaint = run([str(TOOLS / "find-python")], bare, PYTHON=old)
    assert (status, found) == (1, "")
    assert complaint == f"PYTHON={old} is not a Python 3.11 or newer with venv and ensurepip."


def copy_of_the_tools(folder: Path) -> Path:
    shutil.copytree(TOOLS, folder / "tools")
    shutil.copy(PROJECT / "Makefile", folder)
    return folder


def test_a_server_that_is_there_needs_no_go(bare: Path, tmp_path: Path) -> None:
    project = copy_of_the_tools(tmp_path / "project")
    server = project / ".livekit" / "v9.9.9" / "server"
    server.parent.mkdir(parents=True)
    fake(server.parent, "server", "exit 0")
    answer = run(["tools/livekit-server", "9.9.9"], bare, project, GO="no-go")
    assert answer == (0, str(server), "")


def test_a_server_is_built_aside_and_an_interrupted_build_leaves_none(
    bare: Path, tmp_path: Path
) -> None:
    project = copy_of_the_tools(tmp_path / "project")
    go = fake(
        bare,
        "some-go",
        'case "$1" in\n'
        "env) echo go1.26.0 ;;\n"
        'install) echo "$2"; [ "$2" != "${2%@v1.0.0}" ] || exit 3; : > "$GOBIN/server"; '
        'chmod +x "$GOBIN/server" ;;\n'
        "esac",
    )
    (bare / "chmod").symlink_to(shutil.which("chmod") or "")
    status, path, said = run(["tools/livekit-server", "1.0.0"], bare, project, GO=str(go))
    assert (status, path) == (0, str(project / ".livekit/v1.0.0/server"))
    assert "cmd/server@v1.0.0" in said
    status, path, _ = run(["tools/livekit-server", "2.0.0"], bare, project, GO=str(go))
    assert (status, path) == (3, "")
    assert [entry.name for entry in (project / ".livekit").iterdir()] == ["v1.0.0"]


def test_the_demo_without_go_says_what_to_install(bare: Path, tmp_path: Path) -> None:
    project = copy_of_the_tools(tmp_path / "project")
    status, said, complaint = run(["make", "demo"], bare, project, GO="no-go")
    assert status != 0
    assert said == ""
    assert complaint.startswith("Go 1.26 or newer was not found: install it")
    assert not (project / ".venv").exists()


def test_make_alone_lists_the_targets(bare: Path) -> None:
    status, listed, _ = run(["make"], bare)
    assert status == 0
    for target in ("test", "demo", "lint", "format", "livekit-server", "help", "clean"):
        assert f"make {target} " in listed


def test_pins_agree_with_what_make_builds() -> None:
    """The versions that the tests ask for are those that make installs."""
    makefile = (PROJECT / "Makefile").read_text()
    assert f"LIVEKIT_VERSION := {VERSION}\n" in makefile
    assert f"LIVEKIT_OLDER := {' '.join(OLDER_VERSIONS)}\n" in makefile
    assert os.access(TOOLS / "livekit-server", os.X_OK)
