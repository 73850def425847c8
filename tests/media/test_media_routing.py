"""Which receiver a packet goes to."""

from __future__ import annotations

from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtcpSenderInfo, RtcpSrPacket, RtpPacket

from kitwire_aiortc.routing import SfuRouter


class Receiver:
    def _handle_disconnect(self) -> None: ...
    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None: ...
    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None: ...


def packet(ssrc: int, *, payload_type: int = 96, mid: str | None = None) -> RtpPacket:
    made = RtpPacket(payload_type=payload_type, payload=b"four", ssrc=ssrc)
    made.extensions.mid = mid
    return made


def three() -> tuple[SfuRouter, list[Receiver]]:
    """A router with three receivers of one payload type, as placeholders make them."""
    receivers = [Receiver() for _ in range(3)]
    before = RtpRouter()
    for mid, receiver in enumerate(receivers):
        before.register_receiver(receiver, ssrcs=[], payload_types=[96], mid=str(mid))
    return SfuRouter(before), receivers


def test_what_aiortc_does_instead() -> None:
    """The reason for ours: with several receivers, what no start announced is dropped."""
    _, receivers = three()
    stock = RtpRouter()
    for receiver in receivers:
        stock.register_receiver(receiver, ssrcs=[], payload_types=[96])
    assert stock.route_rtp(packet(1)) is None
    lonely = RtpRouter()
    lonely.register_receiver(receivers[0], ssrcs=[1], payload_types=[96])
    assert lonely.route_rtp(packet(2)) is receivers[0]  # though it was announced as 1


def test_announced_sources_go_where_they_were_announced() -> None:
    router, (first, second, third) = three()
    router.announce(first, [1, 11])
    router.announce(third, [3])
    assert router.route_rtp(packet(1)) is first
    assert router.route_rtp(packet(11)) is first
    assert router.route_rtp(packet(3)) is third
    assert router.route_rtp(packet(2)) is None
    router.announce(second, [2])
    assert router.route_rtp(packet(2)) is second


def test_a_new_source_of_a_section_replaces_the_old_one() -> None:
    router, (first, second, _) = three()
    router.announce(first, [1])
    assert router.route_rtp(packet(1)) is first
    router.announce(first, [7])
    assert router.route_rtp(packet(7)) is first
    assert router.route_rtp(packet(1)) is None
    router.announce(second, [7])
    assert router.route_rtp(packet(7)) is second


def test_an_unannounced_source_is_known_by_its_section() -> None:
    router, (_, second, _) = three()
    assert router.route_rtp(packet(5, mid="1")) is second
    assert router.route_rtp(packet(5)) is second
    assert router.route_rtp(packet(6, mid="9")) is None


def test_the_only_receiver_of_a_server_that_announces_nothing() -> None:
    receiver = Receiver()
    before = RtpRouter()
    before.register_receiver(receiver, ssrcs=[], payload_types=[96])
    router = SfuRouter(before)
    assert router.route_rtp(packet(1)) is receiver
    assert router.route_rtp(packet(2, payload_type=97)) is None


def test_an_announced_receiver_takes_nothing_else() -> None:
    receiver = Receiver()
    before = RtpRouter()
    before.register_receiver(receiver, ssrcs=[], payload_types=[96])
    router = SfuRouter(before)
    router.announce(receiver, [1])
    assert router.route_rtp(packet(2)) is None


def test_bytes_are_counted_by_source() -> None:
    router, (first, _, _) = three()
    router.announce(first, [1])
    for _ in range(3):
        router.route_rtp(packet(1))
    assert router.octets == {1: 12}


def test_a_goodbye_ends_no_receiver_and_a_report_reaches_it() -> None:
    router, (first, _, _) = three()
    router.announce(first, [1])
    info = RtcpSenderInfo(ntp_timestamp=0, rtp_timestamp=0, packet_count=0, octet_count=0)
    assert router.route_rtcp(RtcpByePacket(sources=[1])) == set()
    assert router.route_rtcp(RtcpSrPacket(ssrc=1, sender_info=info)) == {first}


def test_a_receiver_that_is_gone_gets_nothing() -> None:
    router, (first, _, _) = three()
    router.announce(first, [1])
    router.unregister_receiver(first)
    assert router.route_rtp(packet(1)) is None
