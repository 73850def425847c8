"""docs/state-machine.md: the phases, what moves between them, timers, and what is allowed when."""

from collections.abc import Callable
from typing import Final

from kitwire import config
from kitwire.config import ClientConfig, Limits, Timeouts
from kitwire.errors import LocalProtocolError
from kitwire.session import phases, timers
from kitwire.session.gate import is_open
from kitwire.session.phases import TRANSITIONS, Phase, Trigger
from kitwire.session.session import Session
from kitwire.session.timers import Timer

from .events_page import ANCHORS
from .source import ClassFacts, classes_of
from .text import header, markdown, paragraphs, table

__all__ = ["diagram", "page"]

_INTRO = """\
# The state machine

A `kitwire.Session`, and the `kitwire.Client` around it, is always in one phase (`client.phase`).
It changes phase by one table alone, `TRANSITIONS` in `src/kitwire/session/phases.py`. All of this
page is read from that table and its neighbours.

"""

_RULES = """\
- A pair that is not in the table means nothing: what a peer sends then is ignored, and a call
  is refused by [`LocalProtocolError`](errors.md#localprotocolerror) before anything has
  changed.
- Each input computes all its consequences at once. `poll()` hands them out; taking them late or
  in parts changes nothing.
- A link is one connection, named by a number that is never used again. Input for a link that
  has been closed is dropped.
- `CLOSED` is final: every link has been let go and [`Closed`](events.md#closed) is the last
  output.

"""

_RECONNECT = """\
What `RECOVER` leads to is there only for a session that stood: see [Reconnects](reconnect.md).
Another, and every session with `reconnect=None`, ends with a loss: in `Closed`, with `retryable`
set.

"""


def page() -> str:
    """The page."""
    parts = [
        header("src/kitwire/session"),
        _INTRO,
        f"```mermaid\n{diagram()}```\n\n",
        _RULES,
        _RECONNECT,
        _phases(),
        _triggers(),
        _transitions(),
        _calls(),
        _timers(),
        _limits(),
    ]
    return "".join(parts).rstrip("\n") + "\n"


def diagram() -> str:
    """The table as a Mermaid state diagram; triggers that lead the same way share an arrow."""
    arrows: dict[tuple[Phase, Phase], list[Trigger]] = {}
    for (source, trigger), target in TRANSITIONS.items():
        arrows.setdefault((source, target), []).append(trigger)
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.IDLE}"]
    lines += [
        f"    {source} --> {target} : {' / '.join(triggers)}"
        for (source, target), triggers in arrows.items()
    ]
    return "".join(f"{line}\n" for line in [*lines, f"    {Phase.CLOSED} --> [*]"])


def _facts(classes: tuple[ClassFacts, ...], name: str) -> ClassFacts:
    return next(each for each in classes if each.name == name)


def _meanings(classes: tuple[ClassFacts, ...], name: str) -> dict[str, str]:
    return {each.name: markdown(each.doc, ANCHORS.get) for each in _facts(classes, name).members}


# --- phases and triggers ---------------------------------------------------------------------


def _phases() -> str:
    meanings = _meanings(classes_of(phases), "Phase")
    rows = [
        (f"`{phase}`", meanings[phase.name], "at once" if is_open(phase) else _held(phase))
        for phase in Phase
    ]
    return "## Phases\n\n" + table(("Phase", "Meaning", "Requests are"), rows) + "\n"


def _held(phase: Phase) -> str:
    return "held until the session stands" if phase.name in _allowed(_REQUEST) else "refused"


def _triggers() -> str:
    meanings = _meanings(classes_of(phases), "Trigger")
    rows = [(f"`{trigger}`", meanings[trigger.name]) for trigger in Trigger]
    return "## Triggers\n\n" + table(("Trigger", "Meaning"), rows) + "\n"


def _transitions() -> str:
    rows = []
    for phase in Phase:
        cells = [TRANSITIONS.get((phase, trigger)) for trigger in Trigger]
        rows.append((f"`{phase}`", *(f"`{target}`" if target else "–" for target in cells)))
    heads = ("", *(f"`{trigger}`" for trigger in Trigger))
    return "## Phase × trigger\n\n" + table(heads, rows) + "\n"


# --- calls -----------------------------------------------------------------------------------

_Call = Callable[[Session], object]
_REQUEST: Final[_Call] = lambda session: session.update_metadata(name="n", now=0)  # noqa: E731
_CALLS: Final[dict[str, _Call]] = {
    "`connect`": lambda session: session.connect(now=0),
    "requests that end in a `RequestEnded`": _REQUEST,
    "`send_offer`, `send_answer`, `send_trickle`, `send_sync_state`, `send_ping`, `simulate`": (
        lambda session: session.send_offer("v=0", offer_id=1, now=0)
    ),
    "`send_ping_req`": lambda session: session.send_ping_req(now=0),
    "`negotiate`": lambda session: session.negotiate(now=0),
}


def _allowed(call: _Call) -> tuple[str, ...]:
    """The phases that a call is allowed in, as a session that is over says when it refuses it."""
    session = Session(ClientConfig(url="ws://localhost", token="t"))
    session.close(now=0)
    try:
        call(session)
    except LocalProtocolError as error:
        return error.allowed
    raise ValueError("a session that is over refuses every call")


def _calls() -> str:
    rows = [
        (name, ", ".join(f"`{phase}`" for phase in _allowed(call))) for name, call in _CALLS.items()
    ]
    always = "`close`, `handle_timeout`, `poll`, what a link or a peer connection reports"
    rows.append((always, "any"))
    return "## Calls\n\n" + table(("Call", "Allowed in"), rows) + "\n"


# --- timers and limits -----------------------------------------------------------------------

# Where the length of each timer comes from.
_LENGTHS: Final = {
    Timer.OPEN: "`timeouts.open`",
    Timer.VALIDATE: "`timeouts.validate`",
    Timer.JOIN: "`timeouts.join`",
    Timer.PING: "`ping_interval` of the join message",
    Timer.SILENCE: "`ping_timeout` of the join message, from the last thing received",
    Timer.REQUEST: "the request's own",
    Timer.NEGOTIATION: "`timeouts.negotiation` or `timeouts.peers`",
    Timer.RETRY: "`ReconnectPolicy.delay`",
    Timer.SETTLE: "`timeouts.peers`",
    Timer.TRANSPORT: "`timeouts.transport`, and a fifth of it between questions",
    Timer.FAREWELL: "`timeouts.close`",
    Timer.CLOSE: "`timeouts.close`",
}


def _timers() -> str:
    meanings = _meanings(classes_of(timers), "Timer")
    rows = []
    for timer in Timer:
        default = getattr(Timeouts(), timer.name.lower(), None)
        length = _LENGTHS[timer] + (f" ({default:g} s)" if default is not None else "")
        rows.append((f"`{timer}`", meanings[timer.name], length))
    return (
        "## Timers\n\n`deadline` is the earliest of them and `deadline_reason` says which it is; "
        "call `handle_timeout`\nwhen it has come. A request's own timeout is in "
        "[Errors](errors.md#when-a-request-ends).\n\n"
        + table(("Timer", "It waits for", "Length"), rows)
        + "\n"
    )


def _limits() -> str:
    facts = _facts(classes_of(config), "Limits")
    rows = [
        (f"`{each.name}`", f"{getattr(Limits(), each.name):,}", markdown(each.doc, ANCHORS.get))
        for each in facts.members
    ]
    return f"## Limits\n\n{paragraphs(facts.doc, ANCHORS.get)}\n\n" + table(
        ("Setting", "Default", "Meaning"), rows
    )
