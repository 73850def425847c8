"""Settings: their defaults, what they refuse, and what they show."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_type_hints

import pytest

from kitwire.config import (
    ClientConfig,
    ClientOptions,
    Encoding,
    Limits,
    PathVersion,
    PeerCapabilities,
    Timeouts,
    TokenPlacement,
    is_sendable,
)
from kitwire.trace import TraceRecord
from tests.peers.lives import TOKEN, URL


def test_url_and_token_are_all_that_is_needed() -> None:
    config = ClientConfig(url=URL, token=TOKEN)
    assert (config.path, config.encoding, config.token_placement) == (
        PathVersion.AUTO,
        Encoding.BINARY,
        TokenPlacement.HEADER,
    )
    assert config.auto_subscribe
    assert not config.adaptive_stream
    assert (config.metadata, dict(config.attributes), config.client_info) == ("", {}, None)
    assert (config.add_tracks, config.publisher_offer, config.trace) == ((), None, None)
    assert (config.timeouts, config.limits) == (Timeouts(), Limits())


def test_the_options_of_connect_are_the_optional_fields() -> None:
    """The adapters' `connect` takes them by name; a field that is missing there cannot be set."""
    optional = {field.name for field in fields(ClientConfig)} - {"url", "token"}
    assert set(ClientOptions.__annotations__) == optional
    assert not ClientOptions.__required_keys__
    late = {"TraceRecord": TraceRecord}
    types = get_type_hints(ClientConfig, localns=late)
    options = get_type_hints(ClientOptions, localns=late)
    assert options == {name: types[name] for name in optional}


@pytest.mark.parametrize("token", ["", "a b", "a\n", "a\r\nX: y", "tökén", "a\x7f", "a\x00"])
def test_a_token_that_could_not_travel_is_refused_and_not_repeated(token: str) -> None:
    assert not is_sendable(token)
    with pytest.raises(ValueError, match="the token") as caught:
        ClientConfig(url=URL, token=token)
    assert token == "" or token not in str(caught.value)


def test_offers_have_one_author() -> None:
    ClientConfig(url=URL, token=TOKEN, publisher_offer="v=0")
    with pytest.raises(ValueError, match=r"no publisher_offer") as caught:
        ClientConfig(
            url=URL, token=TOKEN, peers=PeerCapabilities(), publisher_offer="v=0 ice-pwd:words"
        )
    assert "words" not in str(caught.value)


def test_every_visible_character_can_travel() -> None:
    assert is_sendable("".join(map(chr, range(0x21, 0x7F))))


@pytest.mark.parametrize("group", [Timeouts, Limits])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_every_timeout_and_limit_must_be_positive(
    group: type[Timeouts] | type[Limits], value: float
) -> None:
    for field in fields(group):
        with pytest.raises(ValueError, match=rf"{group.__name__}\.{field.name} must be above zero"):
            group(**{field.name: value})  # type: ignore[arg-type]  # by name
        assert getattr(group(**{field.name: 7}), field.name) == 7


def test_neither_url_nor_token_nor_what_is_personal_is_shown() -> None:
    config = ClientConfig(
        url=f"{URL}?access_token={TOKEN}",
        token=TOKEN,
        metadata="private words",
        attributes={"private": "words"},
        publisher_offer="v=0 ice-pwd:words",
        trace=print,
    )
    for shown in (repr(config), str(config), f"{replace(config, metadata='private')}"):
        assert "eyJ" not in shown
        assert "words" not in shown
        assert "private" not in shown


def test_configs_compare_by_what_they_say() -> None:
    config = ClientConfig(url=URL, token=TOKEN)
    assert config == ClientConfig(url=URL, token=TOKEN, trace=print)
    assert config != ClientConfig(url=URL, token=TOKEN, metadata="x")


@pytest.mark.parametrize(
    ("enum", "values"),
    [
        (PathVersion, {"auto", "v1", "v0"}),
        (Encoding, {"binary", "json"}),
        (TokenPlacement, {"header", "query"}),
    ],
)
def test_the_words_that_users_type(
    enum: type[PathVersion] | type[Encoding] | type[TokenPlacement], values: set[str]
) -> None:
    assert {str(member) for member in enum} == values
    assert {enum(value) for value in values} == set(enum)
