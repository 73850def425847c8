"""docs/events.md: every event with its fields, and which message of the server becomes which."""

from dataclasses import fields
from enum import StrEnum
from typing import get_args

from kitwire import events, messages, peer_events, reconnect_events
from kitwire.session.dispatch import ARMS

from .source import ClassFacts, Member, classes_of, unions_of
from .text import header, markdown, paragraphs, table

__all__ = ["ANCHORS", "page"]

_CLASSES = (*classes_of(events), *classes_of(peer_events), *classes_of(reconnect_events))
_UNIONS = (*unions_of(events), *unions_of(peer_events), *unions_of(reconnect_events))

ANCHORS = {
    name: f"events.md#{name.lower()}"
    for name in (*(each.name for each in _CLASSES), *(each.name for each in _UNIONS))
}
"""Where each class and union of the events is described."""

_ERRORS = {"CloseReason": "errors.md#closereason"}

_INTRO = """\
# Events

What happened, as `kitwire.Client`, `kitwire.Session` and rooms tell it: one frozen dataclass
for each kind, in the closed union `kitwire.Event`. All of them are names of `kitwire`; the
values inside them (participants, tracks, rooms) are the typed messages of `kitwire.messages`.

```python
import kitwire


def tell(event: kitwire.Event) -> str:
    match event:
        case kitwire.Joined(room=room):
            return f"joined {room.name}"
        case kitwire.ParticipantsUpdated(participants=participants):
            return ", ".join(f"{each.identity} is {each.state.name}" for each in participants)
        case kitwire.Closed(reason=reason):
            return f"closed: {reason}"
        case _:
            return type(event).__name__


assert tell(kitwire.MuteReceived(sid="TR_1", muted=True)) == "MuteReceived"
```

Three rules hold for every connection:

- [`Joined`](#joined) comes first and [`Closed`](#closed) last, each once. When the join fails
  there is `Closed` alone.
- Events come in the order of the messages that they are made from.
- Every request ends in exactly one [`RequestEnded`](#requestended). In a room
  (`kitwire_asyncio`, `kitwire_trio`) that is what `await` gives or raises, so those that were
  awaited are not among the events.

"""

_WIRE = """\
## From the wire

`SignalResponse`, what a server sends, has {count} members. `--json` lines of `kitwire join`
carry the member's name in `event`, with two exceptions: `join` is `joined` there, and the
events that are no message have names of their own (`closed`, `request_ended`, …).

"""

# The two members that are no messages, by Python's name for their type.
_SCALARS = {"str": "string", "int": "int64"}

_NO_EVENT = "Answers a [resume](reconnect.md); at any other time a `ProtocolViolated`."


def page() -> str:
    """The page."""
    facts = {each.name: each for each in _CLASSES}
    sections = dict.fromkeys(each.section for each in facts.values())
    parts = [
        header("src/kitwire/events.py, peer_events.py and reconnect_events.py"),
        _INTRO,
        _wire_table(),
    ]
    for section in sections:
        parts.append(f"## {section}\n\n")
        parts += [_class(each) for each in facts.values() if each.section == section]
    parts.append("## Unions\n\n")
    parts += [_union(each) for each in _UNIONS]
    return "".join(parts).rstrip("\n") + "\n"


def _here(name: str) -> str | None:
    anchor = ANCHORS.get(name)
    return anchor.removeprefix("events.md") if anchor else None


# --- the table of SignalResponse -------------------------------------------------------------


def _by_variant() -> dict[str, type[events.ServerEvent]]:
    return {each.variant: each for each in get_args(events.ServerEvent)}


def _numbers() -> dict[str, tuple[int, str]]:
    """Each member of SignalResponse: its field number and its type."""
    found = {}
    for each in fields(messages.SignalResponse):
        if "betterproto" not in each.metadata:
            continue
        kind = str(each.type).strip("'\"").removesuffix(" | None")
        found[each.name] = (int(each.metadata["betterproto"].number), _SCALARS.get(kind, kind))
    return found


def _wire_table() -> str:
    numbers, by_variant = _numbers(), _by_variant()
    if numbers.keys() != ARMS.keys():
        raise ValueError("the members of SignalResponse are not those of the dispatch table")
    rows = []
    for name, (number, kind) in sorted(numbers.items(), key=lambda item: item[1]):
        event = by_variant.get(name)
        described = f"[`{event.__name__}`](#{event.__name__.lower()})" if event else _NO_EVENT
        rows.append((str(number), f"`{name}`", f"`{kind}`", described))
    text = _WIRE.format(count=len(numbers))
    return text + table(("Number", "Member", "Its type", "The event"), rows) + "\n"


# --- one class -------------------------------------------------------------------------------


def _class(facts: ClassFacts) -> str:
    parts = [f"### {facts.name}\n\n", paragraphs(facts.doc, _here), "\n\n"]
    event = _named(facts.name)
    if (variant := getattr(event, "variant", None)) is not None:
        number, kind = _numbers()[variant]
        parts.append(f"From `SignalResponse.{variant}` (field {number}, `{kind}`).\n\n")
    elif event not in get_args(events.Event):
        parts.append("Part of events, not one itself.\n\n")
    if issubclass(event, StrEnum):
        values = [(f"`{each.name}`", markdown(each.doc, _here)) for each in facts.members]
        return "".join([*parts, table(("Value", "Meaning"), values), "\n"])
    rows = [
        (f"`{each.name}`", _type(each), _meaning(facts.name, each))
        for each in facts.members
        if not each.is_class_variable
    ]
    if not rows:
        return "".join(parts)
    if any(meaning for _, _, meaning in rows):
        parts.append(table(("Field", "Type", "Meaning"), rows))
    else:
        parts.append(table(("Field", "Type"), [row[:2] for row in rows]))
    return "".join([*parts, "\n"])


def _named(name: str) -> type:
    modules = (events, peer_events, reconnect_events)
    found: type = next(getattr(each, name) for each in modules if hasattr(each, name))
    return found


def _type(member: Member) -> str:
    written = f"`{member.annotation.replace('msg.', '')}`"
    target = _here(member.annotation) or _ERRORS.get(member.annotation)
    return f"[{written}]({target})" if target else written


def _meaning(class_name: str, member: Member) -> str:
    """The field's own words, or those of the message's field of the same name."""
    if member.doc:
        return markdown(member.doc, _here)
    variant = getattr(_named(class_name), "variant", None)
    if variant is None:
        return ""
    message = _message_fields().get(_numbers()[variant][1], {})
    return message.get(member.name, "")


_MESSAGES: dict[str, dict[str, str]] = {}


def _message_fields() -> dict[str, dict[str, str]]:
    """The words of the schema: by message, by field."""
    if not _MESSAGES:
        _MESSAGES.update(
            {
                each.name: {field.name: field.doc for field in each.members}
                for each in classes_of(messages)
            }
        )
    return _MESSAGES


def _union(member: Member) -> str:
    names = member.annotation.replace("msg.", "").split(" | ")
    listed = ", ".join(
        f"[`{name}`]({_here(name)})" if _here(name) else f"`{name}`" for name in names
    )
    return f"### {member.name}\n\n{markdown(member.doc, _here)}\n\nOne of {listed}.\n\n"
