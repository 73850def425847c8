"""Where candidates are gathered, and which ICE servers are used."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiortc import RTCIceGatherer, RTCIceTransportPolicy, RTCPeerConnection

from kitwire.messages import IceServer
from kitwire_aiortc.gathering import Gathering, configuration, usable
from kitwire_aiortc.internals import ICE_CONNECTION
from kitwire_aiortc.peer import Peer, PeerClosed
from kitwire_aiortc.sdp import sections
from tests.media.loopback import LOOPBACK, Recorder, run


def candidates(sdp: str) -> list[str]:
    lines = [line for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return [line.split()[4] for line in lines]


def offered(how: Gathering) -> list[str]:
    async def main() -> list[str]:
        peer = Peer(Recorder(), gathering=how)
        sdp = await peer.make_offer(audio_sections=1)
        await peer.close()
        assert len(sections(sdp)) == 1
        return candidates(sdp)

    return run(main())


def test_loopback_alone() -> None:
    assert offered(LOOPBACK) == ["127.0.0.1"]


def test_several_addresses() -> None:
    assert sorted(
        set(offered(Gathering(ice_servers=(), addresses=("127.0.0.1", "127.0.0.2"))))
    ) == [
        "127.0.0.1",
        "127.0.0.2",
    ]


def test_an_address_that_is_not_ours_gives_no_candidate() -> None:
    assert offered(Gathering(ice_servers=(), addresses=("192.0.2.1",))) == []


def test_relay_alone_without_a_relay_gives_none() -> None:
    how = Gathering(ice_servers=(), addresses=("127.0.0.1",), force_relay=True)
    assert offered(how) == []
    assert configuration(how).iceTransportPolicy is RTCIceTransportPolicy.RELAY


def test_nothing_of_other_connections_is_changed() -> None:
    async def main() -> None:
        ours, other = RTCIceGatherer(iceServers=[]), RTCIceGatherer(iceServers=[])
        LOOPBACK.prepare(ours)
        prepared = ICE_CONNECTION.get(ours).get_component_candidates
        LOOPBACK.prepare(ours)  # again: no second layer
        assert ICE_CONNECTION.get(ours).get_component_candidates is prepared
        assert "get_component_candidates" not in vars(ICE_CONNECTION.get(other))

    run(main())


def test_a_stun_server_that_says_nothing_is_waited_for_a_while_only() -> None:
    """A socket that takes packets and never answers."""

    async def main() -> float:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            server = IceServer(urls=[f"stun:127.0.0.1:{mute.getsockname()[1]}"])
            how = Gathering(ice_servers=(server,), addresses=("127.0.0.1",), patience=0.3)
            peer = Peer(Recorder(), gathering=how)
            begun = asyncio.get_running_loop().time()
            await peer.make_offer(audio_sections=1)
            took = asyncio.get_running_loop().time() - begun
            await peer.close()
            return took

    assert 0.25 < run(main()) < 1.5


@pytest.mark.parametrize("moment", [0.0, 0.01, 0.1])
def test_closed_or_cancelled_while_gathering_nothing_is_left(moment: float) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            server = IceServer(urls=[f"stun:127.0.0.1:{mute.getsockname()[1]}"])
            how = Gathering(
                ice_servers=(server,), addresses=("127.0.0.1", "127.0.0.2"), patience=0.5
            )
            for cancel in (True, False):
                peer = Peer(Recorder(), gathering=how)
                task = asyncio.ensure_future(peer.make_offer(audio_sections=1))
                await asyncio.sleep(moment)
                if cancel:
                    task.cancel()
                await peer.close()
                with pytest.raises(asyncio.CancelledError if cancel else PeerClosed):
                    await task

    run(main())


@pytest.mark.parametrize(
    ("urls", "kept"),
    [
        (["stun:a.example:1"], ["stun:a.example:1"]),
        (["stun:a.example"], ["stun:a.example"]),
        (["turn:a.example?transport=tcp"], ["turn:a.example?transport=tcp"]),
        (["turn:a.example:1", "turns:a.example?transport=tcp"], None),
        (["turns:a.example"], None),
        (["stuns:a.example"], []),
        (["turns:a.example?transport=udp"], []),
        (["turn:a.example?transport=sctp"], []),
        (["stun:[::1]:3478"], []),
        (["http://a.example", "stun:"], []),
        ([], []),
    ],
)
def test_servers_that_aiortc_would_stumble_over_are_left_out(
    urls: list[str], kept: list[str] | None
) -> None:
    server = IceServer(urls=urls, username="u", credential="p")
    found = usable([server])
    expected = urls if kept is None else kept
    assert [each.urls for each in found] == ([expected] if expected else [])
    for each in found:
        assert (each.username, each.credential) == ("u", "p")

    async def main() -> None:
        await RTCPeerConnection(configuration(Gathering(), [server])).close()

    run(main())


def test_own_servers_replace_those_handed_out() -> None:
    handed = IceServer(urls=["stun:handed.example"])
    own = IceServer(urls=["stun:own.example"])
    assert configuration(Gathering(), [handed]).iceServers == usable([handed])
    assert configuration(Gathering(ice_servers=(own,)), [handed]).iceServers == usable([own])
    assert configuration(Gathering(ice_servers=()), [handed]).iceServers == []
    assert configuration(Gathering()).iceServers == []  # and no public one of aiortc's


def test_an_ice_restart_uses_the_servers_that_were_named_last() -> None:
    old = IceServer(urls=["turn:t.example"], username="yesterday", credential="p")
    new = IceServer(urls=["stun:s.example:1", "turn:t.example"], username="today", credential="p")

    async def main() -> None:
        for own, expected in ((None, "today"), ((old,), "yesterday")):
            how = Gathering(ice_servers=own)
            gatherer = RTCIceGatherer(how.servers([old]))
            connection = how.successor(ICE_CONNECTION.get(gatherer), [new])
            assert connection.turn_server == ("t.example", 3478)
            assert connection.turn_username == expected
            assert connection.stun_server == (("s.example", 1) if own is None else None)
            assert connection.local_username != ICE_CONNECTION.get(gatherer).local_username

    run(main())


def test_secrets_are_not_shown() -> None:
    server = IceServer(urls=["turn:t.example"], username="u", credential="hushhush")
    assert "hushhush" not in repr(Gathering(ice_servers=(server,)))


@pytest.mark.parametrize("addresses", [(), ("localhost",), ("127.0.0.1", "nonsense")])
def test_addresses_that_are_none(addresses: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="address"):
        Gathering(addresses=addresses)
