"""From one place to the next, over sockets: real livekit-servers are the regions.

No server here is of LiveKit Cloud, and an open-source server names no regions. So what names them
is LiveKit's own stand-in for Cloud (livekit cmd/test-server, at a name of Cloud's that these tests
resolve to this machine), or a script that sends a Leave.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from livekit.protocol import models, rtc

from kitwire.config import ClientOptions, PathVersion, ReconnectPolicy
from kitwire.errors import Origin, Reason
from kitwire.events import Joined
from kitwire.reconnect_events import Lost, Restarted, Restarting
from tests.interop.conftest import StartLiveKit, required
from tests.interop.counterparts import closed_port, relay, web_server
from tests.interop.livekit_server import (
    ATTEMPTS,
    LAUNCHER,
    PROJECT,
    VERSION,
    LiveKitServer,
    Ports,
    ServerFailed,
    binary_for,
    masked,
    running,
)
from tests.interop.participants import LoopName, Witness, joined, refusal
from tests.peers.scripted_server import Connection, Script, scripted_server

CLOUD: Final = "project.livekit.cloud"
HOST: Final = "127.0.0.1"
PORT_TAKEN: Final = "address already in use"
"""What the stand-in says where somebody was faster: it cannot choose its ports itself."""


def local(port: int) -> str:
    return f"http://{HOST}:{port}"


def naming(
    *urls: str, action: rtc.LeaveRequest.Action = rtc.LeaveRequest.RECONNECT
) -> rtc.SignalResponse:
    """A Leave that names regions."""
    regions = rtc.RegionSettings(regions=[rtc.RegionInfo(url=url) for url in urls])
    reason = models.SERVER_SHUTDOWN
    return rtc.SignalResponse(leave=rtc.LeaveRequest(action=action, reason=reason, regions=regions))


def door(*urls: str) -> Script:
    """Lets one in, and sends them away as soon as they are there."""

    def script(connection: Connection) -> None:
        connection.let_in()
        connection.request("ping_req")
        connection.send(naming(*urls))
        connection.wait_for_end()

    return script


# --- Leaves that name regions ---


def test_a_leave_leads_past_dead_places_to_a_real_server(
    livekit: LiveKitServer, loop: LoopName, path: PathVersion, room_name: str, witness: Witness
) -> None:
    token = livekit.token("ann", room_name)
    options: ClientOptions = {"path": path, "reconnect": ReconnectPolicy()}
    with (
        web_server() as site,
        scripted_server(door(local(closed_port()), local(site), livekit.http_url)) as first,
        joined(loop, first.url, token, witness=witness, **options) as ann,
    ):
        restarted = ann.wait_for(Restarted)
        joins = [each for each in ann.events if isinstance(each, Joined)]
        assert [each.room.name for each in joins] == ["den", room_name]
        assert restarted.sid == joins[1].participant.sid
        # All of it was one attempt.
        assert [each for each in ann.events if isinstance(each, Restarting)] == [
            Restarting(attempt=1, cause=ann.wait_for(Lost).cause, next_in=0.0)
        ]
        ann.call("send_ping_req")
        assert [each.identity for each in livekit.participants(room_name)] == ["ann"]


def test_the_first_join_follows_a_leave(
    livekit: LiveKitServer, loop: LoopName, room_name: str, witness: Witness
) -> None:
    def script(connection: Connection) -> None:
        connection.end.accept(connection.upgrade())
        connection.send(naming(livekit.http_url))
        connection.wait_for_end()

    token = livekit.token("ann", room_name)
    with (
        scripted_server(script) as first,
        joined(loop, first.url, token, witness=witness) as ann,
    ):
        assert ann.joined.server_version == VERSION


def test_a_server_that_crashes_is_left_for_another_region(
    start_livekit: StartLiveKit, loop: LoopName, room_name: str, witness: Witness
) -> None:
    crashing, _ = start_livekit()
    token = crashing.token("ann", room_name)
    key, secret = crashing.api_key, crashing.api_secret
    with (
        running(binary_for(VERSION), api_key=key, api_secret=secret) as other,
        scripted_server(door(crashing.http_url, other.http_url)) as first,
        joined(loop, first.url, token, witness=witness, reconnect=ReconnectPolicy()) as ann,
    ):
        ann.wait_for(Restarted)
        assert [each.identity for each in crashing.participants(room_name)] == ["ann"]
        seen, begun = len(ann.events), time.monotonic()
        os.kill(crashing.pid, signal.SIGKILL)
        ann.wait_for(Restarted, after=seen)
        took = time.monotonic() - begun
        assert [each.identity for each in other.participants(room_name)] == ["ann"]
        attempts = [each for each in list(ann.events)[seen:] if isinstance(each, Restarting)]
        assert len(attempts) == 1
        print(f"{loop}: in another region {took * 1000:.0f} ms after a crash")  # noqa: T201
        assert took < 5


# --- LiveKit Cloud, as LiveKit's own stand-in plays it ---


@pytest.fixture
def on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolves the name of Cloud's, and nothing else of its domain, to this machine."""
    resolve = socket.getaddrinfo

    def resolved(host: str | bytes | None, *rest: object, **named: object) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        return resolve(HOST if name == CLOUD else host, *rest, **named)  # type: ignore[arg-type]  # as given

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@contextlib.contextmanager
def cloud(regions_at: str, secret: str) -> Iterator[int]:
    """The port of LiveKit's stand-in for Cloud. It has two regions, at ``{regions_at}:{port}``."""
    binary = PROJECT / ".livekit" / f"v{VERSION}" / "test-server"
    if not os.access(binary, os.X_OK):
        missing = f"LiveKit's test-server is not built: run `tools/livekit-test-server {VERSION}`"
        (pytest.fail if required() else pytest.skip)(missing)
    with contextlib.ExitStack() as stack:
        for left in reversed(range(ATTEMPTS)):
            free = Ports.free()
            ports = (free.signal, free.rtc_tcp)
            try:
                stack.enter_context(started(binary, ports, regions_at, secret))
            except ServerFailed as failed:
                if PORT_TAKEN not in str(failed) or left == 0:
                    raise
            else:
                yield free.signal
                return


@contextlib.contextmanager
def started(binary: Path, ports: Sequence[int], regions_at: str, secret: str) -> Iterator[None]:
    launcher = (sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), str(binary))
    places = ("--ports", ",".join(map(str, ports)), "--bind", HOST, "--advertise-host", regions_at)
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [*launcher, *places],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"LK_TEST_SERVER_API_SECRET": secret},
            start_new_session=True,
        ) as process,
    ):
        try:
            try:
                for port in ports:
                    wait_until_it_answers(process, port)
            except ServerFailed as failed:
                log.seek(0)
                said = masked(log.read().decode(errors="replace"), secret)
                raise ServerFailed(f"{failed}:\n{said}") from None
            yield
        finally:
            process.kill()


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(500):
        with contextlib.suppress(OSError), opener.open(local(port), timeout=2.0):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise ServerFailed(f"it ended with status {process.wait(0.02)}")
    raise ServerFailed("it does not answer")


def refused_by_cloud(server: LiveKitServer, room: str) -> str:
    """A token for which the stand-in refuses the upgrade with a 500, and a real server does not."""
    return server.token("ann", room, attributes={"lk.mock": json.dumps({"signal": "validate_500"})})


def test_the_stand_in_starts_elsewhere_where_a_port_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server((HOST, 0)) as other:
        free = Ports.free()
        chosen = [replace(free, rtc_tcp=other.getsockname()[1]), replace(free, rtc_tcp=free.signal)]
        chosen.append(last := Ports.free())
        monkeypatch.setattr(Ports, "free", lambda: chosen.pop(0))
        with cloud(f"{local(closed_port())}?its", "s" * 32) as port:
            assert (port, chosen) == (last.signal, [])


@pytest.mark.usefixtures("on_this_machine")
def test_cloud_tells_where_else_to_go(
    livekit: LiveKitServer, loop: LoopName, path: PathVersion, room_name: str, witness: Witness
) -> None:
    token = refused_by_cloud(livekit, room_name)
    # It writes its own port behind this; a server does not mind more in the query.
    with (
        cloud(f"{livekit.http_url}?its", livekit.api_secret) as port,
        joined(loop, f"ws://{CLOUD}:{port}", token, witness=witness, path=path) as ann,
    ):
        assert ann.joined.server_version == VERSION
        assert [each.identity for each in livekit.participants(room_name)] == ["ann"]


@pytest.mark.usefixtures("on_this_machine")
def test_regions_of_cloud_that_are_all_dead(
    livekit: LiveKitServer, loop: LoopName, room_name: str, witness: Witness
) -> None:
    token = refused_by_cloud(livekit, room_name)
    with cloud(f"{local(closed_port())}?its", livekit.api_secret) as port:
        reason = refusal(loop, f"ws://{CLOUD}:{port}", token, witness=witness)
    # What the first place said: its status.
    assert (reason.origin, reason.reason) == (Origin.SERVER, Reason.SERVER_ERROR)
    assert reason.retryable


@pytest.mark.usefixtures("on_this_machine")
def test_cloud_that_tells_nothing(
    livekit: LiveKitServer, loop: LoopName, room_name: str, witness: Witness
) -> None:
    """A proxy before it asks it to, by the header field that the stand-in has for that."""
    heads: list[bytes] = []

    def spoiled(head: bytes) -> bytes:
        heads.append(head)
        return head.replace(b"\r\n", b'\r\nX-Lk-Mock: {"regionsStatus": 500}\r\n', 1)

    token = refused_by_cloud(livekit, room_name)
    with (
        cloud(f"{livekit.http_url}?its", livekit.api_secret) as behind,
        relay(behind, first=spoiled) as port,
    ):
        reason = refusal(loop, f"ws://{CLOUD}:{port}", token, witness=witness)
    assert reason.reason is Reason.SERVER_ERROR
    asked = [head for head in heads if head.startswith(b"GET /settings/regions HTTP/1.1\r\n")]
    assert len(asked) == 1
    assert f"Authorization: Bearer {token}".encode() in asked[0]


def test_a_server_on_this_machine_is_not_asked(loop: LoopName, witness: Witness) -> None:
    heads: list[bytes] = []

    def noted(head: bytes) -> bytes:
        heads.append(head)
        return head

    with web_server() as site, relay(site, first=noted) as port:
        refusal(loop, f"ws://{HOST}:{port}", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", witness=witness)
    assert heads
    assert not any(b"/settings/" in head for head in heads)
