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


@pytest.fixture
def npm(bare: Path) -> Path:
    """A path with an npm that installs nothing, and says in which folder and how it was asked."""
    for name in ("cmp", "cp", "cat"):
        (bare / name).symlink_to(shutil.which(name) or "")
    fake(bare, "npm", 'echo "npm $*"; cat package.json; [ -z "$NPM_FAILS" ] && mkdir node_modules')
    return bare


def project_with_a_browser(folder: Path) -> Path:
    project = copy_of_the_tools(folder)
    (project / "tests/browser").mkdir(parents=True)
    shutil.copy(PROJECT / "tests/browser/package.json", project / "tests/browser")
    return project


def test_what_drives_a_browser_is_installed_once_aside_and_whole(npm: Path, tmp_path: Path) -> None:
    project = project_with_a_browser(tmp_path / "project")
    fake(npm, "chromium-browser", "echo 'only in the shop' >&2; exit 1")
    chromium = fake(npm, "google-chrome", '[ "$1" = --version ]')
    status, path, _ = run(["tools/browser"], npm, project, NPM_FAILS="yes")
    assert (status, path) == (1, "")
    assert list((project / ".browser").iterdir()) == []
    status, path, said = run(["tools/browser"], npm, project)
    assert (status, path) == (0, str(chromium))
    assert "npm install --no-package-lock --ignore-scripts" in said
    kept = {entry.name for entry in (project / ".browser").iterdir()}
    assert kept == {"chromium", "node_modules", "package.json"}
    assert (project / ".browser/chromium").read_text() == f"{chromium}\n"
    assert run(["tools/browser"], npm, project) == (0, str(chromium), "")


def test_the_chromium_that_is_named_is_taken_or_missed(npm: Path, tmp_path: Path) -> None:
    project = project_with_a_browser(tmp_path / "project")
    fake(npm, "chromium", "exit 0")
    named = fake(tmp_path, "my chromium", "exit 0")
    status, path, _ = run(["tools/browser"], npm, project, KITWIRE_CHROMIUM=str(named))
    assert (status, path) == (0, str(named))
    answer = run(["tools/browser"], npm, project, KITWIRE_CHROMIUM="nowhere")
    assert answer == (1, "", "KITWIRE_CHROMIUM=nowhere is not a Chromium that runs.")


def test_no_chromium_is_one_sentence(npm: Path, tmp_path: Path) -> None:
    project = project_with_a_browser(tmp_path / "project")
    run(["tools/browser"], npm, project)
    # There is no apt-get on this path.
    status, path, said = run(["tools/browser"], npm, project)
    assert (status, path) == (1, "")
    assert said == "Chromium was not found: install it, or name it with KITWIRE_CHROMIUM=…"


def test_no_npm_is_one_sentence(bare: Path, tmp_path: Path) -> None:
    status, path, said = run(["tools/browser"], bare, project_with_a_browser(tmp_path / "project"))
    assert (status, path) == (1, "")
    assert said.splitlines()[-1].startswith("npm was not found: install Node")


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
    for target in ("test", "demo", "lint", "format", "livekit-server", "browser", "help", "clean"):
        assert f"make {target} " in listed


def test_pins_agree_with_what_make_builds() -> None:
    """The versions that the tests ask for are those that make installs."""
    makefile = (PROJECT / "Makefile").read_text()
    assert f"LIVEKIT_VERSION := {VERSION}\n" in makefile
    assert f"LIVEKIT_OLDER := {' '.join(OLDER_VERSIONS)}\n" in makefile
    assert os.access(TOOLS / "livekit-server", os.X_OK)
