"""Participants with media by LiveKit's own SDK, as a program, in the way of official_program.py.

Commands come in and events go out, a JSON a line. What it hears and sees is written to files as it
came, for the tests to judge. Of ours there is only the picture that it shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from livekit import rtc

from kitwire_aiortc import TestPattern

RATE: Final = 48_000
FRAME: Final = RATE // 50
FRAMERATE: Final = 25


def say(event: str, **fields: object) -> None:
    """Tell the tests."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Publication:
    """A track of ours, and what feeds it."""

    def __init__(
        self,
        track: rtc.LocalTrack,
        source: rtc.AudioSource | rtc.VideoSource,
        feeding: asyncio.Task[None],
        over: asyncio.Event,
    ) -> None:
        self.track = track
        self.source = source
        self.feeding = feeding
        self.over = over

    async def end(self) -> None:
        """Let go of the source, after the frame that is on its way."""
        self.over.set()
        await self.feeding
        await self.source.aclose()


async def sing(source: rtc.AudioSource, hertz: float, over: asyncio.Event) -> None:
    """A sine of half of full scale until it is over; the source sets the pace."""
    step = 2 * np.pi * hertz / RATE
    begin = 0
    while not over.is_set():
        wave = np.sin((np.arange(begin, begin + FRAME) * step) % (2 * np.pi)) * 16_384
        frame = rtc.AudioFrame(wave.astype(np.int16).tobytes(), RATE, 1, FRAME)
        await source.capture_frame(frame)
        begin += FRAME


async def show(source: rtc.VideoSource, pattern: TestPattern, over: asyncio.Event) -> None:
    """The pattern with its number until it is over, 25 a second."""
    begun = time.monotonic()
    number = 0
    while not over.is_set():
        picture = pattern.picture(number)
        height, width = picture.shape[0] * 2 // 3, picture.shape[1]
        source.capture_frame(
            rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, picture.tobytes())
        )
        number += 1
        await asyncio.sleep(max(0.0, begun + number / FRAMERATE - time.monotonic()))


async def write_audio(track: rtc.Track, seconds: float, into: Path) -> dict[str, object]:
    """So many seconds of samples by the clock, mono at 48 kHz, from the first that is not zero."""
    stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
    chunks: list[bytes] = []
    begun = arrived = 0.0
    gap = 0.0
    async for event in stream:
        now, data = time.monotonic(), event.frame.data.tobytes()
        if not begun and not any(data):
            continue
        begun = begun or now
        gap = max(gap, now - (arrived or now))
        arrived = now
        chunks.append(data)
        if now - begun >= seconds:
            break
    await stream.aclose()
    await asyncio.to_thread(into.write_bytes, b"".join(chunks))
    return {"elapsed": arrived - begun, "gap": gap}


class Blind(Exception):
    """The SDK decodes a track, by its own count, and gives no picture of it to any stream."""


async def write_video(track: rtc.Track, seconds: float, into: Path) -> dict[str, object]:
    """So many seconds of brightness by the clock; each picture behind its width and height.

    Raises Blind.
    """
    stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
    first = asyncio.ensure_future(anext(stream))
    before = await decoded(track)
    while not first.done() and await decoded(track) < before + 2 * FRAMERATE:
        await asyncio.wait({first}, timeout=0.2)
    if not first.done():
        first.cancel()
        await stream.aclose()
        raise Blind
    picture = first.result().frame
    begun = now = time.monotonic()
    with into.open("wb") as file:
        while True:
            file.write(picture.width.to_bytes(4, "big") + picture.height.to_bytes(4, "big"))
            file.write(bytes(picture.data)[: picture.width * picture.height])
            if now - begun >= seconds:
                break
            picture = (await anext(stream)).frame
            now = time.monotonic()
    await stream.aclose()
    return {"elapsed": now - begun}


async def decoded(track: rtc.Track) -> int:
    """How many pictures of a track the SDK has decoded."""
    return sum(each.inbound_rtp.inbound.frames_decoded for each in await track.get_stats())


class Peer:
    """Somebody of the SDK's in a room."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.room = rtc.Room()
        self.tracks: dict[str, asyncio.Future[rtc.Track]] = {}
        self.remote: dict[str, rtc.RemoteTrackPublication] = {}
        self.blind: set[str] = set()
        self.publications: dict[str, Publication] = {}
        self.writing: set[asyncio.Task[None]] = set()
        self._listen()

    def _say(self, event: str, **fields: object) -> None:
        say(event, who=self.who, **fields)

    def _listen(self) -> None:
        room = self.room

        def subscribed(
            track: rtc.Track, publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant
        ) -> None:
            self.remote[publication.sid] = publication
            self.track(publication.sid).set_result(track)
            self._say("track_subscribed", sid=publication.sid, name=publication.name)

        def received(packet: rtc.DataPacket) -> None:
            self._say(
                "data",
                size=len(packet.data),
                digest=hashlib.sha256(packet.data).hexdigest(),
                number=int.from_bytes(packet.data[:4], "big"),
                topic=packet.topic,
                reliable=packet.kind == rtc.DataPacketKind.KIND_RELIABLE,
                sender=packet.participant.identity if packet.participant else None,
            )

        def unsubscribed(
            track: rtc.Track, publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant
        ) -> None:
            if publication.sid in self.blind:
                self.blind.remove(publication.sid)
                publication.set_subscribed(True)
                self._say("subscribed_again", sid=publication.sid)

        room.on("track_subscribed", subscribed)
        room.on("track_unsubscribed", unsubscribed)
        room.on("data_received", received)
        room.on("track_muted", lambda who, track: self._say("track_muted", sid=track.sid))
        room.on("track_unmuted", lambda who, track: self._say("track_unmuted", sid=track.sid))
        room.on("track_unpublished", lambda track, who: self._say("unpublished", sid=track.sid))

    def track(self, sid: str) -> asyncio.Future[rtc.Track]:
        """A track of somebody else's, once it is there."""
        if sid not in self.tracks:
            self.tracks[sid] = asyncio.get_running_loop().create_future()
        return self.tracks[sid]

    async def write(self, kind: str, sid: str, seconds: float, into: Path) -> None:
        """Write a track to a file, and tell when it is done.

        To one video in some thirty the SDK (1.2.1) is blind; it sees what it subscribes to again.
        """
        write = write_audio if kind == "audio" else write_video
        while True:
            track = await self.track(sid)
            try:
                facts = await write(track, seconds, into)
            except Blind:
                del self.tracks[sid]
                self.blind.add(sid)
                self.remote[sid].set_subscribed(False)
            else:
                self._say("written", into=str(into), **facts)
                return

    async def publish(self, order: Mapping[str, str]) -> str:
        """Publish a tone or a pattern; returns its sid."""
        name = order["name"]
        options = rtc.TrackPublishOptions()
        over = asyncio.Event()
        track: rtc.LocalTrack
        source: rtc.AudioSource | rtc.VideoSource
        if order["do"] == "publish_tone":
            source = rtc.AudioSource(RATE, 1, 200)
            track = rtc.LocalAudioTrack.create_audio_track(name, source)
            feeding = asyncio.create_task(sing(source, float(order["hertz"]), over))
            options.source = rtc.TrackSource.SOURCE_MICROPHONE
        else:
            width, height = int(order["width"]), int(order["height"])
            source = rtc.VideoSource(width, height)
            track = rtc.LocalVideoTrack.create_video_track(name, source)
            feeding = asyncio.create_task(
                show(source, TestPattern(width=width, height=height), over)
            )
            options.source = rtc.TrackSource.SOURCE_CAMERA
            if "codec" in order:
                options.video_codec = rtc.VideoCodec.Value(order["codec"])
        self.publications[name] = Publication(track, source, feeding, over)
        publication = await self.room.local_participant.publish_track(track, options)
        return publication.sid

    async def do(self, order: Mapping[str, str]) -> dict[str, object]:
        """Carry out one command; the answer tells what came of it."""
        match order["do"]:
            case "connect":
                await self.room.connect(order["url"], order["token"])
            case "publish_tone" | "publish_pattern":
                return {"sid": await self.publish(order)}
            case "mute":
                self.local(order).mute()
            case "unmute":
                self.local(order).unmute()
            case "unpublish":
                gone = self.publications.pop(order["name"])
                await self.room.local_participant.unpublish_track(gone.track.sid)
                await gone.end()
            case "write_audio" | "write_video":
                kind, seconds = order["do"].removeprefix("write_"), float(order["seconds"])
                task = asyncio.create_task(
                    self.write(kind, order["sid"], seconds, Path(order["into"]))
                )
                self.writing.add(task)
                task.add_done_callback(self.writing.discard)
            case "send":
                data = bytes.fromhex(order["data"])
                await self.room.local_participant.publish_data(
                    data, reliable=order["reliable"] == "yes", topic=order["topic"]
                )
            case "send_numbered":
                rest = bytes(int(order["size"]) - 4)
                for number in range(int(order["count"])):
                    await self.room.local_participant.publish_data(number.to_bytes(4, "big") + rest)
            case "disconnect":
                for task in self.writing:
                    task.cancel()
                await self.room.disconnect()
                for publication in self.publications.values():
                    await publication.end()
            case unknown:
                raise ValueError(unknown)
        return {}

    def local(self, order: Mapping[str, str]) -> rtc.LocalAudioTrack | rtc.LocalVideoTrack:
        """A track of ours by its name."""
        track = self.publications[order["name"]].track
        assert isinstance(track, rtc.LocalAudioTrack | rtc.LocalVideoTrack)
        return track


async def main() -> None:
    """Carry out commands until there are no more. Who is not named is the first."""
    # The SDK is slow at times, and that is not what is tested.
    asyncio.get_running_loop().slow_callback_duration = 10.0
    peers: dict[str, Peer] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        who = order.get("who", "")
        if who not in peers:
            peers[who] = Peer(who)
        peer = peers[who]
        answer: dict[str, object] = {}
        if order["do"] == "disconnect" and not who:
            for each in peers.values():
                await each.do(order)
        else:
            answer = await peer.do(order)
        say("done", do=order["do"], **answer)


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: the SDK's threads go on into it, and panic.
    os._exit(0)
