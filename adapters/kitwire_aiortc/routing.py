"""Packets to receivers, by what the descriptions say: SSRC first, then MID.

aiortc learns a receiver's SSRCs once, when it starts. An SFU describes them later, and gives a
section to another track with another SSRC; aiortc then drops those packets, or hands the packets
of all to the first receiver whose payload type fits, and keeps doing so. Observed: of three
publishers that came after us the first was never heard.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiortc import RTCDtlsTransport
from aiortc.rtcdtlstransport import RtpReceiver, RtpRouter, RtpSender
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtpPacket

from kitwire_aiortc.internals import ROUTER

__all__ = ["SfuRouter", "install_router"]


class SfuRouter(RtpRouter):
    """A router that is told which SSRCs belong to which receiver, and counts what comes.

    Attributes:
        octets: bytes of RTP payload received, by SSRC.
    """

    def __init__(self, before: RtpRouter) -> None:
        super().__init__()
        self.receivers |= before.receivers
        self.senders.update(before.senders)
        self.mid_table.update(before.mid_table)
        self.ssrc_table.update(before.ssrc_table)
        self.payload_type_table.update(before.payload_type_table)
        self.octets: dict[int, int] = {}
        self._announced: set[RtpReceiver] = set()

    def announce(self, receiver: RtpReceiver, ssrcs: Iterable[int]) -> None:
        """These SSRCs belong to this receiver now, and no others do."""
        for ssrc in [each for each, owner in self.ssrc_table.items() if owner is receiver]:
            del self.ssrc_table[ssrc]
            self.octets.pop(ssrc, None)
        self.ssrc_table.update(dict.fromkeys(ssrcs, receiver))
        self._announced.add(receiver)

    def route_rtp(self, packet: RtpPacket) -> RtpReceiver | None:
        """The receiver of a packet; None drops it."""
        ssrc = packet.ssrc
        receiver = self.ssrc_table.get(ssrc)
        if receiver is None:
            receiver = self._by_mid(packet) or self._only_one(packet)
            if receiver is None:
                return None
            self.ssrc_table[ssrc] = receiver
        self.octets[ssrc] = self.octets.get(ssrc, 0) + len(packet.payload)
        return receiver

    def route_rtcp(self, packet: AnyRtcpPacket) -> set[RtpReceiver | RtpSender]:
        """Everybody whom a report concerns. A BYE ends no receiver of ours.

        aiortc ends a receiver for good when its source says BYE, but the section stays, and is
        given to the next source.
        """
        return set() if isinstance(packet, RtcpByePacket) else super().route_rtcp(packet)

    def unregister_receiver(self, receiver: RtpReceiver) -> None:
        """Forget a receiver."""
        super().unregister_receiver(receiver)
        self._announced.discard(receiver)

    def _by_mid(self, packet: RtpPacket) -> RtpReceiver | None:
        mid = packet.extensions.mid
        return None if mid is None else self.mid_table.get(mid)

    def _only_one(self, packet: RtpPacket) -> RtpReceiver | None:
        """The only receiver of that payload type, for a server that announces no SSRCs."""
        receivers = self.payload_type_table.get(packet.payload_type, set())
        return (
            next(iter(receivers))
            if len(receivers - self._announced) == 1 == len(receivers)
            else None
        )


def install_router(transport: RTCDtlsTransport) -> SfuRouter:
    """The transport's router, replaced by one of ours when it is not yet."""
    router = ROUTER.get(transport)
    if not isinstance(router, SfuRouter):
        router = SfuRouter(router)
        ROUTER.set(transport, router)
    return router
