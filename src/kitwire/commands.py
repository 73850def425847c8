"""What a core asks of whoever owns the sockets and the peer connections.

:class:`~kitwire.session.Session` asks in messages (:data:`SessionCommand`);
:class:`~kitwire.client.Client` asks in bytes (:data:`ClientCommand`). A link is one transport
connection, named by a number that is never used twice in a session; input for a link that has been
closed is dropped, so a late callback of a dead socket does no harm.

What is asked of the owner of the peer connections (:data:`PeerCommand`) is the same at every level.
Such an owner carries out the commands of one target one at a time, in order, and reports each
result; the two targets do not wait for each other. Peer connections have generations too
(:data:`PeersId`), to which the same applies as to links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from .messages import IceServer

__all__ = [
    "AddCandidate",
    "ApplyAnswer",
    "ApplyOffer",
    "AwaitDatagram",
    "ClientCommand",
    "CloseLink",
    "ClosePeers",
    "Command",
    "DataChannel",
    "Dial",
    "HttpGet",
    "LinkCommand",
    "LinkId",
    "MakeOffer",
    "OpenLink",
    "OpenPeers",
    "PeerCommand",
    "PeerState",
    "PeerTarget",
    "PeersId",
    "ReplayData",
    "SendMessage",
    "SessionCommand",
    "Topology",
    "UseIceServers",
    "Write",
]

LinkId = NewType("LinkId", int)
"""The number of a link: a generation, rising through the life of a session."""

Headers = tuple[tuple[str, str], ...]
"""HTTP header fields in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink:
    """Open a WebSocket. Answer with ``link_opened``, ``link_refused`` or ``link_failed``."""

    link: LinkId
    url: str = field(repr=False)
    """``ws:`` or ``wss:``; it may carry personal data or a token."""
    headers: Headers = field(repr=False)
    """Header fields to add to the upgrade request; the token is among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGet:
    """Make a plain GET. Answer with ``http_responded`` or ``link_failed``."""

    link: LinkId
    url: str = field(repr=False)
    headers: Headers = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage:
    """Send one WebSocket message: binary for ``bytes``, text for ``str``."""

    link: LinkId
    data: bytes | str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLink:
    """Let go of a link, in whatever state it is; a dial under way is cancelled.

    Between a session and its WebSocket, ``code`` and ``reason`` go into the close frame. Below
    that they say nothing more: flush what was written, close the socket. Nothing that the link
    still reports is heard.
    """

    link: LinkId
    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Connect a socket. Answer with ``dialed`` or ``dial_failed``."""

    link: LinkId
    host: str
    """A name or an IP literal (without brackets)."""
    port: int
    tls: bool
    """Whether to start TLS, verifying the certificate against ``host``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Write bytes to the socket of a link, after those written before. Never empty."""

    link: LinkId
    data: bytes = field(repr=False)


# --- Peer connections ---

PeersId = NewType("PeersId", int)
"""The number of a set of peer connections: a generation, rising through the life of a session."""


class Topology(StrEnum):
    """How many peer connections a participant has."""

    SINGLE = "single"
    """One, the publisher: everything goes through it, and the client makes all offers
    (``/rtc/v1``)."""
    DUAL = "dual"
    """Two (``/rtc``): the client makes the publisher's offers and the server the subscriber's."""


class PeerTarget(StrEnum):
    """Which peer connection."""

    PUBLISHER = "publisher"
    """The one whose offers are ours; with one peer connection, the only one."""
    SUBSCRIBER = "subscriber"
    """The one whose offers are the server's."""


class PeerState(StrEnum):
    """The ``connectionState`` of a peer connection, with WebRTC's own values."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChannel:
    """A data channel to create, negotiated in band."""

    label: str
    ordered: bool
    max_retransmits: int | None
    """None for a reliable channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPeers:
    """Make the peer connections. There is no answer but ``peer_failed``."""

    peers: PeersId
    topology: Topology
    ice_servers: tuple[IceServer, ...] = field(repr=False)
    force_relay: bool
    """Whether only relayed candidates may be used."""
    data_channels: tuple[DataChannel, ...]
    """What to create on the publisher, before its first offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOffer:
    """Make an offer and set it as local description. Answer with ``offer_made``."""

    peers: PeersId
    target: PeerTarget
    offer_id: int
    audio_sections: int
    """How many receive-only audio transceivers to add first."""
    video_sections: int
    """How many receive-only video transceivers to add first."""
    ice_restart: bool = False
    """Whether to use new ICE credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyAnswer:
    """Set the server's answer as remote description. Answer with ``answer_applied``."""

    peers: PeersId
    target: PeerTarget
    offer_id: int
    sdp: str = field(repr=False)
    mid_to_track_id: Mapping[str, str]
    """Which track each media section carries from now on; it replaces the target's last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOffer:
    """Set the server's offer as remote description, and an answer to it as local description.

    Answer with ``answer_made``. It may be an offer that was applied before, under a new id.
    """

    peers: PeersId
    target: PeerTarget
    offer_id: int
    sdp: str = field(repr=False)
    mid_to_track_id: Mapping[str, str]
    """Which track each media section carries from now on; it replaces the target's last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCandidate:
    """Give a remote ICE candidate to a peer connection. There is no answer; bad ones do no harm.

    The fields are those of an ``RTCIceCandidateInit``.
    """

    peers: PeersId
    target: PeerTarget
    candidate: str = field(repr=False)
    """``candidate:…``, with or without that prefix; empty for the end of the candidates."""
    sdp_mid: str | None
    sdp_mline_index: int | None
    username_fragment: str | None = field(repr=False)
    """The remote ICE user name that it belongs to, where the server says so."""
    final: bool
    """Whether the server has gathered all its candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitDatagram:
    """Tell when the next datagram comes for a peer connection: ``datagram_received``.

    Any counts, STUN's included, on the path in use from now on; those before do not. An owner that
    can ask for one, by a check of consent (RFC 7675), need not wait for what comes by itself.
    """

    peers: PeersId
    target: PeerTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayData:
    """Send the reliable data packets above a number again: the server has not got them.

    There is no answer. Where they are not kept any more, there is nothing to do.
    """

    peers: PeersId
    after: int
    """The last packet that the server has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseIceServers:
    """Use these ICE servers for whatever is gathered from now on: credentials expire.

    There is no answer. It comes when a session goes on after a loss, before an ICE restart.
    """

    peers: PeersId
    ice_servers: tuple[IceServer, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePeers:
    """Close the peer connections, whatever they are doing. Nothing that they report is heard."""

    peers: PeersId


PeerCommand = (
    OpenPeers
    | MakeOffer
    | ApplyAnswer
    | ApplyOffer
    | AddCandidate
    | AwaitDatagram
    | ReplayData
    | UseIceServers
    | ClosePeers
)
"""Everything that is asked of the owner of the peer connections."""

LinkCommand = OpenLink | HttpGet | SendMessage | CloseLink
"""Everything that is asked of the owner of WebSockets."""
SessionCommand = LinkCommand | PeerCommand
ClientCommand = Dial | Write | CloseLink | PeerCommand
Command = SessionCommand | ClientCommand
