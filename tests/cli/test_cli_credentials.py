"""Where the URL and the credentials come from, and tokens read by LiveKit's own library."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
from livekit import api
from livekit.api.access_token import Claims

from kitwire_cli.credentials import (
    Grants,
    Identity,
    Keys,
    UsageError,
    attributes_from,
    duration_of,
    keys_from,
    mint,
    token_from,
    url_from,
)

SECRET = "s" * 36
KEYS = Keys(key="key", secret=SECRET)
ENVIRONMENT = {
    "LIVEKIT_URL": "ws://from-env",
    "LIVEKIT_API_KEY": "env-key",
    "LIVEKIT_API_SECRET": "env-" + SECRET,
    "LIVEKIT_TOKEN": "env-token",
}


def verified(token: str, keys: Keys = KEYS) -> Claims:
    return api.TokenVerifier(keys.key, keys.secret).verify(token)


# --- minting ---


def test_livekit_reads_every_claim() -> None:
    whom = Identity(
        identity="bob", name="Bob", metadata="hi", attributes={"mood": "happy", "x": ""}
    )
    grants = Grants(
        room="r",
        room_join=True,
        room_create=False,
        room_list=True,
        room_admin=False,
        can_publish=True,
        can_subscribe=False,
        can_publish_data=True,
        can_publish_sources=("camera", "microphone"),
        can_update_own_metadata=True,
        hidden=False,
    )
    claims = verified(mint(KEYS, whom, grants))
    assert (claims.identity, claims.name, claims.metadata) == ("bob", "Bob", "hi")
    assert claims.attributes == {"mood": "happy", "x": ""}
    assert claims.video == api.VideoGrants(
        room="r",
        room_join=True,
        room_create=False,
        room_list=True,
        room_admin=False,
        can_publish=True,
        can_subscribe=False,
        can_publish_data=True,
        can_publish_sources=["camera", "microphone"],
        can_update_own_metadata=True,
        hidden=False,
    )


def test_what_is_left_out_is_not_in_the_token() -> None:
    token = mint(KEYS, Identity(identity="bob"), Grants(room_join=False), valid_for=60, now=1000.7)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert claims.pop("jti")
    assert claims == {
        "iss": "key",
        "sub": "bob",
        "nbf": 1000,
        "exp": 1060,
        "video": {"roomJoin": False},
    }


def test_a_token_expires() -> None:
    token = mint(KEYS, Identity(identity="bob"), Grants(), valid_for=60, now=1000)
    with pytest.raises(jwt.ExpiredSignatureError):
        verified(token)


def test_a_secret_of_a_development_server_gives_no_warning() -> None:
    token = mint(Keys(key="devkey", secret="secret"), Identity(), Grants())
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        assert jwt.decode(token, "secret", algorithms=["HS256"])["iss"] == "devkey"


def test_no_repr_shows_the_secret() -> None:
    assert SECRET not in repr(KEYS)


# --- where things come from ---


def test_the_url_by_argument_or_environment() -> None:
    assert url_from(" ws://flag ", ENVIRONMENT) == ("ws://flag", "on the command line")
    assert url_from(None, ENVIRONMENT) == ("ws://from-env", "in LIVEKIT_URL")
    with pytest.raises(UsageError, match="set LIVEKIT_URL"):
        url_from(None, {"LIVEKIT_URL": " "})
    with pytest.raises(UsageError, match="URL is empty"):
        url_from("", ENVIRONMENT)


def token(
    environment: dict[str, str],
    *,
    token: str | None = None,
    key: str | None = None,
    secret: str | None = None,
    room: str | None = None,
    identity: str | None = None,
) -> str:
    return token_from(
        token=token, key=key, secret=secret, room=room, identity=identity, environment=environment
    )


def test_a_token_is_taken_as_given() -> None:
    assert token({}, token=" abc\n") == "abc"
    assert token(ENVIRONMENT, token="abc") == "abc"
    assert token(ENVIRONMENT) == "env-token"


def test_a_key_gives_a_token_that_permits_what_join_does() -> None:
    made = token(ENVIRONMENT, key="key", secret=SECRET, room="r", identity="bob")
    claims = verified(made)
    assert claims.identity == "bob"
    assert claims.video is not None
    assert claims.video.room == "r"
    assert claims.video.room_join
    assert claims.video.can_publish
    assert claims.video.can_subscribe
    assert claims.video.can_publish_data
    assert claims.video.can_update_own_metadata


def test_a_flag_wins_over_each_variable() -> None:
    env_keys = Keys(key="env-key", secret="env-" + SECRET)
    assert verified(token(ENVIRONMENT, room="r", identity="i"), env_keys).identity == "i"
    mixed = Keys(key="key", secret="env-" + SECRET)
    assert verified(token(ENVIRONMENT, key="key", room="r", identity="i"), mixed).identity == "i"


@pytest.mark.parametrize(
    ("flags", "environment", "complaint"),
    [
        ({}, {}, "nothing says who joins; give --token"),
        ({"token": " "}, {}, "--token is empty"),
        ({"token": "t", "key": "k"}, {}, "leave out --api-key$"),
        ({"token": "t", "room": "r", "identity": "i"}, {}, "leave out --room and --identity$"),
        ({"key": "k"}, {}, r"^--api-secret \(or LIVEKIT_API_SECRET\) must be given"),
        ({"secret": "s"}, {}, r"^--api-key \(or LIVEKIT_API_KEY\) must be given"),
        ({"room": "r"}, {}, "^--api-key .* and --api-secret .* must be given along with --room$"),
        (
            {"identity": "i"},
            {"LIVEKIT_TOKEN": "t", "LIVEKIT_API_KEY": "k"},
            "^--api-secret .* must be given along with --identity$",
        ),
        ({"key": "k", "secret": ""}, {}, "--api-secret is empty"),
        ({"key": "k", "secret": "s"}, {}, "^--room and --identity must be given"),
        ({"key": "k", "secret": "s", "room": "r", "identity": ""}, {}, "^--identity must be"),
        ({}, {"LIVEKIT_API_KEY": "k"}, "--api-secret"),
        ({}, {"LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s"}, "--room and --identity"),
    ],
)
def test_what_cannot_be_used_is_explained(
    flags: dict[str, str], environment: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        token(environment, **flags)


def test_complaints_show_no_secret() -> None:
    with pytest.raises(UsageError) as error:
        token({}, token="hush-hush", secret="very-hush")
    assert "hush" not in str(error.value)


def test_keys_say_what_for() -> None:
    assert keys_from("k", " s ", {}, wanted_for="") == Keys(key="k", secret="s")
    with pytest.raises(UsageError, match=r"to mint a token$"):
        keys_from(None, None, {}, wanted_for="to mint a token")


# --- values ---


def test_attributes() -> None:
    assert attributes_from([]) == {}
    assert attributes_from(["a=1", "b=", "c=x=y"]) == {"a": "1", "b": "", "c": "x=y"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [(["a"], "key=value"), (["=1"], "key=value"), (["a=1", "a=2"], '"a" is given twice')],
)
def test_wrong_attributes(given: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        attributes_from(given)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30", timedelta(seconds=30)),
        (" 30s ", timedelta(seconds=30)),
        (".5", timedelta(seconds=0.5)),
        ("1.5h", timedelta(hours=1.5)),
        ("5 m", timedelta(minutes=5)),
        ("2d", timedelta(days=2)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert duration_of("--valid-for", text) == span.total_seconds()


@pytest.mark.parametrize("text", ["", "-1", "0", "soon", "1e3", "nan", "inf", "5w", "9" * 400, "٣"])
def test_no_durations(text: str) -> None:
    with pytest.raises(UsageError, match=r"--valid-for .* must be a time above zero"):
        duration_of("--valid-for", text)


def test_zero_where_it_makes_sense() -> None:
    assert duration_of("--duration", "0", zero=True) == 0
    with pytest.raises(UsageError, match="must be a time, in seconds"):
        duration_of("--duration", "-1", zero=True)
