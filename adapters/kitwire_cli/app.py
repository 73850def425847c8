"""The commands: `kitwire join`, `replay` and `token`; those for media have a module of their own.

Whatever goes wrong, a user reads one sentence on stderr, and a script reads the exit code.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Annotated, Final, Literal, TextIO

from cyclopts import App, CycloptsError, Parameter

from kitwire._version import __version__
from kitwire.codec import implementation
from kitwire.config import (
    ClientConfig,
    ClientOptions,
    Encoding,
    PathVersion,
    ReconnectPolicy,
    Timeouts,
)

from . import credentials
from .credentials import Grants, Identity, UsageError
from .exit_codes import INTERRUPTED, ExitCode, exit_code, sentence
from .interrupts import Switch, interrupts
from .loops import RUNNERS, LoopName, Plan, Runner
from .media_commands import MediaCommands, watching_runner
from .options import (
    ApiKey,
    ApiSecret,
    Attributes,
    Bind,
    Credentials,
    Duration,
    IceServers,
    Json,
    NoReconnect,
    PathName,
    Token,
    Url,
    plan_from,
)
from .report import Readable, Report, as_json
from .terminal import Secrets, one_line, quoted
from .transcripts import difference_in, recording
from .usage import spread_attributes, usage_sentence

__all__ = ["TIMEOUTS", "run"]

TIMEOUTS: Final = Timeouts()
"""How long `join` waits for what: the defaults of the library."""

_HELP = """Join LiveKit rooms, watch what happens in them, publish and record.

Exit codes: 0 left normally, 1 a replay that differs, 2 usage, 3 refused by the server,
4 unreachable, timed out or failing, 5 ended by the server, 130 interrupted before the room was
joined.
"""

_Grant = Annotated[bool | None, Parameter(show_default=False)]


def run(arguments: Sequence[str], environment: Mapping[str, str], *, started: float) -> int:
    """Run one command line and return its exit code. ``started`` is by the monotonic clock."""
    with contextlib.ExitStack() as stack:
        # A process may be started without them.
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        commands = _Commands(
            environment=environment,
            started=started,
            out=_lenient(sys.stdout) or nowhere,
            err=_lenient(sys.stderr) or nowhere,
        )
        try:
            return commands.run(arguments)
        except UsageError as error:
            return commands.fail(ExitCode.USAGE, str(error))
        except BrokenPipeError:
            _discard(commands.out)
            return ExitCode.LEFT
        except Exception as error:  # noqa: BLE001 - the last resort: a sentence, not a traceback
            return commands.fail(ExitCode.BROKEN, _defect(error))


def _lenient(stream: TextIO | None) -> TextIO | None:
    """The stream, showing as escapes what its encoding cannot express."""
    if stream is not None and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _discard(out: TextIO) -> None:
    """Let the interpreter's last flush of an output that nobody reads go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, out.fileno())
        os.close(nowhere)


def _defect(error: Exception) -> str:
    """Where a defect of ours shows, without the text of the error, which may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"kitwire itself has failed ({type(error).__name__}{where}); please report this"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Commands:
    """The commands, and what of the world they use."""

    environment: Mapping[str, str]
    started: float
    out: TextIO
    err: TextIO

    def run(self, arguments: Sequence[str]) -> int:
        """Find the command and run it."""
        app = App(
            name="kitwire",
            version=f"kitwire {__version__} ({implementation} codec)",
            help=_HELP,
            help_format="plaintext",
            result_action="return_value",
            suppress_keyboard_interrupt=False,
        )
        media = MediaCommands(environment=self.environment, timeouts=TIMEOUTS, watch=self._watch)
        app.command(self.join)
        app.command(media.publish)
        app.command(media.record)
        app.command(self.replay)
        app.command(self.token)
        try:
            code = app(spread_attributes(arguments), exit_on_error=False, print_error=False)
        except CycloptsError as error:
            command = " ".join(("kitwire", *(error.command_chain or ())))
            sentence = usage_sentence(error)
            return self.fail(ExitCode.USAGE, f"{sentence} (see {command} --help)")
        return code if isinstance(code, int) else ExitCode.LEFT

    def fail(self, code: ExitCode, text: str, secrets: Secrets | None = None) -> int:
        """Say what was wrong and return the code."""
        with contextlib.suppress(OSError):
            self.err.write(f"error: {(secrets or Secrets()).masked(text)}\n")
            self.err.flush()
        return code

    def join(
        self,
        url: Url = None,
        *,
        token: Token = None,
        api_key: ApiKey = None,
        api_secret: ApiSecret = None,
        room: str | None = None,
        identity: str | None = None,
        loop: LoopName = "asyncio",
        path: PathName = "auto",
        encoding: Literal["binary", "json"] = "binary",
        metadata: str = "",
        attribute: Attributes = None,
        media: Annotated[bool, Parameter(negative="")] = False,
        ice_servers: IceServers = None,
        bind: Bind = None,
        no_reconnect: NoReconnect = False,
        duration: Duration = None,
        record: Annotated[str | None, Parameter(show_default=False)] = None,
        json: Json = False,
    ) -> int:
        """Join a room and tell what happens in it, until Ctrl-C.

        Parameters
        ----------
        room
            The room to join, with an API key.
        identity
            Who joins it, with an API key.
        loop
            Which of the three ways of use to join by.
        path
            The signal path: /rtc/v1 with /rtc to fall back to, or one of them alone.
        encoding
            How requests are written.
        metadata
            Participant metadata to join with.
        media
            Receive audio and video too, and print levels and resolutions.
        ice_servers
            With --media, the STUN and TURN servers to use: those of the server, or none.
        bind
            With --media, a local address to receive media at; may be repeated.
        no_reconnect
            End when the connection is lost, rather than come back.
        duration
            Leave so many seconds after joining.
        record
            Write a transcript for kitwire replay into this file, which is replaced.
        json
            Print JSON Lines.
        """
        options: ClientOptions = {
            "path": PathVersion(path),
            "encoding": Encoding(encoding),
            "metadata": metadata,
            "attributes": credentials.attributes_from(attribute or ()),
            "reconnect": None if no_reconnect else ReconnectPolicy(),
            "timeouts": TIMEOUTS,
        }
        who = Credentials(
            token=token, api_key=api_key, api_secret=api_secret, room=room, identity=identity
        )
        plan = plan_from(url, who, duration, options, self.environment)
        if not media:
            if ice_servers is not None or bind is not None:
                raise UsageError("--ice-servers and --bind are for --media")
            return self._join(plan, plan.config, RUNNERS[loop], record, as_lines=json)
        if loop != "asyncio":
            raise UsageError("--media needs --loop asyncio")
        runner = watching_runner(ice_servers, bind)
        return self._join(plan, runner.configured(plan.config), runner, record, as_lines=json)

    def _join(
        self,
        plan: Plan,
        config: ClientConfig,
        runner: Runner,
        record: str | None,
        *,
        as_lines: bool,
    ) -> int:
        """Run a plan, recording it if asked to: ``config`` is what its client will have."""
        if record is None:
            return self._watch(plan, runner, as_lines=as_lines)
        with recording(record, plan.token) as recorder:
            recorder.begin(config)
            options: ClientOptions = {**plan.options, "trace": recorder}
            code = self._watch(replace(plan, options=options), runner, as_lines=as_lines)
        if recorder.complaint is None:
            return code
        broken = self.fail(ExitCode.BROKEN, recorder.complaint)
        return code or broken  # how the stay ended counts for more

    def _watch(self, plan: Plan, runner: Runner, *, as_lines: bool) -> int:
        secrets = Secrets(plan.token)
        switch = Switch()
        report = Report(
            as_json(secrets) if as_lines else Readable(self.out, secrets),
            self.out,
            elapsed=lambda: monotonic() - self.started,
            on_unwritable=switch.pull,
        )
        with interrupts(switch):
            try:
                runner(plan, report, switch)
            except ImportError as missing:
                if missing.name is not None:
                    raise  # not an adapter's sentence about its extra, but a defect
                return self.fail(ExitCode.USAGE, one_line(str(missing)), secrets)
        if report.unwritable is not None:
            _discard(self.out)
            if not isinstance(report.unwritable, BrokenPipeError):
                why = report.unwritable.strerror or "unknown error"
                return self.fail(ExitCode.BROKEN, f"the output cannot be written: {why}")
        assert report.closed is not None, "every run ends with Closed"
        if switch.signal and not report.joined:
            return INTERRUPTED + switch.signal
        code = exit_code(report.closed)
        if code:
            return self.fail(code, sentence(report.closed), secrets)
        return self.fail(*report.complaint, secrets) if report.complaint else code

    def replay(self, file: str, /) -> int:
        """Give the inputs of a transcript to a fresh session, and compare what it does.

        Parameters
        ----------
        file
            What kitwire join --record has written.
        """
        found = difference_in(file)
        if found is None:
            self.out.write("no difference\n")
            self.out.flush()
            return ExitCode.LEFT
        for word, line in (("expected", found.expected), ("got", found.got)):
            shown = "nothing" if line is None else one_line(line, longest=len(line))
            self.out.write(f"{word:8}  {Secrets().masked(shown)}\n")
        self.out.flush()
        where = f", {one_line(found.where)}" if found.where else ""
        return self.fail(ExitCode.BROKEN, f"{quoted(file)} differs in line {found.line}{where}")

    def token(
        self,
        *,
        api_key: ApiKey = None,
        api_secret: ApiSecret = None,
        room: str = "",
        identity: str = "",
        name: str = "",
        metadata: str = "",
        attribute: Attributes = None,
        valid_for: str = "6h",
        room_join: bool = True,
        room_create: _Grant = None,
        room_list: _Grant = None,
        room_admin: _Grant = None,
        can_publish: _Grant = None,
        can_subscribe: _Grant = None,
        can_publish_data: _Grant = None,
        can_publish_source: Annotated[
            list[Literal["camera", "microphone", "screen_share", "screen_share_audio"]] | None,
            Parameter(negative="", show_default=False),
        ] = None,
        can_update_own_metadata: _Grant = None,
        hidden: _Grant = None,
    ) -> int:
        """Mint an access token and print it.

        Parameters
        ----------
        room
            The room that the token is for.
        identity
            Who joins with it.
        name
            Their name, for people.
        metadata
            Their metadata.
        valid_for
            How long, such as 90s, 30m or 6h.
        room_join
            Grant joining the room.
        room_create
            Grant creating and deleting rooms.
        room_list
            Grant listing rooms.
        room_admin
            Grant moderating the room.
        can_publish
            Grant publishing tracks; the server's default is yes.
        can_subscribe
            Grant subscribing to tracks; the server's default is yes.
        can_publish_data
            Grant sending data; the server's default is yes.
        can_publish_source
            Grant publishing from this source only; may be repeated.
        can_update_own_metadata
            Grant changing one's own metadata; the server's default is no.
        hidden
            Hide the participant from the others.
        """
        keys = credentials.keys_from(
            api_key, api_secret, self.environment, wanted_for="to mint a token"
        )
        needed = (("--room", room), ("--identity", identity))
        if room_join and (missing := [flag for flag, value in needed if not value]):
            raise UsageError(
                f"{' and '.join(missing)} must be given for a token that permits joining "
                "(--no-room-join mints one that does not)"
            )
        grants = Grants(
            room=room,
            room_join=room_join,
            room_create=room_create,
            room_list=room_list,
            room_admin=room_admin,
            can_publish=can_publish,
            can_subscribe=can_subscribe,
            can_publish_data=can_publish_data,
            can_publish_sources=tuple(can_publish_source) if can_publish_source else None,
            can_update_own_metadata=can_update_own_metadata,
            hidden=hidden,
        )
        whom = Identity(
            identity=identity,
            name=name,
            metadata=metadata,
            attributes=credentials.attributes_from(attribute or ()),
        )
        valid = credentials.duration_of("--valid-for", valid_for)
        self.out.write(credentials.mint(keys, whom, grants, valid_for=valid) + "\n")
        self.out.flush()
        return ExitCode.LEFT
