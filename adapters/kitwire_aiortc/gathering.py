"""Where a peer connection gathers its ICE candidates: local addresses, and ICE servers.

aioice takes every address of the machine except loopback, which a server on the same machine, a
test and a demo need; and aiortc asks a public STUN server unless it is told otherwise.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aioice.candidate import Candidate
from aioice.ice import Connection, TransportPolicy
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceGatherer,
    RTCIceServer,
    RTCIceTransportPolicy,
)
from aiortc.rtcicetransport import connection_kwargs, parse_stun_turn_uri

from kitwire.messages import IceServer
from kitwire_aiortc.internals import ICE_CONNECTION, POLICY

__all__ = ["Gathering", "configuration", "usable"]

PATIENCE: Final = 2.0
"""Seconds that STUN and TURN servers get to answer; aioice would wait for 5, and every negotiation
waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """How to gather.

    Raises:
        ValueError: for an address that is none, and for no address at all.
    """

    ice_servers: tuple[IceServer, ...] | None = None
    """ICE servers of our own; none with ``()``; those that the server hands out with None."""
    addresses: tuple[str, ...] | None = None
    """The local addresses to gather from, loopback allowed; all but loopback with None."""
    force_relay: bool = False
    """Whether to use nothing but a TURN server."""
    patience: float = field(default=PATIENCE)
    """Seconds to wait for the answers of STUN and TURN servers."""

    def __post_init__(self) -> None:
        if self.addresses is not None:
            if not self.addresses:
                raise ValueError("no local address to gather from")
            for address in self.addresses:
                ipaddress.ip_address(address)

    def prepare(self, gatherer: RTCIceGatherer) -> None:
        """Let a gatherer that has not gathered yet heed the addresses and the patience."""
        self._prepare(ICE_CONNECTION.get(gatherer))

    def successor(self, before: Connection, handed_out: Sequence[IceServer]) -> Connection:
        """A connection like another, with credentials of its own, that heeds them as well.

        Args:
            before: the other one.
            handed_out: the ICE servers that the server named last.
        """
        connection = Connection(
            ice_controlling=before.ice_controlling,
            transport_policy=POLICY.get(before),
            **connection_kwargs(self.servers(handed_out)),
        )
        self._prepare(connection)
        return connection

    def servers(self, handed_out: Sequence[IceServer]) -> list[RTCIceServer]:
        """The ICE servers to use: our own choice, or those that the server named."""
        return usable(handed_out if self.ice_servers is None else self.ice_servers)

    def _prepare(self, connection: Connection) -> None:
        if not isinstance(vars(connection).get("get_component_candidates"), _Candidates):
            # An attribute of this one object: nothing changes for other users of aioice.
            setattr(connection, "get_component_candidates", _Candidates(connection, self))  # noqa: B010


class _Candidates:
    """Stands before one connection's ``get_component_candidates``, and corrects what it is told."""

    def __init__(self, connection: Connection, how: Gathering) -> None:
        self._gather = connection.get_component_candidates
        self._how = how
        self._relay_only = POLICY.get(connection) is TransportPolicy.RELAY

    async def __call__(
        self, component: int, addresses: list[str], timeout: float = PATIENCE
    ) -> list[Candidate]:
        chosen = self._how.addresses
        if chosen is not None and not self._relay_only:
            addresses = list(chosen)
        # aioice's annotation says int; the value goes to asyncio.wait, which takes any number.
        patience: int = self._how.patience  # type: ignore[assignment]
        gathering = asyncio.ensure_future(self._gather(component, addresses, patience))
        try:
            return await asyncio.shield(gathering)
        except asyncio.CancelledError:
            # Cut off in the middle, it would leave sockets and tasks that nobody knows of.
            await asyncio.wait({gathering})
            raise


def configuration(how: Gathering, handed_out: Sequence[IceServer] = ()) -> RTCConfiguration:
    """aiortc's configuration of a peer connection.

    Args:
        how: our own choice.
        handed_out: the ICE servers of the server's Join.
    """
    return RTCConfiguration(
        iceServers=how.servers(handed_out),
        iceTransportPolicy=(
            RTCIceTransportPolicy.RELAY if how.force_relay else RTCIceTransportPolicy.ALL
        ),
        # One transport for everything: the server refuses sections with different credentials.
        bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
    )


def usable(servers: Iterable[IceServer]) -> list[RTCIceServer]:
    """The servers that aiortc can use, in order; of others it would raise or wait in vain.

    It uses one STUN server and one TURN server, the first of each; ``stuns:`` it ignores.
    """
    usable = []
    for server in servers:
        urls = [url for url in server.urls if _is_usable(url)]
        if urls:
            usable.append(
                RTCIceServer(
                    urls=urls,
                    username=server.username or None,
                    credential=server.credential or None,
                )
            )
    return usable


def _is_usable(url: str) -> bool:
    try:
        parsed = parse_stun_turn_uri(url)
    except ValueError:
        return False
    match parsed["scheme"]:
        case "stun":
            return True
        case "turn":
            return parsed["transport"] in ("udp", "tcp")
        case "turns":
            return bool(parsed["transport"] == "tcp")
        case _:
            return False
