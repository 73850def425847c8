"""The commands in this process: what they make of flags, and how every end is told."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable
from time import monotonic

import jwt
import pytest
from livekit import api

from kitwire import events as ev
from kitwire.config import Encoding, PathVersion
from kitwire.errors import CloseReason, Origin, Reason
from kitwire_cli import app
from kitwire_cli.interrupts import Switch
from kitwire_cli.loops import RUNNERS, Plan
from kitwire_cli.report import Report
from tests.cli.samples import event_from, official

KEY, SECRET = "key", "s" * 36
BY_KEY = ["--api-key", KEY, "--api-secret", SECRET]
WHO = [*BY_KEY, "--room", "r", "--identity", "bob"]
JOIN = ["join", "ws://localhost:7880", *WHO]
JOINED = event_from(official("join"))

Fake = Callable[[Plan, Report, Switch], None]


def closed(
    reason: Reason = Reason.CLIENT_INITIATED, origin: Origin = Origin.LOCAL, detail: str = ""
) -> ev.Closed:
    return ev.Closed(
        reason=CloseReason(origin=origin, reason=reason, detail=detail, retryable=False)
    )


def run(arguments: list[str], environment: dict[str, str] | None = None) -> int:
    return app.run(arguments, environment or {}, started=monotonic())


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Plan]]:
    """Join nothing; which loop was asked for which plan."""
    seen: list[tuple[str, Plan]] = []

    def runner(name: str) -> Fake:
        def fake(plan: Plan, report: Report, switch: Switch) -> None:
            seen.append((name, plan))
            report.on_event(JOINED)
            report.on_event(closed())

        return fake

    monkeypatch.setattr(app, "RUNNERS", {name: runner(name) for name in RUNNERS})
    return seen


def with_runner(monkeypatch: pytest.MonkeyPatch, fake: Fake) -> None:
    monkeypatch.setattr(app, "RUNNERS", dict.fromkeys(RUNNERS, fake))


# --- what join makes of its flags ---


def test_defaults(plans: list[tuple[str, Plan]]) -> None:
    assert run(JOIN) == 0
    [(loop, plan)] = plans
    assert (loop, plan.url, plan.duration) == ("asyncio", "ws://localhost:7880", None)
    assert plan.config.path is PathVersion.AUTO
    assert plan.config.encoding is Encoding.BINARY
    assert plan.config.metadata == ""
    assert plan.config.attributes == {}
    assert api.TokenVerifier(KEY, SECRET).verify(plan.token).identity == "bob"
    assert plan.token not in repr(plan)


def test_every_flag(plans: list[tuple[str, Plan]]) -> None:
    flags = (
        "--loop trio --path v0 --encoding json --metadata hi --attribute a=1 --attribute b=2 c=3 "
        "--duration 2.5"
    )
    assert run([*JOIN, *flags.split()]) == 0
    [(loop, plan)] = plans
    assert (loop, plan.duration) == ("trio", 2.5)
    assert plan.config.path is PathVersion.V0
    assert plan.config.encoding is Encoding.JSON
    assert plan.config.metadata == "hi"
    assert plan.config.attributes == {"a": "1", "b": "2", "c": "3"}


@pytest.mark.parametrize("loop", ["asyncio", "trio", "bare"])
def test_each_loop_has_its_runner(loop: str, plans: list[tuple[str, Plan]]) -> None:
    assert run([*JOIN, "--loop", loop]) == 0
    assert [name for name, _ in plans] == [loop]


def test_the_environment_says_the_rest(plans: list[tuple[str, Plan]]) -> None:
    environment = {"LIVEKIT_URL": "wss://x.test/prefix", "LIVEKIT_TOKEN": "token"}
    assert run(["join"], environment) == 0
    assert run(["join", "--url", "ws://y.test", "--token", "other"], environment) == 0
    assert [(plan.url, plan.token) for _, plan in plans] == [
        ("wss://x.test/prefix", "token"),
        ("ws://y.test", "other"),
    ]


# --- how it ends ---


@pytest.mark.parametrize(
    ("reason", "origin", "code"),
    [
        (Reason.BAD_TOKEN, Origin.AUTH, 3),
        (Reason.UNREACHABLE, Origin.LINK, 4),
        (Reason.ROOM_DELETED, Origin.SERVER, 5),
    ],
)
def test_ends(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reason: Reason,
    origin: Origin,
    code: int,
) -> None:
    def fake(plan: Plan, report: Report, switch: Switch) -> None:
        report.on_event(closed(reason, origin, f"HTTP 401: {plan.token}"))

    with_runner(monkeypatch, fake)
    assert run([*JOIN, "--json"]) == code
    shown = capsys.readouterr()
    line = json.loads(shown.out)
    assert (line["event"], line["reason"], line["origin"]) == ("closed", reason, origin)
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert "eyJ" not in shown.out + shown.err
    assert SECRET not in shown.out + shown.err


def test_a_token_that_is_no_jwt_is_not_shown_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(plan: Plan, report: Report, switch: Switch) -> None:
        report.on_event(closed(Reason.BAD_TOKEN, Origin.AUTH, f"invalid token: {plan.token}"))

    with_runner(monkeypatch, fake)
    assert run(["join", "ws://x", "--token", "hush-hush-hush"]) == 3
    shown = capsys.readouterr()
    assert "hush" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("joined", "number", "code"),
    [
        (True, signal.SIGINT, 0),
        (False, signal.SIGINT, 130),
        (True, signal.SIGTERM, 0),
        (False, signal.SIGTERM, 143),
    ],
)
def test_interrupts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    joined: bool,
    number: int,
    code: int,
) -> None:
    def fake(plan: Plan, report: Report, switch: Switch) -> None:
        if joined:
            report.on_event(JOINED)
        os.kill(os.getpid(), number)
        assert switch.pulled
        report.on_event(closed(Reason.CLIENT_INITIATED if joined else Reason.CANCELLED))

    with_runner(monkeypatch, fake)
    assert run(JOIN) == code
    assert capsys.readouterr().err == ""


def test_an_interrupted_join_that_had_failed_already_tells_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fake(plan: Plan, report: Report, switch: Switch) -> None:
        report.on_event(JOINED)
        os.kill(os.getpid(), signal.SIGINT)
        report.on_event(closed(Reason.ROOM_DELETED, Origin.SERVER))

    with_runner(monkeypatch, fake)
    assert run(JOIN) == 5


class Unwritable(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "complaint"),
    [
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
        (OSError(28, "No space left on device"), 1, "the output cannot be written: No space"),
        (OSError(), 1, "the output cannot be written: unknown error"),
    ],
)
def test_an_output_that_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: OSError,
    code: int,
    complaint: str,
) -> None:
    def fake(plan: Plan, report: Report, switch: Switch) -> None:
        report.on_event(JOINED)
        assert switch.pulled
        report.on_event(closed())

    with_runner(monkeypatch, fake)
    monkeypatch.setattr(sys, "stdout", Unwritable(error))
    assert run(JOIN) == code
    assert complaint in capsys.readouterr().err


def test_no_output_at_all(monkeypatch: pytest.MonkeyPatch, plans: list[tuple[str, Plan]]) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run(JOIN) == 0
    assert run(["join"]) == 2


def test_a_defect_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(plan: Plan, report: Report, switch: Switch) -> None:
        raise RuntimeError(plan.token)

    with_runner(monkeypatch, fake)
    assert run(JOIN) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: kitwire itself has failed (RuntimeError at test_cli_app.py:")
    assert "eyJ" not in said


def test_a_missing_extra_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "trio", None)
    for module in [name for name in sys.modules if name.startswith("kitwire_trio")]:
        monkeypatch.delitem(sys.modules, module)
    assert run([*JOIN, "--loop", "trio"]) == 2
    assert (
        capsys.readouterr().err == "error: kitwire_trio needs trio: pip install 'kitwire[trio]'\n"
    )


def test_another_missing_module_is_a_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(plan: Plan, report: Report, switch: Switch) -> None:
        import kitwire_of_tomorrow  # type: ignore[import-not-found] # noqa: F401

    with_runner(monkeypatch, fake)
    assert run(JOIN) == 1
    assert "kitwire itself has failed (ModuleNotFoundError" in capsys.readouterr().err


# --- usage ---


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["join"], "no server to join"),
        (["join", "ws://x"], "nothing says who joins"),
        (["join", "ws://x", "--token", "t", *WHO], "--token already says"),
        (["join", "ftp://x.test", *WHO], "the URL given on the command line: the URL must start"),
        (["join", "ws://x", "--token", "a b"], "cannot travel"),
        ([*JOIN, "--attribute", "mood"], '--attribute "mood" must be key=value'),
        ([*JOIN, "--attribute", "a=1", "--attribute", "a=2"], '"a" is given twice'),
        ([*JOIN, "--duration", "-1"], "--duration"),
        ([*JOIN, "--duration", "soon"], '--duration "soon" must be a time'),
        ([*JOIN, "--loop", "uvloop"], "--loop must be asyncio, trio or bare (see kitwire join"),
        ([*JOIN, "--path", "v2"], "--path must be auto, v1 or v0"),
        ([*JOIN, "--encoding", "xml"], "--encoding must be binary or json"),
        (["jion"], "kitwire knows join, publish, record, replay and token (see kitwire --help)"),
        (["token"], "--api-key (or LIVEKIT_API_KEY) and --api-secret (or LIVEKIT_API_SECRET)"),
        (["token", *BY_KEY, "--room", "r"], "--identity must be given for a token"),
        (["token", *WHO, "--valid-for", "0"], '--valid-for "0" must be a time above zero'),
        (["token", *WHO, "--can-publish-source", "x"], "--can-publish-source must be camera, "),
    ],
)
def test_usage(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert complaint in shown.err
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert SECRET not in shown.err


def test_a_wrong_url_says_where_it_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["join", *WHO], {"LIVEKIT_URL": "localhost"}) == 2
    assert "the URL given in LIVEKIT_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["join", "ws://x", "--tokne", "HUSH"],
        ["join", "ws://x", "--api-secrt=HUSH"],
        ["join", "ws://x", "--token", "t", "HUSH"],
        ["join", "ws://x", "--token", "HUSH", "--token", "HUSH"],
        ["HUSH"],
        ["join", "ftp://HUSH", "--token", "HUSH"],
        ["join", "ws://x", "--loop", "HUSH"],
        ["join", "ws://user:HUSH@x?access_token=HUSH", "--token", "t"],
    ],
)
def test_no_complaint_shows_what_was_typed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert "HUSH" not in capsys.readouterr().err


# --- token ---


def minted(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, object]:
    assert run(["token", *flags], {"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    claims = jwt.decode(shown.out.strip(), SECRET, algorithms=["HS256"])
    assert isinstance(claims, dict)
    return claims


def test_a_token_of_few_words(capsys: pytest.CaptureFixture[str]) -> None:
    claims = minted(capsys, "--room", "r", "--identity", "bob")
    assert (claims["iss"], claims["sub"]) == (KEY, "bob")
    assert claims["video"] == {"room": "r", "roomJoin": True}
    expires, begins = claims["exp"], claims["nbf"]
    assert isinstance(expires, int)
    assert isinstance(begins, int)
    assert expires - begins == 6 * 3600


def test_a_token_of_many_words(capsys: pytest.CaptureFixture[str]) -> None:
    flags = (
        "--room r --identity bob --name Bob --metadata hi --attribute a=1 b=2 --valid-for 90s "
        "--room-create --room-list --room-admin --can-publish --no-can-subscribe "
        "--can-publish-data --can-publish-source camera --can-publish-source microphone "
        "--can-update-own-metadata --hidden"
    )
    claims = minted(capsys, *flags.split())
    assert (claims["name"], claims["metadata"]) == ("Bob", "hi")
    assert claims["attributes"] == {"a": "1", "b": "2"}
    assert claims["video"] == {
        "room": "r",
        "roomJoin": True,
        "roomCreate": True,
        "roomList": True,
        "roomAdmin": True,
        "canPublish": True,
        "canSubscribe": False,
        "canPublishData": True,
        "canPublishSources": ["camera", "microphone"],
        "canUpdateOwnMetadata": True,
        "hidden": True,
    }


def test_a_token_that_joins_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    claims = minted(capsys, "--no-room-join", "--room-create")
    assert claims["video"] == {"roomJoin": False, "roomCreate": True}


def test_a_token_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Unwritable(BrokenPipeError(32, "Broken pipe")))
    assert run(["token", *WHO]) == 0


# --- help ---


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    from kitwire import __version__
    from kitwire.codec import implementation

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"kitwire {__version__} ({implementation} codec)\n"
    assert run(["join", "--help"]) == 0
    shown = capsys.readouterr().out
    for flag in ("--token", "--attribute", "--duration", "--json", "LIVEKIT_API_SECRET"):
        assert flag in shown
    assert run([]) == 0
