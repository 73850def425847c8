"""The ICE path of a peer connection, where a test breaks it: what its sockets get and send."""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCIceTransport

from kitwire_aiortc.ice_facade import IceFacade
from kitwire_aiortc.ice_restart import IcePath
from kitwire_aiortc.internals import PROTOCOLS, TRANSPORT_CONNECTION
from kitwire_aiortc.peer import Peer

__all__ = ["deafen", "ice_path", "ice_transport", "intercept", "sever"]


def ice_transport(peer: Peer) -> RTCIceTransport:
    """aiortc's transport of a peer connection."""
    return peer.connection.getTransceivers()[0].receiver.transport.transport


def ice_path(peer: Peer) -> IcePath:
    """What is behind it."""
    facade: object = TRANSPORT_CONNECTION.get(ice_transport(peer))
    assert isinstance(facade, IceFacade)
    return facade.path


def intercept(peer: Peer, takes: Callable[[bytes], bool]) -> None:
    """What comes for the sockets in use is lost when ``takes`` says so; what others get is not."""
    for protocol in PROTOCOLS.get(ice_path(peer).in_use):
        receive = protocol.datagram_received

        def datagram_received(
            data: bytes, addr: object, receive: Callable[..., None] = receive
        ) -> None:
            if not takes(data):
                receive(data, addr)

        setattr(protocol, "datagram_received", datagram_received)  # noqa: B010 - of this alone


def deafen(*peers: Peer) -> None:
    """Nothing that comes for the sockets in use is heard any more."""
    for peer in peers:
        intercept(peer, lambda data: True)


def sever(*peers: Peer) -> None:
    """Nothing comes for the sockets in use any more, and nothing that they send goes anywhere."""
    deafen(*peers)
    for peer in peers:
        for protocol in PROTOCOLS.get(ice_path(peer).in_use):
            setattr(protocol.transport, "sendto", lambda *_: None)  # noqa: B010 - of this alone
