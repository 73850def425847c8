"""When the first offer travels with the join, a real server answers it; when not, it follows."""

from __future__ import annotations

import pytest

from kitwire import PathVersion
from kitwire.trace import TraceRecord
from kitwire_aiortc import Gathering, Media
from tests.interop.livekit_server import LiveKitServer
from tests.media.loopback import MEDIA, Connect, Run

pytestmark = pytest.mark.livekit

HANDED_OUT = Media(gathering=Gathering(addresses=("127.0.0.1",), patience=0.1))
"""Uses the STUN server of the join message, which is not there."""


@pytest.mark.parametrize(
    ("path", "media", "first"),
    [
        (PathVersion.V1, MEDIA, "MakeOffer"),
        (PathVersion.V1, HANDED_OUT, "OpenLink"),
        (PathVersion.V0, MEDIA, "OpenLink"),
    ],
    ids=["own", "handed out", "old path"],
)
def test_where_the_first_offer_travels(
    livekit: LiveKitServer,
    room_name: str,
    run: Run,
    connect: Connect,
    path: PathVersion,
    media: Media,
    first: str,
) -> None:
    records: list[TraceRecord] = []

    async def main() -> None:
        token = livekit.token("ann", room_name)
        async with connect(
            livekit.url, token=token, path=path, media=media, trace=records.append
        ) as room:
            assert room.joined is not None

    run(main())
    names = [each.name for each in records]
    said = [each.fields["message"] for each in records if each.name == "SendMessage"]
    offers = [each for each in said if isinstance(each, dict) and "offer" in each]
    steps = [name for name in names if name in ("OpenLink", "MakeOffer", "Joined", "ApplyAnswer")]
    if first == "MakeOffer":
        assert steps[:4] == ["MakeOffer", "OpenLink", "Joined", "ApplyAnswer"]
        assert offers == []
    else:
        assert steps[:2] == ["OpenLink", "Joined"]
        assert len(offers) >= 1
    assert "PeersConnected" in names
