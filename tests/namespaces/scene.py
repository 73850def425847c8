"""Who takes part: three participants at the client's end of the network, each with a partner.

Two of the three are ours, by each path, in one process; the third is the official SDK's, in
another. The partners are the official SDK's too, at the server's end, so that what is heard of us
has a witness that is not ours. Each pair has a room of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, TypedDict, cast

from tests.interop.livekit_server import LiveKitServer
from tests.interop.official import OWN_WORDS
from tests.interop.processes import STRICT, ParticipantProcess, participant_process
from tests.namespaces.hearing import BLOCKS, Heard
from tests.namespaces.namespaces import Network

__all__ = ["ALL", "OFFICIAL", "OURS", "Scene", "show"]

OURS: Final = ("v1", "v0")
OFFICIAL: Final = "official"
ALL: Final = (*OURS, OFFICIAL)
WITHIN: Final = 90.0
"""Seconds for a command: more than any is told to take."""
HERTZ: Final = {"v1": (600, 1100), "v0": (700, 1200), OFFICIAL: (800, 1300)}
"""Everybody's tone, and their partner's."""
KINDS: Final = (
    *("lost", "resuming", "resumed", "restarting", "restarted", "closed"),
    *("reconnecting", "reconnected", "disconnected"),
)
"""What is told of an episode, by ours and by the SDK."""


def show(line: str) -> None:
    """A figure, for who reads the tests' output."""
    print(line)  # noqa: T201


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What two of a room have heard of each other."""

    here: Heard
    """At the client's end."""
    there: Heard
    sent: int
    """Packets that were for the client, lost ones among them; of ours alone, as the next."""
    decoded: int
    """How many of them it has decoded."""


class Outcome(TypedDict, total=False):
    """What a program tells of an attempt."""

    took: float
    why: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at joining."""

    took: float | None = None
    """Seconds; None where it failed."""
    why: str = ""
    retryable: bool = True


class Scene:
    """The processes of a test.

    Args:
        stack: ends them.
        wire: the network.
        server: the server in it.
    """

    def __init__(self, stack: ExitStack, wire: Network, server: LiveKitServer) -> None:
        self.wire = wire
        self._server = server

        def begin(program: str, own_words: str) -> ParticipantProcess:
            return stack.enter_context(
                participant_process(
                    *(*STRICT, "-m", f"tests.namespaces.{program}"),
                    within=WITHIN,
                    own_words=own_words,
                )
            )

        with wire.server.inside():
            self._partners = begin("official_program", OWN_WORDS)
        with wire.client.inside():
            ours = begin("kitwire_program", r"(?!)")
            # What the SDK says of a broken network is its own affair.
            official = begin("official_program", r".*")
        self._clients = {**dict.fromkeys(OURS, ours), OFFICIAL: official}

    def join(self) -> None:
        """Everybody joins, one after the other, and how long that takes is shown."""
        for who in ALL:
            self._join(self._partners, who, f"{who}'s partner", reversed(HERTZ[who]))
        took = {who: self._join(self._clients[who], who, who, HERTZ[who]) for who in ALL}
        show("\njoined, published: " + ", ".join(f"{who} {took[who]:.2f} s" for who in ALL))

    def _join(
        self, process: ParticipantProcess, who: str, identity: str, hertz: Iterable[int]
    ) -> float:
        own, other = hertz
        answer = process.do(
            "join",
            who=who,
            url=self._server.url,
            token=self._server.token(identity, room=who),
            path=who,
            hertz=str(own),
            other_hertz=str(other),
        )
        return cast(float, answer["took"])

    def attempts(self, count: int) -> dict[str, list[Attempt]]:
        """So many more join a room each, all of a kind at the same time, and leave."""
        tried: dict[str, list[Attempt]] = {}
        for who in ALL:
            rooms = [f"{who}-{number}" for number in range(count)]
            tokens = " ".join(self._server.token(who, room=room) for room in rooms)
            answer = self._clients[who].do(
                "attempt", who=who, url=self._server.url, tokens=tokens, path=who
            )
            tried[who] = [Attempt(**each) for each in cast(list[Outcome], answer["tried"])]
        return tried

    def flows(self, *, seconds: float, after: float, within: float) -> dict[str, bool]:
        """Whether so much of both tones of each pair is heard, of what comes after a time."""
        until = str(time.monotonic() + within)
        blocks = str(round(seconds * BLOCKS))
        flowing = dict.fromkeys(ALL, True)
        for who in ALL:
            for process in (self._clients[who], self._partners):
                answer = process.do("hear", who=who, blocks=blocks, after=str(after), until=until)
                flowing[who] &= answer["heard"] is True
        return flowing

    def heard(self) -> dict[str, Pair]:
        """What everybody has heard so far."""
        heard = {}
        for who in ALL:
            here = self._clients[who].do("tell", who=who)
            there = self._partners.do("tell", who=who)
            heard[who] = Pair(
                here=told(here),
                there=told(there),
                sent=cast(int, here.get("sent", 0)),
                decoded=cast(int, here.get("decoded", 0)),
            )
        return heard

    def wait_back(self, who: str) -> None:
        """Wait until a client of ours has come back from a loss."""
        self._clients[who].wait_for("back", who=who)

    def happened(self, who: str, since: float) -> list[tuple[str, float]]:
        """What happened to a client since a time: the event, and how long after that time."""
        events = [
            (str(each["event"]), cast(float, each["at"]) - since)
            for kind in KINDS
            for each in self._clients[who].events(kind)
            if each["who"] == who
        ]
        return sorted((each for each in events if each[1] >= 0), key=lambda each: each[1])

    def leave(self) -> None:
        """Everybody leaves."""
        for who in ALL:
            self._clients[who].do("leave", who=who)
            self._partners.do("leave", who=who)


def told(answer: dict[str, object]) -> Heard:
    """What an ear told."""
    slots = cast(dict[str, int], answer["slots"])
    return Heard(slots={int(slot): count for slot, count in slots.items()})
