"""Which tracks of others reach us, and how: by our choice, and by their publisher's."""

from __future__ import annotations

from typing import Final

import anyio
import pytest

from kitwire import messages as msg
from kitwire.view import SubscriptionState
from kitwire_aiortc import AudioStream, MediaRoom, TestPattern, Tone, VideoStream
from tests.media.loopback import (
    Enter,
    Run,
    frequency,
    read_audio,
    subscription,
    take,
    until,
    within,
)

pytestmark = pytest.mark.livekit

QUIET: Final = 0.5
"""Seconds without a frame in which, otherwise, a dozen would have come."""


async def becomes(room: MediaRoom, sid: str, wanted: SubscriptionState) -> None:
    await until(lambda: subscription(room, sid) is wanted)


async def hears(stream: AudioStream, hertz: float) -> None:
    heard = await within(10.0, read_audio(stream, 0.6))
    assert frequency(heard[5:]) == pytest.approx(hertz, abs=5.0)


async def falls_silent(stream: AudioStream | VideoStream) -> None:
    """Until nothing more comes."""
    while True:
        with anyio.move_on_after(QUIET) as waiting:
            await anext(stream)
        if waiting.cancelled_caught:
            return


def test_who_does_not_subscribe_to_all_chooses(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben", auto_subscribe=False) as ben:
            tone = await ann.publish_audio(Tone(880.0))
            pattern = await ann.publish_video(
                TestPattern(width=320, height=180), width=320, height=180
            )
            await becomes(ben, tone.sid, SubscriptionState.UNSUBSCRIBED)
            await becomes(ben, pattern.sid, SubscriptionState.UNSUBSCRIBED)
            stream = ben.audio(tone.sid, sample_rate=16_000)
            await falls_silent(stream)

            await ben.update_subscription(subscribe=True, track_sids=[tone.sid])
            await hears(stream, 880.0)
            await becomes(ben, tone.sid, SubscriptionState.SUBSCRIBED)
            assert subscription(ben, pattern.sid) is SubscriptionState.UNSUBSCRIBED

            await ben.update_subscription(subscribe=False, track_sids=[tone.sid])
            await falls_silent(stream)
            await becomes(ben, tone.sid, SubscriptionState.UNSUBSCRIBED)

            # What reads goes on where it was.
            await ben.update_subscription(subscribe=True, track_sids=[tone.sid, pattern.sid])
            await hears(stream, 880.0)
            await within(10.0, take(ben.video(pattern.sid), 5))
            assert not stream.ended

    run(main())


def test_a_track_can_be_paused_and_its_size_and_rate_be_asked_for(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            pattern = await ann.publish_video(
                TestPattern(width=320, height=180), width=320, height=180
            )
            await becomes(ben, pattern.sid, SubscriptionState.SUBSCRIBED)
            stream = ben.video(pattern.sid)
            await within(10.0, take(stream, 5))
            await ben.update_track_settings([pattern.sid], disabled=True)
            await falls_silent(stream)
            # There is one layer, and so these change nothing; but they are taken.
            await ben.update_track_settings(
                [pattern.sid], quality=msg.VideoQuality.LOW, fps=10, priority=1
            )
            await within(10.0, take(stream, 5))
            await ben.update_track_settings([pattern.sid], width=160, height=90)
            await within(10.0, take(stream, 5))

    run(main())


def test_a_publisher_decides_who_may_subscribe(enter: Enter, run: Run) -> None:
    async def main() -> None:
        async with enter("ann") as ann, enter("ben") as ben:
            tone = await ann.publish_audio(Tone(880.0))
            await becomes(ben, tone.sid, SubscriptionState.SUBSCRIBED)
            stream = ben.audio(tone.sid, sample_rate=16_000)
            await hears(stream, 880.0)
            await ann.update_subscription_permission(all_participants=False)
            await becomes(ben, tone.sid, SubscriptionState.NOT_ALLOWED)
            await falls_silent(stream)
            allowed = msg.TrackPermission(participant_identity="ben", track_sids=[tone.sid])
            await ann.update_subscription_permission(
                all_participants=False, track_permissions=[allowed]
            )
            await hears(stream, 880.0)
            await becomes(ben, tone.sid, SubscriptionState.SUBSCRIBED)

    run(main())
