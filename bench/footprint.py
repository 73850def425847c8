"""What kitwire costs before it does anything: the time to import it, and its size on the disk."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["import_seconds", "installed_bytes"]

ROOT: Final = Path(__file__).resolve().parents[1]
ADAPTERS: Final = ("kitwire_aiortc", "kitwire_asyncio", "kitwire_cli", "kitwire_trio")
_RUNS = 15


def import_seconds(statement: str) -> float:
    """The least of several fresh interpreters; what they load themselves is not counted."""
    program = (
        f"import time; begun = time.perf_counter()\n{statement}\nprint(time.perf_counter() - begun)"
    )
    command = [sys.executable, "-c", program]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(_RUNS)
    ]
    return min(float(run.stdout) for run in runs)


def installed_bytes() -> tuple[int, int]:
    """What `pip install kitwire` puts on the disk, dependencies and bytecode included.

    Returns:
        The core with what it needs; and the adapters, which come with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        constraints = ["-c", str(ROOT / "constraints.txt")]
        subprocess.run([*pip, *constraints, "--target", folder, str(ROOT)], check=True)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        sizes = {path: path.stat().st_size for path in files}
        adapters = sum(
            size for path, size in sizes.items() if path.relative_to(folder).parts[0] in ADAPTERS
        )
        return sum(sizes.values()) - adapters, adapters
