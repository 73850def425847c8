"""One session that is lost fifty times: it holds no more than after the tenth."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kitwire.config import ReconnectPolicy
from kitwire.events import Closed
from kitwire.reconnect_events import Lost, Restarted, Resumed
from kitwire.session.phases import Phase
from tests.peers.lives import snapshot
from tests.peers.stages import Stay

CYCLES = 50


def resumed(stay: Stay) -> None:
    stay.cut()
    stay.open()
    stay.go_on()


def restarted(stay: Stay) -> None:
    stay.begin_anew()
    stay.open()
    stay.join()
    stay.flow()


def superseded(stay: Stay) -> None:
    """The server answers a resume by a new session."""
    stay.cut()
    stay.open()
    stay.join()
    stay.flow()


@pytest.mark.parametrize(
    ("media", "cycle", "back"),
    [
        ("v1 ice", resumed, Resumed),
        ("v0 ice", resumed, Resumed),
        ("v1", restarted, Restarted),
        ("v0", restarted, Restarted),
        ("none", restarted, Restarted),
        ("v1", superseded, Restarted),
    ],
)
def test_fifty_losses_leave_nothing_behind(
    media: str, cycle: Callable[[Stay], None], back: type
) -> None:
    stay = Stay(media, reconnect=ReconnectPolicy())
    stay.reach("joined")
    stay.life.session.update_subscription(subscribe=False, track_sids=["TR_x"], now=stay.life.now)
    sizes = []
    for number in range(1, CYCLES + 1):
        cycle(stay)
        stay.life.session.update_metadata("m", now=stay.life.now)
        stay.last()  # Meanwhile the request fails, and a ping is sent.
        assert stay.life.session.phase is Phase.JOINED
        told = [each for each in stay.life.take() if isinstance(each, Lost | back | Closed)]
        assert [type(each) for each in told] == [Lost, back]
        # At first requests and pings gather that are not answered; each is given up after a time.
        if number % 10 == 0:
            sizes.append(size(snapshot(stay.life.session)))
    assert sizes == sizes[:1] * (CYCLES // 10)


def size(shown: object) -> int:
    """How many things a snapshot shows."""
    return 1 + sum(size(each) for each in shown) if isinstance(shown, list | tuple) else 1
