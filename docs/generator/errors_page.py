"""docs/errors.md: exceptions, why connections end and requests fail, the command's exit codes.

What each situation leads to is not written down here: the functions that decide it are run.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from kitwire import config, errors, messages
from kitwire.config import ClientConfig, Timeouts
from kitwire.errors import CloseReason, DialError, FailureReason, Origin, Reason
from kitwire.events import LeaveReceived, RequestKey
from kitwire.session.methods import RequestMethods
from kitwire.session.reasons import (
    closed_by_application,
    dial_reason,
    lost_reason,
    media_reason,
    protocol_reason,
    refusal_reason,
    server_leave_reason,
    timeout_reason,
)
from kitwire.session.requests import Completion, Match
from kitwire_cli import exit_codes
from kitwire_cli.exit_codes import ExitCode

from .events_page import ANCHORS
from .source import ClassFacts, classes_of
from .text import header, markdown, paragraphs, table

__all__ = ["page"]

_INTRO = """\
# Errors

Nothing that a network or a peer does makes a method of the core raise. A connection that ends
says why in its last event, [`Closed`](events.md#closed); a request that fails says why in
[`RequestEnded`](events.md#requestended). The awaitable rooms of `kitwire_asyncio` and
`kitwire_trio` turn these into exceptions at the place that waits:

```python
import kitwire


def advice(error: kitwire.KitwireError) -> str:
    match error:
        case kitwire.ConnectFailed(reason=reason) if reason.retryable:
            return "try again in a moment"
        case kitwire.ConnectFailed(reason=kitwire.CloseReason(reason=kitwire.Reason.BAD_TOKEN)):
            return "mint a new token"
        case kitwire.RequestFailed(reason=kitwire.FailureReason.NOT_ALLOWED):
            return "ask for a token with that grant"
        case _:
            return str(error)


expired = kitwire.CloseReason(
    origin=kitwire.Origin.AUTH,
    reason=kitwire.Reason.BAD_TOKEN,
    detail="HTTP 401",
    retryable=False,
)
assert advice(kitwire.ConnectFailed(expired)) == "mint a new token"
```

Compare `reason` in code; `detail` and `message` are words for people, free of secrets, and may
change.

"""


def page() -> str:
    """The page."""
    parts = [
        header("src/kitwire/errors.py, src/kitwire/session and adapters/kitwire_cli/exit_codes.py"),
        _INTRO,
        _exceptions(),
        _close_reason(),
        _situations(),
        _request_failures(),
        _requests(),
        _exit_codes(),
    ]
    return "".join(parts).rstrip("\n") + "\n"


def _facts(name: str) -> ClassFacts:
    return next(each for each in classes_of(errors) if each.name == name)


_ANCHORS: Final = {each.name: f"#{each.name.lower()}" for each in classes_of(errors)} | ANCHORS


def _markdown(text: str) -> str:
    return markdown(text, _ANCHORS.get)


# --- exceptions ------------------------------------------------------------------------------


def _exceptions() -> str:
    parts = ["## Exceptions\n\n"]
    for facts in classes_of(errors):
        described = getattr(errors, facts.name)
        if issubclass(described, errors.KitwireError):
            bases = [f"`{base.__name__}`" for base in described.__bases__]
            parts.append(f"### {facts.name}\n\nA kind of {' and '.join(bases)}. ")
            parts.append(paragraphs(facts.doc, _ANCHORS.get) + "\n\n")
    return "".join(parts)


# --- why a connection ends -------------------------------------------------------------------


def _fields(facts: ClassFacts) -> str:
    rows = [
        (f"`{each.name}`", f"`{each.annotation}`", _markdown(each.doc)) for each in facts.members
    ]
    return table(("Field", "Type", "Meaning"), rows) + "\n"


def _close_reason() -> str:
    reason, origin = _facts("CloseReason"), _facts("Origin")
    rows = [(f"`{each.name}`", _markdown(each.doc)) for each in origin.members]
    return (
        "## Why a connection ends\n\n"
        f"### CloseReason\n\n{paragraphs(reason.doc, _ANCHORS.get)}\n\n{_fields(reason)}"
        f"### Origin\n\n{paragraphs(origin.doc, _ANCHORS.get)}\n\n"
        f"{table(('Origin', 'Meaning'), rows)}\n"
        f"### Reason\n\n{paragraphs(_facts('Reason').doc, _ANCHORS.get)}\n\n{_reasons()}"
    )


def _reasons() -> str:
    rows = []
    for member in _facts("Reason").members:
        reason = Reason[member.name]
        local = reason in (Reason.CLIENT_INITIATED, Reason.CANCELLED)
        sample = CloseReason(
            origin=Origin.LOCAL if local else Origin.SERVER,
            reason=reason,
            detail="",
            retryable=False,
        )
        said = exit_codes.sentence(sample)
        meaning = _markdown(member.doc) or said[0].upper() + said[1:] + "."
        rows.append((f"`{member.name}`", meaning, str(int(exit_codes.exit_code(sample)))))
    return table(("Reason", "Meaning", "Exit code of `kitwire join`"), rows) + "\n"


_SITUATIONS_INTRO = """\
### From what happened to the reason

What becomes of it, as the functions that decide say. Whether an HTTP answer is about the token
or about the room follows from the server's sentence, which the upgrade or `/validate` brings. A
404 on `/rtc/v1` means a fallback to `/rtc` first, unless `path` says otherwise.

"""


def _situations() -> str:
    rows = []
    for happened, reason in (*_http(), *_dials(), *_own(), *_leaves()):
        retry = "yes" if reason.retryable else "no"
        named = "the leave's" if happened.startswith("leave") else f"`{reason.reason}`"
        rows.append((happened, f"`{reason.origin}`", named, retry))
    heads = ("What happened", "`origin`", "`reason`", "`retryable`")
    return _SITUATIONS_INTRO + table(heads, rows) + "\n"


def _http() -> list[tuple[str, CloseReason]]:
    samples = (
        (401, "no permissions to access the room"),
        (401, "invalid API key: x"),
        (401, "invalid token: x, error: x"),
        (401, "permissions denied"),
        (401, "does not have permission to update own metadata"),
        (403, ""),
        (400, "no room name"),
        (404, "requested room does not exist"),
        (404, ""),
        (200, ""),
        (302, ""),
        (429, ""),
        (500, ""),
        (503, ""),
    )
    return [
        (
            f"HTTP {status}" + (f", “{body}”" if body else ", anything else"),
            refusal_reason(status, body.encode()),
        )
        for status, body in samples
    ]


def _dials() -> list[tuple[str, CloseReason]]:
    return [(f"`dial_failed` with `{error}`", dial_reason(error, "")) for error in DialError]


def _own() -> list[tuple[str, CloseReason]]:
    return [
        ("the connection or its upgrade was not answered", _timeout(Reason.OPEN_TIMEOUT)),
        ("no join message came", _timeout(Reason.JOIN_TIMEOUT)),
        ("the server went silent", _timeout(Reason.PING_TIMEOUT)),
        ("the connection closed and nobody had said why", lost_reason(None, "")),
        ("the peer connections cannot go on", media_reason("")),
        ("malformed frames in a row", protocol_reason("")),
        ("the application left the room", closed_by_application(joined=True)),
        ("the application closed before the join", closed_by_application(joined=False)),
    ]


def _timeout(reason: Reason) -> CloseReason:
    return timeout_reason(reason, "")


def _leaves() -> list[tuple[str, CloseReason]]:
    """Leave messages by their action, and those to disconnect by what comes of their reason."""
    action = messages.LeaveRequestAction
    rows = [
        (f"leave, `{each.name}`", _left(each, messages.DisconnectReason.MIGRATION))
        for each in (action.RESUME, action.RECONNECT)
    ]
    for retryable in (True, False):
        names = [
            f"`{reason.name}`"
            for reason in messages.DisconnectReason
            if _left(action.DISCONNECT, reason).retryable is retryable
        ]
        sample = _left(action.DISCONNECT, messages.DisconnectReason.SERVER_SHUTDOWN)
        said = f"leave, `DISCONNECT`, for {', '.join(names)}"
        rows.append((said, replace(sample, retryable=retryable)))
    return rows


def _left(action: messages.LeaveRequestAction, reason: messages.DisconnectReason) -> CloseReason:
    return server_leave_reason(
        LeaveReceived(can_reconnect=False, reason=reason, action=action, regions=())
    )


# --- why a request fails ---------------------------------------------------------------------

# When livekit-server says so (livekit pkg/rtc/participant.go, participant_data_track.go).
_SERVER_SAYS: Final = {
    FailureReason.NOT_FOUND: "There is no such track, data track or blob.",
    FailureReason.NOT_ALLOWED: "The token does not grant it, or the server has it turned off.",
    FailureReason.LIMIT_EXCEEDED: "Too long, or too many at once.",
    FailureReason.UNSUPPORTED_TYPE: "A track that is neither audio nor video.",
    FailureReason.UNCLASSIFIED_ERROR: "Something else; the message says what.",
    FailureReason.INVALID_HANDLE: "The handle of a data track is 0 or above 65535.",
    FailureReason.INVALID_NAME: "The name of a data track is empty or longer than 256.",
    FailureReason.DUPLICATE_HANDLE: "A data track of ours has this handle already.",
    FailureReason.DUPLICATE_NAME: "A data track of ours has this name already.",
    FailureReason.INVALID_REQUEST: "The request makes no sense to the server.",
}


def _request_failures() -> str:
    facts = _facts("FailureReason")
    rows = [
        (f"`{each.name}`", _markdown(each.doc) or _SERVER_SAYS[FailureReason[each.name]])
        for each in facts.members
    ]
    failure = _facts("RequestFailure")
    return (
        "## Why a request fails\n\n"
        f"### RequestFailure\n\n{paragraphs(failure.doc, _ANCHORS.get)}\n\n{_fields(failure)}"
        f"### FailureReason\n\n{paragraphs(facts.doc, _ANCHORS.get)}\n\n"
        f"{table(('Reason', 'Meaning'), rows)}\n"
    )


# --- when a request ends ---------------------------------------------------------------------


class _Recorder(RequestMethods):
    """Takes note of what the request methods ask for, and sends nothing."""

    def __init__(self) -> None:
        self.config = ClientConfig(url="ws://localhost", token="t")
        self.rows: list[tuple[str, Completion, float]] = []

    def _request(
        self,
        name: str,
        message: messages.SignalRequest,
        *,
        now: float,
        completion: Completion = Completion.SENT,
        match: Match | None = None,
        timeout: float = 0.0,
        muted: bool | None = None,
    ) -> RequestKey:
        self.rows.append((name, completion, timeout))
        return RequestKey(0, name)

    def _pass(self, name: str, message: messages.SignalRequest, *, now: float) -> None:
        raise NotImplementedError

    def _next_request_id(self) -> int:
        return 1

    def send_ping_req(self, *, now: float) -> None:
        """Nothing is sent."""
        raise NotImplementedError


_ENDS: Final = {
    Completion.RESULT: "with its result, or fails after {0:g} s without an answer",
    Completion.REPLY: "with the server's OK, or fails after {0:g} s without an answer",
    Completion.NO_REFUSAL: "when {0:g} s have passed without a refusal",
    Completion.SENT: "when it is sent; the server never answers",
}

_REQUESTS_INTRO = """\
## When a request ends

A refusal ends every one of them as soon as it arrives. The seconds are the defaults of
`kitwire.Timeouts` and count from the moment of sending. `mute_track` also ends when an update
shows the track in that state. Everything whose outcome is open when the connection ends fails
with `ABORTED`.

"""


def _calls(to: RequestMethods) -> Sequence[Callable[[], RequestKey]]:
    track = messages.AddTrackRequest(cid="c", type=messages.TrackType.AUDIO)
    key = messages.DataBlobKey(generic="k")
    return (
        lambda: to.add_track(track, now=0),
        lambda: to.mute_track("TR", True, now=0),
        lambda: to.update_audio_track("TR", [], now=0),
        lambda: to.update_video_track("TR", width=1, height=1, now=0),
        lambda: to.update_video_layers("TR", [], now=0),
        lambda: to.update_subscription(subscribe=True, track_sids=["TR"], now=0),
        lambda: to.update_track_settings(["TR"], now=0),
        lambda: to.update_subscription_permission(all_participants=True, now=0),
        lambda: to.update_metadata(name="n", now=0),
        lambda: to.publish_data_track("n", pub_handle=1, now=0),
        lambda: to.unpublish_data_track(1, now=0),
        lambda: to.update_data_subscription([messages.UpdateDataSubscriptionUpdate()], now=0),
        lambda: to.store_data_blob(key, b"", now=0),
        lambda: to.get_data_blob(key, participant_identity="p", now=0),
    )


def _requests() -> str:
    recorder = _Recorder()
    for call in _calls(recorder):
        call()
    rows = [
        (f"`{name}`", _ENDS[completion].format(timeout))
        for name, completion, timeout in recorder.rows
    ]
    timeouts = next(each for each in classes_of(config) if each.name == "Timeouts")
    settings = [
        (f"`{each.name}`", f"{getattr(Timeouts(), each.name):g} s", _markdown(each.doc))
        for each in timeouts.members
    ]
    return (
        _REQUESTS_INTRO
        + table(("Request", "It ends"), rows)
        + "\n### Timeouts\n\n"
        + paragraphs(timeouts.doc, _ANCHORS.get)
        + "\n\n"
        + table(("Setting", "Default", "Meaning"), settings)
        + "\n"
    )


# --- the command -----------------------------------------------------------------------------


def _exit_codes() -> str:
    facts = next(each for each in classes_of(exit_codes) if each.name == "ExitCode")
    rows = [
        (str(int(ExitCode[each.name])), f"`{each.name}`", _markdown(each.doc))
        for each in facts.members
    ]
    rows.append(
        (
            f"{exit_codes.INTERRUPTED + 2}, {exit_codes.INTERRUPTED + 15}",
            "",
            "Ctrl-C or a termination before the room was joined.",
        )
    )
    return (
        "## Exit codes of `kitwire`\n\nEach comes with one sentence on stderr, except 0.\n\n"
        + table(("Code", "Name", "Meaning"), rows)
    )
