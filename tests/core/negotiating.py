"""What the tests of the negotiation share: a negotiation brought to a phase, and short names."""

from __future__ import annotations

from collections.abc import Callable

from kitwire.commands import PeersId, PeerState, PeerTarget, Topology
from kitwire.config import PeerCapabilities
from kitwire.messages import IceServer, SignalTarget
from kitwire.negotiation import Negotiation, NegotiationOutput, Phase

PUB = PeerTarget.PUBLISHER
SUB = PeerTarget.SUBSCRIBER
PEERS = PeersId(7)
STUN = IceServer(urls=["stun:127.0.0.1:1"], credential="turn-secret")

ABLE = PeerCapabilities(ice_restart=True, trickle_out=True, hold_while_connecting=True)
"""Every capability, and the one need."""


def sdp(fragment: str = "one", extra: str = "") -> str:
    """Enough of a description to tell its ICE generation."""
    return f"v=0\r\na=ice-ufrag:{fragment}\r\na=ice-pwd:hush\r\n{extra}"


def candidate(fragment: str | None = None, line: str = "candidate:1 1 udp 1 127.0.0.1 9") -> str:
    """The JSON text of a candidate, its generation where the server writes it."""
    tail = f" typ host ufrag {fragment}" if fragment else " typ host"
    return f'{{"candidate":"{line}{tail}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}}'


def drain(negotiation: Negotiation) -> list[NegotiationOutput]:
    """Every output that waits."""
    outputs = []
    while (output := negotiation.poll()) is not None:
        outputs.append(output)
    return outputs


def made(
    topology: Topology = Topology.SINGLE, capabilities: PeerCapabilities = ABLE
) -> Negotiation:
    return Negotiation(topology, peers=PEERS, capabilities=capabilities)


def join(
    negotiation: Negotiation,
    *,
    subscriber_primary: bool = False,
    fast_publish: bool = False,
    can_subscribe: bool = True,
    now: float = 0.0,
) -> Negotiation:
    negotiation.joined(
        ice_servers=[STUN],
        subscriber_primary=subscriber_primary,
        fast_publish=fast_publish,
        can_subscribe=can_subscribe,
        now=now,
    )
    return negotiation


def answer(negotiation: Negotiation, offer_id: int, fragment: str = "one") -> None:
    negotiation.server_answer(sdp(fragment), offer_id=offer_id, mid_to_track_id={}, now=0.0)


def offer(negotiation: Negotiation, offer_id: int, fragment: str = "one") -> None:
    negotiation.server_offer(sdp(fragment), offer_id=offer_id, mid_to_track_id={}, now=0.0)


def trickle(negotiation: Negotiation, text: str, target: SignalTarget) -> None:
    negotiation.server_candidate(text, target=target, now=0.0)


# --- a publisher in each phase; the latest offer of the last four is offer 2 ---


def _idle(n: Negotiation) -> None:
    """Offer 1 is answered, and the transport comes up."""
    join(n)
    n.offer_made(PUB, 1, "offer 1", now=0.0)
    answer(n, 1)
    n.answer_applied(PUB, 1, now=0.0)


def _awaiting(n: Negotiation) -> None:
    _idle(n)
    n.negotiate(now=0.0)
    n.offer_made(PUB, 2, "offer 2", now=0.0)


def _making(n: Negotiation) -> None:
    _idle(n)
    n.negotiate(now=0.0)


def _holding(n: Negotiation) -> None:
    _awaiting(n)
    answer(n, 2)


def _applying(n: Negotiation) -> None:
    _holding(n)
    n.peer_state_changed(PUB, PeerState.CONNECTED, now=0.0)


def _failed(n: Negotiation) -> None:
    _idle(n)
    n.peer_failed(PUB, "broken", now=0.0)


def _closed(n: Negotiation) -> None:
    _idle(n)
    n.close(now=0.0)


PUBLISHER: dict[Phase, Callable[[Negotiation], None]] = {
    Phase.UNOPENED: lambda n: None,
    Phase.IDLE: _idle,
    Phase.MAKING: _making,
    Phase.AWAITING: _awaiting,
    Phase.HOLDING: _holding,
    Phase.APPLYING: _applying,
    Phase.FAILED: _failed,
    Phase.CLOSED: _closed,
}
"""How to bring a publisher into each phase that it knows."""


# --- a subscriber in each phase; the offers of the server are numbered 10, 20 and 30 ---


def _sub_idle(n: Negotiation) -> None:
    """Offer 10 is answered, and the transport comes up."""
    join(n, subscriber_primary=True)
    offer(n, 10)
    n.answer_made(SUB, 10, "answer 10", now=0.0)


def _sub_holding(n: Negotiation) -> None:
    _sub_idle(n)
    offer(n, 20)


def _sub_applying(n: Negotiation) -> None:
    _sub_idle(n)
    n.peer_state_changed(SUB, PeerState.CONNECTED, now=0.0)
    offer(n, 20)


def _sub_superseded(n: Negotiation) -> None:
    _sub_applying(n)
    offer(n, 30)


def _sub_failed(n: Negotiation) -> None:
    _sub_idle(n)
    n.peer_failed(SUB, "broken", now=0.0)


def _sub_closed(n: Negotiation) -> None:
    _sub_idle(n)
    n.close(now=0.0)


SUBSCRIBER: dict[Phase, Callable[[Negotiation], None]] = {
    Phase.UNOPENED: lambda n: None,
    Phase.IDLE: _sub_idle,
    Phase.HOLDING: _sub_holding,
    Phase.APPLYING: _sub_applying,
    Phase.SUPERSEDED: _sub_superseded,
    Phase.FAILED: _sub_failed,
    Phase.CLOSED: _sub_closed,
}
"""How to bring a subscriber into each phase that it knows."""


def in_phase(target: PeerTarget, phase: Phase) -> Negotiation:
    """A negotiation whose target is in that phase, with nothing left to take from it."""
    topology, ways = (Topology.SINGLE, PUBLISHER) if target is PUB else (Topology.DUAL, SUBSCRIBER)
    negotiation = made(topology)
    ways[phase](negotiation)
    drain(negotiation)
    assert negotiation.phase(target) is phase
    return negotiation
