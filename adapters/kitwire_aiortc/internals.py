"""The private parts of aiortc 1.16 that we reach into: one table, typed, each with its reason.

Nothing else in this package names a private attribute of aiortc or aioice. A test finds each of
these in a living object of the installed version, and ``versions.py`` refuses other versions.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from aioice.ice import Connection, TransportPolicy
from aiortc import (
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSctpTransport,
)
from aiortc.codecs.base import Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import NackGenerator, RemoteStreamTrack, TimestampMapper

__all__ = [
    "ALL",
    "CONNECT",
    "DECODER_ERROR",
    "DECODER_QUEUE",
    "ENABLED",
    "ENCODER",
    "FORCE_KEYFRAME",
    "ICE_CONNECTION",
    "JITTER_BUFFER",
    "NACK_GENERATOR",
    "OUTBOUND_QUEUE",
    "POLICY",
    "RECEIVER_TRACK",
    "ROUTER",
    "RTX_SSRC",
    "SENDER_TRACK_ID",
    "SENT_QUEUE",
    "SSRC",
    "STREAM_ID",
    "TIMESTAMP_MAPPER",
    "TRACK_QUEUE",
    "WAITING_QUEUE",
    "DecoderQueue",
    "Private",
]

O = TypeVar("O")  # noqa: E741 - the owner
T = TypeVar("T")


class Private(Generic[O, T]):
    """One private attribute of one class. A name of two underscores is mangled as Python does."""

    def __init__(self, owner: type[O], name: str) -> None:
        self.owner = owner
        self.name = f"_{owner.__name__}{name}" if name.startswith("__") else name

    def get(self, instance: O) -> T:
        """Read it."""
        return cast(T, getattr(instance, self.name))

    def set(self, instance: O, value: T) -> None:
        """Write it. It must be there already: a new attribute would be a silent mistake."""
        getattr(instance, self.name)
        setattr(instance, self.name, value)


class DecoderQueue(Protocol):
    """Where a receiver puts encoded frames, and None for the end."""

    def put(self, item: tuple[RTCRtpCodecParameters, JitterFrame] | None, /) -> None:
        """Take a frame in, or the end."""

    def qsize(self) -> int:
        """How many wait."""
        ...


# --- receiving: routing.py, jitter.py, inbound.py ---

ROUTER: Final = Private[RTCDtlsTransport, RtpRouter](RTCDtlsTransport, "_rtp_router")
"""Replaced by ours, which knows what an SFU's descriptions say (routing.py)."""

RTX_SSRC: Final = Private[RTCRtpReceiver, dict[int, int]](RTCRtpReceiver, "__rtx_ssrc")
"""Which SSRC repairs which; aiortc fills it only at the receiver's first start."""

JITTER_BUFFER: Final = Private[RTCRtpReceiver, JitterBuffer](RTCRtpReceiver, "__jitter_buffer")
"""Replaced for audio (jitter.py); renewed when a section gets a new SSRC."""

NACK_GENERATOR: Final = Private[RTCRtpReceiver, NackGenerator | None](
    RTCRtpReceiver, "__nack_generator"
)
"""Renewed with the jitter buffer, or a new SSRC's first packet reports thousands as lost."""

TIMESTAMP_MAPPER: Final = Private[RTCRtpReceiver, TimestampMapper](
    RTCRtpReceiver, "__timestamp_mapper"
)
"""Renewed too, or a new SSRC's smaller timestamp counts as a wrap, 13 or 26 hours ahead."""

DECODER_QUEUE: Final = Private[RTCRtpReceiver, DecoderQueue](RTCRtpReceiver, "__decoder_queue")
"""Replaced: audio is decoded in the loop, video is bounded (inbound.py)."""

DECODER_ERROR: Final = Private[RTCRtpReceiver, threading.Event](RTCRtpReceiver, "__decoder_error")
"""Setting it makes the receiver ask for a key frame with the next packet."""

ENABLED: Final = Private[RTCRtpReceiver, bool](RTCRtpReceiver, "_enabled")
"""Off while nobody reads: aiortc decodes into an unbounded queue otherwise."""

RECEIVER_TRACK: Final = Private[RTCRtpReceiver, RemoteStreamTrack | None](RTCRtpReceiver, "_track")
"""The track whose queue the decoder fills; None until a description says that it receives."""

TRACK_QUEUE: Final = Private[RemoteStreamTrack, object](RemoteStreamTrack, "_queue")
"""Where the decoder's thread puts frames, and None for the end; its ``put`` is exchanged."""

# --- sending: outbound.py ---

SSRC: Final = Private[RTCRtpSender, int](RTCRtpSender, "_ssrc")
"""Which statistics belong to which sender."""

SENDER_TRACK_ID: Final = Private[RTCRtpSender, str](RTCRtpSender, "_track_id")
"""The second word of the msid, by which the server finds the announced track: its cid."""

STREAM_ID: Final = Private[RTCRtpSender, str](RTCRtpSender, "_stream_id")
"""The first word of the msid."""

ENCODER: Final = Private[RTCRtpSender, Encoder | None](RTCRtpSender, "__encoder")
"""Made beforehand when a bit rate is asked for; aiortc has no setting for it."""

FORCE_KEYFRAME: Final = Private[RTCRtpSender, bool](RTCRtpSender, "__force_keyframe")
"""Set when a source is exchanged, so that what follows can be decoded from its first frame."""

# --- the connection: peer.py, gathering.py, channels.py ---

CONNECT: Final = Private[RTCPeerConnection, Callable[[], Awaitable[None]]](
    RTCPeerConnection, "__connect"
)
"""Starts what a description has added; run again once connected (peer.py says why)."""

ICE_CONNECTION: Final = Private[RTCIceGatherer, Connection](RTCIceGatherer, "_connection")
"""aioice's own object, to tell it the local addresses (gathering.py)."""

POLICY: Final = Private[Connection, TransportPolicy](Connection, "_transport_policy")
"""Whether only relayed candidates are wanted; then no local address is."""

WAITING_QUEUE: Final = Private[RTCSctpTransport, object](RTCSctpTransport, "_data_channel_queue")
"""Messages that SCTP has not taken yet."""

OUTBOUND_QUEUE: Final = Private[RTCSctpTransport, object](RTCSctpTransport, "_outbound_queue")
"""Chunks that SCTP has not sent yet."""

SENT_QUEUE: Final = Private[RTCSctpTransport, object](RTCSctpTransport, "_sent_queue")
"""Chunks that the far end has not acknowledged yet. All three are empty when all has arrived."""

ALL: Final[tuple[Private[Any, Any], ...]] = tuple(
    value for value in list(globals().values()) if isinstance(value, Private)
)
