"""Requests as text frames: the real server reads our JSON, and we read its."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

from kitwire.config import Encoding, PathVersion, Timeouts
from kitwire.errors import FailureReason, Reason, RequestFailed
from kitwire.events import (
    FrameRejected,
    LegacyPongReceived,
    PongReceived,
    SpeakersChanged,
    TokenRefreshed,
    UnknownMessage,
)
from kitwire.messages import (
    AddTrackRequest,
    DataBlobKey,
    DataTrackInfo,
    SimulateScenario,
    TrackInfo,
    TrackSource,
    TrackType,
)
from tests.interop.conftest import Join
from tests.interop.counterparts import relay
from tests.interop.livekit_server import Grants, LiveKitServer
from tests.interop.participants import LoopName, joined

TEXT: Final = 1
"""The opcode of a WebSocket text frame (RFC 6455, section 5.2)."""


def test_requests_and_replies(join: Join, path: PathVersion) -> None:
    ann = join(
        "ann",
        path=path,
        grants=Grants(can_update_own_metadata=True),
        encoding=Encoding.JSON,
        timeouts=Timeouts(refusal=0.2),
    )
    bob = join("bob", path=path)
    first = ann.wait_for(PongReceived)
    assert first.rtt is not None
    ann.wait_for(TokenRefreshed)

    ann.call("update_metadata", metadata="später", attributes={"mood": "good"})
    ann.wait_for_participant("ann", lambda info: info.metadata == "später")
    bob.wait_for_participant("ann", lambda info: info.metadata == "später")

    video = AddTrackRequest(
        cid="cam", type=TrackType.VIDEO, source=TrackSource.CAMERA, width=640, height=360
    )
    track = ann.call("add_track", track=video)
    assert isinstance(track, TrackInfo)
    assert (track.type, track.source, track.width) == (TrackType.VIDEO, TrackSource.CAMERA, 640)
    ann.call("mute_track", sid=track.sid, muted=True)

    pose = ann.call("publish_data_track", name="pose", pub_handle=7)
    assert isinstance(pose, DataTrackInfo)
    assert (pose.name, pose.pub_handle) == ("pose", 7)
    ann.call("unpublish_data_track", pub_handle=7)
    with pytest.raises(RequestFailed) as refused:
        ann.call("store_data_blob", key=DataBlobKey(generic="map"), contents=b"\x00\xff")
    assert refused.value.reason is FailureReason.NOT_ALLOWED
    with pytest.raises(RequestFailed) as refused:
        ann.call("mute_track", sid="TR_nobody", muted=True)
    assert refused.value.reason is FailureReason.NOT_FOUND

    ann.call("send_ping")
    assert ann.wait_for(LegacyPongReceived).timestamp > 1_600_000_000_000
    ann.call("simulate", scenario=SimulateScenario(speaker_update=1))
    assert ann.wait_for(SpeakersChanged).speakers[0].level > 0.5

    assert ann.leave().reason is Reason.CLIENT_INITIATED
    assert not any(isinstance(event, FrameRejected | UnknownMessage) for event in ann.events)


def test_the_replies_are_text(livekit: LiveKitServer, room_name: str, loop: LoopName) -> None:
    """Seen on the wire, without compression, before anything of ours has read it."""
    received = bytearray()

    def uncompressed(head: bytes) -> bytes:
        return re.sub(rb"Sec-WebSocket-Extensions:[^\r]*\r\n", b"", head, flags=re.IGNORECASE)

    token = livekit.token("ann", room_name, can_update_own_metadata=True)
    with (
        relay(livekit.ports.signal, first=uncompressed, answered=received.extend) as port,
        joined(loop, f"ws://127.0.0.1:{port}", token, encoding=Encoding.JSON) as ann,
    ):
        ann.call("update_metadata", metadata="busy")
        ann.leave()
    _, _, frames = bytes(received).partition(b"\r\n\r\n")
    texts = [json.loads(payload) for opcode, payload in split(frames) if opcode == TEXT]
    assert {"pongResp", "update", "requestResponse", "leave"} <= {next(iter(t)) for t in texts}


def split(data: bytes) -> list[tuple[int, bytes]]:
    """Unmasked, unfragmented frames as opcode and payload."""
    frames = []
    while data:
        opcode, length, start = data[0] & 0x0F, data[1], 2
        if length in (126, 127):
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        frames.append((opcode, data[start : start + length]))
        data = data[start + length :]
    return frames
