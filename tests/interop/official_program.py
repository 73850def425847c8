"""A participant by LiveKit's own SDK, as a program: commands come in, events go out, a JSON a line.

It runs in a process of its own, so that what the SDK leaves in a process is not left in the tests'.
`tests.interop.official.official_participant` starts it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping

from livekit import rtc


def say(event: str, **fields: object) -> None:
    """Tell the tests."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def listen(room: rtc.Room) -> None:
    """Tell of everything that the tests want to hear."""
    room.on(
        "participant_connected",
        lambda who: say("participant_connected", identity=who.identity, sid=who.sid),
    )
    room.on(
        "participant_disconnected",
        lambda who: say("participant_disconnected", identity=who.identity, sid=who.sid),
    )
    room.on(
        "participant_metadata_changed",
        lambda who, old, new: say(
            "participant_metadata_changed", identity=who.identity, metadata=new
        ),
    )
    room.on(
        "participant_attributes_changed",
        lambda changed, who: say(
            "participant_attributes_changed", identity=who.identity, attributes=changed
        ),
    )
    room.on("room_metadata_changed", lambda old, new: say("room_metadata_changed", metadata=new))
    room.on("disconnected", lambda reason: say("disconnected", reason=int(reason)))


class Peer:
    """The room, and the one track that we publish."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.source: rtc.AudioSource | None = None
        self.track: rtc.LocalAudioTrack | None = None
        listen(self.room)

    async def do(self, order: Mapping[str, str]) -> dict[str, object]:
        """Carry out one command; the answer tells what came of it."""
        me = self.room.local_participant if self.room.isconnected() else None
        match order["do"]:
            case "connect":
                await self.room.connect(order["url"], order["token"])
                others = [who.identity for who in self.room.remote_participants.values()]
                return {"sid": self.room.local_participant.sid, "others": others}
            case "set_metadata":
                assert me is not None
                await me.set_metadata(order["metadata"])
            case "set_attribute":
                assert me is not None
                await me.set_attributes({order["key"]: order["value"]})
            case "publish":
                assert me is not None
                self.source = rtc.AudioSource(48000, 1)
                self.track = rtc.LocalAudioTrack.create_audio_track(order["name"], self.source)
                options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
                publication = await me.publish_track(self.track, options)
                return {"sid": publication.sid}
            case "mute":
                assert self.track is not None
                self.track.mute()
            case "unmute":
                assert self.track is not None
                self.track.unmute()
            case "unpublish":
                assert me is not None
                assert self.track is not None
                await me.unpublish_track(self.track.sid)
            case "disconnect":
                await self.room.disconnect()
                if self.source is not None:
                    await self.source.aclose()
            case unknown:
                raise ValueError(unknown)
        return {}


async def main() -> None:
    """Carry out commands until there are no more."""
    peer = Peer()
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        say("done", do=order["do"], **await peer.do(order))


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: the SDK's threads go on into it, and panic.
    os._exit(0)
