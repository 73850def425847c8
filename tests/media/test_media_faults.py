"""What goes wrong while a room is connected ends in time, under a name, and leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Final

import anyio
import pytest
from aioice.ice import Connection

from kitwire import ConnectFailed, PathVersion, Reason, Timeouts
from kitwire_aiortc import Gathering, Media
from kitwire_aiortc.peer import Peer
from tests.interop.livekit_server import LiveKitServer, masked
from tests.media.loopback import MEDIA, PATHS, Connect, Run

pytestmark = pytest.mark.livekit

Break = Callable[[pytest.MonkeyPatch], Media]
"""Breaks something, and gives what to connect with."""


def no_way(_: pytest.MonkeyPatch) -> Media:
    """All that is gathered is an address of another family than the server's."""
    return Media(gathering=Gathering(ice_servers=(), addresses=("::1",)))


def deaf_to_dtls(patch: pytest.MonkeyPatch) -> Media:
    """ICE connects, and none of our DTLS records goes out (RFC 7983 says which those are)."""
    send = Connection.send

    async def swallow(connection: Connection, data: bytes) -> None:
        if not 20 <= data[0] <= 63:
            await send(connection, data)

    patch.setattr(Connection, "send", swallow)
    return MEDIA


def garbled(patch: pytest.MonkeyPatch) -> Media:
    """Of each of the server's descriptions the second half is something else."""
    answer, offer = Peer.apply_answer, Peer.apply_offer

    def spoilt(sdp: str) -> str:
        return sdp[: len(sdp) // 2] + "\r\nm=\x00 nonsense\r\n"

    patch.setattr(Peer, "apply_answer", lambda peer, sdp: answer(peer, spoilt(sdp)))
    patch.setattr(Peer, "apply_offer", lambda peer, sdp: offer(peer, spoilt(sdp)))
    return MEDIA


FAULTS: Final[dict[Break, str]] = {
    no_way: "did not connect",
    deaf_to_dtls: "did not connect",
    garbled: "cannot be read",
}
"""And what the reason's detail says of it."""


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.__name__)
def test_connecting_fails_in_time(
    livekit: LiveKitServer,
    room_name: str,
    path: PathVersion,
    run: Run,
    connect: Connect,
    fault: Break,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    media = fault(monkeypatch)

    async def main() -> None:
        begun = anyio.current_time()
        with pytest.raises(ConnectFailed) as failed:
            async with connect(
                livekit.url,
                token=livekit.token("ann", room_name),
                path=path,
                media=media,
                timeouts=Timeouts(peers=1.0),
            ):
                pytest.fail("connected all the same")
        assert failed.value.reason.reason is Reason.MEDIA_FAILURE
        assert FAULTS[fault] in failed.value.reason.detail
        assert anyio.current_time() - begun < 5.0

    run(main())
    livekit.wait_until_empty(room_name)


LEFT_OPEN: Final = """
import asyncio, os
import kitwire_asyncio
from kitwire_aiortc import Gathering, Media

async def main():
    media = Media(gathering=Gathering(ice_servers=(), addresses=("127.0.0.1",)))
    joining = kitwire_asyncio.connect(os.environ["URL"], token=os.environ["TOKEN"], media=media)
    await joining.__aenter__()
    print("joined")
    return joining

asyncio.run(main())
print("over")
"""


def test_a_program_that_returns_with_a_room_open_ends(
    livekit: LiveKitServer, room_name: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN],
        env={**os.environ, "URL": livekit.url, "TOKEN": livekit.token("ann", room_name)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "joined\nover\n"), masked(ended.stderr)
