"""The many ways to say where the server is, and TLS in front of it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from kitwire.config import PathVersion, TokenPlacement
from kitwire.errors import Origin, Reason
from tests.interop.counterparts import relay
from tests.interop.livekit_server import LiveKitServer
from tests.interop.participants import LoopName, Witness, joined, refusal


def joins(
    loop: LoopName, url: str, server: LiveKitServer, context: ssl.SSLContext | None = None
) -> None:
    """Join by that URL, by both paths."""
    for path in (PathVersion.V1, PathVersion.V0):
        token = server.token("ann", f"at-{path}")
        with joined(loop, url, token, ssl=context, path=path) as ann:
            assert ann.joined.server_version == server.version
            ann.call("send_ping_req")


@pytest.mark.parametrize("form", ["ws://{}", "ws://{}/", "http://{}", "http://{}/", "WS://{}"])
def test_schemes_and_slashes(livekit: LiveKitServer, loop: LoopName, form: str) -> None:
    joins(loop, form.format(f"127.0.0.1:{livekit.ports.signal}"), livekit)


def test_a_host_name(livekit: LiveKitServer, loop: LoopName) -> None:
    joins(loop, f"ws://localhost:{livekit.ports.signal}", livekit)


def test_the_token_in_the_query(livekit: LiveKitServer, loop: LoopName, path: PathVersion) -> None:
    token, placement = livekit.token("ann", "by-query"), TokenPlacement.QUERY
    witness = Witness()
    with joined(
        loop, livekit.url, token, witness=witness, path=path, token_placement=placement
    ) as ann:
        assert ann.identity == "ann"
    assert witness.secrets() == []


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_prefix_that_a_proxy_takes_off(
    livekit: LiveKitServer, loop: LoopName, slash: str
) -> None:
    heads: list[bytes] = []

    def stripped(head: bytes) -> bytes:
        heads.append(head)
        return head.replace(b"GET /live/kit/rtc", b"GET /rtc", 1)

    with relay(livekit.ports.signal, first=stripped) as port:
        joins(loop, f"ws://127.0.0.1:{port}/live/kit{slash}", livekit)
    assert [head.split(b"?")[0] for head in heads] == [
        b"GET /live/kit/rtc/v1",
        b"GET /live/kit/rtc",
    ]


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_ipv6(livekit: LiveKitServer, loop: LoopName) -> None:
    with relay(livekit.ports.signal, host="::1") as port:
        joins(loop, f"ws://[::1]:{port}", livekit)


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture
def tls_port(livekit: LiveKitServer, authority: trustme.CA) -> Iterator[int]:
    """Where the real server is to be had behind TLS, with a certificate for 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with relay(livekit.ports.signal, context=context) as port:
        yield port


@pytest.mark.parametrize("scheme", ["wss", "https"])
def test_a_certificate_is_verified(
    livekit: LiveKitServer, loop: LoopName, tls_port: int, scheme: str, witness: Witness
) -> None:
    token = livekit.token("ann", "den")
    reason = refusal(loop, f"{scheme}://127.0.0.1:{tls_port}", token, witness=witness)
    assert (reason.origin, reason.reason) == (Origin.LINK, Reason.TLS_FAILURE)
    assert not reason.retryable
    assert "certificate" in reason.detail


def test_so_is_the_name_in_it(
    livekit: LiveKitServer,
    loop: LoopName,
    tls_port: int,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    context = trusting(authority, loop, monkeypatch, tmp_path)
    token = livekit.token("ann", "den")
    reason = refusal(loop, f"wss://localhost:{tls_port}", token, ssl=context)
    assert reason.reason is Reason.TLS_FAILURE
    assert "localhost" in reason.detail


def test_a_certificate_that_is_trusted(
    livekit: LiveKitServer,
    loop: LoopName,
    tls_port: int,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    context = trusting(authority, loop, monkeypatch, tmp_path)
    joins(loop, f"wss://127.0.0.1:{tls_port}", livekit, context)
    joins(loop, f"https://127.0.0.1:{tls_port}", livekit, context)


def trusting(
    authority: trustme.CA, loop: LoopName, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> ssl.SSLContext | None:
    """A context that trusts the authority; the bare loop makes its own, by the environment."""
    if loop == "bare":
        file = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(file))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        return None
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
