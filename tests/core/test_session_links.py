"""Links by number: what is asked for, in which order, and which of them still stands."""

from __future__ import annotations

import pytest

from kitwire.commands import CloseLink, HttpGet, LinkCommand, LinkId, OpenLink, SendMessage
from kitwire.config import TokenPlacement
from kitwire.link.address import headers
from kitwire.session.links import Links
from tests.peers.lives import TOKEN, configured


@pytest.mark.parametrize("placement", TokenPlacement)
def test_links_are_numbered_and_only_the_newest_stands(placement: TokenPlacement) -> None:
    config = configured(token_placement=placement)
    said: list[LinkCommand] = []
    links = Links(config, emit=said.append)
    assert not any(links.is_current(LinkId(number)) for number in range(3))
    links.open("ws://x/rtc", TOKEN)
    assert [links.is_current(LinkId(number)) for number in range(3)] == [False, True, False]
    links.send(b"frame")
    links.drop()
    assert not links.is_current(LinkId(1))
    links.drop()
    links.get("http://x/rtc/validate", "newer")
    links.open("ws://x/rtc/v1", TOKEN)
    assert [links.is_current(LinkId(number)) for number in range(5)] == [False] * 3 + [True, False]
    links.send("text")
    assert said == [
        OpenLink(link=LinkId(1), url="ws://x/rtc", headers=headers(config, token=TOKEN)),
        SendMessage(link=LinkId(1), data=b"frame"),
        CloseLink(link=LinkId(1)),
        HttpGet(
            link=LinkId(2), url="http://x/rtc/validate", headers=headers(config, token="newer")
        ),
        OpenLink(link=LinkId(3), url="ws://x/rtc/v1", headers=headers(config, token=TOKEN)),
        SendMessage(link=LinkId(3), data="text"),
    ]


def test_nothing_is_sent_without_a_link() -> None:
    links = Links(configured(), emit=lambda command: None)
    with pytest.raises(AssertionError, match="there is a link"):
        links.send(b"")
