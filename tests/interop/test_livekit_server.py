"""The machinery that starts real servers: it starts them, stops them for certain, keeps secrets."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

from tests.interop import livekit_server
from tests.interop.conftest import StartLiveKit, enter
from tests.interop.livekit_server import LiveKitServer, Ports, ServerFailed, masked

PROJECT = Path(__file__).resolve().parents[2]


def get(url: str, token: str | None = None) -> tuple[int, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=5.0) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def test_each_version_answers_and_says_which_it_is(livekit_version: LiveKitServer) -> None:
    assert get(livekit_version.http_url) == (200, "OK")
    assert f'"version": "{livekit_version.version}"' in livekit_version.log_file.read_text()


def test_only_the_oldest_lacks_the_new_path(livekit_version: LiveKitServer) -> None:
    status, _ = get(f"{livekit_version.http_url}/rtc/v1/validate")
    assert (status == 404) is (livekit_version.version == "1.8.4")


def test_its_tokens_are_accepted_and_spoilt_ones_are_not(
    livekit: LiveKitServer, room_name: str
) -> None:
    validate = f"{livekit.http_url}/rtc/validate"
    assert get(validate, livekit.token("ann", room_name)) == (200, "success")
    assert get(validate, livekit.token("ann", room_name, ttl=timedelta(hours=-1)))[0] == 401
    assert get(validate, livekit.token("ann", room_name, api_key="nobody"))[0] == 401
    assert get(validate, livekit.token("ann", room_name, api_secret="x" * 40))[0] == 401
    assert get(validate, livekit.token("ann", room_name, room_join=False))[0] == 401


def test_the_room_api_answers(livekit: LiveKitServer, room_name: str) -> None:
    livekit.create_room(room_name, metadata="first")
    assert livekit.participants(room_name) == []
    livekit.update_room_metadata(room_name, "second")
    livekit.delete_room(room_name)


def test_a_stopped_server_leaves_nothing(start_livekit: StartLiveKit) -> None:
    server, stop = start_livekit()
    assert accepts(server.ports.signal)
    os.kill(server.pid, 0)  # it is there
    stop()
    assert not accepts(server.ports.signal)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
    assert not server.folder.exists()
    stop()  # again, harmlessly


def test_another_can_take_its_place(start_livekit: StartLiveKit, room_name: str) -> None:
    first, stop = start_livekit()
    token = first.token("ann", room_name)
    stop()
    second, _ = start_livekit(like=first)
    assert second.url == first.url
    assert second.pid != first.pid
    assert get(f"{second.http_url}/rtc/validate", token) == (200, "success")


def test_a_taken_port_is_not_mistaken_for_the_server(
    livekit: LiveKitServer, start_livekit: StartLiveKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = [livekit.ports, livekit.ports, Ports.free()]
    monkeypatch.setattr(Ports, "free", lambda: taken.pop(0))
    server, _ = start_livekit()
    assert taken == []
    assert server.ports.signal != livekit.ports.signal


def test_a_server_that_cannot_start_says_why(
    livekit: LiveKitServer, start_livekit: StartLiveKit
) -> None:
    with pytest.raises(ServerFailed, match="address already in use"):
        start_livekit(like=livekit)


ORPHAN = """
import sys
from tests.interop.livekit_server import binary_for, start
server, stop = start(binary_for({version!r}))
print(server.pid, server.ports.signal, server.folder, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="watches the process by a pidfd")
@pytest.mark.parametrize("end", ["exit", signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_that_started_it(
    livekit: LiveKitServer, end: str | signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN.format(version=livekit.version)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        pid, port, folder = starter.stdout.readline().split()
        assert accepts(int(port))
        watch = os.pidfd_open(int(pid))
        if isinstance(end, signal.Signals):
            starter.send_signal(end)
        else:
            starter.stdin.close()
        starter.wait(timeout=20)
    # The kernel ends it just after its parent; this watches the process itself.
    try:
        assert select.select([watch], [], [], 20)[0] == [watch]
    finally:
        os.close(watch)
    assert not accepts(int(port))
    if end == "exit":
        assert not Path(folder).exists()
    else:
        # Nobody was left to clear it away.
        for file in Path(folder).iterdir():
            file.unlink()
        Path(folder).rmdir()


@pytest.mark.parametrize(
    ("flag", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_a_missing_server_skips_or_fails(
    flag: str,
    outcome: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("KITWIRE_REQUIRE_LIVEKIT", flag)
    monkeypatch.setattr(livekit_server, "PROJECT", tmp_path)
    with contextlib.ExitStack() as stack, pytest.raises(outcome, match="run `make livekit-server`"):
        enter(stack, livekit_server.VERSION)
    with (
        contextlib.ExitStack() as stack,
        pytest.raises(outcome, match="run `make livekit-servers`"),
    ):
        enter(stack, "1.8.4")


def test_no_secret_is_shown(livekit: LiveKitServer, room_name: str) -> None:
    token = livekit.token("ann", room_name, api_secret="y" * 40)
    _, body = get(f"{livekit.http_url}/rtc/validate", token)
    assert token in body  # the server echoes it
    assert livekit.api_secret not in repr(livekit)
    with livekit.log_file.open("a") as log:
        log.write(f"\n{token} {livekit.api_secret}\n")
    shown = livekit.log_tail()
    assert "[token] [secret]" in shown
    assert token not in shown
    assert livekit.api_secret not in shown
    assert masked("plain text") == "plain text"
