"""Two participants meet on a real livekit-server: Anna by asyncio, Bruno by trio.

    make demo

starts the server on loopback with ports and keys of its own, lets both join one room, change their
metadata and attributes, announce a microphone and a data track, be muted by a moderator and be
refused something, and prints what each saw. Then they talk: a tone, a test pattern and data go from
the one to the other (talk.py). It ends with a table of what was verified, and exits with 1 when
something of that did not happen.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Unpack, overload

import trio
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

import kitwire_asyncio
import kitwire_trio
from kitwire import (
    ClientOptions,
    Closed,
    ConnectFailed,
    Event,
    FailureReason,
    Joined,
    KitwireError,
    MuteReceived,
    ParticipantsUpdated,
    PathVersion,
    Reason,
    RequestFailed,
    Room,
)
from kitwire.messages import (
    AddTrackRequest,
    ParticipantInfo,
    ParticipantInfoState,
    TrackInfo,
    TrackSource,
    TrackType,
)
from kitwire_aiortc import Media, MediaRoom
from kitwire_cli.prose import Narrator

# The tests start their servers with the same code.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from demo.talk import LOOPBACK, TALK_CHECKS, Talk, listen, speak
from tests.interop.livekit_server import LiveKitServer, ServerFailed, running

ROOM: Final = "demo"
WITHIN: Final = 20.0
"""Seconds for everything; a fraction of one is usual, a few when the server gathers updates."""
PROMPT: Final = 0.1
"""Seconds within which a refused request must fail; the official SDKs wait ten."""

console: Final = Console(highlight=False)


class Connect(Protocol):
    """What both adapters offer."""

    @overload
    def __call__(
        self, url: str, *, token: str, media: None = None, **options: Unpack[ClientOptions]
    ) -> AbstractAsyncContextManager[Room]: ...

    @overload
    def __call__(
        self, url: str, *, token: str, media: Media, **options: Unpack[ClientOptions]
    ) -> AbstractAsyncContextManager[MediaRoom]: ...


Enter = Callable[[Callable[[Connect], Coroutine[object, object, None]]], None]
"""Runs a part on one of the loops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Who does what, by which loop and path."""

    name: str
    other: str
    loop: str
    path: PathVersion
    style: str


ANNA: Final = Role(name="anna", other="bruno", loop="asyncio", path=PathVersion.V1, style="cyan")
BRUNO: Final = Role(name="bruno", other="anna", loop="trio", path=PathVersion.V0, style="magenta")


@dataclass(slots=True, kw_only=True)
class Witness:
    """What a participant saw, said aloud as it happens."""

    role: Role
    began: float
    narrator: Narrator = field(default_factory=Narrator)
    path: str = ""
    other: ParticipantInfo | None = None
    other_left: bool = False
    muted: bool = False
    track: TrackInfo | None = None
    refused: FailureReason | None = None
    refused_after: float = float("inf")
    bad_token: Reason | None = None
    rtt: float | None = None
    closed: Reason | None = None

    def see(self, event: Event) -> None:
        """Take in an event and tell it."""
        self.say(self.narrator.tell(event))
        match event:
            case Joined():
                self.path = event.path
                self._meet(event.other_participants)
            case ParticipantsUpdated(participants=participants):
                self._meet(participants)
            case MuteReceived(muted=True):
                self.muted = True
            case Closed(reason=reason):
                self.closed = reason.reason
            case _:
                pass

    def _meet(self, participants: tuple[ParticipantInfo, ...]) -> None:
        for each in participants:
            if each.identity != self.role.other:
                continue
            if each.state == ParticipantInfoState.DISCONNECTED:
                self.other_left = True
            else:
                self.other = each

    def say(self, text: str) -> None:
        """One line, with who saw it and when."""
        who = f"{self.role.name} ({self.role.loop})"
        seconds = time.monotonic() - self.began
        line = Text.assemble((f"{seconds:6.2f} ", "dim"), (f"{who:<15}", self.role.style), text)
        console.print(line, soft_wrap=True)

    def knows_everything(self) -> bool:
        """Whether the other has been seen with all that they have done."""
        other = self.other
        return (
            other is not None
            and other.metadata == f"hello from {other.identity}"
            and other.attributes.get("mood") == "happy"
            and any(track.name == "poses" for track in other.data_tracks)
        )


# --- what both do, the same code on both loops ---


async def until(room: Room, witness: Witness, condition: Callable[[], bool]) -> None:
    """Watch until the condition holds; the room's end ends it too."""
    while not condition() and (event := await anext(room, None)) is not None:
        witness.see(event)


async def perform(room: Room, witness: Witness, moderate: Callable[[str], object]) -> None:
    """Everything that a participant does in the room."""
    role = witness.role
    await until(room, witness, lambda: bool(witness.path))
    await room.update_metadata(f"hello from {role.name}", attributes={"mood": "happy"})
    witness.track = await room.add_track(
        AddTrackRequest(
            cid="mic-of-" + role.name,
            name="mic",
            type=TrackType.AUDIO,
            source=TrackSource.MICROPHONE,
        )
    )
    await room.publish_data_track("poses", pub_handle=1)
    asked = time.monotonic()
    try:
        await room.mute_track("TR_nobodys", True)
    except RequestFailed as failure:
        witness.refused, witness.refused_after = failure.reason, time.monotonic() - asked
    moderate(witness.track.sid)
    await until(room, witness, lambda: witness.muted and witness.knows_everything())
    witness.rtt = room.rtt
    # Whoever has seen everything says so; then Bruno goes first, and Anna sees him go.
    await room.update_metadata(attributes={"saw": "everything"})
    if role is ANNA:
        await until(room, witness, lambda: witness.other_left)
    else:
        await until(room, witness, lambda: _saw_everything(witness.other))
    await room.leave()
    await until(room, witness, lambda: False)


def _saw_everything(other: ParticipantInfo | None) -> bool:
    return other is not None and other.attributes.get("saw") == "everything"


async def take_part(
    connect: Connect,
    server: LiveKitServer,
    witness: Witness,
    joined: threading.Event,
    moderate: Callable[[str], object],
) -> None:
    """Be refused with a token that somebody else signed; then join and perform."""
    role = witness.role
    try:
        async with connect(server.url, token=forged_token(server)):
            pass
    except ConnectFailed as failure:
        witness.bad_token = failure.reason.reason
    token = server.token(role.name, ROOM, can_update_own_metadata=True)
    async with connect(server.url, token=token, path=role.path) as room:
        joined.set()
        await perform(room, witness, moderate)


def forged_token(server: LiveKitServer) -> str:
    """Right in everything but the signature."""
    return server.token("mallory", ROOM, api_secret="made up by somebody who does not know it")


# --- how each loop is entered ---


def by_asyncio(part: Callable[[Connect], Coroutine[object, object, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(WITHIN):
            await part(kitwire_asyncio.connect)

    asyncio.run(main())


def by_trio(part: Callable[[Connect], Coroutine[object, object, None]]) -> None:
    async def main() -> None:
        with trio.fail_after(WITHIN):
            await part(kitwire_trio.connect)

    trio.run(main)


def meet(server: LiveKitServer) -> tuple[Witness, Witness]:
    """Let both join, Anna first, and return what they saw once both have left."""
    began = time.monotonic()
    anna, bruno = (Witness(role=role, began=began) for role in (ANNA, BRUNO))
    with ThreadPoolExecutor() as pool:
        muting: list[Future[None]] = []

        def moderate(witness: Witness) -> Callable[[str], object]:
            # The room API is asked in a thread, because the call blocks.
            name = witness.role.name
            return lambda sid: muting.append(pool.submit(server.mute_track, ROOM, name, sid))

        def start(enter: Enter, witness: Witness) -> tuple[Future[None], threading.Event]:
            joined = threading.Event()

            def part(connect: Connect) -> Coroutine[object, object, None]:
                return take_part(connect, server, witness, joined, moderate(witness))

            ended = pool.submit(enter, part)
            ended.add_done_callback(lambda _: joined.set())
            return ended, joined

        first, anna_joined = start(by_asyncio, anna)
        anna_joined.wait()
        second, _ = start(by_trio, bruno)
        # Bruno's end first: without him Anna would wait for all the time there is.
        for each in (second, first, *muting):
            each.result()
    return anna, bruno


def talk_with_each_other(server: LiveKitServer, picture: Path) -> Talk:
    """Let both join with media, Bruno first so that he misses nothing, and talk."""
    talk = Talk(picture=picture)
    ready = threading.Event()

    async def as_bruno(connect: Connect) -> None:
        token = server.token(BRUNO.name, ROOM)
        async with connect(server.url, token=token, path=BRUNO.path, media=LOOPBACK) as room:
            await listen(room, talk, ready.set)

    async def as_anna(connect: Connect) -> None:
        token = server.token(ANNA.name, ROOM)
        async with connect(server.url, token=token, path=ANNA.path, media=LOOPBACK) as room:
            await speak(room, talk)

    with ThreadPoolExecutor() as pool:
        bruno = pool.submit(by_trio, as_bruno)
        bruno.add_done_callback(lambda _: ready.set())
        ready.wait()
        anna = pool.submit(by_asyncio, as_anna)
        for each in (bruno, anna):
            each.result()
    return talk


# --- what must have happened ---

PATHS: Final = {PathVersion.V1: "/rtc/v1", PathVersion.V0: "/rtc"}

CHECKS: Final[tuple[tuple[str, Callable[[Witness], tuple[bool, str]]], ...]] = (
    ("forged token refused", lambda w: (w.bad_token is Reason.BAD_TOKEN, str(w.bad_token))),
    ("joined by", lambda w: (w.path == PATHS[w.role.path], w.path)),
    ("round trip measured", lambda w: (w.rtt is not None, _milliseconds(w.rtt))),
    (
        "other's metadata seen",
        lambda w: (
            w.other is not None and w.other.metadata == f"hello from {w.role.other}",
            f"hello from {w.role.other}",
        ),
    ),
    (
        "other's attribute seen",
        lambda w: (w.other is not None and w.other.attributes.get("mood") == "happy", "mood=happy"),
    ),
    ("other's data track seen", lambda w: (w.knows_everything(), "poses")),
    (
        "microphone announced",
        lambda w: (
            w.track is not None and w.track.source == TrackSource.MICROPHONE,
            w.track.sid if w.track is not None else "",
        ),
    ),
    ("muted by a moderator", lambda w: (w.muted, "muted")),
    (
        "bad request refused",
        lambda w: (
            w.refused is FailureReason.NOT_FOUND and w.refused_after < PROMPT,
            f"{w.refused}, {_milliseconds(w.refused_after)}",
        ),
    ),
    ("left", lambda w: (w.closed is Reason.CLIENT_INITIATED, str(w.closed))),
)
"""What is verified of each participant: what it is, whether it held, what was seen."""


def _milliseconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds * 1000:.1f} ms"


def verify(anna: Witness, bruno: Witness, talk: Talk, version: str) -> bool:
    """Print the table, and return whether everything held."""
    console.print(f"\nVerified with livekit-server {version}:", style="bold")
    table = Table(box=SIMPLE)
    table.add_column("")
    for witness in (anna, bruno):
        table.add_column(f"{witness.role.name}, {witness.role.loop}", style=witness.role.style)
    held = True
    for what, check in CHECKS:
        cells = []
        for witness in (anna, bruno):
            good, seen = check(witness)
            held &= good
            cells.append(Text(f"✔ {seen}" if good else f"✘ {seen}", style="" if good else "red"))
        table.add_row(what, *cells)
    left = anna.other_left
    table.add_row("other's leaving seen", "✔ bruno" if left else "✘", "left first")
    console.print(table)
    talked = Table(box=SIMPLE, show_header=False)
    for what, holds in TALK_CHECKS:
        good, seen = holds(talk)
        held &= good
        talked.add_row(
            what, Text(f"✔ {seen}" if good else f"✘ {seen}", style="" if good else "red")
        )
    console.print(talked)
    return held and left


def main() -> int:
    """Run the demo; the result is the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server-binary", type=Path, required=True, help="a livekit-server")
    parser.add_argument(
        "--picture", type=Path, required=True, help="where to save a picture (.png)"
    )
    arguments = parser.parse_args()
    binary: Path = arguments.server_binary.resolve()
    picture: Path = arguments.picture
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.unlink(missing_ok=True)
    # The Makefile puts each server into a folder named after its version.
    version = binary.parent.name.removeprefix("v")
    try:
        with running(binary, version=version) as server:
            anna, bruno = meet(server)
            console.print("\nNow they talk …", style="bold")
            talk = talk_with_each_other(server, picture)
    except (ServerFailed, OSError, KitwireError, TimeoutError, trio.TooSlowError) as problem:
        console.print(f"error: {type(problem).__name__}: {problem}", style="red", markup=False)
        return 1
    return 0 if verify(anna, bruno, talk, version) else 1


if __name__ == "__main__":
    sys.exit(main())
