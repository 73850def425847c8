"""What the commands that join have in common: their options, and the plan made of them."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from kitwire.client import Client
from kitwire.config import ClientOptions

from . import credentials
from .credentials import UsageError
from .loops import Plan
from .terminal import Secrets, one_line, quoted

__all__ = [
    "ApiKey",
    "ApiSecret",
    "Attributes",
    "Bind",
    "Credentials",
    "Duration",
    "IceServers",
    "Json",
    "NoReconnect",
    "PathName",
    "Token",
    "Url",
    "addresses_from",
    "plan_from",
]

Url = Annotated[
    str | None, Parameter(help="The server: ws://, wss://, http:// or https://. [env: LIVEKIT_URL]")
]
Token = Annotated[str | None, Parameter(help="The access token. [env: LIVEKIT_TOKEN]")]
ApiKey = Annotated[str | None, Parameter(help="The API key. [env: LIVEKIT_API_KEY]")]
ApiSecret = Annotated[str | None, Parameter(help="Its secret. [env: LIVEKIT_API_SECRET]")]
Attributes = Annotated[
    list[str] | None, Parameter(name="--attribute", negative="", help="k=v; may be repeated.")
]
PathName = Literal["auto", "v1", "v0"]
IceServers = Annotated[Literal["server", "none"] | None, Parameter(show_default=False)]
Bind = Annotated[list[str] | None, Parameter(negative="", show_default=False)]
NoReconnect = Annotated[bool, Parameter(negative="")]
Duration = Annotated[str | None, Parameter(show_default=False)]
Json = Annotated[bool, Parameter(negative="")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What options say about who joins; the environment may say the rest."""

    token: str | None
    api_key: str | None
    api_secret: str | None
    room: str | None
    identity: str | None


def plan_from(
    url: str | None,
    who: Credentials,
    duration: str | None,
    options: ClientOptions,
    environment: Mapping[str, str],
) -> Plan:
    """The plan of a command that joins. Raises UsageError for one that no client can follow."""
    address, given = credentials.url_from(url, environment)
    plan = Plan(
        url=address,
        token=credentials.token_from(
            token=who.token,
            key=who.api_key,
            secret=who.api_secret,
            room=who.room,
            identity=who.identity,
            environment=environment,
        ),
        options=options,
        duration=(
            None if duration is None else credentials.duration_of("--duration", duration, zero=True)
        ),
    )
    try:
        Client(plan.config)
    except ValueError as error:
        raise UsageError(
            f"joining is not possible with the URL given {given}: "
            f"{Secrets(plan.token).masked(one_line(str(error)))}"
        ) from error
    return plan


def addresses_from(bind: Sequence[str] | None) -> tuple[str, ...] | None:
    """The addresses of `--bind`, None without any.

    Raises UsageError for what this machine cannot send from.
    """
    if bind is None:
        return None
    for address in bind:
        _require_local(address)
    return tuple(dict.fromkeys(bind))


def _require_local(address: str) -> None:
    with contextlib.suppress(ValueError, OSError):
        version = ipaddress.ip_address(address).version
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
        return
    raise UsageError(f"--bind {quoted(address)} must be an IP address of this machine")
