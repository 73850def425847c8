"""URLs taken apart: where to dial, what to ask for there.

Stricter than a browser: whatever could be understood in two ways, or could smuggle a secret into a
log, is refused with a sentence that says what to change. No message repeats the URL, which may
carry a token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

__all__ = ["BaseUrl", "dial_target", "parse_url", "split_url"]

_SCHEMES = {"ws": False, "http": False, "wss": True, "https": True}
_DEFAULT_PORTS = {False: 80, True: 443}

_AUTHORITY = re.compile(
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[0-9A-Za-z._~-]+)?)\]"
    r"|(?P<name>[0-9A-Za-z_](?:[0-9A-Za-z._-]*[0-9A-Za-z_.])?))"
    r"(?::(?P<port>[0-9]{0,5}))?"
)
# An address without a scheme, as people type it: localhost:7880, example.org/path.
_SCHEMELESS = re.compile(
    r"(?P<place>(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]+)?)(?:[/?#].*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUrl:
    """A URL in its parts."""

    tls: bool
    """Whether the scheme is ``wss`` or ``https``."""
    host: str
    """A name or an IP literal, without brackets."""
    port: int
    path: str = ""
    """Empty, or starting with a slash; percent-encoded as it was."""
    query: str = field(default="", repr=False)
    """Without the question mark; percent-encoded as it was. It may carry a token."""

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL and in a Host header field (RFC 9110 §7.2)."""
        # A zone means something on this machine only (RFC 6874 §1): it is dialed, not sent.
        literal, _, _ = self.host.partition("%")
        host = f"[{literal}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.tls] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """What an HTTP request line asks for: path and query."""
        path = self.path or "/"
        return f"{path}?{self.query}" if self.query else path

    def text(self, *, scheme: str) -> str:
        """The whole URL, with ``scheme`` (``ws`` or ``http``; ``s`` is added for TLS)."""
        host, zone, name = self.authority, *self.host.partition("%")[1:]
        if zone:
            host = host.replace("]", f"%25{name}]", 1)
        query = f"?{self.query}" if self.query else ""
        return f"{scheme}{'s' if self.tls else ''}://{host}{self.path}{query}"


def split_url(url: str) -> BaseUrl:
    """Take a URL apart. The fragment is dropped: it is never sent (RFC 9110 §4.2.5).

    Raises:
        ValueError: for anything but a whole, printable ASCII ``ws``, ``wss``, ``http`` or ``https``
            URL without user information. The message does not repeat the URL.
    """
    if not url:
        raise ValueError("the URL is empty")
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("the URL has spaces or control characters in it")
    if not url.isascii():
        raise ValueError(
            "the URL has characters outside ASCII: percent-encode them, "
            "and write a host name in its xn-- form"
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("the URL's host is not a name or an IP address") from None
    if "://" not in url or parts.scheme not in _SCHEMES:
        raise ValueError(
            f"the URL must start with ws://, wss://, http:// or https://{_scheme_hint(url)}"
        )
    tls = _SCHEMES[parts.scheme]
    host, port = _host_and_port(parts.netloc, tls=tls)
    return BaseUrl(tls=tls, host=host, port=port, path=parts.path, query=parts.query)


def parse_url(url: str) -> BaseUrl:
    """Take apart the URL of a LiveKit server, to which signal paths are appended.

    A path prefix and a query are kept; slashes at the path's end are not, because a double slash
    inside a path is another path to the server (livekit pkg/service/utils.go removes one leading
    slash only).

    Raises:
        ValueError: as :func:`split_url`.
    """
    base = split_url(url)
    return replace(base, path=base.path.rstrip("/"))


def dial_target(url: str) -> tuple[str, int, bool]:
    """Where to connect for a URL: host (no brackets), port, and whether to start TLS.

    Raises:
        ValueError: as :func:`split_url`.
    """
    base = split_url(url)
    return base.host, base.port, base.tls


def _scheme_hint(url: str) -> str:
    match = _SCHEMELESS.fullmatch(url)
    return f"; perhaps ws://{match['place']} is meant" if match else ""


def _host_and_port(authority: str, *, tls: bool) -> tuple[str, int]:
    if "@" in authority:
        raise ValueError("the URL has a user name or password in it: pass the token separately")
    if re.fullmatch(r"(?::[0-9]*)?", authority):
        raise ValueError("the URL has no host")
    if re.fullmatch(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*", authority):
        raise ValueError("an IPv6 address must stand in brackets in a URL, as in ws://[::1]:7880")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ValueError("the URL's host is not a name or an IP address, or its port not a number")
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[tls]
    if not 1 <= port <= 65535:
        raise ValueError("the URL's port must be from 1 to 65535")
    # %25 is how a URL writes the % before an IPv6 zone (RFC 6874 §2).
    literal: str | None = match["literal"]
    return (match["name"] if literal is None else literal.replace("%25", "%", 1)), port
