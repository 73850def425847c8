"""A LiveKit server's end of one connection, without sockets: bytes in, messages out, and back.

Built on `websockets`' own server protocol and on LiveKit's official protobuf classes, so that
kitwire is not its own witness.
"""

from __future__ import annotations

from collections.abc import Iterator

from livekit.protocol import models, rtc
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

__all__ = ["Received", "SignalEnd", "answer_politely", "join_response", "metadata_answer"]

Received = Request | rtc.SignalRequest | Frame
"""The upgrade, a request, or the close frame."""


class SignalEnd:
    """Feed it with :meth:`receive`; what is to be sent gathers for :meth:`outgoing`."""

    def __init__(self) -> None:
        self._websocket = ServerProtocol(max_size=None)
        self._outgoing = bytearray()

    def receive(self, data: bytes) -> Iterator[Received]:
        """What the client's bytes say; `b""` is the end of its stream."""
        if data:
            self._websocket.receive_data(data)
        else:
            self._websocket.receive_eof()
        for event in self._websocket.events_received():
            match event:
                case Frame(opcode=Opcode.BINARY, data=payload):
                    yield rtc.SignalRequest.FromString(bytes(payload))
                case Frame(opcode=Opcode.CLOSE):
                    yield event
                case Request():
                    yield event
                case _:
                    pass
        self._gather()

    def accept(self, request: Request) -> None:
        """Answer the upgrade with 101."""
        self._websocket.send_response(self._websocket.accept(request))
        self._gather()

    def refuse(self, status: int, body: str) -> None:
        """Answer the upgrade with another status."""
        self._websocket.send_response(self._websocket.reject(status, body))
        self._gather()

    def send(self, response: rtc.SignalResponse) -> None:
        """Send a message."""
        self._websocket.send_binary(response.SerializeToString())
        self._gather()

    def close(self, code: int = 1000) -> None:
        """Send a close frame."""
        self._websocket.send_close(code)
        self._gather()

    def outgoing(self) -> bytes:
        """The bytes to send since the last call."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def _gather(self) -> None:
        self._outgoing += b"".join(self._websocket.data_to_send())


def join_response(*, ping_interval: int = 5, ping_timeout: int = 15) -> rtc.SignalResponse:
    """What a server says first."""
    return rtc.SignalResponse(
        join=rtc.JoinResponse(
            room=models.Room(sid="RM_1", name="den"),
            participant=models.ParticipantInfo(sid="PA_1", identity="alice"),
            server_info=models.ServerInfo(version="1.13.5", protocol=17),
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
        )
    )


def metadata_answer(
    request: rtc.SignalRequest, reason: rtc.RequestResponse.Reason = rtc.RequestResponse.OK
) -> rtc.SignalResponse:
    """The answer to an update_metadata."""
    update = request.update_metadata
    return rtc.SignalResponse(
        request_response=rtc.RequestResponse(
            request_id=update.request_id, reason=reason, update_metadata=update
        )
    )


def answer_politely(end: SignalEnd, received: Received) -> None:
    """Do what a server does: let in, join, answer pings and metadata, echo a leave and close."""
    match received:
        case Request():
            end.accept(received)
            end.send(join_response())
        case rtc.SignalRequest():
            _answer_request(end, received)
        case _:
            pass


def _answer_request(end: SignalEnd, request: rtc.SignalRequest) -> None:
    match request.WhichOneof("message"):
        case "ping_req":
            pong = rtc.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=1)
            end.send(rtc.SignalResponse(pong_resp=pong))
        case "update_metadata":
            end.send(metadata_answer(request))
        case "leave":
            end.send(rtc.SignalResponse(leave=request.leave))
            end.close()
        case _:
            pass
