"""google.protobuf's classes of the same schema: the second source for everything the codec does.

They are those of the `livekit-protocol` package. What stands here about values is written from the
official descriptors alone, so that a mistake in kitwire's own tables cannot hide in it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as OfficialMessage
from google.protobuf.message_factory import GetMessageClass
from livekit.protocol import models, rtc

from kitwire import messages
from kitwire.codec import Message
from kitwire.messages._names import PROTO_FIELD_NAMES, PROTO_TYPE_NAMES

__all__ = [
    "ROOTS",
    "VARIANTS",
    "DecodeError",
    "OfficialMessage",
    "canonical",
    "classes",
    "copied",
    "descriptor_of",
    "entry_parts",
    "official_class",
    "oneof_name",
    "our_class",
]

ROOTS: tuple[type[Message], ...] = (
    messages.SignalRequest,
    messages.SignalResponse,
    messages.JoinRequest,
    messages.WrappedJoinRequest,
    messages.DataPacket,
)
"""What arrives or leaves as a frame, a query parameter or a data channel's message."""


def classes() -> tuple[type[Message], ...]:
    """Every message class of kitwire."""
    found: list[type[Message]] = []
    for name in messages.__all__:
        item: object = getattr(messages, name)
        if isinstance(item, type) and issubclass(item, Message):
            found.append(item)
    return tuple(found)


@functools.cache
def official_class(cls: type[Message]) -> type[OfficialMessage]:
    """google.protobuf's class of the same message."""
    name = PROTO_TYPE_NAMES.get(cls.__name__, cls.__name__)
    package = "google.protobuf" if name == "Timestamp" else rtc.DESCRIPTOR.package
    pool = models.DESCRIPTOR.pool
    found: type[OfficialMessage] = GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
    return found


def descriptor_of(message: OfficialMessage | type[OfficialMessage]) -> Descriptor:
    """A message's descriptor, whichever implementation it is of."""
    return cast("Descriptor", message.DESCRIPTOR)


def entry_parts(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor] | None:
    """The key and the value of a map field; ``None`` of any other."""
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return entry.fields_by_name["key"], entry.fields_by_name["value"]


def oneof_name(field: FieldDescriptor) -> str | None:
    """The oneof that a field is a member of; those that stand for ``optional`` do not count."""
    oneof = field.containing_oneof
    return None if oneof is None or oneof.name.startswith("_") else oneof.name


def _variants(cls: type[Message]) -> list[tuple[type[Message], str]]:
    fields = descriptor_of(official_class(cls)).fields
    return [(cls, field.name) for field in fields if oneof_name(field) is not None]


VARIANTS = (*_variants(messages.SignalRequest), *_variants(messages.SignalResponse))
"""The class and the name of each of the 52 variants."""


@functools.cache
def _our_names() -> Mapping[str, type[Message]]:
    return {descriptor_of(official_class(cls)).full_name: cls for cls in classes()}


def our_class(descriptor: Descriptor) -> type[Message]:
    """kitwire's class of the same message."""
    return _our_names()[descriptor.full_name]


def copied(message: OfficialMessage) -> Message:
    """The same message as kitwire's class, built by its constructor field by field."""
    cls = our_class(descriptor_of(message))
    ours = {theirs: mine for mine, theirs in PROTO_FIELD_NAMES.get(cls.__name__, {}).items()}
    values: dict[str, object] = {}
    for field in descriptor_of(message).fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        values[ours.get(field.name, field.name)] = _copied(field, getattr(message, field.name))
    make = cast("Callable[..., Message]", cls)
    return make(**values)


def _copied(field: FieldDescriptor, value: object) -> object:
    parts = entry_parts(field)
    if parts is not None:
        entries = cast("Mapping[str | int, object]", value)
        return {key: _copied_one(parts[1], item) for key, item in entries.items()}
    if field.is_repeated:
        return [_copied_one(field, item) for item in cast("list[object]", value)]
    return _copied_one(field, value)


def _copied_one(field: FieldDescriptor, value: object) -> object:
    if isinstance(value, OfficialMessage):
        return copied(value)
    return value


def canonical(cls: type[OfficialMessage], data: bytes) -> bytes:
    """The same message with the entries of every map in the same order."""
    return cls.FromString(data).SerializeToString(deterministic=True)
