"""Rooms with media on asyncio and trio, against the real server, by both topologies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import anyio
import anyio.abc
import anyio.lowlevel
import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamTrack
from livekit import api

from kitwire import (
    FailureReason,
    LocalProtocolError,
    PathVersion,
    RequestFailed,
    Room,
)
from kitwire import messages as msg
from kitwire.commands import PeerTarget
from kitwire.config import PeerCapabilities
from kitwire.trace import TraceRecord
from kitwire.view import SubscriptionStateChanged
from kitwire_aiortc import (
    MediaRoom,
    PushedAudio,
    PushedVideo,
    TestPattern,
    Tone,
    read_counter,
)
from tests.interop.conftest import StartLiveKit
from tests.interop.livekit_server import LiveKitServer
from tests.media.loopback import (
    MEDIA,
    PATHS,
    Connect,
    Enter,
    Run,
    frequency,
    known,
    largest,
    read_audio,
    take,
    together,
    until,
    within,
)

pytestmark = pytest.mark.livekit

both_paths = pytest.mark.parametrize("path", PATHS)


async def hears(room: MediaRoom, sid: str, expected: float) -> None:
    await known(room, sid)
    audio = room.audio(sid, sample_rate=16_000)
    heard = await within(10.0, read_audio(audio, 1.0))
    assert frequency(heard[10:]) == pytest.approx(expected, abs=3.0)


async def sees_progress(room: MediaRoom, sid: str) -> None:
    """Ten frames whose numbers can be read, and rise."""
    await known(room, sid)
    frames = await within(10.0, take(room.video(sid), 10))
    numbers = [read_counter(each) for each in frames]
    assert None not in numbers
    assert numbers == sorted(numbers, key=lambda each: each or 0)
    assert len(set(numbers)) > 5


def test_a_tone_is_heard_and_a_pattern_seen_both_ways(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            high = await ann.publish_audio(Tone(880.0), name="high")
            low = await ben.publish_audio(Tone(440.0))
            pattern = await ann.publish_video(
                TestPattern(width=320, height=180), width=320, height=180, max_bitrate=800_000
            )
            await together(
                hears(ben, high.sid, 880.0),
                hears(ann, low.sid, 440.0),
                sees_progress(ben, pattern.sid),
            )
            them = ben.view.participant("ann")
            assert them is not None
            assert set(them.publications) == {high.sid, pattern.sid}
            assert them.publications[high.sid].name == "high"
            assert them.publications[pattern.sid].info.width == 320
            assert set(ann.publications) == {high.sid, pattern.sid}

    run(main())


def test_changes_tell_of_tracks_and_statistics_count_them(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            changes = ben.changes()
            publication = await ann.publish_audio(Tone(440.0))
            with anyio.fail_after(10.0):
                async for change in changes:
                    if isinstance(change, SubscriptionStateChanged):
                        assert change.participant.identity == "ann"
                        assert change.publication.sid == publication.sid
                        break
            await hears(ben, publication.sid, 440.0)
            sent, got = await ann.statistics(), await ben.statistics()
            (outbound,) = sent[PeerTarget.PUBLISHER].outbound
            assert outbound.packets > 10
            (last,) = [each for each in got.values() if each.inbound]
            assert last.inbound[0].packets > 10
            await ben.leave()
            assert await ben.statistics() == {}

    run(main())


def test_five_tracks_are_added_while_others_are_negotiated(enter: Enter, run: Run) -> None:
    """By two at the same time, so that each also has sections to add for the other's."""

    async def main() -> None:
        published: dict[str, dict[str, float]] = {"ann": {}, "ben": {}}

        async def publish(room: MediaRoom, who: str, hertz: float) -> None:
            publication = await room.publish_audio(Tone(hertz))
            published[who][publication.sid] = hertz

        async with enter("ann") as ann, enter("ben") as ben:
            await together(
                *(publish(ann, "ann", 400.0 + 100 * each) for each in range(5)),
                *(publish(ben, "ben", 450.0 + 100 * each) for each in range(5)),
            )
            await together(
                *(hears(ben, sid, hertz) for sid, hertz in published["ann"].items()),
                *(hears(ann, sid, hertz) for sid, hertz in published["ben"].items()),
            )
            assert [len(each) for each in published.values()] == [5, 5]

    run(main())


def test_each_track_of_the_others_is_told_of_once(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("cid") as cid:
            before = await ann.publish_audio(Tone(440.0))
            async with enter("ben") as ben:
                # What is his own is not of others, and what is gone when he asks is left out.
                await ben.publish_audio(Tone(440.0))
                gone = await ann.publish_audio(Tone(440.0))
                await until(lambda: ben.view.publication(gone.sid) is not None)
                told = ben.remote_publications()
                first, read = await within(10.0, anext(told))
                # The server tells of a participant's tracks in any order.
                rest = before if read.sid == gone.sid else gone
                await rest.unpublish()
                await until(lambda: ben.view.publication(rest.sid) is None)
                later = await cid.publish_audio(Tone(440.0))
                second, publication = await within(10.0, anext(told))
                assert (first.identity, second.identity) == ("ann", "cid")
                assert publication.sid == later.sid
                assert read.sid in first.publications
                await ben.leave()
                assert [each async for each in told] == []

    run(main())


def test_tracks_from_before_the_join_are_heard(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann:
            tones = {(await ann.publish_audio(Tone(hertz))).sid: hertz for hertz in (500.0, 700.0)}
            async with enter("ben") as ben:
                await together(*(hears(ben, *each) for each in tones.items()))

    run(main())


def test_a_stream_waits_for_its_track_and_ends_with_it(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            publication = await ann.publish_audio(Tone(440.0))
            await known(ben, publication.sid)
            stream = ben.audio(publication.sid, sample_rate=48_000, channels=2)
            first = await within(10.0, read_audio(stream, 0.2))
            assert (first[0].sample_rate, first[0].layout.nb_channels) == (48_000, 2)
            await publication.unpublish()
            assert publication.over
            rest = await within(10.0, read_audio(stream, 100.0))
            assert sum(each.samples for each in rest) < 10 * 48_000
            assert ben.view.publication(publication.sid) is None
            assert ann.publications == {}
            with pytest.raises(LocalProtocolError, match="nobody publishes"):
                ben.audio(publication.sid)
            await publication.unpublish()

    run(main())


def test_a_source_can_be_published_again_on_the_same_section(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            source = Tone(440.0)
            mids = set()
            for _ in range(3):
                publication = await ann.publish_audio(source)
                assert ann.studio.owner.peers is not None
                connection = ann.studio.owner.peers.publisher.connection
                mids |= {
                    each.mid
                    for each in connection.getTransceivers()
                    if each.direction == "sendonly"
                }
                await hears(ben, publication.sid, 440.0)
                await publication.unpublish()
            assert len(mids) == 1

    run(main(), limit=60.0)


def test_mute_is_told_and_heard(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            publication = await ann.publish_audio(Tone(440.0))
            sid = publication.sid
            await hears(ben, sid, 440.0)

            def muted() -> bool:
                seen = ben.view.publication(sid)
                return seen is not None and seen.muted

            await publication.mute()
            await until(muted)
            assert repr(publication).endswith("muted>")
            stream = ben.audio(sid)
            with pytest.raises(TimeoutError):
                # What was under way may still come; then nothing does.
                await within(1.0, read_audio(stream, 5.0))
            del stream
            await publication.unmute()
            assert repr(publication).endswith("live>")
            await until(lambda: not muted())
            await hears(ben, sid, 440.0)

    run(main())


def test_what_the_application_pushes_is_heard_and_seen(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            sound, film = PushedAudio(max_buffered=0.2), PushedVideo()
            tone = await ann.publish_audio(sound)
            pattern = await ann.publish_video(film, width=320, height=180)

            async def sing() -> None:
                """Blocks of an odd length; the bound paces them."""
                for begin in range(0, 3 * 48_000, 3_000):
                    wave = np.sin(2 * np.pi * 700.0 * np.arange(begin, begin + 3_000) / 48_000)
                    block = (wave * 16_384).astype(np.int16)
                    await sound.push_samples(block, sample_rate=48_000)
                await sound.wait_for_playout()

            async def show() -> None:
                source = TestPattern(width=320, height=180)
                for number in range(75):
                    planes = source.picture(number)
                    await film.push(av.VideoFrame.from_ndarray(planes, format="yuv420p"))
                    await anyio.sleep(0.04)

            begun = anyio.current_time()
            await together(
                sing(), show(), hears(ben, tone.sid, 700.0), sees_progress(ben, pattern.sid)
            )
            # Nobody could push faster than it was sent.
            assert anyio.current_time() - begun > 2.5
            sound.end()
            with anyio.fail_after(10.0):
                await tone.wait_over()
            assert set(ann.publications) == {pattern.sid}

    run(main())


def test_a_source_that_ends_or_raises_ends_its_publication_alone(enter: Enter, run: Run) -> None:
    class Broken(MediaStreamTrack):
        kind = "audio"

        async def recv(self) -> av.AudioFrame:
            raise OSError("the microphone is gone")

    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            other = await ann.publish_audio(Tone(880.0))
            short = await ann.publish_audio(Tone(440.0, duration=0.2))
            await within(5.0, short.wait_over())
            assert short.failure is None
            broken = await ann.publish_audio(Broken())
            await within(5.0, broken.wait_over())
            assert isinstance(broken.failure, OSError)
            await until(lambda: set(ann.publications) == {other.sid})
            await hears(ben, other.sid, 880.0)
            await until(lambda: ben.view.publication(broken.sid) is None)

    run(main())


def test_the_server_mutes(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect
) -> None:
    async def main() -> None:
        token = livekit.token("ann", room_name)
        async with connect(livekit.url, token=token, media=MEDIA) as ann:
            publication = await ann.publish_audio(Tone(440.0))
            await anyio.to_thread.run_sync(livekit.mute_track, room_name, "ann", publication.sid)
            await until(lambda: publication.muted)

    run(main())


@both_paths
def test_the_server_takes_a_track_down(
    livekit: LiveKitServer, room_name: str, path: PathVersion, run: Run, connect: Connect
) -> None:
    """It does so when it takes the permission back."""

    async def main() -> None:
        token = livekit.token("ann", room_name)
        async with connect(livekit.url, token=token, path=path, media=MEDIA) as ann:
            publication = await ann.publish_audio(Tone(440.0))
            nothing = api.ParticipantPermission(can_subscribe=True)
            await anyio.to_thread.run_sync(livekit.update_permission, room_name, "ann", nothing)
            await within(10.0, publication.wait_over())
            assert publication.failure is None
            assert ann.publications == {}
            with pytest.raises(RequestFailed):
                await ann.publish_audio(Tone(440.0))

    run(main())


@both_paths
def test_the_room_ends_while_we_publish(
    livekit: LiveKitServer, room_name: str, path: PathVersion, run: Run, connect: Connect
) -> None:
    async def main() -> None:
        token = livekit.token("ann", room_name)
        async with connect(livekit.url, token=token, path=path, media=MEDIA) as ann:

            async def forever() -> None:
                while True:
                    publication = await ann.publish_audio(Tone(440.0))
                    await ann.publish_data(b"x" * 1_000)
                    await publication.unpublish()

            async def delete() -> None:
                await anyio.sleep(0.3)
                await anyio.to_thread.run_sync(livekit.delete_room, room_name)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delete)
                with pytest.raises(RequestFailed) as failed:
                    await within(5.0, forever())
            assert failed.value.reason is FailureReason.ABORTED
            await until(lambda: ann.closed is not None)
            assert ann.publications == {}

    run(main())


def test_given_up_while_it_is_published_a_track_is_taken_down(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            for steps in range(0, 20, 2):
                with anyio.move_on_after(steps * 0.001):
                    await (await ann.publish_audio(Tone(440.0))).unpublish()
                # What comes next is under its own name for the server, too.
                publication = await ann.publish_audio(Tone(440.0))
                assert set(ann.publications) == {publication.sid}
                await known(ben, publication.sid)
                await publication.unpublish()

    run(main(), limit=60.0)


@both_paths
def test_the_server_is_gone_from_one_moment_to_the_next(
    start_livekit: StartLiveKit, room_name: str, path: PathVersion, run: Run, connect: Connect
) -> None:
    server, stop = start_livekit()

    async def main() -> None:
        token = server.token("ann", room_name)
        async with connect(server.url, token=token, path=path, media=MEDIA, reconnect=None) as ann:
            publication = await ann.publish_audio(Tone(440.0))
            await ann.publish_data(b"x")
            data = ann.data()
            await anyio.to_thread.run_sync(stop)
            assert await within(10.0, take(data, 1)) == []
            assert publication.over
            with pytest.raises(RequestFailed):
                await ann.publish_data(b"x")

    run(main())


def test_leaving_while_a_track_is_published(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann:

            async def leave() -> None:
                # Announced, and not negotiated yet.
                while not ann.publications:
                    await anyio.lowlevel.checkpoint()
                # Without waiting for data first.
                await Room.leave(ann)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(leave)
                with pytest.raises(RequestFailed) as failed:
                    await ann.publish_audio(Tone(440.0))
            assert failed.value.request == "publish_audio"
            assert failed.value.reason is FailureReason.ABORTED

    run(main())


@contextmanager
def cut_off(room: MediaRoom) -> Iterator[None]:
    """What a room sends by its publisher goes nowhere, as when a cable is pulled."""
    assert room.studio.owner.peers is not None
    sctp = room.studio.owner.peers.publisher.connection.sctp
    assert sctp is not None

    async def nowhere(data: bytes) -> None:
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sctp.transport.transport, "_send", nowhere)
        yield


def test_what_does_not_arrive_is_waited_for_a_second(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann:
            await ann.publish_data(b"before")
            with cut_off(ann):
                await ann.publish_data(b"after")
                begun = anyio.current_time()
                await ann.drain()
                assert 0.9 < anyio.current_time() - begun < 2.0

    run(main())


def test_who_sends_more_than_goes_out_waits_and_is_told_of_the_end(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann:
            await ann.publish_data(b"before")
            with cut_off(ann):
                outcomes: list[type[RequestFailed] | None] = []

                async def send() -> None:
                    try:
                        await ann.publish_data(b"x" * 60_000)
                        outcomes.append(None)
                    except RequestFailed as failed:
                        outcomes.append(type(failed))

                async with anyio.create_task_group() as tasks:
                    for _ in range(40):
                        tasks.start_soon(send)
                    await anyio.sleep(0.3)
                    sent = len(outcomes)
                    assert 0 < sent < 30
                    assert set(outcomes) == {None}
                    await ann.leave()
                assert outcomes[sent:] == [RequestFailed] * (40 - sent)

    run(main())


# --- data ---


def test_data_of_every_size_goes_both_ways(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            sizes = [1, 1_000, 16_384, 60_000, largest()]
            for sender, receiver in ((ann, ben), (ben, ann)):
                stream = receiver.data()
                for size in sizes:
                    await sender.publish_data(bytes([size % 251]) * size)
                got = await within(10.0, take(stream, len(sizes)))
                assert [len(each.data) for each in got] == sizes
                assert [each.data[0] for each in got] == [size % 251 for size in sizes]
                assert {each.participant_identity for each in got} == {
                    sender.joined.participant.identity
                }
                assert all(each.reliable for each in got)

    run(main())


def test_topics_addresses_and_lossy_data(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben, enter("cid") as cid:
            to_ben, to_cid = ben.data(), cid.data()
            await ann.publish_data(b"for cid", topic="a", destination_identities=["cid"])
            await ann.publish_data(b"for all")
            (first,) = await within(10.0, take(to_ben, 1))
            assert (first.data, first.topic) == (b"for all", None)
            got = await within(10.0, take(to_cid, 2))
            assert [(each.data, each.topic) for each in got] == [
                (b"for cid", "a"),
                (b"for all", None),
            ]
            await ann.publish_data(b"quick", reliable=False)
            (lossy,) = await within(10.0, take(to_ben, 1))
            assert (lossy.data, lossy.reliable) == (b"quick", False)

    run(main())


def test_data_keeps_its_order_under_load_and_arrives_before_we_leave(
    enter: Enter, run: Run
) -> None:
    async def main() -> None:
        count = 2_000
        async with enter("ben") as ben:
            stream = ben.data()
            async with enter("ann") as ann:
                for number in range(count):
                    await ann.publish_data(number.to_bytes(4, "big") * 256)
            got = await within(20.0, take(stream, count))
            numbers = [int.from_bytes(each.data[:4], "big") for each in got]
            assert numbers == list(range(count))
            assert stream.dropped == 0

    run(main(), limit=60.0)


@both_paths
def test_who_may_send_data_only_negotiates_when_there_is_some(
    livekit: LiveKitServer, room_name: str, path: PathVersion, run: Run, connect: Connect
) -> None:
    """Then the server does not want a second peer connection at the join."""

    async def main() -> None:
        def enter(identity: str, publish: bool) -> AbstractAsyncContextManager[MediaRoom]:
            token = livekit.token(identity, room_name, can_publish=publish, can_publish_data=True)
            return connect(livekit.url, token=token, path=path, media=MEDIA)

        async with enter("ann", False) as ann, enter("ben", True) as ben:
            data = ben.data()
            assert ann.studio.owner.offered == (path is PathVersion.V1)
            await together(*(ann.publish_data(bytes([number])) for number in range(5)))
            got = await within(10.0, take(data, 5))
            assert sorted(each.data[0] for each in got) == [0, 1, 2, 3, 4]

    run(main())


def test_data_that_is_too_large_is_our_own_error(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            stream = ben.data()
            with pytest.raises(LocalProtocolError, match="at most 64000"):
                await ann.publish_data(b"x" * (largest() + 1))
            with pytest.raises(LocalProtocolError, match="at most 64000"):
                await ann.publish_data(b"x" * 63_990, topic="t" * 100, reliable=False)
            with pytest.raises(LocalProtocolError, match="a list"):
                await ann.publish_data(b"x", destination_identities="ben")
            await ann.publish_data(b"small")
            (message,) = await within(10.0, take(stream, 1))
            assert message.data == b"small"

    run(main())


# --- mistakes, and ends ---


def test_mistakes_are_told_before_the_server_hears(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            with pytest.raises(LocalProtocolError, match="the track is video, not audio"):
                await ann.publish_audio(TestPattern(width=128, height=128))
            with pytest.raises(LocalProtocolError, match="max_framerate"):
                await ann.publish_video(TestPattern(width=128, height=128), max_framerate=0)
            publication = await ann.publish_audio(Tone(440.0))
            await known(ben, publication.sid)
            with pytest.raises(LocalProtocolError, match="is not video"):
                ben.video(publication.sid)
            with pytest.raises(LocalProtocolError, match="our own"):
                ann.audio(publication.sid)

    run(main())


def test_after_leaving_everything_is_over(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            publication = await ann.publish_audio(Tone(440.0))
            await known(ben, publication.sid)
            stream, data = ben.audio(publication.sid), ben.data()
            await ben.leave()
            await within(5.0, read_audio(stream, 100.0))
            assert await within(5.0, take(data, 1)) == []
            assert await take(ben.data(), 1) == []
            with pytest.raises(RequestFailed) as failed:
                await ben.publish_audio(Tone(440.0))
            assert failed.value.reason is FailureReason.ABORTED
            with pytest.raises(RequestFailed):
                await ben.publish_data(b"x")
            await ann.leave()
            assert publication.over
            await publication.unpublish()
        # What is held on to after the block does no harm either.
        assert await ann.statistics() == {}
        assert await ann.track_statistics([publication.sid]) == {}
        await ann.leave()

    run(main())


def test_the_server_may_not_let_us_publish(
    livekit: LiveKitServer, room_name: str, run: Run, connect: Connect
) -> None:
    async def main() -> None:
        token = livekit.token("ann", room_name, can_publish=False)
        async with connect(livekit.url, token=token, media=MEDIA) as ann:
            with pytest.raises(RequestFailed):
                await ann.publish_audio(Tone(440.0))
            assert ann.publications == {}

    run(main())


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2])
def test_cancelled_at_any_moment_nothing_is_left(enter: Enter, delay: float, run: Run) -> None:
    """`run` looks for tasks, sockets and threads."""

    async def main() -> None:
        async def life() -> None:
            async with enter("ann") as ann:
                await ann.publish_audio(Tone(440.0))
                await ann.publish_data(b"x" * 10_000)
                await anyio.sleep(60.0)

        with anyio.move_on_after(delay) as scope:
            await life()
        assert scope.cancelled_caught

    run(main())


def test_a_second_cancellation_leaves_nothing_either(enter: Enter, run: Run) -> None:
    """While data on its way is waited for."""

    async def main() -> None:
        inside = anyio.Event()

        async def life() -> None:
            async with enter("ann") as ann:
                await ann.publish_audio(Tone(440.0))
                for _ in range(20):
                    await ann.publish_data(b"x" * 60_000)
                inside.set()
                await anyio.sleep(60.0)

        async with anyio.create_task_group() as outer, anyio.create_task_group() as inner:
            inner.start_soon(life)
            await within(10.0, inside.wait())
            inner.cancel_scope.cancel()
            await anyio.sleep(0.001)
            outer.cancel_scope.cancel()

    run(main())


def test_who_has_the_peer_connections_is_said_once(connect: Connect) -> None:
    with pytest.raises(ValueError, match="peers"):
        connect("ws://localhost", token="t", media=MEDIA, peers=PeerCapabilities())


def test_without_media_nothing_of_it_is_imported(loop: str) -> None:
    """In a process of its own, because here everything is imported."""
    import subprocess

    program = (
        f"import sys, kitwire_{loop} as k; k.connect('ws://h', token='t');"
        "sys.exit(any(each in sys.modules for each in ('aiortc', 'av', 'kitwire_aiortc')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_tracks_keep_what_the_application_says_of_them(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann:
            one = await ann.publish_audio(
                Tone(440.0), name="desk", source=msg.TrackSource.SCREEN_SHARE_AUDIO
            )
            assert (one.info.name, one.info.source) == (
                "desk",
                msg.TrackSource.SCREEN_SHARE_AUDIO,
            )
            assert one.cid
            assert repr(one) == f"<LocalPublication {one.sid} 'desk' live>"
            own = ann.view.own
            assert own is not None
            assert own.publications[one.sid].cid == one.cid

    run(main())


def test_what_the_block_raises_leaves_as_itself(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async def life() -> None:
            async with enter("ann") as ann:
                await ann.publish_audio(Tone(440.0))
                raise LookupError("the block's own")

        with pytest.raises(LookupError, match="the block's own"):
            await life()

    run(main())


@both_paths
@pytest.mark.parametrize("at", [10, 20, 40])
def test_a_bug_of_a_callback_surfaces_and_leaves_nothing(
    livekit: LiveKitServer, room_name: str, path: PathVersion, at: int, run: Run, connect: Connect
) -> None:
    """The client, and so its Closed, is silent from then on; the peer connections still go."""

    async def main() -> None:
        records = []

        def trace(record: TraceRecord) -> None:
            records.append(record)
            if len(records) == at:
                raise ArithmeticError("the callback's own")

        async def life() -> None:
            async with connect(
                livekit.url,
                token=livekit.token("ann", room_name),
                path=path,
                media=MEDIA,
                trace=trace,
            ) as ann:
                await ann.publish_audio(Tone(440.0))
                await ann.publish_audio(Tone(440.0))
                await anyio.sleep(30.0)

        # In a call of ours it surfaces as itself, and as the cause of the block's end elsewhere.
        with pytest.raises((ArithmeticError, RuntimeError)) as failed:
            await life()
        own = isinstance(failed.value, ArithmeticError)
        assert own or isinstance(failed.value.__cause__, ArithmeticError)

    run(main())


@pytest.mark.livekit_versions
def test_older_servers_carry_tracks_and_data_too(
    livekit_version: LiveKitServer, room_name: str, run: Run, connect: Connect
) -> None:
    """The oldest knows two peer connections only, of which the publisher waits for a reason."""

    async def main() -> None:
        def enter(identity: str) -> AbstractAsyncContextManager[MediaRoom]:
            token = livekit_version.token(identity, room_name)
            return connect(livekit_version.url, token=token, media=MEDIA)

        async with enter("ann") as ann, enter("ben") as ben:
            # First, because old servers lose data for who has just joined.
            publication = await ben.publish_audio(Tone(440.0))
            await hears(ann, publication.sid, 440.0)
            data = ben.data()
            await ann.publish_data(b"hello")
            (message,) = await within(10.0, take(data, 1))
            assert (message.data, message.participant_identity) == (b"hello", "ann")

    run(main())
