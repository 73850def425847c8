"""A link that is cut under living media, beside LiveKit's own SDK, which loses its own as well.

Everybody's partner is the SDK's, so that what is heard of us has a witness that is not ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, cast

import pytest
from anyio.from_thread import start_blocking_portal

from tests.interop.livekit_server import LiveKitServer
from tests.interop.official import OWN_WORDS
from tests.interop.processes import STRICT, ParticipantProcess, participant_process
from tests.media.unsteady import way_to
from tests.namespaces.hearing import BLOCKS
from tests.namespaces.scene import ALL, HERTZ, OFFICIAL, OURS, show, told

pytestmark = [pytest.mark.livekit, pytest.mark.slow]

BEFORE: Final = 0.5
AFTER: Final = 6.0
"""Seconds around the cut in which what is heard is counted: the SDK takes three to come back."""
HELD_UP: Final = 0.5
"""Seconds of tone that a busy machine may take from anybody."""
BACK: Final = {**dict.fromkeys(OURS, "resumed"), OFFICIAL: "reconnected"}


@contextmanager
def programs() -> Iterator[tuple[dict[str, ParticipantProcess], ParticipantProcess]]:
    """The clients, and the one program of all their partners."""
    with ExitStack() as stack:

        def begin(program: str, own_words: str) -> ParticipantProcess:
            arguments = (*STRICT, "-m", f"tests.namespaces.{program}")
            running = participant_process(*arguments, within=60.0, own_words=own_words)
            return stack.enter_context(running)

        ours = begin("kitwire_program", r"(?!)")
        # What the SDK says of a link that is cut is its own affair.
        official = begin("official_program", r".*")
        partners = begin("official_program", OWN_WORDS)
        yield {**dict.fromkeys(OURS, ours), OFFICIAL: official}, partners


def test_a_link_that_is_cut_beside_the_official_sdk(livekit: LiveKitServer, room_name: str) -> None:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(way_to(livekit.url)) as way,
        programs() as (clients, partners),
    ):

        def join(process: ParticipantProcess, who: str, url: str, own: int, other: int) -> None:
            process.do(
                "join",
                who=who,
                url=url,
                token=livekit.token(f"{who}-{own}", room=f"{room_name}-{who}"),
                path=who,
                bind="127.0.0.1",
                hertz=str(own),
                other_hertz=str(other),
            )

        def hears(since: float) -> None:
            until = str(time.monotonic() + 20.0)
            for who in ALL:
                for process in (clients[who], partners):
                    heard = process.do(
                        "hear", who=who, blocks=str(BLOCKS), after=str(since), until=until
                    )
                    assert heard["heard"] is True, who

        for who in ALL:
            own, other = HERTZ[who]
            join(partners, who, livekit.url, other, own)
            join(clients[who], who, way.url, own, other)
        hears(time.monotonic())
        time.sleep(BEFORE)
        cut = time.monotonic()
        portal.call(way.cut)
        took = {who: back_at(clients[who], who) - cut for who in ALL}
        hears(cut + AFTER)
        missing = {}
        for who in ALL:
            for end, process in (("here", clients[who]), ("there", partners)):
                heard = told(process.do("tell", who=who)).blocks(cut - BEFORE, cut + AFTER)
                missing[who, end] = BEFORE + AFTER - heard / BLOCKS
        for who in ALL:
            for process in (clients[who], partners):
                process.do("leave", who=who)
    for who in ALL:
        show(
            f"{who}: back after {took[who]:.3f} s; of {BEFORE + AFTER:g} s of tone "
            f"{missing[who, 'here']:.2f} s were not heard here, {missing[who, 'there']:.2f} s there"
        )
    for who in OURS:
        assert took[who] < took[OFFICIAL]
        for end in ("here", "there"):
            # As much as the SDK's own, what v0's new subscriber takes to come, and what a
            # busy machine may hold up.
            assert missing[who, end] < missing[OFFICIAL, end] + took[who] + HELD_UP


def back_at(client: ParticipantProcess, who: str) -> float:
    """When a client was back, by the clock of all processes."""
    return cast(float, client.wait_for(BACK[who], who=who)["at"])
