"""What the URLs say, read back by urllib and by google.protobuf with LiveKit's own descriptors."""

from __future__ import annotations

import gzip
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from kitwire import __version__
from kitwire.config import ClientConfig, Limits, PathVersion, TokenPlacement
from kitwire.link.address import (
    PROTOCOL,
    Resume,
    bundles,
    client_info,
    headers,
    signal_url,
    validate_url,
)
from kitwire.messages import (
    AddTrackRequest,
    ClientInfo,
    ClientInfoCapability,
    ClientInfoSdk,
    ReconnectReason,
    TrackType,
)

TOKEN = "aaa.bbb.ccc"
V0, V1, AUTO = PathVersion.V0, PathVersion.V1, PathVersion.AUTO
BASE = ClientConfig(url="ws://localhost:7880", token=TOKEN)
OFFER = "v=0\r\n" + "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n" * 20
FULL = replace(
    BASE,
    metadata="grüße",
    attributes={"lang": "de", "empty": ""},
    add_tracks=(
        AddTrackRequest(cid="mic", type=TrackType.AUDIO),
        AddTrackRequest(cid="cam", type=TrackType.VIDEO),
    ),
    publisher_offer=OFFER,
    auto_subscribe=False,
    adaptive_stream=True,
)
RESUME = Resume(sid="PA_abc", reason=ReconnectReason.RR_SIGNAL_DISCONNECTED)


def query(url: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(pairs) == len({name for name, _ in pairs})
    return dict(pairs)


def unwrapped(url: str) -> rtc.WrappedJoinRequest:
    return rtc.WrappedJoinRequest.FromString(urlsafe_b64decode(query(url)["join_request"]))


def join_request(url: str) -> rtc.JoinRequest:
    """As the server does it (livekit pkg/service/rtcservice.go, validateInternal)."""
    wrapped = unwrapped(url)
    data = wrapped.join_request
    if wrapped.compression == rtc.WrappedJoinRequest.GZIP:
        data = gzip.decompress(data)
    return rtc.JoinRequest.FromString(data)


# ------------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("url", "signal", "validate"),
    [
        ("ws://localhost:7880", "ws://localhost:7880/rtc", "http://localhost:7880/rtc/validate"),
        ("http://localhost/", "ws://localhost/rtc", "http://localhost/rtc/validate"),
        ("https://a.example", "wss://a.example/rtc", "https://a.example/rtc/validate"),
        ("WSS://a.example/p/q/", "wss://a.example/p/q/rtc", "https://a.example/p/q/rtc/validate"),
        ("ws://[::1]:7880", "ws://[::1]:7880/rtc", "http://[::1]:7880/rtc/validate"),
    ],
)
@pytest.mark.parametrize(("version", "suffix"), [(V0, ""), (V1, "/v1"), (AUTO, "/v1")])
def test_paths(url: str, signal: str, validate: str, version: PathVersion, suffix: str) -> None:
    whole = signal_url(replace(BASE, url=url), version, token=TOKEN)
    assert whole.partition("?")[0] == signal + suffix
    dry_run = validate_url(whole)
    assert dry_run.partition("?")[0] == validate.replace("/validate", f"{suffix}/validate")
    assert dry_run.partition("?")[2] == whole.partition("?")[2]


@pytest.mark.parametrize(
    ("version", "kept"),
    [
        (V0, "x=%20&joi%6e_request=old&flag&tenant=a%2fb&x=2&"),
        (V1, "x=%20&sdk=js&flag&tenant=a%2fb&x=2&"),
    ],
)
def test_the_bases_query_is_kept_as_it_was_written(version: PathVersion, kept: str) -> None:
    base = replace(BASE, url="ws://a/?x=%20&sdk=js&joi%6e_request=old&flag&&tenant=a%2fb&x=2")
    text = urlsplit(signal_url(base, version, token=TOKEN)).query
    assert text.startswith(kept)
    assert all(len(values) == 1 for name, values in parse_qs(text).items() if name != "x")


def test_a_url_that_cannot_be_dialed() -> None:
    config = replace(BASE, url="localhost:7880")
    calls: list[Callable[[], object]] = [
        lambda: signal_url(config, V1, token=TOKEN),
        lambda: bundles(config, V1, TOKEN),
        lambda: validate_url("/rtc"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="must start with ws://"):
            call()


# ------------------------------------------------------------------- where the token goes


@pytest.mark.parametrize("version", [V0, V1])
def test_the_token_is_in_the_header_or_in_the_query_never_in_both(version: PathVersion) -> None:
    agent = ("User-Agent", f"kitwire/{__version__}")
    assert headers(BASE, TOKEN) == (("Authorization", f"Bearer {TOKEN}"), agent)
    assert TOKEN not in signal_url(BASE, version, token=TOKEN)
    in_query = replace(BASE, token_placement=TokenPlacement.QUERY)
    assert headers(in_query, TOKEN) == (agent,)
    assert query(signal_url(in_query, version, token=TOKEN))["access_token"] == TOKEN


def test_the_token_of_the_moment_is_used() -> None:
    in_query = replace(BASE, token_placement=TokenPlacement.QUERY)
    url = signal_url(in_query, V0, token="fresh.er.one")
    assert query(url)["access_token"] == "fresh.er.one"
    assert TOKEN not in url


# ------------------------------------------------------------------- /rtc


def test_v0_says_everything_in_the_query() -> None:
    pairs = query(signal_url(BASE, V0, token=TOKEN))
    assert pairs == {
        "sdk": "python",
        "version": __version__,
        "protocol": "17",
        "auto_subscribe": "1",
        "adaptive_stream": "0",
    }


def test_v0_with_settings() -> None:
    info = ClientInfo(
        os="linux",
        os_version="6.1",
        device_model="a b",
        browser="Firefox",
        browser_version="140",
        network="wired",
        client_protocol=2,
        capabilities=[
            ClientInfoCapability.CAP_PACKET_TRAILER,
            ClientInfoCapability.CAP_COMPRESSION_DEFLATE_RAW,
        ],
    )
    pairs = query(signal_url(replace(FULL, client_info=info), V0, token=TOKEN))
    attributes = pairs.pop("attributes")
    assert json.loads(urlsafe_b64decode(attributes)) == {"lang": "de", "empty": ""}
    assert len(attributes) % 4 == 0
    assert pairs == {
        "sdk": "python",
        "version": __version__,
        "protocol": "17",
        "os": "linux",
        "os_version": "6.1",
        "device_model": "a b",
        "browser": "Firefox",
        "browser_version": "140",
        "network": "wired",
        "client_protocol": "2",
        "capabilities": "CAP_PACKET_TRAILER,CAP_COMPRESSION_DEFLATE_RAW",
        "auto_subscribe": "0",
        "adaptive_stream": "1",
    }


@pytest.mark.parametrize(
    ("resume", "expected"),
    [
        (RESUME, {"reconnect": "1", "sid": "PA_abc", "reconnect_reason": "1"}),
        (Resume(sid="PA_abc"), {"reconnect": "1", "sid": "PA_abc"}),
        (Resume(), {"reconnect": "1"}),
    ],
)
def test_v0_resumes(resume: Resume, expected: dict[str, str]) -> None:
    pairs = query(signal_url(FULL, V0, token=TOKEN, resume=resume))
    assert expected.items() <= pairs.items()
    assert not pairs.keys() & ({"sid", "reconnect_reason", "attributes"} - expected.keys())


# What the server reads as each SDK (livekit pkg/service/utils.go), in its own words.
WORDS = {
    "JS": "js",
    "SWIFT": "swift",
    "ANDROID": "android",
    "FLUTTER": "flutter",
    "GO": "go",
    "UNITY": "unity",
    "REACT_NATIVE": "reactnative",
    "RUST": "rust",
    "PYTHON": "python",
    "CPP": "cpp",
    "UNITY_WEB": "unityweb",
    "NODE": "node",
    "ESP32": "esp32",
}


@pytest.mark.parametrize("sdk", [sdk for sdk in ClientInfoSdk if sdk is not ClientInfoSdk.UNKNOWN])
def test_v0_names_the_sdk_in_the_servers_words(sdk: ClientInfoSdk) -> None:
    config = replace(BASE, client_info=ClientInfo(sdk=sdk))
    pairs = query(signal_url(config, V0, token=TOKEN))
    assert pairs.get("sdk") == WORDS.get(str(sdk.name))
    assert "version" not in pairs


# ------------------------------------------------------------------- /rtc/v1


def test_v1_says_everything_in_one_request() -> None:
    url = signal_url(FULL, V1, token=TOKEN)
    assert query(url).keys() == {"join_request"}
    request = join_request(url)
    assert request == rtc.JoinRequest(
        client_info=models.ClientInfo(sdk="PYTHON", version=__version__, protocol=17),
        connection_settings=rtc.ConnectionSettings(auto_subscribe=False, adaptive_stream=True),
        metadata="grüße",
        participant_attributes={"lang": "de", "empty": ""},
        add_track_requests=[
            rtc.AddTrackRequest(cid="mic", type="AUDIO"),
            rtc.AddTrackRequest(cid="cam", type="VIDEO"),
        ],
        publisher_offer=rtc.SessionDescription(type="offer", sdp=OFFER, id=0),
    )


def test_v1_always_has_connection_settings() -> None:
    # Two false settings are an empty message, which must be there all the same.
    request = join_request(signal_url(replace(BASE, auto_subscribe=False), V1, token=TOKEN))
    assert request.HasField("connection_settings")
    assert not request.HasField("publisher_offer")
    assert join_request(signal_url(BASE, V1, token=TOKEN)).connection_settings.auto_subscribe


def test_v1_without_the_bundle() -> None:
    request = join_request(signal_url(FULL, V1, token=TOKEN, bundle=False))
    assert not request.add_track_requests
    assert not request.HasField("publisher_offer")
    assert request.metadata == "grüße"


def test_the_bundled_offer_has_the_id_that_was_given() -> None:
    request = join_request(signal_url(FULL, V1, token=TOKEN, offer_id=7))
    assert request.publisher_offer.id == 7


def test_v1_resumes() -> None:
    request = join_request(signal_url(FULL, V1, token=TOKEN, resume=RESUME))
    assert request == rtc.JoinRequest(
        client_info=request.client_info,
        connection_settings=rtc.ConnectionSettings(auto_subscribe=False, adaptive_stream=True),
        reconnect=True,
        reconnect_reason="RR_SIGNAL_DISCONNECTED",
        participant_sid="PA_abc",
    )


def test_gzip_is_used_when_it_pays_only() -> None:
    short, long = (signal_url(each, V1, token=TOKEN) for each in (BASE, FULL))
    assert unwrapped(short).compression == rtc.WrappedJoinRequest.NONE
    assert unwrapped(long).compression == rtc.WrappedJoinRequest.GZIP
    assert len(long) < len(OFFER)
    # RFC 1952 §2.3: no modification time, no name: the same request is always the same URL.
    assert unwrapped(long).join_request[3:8] == bytes(5)
    assert long == signal_url(FULL, V1, token=TOKEN)


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3), st.text(max_size=40))
def test_v1_carries_any_text(attributes: dict[str, str], metadata: str) -> None:
    config = replace(BASE, attributes=attributes, metadata=metadata)
    url = signal_url(config, V1, token=TOKEN)
    request = join_request(url)
    assert (dict(request.participant_attributes), request.metadata) == (attributes, metadata)
    # Padding is there, percent-encoded; nothing of the standard alphabet's + and / is.
    text = url.partition("join_request=")[2]
    assert len(text.replace("%3D", "=")) % 4 == 0
    assert not set(text) & set("=+/")


# ------------------------------------------------------------------- who we say we are


@pytest.mark.parametrize(
    ("given_info", "sdk", "version", "protocol"),
    [
        (None, ClientInfoSdk.PYTHON, __version__, PROTOCOL),
        (ClientInfo(os="linux"), ClientInfoSdk.PYTHON, __version__, PROTOCOL),
        (ClientInfo(version="9"), ClientInfoSdk.PYTHON, "9", PROTOCOL),
        (ClientInfo(sdk=ClientInfoSdk.NODE), ClientInfoSdk.NODE, "", PROTOCOL),
        (ClientInfo(sdk=ClientInfoSdk.NODE, protocol=9), ClientInfoSdk.NODE, "", 9),
    ],
)
def test_what_the_config_does_not_say_is_said_for_it(
    given_info: ClientInfo | None, sdk: ClientInfoSdk, version: str, protocol: int
) -> None:
    info = client_info(replace(BASE, client_info=given_info))
    assert (info.sdk, info.version, info.protocol) == (sdk, version, protocol)
    assert info.os == (given_info.os if given_info else "")


# ------------------------------------------------------------------- how long a URL may be


def test_a_bundle_travels_in_the_url_only_as_long_as_the_url_is_short_enough() -> None:
    length = len(signal_url(FULL, V1, token=TOKEN))
    for limit, fits in ((length, True), (length - 1, False)):
        config = replace(FULL, limits=Limits(url=limit))
        assert bundles(config, V1, TOKEN) is fits
        assert bundles(config, AUTO, TOKEN) is fits
        assert bundles(config, V0, TOKEN) is False
