"""What `publish`, `record` and `join --media` make of their flags. Nothing is joined here."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from kitwire import events as ev
from kitwire.config import PathVersion
from kitwire.errors import CloseReason, Origin, Reason
from kitwire_aiortc import Gathering
from kitwire_cli import app, media_loop
from kitwire_cli.exit_codes import ExitCode
from kitwire_cli.interrupts import Switch
from kitwire_cli.loops import Plan
from kitwire_cli.media_loop import MediaRunner
from kitwire_cli.options import addresses_from
from kitwire_cli.publishing import Publishing
from kitwire_cli.recording import Recording
from kitwire_cli.report import Report
from kitwire_cli.tracks import Watching
from tests.cli.samples import event_from, official

URL = "ws://localhost:7880"
WHO = ["--token", "a-token-of-mine"]
Seen = list[tuple[MediaRunner, Plan]]


def run(*arguments: str, environment: dict[str, str] | None = None) -> int:
    return app.run(arguments, environment or {}, started=monotonic())


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Join nothing, and remember what would have been."""
    seen: Seen = []

    def fake(self: MediaRunner, plan: Plan, report: Report, switch: Switch) -> None:
        seen.append((self, plan))
        report.on_event(event_from(official("join")))
        left = CloseReason(
            origin=Origin.LOCAL, reason=Reason.CLIENT_INITIATED, detail="", retryable=False
        )
        report.on_event(ev.Closed(reason=left))

    monkeypatch.setattr(media_loop.MediaRunner, "__call__", fake)
    return seen


def commands(folder: Path) -> list[tuple[list[str], type]]:
    return [
        (["publish", URL, "tone"], Publishing),
        (["record", URL, "--out", str(folder)], Recording),
        (["join", URL, "--media"], Watching),
    ]


def test_defaults(runs: Seen, tmp_path: Path) -> None:
    for arguments, activity in commands(tmp_path):
        assert run(*arguments, *WHO) == 0
        runner, plan = runs.pop()
        assert isinstance(runner.activity, activity)
        assert runner.gathering == Gathering()
        assert (plan.url, plan.token, plan.duration) == (URL, "a-token-of-mine", None)
        assert plan.config.path is PathVersion.AUTO


def test_every_flag(runs: Seen, tmp_path: Path) -> None:
    flags = "--path v0 --ice-servers none --bind 127.0.0.1 --bind 127.0.0.1 --duration 2.5"
    for arguments, _ in commands(tmp_path):
        assert run(*arguments, *WHO, *flags.split()) == 0
        runner, plan = runs.pop()
        assert runner.gathering == Gathering(ice_servers=(), addresses=("127.0.0.1",))
        assert plan.duration == 2.5
        assert plan.config.path is PathVersion.V0


def test_the_servers_of_the_server(runs: Seen) -> None:
    assert run("publish", URL, "tone", *WHO, "--ice-servers", "server") == 0
    assert runs[0][0].gathering.ice_servers is None


def test_the_environment_says_where_to(runs: Seen, tmp_path: Path) -> None:
    environment = {"LIVEKIT_URL": "wss://x.test", "LIVEKIT_TOKEN": "token"}
    assert run("publish", "tone", environment=environment) == 0
    assert run("publish", "tone", "--url", "wss://y.test", environment=environment) == 0
    assert run("publish", "HTTPS://z.test", "tone", environment=environment) == 0
    assert run("record", "--out", str(tmp_path / "a" / "b"), environment=environment) == 0
    urls = [plan.url for _, plan in runs]
    assert urls == ["wss://x.test", "wss://y.test", "HTTPS://z.test", "wss://x.test"]
    assert (tmp_path / "a" / "b").is_dir()


def test_lines_are_json_when_asked_for(runs: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("publish", URL, "tone", *WHO, "--json") == 0
    assert capsys.readouterr().out.startswith('{"event": "joined"')


def test_a_complaint_decides_how_a_normal_end_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ending(reason: Reason, origin: Origin) -> Callable[..., None]:
        def fake(self: MediaRunner, plan: Plan, report: Report, switch: Switch) -> None:
            report.complain(ExitCode.REFUSED, f"no, {plan.token}")
            end = CloseReason(origin=origin, reason=reason, detail="", retryable=False)
            report.on_event(ev.Closed(reason=end))

        return fake

    fakes = ending(Reason.CLIENT_INITIATED, Origin.LOCAL), ending(Reason.UNREACHABLE, Origin.LINK)
    monkeypatch.setattr(media_loop.MediaRunner, "__call__", fakes[0])
    assert run("publish", URL, "tone", *WHO) == 3
    assert capsys.readouterr().err == "error: no, <redacted>\n"
    monkeypatch.setattr(media_loop.MediaRunner, "__call__", fakes[1])
    assert run("publish", URL, "tone", *WHO) == 4
    assert "the server cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["publish", URL], "nothing to publish; name tone, pattern or a file"),
        (["publish"], "nothing to publish"),
        (["publish", "tone"], "no server to join"),
        (["publish", URL, "no-such-file"], '"no-such-file" cannot be published: No such file'),
        (["publish", URL, "tone", __file__], "cannot be published: Invalid data"),
        (["publish", URL, "tone", "/"], '"/" cannot be published: Is a directory'),
        (["publish", URL, "tone", "--bind", "x"], '--bind "x" must be an IP address of this'),
        (["publish", URL, "tone", "--bind", "192.0.2.1"], '--bind "192.0.2.1" must be an IP'),
        (["publish", URL, "tone", "--ice-servers", "x"], "--ice-servers must be server or none"),
        (["record", URL], "--out needs a value"),
        (["record", URL, "--out", __file__], "cannot be written: File exists"),
        (["record", URL, "--out", __file__ + "/x"], "cannot be written: Not a directory"),
        (["record", URL, "--out", "a\0b"], "cannot be written: "),
        (["join", URL, "--bind", "127.0.0.1"], "--ice-servers and --bind are for --media"),
        (["join", URL, "--ice-servers", "none"], "--ice-servers and --bind are for --media"),
        (["join", URL, "--media", "--loop", "trio"], "--media needs --loop asyncio"),
    ],
)
def test_usage(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str], runs: Seen
) -> None:
    assert run(*arguments, *WHO) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert complaint in shown.err
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert runs == []


def test_addresses_are_taken_once() -> None:
    assert addresses_from(None) is None
    assert addresses_from(["127.0.0.1", "127.0.0.1"]) == ("127.0.0.1",)


def test_an_address_of_version_6() -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert addresses_from(["::1", "127.0.0.1"]) == ("::1", "127.0.0.1")


@pytest.mark.parametrize(
    "arguments",
    [
        ["publish", URL, "tone"],
        ["record", URL, "--out", "/nonexistent"],
        ["join", URL, "--media"],
    ],
)
def test_a_missing_extra_is_one_sentence(arguments: list[str]) -> None:
    program = (
        "import importlib.metadata as metadata, sys\n"
        "found = metadata.version\n"
        "def version(name):\n"
        "    if name == 'aiortc':\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "metadata.version = version\n"
        "from kitwire_cli.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments, *WHO],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: kitwire_aiortc needs aiortc: pip install 'kitwire[media]'\n"


def test_another_missing_module_is_a_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "kitwire_cli.media_loop", None)
    assert run("publish", URL, "tone", *WHO) == 1
    assert "kitwire itself has failed (ModuleNotFoundError" in capsys.readouterr().err


def test_only_what_is_asked_for_is_loaded() -> None:
    program = (
        "import sys\n"
        "from kitwire_cli.__main__ import main\n"
        "main(['publish', '--help'])\n"
        "assert 'aiortc' not in sys.modules and 'av' not in sys.modules\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
