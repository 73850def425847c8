"""The command `kitwire` as its users run it: a process, its two outputs, its exit code.

Against the real server on each of the three loops, and against servers that misbehave.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from time import monotonic

import pytest

from tests.interop.conftest import StartLiveKit
from tests.interop.livekit_server import LiveKitServer
from tests.interop.participants import LOOPS, LoopName

WITHIN = 20.0
"""Seconds to wait for what usually takes a fraction of one."""

Line = dict[str, object]


class Command:
    """A running `kitwire`."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LIVEKIT_")}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "default", "-m", "kitwire_cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean | dict(environment or {}),
            text=True,
        )
        # A test that waits for a line that never comes must end.
        self._watchdog = threading.Timer(WITHIN, self.process.kill)
        self._watchdog.start()
        self.lines: list[Line] = []

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.communicate()

    def until(self, event: str, **fields: object) -> Line:
        """Read on to the next line of that event that has these fields."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line = json.loads(text)
            self.lines.append(line)
            if line["event"] == event and fields.items() <= line.items():
                return dict(line)
        raise AssertionError(f"no {event} among {[line['event'] for line in self.lines]}")

    def ended(self) -> tuple[int, str]:
        """Read to the end: the exit code, and what was said on stderr."""
        out, err = self.process.communicate(timeout=WITHIN)
        self.lines += [json.loads(text) for text in out.splitlines()]
        return self.process.returncode, err

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """The whole command at once: exit code, stdout, stderr."""
    with Command(*arguments, environment=environment) as command:
        out, err = command.process.communicate(timeout=WITHIN)
        return command.process.returncode, out, err


def by_key(server: LiveKitServer, room: str, identity: str = "carol") -> list[str]:
    """The flags to join by API key."""
    return [
        *("join", server.url, "--api-key", server.api_key),
        # Secrets may begin with a hyphen.
        f"--api-secret={server.api_secret}",
        *("--room", room, "--identity", identity),
    ]


# --- a whole stay -----------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "joined_by"), [("v1", "/rtc/v1"), ("v0", "/rtc")])
def test_a_stay_from_joined_to_closed(
    livekit: LiveKitServer, room_name: str, loop: LoopName, path: str, joined_by: str
) -> None:
    arguments = [*by_key(livekit, room_name), "--loop", loop, "--path", path, "--json"]
    with Command(*arguments, "--metadata", "hi", "--duration", "0.3") as command:
        code, err = command.ended()
    assert (code, err) == (0, "")
    first, last = command.lines[0], command.lines[-1]
    participant = first["participant"]
    assert isinstance(participant, dict)
    expected = {
        "event": "joined",
        "room": room_name,
        "sid": participant["sid"],
        "identity": "carol",
        "server_version": livekit.version,
        "path": joined_by,
    }
    assert expected.items() <= first.items()
    closed = {
        "event": "closed",
        "origin": "LOCAL",
        "reason": "CLIENT_INITIATED",
        "retryable": False,
    }
    assert closed.items() <= last.items()
    names = [line["event"] for line in command.lines]
    assert {"refresh_token", "pong_resp", "leave"} <= set(names)
    times = [line["t"] for line in command.lines]
    assert times == sorted(times, key=lambda t: float(str(t)))
    assert float(str(last["t"])) - float(str(first["t"])) >= 0.3


def test_metadata_and_attributes_are_seen_by_others(livekit: LiveKitServer, room_name: str) -> None:
    flags = ["--metadata", "hello", "--attribute", "mood=happy", "--json"]
    with contextlib.ExitStack() as stack:
        watcher = stack.enter_context(Command(*by_key(livekit, room_name, "watcher"), "--json"))
        watcher.until("joined")
        missing = {f"{loop}-{path}" for loop in LOOPS for path in ("v0", "v1")}
        for name in missing:
            how = ["--loop", name.partition("-")[0], "--path", name.partition("-")[2]]
            stack.enter_context(Command(*by_key(livekit, room_name, name), *flags, *how))
        expected = {"metadata": "hello", "attributes": {"mood": "happy"}}
        while missing:
            participants = watcher.until("update")["participants"]
            assert isinstance(participants, list)
            missing -= {
                each["identity"] for each in participants if expected.items() <= each.items()
            }


def test_metadata_on_v0_is_an_update_of_our_own(livekit: LiveKitServer, room_name: str) -> None:
    flags = ["--path", "v0", "--metadata", "hello", "--json"]
    with Command(*by_key(livekit, room_name), *flags) as command:
        answer = command.until("request_response", reason="OK")
        echo = answer["update_metadata"]
        assert isinstance(echo, dict)
        assert echo["metadata"] == "hello"
        ended = command.until("request_ended", request="update_metadata")
        assert ended["failure"] is None


def test_json_frames(livekit: LiveKitServer, room_name: str) -> None:
    flags = ["--encoding", "json", "--path", "v0", "--metadata", "hi", "--json"]
    with Command(*by_key(livekit, room_name), *flags) as command:
        command.until("joined")
        command.until("request_response", reason="OK")
        command.interrupt()
        code, err = command.ended()
    assert (code, err) == (0, "")
    assert not any(line["event"] == "frame_rejected" for line in command.lines)


def test_readable_lines(livekit: LiveKitServer, room_name: str) -> None:
    arguments = [*by_key(livekit, room_name), "--path", "v1", "--duration", "0.1"]
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    sentences = [line[10:] for line in out.splitlines()]
    assert sentences[0] == (f'joined "{room_name}" as carol by /rtc/v1, server {livekit.version}')
    assert sentences[-1] == "left the room"
    assert any(each.startswith("round trip ") for each in sentences)
    assert "\x1b" not in out


# --- tokens and the environment ----------------------------------------------------------------


def test_a_minted_token_joins(livekit: LiveKitServer, room_name: str) -> None:
    keys = {"LIVEKIT_API_KEY": livekit.api_key, "LIVEKIT_API_SECRET": livekit.api_secret}
    code, token, err = run("token", "--room", room_name, "--identity", "dora", environment=keys)
    assert (code, err) == (0, "")
    environment = {"LIVEKIT_URL": livekit.url, "LIVEKIT_TOKEN": token}
    with Command("join", "--json", "--duration", "0", environment=environment) as command:
        assert command.until("joined")["identity"] == "dora"
        assert command.ended() == (0, "")


def test_key_and_secret_from_the_environment(livekit: LiveKitServer, room_name: str) -> None:
    environment = {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.api_key,
        "LIVEKIT_API_SECRET": livekit.api_secret,
    }
    who = ["--room", room_name, "--identity", "eve"]
    with Command("join", *who, "--json", "--duration", "0", environment=environment) as command:
        assert command.until("joined")["identity"] == "eve"
        assert command.ended() == (0, "")


Token = Callable[[LiveKitServer, str], str]

REFUSED: Mapping[str, tuple[Token, str]] = {
    "garbage": (lambda server, room: "garbage-that-is-no-token", "BAD_TOKEN"),
    "expired": (lambda server, room: server.token("x", room, ttl=-timedelta(hours=1)), "BAD_TOKEN"),
    "another key": (
        lambda server, room: server.token("x", room, api_key="unknownkey"),
        "BAD_TOKEN",
    ),
    # The server's answer to this one contains the whole token.
    "another secret": (
        lambda server, room: server.token("x", room, api_secret="not the secret " * 3),
        "BAD_TOKEN",
    ),
    "no grant": (
        lambda server, room: server.token("x", room, room_join=False),
        "PERMISSION_DENIED",
    ),
}

REFUSED_ON: tuple[tuple[str, LoopName], ...] = (
    *((case, "asyncio") for case in REFUSED),
    ("another secret", "trio"),
    ("another secret", "bare"),
)


@pytest.mark.parametrize(("case", "on"), REFUSED_ON)
def test_a_refused_token_is_3_and_never_shown(
    livekit: LiveKitServer, room_name: str, case: str, on: LoopName
) -> None:
    make, reason = REFUSED[case]
    token = make(livekit, room_name)
    code, out, err = run("join", livekit.url, "--token", token, "--loop", on, "--json")
    assert code == 3, err
    [line] = [json.loads(text) for text in out.splitlines()]
    assert (line["event"], line["reason"]) == ("closed", reason)
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for part in (token, *token.split(".")[-2:]):
        assert part not in out + err


# --- nobody there, or nobody able -------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ws://127.0.0.1:{server.getsockname()[1]}"


def test_a_dead_port_is_4(loop: LoopName) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    code, out, err = run("join", f"ws://127.0.0.1:{port}", "--token", "t", "--loop", loop, "--json")
    assert code == 4
    assert json.loads(out)["reason"] == "UNREACHABLE"
    assert err.startswith("error: the server cannot be reached (")
    assert err.count("\n") == 1


def test_another_service_is_4(livekit: LiveKitServer, room_name: str) -> None:
    token = livekit.token("x", room_name)
    code, out, err = run("join", f"{livekit.url}/a/prefix", "--token", token, "--json")
    assert code == 4
    assert json.loads(out)["reason"] == "SERVICE_MISSING"
    assert err.startswith("error: there is no LiveKit server at this address")


def test_no_tls_there_is_4(livekit: LiveKitServer, loop: LoopName) -> None:
    url = livekit.url.replace("ws:", "wss:")
    code, out, err = run("join", url, "--token", "t", "--loop", loop, "--json")
    assert code == 4
    assert json.loads(out)["reason"] == "TLS_FAILURE"
    assert err.startswith("error: no secure connection could be made")


IMPATIENT = """
import sys
from kitwire.config import Timeouts
from kitwire_cli import app
from kitwire_cli.__main__ import main
app.TIMEOUTS = Timeouts(open=0.3)
sys.exit(main())
"""
"""The command, with less patience than its users have."""


def test_a_server_that_never_answers_is_4(silent: str, loop: LoopName) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "join", silent, "--token", "t", "--loop", loop, "--json"],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert ended.returncode == 4, ended.stderr
    assert json.loads(ended.stdout)["reason"] == "OPEN_TIMEOUT"
    assert ended.stderr.startswith("error: the server does not answer")


def test_a_server_that_dies_is_4(
    start_livekit: StartLiveKit,
    room_name: str,
    loop: LoopName,
) -> None:
    server, _ = start_livekit()
    options = ("--loop", loop, "--json", "--no-reconnect")
    with Command(*by_key(server, room_name), *options) as command:
        command.until("joined")
        os.kill(server.pid, signal.SIGKILL)
        code, err = command.ended()
    assert code == 4
    assert command.lines[-1]["reason"] == "LINK_LOST"
    assert command.lines[-1]["retryable"] is True
    assert err.startswith("error: the connection was lost")


def test_a_server_that_dies_and_comes_back_is_joined_anew(
    start_livekit: StartLiveKit, room_name: str, loop: LoopName
) -> None:
    server, _ = start_livekit()
    with Command(*by_key(server, room_name), "--loop", loop, "--json") as command:
        first = command.until("joined")
        os.kill(server.pid, signal.SIGKILL)
        assert command.until("lost")["cause"]
        assert command.until("restarting")["attempt"] == 1
        command.until("restarting", attempt=2)
        start_livekit(like=server)
        again = command.until("joined")
        restarted = command.until("restarted")
        assert restarted["sid"] == again["sid"] != first["sid"]
        command.interrupt()
        assert command.ended() == (0, "")


# --- ended by the server ----------------------------------------------------------------------


def remove(server: LiveKitServer, room: str) -> None:
    server.remove_participant(room, "carol")


def delete(server: LiveKitServer, room: str) -> None:
    server.delete_room(room)


@pytest.mark.parametrize(
    ("end", "reason", "sentence"),
    [
        (remove, "PARTICIPANT_REMOVED", "we were removed from the room"),
        (delete, "ROOM_DELETED", "the room was deleted"),
    ],
)
def test_ended_by_the_server_is_5(
    livekit: LiveKitServer,
    room_name: str,
    loop: LoopName,
    end: Callable[[LiveKitServer, str], None],
    reason: str,
    sentence: str,
) -> None:
    with Command(*by_key(livekit, room_name), "--loop", loop, "--json") as command:
        command.until("joined")
        end(livekit, room_name)
        code, err = command.ended()
    assert code == 5
    assert {"event": "leave", "reason": reason}.items() <= command.lines[-2].items()
    assert {"event": "closed", "origin": "SERVER", "reason": reason}.items() <= (
        command.lines[-1].items()
    )
    assert err.startswith(f"error: {sentence}")


def test_the_same_identity_twice_is_5_for_the_first(livekit: LiveKitServer, room_name: str) -> None:
    with Command(*by_key(livekit, room_name), "--json") as first:
        first.until("joined")
        code, _, err = run(*by_key(livekit, room_name), "--duration", "0")
        assert code == 0, err
        code, err = first.ended()
    assert code == 5
    assert first.lines[-1]["reason"] == "DUPLICATE_IDENTITY"
    assert err.startswith("error: somebody else joined this room with the same identity")


# --- Ctrl-C, and outputs that close -----------------------------------------------------------


def test_an_interrupt_after_the_join_leaves_gracefully(
    livekit: LiveKitServer, room_name: str, loop: LoopName
) -> None:
    with Command(*by_key(livekit, room_name), "--loop", loop, "--json") as command:
        command.until("joined")
        command.interrupt()
        code, err = command.ended()
    assert (code, err) == (0, "")
    assert [line["event"] for line in command.lines[-2:]] == ["leave", "closed"]
    assert command.lines[-1]["reason"] == "CLIENT_INITIATED"
    livekit.wait_until_empty(room_name)


def test_an_interrupt_before_the_join_is_130(loop: LoopName) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Command(
            *("join", f"ws://127.0.0.1:{server.getsockname()[1]}", "--token", "t"),
            *("--loop", loop, "--json"),
        ) as command,
    ):
        server.settimeout(WITHIN)
        connection, _ = server.accept()
        with connection:
            connection.settimeout(WITHIN)
            # Once it asks, it waits for the answer.
            assert connection.recv(1)
            began = monotonic()
            command.interrupt()
            code, err = command.ended()
    assert (code, err) == (130, "")
    assert monotonic() - began < 5.0
    assert [(line["event"], line["reason"]) for line in command.lines] == [("closed", "CANCELLED")]


def test_an_output_that_nobody_reads_any_more(
    livekit: LiveKitServer, room_name: str, loop: LoopName
) -> None:
    with Command(*by_key(livekit, room_name), "--loop", loop, "--json") as command:
        assert command.process.stdout is not None
        assert command.process.stderr is not None
        assert json.loads(command.process.stdout.readline())["event"] == "joined"
        command.process.stdout.close()
        livekit.update_room_metadata(room_name, "something to say")
        assert command.process.wait(WITHIN) == 0
        assert command.process.stderr.read() == ""
    livekit.wait_until_empty(room_name)
