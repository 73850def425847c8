"""The entry point: what it says without the extra, and what it loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kitwire_cli import __main__ as entry
from kitwire_cli import app


@pytest.mark.parametrize(
    ("module", "distribution"), [("cyclopts", "cyclopts"), ("rich", "rich"), ("jwt", "PyJWT")]
)
def test_a_missing_extra_is_one_sentence(module: str, distribution: str) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from kitwire_cli.__main__ import main\n"
        "sys.exit(main(['--version']))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"error: the command line needs {distribution}, which is not installed; "
        "run: pip install 'kitwire[cli]'\n"
    )


def test_a_missing_module_of_ours_is_not_called_an_extra() -> None:
    program = (
        "import sys; sys.modules['kitwire_cli.lines'] = None\n"
        "from kitwire_cli.__main__ import main\n"
        "main(['--version'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "pip install" not in ended.stderr


def test_without_an_error_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setitem(sys.modules, "kitwire_cli.app", None)
    monkeypatch.setitem(entry._NEEDED, "kitwire_cli", "kitwire")
    assert entry.main([]) == 2


def test_an_early_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "run", interrupted)
    assert entry.main([]) == 130


def test_the_process_s_own_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kitwire", "--version"])
    assert entry.main() == 0
    assert capsys.readouterr().out.startswith("kitwire ")


def test_python_m_and_the_script_are_the_same() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "kitwire_cli", "jion"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: there is no such command")


def test_only_what_is_asked_for_is_loaded() -> None:
    program = (
        "import sys\n"
        "from kitwire_cli.__main__ import main\n"
        "assert not any(name.startswith('kitwire.') for name in sys.modules)\n"
        "main(['--version'])\n"
        "assert 'trio' not in sys.modules and 'asyncio' not in sys.modules, 'a loop was loaded'\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
