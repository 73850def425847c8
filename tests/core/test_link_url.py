"""URLs taken apart: a table of what people write."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwire.link.url import BaseUrl, dial_target, parse_url, split_url

# What is written: TLS, host, port, path, query, Host header field.
GOOD: dict[str, tuple[bool, str, int, str, str, str]] = {
    "ws://localhost:7880": (False, "localhost", 7880, "", "", "localhost:7880"),
    "http://localhost": (False, "localhost", 80, "", "", "localhost"),
    "wss://a.example": (True, "a.example", 443, "", "", "a.example"),
    "https://a.example:443": (True, "a.example", 443, "", "", "a.example"),
    "https://a.example:80": (True, "a.example", 80, "", "", "a.example:80"),
    "WSS://A.Example": (True, "A.Example", 443, "", "", "A.Example"),
    "HTTPS://a.example/": (True, "a.example", 443, "", "", "a.example"),
    "ws://a.example:/x": (False, "a.example", 80, "/x", "", "a.example"),
    "wss://a.example/pre/fix//": (True, "a.example", 443, "/pre/fix", "", "a.example"),
    "wss://a.example//x": (True, "a.example", 443, "//x", "", "a.example"),
    "wss://a.example/a%2Fb?x=%20&y#frag": (
        True,
        "a.example",
        443,
        "/a%2Fb",
        "x=%20&y",
        "a.example",
    ),
    "ws://a.example?x=/": (False, "a.example", 80, "", "x=/", "a.example"),
    "ws://127.0.0.1:65535": (False, "127.0.0.1", 65535, "", "", "127.0.0.1:65535"),
    "ws://[::1]:7880/x": (False, "::1", 7880, "/x", "", "[::1]:7880"),
    "wss://[2001:db8::1]": (True, "2001:db8::1", 443, "", "", "[2001:db8::1]"),
    "ws://[::ffff:10.0.0.1]": (False, "::ffff:10.0.0.1", 80, "", "", "[::ffff:10.0.0.1]"),
    "ws://[fe80::1%25eth0]:1": (False, "fe80::1%eth0", 1, "", "", "[fe80::1]:1"),
    "ws://livekit_server:7880": (False, "livekit_server", 7880, "", "", "livekit_server:7880"),
    "ws://a.example.": (False, "a.example.", 80, "", "", "a.example."),
    "ws://xn--mnchen-3ya.example": (
        False,
        "xn--mnchen-3ya.example",
        80,
        "",
        "",
        "xn--mnchen-3ya.example",
    ),
}

MUST_START = "the URL must start with ws://, wss://, http:// or https://"
NO_NAME = "the URL's host is not a name or an IP address"
BAD: dict[str, str] = {
    "": "the URL is empty",
    " ws://a": "the URL has spaces or control characters in it",
    "ws://a\n": "the URL has spaces or control characters in it",
    "ws://a\x7f": "the URL has spaces or control characters in it",
    "ws://a b/": "the URL has spaces or control characters in it",
    "ws://münchen.example": "the URL has characters outside ASCII",
    "localhost:7880": f"{MUST_START}; perhaps ws://localhost:7880 is meant",
    "a.example/path?hush": f"{MUST_START}; perhaps ws://a.example is meant",
    "[::1]:7880": f"{MUST_START}; perhaps ws://[::1]:7880 is meant",
    "//a.example": MUST_START,
    "ftp://a.example": MUST_START,
    "wss:a.example": MUST_START,
    "wss:/a.example": MUST_START,
    "hush:hush@a.example": MUST_START,
    "ws:\\\\a.example": MUST_START,
    "ws://": "the URL has no host",
    "wss:///rtc": "the URL has no host",
    "ws://:7880": "the URL has no host",
    "ws://user:hush@a.example": "the URL has a user name or password in it",
    "ws://hush@a.example": "the URL has a user name or password in it",
    "ws://a.example:0": "the URL's port must be from 1 to 65535",
    "ws://a.example:65536": "the URL's port must be from 1 to 65535",
    "ws://a.example:123456": NO_NAME,
    "ws://a.example:http": NO_NAME,
    "ws://a.example:-1": NO_NAME,
    "ws://[::1": NO_NAME,
    "ws://[hush]": NO_NAME,
    "ws://::1": "an IPv6 address must stand in brackets in a URL",
    "ws://fe80::1:7880/x": "an IPv6 address must stand in brackets in a URL",
    "ws://a%20b": NO_NAME,
    "ws://-a": NO_NAME,
    "ws://a,b": NO_NAME,
}


@pytest.mark.parametrize("url", GOOD)
def test_a_base_url(url: str) -> None:
    tls, host, port, path, query, authority = GOOD[url]
    base = parse_url(url)
    assert base == BaseUrl(tls=tls, host=host, port=port, path=path, query=query)
    assert base.authority == authority
    assert dial_target(url) == (host, port, tls)
    assert "x=" not in repr(base)


@pytest.mark.parametrize("url", GOOD)
def test_a_url_is_written_as_it_was_read(url: str) -> None:
    base = split_url(url)
    written = base.text(scheme="ws")
    assert split_url(written) == base
    assert base.text(scheme="http") == written.replace("ws", "http", 1)
    # A second reader, for everything but IPv6 zones, which it leaves in.
    second = urlsplit(written)
    assert (second.path, second.query, second.fragment) == (base.path, base.query, "")
    assert (second.hostname or "").replace("%25", "%") == base.host.lower()


@pytest.mark.parametrize("url", BAD)
def test_a_url_that_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        parse_url(url)
    assert str(caught.value).startswith(BAD[url])
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_target_is_never_empty() -> None:
    assert split_url("ws://a").target == "/"
    assert split_url("ws://a?b=c").target == "/?b=c"
    assert split_url("ws://a/x?b=c#d").target == "/x?b=c"


@given(st.text(max_size=30) | st.text("wshtp:/?#[]@%.0123 a-", max_size=30).map("ws://".__add__))
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    try:
        base = split_url(text)
    except ValueError:
        return
    assert split_url(base.text(scheme="ws")) == base
    assert all("!" <= character <= "~" for character in base.authority + base.target)
