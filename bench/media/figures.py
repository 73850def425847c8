"""What is measured of rooms with media, each beside LiveKit's own SDK in the same run.

Everybody is in a process of its own: the server, who publishes, and who is measured. The units are
seconds, shares of one core, and bytes.
"""

from __future__ import annotations

import contextlib
import secrets
import statistics
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, cast

from tests.interop.livekit_server import LiveKitServer
from tests.interop.official import OWN_WORDS
from tests.interop.processes import ParticipantProcess, participant_process

__all__ = [
    "LOADS",
    "SUBJECTS",
    "Joining",
    "Load",
    "Spread",
    "joining",
    "load",
    "memory",
    "round_trips",
]

SUBJECTS: Final = ("kitwire", "official")
"""The modules by_….py beside this one."""

LOADS: Final = ((1, 0), (4, 0), (8, 0), (0, 1), (1, 1))
"""Tracks to receive: audio, and video of 640×360."""

LIMIT: Final = 120.0
"""Seconds for a measurement of one subject; it fails afterwards."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of many values, what half of them, 95 and 99 of a hundred stay below."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """By linear interpolation between the values."""
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        return cls(cuts[49], cuts[94], cuts[98])


def subject(name: str) -> AbstractContextManager[ParticipantProcess]:
    """Start one of `SUBJECTS`, for the length of a `with`."""
    return participant_process("-m", f"bench.media.by_{name}", within=LIMIT, own_words=OWN_WORDS)


@contextlib.contextmanager
def published(server: LiveKitServer, *, audio: int, video: int) -> Iterator[str]:
    """A room in which somebody publishes so many tracks; gives its name."""
    room = "bench-" + secrets.token_hex(6)
    with subject("kitwire") as publisher:
        token = server.token("publisher", room)
        publisher.do("publish", url=server.url, token=token, audio=str(audio), video=str(video))
        yield room
        publisher.do("leave")


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """Seconds from the call."""

    connected: Spread
    first_frame: Spread
    """Until the first decoded frame of a track that was there before, and is not silent."""


def joining(server: LiveKitServer, *, rounds: int = 20) -> Mapping[str, Joining]:
    """Join a room in which somebody speaks, by turns; by the name of the subject."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SUBJECTS}
    with published(server, audio=1, video=0) as room, contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(subject(name)) for name in SUBJECTS}
        # The first of each, which loads what there is to load, is not counted.
        for count in range(rounds + 1):
            for name, each in running.items():
                token = server.token(f"{name}-{count}", room)
                answer = each.do("enter", url=server.url, token=token)
                if count:
                    found[name].append(cast(dict[str, float], answer))
    return {
        name: Joining(
            connected=Spread.of([each["connected"] for each in answers]),
            first_frame=Spread.of([each["first_frame"] for each in answers]),
        )
        for name, answers in found.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What receiving took."""

    cpu: float
    """Share of one core, all threads."""
    frames: Mapping[str, int]
    """By track: samples of audio, pictures of video."""


def load(
    server: LiveKitServer, *, audio: int, video: int, seconds: float = 10.0
) -> Mapping[str, Load]:
    """Receive so many tracks, one subject after the other, and read every frame."""
    found = {}
    with published(server, audio=audio, video=video) as room:
        for name in SUBJECTS:
            with subject(name) as each:
                token = server.token(name, room)
                answer = each.do(
                    "receive",
                    url=server.url,
                    token=token,
                    tracks=str(audio + video),
                    seconds=str(seconds),
                )
            found[name] = Load(
                cpu=cast(float, answer["cpu"]), frames=cast(dict[str, int], answer["frames"])
            )
    return found


def round_trips(
    server: LiveKitServer, *, audio: int = 8, seconds: float = 10.0
) -> tuple[Spread, Spread]:
    """Pings while so many tracks are decoded, and at the same time those of somebody without media.

    Ten a second.
    """
    with published(server, audio=audio, video=0) as room, contextlib.ExitStack() as stack:
        busy, idle = (stack.enter_context(subject("kitwire")) for _ in range(2))
        both = {"url": server.url, "seconds": str(seconds)}
        token, tracks = server.token("busy", room), str(audio)
        one = busy.begin("receive", token=token, tracks=tracks, ping="yes", **both)
        two = idle.begin("ping", token=server.token("idle", room), **both)
        with_media = busy.answer("receive", one)["rtts"]
        without = idle.answer("ping", two)["rtts"]
    return Spread.of(cast(list[float], with_media)), Spread.of(cast(list[float], without))


def memory(server: LiveKitServer, *, cycles: int = 50) -> list[int]:
    """Publish and unpublish so often; bytes of resident memory after each time."""
    room = "bench-" + secrets.token_hex(6)
    with subject("kitwire") as each:
        token = server.token("ann", room)
        answer = each.do("cycle", url=server.url, token=token, cycles=str(cycles))
    return cast(list[int], answer["resident"])
