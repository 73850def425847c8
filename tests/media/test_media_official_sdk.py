"""Rooms with media where LiveKit's own SDK is the other participant; on both loops."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, cast

import anyio
import anyio.to_thread
import av
import numpy as np
import pytest

from kitwire.view import SubscriptionState
from kitwire_aiortc import MediaRoom, TestPattern, Tone, read_counter
from kitwire_aiortc.sinks import samples
from tests.interop.livekit_server import LiveKitServer
from tests.interop.official import MEDIA_PROGRAM, official_participant
from tests.interop.processes import ParticipantProcess
from tests.media.judging import BLOCK, RATE, Heard, Samples, judge
from tests.media.loopback import (
    Enter,
    Run,
    known,
    largest,
    subscription,
    take,
    together,
    until,
    within,
)

pytestmark = [pytest.mark.livekit, pytest.mark.slow]

SECONDS: Final = 10.0
HEARD: Final = 0.3
"""The share of a tone's blocks by which it is heard at all. How well is for the ten seconds to say:
three publishers that begin in one process run short of samples while the machine is busy."""


class Otto:
    """The official SDK's participant, called so; commands are given without blocking the loop."""

    def __init__(
        self, official: ParticipantProcess, server: LiveKitServer, room: str, folder: Path
    ) -> None:
        self._official = official
        self._server = server
        self._room = room
        self._folder = folder
        self._files = 0

    async def do(self, command: str, **arguments: str) -> str:
        """Carry out a command of official_media_program.py; returns the sid it tells of."""
        answer = await anyio.to_thread.run_sync(partial(self._official.do, command, **arguments))
        return str(answer.get("sid", ""))

    async def join(self, who: str) -> None:
        """Bring one more into the room, for commands with this `who`."""
        token = self._server.token(who, self._room)
        await self.do("connect", who=who, url=self._server.url, token=token)

    async def told(self, event: str, **fields: object) -> dict[str, object]:
        """What it told, or will."""
        return await anyio.to_thread.run_sync(partial(self._official.wait_for, event, **fields))

    async def write(self, kind: str, sid: str, seconds: float, who: str = "") -> Path:
        """Begin to write a track of ours to a file."""
        self._files += 1
        into = self._folder / f"{self._files}.{kind}"
        await self.do(f"write_{kind}", who=who, sid=sid, seconds=str(seconds), into=str(into))
        return into

    async def written(self, into: Path) -> dict[str, object]:
        return await self.told("written", into=str(into))

    def numbers(self, size: int) -> list[int]:
        """How the messages of this size were numbered, in the order in which they came."""
        told = self._official.events("data")
        return [cast(int, each["number"]) for each in told if each["size"] == size]

    async def hears(self, sid: str, hertz: float, *, who: str = "") -> None:
        """A second of a tone of ours."""
        into = await self.write("audio", sid, 1.5, who)
        await self.written(into)
        heard = judge(pcm(into), hertz, 1.0)
        assert heard.hertz == pytest.approx(hertz, abs=2.0)
        assert heard.share > HEARD


@pytest.fixture
def otto(livekit: LiveKitServer, room_name: str, tmp_path: Path) -> Iterator[Otto]:
    """The official SDK, in the room already."""
    token = livekit.token("otto", room_name)
    with official_participant(livekit.url, token, program=MEDIA_PROGRAM) as official:
        yield Otto(official, livekit, room_name, tmp_path)


# --- judging what came ---


def pcm(path: Path) -> Samples:
    return np.frombuffer(path.read_bytes(), np.int16)


def numbers(path: Path) -> list[int | None]:
    """The numbers in the pictures of a file that the official SDK wrote."""
    data = path.read_bytes()
    found: list[int | None] = []
    place = 0
    while place < len(data):
        width = int.from_bytes(data[place : place + 4], "big")
        height = int.from_bytes(data[place + 4 : place + 8], "big")
        place += 8
        luma = np.frombuffer(data, np.uint8, width * height, place).reshape(height, width)
        found.append(read_counter(av.VideoFrame.from_ndarray(luma, format="gray")))
        place += width * height
    return found


def show(line: str) -> None:
    """A figure, for who reads the tests' output."""
    print(line)  # noqa: T201


def assert_rising(found: list[int | None], least: int, what: str) -> None:
    """Pictures came, nearly all can be read, and their numbers never fall.

    The SDK sends a picture twice now and then, a fraction of a millisecond later by its timestamp.
    """
    read = [each for each in found if each is not None]
    repeated = [one for one, other in itertools.pairwise(read) if one == other]
    show(f"{what}: {len(found)} pictures, {len(read)} read, {read[0]}–{read[-1]}, twice {repeated}")
    assert len(read) >= least
    assert len(read) - len(repeated) >= 0.95 * len(found)
    assert [(one, other) for one, other in itertools.pairwise(read) if other < one] == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """What of a track of the official SDK's reached us."""

    signal: Samples
    elapsed: float
    """Seconds by the clock that it took to come."""
    jump_ms: float
    """The largest hole between the timestamps of frames."""


async def listen(room: MediaRoom, sid: str, seconds: float) -> Listened:
    """So many seconds by the clock."""
    await known(room, sid)
    parts: list[Samples] = []
    begun, expected, jump = 0.0, None, 0.0
    async for frame in room.audio(sid, sample_rate=RATE):
        part = samples(frame)[:, 0]
        begun = begun or time.monotonic()
        assert frame.pts is not None
        if expected is not None:
            jump = max(jump, (frame.pts - expected) * 1000 / RATE)
        expected = frame.pts + len(part)
        parts.append(part)
        if time.monotonic() - begun >= seconds:
            break
    elapsed = time.monotonic() - begun
    return Listened(signal=np.concatenate(parts), elapsed=elapsed, jump_ms=jump)


async def watch(room: MediaRoom, sid: str, seconds: float) -> list[int | None]:
    """The numbers in the pictures of so many seconds by the clock."""
    await known(room, sid)
    found: list[int | None] = []
    begun, last = 0.0, -1
    async for frame in room.video(sid):
        begun = begun or time.monotonic()
        assert frame.pts is not None
        assert frame.pts > last, "the same picture again, or an older one"
        last = frame.pts
        found.append(read_counter(frame))
        if time.monotonic() - begun >= seconds:
            break
    return found


async def hears(room: MediaRoom, sid: str, hertz: float) -> None:
    """A second of a tone of the official SDK's."""
    came = await within(12.0, listen(room, sid, 1.5))
    heard = judge(came.signal, hertz, 1.0)
    assert heard.hertz == pytest.approx(hertz, abs=2.0)
    assert heard.share > HEARD


# --- the tests ---


def test_the_judge_finds_what_is_missing() -> None:
    wave = 16_384 * np.sin(2 * np.pi * 500 * np.arange(3 * RATE) / RATE)
    whole = np.concatenate([np.zeros(BLOCK * 7), wave]).astype(np.int16)
    assert judge(whole, 500.0, 3.0) == Heard(hertz=500.0, share=1.0, hole_ms=0.0)
    assert judge(whole, 900.0, 2.0).share < 0.02
    holed = whole.copy()
    holed[RATE : RATE + 5 * BLOCK] = 0
    assert judge(holed, 500.0, 3.0).hole_ms == 50.0
    assert judge(holed, 500.0, 3.0).share == pytest.approx(1 - 5 / 300)
    assert judge(whole[:-RATE], 500.0, 3.0).hole_ms == 1000.0


def test_ten_seconds_each_way_while_tracks_come_and_go(enter: Enter, otto: Otto, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann:
            tone = await ann.publish_audio(Tone(880.0))
            pattern = await ann.publish_video(
                TestPattern(width=320, height=180), width=320, height=180, max_bitrate=800_000
            )
            sid = await otto.do("publish_tone", name="low", hertz="500")
            seen = await otto.do("publish_pattern", name="bars", width="640", height="360")
            sound = await otto.write("audio", tone.sid, SECONDS + 0.5)
            picture = await otto.write("video", pattern.sid, 5.0)
            listened: list[Listened] = []
            watched: list[int | None] = []

            async def hear() -> None:
                listened.append(await listen(ann, sid, SECONDS + 0.5))

            async def see() -> None:
                watched.extend(await watch(ann, seen, 5.0))

            async def come_and_go() -> None:
                for _ in range(2):
                    await anyio.sleep(1.5)
                    other = await ann.publish_audio(Tone(1500.0))
                    await otto.do("publish_tone", name="more", hertz="1700")
                    await anyio.sleep(1.0)
                    await other.unpublish()
                    await otto.do("unpublish", name="more")

            await together(hear(), see(), come_and_go())
            (came,) = listened
            here = judge(came.signal, 500.0, SECONDS)
            count = len(came.signal) / (came.elapsed * RATE)
            show(f"\nofficial → kitwire: {here}, {count:.1%} of all samples, {came.jump_ms:.0f} ms")
            facts = await otto.written(sound)
            there = judge(pcm(sound), 880.0, SECONDS)
            gap = 1000 * cast(float, facts["gap"])
            show(f"kitwire → official: {there}, frames at most {gap:.0f} ms apart")
            assert here.hertz == pytest.approx(500.0, abs=1.0)
            assert there.hertz == pytest.approx(880.0, abs=1.0)
            for heard in (here, there):
                assert heard.share >= 0.99
                assert heard.hole_ms <= 40
            # Lost samples are not silence with us: they are not there.
            assert count >= 0.99
            assert came.jump_ms <= 40
            await otto.written(picture)
            assert_rising(numbers(picture), 100, "kitwire → official")
            assert_rising(watched, 100, "official → kitwire")

    run(main(), limit=40.0)


def test_data_of_every_size_and_in_order(enter: Enter, otto: Otto, run: Run) -> None:
    async def main() -> None:
        sizes = [1, 100, 1_200, 16_384, 63_950]
        messages = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
        # The SDK's limit is ours, of the encoded packet, in which it writes a little more.
        ours = [*messages, bytes([9]) * largest("t")]
        async with enter("ann") as ann:
            # The server tells at once of who publishes, and of others every three seconds; until
            # then the SDK does not know who it is from.
            tone = await ann.publish_audio(Tone(440.0))
            await otto.told("track_subscribed", sid=tone.sid)
            feed = ann.data()
            for data in ours:
                await ann.publish_data(data, topic="t")
                told = await otto.told("data", digest=hashlib.sha256(data).hexdigest())
                assert (told["size"], told["topic"], told["reliable"]) == (len(data), "t", True)
                assert told["sender"] == "ann"
            await ann.publish_data(b"perhaps", reliable=False)
            told = await otto.told("data", digest=hashlib.sha256(b"perhaps").hexdigest())
            assert told["reliable"] is False

            for data in messages:
                await otto.do("send", data=data.hex(), reliable="yes", topic="t")
            await otto.do("send", data=b"perhaps".hex(), reliable="no", topic="t")
            got = await within(10.0, take(feed, len(messages) + 1))
            assert [each.data for each in got if each.reliable] == messages
            assert [each.data for each in got if not each.reliable] == [b"perhaps"]
            assert {(each.topic, each.participant_identity) for each in got} == {("t", "otto")}

            begun = time.monotonic()
            for number in range(500):
                await ann.publish_data(number.to_bytes(4, "big") + bytes(996))
            last = (499).to_bytes(4, "big") + bytes(996)
            await otto.told("data", digest=hashlib.sha256(last).hexdigest())
            middle = time.monotonic()
            assert otto.numbers(1_000) == list(range(500))
            await otto.do("send_numbered", count="500", size="1000")
            got = await within(10.0, take(feed, 500))
            show(
                f"\n500 × 1 KB: kitwire → official {middle - begun:.2f} s, "
                f"official → kitwire {time.monotonic() - middle:.2f} s"
            )
            assert [each.data for each in got] == [
                number.to_bytes(4, "big") + bytes(996) for number in range(500)
            ]

    run(main(), limit=40.0)


def test_mute_unpublish_and_republish_are_seen_by_both(enter: Enter, otto: Otto, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann:
            source = Tone(880.0)
            ours = await ann.publish_audio(source)
            await otto.hears(ours.sid, 880.0)
            await ours.mute()
            await otto.told("track_muted", sid=ours.sid)
            await ours.unmute()
            await otto.told("track_unmuted", sid=ours.sid)
            await otto.hears(ours.sid, 880.0)
            await ours.unpublish()
            await otto.told("unpublished", sid=ours.sid)
            again = await ann.publish_audio(source)
            assert again.sid != ours.sid
            await otto.hears(again.sid, 880.0)

            theirs = await otto.do("publish_tone", name="one", hertz="500")
            await hears(ann, theirs, 500.0)
            publication = ann.view.publication(theirs)
            assert publication is not None
            assert not publication.muted
            await otto.do("mute", name="one")
            await until(lambda: muted(ann, theirs) is True)
            await otto.do("unmute", name="one")
            await until(lambda: muted(ann, theirs) is False)
            await hears(ann, theirs, 500.0)
            stream = ann.audio(theirs)
            await otto.do("unpublish", name="one")
            await until(lambda: ann.view.publication(theirs) is None)
            await until(lambda: stream.ended)
            more = await otto.do("publish_tone", name="two", hertz="600")
            await hears(ann, more, 600.0)

    run(main(), limit=40.0)


def muted(room: MediaRoom, sid: str) -> bool | None:
    publication = room.view.publication(sid)
    return None if publication is None else publication.muted


def test_tracks_from_before_a_join_and_three_later_publishers(
    enter: Enter, otto: Otto, run: Run
) -> None:
    async def main() -> None:
        before = await otto.do("publish_tone", name="before", hertz="500")
        async with enter("ann") as ann:
            await hears(ann, before, 500.0)
            ours = await ann.publish_audio(Tone(880.0))
            tones = {}
            for number in range(3):
                who, hertz = f"late{number}", 600.0 + 100 * number
                await otto.join(who)
                sid = await otto.do("publish_tone", who=who, name=who, hertz=str(hertz))
                tones[sid] = hertz
            await together(*(hears(ann, sid, hertz) for sid, hertz in tones.items()))
            # For her, ours is from before.
            await otto.hears(ours.sid, 880.0, who="late2")

    run(main(), limit=40.0)


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
def test_video_that_we_cannot_decode_says_so_and_spoils_nothing(
    enter: Enter, otto: Otto, run: Run, codec: str
) -> None:
    async def main() -> None:
        async with enter("ann") as ann:
            odd = await otto.do(
                "publish_pattern", name="odd", width="320", height="180", codec=codec
            )
            sound = await otto.do("publish_tone", name="sound", hertz="500")
            seen = await otto.do("publish_pattern", name="seen", width="320", height="180")
            await together(hears(ann, sound, 500.0), sees(ann, seen))
            await until(lambda: subscription(ann, odd) is SubscriptionState.CODEC_UNSUPPORTED)
            # Nor does it later, when all is negotiated again.
            ours = await ann.publish_audio(Tone(880.0))
            await together(otto.hears(ours.sid, 880.0), hears(ann, sound, 500.0), sees(ann, seen))
            assert subscription(ann, odd) is SubscriptionState.CODEC_UNSUPPORTED

    run(main(), limit=40.0)


async def sees(room: MediaRoom, sid: str) -> None:
    """Pictures that follow each other; the encoder's first may be too coarse to be read."""
    found = await within(12.0, watch(room, sid, 1.0))
    read = [each for each in found if each is not None]
    assert len(read) >= 10
    assert all(one < other for one, other in itertools.pairwise(read))
