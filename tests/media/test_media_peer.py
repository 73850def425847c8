"""One peer connection: between two of ours on loopback, and with descriptions that are wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

import pytest
from aiortc import RTCIceParameters, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from kitwire.commands import PeerState
from kitwire_aiortc.channels import ChannelClosed
from kitwire_aiortc.counter import read_counter
from kitwire_aiortc.frames import AudioStream, VideoStream
from kitwire_aiortc.inbound import Frame
from kitwire_aiortc.internals import ENCODER
from kitwire_aiortc.peer import Peer, PeerClosed, PeerRefused
from kitwire_aiortc.sdp import Direction, sections
from kitwire_aiortc.sources import Silence, TestPattern, Tone
from tests.media.loopback import (
    CHANNELS,
    LOOPBACK,
    Count,
    Recorder,
    connect,
    frequency,
    read_audio,
    run,
    take,
    until,
)


def pair() -> tuple[Peer, Recorder, Peer, Recorder]:
    one, other = Recorder(), Recorder()
    return (
        Peer(one, gathering=LOOPBACK, data_channels=CHANNELS),
        one,
        Peer(other, gathering=LOOPBACK),
        other,
    )


async def connected(one: Peer, other: Peer) -> None:
    await until(lambda: one.state is other.state is PeerState.CONNECTED)


def small() -> TestPattern:
    return TestPattern(width=320, height=180)


# --- what works ---


def test_states_are_reported_in_order() -> None:
    async def main() -> None:
        one, heard, other, _ = pair()
        await connect(one, other, audio=1)
        await connected(one, other)
        await one.close()
        await until(lambda: other.state is PeerState.CLOSED)
        await other.close()
        assert heard.states == [PeerState.CONNECTING, PeerState.CONNECTED, PeerState.CLOSED]

    run(main())


def test_audio_and_video_go_through() -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        one.publish("audio", cid="a", stream="s", source=Tone(700.0))
        one.publish("video", cid="v", stream="s", source=small())
        await connect(one, other)
        sound, film = AudioStream(sample_rate=16_000, channels=1), VideoStream()
        kinds = {each.kind: each for each in heard.inbound}
        kinds["audio"].attach(sound)
        kinds["video"].attach(film)
        assert frequency(await read_audio(sound, 1.0)) == pytest.approx(700, abs=3)
        assert None not in [read_counter(each) for each in await take(film, 10)]
        numbers = await other.statistics()
        assert {each.kind for each in numbers.inbound} == {"audio", "video"}
        for inbound in numbers.inbound:
            assert inbound.packets > 5
            assert inbound.octets > 100
            assert inbound.packets_lost == 0
            assert 0 <= inbound.jitter < 1
            assert inbound.frames > 5
        await until(lambda: True)
        sent = await one.statistics()
        assert {each.mid for each in sent.outbound} == {"0", "1"}
        assert all(each.packets > 5 and each.octets > 100 for each in sent.outbound)
        assert sent.transport is not None
        assert sent.transport.octets_sent > sent.transport.octets_received
        await one.close()
        await other.close()

    run(main())


def test_reports_of_the_far_end_appear_in_the_statistics() -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        one.publish("audio", cid="a", stream="s", source=Silence())
        await connect(one, other)
        heard.inbound[0].attach(Count())
        (out,) = (await one.statistics()).outbound
        while out.rtt is None:
            await asyncio.sleep(0.05)
            (out,) = (await one.statistics()).outbound
        assert out.rtt is not None
        assert 0 <= out.rtt < 1
        assert out.fraction_lost == 0
        assert out.packets_lost is not None
        await one.close()
        await other.close()

    run(main())


def test_statistics_can_be_asked_for_while_sections_come_and_go() -> None:
    async def asked(peer: Peer, work: Coroutine[object, object, None]) -> None:
        """Ask all the time until some work is done."""
        working = asyncio.ensure_future(work)
        while not working.done():
            await peer.statistics()
            await asyncio.sleep(0)
        await working

    async def main() -> None:
        one, _, other, heard = pair()
        one.publish("audio", cid="0", stream="s", source=Silence())
        await connect(one, other)
        for number in range(1, 6):
            one.publish("audio", cid=str(number), stream="s", source=Silence())
            await asked(other, connect(one, other))
        assert len(heard.inbound) == 6
        await asked(other, other.close())
        await one.close()

    run(main())


def test_what_is_published_is_named_as_announced_and_idle_sections_have_no_name() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        one.publish("audio", cid="the-cid", stream="PA_x", source=Silence())
        offer = sections(await one.make_offer(audio_sections=2, video_sections=1))
        assert [each.kind for each in offer] == ["audio", "audio", "audio", "video", "application"]
        assert [each.msid for each in offer] == ["PA_x the-cid", "", "", "", ""]
        assert [bool(each.ssrcs) for each in offer] == [True, False, False, False, False]
        await one.close()
        await other.close()

    run(main())


def test_a_section_is_taken_over_by_the_next_publication() -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        for number in range(3):
            pitch = 500.0 + 200 * number
            out = one.publish("audio", cid=f"cid{number}", stream="s", source=Tone(pitch))
            assert out.in_use
            await connect(one, other)
            assert (out.mid, out.kind) == ("0", "audio")
            stream = AudioStream(sample_rate=16_000, channels=1)
            (inbound,) = heard.inbound
            inbound.attach(stream)
            frames = await read_audio(stream, 0.6)
            assert frequency(frames[5:]) == pytest.approx(pitch, abs=5)
            times = [frame.time for frame in frames if frame.time is not None]
            assert times == sorted(times)
            inbound.detach(stream)
            out.unpublish()
            assert (out.in_use, out.source) == (False, None)
            await connect(one, other)
            assert one.remote_sections[0].direction is Direction.INACTIVE
        assert len(one.connection.getTransceivers()) == 1
        await one.close()
        await other.close()

    run(main())


def test_a_section_is_free_once_the_far_end_has_agreed() -> None:
    """livekit-server publishes what comes on it under the name that it heard first."""

    async def main() -> None:
        one, _, other, _ = pair()

        async def next_offer_is_answered() -> None:
            await one.apply_answer(await other.apply_offer(await one.make_offer()))

        first = one.publish("audio", cid="a", stream="s", source=Silence())
        offer = await one.make_offer()
        first.unpublish()
        # The far end is yet to answer an offer that calls it "a".
        second = one.publish("audio", cid="b", stream="s", source=Silence())
        assert second is not first
        await one.apply_answer(await other.apply_offer(offer))
        second.unpublish()
        assert [first.free, second.free] == [False, True]  # The second was never offered.
        await next_offer_is_answered()
        assert [first.free, second.free] == [True, True]
        assert one.publish("audio", cid="c", stream="s", source=Silence()) is first
        await one.close()
        await other.close()

    run(main())


def test_two_publications_at_once_have_two_sections() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        first = one.publish("audio", cid="a", stream="s", source=Silence())
        second = one.publish("audio", cid="b", stream="s", source=Silence())
        await connect(one, other)
        assert {first.mid, second.mid} == {"0", "1"}
        await one.close()
        await other.close()

    run(main())


def test_a_source_outlives_its_connection() -> None:
    async def main() -> None:
        tone = Tone(900.0)
        for _ in range(2):
            one, _, other, heard = pair()
            one.publish("audio", cid="a", stream="s", source=tone)
            await connect(one, other)
            stream = AudioStream(sample_rate=16_000, channels=1)
            heard.inbound[0].attach(stream)
            assert frequency(await read_audio(stream, 0.5)) == pytest.approx(900, abs=5)
            await one.close()
            await other.close()
            assert tone.readyState == "live"

    run(main())


def test_a_source_is_exchanged_without_negotiation() -> None:
    async def main() -> None:
        one, heard_one, other, heard = pair()
        out = one.publish(
            "audio", cid="a", stream="s", source=Tone(500.0, duration=0.3), listener=heard_one
        )
        await connect(one, other)
        stream = AudioStream(sample_rate=16_000, channels=1)
        heard.inbound[0].attach(stream)
        await until(lambda: len(heard_one.ended) == 1)
        out.set_source(Tone(1500.0))
        frames = await read_audio(stream, 1.2)
        assert frequency(frames[-40:]) == pytest.approx(1500, abs=5)
        await one.close()
        await other.close()

    run(main())


class Broken(Tone):
    """A source that raises after a while."""

    async def recv(self) -> object:  # type: ignore[override]  # it is broken
        frame = await super().recv()
        if frame.pts is not None and frame.pts > 5 * 960:
            raise RuntimeError("no more")
        return frame


def test_a_source_that_raises_is_reported_and_the_section_lives() -> None:
    async def main() -> None:
        one, heard_one, other, heard = pair()
        source = Broken()
        out = one.publish("audio", cid="a", stream="s", source=source, listener=heard_one)
        await connect(one, other)
        count = Count()
        heard.inbound[0].attach(count)
        await until(lambda: len(heard_one.failed) == 1)
        assert heard_one.failed[0][0] is source
        assert str(heard_one.failed[0][1]) == "no more"
        before = count.frames
        out.set_source(Tone())
        await until(lambda: count.frames > before + 5)
        await one.close()
        await other.close()

    run(main())


def test_without_a_reader_nothing_is_decoded_and_a_reader_begins_with_a_whole_picture() -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        one.publish("audio", cid="a", stream="s", source=Tone())
        one.publish("video", cid="v", stream="s", source=small())
        await connect(one, other)
        await connected(one, other)
        await asyncio.sleep(0.5)
        assert [each.frames for each in heard.inbound] == [0, 0]
        film, sound = VideoStream(), Count()
        by_kind = {each.kind: each for each in heard.inbound}
        by_kind["video"].attach(film)
        by_kind["audio"].attach(sound)
        (first,) = await asyncio.wait_for(take(film, 1), 2.0)
        assert read_counter(first) is not None
        await until(lambda: sound.frames > 5)
        # Another description must not wake what nobody reads.
        by_kind["video"].detach(film)
        by_kind["video"].detach(film)
        await connect(one, other)
        decoded = by_kind["video"].frames
        await asyncio.sleep(0.3)
        assert by_kind["video"].frames <= decoded + 2
        heard_before = sound.frames
        await until(lambda: sound.frames > heard_before + 5)
        await one.close()
        await other.close()

    run(main())


def test_a_reader_that_raises_is_dropped_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing:
        def feed(self, frame: Frame) -> None:
            raise RuntimeError("reader broken")

    async def main() -> None:
        one, _, other, heard = pair()
        one.publish("audio", cid="a", stream="s", source=Tone())
        await connect(one, other)
        count = Count()
        heard.inbound[0].attach(Failing())
        heard.inbound[0].attach(count)
        await until(lambda: count.frames > 5)
        assert other.state is PeerState.CONNECTED
        await one.close()
        await other.close()

    run(main())
    assert [each.getMessage() for each in caplog.records if "reader" in each.getMessage()] == [
        "a reader of audio 0 failed"
    ]


def test_a_second_description_while_connecting_is_not_lost() -> None:
    """aiortc alone never starts what it adds."""

    async def main() -> None:
        one, _, other, heard = pair()
        one.publish("audio", cid="a", stream="s", source=Silence())
        first = await one.make_offer()
        await one.apply_answer(await other.apply_offer(first))
        one.publish("audio", cid="b", stream="s", source=Tone())
        second = await one.make_offer()
        assert other.state is not PeerState.CONNECTED
        await one.apply_answer(await other.apply_offer(second))
        assert len(heard.inbound) == 2
        counts = [Count(), Count()]
        for inbound, count in zip(heard.inbound, counts, strict=True):
            inbound.attach(count)
        await until(lambda: all(count.frames > 5 for count in counts))
        await one.close()
        await other.close()

    run(main())


def test_an_offer_without_an_answer_is_replaced() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        await one.make_offer(audio_sections=1)
        await connect(one, other, audio=1)
        await connected(one, other)
        assert len(sections(one.connection.localDescription.sdp)) == 3
        await one.close()
        await other.close()

    run(main())


def test_the_same_offer_can_be_applied_twice() -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        one.publish("audio", cid="a", stream="s", source=Tone())
        offer = await one.make_offer()
        await other.apply_offer(offer)
        await one.apply_answer(await other.apply_offer(offer))
        assert len(heard.inbound) == 1
        await connected(one, other)
        await one.close()
        await other.close()

    run(main())


@pytest.mark.parametrize("first", ["audio", "data"])
def test_data_and_media_share_one_transport_in_any_order(first: str) -> None:
    async def main() -> None:
        one, heard_one, other, heard = pair()
        if first == "audio":
            one.publish("audio", cid="a", stream="s", source=Tone())
        await connect(one, other)
        if first == "data":
            await connected(one, other)
            one.publish("audio", cid="a", stream="s", source=Tone())
            await connect(one, other)
        await until(lambda: len(heard_one.opened) == 3)
        count = Count()
        heard.inbound[0].attach(count)
        await until(lambda: count.frames > 3)
        await one.channels.send("_reliable", b"x")
        await until(lambda: heard.data == [("_reliable", b"x")])
        await one.close()
        await other.close()

    run(main())


@pytest.mark.parametrize(("codec", "name"), [("vp8", "_Vp8"), ("h264", "_H264")])
def test_codec_and_bit_rate_are_heeded(codec: str, name: str) -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        one.publish(
            "video", cid="v", stream="s", source=small(), codec=codec, max_bitrate=120_000,
            max_framerate=10.0,
        )  # fmt: skip
        one.publish("audio", cid="a", stream="s", source=Tone(), max_bitrate=24_000)
        await connect(one, other)
        kinds = {each.kind: each for each in heard.inbound}
        film = VideoStream(capacity=100)
        kinds["video"].attach(film)
        kinds["audio"].attach(Count())
        frames = await take(film, 15)
        assert frames[-1].time is not None
        assert 14 / frames[-1].time == pytest.approx(10, rel=0.3)
        (sender,) = [each for each in one.connection.getSenders() if each.kind == "video"]
        encoder = ENCODER.get(sender)
        assert type(encoder).__name__ == name
        encoder.target_bitrate = 10_000_000  # type: ignore[union-attr]  # what an estimate does
        assert encoder.target_bitrate == 120_000  # type: ignore[union-attr]
        encoder.target_bitrate = 1  # type: ignore[union-attr]
        assert encoder.target_bitrate == 50_000  # type: ignore[union-attr]
        sent = {each.kind: each for each in (await one.statistics()).outbound}
        seconds = sent["audio"].packets / 50
        assert sent["audio"].octets * 8 / seconds < 60_000  # 96,000 otherwise
        await one.close()
        await other.close()

    run(main())


def test_unmuted_video_begins_with_a_whole_picture() -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        out = one.publish("video", cid="v", stream="s", source=small())
        await connect(one, other)
        film = VideoStream(capacity=100)
        heard.inbound[0].attach(film)
        await take(film, 5)
        out.mute(True)
        assert out.muted
        await asyncio.sleep(0.3)
        out.mute(False)
        numbers = [read_counter(each) for each in await take(film, 15)]
        assert None not in numbers
        await one.close()
        await other.close()

    run(main())


# --- data ---


def test_channels_open_on_both_sides_and_carry_in_order() -> None:
    async def main() -> None:
        one, heard_one, other, heard = pair()
        await connect(one, other)
        await until(lambda: len(heard_one.opened) == 3)
        assert (
            sorted(heard_one.opened)
            == sorted(heard.opened)
            == sorted(each.label for each in CHANNELS)
        )
        assert one.channels.is_open("_reliable")
        assert not one.channels.is_open("_none")
        for number in range(200):
            await one.channels.send("_reliable", bytes([number]) * 20_000)
        await other.channels.send("_reliable", b"back")
        await one.channels.drain()
        assert [data[0] for _, data in heard.data] == list(range(200))
        await until(lambda: heard_one.data == [("_reliable", b"back")])
        await one.close()
        await other.close()
        assert heard_one.closed == []  # we closed it ourselves

    run(main())


def test_sending_waits_for_the_channel_and_for_room() -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        early = asyncio.ensure_future(one.channels.send("_reliable", b"early"))
        await asyncio.sleep(0.01)
        assert not early.done()
        await connect(one, other)
        await early
        waits = 0
        for _ in range(60):
            task = asyncio.ensure_future(one.channels.send("_reliable", bytes(60_000)))
            await asyncio.sleep(0)
            waits += not task.done()
            await task
        assert waits > 0
        await one.channels.drain()
        assert len(heard.data) == 61
        await one.close()
        await other.close()

    run(main())


def test_a_message_that_is_too_long_is_refused() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        await connect(one, other)
        with pytest.raises(ValueError, match="only supports messages"):
            await one.channels.send("_reliable", bytes(300_000))
        await one.close()
        await other.close()

    run(main())


def test_who_waits_for_a_channel_hears_of_the_close() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        task = asyncio.ensure_future(one.channels.send("_reliable", b"x"))
        await asyncio.sleep(0)
        await one.close()
        with pytest.raises(ChannelClosed):
            await task
        with pytest.raises(ChannelClosed):
            await one.channels.send("_reliable", b"x")
        await one.channels.drain()
        await other.close()

    run(main())


def test_a_far_end_that_closes_closes_the_channels() -> None:
    async def main() -> None:
        one, heard_one, other, _ = pair()
        await connect(one, other)
        await until(lambda: len(heard_one.opened) == 3)
        await other.close()
        await until(lambda: one.state is PeerState.CLOSED)
        assert len(heard_one.closed) == 3
        with pytest.raises(ChannelClosed):
            await one.channels.send("_lossy", b"x")
        await one.close()

    run(main())


def test_text_arrives_as_bytes() -> None:
    async def main() -> None:
        _, _, other, heard = pair()
        plain = RTCPeerConnection()
        channel = plain.createDataChannel("_reliable")
        await plain.setLocalDescription(await plain.createOffer())
        answer = await other.apply_offer(plain.localDescription.sdp)
        await plain.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: channel.readyState == "open")
        channel.send("grüezi")
        await until(lambda: heard.data == [("_reliable", "grüezi".encode())])
        await other.close()
        await plain.close()

    # aiortc's own end has its tasks left for a moment, so they are not counted here.
    asyncio.run(main())


# --- what does not ---


GARBAGE = [
    "",
    "garbage",
    "v=0\r\n",
    "v=0\r\nm=audio\r\n",
    "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF x\r\n",
    "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n",
    "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:u\r\na=ice-pwd:hushhush\r\n",
    "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-pwd:hushhush\r\na=ssrc:hushhush x:y\r\n",
]


@pytest.mark.parametrize("sdp", GARBAGE)
def test_garbage_is_refused_without_a_word_of_it_and_nothing_is_broken(sdp: str) -> None:
    async def main() -> None:
        one, _, other, heard = pair()
        one.publish("audio", cid="a", stream="s", source=Tone())
        with pytest.raises(PeerRefused) as refused:
            await other.apply_offer(sdp)
        offer = await one.make_offer()
        with pytest.raises(PeerRefused) as refused_answer:
            await one.apply_answer(sdp)
        for each in (refused, refused_answer):
            assert "hushhush" not in repr(each.value)
            assert each.value.__cause__ is None
        await one.apply_answer(await other.apply_offer(offer))
        await connected(one, other)
        assert len(heard.inbound) == 1
        await one.close()
        await other.close()

    run(main())


def test_answers_that_nobody_asked_for_are_refused() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        offer = await one.make_offer(audio_sections=1)
        answer = await other.apply_offer(offer)
        await one.apply_answer(answer)
        with pytest.raises(PeerRefused, match="InvalidStateError: Cannot handle answer"):
            await one.apply_answer(answer)
        await connect(one, other, audio=1)
        await one.make_offer(audio_sections=1)
        with pytest.raises(PeerRefused):
            await one.apply_answer(answer)  # of an earlier offer, with fewer sections
        await connected(one, other)
        await one.close()
        await other.close()

    run(main())


@pytest.mark.parametrize(
    "candidate",
    ["candidate:1 1 udp", "nonsense", "candidate:x y z", "1 1 udp p 127.0.0.1 9 typ host"],
)
def test_a_candidate_that_cannot_be_read_is_refused(candidate: str) -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        await one.make_offer(audio_sections=1)
        with pytest.raises(PeerRefused):
            await one.add_candidate(candidate)
        await one.close()
        await other.close()

    run(main())


def test_candidates_that_do_not_matter_are_ignored() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        await one.make_offer(audio_sections=1)
        await one.add_candidate("")
        await one.add_candidate("candidate:")
        await one.add_candidate("candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype passive ufrag x")
        await one.close()
        await other.close()

    run(main())


def deaf(sdp: str) -> str:
    """A description without its candidates."""
    lines = sdp.splitlines()
    kept = [line for line in lines if not line.startswith(("a=candidate", "a=end-of"))]
    return "".join(f"{line}\r\n" for line in kept)


def test_with_no_candidate_it_stays_connecting_and_closes_clean() -> None:
    """No path for ICE: whoever waits has a deadline of its own."""

    async def main() -> None:
        one, heard, other, _ = pair()
        answer = await other.apply_offer(deaf(await one.make_offer(audio_sections=1)))
        await one.apply_answer(deaf(answer))
        await asyncio.sleep(0.2)
        assert one.state is PeerState.CONNECTING
        await one.close()
        await other.close()
        assert heard.states[-1] is PeerState.CLOSED

    run(main())


def test_a_candidate_that_comes_later_connects() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        answer = await other.apply_offer(deaf(await one.make_offer(audio_sections=1)))
        await one.apply_answer(deaf(answer))
        candidate = next(line for line in answer.splitlines() if line.startswith("a=candidate"))
        await one.add_candidate(candidate.removeprefix("a=") + " ufrag abcd")
        await connected(one, other)
        await one.close()
        await other.close()

    run(main())


def test_dtls_that_never_ends_leaves_nothing_after_the_close() -> None:
    """ICE connects, and then every packet of the far end's DTLS is swallowed."""

    async def main() -> None:
        one, _, other, _ = pair()
        answer = await other.apply_offer(await one.make_offer(audio_sections=1))
        transport = other.connection.getTransceivers()[0].sender.transport.transport

        async def swallow(data: bytes) -> None: ...

        transport._send = swallow
        await one.apply_answer(answer)
        await asyncio.sleep(0.3)
        assert one.state is PeerState.CONNECTING
        await one.close()
        await other.close()

    run(main())


def test_a_section_whose_turn_to_start_comes_during_the_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A moment in which aiortc's own task raises, with nobody to hear it."""

    async def main() -> None:
        one, _, other, _ = pair()
        answer = await other.apply_offer(await one.make_offer(audio_sections=2))
        transport = one.connection.getTransceivers()[0].receiver.transport.transport
        start, close = transport.start, transport._connection.close
        turn = asyncio.Event()

        async def started_late(parameters: RTCIceParameters) -> None:
            await start(parameters)
            await turn.wait()

        async def closed_late() -> None:
            turn.set()
            await asyncio.sleep(0.01)
            await close()

        monkeypatch.setattr(transport, "start", started_late)
        monkeypatch.setattr(transport._connection, "close", closed_late)
        await one.apply_answer(answer)
        await asyncio.sleep(0.1)
        await one.close()
        await other.close()

    run(main())


@pytest.mark.parametrize("ticks", [0, 1, 2, 5, 20, 100, 400])
def test_closed_at_any_moment_nothing_is_left(ticks: int) -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        one.publish("audio", cid="a", stream="s", source=Tone())

        async def exchange() -> None:
            await connect(one, other, video=1)

        task = asyncio.ensure_future(exchange())
        for _ in range(ticks):
            await asyncio.sleep(0)
        await asyncio.gather(one.close(), other.close())
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, PeerClosed)
        await one.close()  # again

    run(main())


def test_closed_it_does_nothing_more() -> None:
    async def main() -> None:
        one, heard, other, _ = pair()
        await one.close()
        await other.close()
        assert heard.states == [PeerState.CLOSED]
        with pytest.raises(PeerClosed):
            await one.make_offer()
        with pytest.raises(PeerClosed):
            await one.apply_answer("x")
        with pytest.raises(PeerClosed):
            one.publish("audio", cid="a", stream="s", source=None)
        assert (await one.statistics()).transport is None

    run(main())


def test_a_cancelled_caller_leaves_the_peer_usable() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        task = asyncio.ensure_future(one.make_offer(audio_sections=1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await connect(one, other, audio=1)
        await connected(one, other)
        await one.close()
        await other.close()

    run(main())


def test_what_cannot_be_published() -> None:
    async def main() -> None:
        one, _, other, _ = pair()
        for arguments in (
            {"cid": "two words"},
            {"cid": ""},
            {"stream": "a\r\nb"},
            {"codec": "av1"},
        ):
            with pytest.raises(ValueError, match="cannot"):
                one.publish("video", **{"cid": "c", "stream": "s", "source": None} | arguments)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="sends video"):
            one.publish("video", cid="c", stream="s", source=Silence())
        await one.close()
        await other.close()

    run(main())


def test_tracks_of_aiortc_that_end_are_no_surprise() -> None:
    """The frames of a remote track may be published on: it ends with its connection."""

    async def main() -> None:
        one, heard_one, other, _ = pair()
        source = Silence()
        source.stop()
        one.publish("audio", cid="a", stream="s", source=source, listener=heard_one)
        await connect(one, other)
        await until(lambda: heard_one.ended == [source])
        with pytest.raises(MediaStreamError):
            await source.recv()
        await one.close()
        await other.close()

    run(main())


def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        one, _, other, _ = pair()
        await connect(one, other, audio=1)
        await connected(one, other)
        lines = one.connection.localDescription.sdp.splitlines()
        secrets.extend(line.partition(":")[2] for line in lines if line.startswith("a=ice-pwd"))
        await one.close()
        await other.close()

    secrets: list[str] = []
    run(main())
    assert secrets
    assert "a=ice-pwd:[secret]" in caplog.text
    assert "a=ice-ufrag:[secret]" in caplog.text
    assert "'USERNAME': '[secret]'" in caplog.text
    assert all(word not in caplog.text for word in secrets)
