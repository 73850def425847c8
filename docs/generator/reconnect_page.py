"""docs/reconnect.md: what follows a loss, from the decision table and the policy."""

from dataclasses import fields
from typing import Final

from kitwire import config, reconnect_events
from kitwire.config import ReconnectPolicy
from kitwire.session import recovery
from kitwire.session.recovery import DECISIONS, Loss
from kitwire.session.regions import LONGEST_ANSWER, MOST

from .source import ClassFacts, classes_of
from .text import header, markdown, table

__all__ = ["page"]

_INTRO: Final = """\
# Reconnects

A session that stood once and is lost is brought back. With `reconnect=None` it is not: then a loss
ends in `Closed`, with `retryable` set. A session that never stood is not retried: `Closed` says
whether that would make sense. It may be tried in other [regions](#regions), though.

There are two ways back. A **resume** keeps the session: the same participant sid, the same peer
connections, the same tracks, on a new link. A **restart** begins another: the room is joined with
the newest token, under a new sid, with new peer connections.

"""

_TIMELINE: Final = """\
## A resume, step by step

1. [`Lost`](events.md#lost) says what happened, and [`Resuming`](events.md#resuming) that the first
   attempt begins, at once. Requests made from now on are held, in order.
2. The new link opens by the same path, with our sid and the newest token. A refusal is explained by
   a GET, as at the first join; one that will not change, such as an expired token, ends it.
3. The server's first message decides. `reconnect`: the session goes on. `leave`: by its action.
   `join`: the server began a new session, which is taken as a restart. Anything else counts as
   `reconnect`, which servers leave out for some clients.
4. Before anything else the server is told what we know (`sync_state`): descriptions, publications,
   subscriptions, data tracks, and the last reliable packet of each publisher.
5. Subscriptions and subscription permissions that were asked for are asked for again. An offer
   whose answer was lost is made again. Where the path died, ICE is restarted.
6. As soon as every peer connection that is needed is connected and no ICE restart runs, the held
   requests leave.
7. Reliable data that the server says it has not got is sent again, before anything newer.
8. When a datagram has come on each of them, [`Resumed`](events.md#resumed) ends the episode. Who
   was there before and has not been named since is told of as having left.

Peer connections that do not come back within `timeouts.peers` make the session restart.

"""

_REGIONS: Final = """\
## Regions

A server may be reachable at several places: the URL that was given, and those of its regions. What
is known of them is kept for the life of the session; `client.url` says which one is in use.

- **LiveKit Cloud** (`*.livekit.cloud`, `*.livekit.run`) tells its regions at `/settings/regions`.
  It is asked when the first join or a restart fails in a way that another place may do better: no
  connection, no answer in time, an HTTP status of 429 or from 500 on, no join message. Not for a
  token that is refused. No other host is asked anything.
- **Any server** may name regions in a Leave. They take the place of those known before.

An attempt then goes through the places at once, without a wait: the regions in the server's order,
then the URL that was given, each at most once. Only when none is left has it failed, for what the
first of them said; so has the first join, which ends there. The next attempt begins where the last
one ended, and at the first region after a Leave that named some. A resume stays where the session
is, unless a Leave named regions. A token that is refused, anywhere, ends it.

The question has the token in its `Authorization` field and `timeouts.validate` to be answered, and
is asked at most once a minute. An answer of more than {longest} KiB, or one that is no list,
changes nothing. Of a list the first {most} regions are looked at. Left out is what cannot be
connected to, and a region without TLS where the URL that was given has TLS.

"""

_YOURS: Final = """\
## What stays with the application

- After a restart requests that were under way have failed with `ABORTED`; those that were held and
  name no track (`update_metadata`, `store_data_blob`, `get_data_blob`) are kept.
- [`Restarted`](events.md#restarted) names the tracks that we had published. A `MediaRoom` publishes
  them again by itself, under new sids; with peer connections of your own it is yours to do. What we
  wanted of the tracks of others (subscriptions, settings, permissions) is asked for again.
- `reconnect_now()` ends a wait between attempts: call it when the network comes back.
"""


def page() -> str:
    """The page."""
    return "".join(
        [
            header("src/kitwire/session/recovery.py"),
            _INTRO,
            _decisions(),
            _policy(),
            _TIMELINE,
            _REGIONS.format(most=MOST, longest=LONGEST_ANSWER // 1024),
            _YOURS,
        ]
    )


def _facts(classes: tuple[ClassFacts, ...], name: str) -> dict[str, str]:
    facts = next(each for each in classes if each.name == name)
    return {each.name: markdown(each.doc, lambda name: None) for each in facts.members}


_FAREWELL = """\
A server that puts us out also closes our peer connections, and which we hear of first is chance. So
one that the server closes waits, for `timeouts.close` at most, for a Leave that says more.
"""


def _decisions() -> str:
    meanings = _facts(classes_of(recovery), "Loss")
    rows = [
        (f"`{loss}`", meanings[loss.name], *(f"`{verdict}`" for verdict in DECISIONS[loss]))
        for loss in Loss
    ]
    conditions = _facts(classes_of(recovery), "Situation")
    named = "".join(f"- {text}\n" for name, text in conditions.items() if name != "resumable")
    heads = ("Loss", "Meaning", "Where a resume is possible", "Where it is not")
    return (
        f"## What follows what\n\n{table(heads, rows)}\n{_FAREWELL}\n"
        f"Whether a resume is possible depends on:\n\n{named}\n"
    )


def _policy() -> str:
    meanings = _facts(classes_of(config), "ReconnectPolicy")
    defaults = {each.name: each.default for each in fields(ReconnectPolicy)}
    rows = [
        (f"`{name}`", f"{default:g}", meanings[name])
        for name, default in defaults.items()
        if isinstance(default, int | float)
    ]
    told = [f"[`{name}`](events.md#{name.lower()})" for name in _told()]
    return (
        f"## When\n\n{table(('ReconnectPolicy', 'Default', 'Meaning'), rows)}\n"
        "Each wait is a random part of the longest one. What the server asks for by a Leave is "
        f"done at once.\n\nEvents: {', '.join(told)}.\n\n"
    )


def _told() -> list[str]:
    return [each.name for each in classes_of(reconnect_events)]
