"""What `pip wheel` makes: a pure wheel, unless a compiled one is asked for (make test-compiled)."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.docs.snippets import PROJECT


def wheel(folder: Path, compile_codec: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "KITWIRE_COMPILE"}
    if compile_codec is not None:
        environment["KITWIRE_COMPILE"] = compile_codec
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel"]
    options = ["--no-deps", "--no-build-isolation", "-w", str(folder), str(PROJECT)]
    return subprocess.run(
        [*pip, *options], env=environment, capture_output=True, text=True, check=False
    )


def test_a_wheel_is_pure_unless_a_compiled_one_is_asked_for(tmp_path: Path) -> None:
    for compile_codec in (None, "0"):
        folder = tmp_path / str(compile_codec)
        made = wheel(folder, compile_codec)
        assert made.returncode == 0, made.stderr
        (path,) = folder.iterdir()
        assert path.name.endswith("-py3-none-any.whl")
        names = zipfile.ZipFile(path).namelist()
        assert "kitwire/codec/_decoders.py" in names
        assert not [name for name in names if name.endswith((".so", ".pyd", ".c"))]


def test_a_wish_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    made = wheel(tmp_path, "yes")
    assert made.returncode != 0
    assert "KITWIRE_COMPILE must be 0 or 1, not 'yes'" in made.stdout + made.stderr
