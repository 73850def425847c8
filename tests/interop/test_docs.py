"""The programs and commands of the documentation, run against the real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.docs.snippets import PAGES, Program, programs, shell_lines
from tests.interop.livekit_server import LiveKitServer

ROOM: Final = "lobby"
PATIENCE: Final = 30.0
PROGRAMS = [program for page in PAGES for program in programs(page) if program.needs_server]
COMMANDS = sorted(
    {
        match[0].strip()
        for page in PAGES
        for _, line in shell_lines(page)
        for match in re.finditer(r"kitwire (?:join|token)[^)|]*", line)
    }
)


def environment(server: LiveKitServer) -> Mapping[str, str]:
    """What the pages say to set, and nothing that was set for another server."""
    inherited = {name: value for name, value in os.environ.items() if "LIVEKIT" not in name}
    return inherited | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "LIVEKIT_TOKEN": server.token("alice", ROOM, can_update_own_metadata=True),
    }


def kitwire(
    server: LiveKitServer, *arguments: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a reader of the pages would, in a folder of theirs if it leaves files."""
    return subprocess.run(
        [sys.executable, "-m", "kitwire_cli", *arguments],
        env=environment(server),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_runs_until_its_room_is_deleted(
    program: Program, livekit: LiveKitServer, tmp_path: Path
) -> None:
    path, errors = tmp_path / f"{program.name}.py", tmp_path / "stderr"
    path.write_text(program.text)
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-u", "-X", "dev", "-W", "error", str(path)],
            env=environment(livekit),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    # A program that hangs is stopped, so that reading its output comes to an end.
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        output = process.stdout.readline()
        if output and not over(program):
            let_bob_visit(livekit, long="bob" in (program.prints or ""))
            livekit.delete_room(ROOM)
        output += process.stdout.read()
        process.wait()
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    assert (process.returncode, errors.read_text()) == (0, ""), output
    assert_in_order(program.prints or "", output)
    if program.page == "README.md":
        assert output.startswith("joined lobby"), output
        assert "closed: ROOM_DELETED" in output


def let_bob_visit(server: LiveKitServer, *, long: bool) -> None:
    """Somebody comes and goes; the server may take three seconds to tell the others."""
    bob = ("join", "--room", ROOM, "--identity", "bob")
    visited = kitwire(server, *bob, "--duration", "4" if long else "0.2")
    assert visited.returncode == 0, visited.stderr


def over(program: Program) -> bool:
    """Whether the program ends by itself."""
    return "async for" not in program.text and "while True" not in program.text


def assert_in_order(expected: str, output: str) -> None:
    """Each expected line is there, in this order, with whatever else between them."""
    lines = iter(output.splitlines())
    for line in expected.splitlines():
        assert line in lines, f"{line!r} is missing, or not in its place, in:\n{output}"


def test_the_readme_shows_three_ways_of_use() -> None:
    readme = [program for program in PROGRAMS if program.page == "README.md"]
    assert ["kitwire_asyncio" in each.text for each in readme] == [True, False, False]
    assert ["kitwire_trio" in each.text for each in readme] == [False, True, False]
    assert "kitwire.Client(" in readme[2].text


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_pages_works(command: str, livekit: LiveKitServer, tmp_path: Path) -> None:
    # What a server in development mode has, which ours is not.
    instead = {
        "ws://localhost:7880": livekit.url,
        "devkey": livekit.api_key,
        "secret": livekit.api_secret,
    }
    _, subcommand, *written = command.split()
    arguments = [instead.get(each, each) for each in written]
    if subcommand == "join":
        if "--duration" in arguments:
            position = arguments.index("--duration")
            del arguments[position : position + 2]
        arguments += ["--duration", "0.1"]
    done = kitwire(livekit, subcommand, *arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(".") == 2 if subcommand == "token" else done.stdout
