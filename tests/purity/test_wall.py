"""The core imports and runs where socket, clock, randomness, files, threads and loops raise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def walled(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-B", "-W", "error", str(HERE / "walled.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_core_lives_behind_the_wall() -> None:
    run = walled()
    assert run.returncode == 0, run.stderr
    assert "joined /rtc" in run.stdout
    assert "refused with BAD_TOKEN" in run.stdout


@pytest.mark.parametrize(
    "breach",
    [
        "socket.socket()",
        "socket.getaddrinfo('localhost', 1)",
        "ssl.create_default_context()",
        "select.select([], [], [], 0)",
        "time.monotonic()",
        "time.time()",
        "random.random()",
        "random.Random(1).random()",
        "secrets.token_hex()",
        "uuid.uuid4()",
        "os.urandom(1)",
        "os.getenv('HOME')",
        "open('/etc/hostname')",
        "Path('/etc/hostname').read_text()",
        "print('x')",
        "threading.Thread(target=id)",
        "subprocess.Popen(['true'])",
        "logging.getLogger('x').error('x')",
        "asyncio.run(None)",
        "__import__('io').open('/etc/hostname')",
        "__import__('_socket').socket()",
    ],
)
def test_the_wall_holds(breach: str) -> None:
    run = walled(breach)
    assert run.returncode != 0
    assert "Breach" in run.stderr


def test_websockets_may_draw_its_masks() -> None:
    key = walled("__import__('websockets.utils').utils.generate_key()")
    assert (key.returncode, len(key.stdout)) == (0, 24), key.stderr


HEAVY = [
    "asyncio",
    "betterproto2",
    "h11",
    "kitwire.messages",
    "socket",
    "ssl",
    "trio",
    "websockets",
]


def test_importing_kitwire_loads_nothing_heavy() -> None:
    """Those load when a Client is made: never at import."""
    program = f"import kitwire, sys; print([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
