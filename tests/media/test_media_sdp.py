"""What is read in descriptions, and what is cut out of ours; aiortc's own parser is the witness."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCPeerConnection
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from kitwire_aiortc.sdp import Direction, Section, sections, without_idle_sources
from kitwire_aiortc.sources import Silence

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


def offer() -> str:
    """One section of each direction with media, and data, as aiortc writes them."""

    async def main() -> str:
        connection = RTCPeerConnection()
        connection.addTransceiver(Silence(), direction="sendonly")
        connection.addTransceiver("video", direction="recvonly")
        connection.addTransceiver("video", direction="sendrecv")
        connection.addTransceiver("audio", direction="inactive")
        connection.createDataChannel("x")
        made = await connection.createOffer()
        await connection.close()
        return made.sdp

    return asyncio.run(main())


def test_sections_agree_with_aiortc() -> None:
    sdp = offer()
    parsed = SessionDescription.parse(sdp)
    found = sections(sdp)
    assert [(each.mid, each.kind) for each in found] == [
        (each.rtp.muxId, each.kind) for each in parsed.media
    ]
    assert [each.direction.value for each in found] == [
        each.direction or "sendrecv" for each in parsed.media
    ]
    for section, media in zip(found, parsed.media, strict=True):
        groups = [group.items for group in media.ssrc_group]
        assert section.repairs == tuple((repairing, repaired) for repaired, repairing in groups)
        assert {*section.ssrcs, *dict(section.repairs)} == {each.ssrc for each in media.ssrc}
        assert section.msid == (media.msid or "")
    assert [each.index for each in found] == list(range(5))


def test_only_idle_sections_lose_their_sources() -> None:
    sdp = offer()
    stripped = without_idle_sources(sdp)
    before, after = sections(sdp), sections(stripped)
    assert [bool(each.ssrcs) for each in before] == [True, True, True, True, False]
    assert [bool(each.ssrcs) for each in after] == [True, False, True, False, False]
    assert [bool(each.msid) for each in after] == [True, False, True, False, False]
    assert [bool(each.repairs) for each in after] == [False, False, True, False, False]
    gone = set(sdp.splitlines()) - set(stripped.splitlines())
    assert all(line.startswith(("a=msid:", "a=ssrc:", "a=ssrc-group:")) for line in gone)
    assert str(SessionDescription.parse(stripped)) == stripped


def test_a_second_time_changes_nothing() -> None:
    once = without_idle_sources(offer())
    assert without_idle_sources(once) == once


@pytest.mark.parametrize(
    ("lines", "direction"),
    [
        ("m=audio 9 UDP/TLS/RTP/SAVPF 96", Direction.SENDRECV),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=sendonly", Direction.SENDONLY),
        ("m=audio 0 UDP/TLS/RTP/SAVPF 96\r\na=sendonly", Direction.INACTIVE),
        ("m=audio 0 UDP/TLS/RTP/SAVPF 96\r\na=bundle-only\r\na=sendonly", Direction.SENDONLY),
    ],
)
def test_the_direction_of_a_section(lines: str, direction: Direction) -> None:
    (section,) = sections(f"{HEAD}{lines}\r\n")
    assert section.direction is direction


def test_the_direction_of_a_description_is_that_of_its_sections() -> None:
    (section,) = sections(f"{HEAD}a=recvonly\r\nm=audio 9 X 96\r\na=mid:7\r\na=ssrc:5 cname:x\r\n")
    assert section.direction is Direction.RECVONLY
    assert section.mid == "7"
    assert not section.direction.sends


def test_several_sources_and_what_repairs_them() -> None:
    lines = [
        "m=video 9 UDP/TLS/RTP/SAVPF 97 98",
        "a=mid:v",
        "a=ssrc-group:SIM 1 2",
        "a=ssrc-group:FID 1 11",
        "a=ssrc-group:FID 2 12",
        "a=ssrc-group:FID 3",
        "a=ssrc-group:FID x y",
        "a=ssrc:1 cname:a",
        "a=ssrc:1 msid:s t",
        "a=ssrc:11 cname:a",
        "a=ssrc:2 cname:a",
        "a=ssrc:12 cname:a",
        "a=ssrc:",
        "a=ssrc:none cname:a",
    ]
    (section,) = sections(HEAD + "\r\n".join(lines))
    assert section == Section(
        index=0,
        mid="v",
        kind="video",
        direction=Direction.SENDRECV,
        ssrcs=(1, 2),
        repairs=((11, 1), (12, 2)),
    )


@given(st.text(alphabet="m=audio \r\n:0159asr-groupFIDcX/", max_size=300))
def test_nothing_raises(text: str) -> None:
    assert len(sections(text)) == sum(line.startswith("m=") for line in text.splitlines())
    assert sections(without_idle_sources(text)) is not None
