"""What a core asks of whoever owns the sockets.

:class:`~kitwire.session.Session` asks in messages (:data:`SessionCommand`);
:class:`~kitwire.client.Client` asks in bytes (:data:`ClientCommand`). A link is one transport
connection, named by a number that is never used twice in a session; input for a link that has been
closed is dropped, so a late callback of a dead socket does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NewType

__all__ = [
    "ClientCommand",
    "CloseLink",
    "Command",
    "Dial",
    "HttpGet",
    "LinkId",
    "OpenLink",
    "SendMessage",
    "SessionCommand",
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


SessionCommand = OpenLink | HttpGet | SendMessage | CloseLink
ClientCommand = Dial | Write | CloseLink
Command = SessionCommand | ClientCommand
