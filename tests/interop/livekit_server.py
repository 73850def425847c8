"""Starts and stops real livekit-servers, each with ports and keys of its own, on loopback.

No pytest in here: the fixtures are in conftest.py, and the demo starts its server with this too.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, TypedDict, TypeVar, Unpack

from livekit import api

__all__ = [
    "OLDER_VERSIONS",
    "VERSION",
    "Grants",
    "LiveKitServer",
    "Place",
    "Ports",
    "ServerUnavailable",
    "binary_for",
    "masked",
    "running",
    "start",
]

T = TypeVar("T")

VERSION: Final = "1.13.5"
"""The version that every test of the real server runs against."""

OLDER_VERSIONS: Final = ("1.8.4", "1.9.12", "1.11.0")
"""The versions of the `livekit_versions` suite; 1.8.4 has no `/rtc/v1`."""

HOST: Final = "127.0.0.1"
PROJECT: Final = Path(__file__).resolve().parents[2]

READY_WITHIN: Final = 20.0
"""Seconds that a server may take to answer; half a second is usual."""

ATTEMPTS: Final = 5
"""Starts with new ports before giving up: a port may be taken between choosing and binding it."""

LISTENING: Final = b"starting LiveKit server"
"""What a server logs once its ports are bound. An answer alone may come from another server."""

# Our child must die with us even when we are killed, so it asks the kernel for that before it
# becomes the server. A launcher does it, because a preexec_fn is unsafe in a threaded process.
LAUNCHER: Final = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""

JWT: Final = re.compile(r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?")


class ServerUnavailable(Exception):
    """There is no binary of the wanted version; the text says what to run."""


class ServerFailed(Exception):
    """A server could not be started; the text carries the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server listens. All but loopback is for network namespaces of the tests' own."""

    host: str = HOST
    interface: str = "lo"


LOOPBACK: Final = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of one server: signaling and API (TCP), media (TCP and UDP)."""

    signal: int
    rtc_tcp: int
    rtc_udp: int

    @staticmethod
    def free() -> Ports:
        """Three ports that are free now, all different."""
        with contextlib.ExitStack() as stack:
            bound = []
            for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM):
                probe = stack.enter_context(socket.socket(socket.AF_INET, kind))
                probe.bind((HOST, 0))
                bound.append(int(probe.getsockname()[1]))
        return Ports(signal=bound[0], rtc_tcp=bound[1], rtc_udp=bound[2])


class Grants(TypedDict, total=False):
    """What a token may allow, by the names of `livekit.api.VideoGrants`."""

    room_create: bool
    room_list: bool
    room_admin: bool
    can_publish: bool
    can_subscribe: bool
    can_publish_data: bool
    can_publish_sources: list[str]
    can_update_own_metadata: bool
    hidden: bool
    recorder: bool
    agent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKitServer:
    """A running server, as facts. Blocking methods; from a coroutine, call them in a thread."""

    version: str
    ports: Ports
    pid: int
    folder: Path
    api_key: str
    api_secret: str = field(repr=False)
    place: Place = LOOPBACK

    @property
    def url(self) -> str:
        """The base URL that clients are given."""
        return f"ws://{self.place.host}:{self.ports.signal}"

    @property
    def http_url(self) -> str:
        """The same for plain HTTP and the room API."""
        return f"http://{self.place.host}:{self.ports.signal}"

    @property
    def log_file(self) -> Path:
        """Where the server's own log goes; may contain tokens, so show `log_tail` instead."""
        return self.folder / "server.log"

    def log_tail(self, lines: int = 60) -> str:
        """The last lines of the server's log without secrets."""
        text = self.log_file.read_text(errors="replace").splitlines()[-lines:]
        return masked("\n".join(text), self.api_secret)

    def token(
        self,
        identity: str,
        room: str,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        ttl: timedelta = timedelta(minutes=10),
        room_join: bool = True,
        api_key: str | None = None,
        api_secret: str | None = None,
        **grants: Unpack[Grants],
    ) -> str:
        """A token minted by LiveKit's own library, so that ours is not its own witness.

        A negative `ttl` makes it expired; another key or secret makes it invalid.
        """
        token = (
            api.AccessToken(api_key or self.api_key, api_secret or self.api_secret)
            .with_identity(identity)
            .with_ttl(ttl)
            .with_grants(api.VideoGrants(room_join=room_join, room=room, **grants))
        )
        if name:
            token = token.with_name(name)
        if metadata:
            token = token.with_metadata(metadata)
        if attributes is not None:
            token = token.with_attributes(dict(attributes))
        return token.to_jwt()

    def administer(self, action: Callable[[api.LiveKitAPI], Awaitable[T]]) -> T:
        """Run one call of LiveKit's API client to its end, and close the client.

        It gets a thread and a loop of its own: tests run under asyncio, trio and no loop at all.
        """

        async def run() -> T:
            async with api.LiveKitAPI(
                self.http_url, self.api_key, self.api_secret, failover=False
            ) as client:
                return await action(client)

        outcome: list[T] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                outcome.append(asyncio.run(run()))
            except BaseException as error:  # noqa: BLE001 -- raised again by the caller's thread
                failure.append(error)

        thread = threading.Thread(target=work, name="livekit-api")
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return outcome[0]

    # The calls that tests make most, by name.

    def create_room(self, room: str, *, metadata: str = "") -> None:
        """Make a room before anybody joins it."""
        request = api.CreateRoomRequest(name=room, metadata=metadata)
        self.administer(lambda client: client.room.create_room(request))

    def delete_room(self, room: str) -> None:
        """End a room; everybody in it is told to leave."""
        request = api.DeleteRoomRequest(room=room)
        self.administer(lambda client: client.room.delete_room(request))

    def update_room_metadata(self, room: str, metadata: str) -> None:
        """Change a room's metadata; everybody in it is told."""
        request = api.UpdateRoomMetadataRequest(room=room, metadata=metadata)
        self.administer(lambda client: client.room.update_room_metadata(request))

    def remove_participant(self, room: str, identity: str) -> None:
        """Throw somebody out."""
        request = api.RoomParticipantIdentity(room=room, identity=identity)
        self.administer(lambda client: client.room.remove_participant(request))

    def update_permission(
        self, room: str, identity: str, permission: api.ParticipantPermission
    ) -> None:
        """Change what somebody may do; the message replaces all permissions."""
        request = api.UpdateParticipantRequest(room=room, identity=identity, permission=permission)
        self.administer(lambda client: client.room.update_participant(request))

    def update_participant(
        self,
        room: str,
        identity: str,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Change how somebody appears."""
        request = api.UpdateParticipantRequest(
            room=room,
            identity=identity,
            name=name,
            metadata=metadata,
            attributes=dict(attributes or {}),
        )
        self.administer(lambda client: client.room.update_participant(request))

    def mute_track(self, room: str, identity: str, track_sid: str, *, muted: bool = True) -> None:
        """Mute somebody's track (a server refuses to unmute unless it is configured to)."""
        request = api.MuteRoomTrackRequest(
            room=room, identity=identity, track_sid=track_sid, muted=muted
        )
        self.administer(lambda client: client.room.mute_published_track(request))

    def participants(self, room: str) -> Sequence[api.ParticipantInfo]:
        """Who is in a room, as the server sees it."""
        request = api.ListParticipantsRequest(room=room)
        answer = self.administer(lambda client: client.room.list_participants(request))
        return list(answer.participants)

    def wait_until_empty(self, room: str, *, within: float = 5.0) -> None:
        """Wait until the server has let everybody go; it closes the link a moment earlier.

        Raises TimeoutError naming who is still there.
        """
        deadline = time.monotonic() + within
        while present := self.participants(room):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still in the room: {[each.identity for each in present]}")


def binary_for(version: str) -> Path:
    """The server binary of that version, as `make livekit-server` builds it.

    Raises ServerUnavailable when it is not there.
    """
    binary = PROJECT / ".livekit" / f"v{version}" / "server"
    if not os.access(binary, os.X_OK):
        target = "livekit-server" if version == VERSION else "livekit-servers"
        raise ServerUnavailable(
            f"livekit-server {version} is not built: run `make {target}` (needs Go 1.26 or newer)"
        )
    return binary


def masked(text: str, *hidden: str) -> str:
    """The text without anything that looks like a token, and without the given secrets."""
    for secret in hidden:
        text = text.replace(secret, "[secret]")
    return JWT.sub("[token]", text)


@contextlib.contextmanager
def running(
    binary: Path,
    *,
    version: str = VERSION,
    ports: Ports | None = None,
    api_key: str | None = None,
    api_secret: str | None = None,
    auto_create: bool = True,
    place: Place = LOOPBACK,
) -> Iterator[LiveKitServer]:
    """A server for the length of a `with`.

    Give the ports and keys of an earlier one to start it again in the same place.
    """
    server, stop = start(
        binary,
        version=version,
        ports=ports,
        api_key=api_key,
        api_secret=api_secret,
        auto_create=auto_create,
        place=place,
    )
    try:
        yield server
    finally:
        stop()


def start(
    binary: Path,
    *,
    version: str = VERSION,
    ports: Ports | None = None,
    api_key: str | None = None,
    api_secret: str | None = None,
    auto_create: bool = True,
    place: Place = LOOPBACK,
) -> tuple[LiveKitServer, Callable[[], None]]:
    """Start a server and wait until it answers; returns it with the function that stops it.

    The server also stops when this process ends, however it ends. It must be started from a thread
    that lives as long as it shall (the kernel ties it to the thread). With `auto_create`, joining
    makes a room that is not there. Raises ServerFailed.
    """
    key = api_key or "key" + secrets.token_hex(6)
    # As LiveKit makes them: no hyphen, which begins an option on a command line.
    secret = api_secret or secrets.token_hex(24)
    failures = []
    for _ in range(1 if ports is not None else ATTEMPTS):
        wanted = ports or Ports.free()
        attempt = _Attempt(binary, version, wanted, key, secret, auto_create, place)
        try:
            attempt.wait_until_ready()
        except ServerFailed as failure:
            attempt.stop()
            failures.append(str(failure))
        except BaseException:
            attempt.stop()
            raise
        else:
            return attempt.server, attempt.stop
    raise ServerFailed(f"livekit-server {version} did not start:\n" + "\n".join(failures))


class _Attempt:
    """One process, from its start to its certain end."""

    def __init__(
        self,
        binary: Path,
        version: str,
        ports: Ports,
        key: str,
        secret: str,
        auto_create: bool,
        place: Place,
    ) -> None:
        self._keep = tempfile.TemporaryDirectory(prefix="kitwire-livekit-")
        folder = Path(self._keep.name)
        config = folder / "livekit.yaml"
        config.touch(mode=0o600)
        config.write_text(_configuration(ports, key, secret, auto_create, place))
        # stop() is known to atexit before there is anything to stop, so nothing falls in between.
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)
        with (folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid())),
                    *(str(binary), "--config", str(config)),
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                # Ctrl-C is for the tests; they stop the server themselves.
                start_new_session=True,
            )
        self.server = LiveKitServer(
            version=version,
            ports=ports,
            pid=self._process.pid,
            folder=folder,
            api_key=key,
            api_secret=secret,
            place=place,
        )

    def wait_until_ready(self) -> None:
        assert self._process is not None
        pause = 0.02
        for _ in range(int(READY_WITHIN / pause)):
            if LISTENING in self.server.log_file.read_bytes() and _answers(self.server.http_url):
                return
            # Waiting for its end is the pause, so that a server which fails is noticed at once.
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(pause)
                raise ServerFailed(f"it ended with status {status}:\n{self.server.log_tail()}")
        raise ServerFailed(f"no answer within {READY_WITHIN} s:\n{self.server.log_tail()}")

    def stop(self) -> None:
        """Stop it for certain, and clear away its folder. May be called again."""
        atexit.unregister(self.stop)
        process = self._process
        if process is not None and process.poll() is None:
            # The first SIGTERM drains while participants are there, the second ends it.
            for step, patience in ((signal.SIGTERM, 0.1), (signal.SIGTERM, 3.0)):
                process.send_signal(step)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience)
                    break
            else:
                process.kill()
                process.wait()
        self._keep.cleanup()


def _answers(url: str) -> bool:
    # No proxy, whatever the environment says: this is the same machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2.0) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _environment() -> dict[str, str]:
    # The server reads LIVEKIT_* too; what a developer has set for their own must not reach it.
    return {name: value for name, value in os.environ.items() if not name.startswith("LIVEKIT_")}


def _configuration(ports: Ports, key: str, secret: str, auto_create: bool, place: Place) -> str:
    return f"""\
port: {ports.signal}
bind_addresses: [{place.host}]
keys: {{{key}: {secret}}}
logging: {{level: info}}
room: {{auto_create: {str(auto_create).lower()}}}
rtc:
  node_ip: {place.host}
  use_external_ip: false
  enable_loopback_candidate: true
  interfaces: {{includes: [{place.interface}]}}
  tcp_port: {ports.rtc_tcp}
  udp_port: {ports.rtc_udp}
  # Otherwise a Join hands out public STUN servers. Nobody listens here, and nobody needs to.
  stun_servers: ["{HOST}:9"]
"""
