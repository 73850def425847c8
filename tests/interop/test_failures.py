"""Joins that must fail, at the real server and where there is none: each is told apart."""

from __future__ import annotations

import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import jwt
import pytest

from kitwire.config import PathVersion, Timeouts, TokenPlacement
from kitwire.errors import CloseReason, FailureReason, Origin, Reason
from kitwire.events import RequestEnded
from tests.interop.conftest import Join, StartLiveKit
from tests.interop.counterparts import closed_port, silent_listener, web_server
from tests.interop.livekit_server import LiveKitServer
from tests.interop.participants import LOOPS, LoopName, Witness, joined, refusal


class Why(NamedTuple):
    """What code looks at."""

    origin: Origin
    reason: Reason
    retryable: bool


def why(reason: CloseReason) -> Why:
    return Why(reason.origin, reason.reason, reason.retryable)


def minted(server: LiveKitServer, **claims: object) -> str:
    """A token that LiveKit's own library would not mint."""
    claims = {"iss": server.api_key, "exp": 4_000_000_000, **claims}
    return jwt.encode(claims, server.api_secret, algorithm="HS256")


BAD_TOKEN = Why(Origin.AUTH, Reason.BAD_TOKEN, False)
PERMISSION_DENIED = Why(Origin.AUTH, Reason.PERMISSION_DENIED, False)
BAD_REQUEST = Why(Origin.SERVER, Reason.BAD_REQUEST, False)
SERVICE_MISSING = Why(Origin.SERVER, Reason.SERVICE_MISSING, False)
UNREACHABLE = Why(Origin.LINK, Reason.UNREACHABLE, True)

# For whoever never gets to read it.
TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30.bm90IGEgc2lnbmF0dXJl"

# A token, why it does not let anybody in, and a word of what the server says of it.
TOKENS: dict[str, tuple[Callable[[LiveKitServer], str], Why, str]] = {
    "expired": (lambda s: s.token("ann", "den", ttl=timedelta(hours=-1)), BAD_TOKEN, "expired"),
    "malformed": (lambda s: "eyJub3QiOiJhIn0.jwt", BAD_TOKEN, "invalid authorization token"),
    "of-another-key": (lambda s: s.token("ann", "den", api_key="other"), BAD_TOKEN, "API key"),
    "of-another-secret": (
        lambda s: s.token("ann", "den", api_secret="x" * 40),
        BAD_TOKEN,
        "signature",
    ),
    "without-the-grant": (
        lambda s: s.token("ann", "den", room_join=False),
        PERMISSION_DENIED,
        "permissions denied",
    ),
    "without-any-grant": (
        lambda s: minted(s, sub="ann"),
        PERMISSION_DENIED,
        "no permissions",
    ),
    "without-a-room": (
        lambda s: minted(s, sub="ann", video={"roomJoin": True}),
        BAD_REQUEST,
        "room name",
    ),
    "without-an-identity": (
        lambda s: minted(s, video={"roomJoin": True, "room": "den"}),
        BAD_REQUEST,
        "identity",
    ),
}


@pytest.mark.parametrize("case", TOKENS)
def test_tokens_that_are_refused(
    livekit: LiveKitServer,
    loop: LoopName,
    path: PathVersion,
    case: str,
    witness: Witness,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    make, expected, words = TOKENS[case]
    token = make(livekit)
    reason = refusal(loop, livekit.url, token, witness=witness, path=path)
    assert why(reason) == expected
    assert words.lower() in reason.detail.lower()
    witness.note(caplog.text)
    assert witness.secrets() == []
    assert not any(token in text for text in witness.texts)


def test_the_server_does_echo_tokens(livekit: LiveKitServer) -> None:
    """So that the test above is worth something."""
    token = livekit.token("ann", "den", ttl=timedelta(hours=-1))
    request = urllib.request.Request(
        f"{livekit.http_url}/rtc/validate", headers={"Authorization": f"Bearer {token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as refused, opener.open(request, timeout=5):
        pass
    with refused.value as error:
        assert error.code == 401
        assert token in error.read().decode()


def test_a_refused_token_in_the_query(
    livekit: LiveKitServer, loop: LoopName, path: PathVersion, witness: Witness
) -> None:
    """The URL carries it then, and no error may show the URL."""
    token = livekit.token("ann", "den", ttl=timedelta(hours=-1))
    reason = refusal(
        loop,
        livekit.url,
        token,
        witness=witness,
        path=path,
        token_placement=TokenPlacement.QUERY,
    )
    assert why(reason) == BAD_TOKEN
    assert not any(token in text for text in witness.texts)


def test_metadata_that_may_not_be_joined_with(
    livekit: LiveKitServer, loop: LoopName, witness: Witness
) -> None:
    token = livekit.token("ann", "den")
    reason = refusal(
        loop, livekit.url, token, witness=witness, path=PathVersion.V1, metadata="busy"
    )
    assert why(reason) == PERMISSION_DENIED


def test_attributes_that_may_not_be_joined_with(
    livekit: LiveKitServer, loop: LoopName, path: PathVersion, witness: Witness
) -> None:
    token = livekit.token("ann", "den")
    reason = refusal(
        loop, livekit.url, token, witness=witness, path=path, attributes={"mood": "good"}
    )
    assert why(reason) == PERMISSION_DENIED


def test_metadata_that_is_refused_after_the_join(join: Join) -> None:
    """On the older path it can only be sent then."""
    ann = join("ann", path=PathVersion.V0, metadata="busy")
    ended = ann.wait_for(RequestEnded)
    assert ended.failure is not None
    assert ended.failure.reason is FailureReason.NOT_ALLOWED


def test_a_room_that_is_missing(
    start_livekit: StartLiveKit, witness: Witness, room_name: str
) -> None:
    """One server for all, because starting it takes its time."""
    server, _ = start_livekit(auto_create=False)
    token = server.token("ann", room_name)
    for loop in LOOPS:
        for path in (PathVersion.V1, PathVersion.V0):
            reason = refusal(loop, server.url, token, witness=witness, path=path)
            assert why(reason) == Why(Origin.SERVER, Reason.ROOM_MISSING, False)
    server.create_room(room_name)
    with joined("bare", server.url, token) as ann:
        assert ann.joined.room.name == room_name


def test_a_path_where_there_is_nothing(
    livekit: LiveKitServer, loop: LoopName, witness: Witness
) -> None:
    url, token = f"{livekit.url}/elsewhere", livekit.token("ann", "den")
    for path in PathVersion:
        reason = refusal(loop, url, token, witness=witness, path=path)
        assert why(reason) == SERVICE_MISSING


def test_a_web_server_that_is_no_livekit(loop: LoopName, witness: Witness) -> None:
    with web_server() as port:
        reason = refusal(loop, f"ws://127.0.0.1:{port}", TOKEN, witness=witness)
    assert why(reason) == SERVICE_MISSING


def test_a_port_where_nobody_listens(loop: LoopName, witness: Witness) -> None:
    reason = refusal(loop, f"ws://127.0.0.1:{closed_port()}", TOKEN, witness=witness)
    assert why(reason) == UNREACHABLE
    assert "refused" in reason.detail.lower()


def test_a_host_that_does_not_exist(loop: LoopName, witness: Witness) -> None:
    reason = refusal(loop, "ws://nonexistent.invalid", TOKEN, witness=witness)
    assert why(reason) == UNREACHABLE


def test_a_server_that_never_answers(loop: LoopName, witness: Witness) -> None:
    with silent_listener() as port:
        begun = time.monotonic()
        reason = refusal(
            loop,
            f"ws://127.0.0.1:{port}",
            TOKEN,
            witness=witness,
            timeouts=Timeouts(open=0.2),
        )
    assert why(reason) == Why(Origin.TIMEOUT, Reason.OPEN_TIMEOUT, True)
    assert 0.2 <= time.monotonic() - begun < 5


def test_a_server_that_never_speaks_tls(loop: LoopName, witness: Witness) -> None:
    with silent_listener() as port:
        reason = refusal(
            loop,
            f"wss://127.0.0.1:{port}",
            TOKEN,
            witness=witness,
            timeouts=Timeouts(open=0.2),
        )
    # The bare loop's dial blocks, and has given up by itself when the core could.
    timed_out = Why(Origin.TIMEOUT, Reason.OPEN_TIMEOUT, True)
    assert why(reason) == (UNREACHABLE if loop == "bare" else timed_out)


def test_tls_where_there_is_none(livekit: LiveKitServer, loop: LoopName, witness: Witness) -> None:
    url = livekit.url.replace("ws:", "wss:")
    reason = refusal(loop, url, TOKEN, witness=witness, timeouts=Timeouts(open=5))
    assert why(reason) == Why(Origin.LINK, Reason.TLS_FAILURE, False)
