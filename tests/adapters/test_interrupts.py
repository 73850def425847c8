"""Ctrl-C in a program of either loop: the room is left, and KeyboardInterrupt leaves as itself."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.interop.processes import STRICT, complaints
from tests.peers.scripted_server import Connection, scripted_server

ASYNCIO = """
import asyncio, sys, kitwire_asyncio

async def main():
    async with kitwire_asyncio.connect(sys.argv[1], token="a.b.c") as room:
        print("joined", flush=True)
        {wait}

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
TRIO = """
import sys, trio, kitwire_trio

async def main():
    async with kitwire_trio.connect(sys.argv[1], token="a.b.c") as room:
        print("joined", flush=True)
        {wait}

try:
    trio.run(main)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    ("program", "wait"),
    [
        (ASYNCIO, "await asyncio.sleep(60)"),
        (ASYNCIO, "async for event in room: pass"),
        (TRIO, "await trio.sleep(60)"),
        (TRIO, "async for event in room: pass"),
    ],
    ids=["asyncio asleep", "asyncio reading", "trio asleep", "trio reading"],
)
def test_an_interrupt_leaves_the_room_and_the_block(program: str, wait: str) -> None:
    left: list[bool] = []

    def script(connection: Connection) -> None:
        connection.let_in()
        connection.request("leave")
        left.append(True)
        connection.end.close()
        connection.flush()
        connection.wait_for_end()

    with scripted_server(script) as server:
        arguments = [*STRICT, "-c", program.format(wait=wait), server.url]
        with subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "joined\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert (out, complaints(err), process.returncode) == ("interrupted\n", "", 0)
    assert left == [True]


def test_without_trio_the_pip_command_is_named() -> None:
    program = "import sys; sys.modules['trio'] = None\nimport kitwire_trio"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert last == "ImportError: kitwire_trio needs trio: pip install 'kitwire[trio]'"
