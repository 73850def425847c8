"""What a LiveKit server says and hears, in google.protobuf's own classes of the official schema."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from gzip import decompress
from urllib.parse import parse_qs, urlsplit

from google.protobuf import json_format
from livekit.protocol import models, rtc

__all__ = ["ROOM", "SID", "heard", "join", "join_request", "leave", "said", "said_in_json"]

SID = "PA_ourselves"
ROOM = "den"


def said(message: rtc.SignalResponse) -> bytes:
    """A server's message as a binary frame."""
    return message.SerializeToString()


def said_in_json(message: rtc.SignalResponse) -> str:
    """A server's message as a text frame."""
    return json_format.MessageToJson(message, indent=None)


def heard(frame: bytes | str) -> rtc.SignalRequest:
    """A client's frame as the official classes read it."""
    if isinstance(frame, bytes):
        return rtc.SignalRequest.FromString(frame)
    return json_format.Parse(frame, rtc.SignalRequest())


def join(
    *, ping_interval: int = 5, ping_timeout: int = 15, sid: str = SID, others: tuple[str, ...] = ()
) -> rtc.SignalResponse:
    """The join message, with the keep-alive of a real server unless told otherwise."""
    return rtc.SignalResponse(
        join=rtc.JoinResponse(
            room=models.Room(sid="RM_den", name=ROOM),
            participant=models.ParticipantInfo(sid=sid, identity="me"),
            other_participants=[
                models.ParticipantInfo(sid=f"PA_{name}", identity=name) for name in others
            ],
            server_info=models.ServerInfo(version="1.13.5", protocol=17),
            ice_servers=[rtc.ICEServer(urls=["turn:turn.test"], username="u", credential="c")],
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
        )
    )


def leave(
    reason: models.DisconnectReason = models.PARTICIPANT_REMOVED,
    action: rtc.LeaveRequest.Action = rtc.LeaveRequest.DISCONNECT,
    *,
    can_reconnect: bool = False,
) -> rtc.SignalResponse:
    """A leave message."""
    return rtc.SignalResponse(
        leave=rtc.LeaveRequest(reason=reason, action=action, can_reconnect=can_reconnect)
    )


def join_request(url: str) -> rtc.JoinRequest:
    """What the URL says, read by the official classes."""
    (text,) = parse_qs(urlsplit(url).query)["join_request"]
    wrapped = rtc.WrappedJoinRequest.FromString(urlsafe_b64decode(text))
    packed = wrapped.compression == rtc.WrappedJoinRequest.GZIP
    data = decompress(wrapped.join_request) if packed else wrapped.join_request
    return rtc.JoinRequest.FromString(data)
