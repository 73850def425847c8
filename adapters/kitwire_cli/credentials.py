"""Where to go and as whom: from flags and the environment variables of LiveKit's ecosystem.

A flag always wins over the environment, and a whole way of proving who we are (a token, or key and
secret) given by flags wins over the other way given by the environment. Errors say which flag or
variable a value came from and never show the value of a secret.
"""

from __future__ import annotations

import re
import time
import uuid
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import jwt

from .terminal import quoted

__all__ = [
    "API_KEY",
    "API_SECRET",
    "TOKEN",
    "URL",
    "Grants",
    "Identity",
    "Keys",
    "UsageError",
    "attributes_from",
    "duration_of",
    "keys_from",
    "mint",
    "token_from",
    "url_from",
]

URL: Final = "LIVEKIT_URL"
API_KEY: Final = "LIVEKIT_API_KEY"
API_SECRET: Final = "LIVEKIT_API_SECRET"
TOKEN: Final = "LIVEKIT_TOKEN"

VALID_FOR: Final = 6 * 3600.0
"""Seconds that a token is valid for unless told otherwise: what LiveKit's own libraries use."""


class UsageError(Exception):
    """The command line cannot be followed. The text is one sentence: what is wrong, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """An API key and its secret."""

    key: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a token speaks of."""

    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What a token permits: LiveKit's video grant. None leaves a grant out, as its default."""

    room: str = ""
    room_join: bool | None = None
    room_create: bool | None = None
    room_list: bool | None = None
    room_admin: bool | None = None
    can_publish: bool | None = None
    can_subscribe: bool | None = None
    can_publish_data: bool | None = None
    can_publish_sources: tuple[str, ...] | None = None
    can_update_own_metadata: bool | None = None
    hidden: bool | None = None

    def claim(self) -> dict[str, object]:
        """The grant as the token carries it: camelCase, without what is left out."""
        granted: dict[str, object] = {"room": self.room} if self.room else {}
        for name in self.__slots__:
            value = getattr(self, name)
            if name != "room" and value is not None:
                granted[_camel(name)] = list(value) if isinstance(value, tuple) else value
        return granted


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def mint(
    keys: Keys,
    identity: Identity,
    grants: Grants,
    *,
    valid_for: float = VALID_FOR,
    now: float | None = None,
) -> str:
    """A signed access token (HS256), with the claims that LiveKit's servers read.

    ``valid_for`` and ``now`` are in seconds; ``now`` is since 1970 and the wall clock by default.
    """
    issued = time.time() if now is None else now
    claims: dict[str, object] = {
        "iss": keys.key,
        "sub": identity.identity,
        "nbf": int(issued),
        "exp": int(issued + valid_for),
        "jti": str(uuid.uuid4()),
        "video": grants.claim(),
    }
    optional = {
        "name": identity.name,
        "metadata": identity.metadata,
        "attributes": dict(identity.attributes),
    }
    claims |= {name: value for name, value in optional.items() if value}
    with warnings.catch_warnings():
        # Servers in development mode have the secret "secret"; its length is not ours to judge.
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(claims, keys.secret, algorithm="HS256")


# --- from flags and environment --------------------------------------------------------------


def url_from(flag: str | None, environment: Mapping[str, str]) -> tuple[str, str]:
    """The server's URL and where it was given, for errors. Raises UsageError when it is not."""
    if flag is not None:
        if not flag.strip():
            raise UsageError("the URL is empty; give the server's, such as ws://localhost:7880")
        return flag.strip(), "on the command line"
    if url := _variable(environment, URL):
        return url, f"in {URL}"
    raise UsageError(f"no server to join; give its URL, such as ws://localhost:7880, or set {URL}")


def keys_from(
    key: str | None, secret: str | None, environment: Mapping[str, str], *, wanted_for: str
) -> Keys:
    """The API key and secret. Raises UsageError that names what is missing."""
    key = _flag_or_variable("--api-key", key, API_KEY, environment)
    secret = _flag_or_variable("--api-secret", secret, API_SECRET, environment)
    missing = [
        f"{flag} (or {variable})"
        for flag, variable, value in (
            ("--api-key", API_KEY, key),
            ("--api-secret", API_SECRET, secret),
        )
        if value is None
    ]
    if key is None or secret is None:
        raise UsageError(f"{' and '.join(missing)} must be given {wanted_for}")
    return Keys(key=key, secret=secret)


def token_from(
    *,
    token: str | None,
    key: str | None,
    secret: str | None,
    room: str | None,
    identity: str | None,
    environment: Mapping[str, str],
) -> str:
    """The access token to join with: as given, or minted with everything that `join` does.

    Raises UsageError for nothing usable, for both ways at once, and for half of one.
    """
    by_key = {"--api-key": key, "--api-secret": secret, "--room": room, "--identity": identity}
    if token is not None:
        if extra := [flag for flag, value in by_key.items() if value is not None]:
            raise UsageError(
                f"--token already says who joins which room; leave out {' and '.join(extra)}"
            )
        if not token.strip():
            raise UsageError("--token is empty; give an access token, or --api-key and the rest")
        return token.strip()
    if all(value is None for value in by_key.values()):
        if given := _variable(environment, TOKEN):
            return given
        if not (_variable(environment, API_KEY) or _variable(environment, API_SECRET)):
            raise UsageError(
                "nothing says who joins; give --token, or --api-key, --api-secret, --room and "
                f"--identity (or set {TOKEN}, or {API_KEY} and {API_SECRET})"
            )
    flags = [flag for flag, value in by_key.items() if value is not None]
    wanted_for = f"along with {' and '.join(flags)}" if flags else "to join without a token"
    keys = keys_from(key, secret, environment, wanted_for=wanted_for)
    if missing := [
        flag for flag, value in (("--room", room), ("--identity", identity)) if not value
    ]:
        raise UsageError(f"{' and '.join(missing)} must be given to join with an API key")
    grants = Grants(
        room=room or "",
        room_join=True,
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
        can_update_own_metadata=True,
    )
    return mint(keys, Identity(identity=identity or ""), grants)


def _flag_or_variable(
    flag: str, value: str | None, variable: str, environment: Mapping[str, str]
) -> str | None:
    if value is not None and not value.strip():
        raise UsageError(f"{flag} is empty")
    return value.strip() if value is not None else _variable(environment, variable)


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    return environment.get(name, "").strip() or None


# --- values of flags -------------------------------------------------------------------------


def attributes_from(given: Iterable[str]) -> dict[str, str]:
    """``["mood=happy"]`` as ``{"mood": "happy"}``. Raises UsageError: no ``=``, or a key twice."""
    attributes: dict[str, str] = {}
    for attribute in given:
        key, equals, value = attribute.partition("=")
        if not equals or not key:
            raise UsageError(f"--attribute {quoted(attribute)} must be key=value")
        if key in attributes:
            raise UsageError(f"--attribute {quoted(key)} is given twice; give it once")
        attributes[key] = value
    return attributes


_UNITS: Final[Mapping[str, float]] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d+\.?\d*|\.\d+)\s*([smhd]?)", re.ASCII)

_LONGEST_DURATION: Final = 10 * 365 * 86400.0
"""Seconds. What is longer is a slip of the finger, and would overflow timers and claims."""


def duration_of(flag: str, text: str, *, zero: bool = False) -> float:
    """``30``, ``30s``, ``5m``, ``1.5h`` or ``2d`` in seconds. Raises UsageError otherwise.

    ``zero`` allows 0.
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if not 0 <= seconds <= _LONGEST_DURATION or (seconds == 0 and not zero):
        bound = "a time" if zero else "a time above zero"
        raise UsageError(
            f"{flag} {quoted(text)} must be {bound}, in seconds or such as 30s, 5m or 6h"
        )
    return seconds
