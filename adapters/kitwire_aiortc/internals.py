"""The private parts of aiortc 1.16 that we reach into: one table, typed, each with its reason.

Nothing else in this package names a private attribute of aiortc or aioice. A test finds each of
these in a living object of the installed version, and ``versions.py`` refuses other versions.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from aioice.ice import CandidatePair, Connection, StunProtocol, TransportPolicy
from aiortc import (
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceTransport,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSctpTransport,
)
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import (
    NackGenerator,
    RemoteStreamTrack,
    StreamStatistics,
    TimestampMapper,
)

__all__ = [
    "ALL",
    "CANDIDATES_ENDED",
    "CODECS",
    "CONNECT",
    "DECODER_ERROR",
    "DECODER_QUEUE",
    "ENABLED",
    "ENCODER",
    "FORCE_KEYFRAME",
    "H264_BITRATE",
    "ICE_CONNECTION",
    "ICE_RECV",
    "ICE_SEND",
    "JITTER_BUFFER",
    "NACK_GENERATOR",
    "NOMINATED",
    "OUTBOUND_QUEUE",
    "POLICY",
    "PROTOCOLS",
    "RECEIVER_TRACK",
    "REMOTE_STREAMS",
    "ROUTER",
    "RTX_SSRC",
    "SENDER_TRACK_ID",
    "SENT_QUEUE",
    "SET_ICE_STATE",
    "STREAM_ID",
    "TIMESTAMP_MAPPER",
    "TRACK_QUEUE",
    "TRANSPORT_CONNECTION",
    "VP8_BITRATE",
    "WAITING_QUEUE",
    "Encoded",
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


Encoded: TypeAlias = tuple[RTCRtpCodecParameters, JitterFrame]
"""A frame as it came, and how to decode it."""

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

DECODER_QUEUE: Final = Private[RTCRtpReceiver, queue.Queue[Encoded | None]](
    RTCRtpReceiver, "__decoder_queue"
)
"""Frames on their way to the decoder's thread, and None for the end. Its ``put`` is exchanged:
audio is decoded in the loop, video is bounded (inbound.py)."""

DECODER_ERROR: Final = Private[RTCRtpReceiver, threading.Event](RTCRtpReceiver, "__decoder_error")
"""Setting it makes the receiver ask for a key frame with the next packet."""

ENABLED: Final = Private[RTCRtpReceiver, bool](RTCRtpReceiver, "_enabled")
"""Off while nobody reads: aiortc decodes into an unbounded queue otherwise."""

RECEIVER_TRACK: Final = Private[RTCRtpReceiver, RemoteStreamTrack | None](RTCRtpReceiver, "_track")
"""The track whose queue the decoder fills; None until a description says that it receives."""

TRACK_QUEUE: Final = Private[RemoteStreamTrack, object](RemoteStreamTrack, "_queue")
"""Where the decoder's thread puts frames, and None for the end; its ``put`` is exchanged."""

REMOTE_STREAMS: Final = Private[RTCRtpReceiver, dict[int, StreamStatistics]](
    RTCRtpReceiver, "__remote_streams"
)
"""Counters by SSRC; aiortc's own report has one entry for all SSRCs of a receiver."""

# --- sending: outbound.py ---

SENDER_TRACK_ID: Final = Private[RTCRtpSender, str](RTCRtpSender, "_track_id")
"""The second word of the msid, by which the server finds the announced track: its cid."""

STREAM_ID: Final = Private[RTCRtpSender, str](RTCRtpSender, "_stream_id")
"""The first word of the msid."""

ENCODER: Final = Private[RTCRtpSender, Encoder | None](RTCRtpSender, "__encoder")
"""Made beforehand when a bit rate is asked for; aiortc has no setting for it."""

FORCE_KEYFRAME: Final = Private[RTCRtpSender, bool](RTCRtpSender, "__force_keyframe")
"""Set when a source is exchanged, so that what follows can be decoded from its first frame."""

VP8_BITRATE: Final = Private[Vp8Encoder, int](Vp8Encoder, "__target_bitrate")
"""Bits a second; the setter bounds it."""

H264_BITRATE: Final = Private[H264Encoder, int](H264Encoder, "__target_bitrate")
"""Likewise."""

CODECS: Final = Private[RTCRtpTransceiver, list[RTCRtpCodecParameters]](
    RTCRtpTransceiver, "_codecs"
)
"""What was negotiated; the sender encodes with the first."""

# --- the connection: starting.py, gathering.py, ice_facade.py, ice_restart.py, channels.py ---

CONNECT: Final = Private[RTCPeerConnection, Callable[[], Awaitable[None]]](
    RTCPeerConnection, "__connect"
)
"""Starts what a description has added. Replaced by ours, which survives a close (starting.py), and
run again once connected (peer.py says why)."""

ICE_CONNECTION: Final = Private[RTCIceGatherer, Connection](RTCIceGatherer, "_connection")
"""aioice's own object, to tell it the local addresses (gathering.py). Then replaced by ours, like
the next three, whose connections come and go (ice_facade.py)."""

TRANSPORT_CONNECTION: Final = Private[RTCIceTransport, Connection](RTCIceTransport, "_connection")
"""The same object, which connects and to which candidates are added."""

ICE_RECV: Final = Private[RTCIceTransport, Callable[[], Awaitable[bytes]]](RTCIceTransport, "_recv")
"""Its ``recv``: what DTLS reads from."""

ICE_SEND: Final = Private[RTCIceTransport, Callable[[bytes], Awaitable[None]]](
    RTCIceTransport, "_send"
)
"""Its ``send``: what DTLS writes to."""

SET_ICE_STATE: Final = Private[RTCIceTransport, Callable[[str], None]](
    RTCIceTransport, "__setState"
)
"""For ``failed`` when a path is lost and ``completed`` when there is one again; aiortc itself goes
from one state to another once."""

CANDIDATES_ENDED: Final = Private[RTCIceGatherer, bool](RTCIceGatherer, "_remote_candidates_end")
"""aiortc takes no more candidates once it is set; a restart brings new ones."""

POLICY: Final = Private[Connection, TransportPolicy](Connection, "_transport_policy")
"""Whether only relayed candidates are wanted; then no local address is."""

PROTOCOLS: Final = Private[Connection, list[StunProtocol]](Connection, "_protocols")
"""The sockets of a connection, to note when anything comes in."""

NOMINATED: Final = Private[Connection, dict[int, CandidatePair]](Connection, "_nominated")
"""The pair in use, to check the far end's consent when something is to be heard of it."""

WAITING_QUEUE: Final = Private[RTCSctpTransport, object](RTCSctpTransport, "_data_channel_queue")
"""Messages that SCTP has not taken yet."""

OUTBOUND_QUEUE: Final = Private[RTCSctpTransport, object](RTCSctpTransport, "_outbound_queue")
"""Chunks that SCTP has not sent yet."""

SENT_QUEUE: Final = Private[RTCSctpTransport, object](RTCSctpTransport, "_sent_queue")
"""Chunks that the far end has not acknowledged yet. All three are empty when all has arrived."""

ALL: Final[tuple[Private[Any, Any], ...]] = tuple(
    value for value in list(globals().values()) if isinstance(value, Private)
)
