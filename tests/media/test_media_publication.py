"""What an application holds of a track of its own, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from kitwire import messages as msg
from kitwire_aiortc.outbound import Outbound
from kitwire_aiortc.peer import Peer
from kitwire_aiortc.publication import LocalPublication, Terms
from kitwire_aiortc.sources import Silence
from tests.media.loopback import LOOPBACK, Recorder, run


class Room:
    """Writes down what it is asked."""

    def __init__(self, *, ended: bool = False) -> None:
        self.asked: list[str] = []
        self._ended = ended

    def post(self, step: Callable[[], object]) -> None:
        step()

    async def mute_track(self, sid: str, muted: bool) -> None:
        self.asked.append(f"mute {sid} {muted}")

    def take_down(self, publication: LocalPublication) -> int | None:
        assert publication.over
        self.asked.append(f"take down {publication.sid}")
        return None if self._ended else 7

    async def settled(self, offer_id: int) -> None:
        self.asked.append(f"settled {offer_id}")


def terms(source: Silence) -> Terms:
    return Terms(msg.AddTrackRequest(cid="cid"), source, None, None)


@asynccontextmanager
async def published(room: Room) -> AsyncIterator[tuple[LocalPublication, Outbound, Silence]]:
    peer = Peer(Recorder(), gathering=LOOPBACK)
    source = Silence()
    publication = LocalPublication(room, msg.TrackInfo(sid="TR_a", name="mic"), terms(source))
    outbound = peer.publish("audio", cid="cid", stream="s", source=source, listener=publication)
    publication.carry(outbound)
    try:
        yield publication, outbound, source
    finally:
        source.stop()
        await peer.close()


def test_muting_stops_at_once_and_unmuting_waits_for_the_server() -> None:
    async def main() -> None:
        room = Room()
        async with published(room) as (publication, outbound, _):
            states = []
            for change in (publication.mute, publication.unmute):
                await change()
                states.append((publication.muted, outbound.muted))
            publication.obey(True)
            states.append((publication.muted, outbound.muted))
            assert states == [(True, True), (False, False), (True, True)]
            assert room.asked == ["mute TR_a True", "mute TR_a False"]

    run(main())


def test_it_is_over_once_whoever_ends_it() -> None:
    async def main() -> None:
        room = Room()
        async with published(room) as (publication, outbound, source):
            waiting = asyncio.create_task(publication.wait_over())
            publication.source_ended(source)
            await waiting
            assert publication.failure is None
            assert not outbound.in_use
            publication.take_down()
            await publication.unpublish()
            assert room.asked == ["take down TR_a", "settled 7"]

    run(main())


def test_a_source_that_failed_is_told() -> None:
    async def main() -> None:
        async with published(Room()) as (publication, outbound, source):
            error = OSError("gone")
            publication.source_failed(source, error)
            assert publication.failure is error
            assert publication.over
            assert outbound.source is None

    run(main())


def test_a_publication_that_is_over_leaves_its_section_to_the_next() -> None:
    async def main() -> None:
        async with published(Room()) as (publication, outbound, source):
            await publication.unpublish()
            outbound.publish(cid="next", stream="s", source=source)
            publication.obey(True)
            assert not publication.muted
            assert not outbound.muted
            outbound.mute(True)
            assert not publication.muted

    run(main())


def test_after_the_end_of_the_room_nothing_is_waited_for() -> None:
    async def main() -> None:
        room = Room(ended=True)
        async with published(room) as (publication, _, _):
            await publication.unpublish()
            assert room.asked == ["take down TR_a"]

    run(main())


def test_before_it_has_a_section_it_can_be_given_up() -> None:
    async def main() -> None:
        room = Room()
        publication = LocalPublication(
            room, msg.TrackInfo(sid="TR_a", name="mic"), terms(Silence())
        )
        assert repr(publication) == "<LocalPublication TR_a 'mic' live>"
        assert not publication.muted
        publication.obey(True)
        publication.take_down()
        assert room.asked == ["take down TR_a"]
        assert repr(publication) == "<LocalPublication TR_a 'mic' over>"

    run(main())


def test_on_another_peer_connection_it_is_as_it_was() -> None:
    async def main() -> None:
        async with published(Room()) as (publication, first, source):
            publication.obey(True)
            publication.suspend()
            publication.obey(False)
            assert first.muted  # It is not this one's any more.
            publication.obey(True)
            async with published(Room()) as (_, second, _):
                publication.carry(second)
                assert second.muted
                assert (publication.cid, publication.terms.source) == ("cid", source)

    run(main())


def test_while_the_session_restarts_nobody_is_there_to_be_told_of_a_mute() -> None:
    async def main() -> None:
        room = Room()
        async with published(room) as (publication, _, _):
            publication.suspend()
            states = []
            for change in (publication.mute, publication.unmute, publication.mute):
                await change()
                states.append(publication.muted)
            assert states == [True, False, True]
            assert room.asked == []
            publication.renew(msg.TrackInfo(sid="TR_b"))
            assert publication.muted
            await publication.unmute()
            assert room.asked == ["mute TR_b False"]

    run(main())


def test_a_section_that_comes_late_gets_what_was_said_before() -> None:
    async def main() -> None:
        async with published(Room()) as (_, outbound, source):
            late = LocalPublication(Room(), msg.TrackInfo(sid="TR_b"), terms(source))
            late.obey(True)
            late.carry(outbound)
            assert late.muted
            assert outbound.muted
            over = LocalPublication(Room(), msg.TrackInfo(sid="TR_c"), terms(source))
            over.source_ended(source)
            over.carry(outbound)
            assert not outbound.in_use

    run(main())
