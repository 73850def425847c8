"""Many in one room, each a process of its own, on both loops: everybody hears everybody."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final

import pytest

from kitwire import PathVersion
from tests.interop.livekit_server import LiveKitServer
from tests.interop.processes import ParticipantProcess, participant_process
from tests.media.loopback import PATHS

pytestmark = [pytest.mark.livekit, pytest.mark.slow]

MANY: Final = 8


def pitch(identity: str) -> float:
    """Everybody has one."""
    return 400.0 + 70.0 * int(identity.removeprefix("p"))


class Choir:
    """Those who are in the room."""

    def __init__(self, server: LiveKitServer, room: str, path: PathVersion) -> None:
        self._server = server
        self._room = room
        self._path = path
        self.members: dict[str, ParticipantProcess] = {}

    def start(self, stack: ExitStack, identity: str) -> ParticipantProcess:
        """The process of one more, who is not in the room yet."""
        loop = ("asyncio", "trio")[len(self.members) % 2]
        member = stack.enter_context(
            participant_process("-W", "error", "-m", "tests.media.many_program", loop, self._path)
        )
        self.members[identity] = member
        return member

    def join(self, identities: Iterable[str]) -> None:
        """All at once."""
        begun = {}
        for identity in identities:
            token = self._server.token(identity, self._room)
            hertz = str(pitch(identity))
            begun[identity] = self.members[identity].begin(
                "join", url=self._server.url, token=token, hertz=hertz
            )
        for identity, number in begun.items():
            self.members[identity].answer("join", number)

    def all_hear(self, listeners: Iterable[str], singers: Iterable[str]) -> None:
        """Each the pitch of each other."""
        singers = tuple(singers)
        for listener in listeners:
            for singer in singers:
                if singer != listener:
                    heard = self.members[listener].wait_for("heard", identity=singer)
                    assert heard["hertz"] == pytest.approx(pitch(singer), abs=4.0), (
                        f"{listener} hears {singer}"
                    )


@pytest.mark.parametrize("path", PATHS)
def test_everybody_hears_everybody_and_who_comes_late(
    livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    choir = Choir(livekit, room_name, path)
    many = [f"p{number}" for number in range(MANY)]
    with ExitStack() as stack:
        for identity in (*many, "p8"):
            choir.start(stack, identity)
        choir.join(many)
        choir.all_hear(many, many)
        choir.join(["p8"])
        choir.all_hear(["p8"], many)
        choir.all_hear(many, ["p8"])
