"""What a connection is told before it starts. Everything is frozen; nothing is read elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from .messages import AddTrackRequest, ClientInfo, IceServer

if TYPE_CHECKING:
    from .trace import TraceRecord

__all__ = [
    "ClientConfig",
    "ClientOptions",
    "Encoding",
    "Limits",
    "PathVersion",
    "PeerCapabilities",
    "ReconnectPolicy",
    "Timeouts",
    "TokenPlacement",
    "is_sendable",
]


class PathVersion(StrEnum):
    """Which signal path to join by."""

    AUTO = "auto"
    """``/rtc/v1`` first; ``/rtc`` when the server does not know it."""
    V1 = "v1"
    """``/rtc/v1`` alone: one peer connection, everything in one ``join_request``."""
    V0 = "v0"
    """``/rtc`` alone: two peer connections, settings in the query."""


class Encoding(StrEnum):
    """How requests are written. Responses are read by their own frame type, whichever this is."""

    BINARY = "binary"
    JSON = "json"


class TokenPlacement(StrEnum):
    """How the access token travels."""

    HEADER = "header"
    """In the Authorization header, out of access logs."""
    QUERY = "query"
    """As ``access_token`` in the URL, for proxies that drop the header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds. Every one must be positive."""

    open: float = 15.0
    """From the dial to the upgrade's answer. The server itself may take 12 s
    (livekit pkg/service/rtcservice.go: three attempts of 3, 4 and 5 s)."""
    join: float = 5.0
    """From the upgrade to the join message."""
    validate: float = 3.0
    """For the GET that explains a refused upgrade, and for the one that asks for regions."""
    close: float = 1.0
    """For the server's close after our leave; and for its leave after it closed a peer
    connection."""
    add_track: float = 10.0
    metadata: float = 5.0
    data_track: float = 10.0
    data_blob: float = 5.0
    refusal: float = 1.0
    """How long a request that the server answers only to refuse may still be refused."""
    negotiation: float = 15.0
    """For each step of an exchange of offer and answer: ours to make or apply, the server's to
    answer. The server gives up after as long (livekit pkg/rtc/transport.go)."""
    peers: float = 15.0
    """From the first exchange of descriptions to a connected peer connection; and from a link that
    came back to peer connections that did."""
    transport: float = 5.0
    """How long nothing at all may arrive on a peer connection. The server itself notices a dead
    path only after 15 s."""

    def __post_init__(self) -> None:
        _require_positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much to hold. Every one must be positive."""

    receive: int = 16 * 1024 * 1024
    """The largest message to accept, in bytes, as sent and as inflated; also how much may come
    before the join."""
    send: int = 2 * 1024 * 1024
    """The largest message to send, in bytes; the server's own limit
    (livekit pkg/config/config.go)."""
    url: int = 8192
    """The longest URL, in characters, before a bundled offer is sent after the join instead."""
    held_requests: int = 1000
    """Requests held while the session is not joined."""
    malformed_frames: int = 5
    """Undecodable frames in a row before the link counts as lost."""

    def __post_init__(self) -> None:
        _require_positive(self)


def _require_positive(group: Timeouts | Limits) -> None:
    for name in group.__slots__:
        value = getattr(group, name)
        if not value > 0:
            raise ValueError(f"{type(group).__name__}.{name} must be above zero, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """How often a lost session is brought back, and after how long a wait, in seconds.

    Raises:
        ValueError: for numbers that make no sense.
    """

    attempts: int = 10
    """Attempts in a row before the session is given up. One that resumes ends the count, and one
    that restarts does so when the session has stood for ``cap``."""
    resumes: int = 3
    """How many of them may resume, before the rest restart; 0 for restarting only."""
    base: float = 0.3
    """The longest wait before the second attempt. The first is made at once."""
    factor: float = 2.0
    """By how much the longest wait grows with each attempt."""
    cap: float = 7.0
    """The longest wait of all."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.resumes < 0:
            raise ValueError("ReconnectPolicy needs attempts >= 1 and resumes >= 0")
        if not (self.base > 0 and self.factor >= 1 and self.cap > 0):
            raise ValueError("ReconnectPolicy needs base > 0, factor >= 1 and cap > 0")

    def delay(self, attempt: int, jitter: float) -> float:
        """The wait before an attempt: full jitter under an exponential bound.

        Args:
            attempt: from 1.
            jitter: a random number from 0 to 1.
        """
        if attempt <= 1:
            return 0.0
        # Past 64 doublings every bound is the cap, and floats end.
        return jitter * min(self.cap, self.base * self.factor ** min(attempt - 2, 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCapabilities:
    """What the owner of the peer connections can do, and what it must be spared."""

    ice_restart: bool = False
    """Whether it can follow and make offers with new ICE credentials."""
    ice_tcp: bool = False
    """Whether it can use TCP candidates. A server that is told of a failed peer connection may
    offer nothing else afterwards, so it is told only where this is set."""
    datagrams: bool = False
    """Whether it tells when a datagram comes (:class:`~kitwire.commands.AwaitDatagram`)."""
    trickle_out: bool = False
    """Whether local candidates follow their description, rather than being complete in it."""
    hold_while_connecting: bool = False
    """Whether a further remote description must wait until the transport is connected or failed.
    aiortc needs that: receivers that arrive while it connects are never started."""


class ClientOptions(TypedDict, total=False):
    """The optional fields of :class:`ClientConfig`, as the adapters' ``connect`` takes them."""

    path: PathVersion
    encoding: Encoding
    token_placement: TokenPlacement
    auto_subscribe: bool
    adaptive_stream: bool
    metadata: str
    attributes: Mapping[str, str]
    client_info: ClientInfo | None
    add_tracks: tuple[AddTrackRequest, ...]
    publisher_offer: str | None
    peers: PeerCapabilities | None
    ice_servers: tuple[IceServer, ...] | None
    force_relay: bool
    reconnect: ReconnectPolicy | None
    timeouts: Timeouts
    limits: Limits
    trace: Callable[[TraceRecord], None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """One connection's settings.

    Raises:
        ValueError: for a token that could not travel in a header, and for settings that exclude
            each other. URLs are checked by :class:`~kitwire.session.Session` and
            :class:`~kitwire.client.Client`.
    """

    url: str = field(repr=False)
    """Where the server is: ``ws``, ``wss``, ``http`` or ``https``; a path prefix is kept."""
    token: str = field(repr=False)
    """The access token, a JWT."""
    path: PathVersion = PathVersion.AUTO
    encoding: Encoding = Encoding.BINARY
    token_placement: TokenPlacement = TokenPlacement.HEADER
    auto_subscribe: bool = True
    """Whether the server subscribes us to every track."""
    adaptive_stream: bool = False
    metadata: str = field(default="", repr=False)
    """Participant metadata to join with; needs the grant ``canUpdateOwnMetadata``. On ``/rtc`` it
    is sent by ``update_metadata`` right after the join."""
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Participant attributes to join with; the same grant."""
    client_info: ClientInfo | None = None
    """What to say of ourselves; kitwire's own name and version by default."""
    add_tracks: tuple[AddTrackRequest, ...] = ()
    """Tracks to announce with the join, in order."""
    publisher_offer: str | None = field(default=None, repr=False)
    """The SDP of an offer to make with the join, on ``/rtc/v1``."""
    peers: PeerCapabilities | None = None
    """What the owner of the peer connections can do; None where there is none, and whoever embeds
    the core answers offers by itself or goes without media."""
    ice_servers: tuple[IceServer, ...] | None = field(default=None, repr=False)
    """Which ICE servers to use instead of those that the server names; empty for none.

    On ``/rtc/v1`` the first offer then travels with the join, which saves a round trip. Whether the
    server demands relays only is known too late for it."""
    force_relay: bool = False
    """Whether media may take relays only; the server may demand it as well."""
    reconnect: ReconnectPolicy | None = ReconnectPolicy()
    """How a session that was lost is brought back; None for never: then a loss ends it."""
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    trace: Callable[[TraceRecord], None] | None = field(default=None, repr=False, compare=False)
    """Called with a redacted record of every input and output."""

    def __post_init__(self) -> None:
        if not self.token:
            raise ValueError("the token is empty")
        if not is_sendable(self.token):
            raise ValueError("the token has characters that cannot travel in an HTTP header")
        if self.peers is not None and self.publisher_offer is not None:
            raise ValueError("with peers the session makes its own offers: no publisher_offer")


def is_sendable(token: str) -> bool:
    """Whether an access token can travel in an HTTP header: some ASCII, all of it visible."""
    return token != "" and all("!" <= character <= "~" for character in token)
