"""Run by test_wall.py as `python -I -B walled.py`: the core lives a life without the world.

First everything that the core builds on is loaded, then the wall goes up, then kitwire is imported
and driven. Any use of a socket, a clock, randomness, a file, a thread or an event loop raises.
"""

from __future__ import annotations

import asyncio
import builtins
import importlib
import logging
import os
import random
import secrets
import select
import selectors
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from kitwire.commands import LinkId
    from kitwire.link.websocket import ServerWebSocket
    from kitwire.messages import SignalResponse

# What the core builds on. It is loaded first, because loading reads files and the environment.
FOUNDATIONS: Final = (
    "abc",
    "base64",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "gzip",
    "http",
    "ipaddress",
    "json",
    "typing",
    "urllib.parse",
    "zlib",
    "betterproto2",
    "h11",
    "websockets.client",
    "websockets.server",
    "websockets.extensions.permessage_deflate",
)

# The RFC wants masks and keys to be random, so websockets may draw them; nobody else may. Each is
# (what is called, the module that calls it).
EXCEPTIONS: Final = {
    ("secrets.token_bytes", "websockets.frames"),
    ("secrets.token_bytes", "websockets.utils"),
    ("uuid.uuid4", "websockets.protocol"),
    ("os.urandom", "uuid"),
}


class Breach(BaseException):
    """The core reached for the world. Not an Exception, so that nothing swallows it."""


def brick(name: str, original: Callable[..., object]) -> Callable[..., object]:
    """Stands in for a function of the world."""

    def raising(*args: object, **kwargs: object) -> object:
        caller = sys._getframe(1).f_globals.get("__name__")
        if (name, caller) in EXCEPTIONS:
            return original(*args, **kwargs)
        raise Breach(f"{name} called from {caller}")

    return raising


def wall_off(module: ModuleType, names: list[str] | None = None) -> None:
    """Replace the functions of a module: the named ones, or all public ones."""
    for name in names or [name for name in dir(module) if not name.startswith("_")]:
        original = getattr(module, name)
        if callable(original) and not isinstance(original, type):
            setattr(module, name, brick(f"{module.__name__}.{name}", original))


class Walled:
    """Stands in for a class of the world: it cannot be made."""

    def __new__(cls, *args: object, **kwargs: object) -> NoReturn:
        raise Breach("a socket, thread or process made")


def build_the_wall() -> None:
    """From here on the world is gone."""
    for name in FOUNDATIONS:
        importlib.import_module(name)
    for module in (socket, ssl, select, time, random, secrets, uuid, subprocess):
        wall_off(module)
    wall_off(os, ["getenv", "getpid", "listdir", "popen", "scandir", "system", "urandom"])
    wall_off(asyncio, ["get_event_loop", "new_event_loop", "run", "create_task"])
    wall_off(builtins, ["input", "open", "print"])
    for module, name in (
        (socket, "socket"),
        (ssl, "SSLContext"),
        (subprocess, "Popen"),
        (threading, "Thread"),
        (selectors, "DefaultSelector"),
    ):
        setattr(module, name, Walled)
    for owner, name in (
        (logging.Logger, "makeRecord"),
        (Path, "open"),
        (Path, "read_text"),
        (Path, "read_bytes"),
        (random.Random, "random"),
        (random.SystemRandom, "random"),
        (threading.Timer, "start"),
    ):
        setattr(owner, name, brick(f"{owner.__name__}.{name}", getattr(owner, name)))
    # What is reached below the functions above, from C or by another name.
    sys.addaudithook(watch)


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """The interpreter's own account of what is done."""
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "_thread.")):
        raise Breach(event)
    if event == "open" and not str(arguments[0]).endswith((".py", ".pyc")):
        # Only the import system reads, and only modules.
        raise Breach(f"open {arguments[0]}")


# A token that nobody issued, and what a server says of it.
TOKEN: Final = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJ0d2VldCJ9.c2lnbmF0dXJl"
REFUSAL: Final = f"invalid token: {TOKEN}, error: go-jose: validation failed"


def drive() -> str:
    """The lives that are lived behind the wall; returns what they came to."""
    kitwire = importlib.import_module("kitwire")
    for name in kitwire.__all__:
        getattr(kitwire, name)
    joined, refused = join_an_old_server(), be_refused()
    return f"kitwire with {len(kitwire.__all__)} public names: {joined}; {refused}"


class World:
    """The sockets of a client: a server's end for each link, and a clock that is a number."""

    def __init__(self, *, encoding: str = "binary") -> None:
        import kitwire

        config = kitwire.ClientConfig(
            url="ws://livekit.test:7880",
            token=TOKEN,
            encoding=kitwire.Encoding(encoding),
            metadata="hello",
            trace=lambda record: self.trace.append(repr(record)),
        )
        self.trace: list[str] = []
        self.client = kitwire.Client(config, jitter=lambda: 0.5)
        self.now = 0.0
        self.events: list[kitwire.Event] = []
        self.ends: dict[int, ServerWebSocket] = {}
        self.heard: list[str] = []

    def settle(self) -> None:
        """Carry out what the client says, with a server that answers at once."""
        import kitwire

        while (output := self.client.poll()) is not None:
            match output:
                case kitwire.Dial(link=link):
                    self.ends[link] = server_end()
                    self.client.dialed(link, now=self.now)
                case kitwire.Write(link=link, data=data):
                    self.serve(link, data)
                case kitwire.CloseLink(link=link):
                    del self.ends[link]
                case event if not isinstance(event, kitwire.PeerCommand):
                    self.events.append(event)

    def serve(self, link: LinkId, data: bytes) -> None:
        """Answer bytes with bytes."""
        from kitwire.codec import decode_request, which_variant
        from kitwire.link.websocket import MessageReceived, Requested

        end = self.ends[link]
        for event in end.receive(data):
            match event:
                case Requested(path=path):
                    self.answer(end, path.partition("?")[0])
                case MessageReceived(data=frame):
                    member = which_variant(decode_request(frame))
                    assert member is not None
                    self.heard.append(member[0])
                    self.reply(end, *member)
                case _:
                    pass
        if answer := end.outgoing():
            self.client.receive(link, answer, now=self.now)

    def answer(self, end: ServerWebSocket, path: str) -> None:
        """Let in, or refuse."""
        if path != "/rtc":
            end.respond(404, body=b"404 page not found")
            return
        from kitwire import messages as msg

        end.accept()
        room, info = msg.Room(name="den"), msg.ParticipantInfo(sid="PA_1", identity="me")
        join = msg.JoinResponse(room=room, participant=info, ping_interval=5, ping_timeout=15)
        say(end, msg.SignalResponse(join=join))

    def reply(self, end: ServerWebSocket, variant: str, value: object) -> None:
        """Answer a request."""
        from kitwire import messages as msg

        match value:
            case msg.Ping(timestamp=timestamp):
                say(end, msg.SignalResponse(pong_resp=msg.Pong(last_ping_timestamp=timestamp)))
            case msg.AddTrackRequest(cid=cid):
                track = msg.TrackPublishedResponse(cid=cid, track=msg.TrackInfo(sid="TR_1"))
                say(end, msg.SignalResponse(track_published=track))
            case msg.UpdateParticipantMetadata(request_id=number):
                say(end, msg.SignalResponse(request_response=msg.RequestResponse(number)))
            case msg.LeaveRequest():
                say(end, msg.SignalResponse(leave=value))
                end.close(1000)
            case _:
                assert variant in {"mute", "offer"}, variant


def join_an_old_server() -> str:
    """A life from the first refusal to the last close, in both encodings."""
    from kitwire import messages as msg

    came_to = ""
    for encoding in ("binary", "json"):
        world = World(encoding=encoding)
        client = world.client
        client.connect(now=world.now)
        world.settle()
        client.add_track(msg.AddTrackRequest(cid="c", type=msg.TrackType.AUDIO), now=world.now)
        client.mute_track("TR_1", True, now=world.now)
        client.send_offer("v=0", offer_id=1, now=world.now)
        world.settle()
        for _ in range(3):
            assert client.deadline is not None
            world.now = client.deadline
            client.handle_timeout(now=world.now)
            world.settle()
        client.close(now=world.now)
        world.settle()
        names = [type(event).__name__ for event in world.events]
        assert (names[0], names[-1]) == ("Joined", "Closed"), names
        assert names.count("RequestEnded") == 3, names
        assert names.count("PongReceived") == 3, names
        wanted = ["ping_req", "update_metadata", "add_track", "mute", "offer"]
        assert world.heard == [*wanted, "ping_req", "ping_req", "leave"], world.heard
        assert client.closed
        assert not world.ends
        assert len(world.trace) > 20
        assert TOKEN not in str((world.events, world.trace))
        came_to = f"joined /rtc, {len(world.events)} events"
    return came_to


def be_refused() -> str:
    """A life that ends before it began, and learns why."""
    import kitwire

    refusing = World()
    refusing.answer = lambda end, path: end.respond(  # type: ignore[method-assign]  # another server
        401, body=REFUSAL.encode()
    )
    refusing.client.connect(now=0.0)
    refusing.settle()
    (closed,) = refusing.events
    assert isinstance(closed, kitwire.Closed)
    assert closed.reason.reason is kitwire.Reason.BAD_TOKEN
    assert TOKEN not in str((refusing.events, refusing.trace))
    return f"refused with {closed.reason.reason}"


def server_end() -> ServerWebSocket:
    """The far end of one link."""
    from kitwire.link.websocket import ServerWebSocket

    return ServerWebSocket(max_size=1_000_000)


def say(end: ServerWebSocket, message: SignalResponse) -> None:
    """Send a message to the client."""
    from kitwire.codec import encode_response

    end.send(encode_response(message))


def main(breach: str = "") -> None:
    """Drive the core; or, to show that the wall holds, commit the named breach."""
    build_the_wall()
    sys.stdout.write(str(eval(breach)) if breach else drive())


if __name__ == "__main__":
    main(*sys.argv[1:])
