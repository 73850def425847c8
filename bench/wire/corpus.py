"""The frames that are measured: what a server says in a room, and what a client says there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from livekit.protocol import models, rtc

from kitwire import messages as msg

__all__ = ["DECODED", "ENCODED"]


def _participant(number: int, tracks: int) -> models.ParticipantInfo:
    participant = models.ParticipantInfo(
        sid=f"PA_{number:012d}",
        identity=f"participant-{number}",
        name=f"Participant {number}",
        state=models.ParticipantInfo.ACTIVE,
        metadata="{}",
        joined_at=1_790_000_000,
        joined_at_ms=1_790_000_000_123,
        version=3,
        is_publisher=True,
        permission=models.ParticipantPermission(
            can_subscribe=True, can_publish=True, can_publish_data=True
        ),
    )
    participant.attributes["role"] = "speaker"
    for kind in range(tracks):
        participant.tracks.append(_track(number, kind))
    return participant


def _track(number: int, kind: int) -> models.TrackInfo:
    track = models.TrackInfo(
        sid=f"TR_{kind}{number:011d}",
        type=models.VIDEO if kind else models.AUDIO,
        name="camera" if kind else "microphone",
        source=models.CAMERA if kind else models.MICROPHONE,
        mime_type="video/vp8" if kind else "audio/opus",
        mid=str(kind),
        stream="camera",
    )
    if kind:
        track.width, track.height = 1280, 720
        track.layers.extend(
            models.VideoLayer(
                quality=(models.LOW, models.MEDIUM, models.HIGH)[quality],
                width=320 << quality,
                height=180 << quality,
                bitrate=150_000 << quality,
                ssrc=0x1234_5678 + quality,
            )
            for quality in range(3)
        )
    return track


def _join(others: int) -> rtc.SignalResponse:
    response = rtc.SignalResponse()
    join = response.join
    join.room.sid, join.room.name = "RM_000000000000", "a room"
    join.room.enabled_codecs.extend(
        models.Codec(mime=mime) for mime in ("audio/opus", "audio/red", "video/VP8", "video/H264")
    )
    join.participant.CopyFrom(_participant(0, 0))
    join.other_participants.extend(_participant(number, 2) for number in range(1, others + 1))
    join.server_info.version, join.server_info.protocol = "1.13.5", 17
    join.ping_interval, join.ping_timeout = 5, 15
    join.ice_servers.add(urls=["turn:127.0.0.1:3478?transport=udp"], username="u", credential="c")
    return response


def _sdp(sections: int, size: int) -> str:
    """As long as one of so many media sections; nothing here reads it."""
    section = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=sendrecv\r\n"
    text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + section * sections
    line = "a=candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host\r\n"
    return (text + line * (size // len(line)))[:size]


def _responses() -> dict[str, rtc.SignalResponse]:
    responses = {f"join with {others} others": _join(others) for others in (0, 50, 500)}
    responses["update of 1"] = rtc.SignalResponse(
        update=rtc.ParticipantUpdate(participants=[_participant(1, 2)])
    )
    responses["speakers"] = rtc.SignalResponse(
        speakers_changed=rtc.SpeakersChanged(
            speakers=[
                models.SpeakerInfo(sid=f"PA_{number:012d}", level=0.5, active=True)
                for number in range(3)
            ]
        )
    )
    responses["quality of 50"] = rtc.SignalResponse(
        connection_quality=rtc.ConnectionQualityUpdate(
            updates=[
                rtc.ConnectionQualityInfo(
                    participant_sid=f"PA_{number:012d}", quality=models.EXCELLENT, score=4.5
                )
                for number in range(50)
            ]
        )
    )
    candidate = (
        '{"candidate":"candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host",'
        '"sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}'
    )
    responses["trickle"] = rtc.SignalResponse(
        trickle=rtc.TrickleRequest(candidateInit=candidate, target=rtc.SUBSCRIBER)
    )
    # A server names the track of each section that it sends: what 6 kB have is eight of them.
    responses["offer of 6 kB"] = rtc.SignalResponse(
        offer=rtc.SessionDescription(
            type="offer",
            sdp=_sdp(8, 6000),
            id=4,
            mid_to_track_id={str(mid): f"TR_{mid:012d}" for mid in range(8)},
        )
    )
    responses["pong"] = rtc.SignalResponse(
        pong_resp=rtc.Pong(last_ping_timestamp=1_790_000_000_000, timestamp=1_790_000_000_123)
    )
    return responses


def _requests() -> dict[str, msg.SignalRequest]:
    layers = [
        msg.VideoLayer(
            quality=msg.VideoQuality(quality),
            width=320 << quality,
            height=180 << quality,
            bitrate=150_000 << quality,
        )
        for quality in range(3)
    ]
    description = msg.SessionDescription(type="offer", sdp=_sdp(2, 6000), id=3)
    published = msg.TrackPublishedResponse(
        cid="c4a1b2c3-0001",
        track=msg.TrackInfo(
            sid="TR_000000000001",
            type=msg.TrackType.VIDEO,
            name="camera",
            width=1280,
            height=720,
            mime_type="video/vp8",
            layers=layers,
        ),
    )
    return {
        "add_track": msg.SignalRequest(
            add_track=msg.AddTrackRequest(
                cid="c4a1b2c3-0001",
                name="camera",
                type=msg.TrackType.VIDEO,
                width=1280,
                height=720,
                source=msg.TrackSource.CAMERA,
                layers=layers,
            )
        ),
        "offer of 6 kB": msg.SignalRequest(offer=description),
        "sync_state": msg.SignalRequest(
            sync_state=msg.SyncState(
                answer=msg.SessionDescription(type="answer", sdp=_sdp(2, 3000), id=4),
                offer=description,
                subscription=msg.UpdateSubscription(track_sids=["TR_1", "TR_2"], subscribe=True),
                publish_tracks=[published],
                data_channels=[
                    msg.DataChannelInfo(label=label, id=number, target=msg.SignalTarget.PUBLISHER)
                    for number, label in enumerate(("_reliable", "_lossy"), 1)
                ],
            )
        ),
    }


DECODED: Final[Mapping[str, bytes]] = MappingProxyType(
    {name: response.SerializeToString() for name, response in _responses().items()}
)
"""What a server says, by name, in binary."""
ENCODED: Final[Mapping[str, msg.SignalRequest]] = MappingProxyType(_requests())
"""What a client says, by name."""
