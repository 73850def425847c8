"""What LiveKit's signaling asks of its URLs: paths, queries, join requests, header fields.

The server's reading of them is livekit pkg/service/rtcservice.go (validateInternal) and
pkg/service/utils.go.
"""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never
from urllib.parse import quote, unquote_plus, urlencode

from .._version import __version__
from ..codec import encode_message
from ..config import PathVersion, TokenPlacement
from ..messages import (
    ClientInfo,
    ClientInfoSdk,
    ConnectionSettings,
    JoinRequest,
    ReconnectReason,
    SessionDescription,
    WrappedJoinRequest,
    WrappedJoinRequestCompression,
)
from .url import BaseUrl, dial_target, parse_url, split_url

if TYPE_CHECKING:
    from ..commands import Headers
    from ..config import ClientConfig

__all__ = [
    "PROTOCOL",
    "BaseUrl",
    "Resume",
    "bundles",
    "client_info",
    "dial_target",
    "headers",
    "parse_url",
    "regions_url",
    "signal_url",
    "split_url",
    "validate_url",
]

PROTOCOL = 17
"""The protocol version that is spoken: every feature up to the packet trailer
(livekit pkg/rtc/types/protocol_version.go)."""

_PATHS = {PathVersion.AUTO: "/rtc/v1", PathVersion.V1: "/rtc/v1", PathVersion.V0: "/rtc"}

# The words that the server reads as `sdk` (livekit pkg/service/utils.go). It knows none for the
# others, and takes a missing one for UNKNOWN.
_SDK_WORDS = {
    ClientInfoSdk.JS: "js",
    ClientInfoSdk.SWIFT: "swift",
    ClientInfoSdk.ANDROID: "android",
    ClientInfoSdk.FLUTTER: "flutter",
    ClientInfoSdk.GO: "go",
    ClientInfoSdk.UNITY: "unity",
    ClientInfoSdk.REACT_NATIVE: "reactnative",
    ClientInfoSdk.RUST: "rust",
    ClientInfoSdk.PYTHON: "python",
    ClientInfoSdk.CPP: "cpp",
    ClientInfoSdk.UNITY_WEB: "unityweb",
    ClientInfoSdk.NODE: "node",
    ClientInfoSdk.ESP32: "esp32",
}

# The hosts of LiveKit Cloud (client-sdk-js src/room/utils.ts).
_CLOUD = (".livekit.cloud", ".livekit.run")

_Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Going on with a session on a new link."""

    sid: str = field(default="")
    """The participant's own sid."""
    reason: ReconnectReason = ReconnectReason.RR_UNKNOWN
    """Why the last link was lost."""


def signal_url(
    config: ClientConfig,
    version: PathVersion,
    *,
    token: str,
    bundle: bool = True,
    resume: Resume | None = None,
    offer_id: int = 0,
) -> str:
    """The URL to open a WebSocket at: ``ws`` or ``wss``, query included.

    The base URL's path prefix and query are kept; where a name of ours stands in the query too, our
    value replaces it.

    Args:
        config: the connection's settings.
        version: the path; ``AUTO`` is where it begins, ``/rtc/v1``.
        token: the access token of this moment; it is in the URL only when the config says so.
        bundle: whether ``add_tracks`` and ``publisher_offer`` travel in the URL (``/rtc/v1`` only).
        resume: set to go on with a session. The server then keeps what it knows of the
            participant, so metadata, attributes and the bundle are left out.
        offer_id: the id of the bundled offer.

    Raises:
        ValueError: as :func:`~kitwire.link.url.split_url`, for the config's URL.
    """
    base = parse_url(config.url)
    pairs: _Pairs = []
    if config.token_placement is TokenPlacement.QUERY:
        pairs.append(("access_token", token))
    match version:
        case PathVersion.AUTO | PathVersion.V1:
            request = _join_request(config, bundle=bundle, resume=resume, offer_id=offer_id)
            pairs.append(("join_request", _wrapped(request)))
        case PathVersion.V0:
            pairs += _v0_pairs(config, resume)
        case _:
            assert_never(version)
    query = _merged(base.query, pairs)
    return replace(base, path=base.path + _PATHS[version], query=query).text(scheme="ws")


def validate_url(signal_url: str) -> str:
    """The URL of the dry run that explains a refused upgrade: ``http`` or ``https``, same query.

    Raises:
        ValueError: as :func:`~kitwire.link.url.split_url`.
    """
    url = split_url(signal_url)
    return replace(url, path=f"{url.path}/validate").text(scheme="http")


def regions_url(url: str) -> str:
    """The URL at which LiveKit Cloud tells its regions; empty where the host is not one of its own.

    ``http`` or ``https``; the base URL's path and query are dropped.

    Raises:
        ValueError: as :func:`~kitwire.link.url.split_url`.
    """
    base = split_url(url)
    if not base.host.lower().endswith(_CLOUD):
        return ""
    return replace(base, path="/settings/regions", query="").text(scheme="http")


def headers(config: ClientConfig, token: str) -> Headers:
    """The header fields of an upgrade and of its dry run.

    The server looks at ``access_token`` only when there is no Authorization field
    (livekit pkg/service/auth.go), so never both.
    """
    agent = (("User-Agent", f"kitwire/{__version__}"),)
    match config.token_placement:
        case TokenPlacement.HEADER:
            return (("Authorization", f"Bearer {token}"), *agent)
        case TokenPlacement.QUERY:
            return agent
        case _:
            assert_never(config.token_placement)


def bundles(config: ClientConfig, version: PathVersion, token: str) -> bool:
    """Whether tracks and offer can travel in the URL, rather than after the join.

    They cannot on ``/rtc``, and not when the whole URL would be longer than ``limits.url``:
    proxies refuse long ones.

    Raises:
        ValueError: as :func:`~kitwire.link.url.split_url`, for the config's URL.
    """
    if version is PathVersion.V0:
        return False
    return len(signal_url(config, version, token=token)) <= config.limits.url


def client_info(config: ClientConfig) -> ClientInfo:
    """What the server is told of this client: the config's words, with ours where it has none.

    An SDK must be named, or the server guesses one from the User-Agent (livekit
    pkg/service/utils.go), and a protocol version, or it turns every feature off.
    """
    given = config.client_info or ClientInfo()
    named = given.sdk != ClientInfoSdk.UNKNOWN
    return replace(
        given,
        sdk=given.sdk if named else ClientInfoSdk.PYTHON,
        version=given.version if named or given.version else __version__,
        protocol=given.protocol or PROTOCOL,
    )


def _merged(query: str, pairs: _Pairs) -> str:
    """The base's pairs, as they were written, then ours; ours alone where a name is in both."""
    ours = {name for name, _ in pairs}
    kept = [
        pair
        for pair in query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]) not in ours
    ]
    return "&".join([*kept, urlencode(pairs, quote_via=quote, safe="")])


def _base64(data: bytes) -> str:
    """With the URL's alphabet and with padding: the server takes nothing else."""
    return urlsafe_b64encode(data).decode("ascii")


def _v0_pairs(config: ClientConfig, resume: Resume | None) -> _Pairs:
    pairs = [
        *_client_info_pairs(client_info(config)),
        ("auto_subscribe", str(int(config.auto_subscribe))),
        ("adaptive_stream", str(int(config.adaptive_stream))),
    ]
    if resume is not None:
        pairs.append(("reconnect", "1"))
        if resume.sid:
            pairs.append(("sid", resume.sid))
        if resume.reason:
            pairs.append(("reconnect_reason", str(int(resume.reason))))
    elif config.attributes:
        text = json.dumps(dict(config.attributes), separators=(",", ":"))
        pairs.append(("attributes", _base64(text.encode())))
    return pairs


def _client_info_pairs(info: ClientInfo) -> _Pairs:
    capabilities = ",".join(capability.name or "" for capability in info.capabilities)
    pairs = [
        ("sdk", _SDK_WORDS.get(info.sdk, "")),
        ("version", info.version),
        ("protocol", str(info.protocol)),
        ("os", info.os),
        ("os_version", info.os_version),
        ("device_model", info.device_model),
        ("browser", info.browser),
        ("browser_version", info.browser_version),
        ("network", info.network),
        ("client_protocol", str(info.client_protocol or "")),
        ("capabilities", capabilities),
    ]
    return [(name, value) for name, value in pairs if value]


def _join_request(
    config: ClientConfig, *, bundle: bool, resume: Resume | None, offer_id: int
) -> JoinRequest:
    request = JoinRequest(
        client_info=client_info(config),
        # Always there: without it the server subscribes to nothing, unlike on /rtc.
        connection_settings=ConnectionSettings(
            auto_subscribe=config.auto_subscribe, adaptive_stream=config.adaptive_stream
        ),
    )
    if resume is not None:
        request.reconnect = True
        request.reconnect_reason = resume.reason
        request.participant_sid = resume.sid
        return request
    request.metadata = config.metadata
    request.participant_attributes = dict(config.attributes)
    if bundle:
        request.add_track_requests = list(config.add_tracks)
        if config.publisher_offer is not None:
            request.publisher_offer = SessionDescription(
                type="offer", sdp=config.publisher_offer, id=offer_id
            )
    return request


def _wrapped(request: JoinRequest) -> str:
    plain = encode_message(request)
    # 31: a gzip wrapper (zlib's windowBits), with no time and no name in it.
    packed = zlib.compress(plain, level=9, wbits=31)
    wrapped = (
        WrappedJoinRequest(compression=WrappedJoinRequestCompression.GZIP, join_request=packed)
        if len(packed) < len(plain)
        else WrappedJoinRequest(join_request=plain)
    )
    return _base64(encode_message(wrapped))
