"""What a peer connection has carried, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.stats import (
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCTransportStats,
)

from kitwire_aiortc.inbound import CLOCK_RATE, Inbound
from kitwire_aiortc.internals import REMOTE_STREAMS, ROUTER
from kitwire_aiortc.routing import SfuRouter

__all__ = [
    "InboundStatistics",
    "OutboundStatistics",
    "PeerStatistics",
    "TransportStatistics",
    "inbound_statistics",
    "outbound_statistics",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundStatistics:
    """A receiving section, since its present source began."""

    mid: str
    kind: str
    ssrc: int
    packets: int
    """Packets received."""
    packets_lost: int
    """Packets that never came, by their sequence numbers; below zero with duplicates."""
    octets: int
    """Bytes of payload received."""
    jitter: float
    """Seconds (RFC 3550, section 6.4.1)."""
    frames: int
    """Frames decoded, of this source and those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundStatistics:
    """A sending section, since the connection began. The last three are the far end's report."""

    mid: str
    kind: str
    ssrc: int
    packets: int
    octets: int
    """Bytes of payload sent."""
    packets_lost: int | None
    fraction_lost: float | None
    """Of the packets since the report before: 0 to 1."""
    rtt: float | None
    """Seconds there and back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportStatistics:
    """The transport that all sections share: datagrams after ICE, with data and DTLS."""

    packets_sent: int
    packets_received: int
    octets_sent: int
    octets_received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatistics:
    """One peer connection at one moment."""

    inbound: tuple[InboundStatistics, ...]
    outbound: tuple[OutboundStatistics, ...]
    transport: TransportStatistics | None
    """None while there is no transport."""


def inbound_statistics(inbound: Inbound, receiver: RTCRtpReceiver) -> InboundStatistics | None:
    """Of a receiving section; None while nothing has come from its present source."""
    router = ROUTER.get(receiver.transport)
    octets = router.octets if isinstance(router, SfuRouter) else {}
    streams = REMOTE_STREAMS.get(receiver)
    for ssrc in inbound.ssrcs:
        stream = streams.get(ssrc)
        if stream is not None:
            return InboundStatistics(
                mid=inbound.mid,
                kind=inbound.kind,
                ssrc=ssrc,
                packets=stream.packets_received,
                packets_lost=stream.packets_lost,
                octets=octets.get(ssrc, 0),
                jitter=stream.jitter / CLOCK_RATE[inbound.kind],
                frames=inbound.frames,
            )
    return None


async def outbound_statistics(mid: str, sender: RTCRtpSender) -> OutboundStatistics:
    """Of a sending section."""
    report = (await sender.getStats()).values()
    sent = next(each for each in report if isinstance(each, RTCOutboundRtpStreamStats))
    seen = next((each for each in report if isinstance(each, RTCRemoteInboundRtpStreamStats)), None)
    return OutboundStatistics(
        mid=mid,
        kind=sender.kind,
        ssrc=sent.ssrc,
        packets=sent.packetsSent,
        octets=sent.bytesSent,
        packets_lost=None if seen is None else seen.packetsLost,
        fraction_lost=None if seen is None else seen.fractionLost / 256,
        rtt=None if seen is None else seen.roundTripTime,
    )


async def transport_statistics(sender: RTCRtpSender) -> TransportStatistics:
    """Of the transport that a section uses, sending or not."""
    report = (await sender.getStats()).values()
    carried = next(each for each in report if isinstance(each, RTCTransportStats))
    return TransportStatistics(
        packets_sent=carried.packetsSent,
        packets_received=carried.packetsReceived,
        octets_sent=carried.bytesSent,
        octets_received=carried.bytesReceived,
    )
