"""`kitwire publish` and `kitwire record`, and what `kitwire join --media` has in common with them.

Nothing of the extra `[media]` is imported before it is needed, so that what is missing is a
sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Protocol

from cyclopts import Parameter

from kitwire.config import ClientOptions, PathVersion, ReconnectPolicy, Timeouts

from .credentials import UsageError
from .loops import Plan, Runner
from .options import (
    ApiKey,
    ApiSecret,
    Bind,
    Credentials,
    Duration,
    IceServers,
    Json,
    NoReconnect,
    PathName,
    Token,
    Url,
    addresses_from,
    plan_from,
)
from .terminal import one_line

if TYPE_CHECKING:
    from .media_loop import Activity, MediaRunner

__all__ = ["MediaCommands", "Watch", "media_runner", "watching_runner"]

_Words = Annotated[str, Parameter(name="SOURCE", show_default=False)]

_URL: Final = re.compile(r"(?:wss?|https?)://", re.IGNORECASE)


class Watch(Protocol):
    """Runs a plan to its end, and returns the exit code."""

    def __call__(self, plan: Plan, runner: Runner, *, as_lines: bool) -> int:
        """Run it."""


def media_runner(
    ice_servers: str | None, bind: list[str] | None, prepare: Callable[[], Activity]
) -> MediaRunner:
    """What joins with media.

    Args:
        ice_servers: ``none``, or ``server`` for those that the server hands out.
        bind: the local addresses to send from; all but loopback with None.
        prepare: makes what to do in the room. It may import what needs the extra `[media]`.

    Raises:
        UsageError: for addresses that cannot be, for what is not installed, and what ``prepare``
            raises.
    """
    addresses = addresses_from(bind)
    try:
        from kitwire_aiortc import Gathering

        from .media_loop import MediaRunner
    except ImportError as missing:
        if "pip install" not in str(missing):
            raise  # not a sentence about the extra, but a defect
        raise UsageError(one_line(str(missing))) from missing
    gathering = Gathering(ice_servers=() if ice_servers == "none" else None, addresses=addresses)
    return MediaRunner(gathering=gathering, activity=prepare())


def watching_runner(ice_servers: str | None, bind: list[str] | None) -> MediaRunner:
    """For `kitwire join --media`. Raises UsageError as :func:`media_runner` does."""

    def prepare() -> Activity:
        from .tracks import Watching

        return Watching()

    return media_runner(ice_servers, bind, prepare)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaCommands:
    """The commands, and what of the world they use."""

    environment: Mapping[str, str]
    timeouts: Timeouts
    watch: Watch

    def publish(
        self,
        *sources: _Words,
        url: Url = None,
        token: Token = None,
        api_key: ApiKey = None,
        api_secret: ApiSecret = None,
        room: str | None = None,
        identity: str | None = None,
        path: PathName = "auto",
        ice_servers: IceServers = None,
        bind: Bind = None,
        no_reconnect: NoReconnect = False,
        duration: Duration = None,
        json: Json = False,
    ) -> int:
        """Join a room and publish into it, until everything is over or Ctrl-C.

        Parameters
        ----------
        sources
            [URL] and what to publish: tone (440 Hz), pattern, or files with audio or video.
        room
            The room to join, with an API key.
        identity
            Who joins it, with an API key.
        path
            The signal path: /rtc/v1 with /rtc to fall back to, or one of them alone.
        ice_servers
            The STUN and TURN servers to use: those of the server, or none.
        bind
            A local address to send media from; may be repeated.
        no_reconnect
            End when the connection is lost, rather than come back.
        duration
            Leave so many seconds after joining.
        json
            Print JSON Lines.
        """
        words = list(sources)
        if words and url is None and _URL.match(words[0]):
            url = words.pop(0)
        if not words:
            raise UsageError("nothing to publish; name tone, pattern or a file")
        who = Credentials(
            token=token, api_key=api_key, api_secret=api_secret, room=room, identity=identity
        )
        plan = self._plan(url, who, duration, path, no_reconnect=no_reconnect)

        def prepare() -> Activity:
            from .publishing import Publishing, sources_from

            return Publishing(sources_from(words))

        return self.watch(plan, media_runner(ice_servers, bind, prepare), as_lines=json)

    def record(
        self,
        url: Url = None,
        *,
        out: str,
        token: Token = None,
        api_key: ApiKey = None,
        api_secret: ApiSecret = None,
        room: str | None = None,
        identity: str | None = None,
        path: PathName = "auto",
        ice_servers: IceServers = None,
        bind: Bind = None,
        no_reconnect: NoReconnect = False,
        duration: Duration = None,
        json: Json = False,
    ) -> int:
        """Join a room and record every track of the others, until Ctrl-C.

        Parameters
        ----------
        out
            The folder for the files, one for each track; it is made if need be.
        room
            The room to join, with an API key.
        identity
            Who joins it, with an API key.
        path
            The signal path: /rtc/v1 with /rtc to fall back to, or one of them alone.
        ice_servers
            The STUN and TURN servers to use: those of the server, or none.
        bind
            A local address to receive media at; may be repeated.
        no_reconnect
            End when the connection is lost, rather than come back.
        duration
            Leave so many seconds after joining.
        json
            Print JSON Lines.
        """
        who = Credentials(
            token=token, api_key=api_key, api_secret=api_secret, room=room, identity=identity
        )
        plan = self._plan(url, who, duration, path, no_reconnect=no_reconnect)

        def prepare() -> Activity:
            from .recording import Recording, folder_from

            return Recording(folder_from(out))

        return self.watch(plan, media_runner(ice_servers, bind, prepare), as_lines=json)

    def _plan(
        self,
        url: str | None,
        who: Credentials,
        duration: str | None,
        path: PathName,
        *,
        no_reconnect: bool,
    ) -> Plan:
        options: ClientOptions = {
            "path": PathVersion(path),
            "reconnect": None if no_reconnect else ReconnectPolicy(),
            "timeouts": self.timeouts,
        }
        return plan_from(url, who, duration, options, self.environment)
