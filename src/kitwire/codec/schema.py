"""What the codecs need to know of a message class, read once from betterproto2's field metadata.

Everything that both encodings share stands here: names, numbers, presence, the members of a oneof.
A :class:`Shape` is built the first time that a class is met and kept.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar

import betterproto2
from betterproto2 import Message

from ..messages._names import PROTO_FIELD_NAMES
from ..messages._secrets import SECRET_FIELDS

__all__ = [
    "UNKNOWN",
    "Field",
    "Label",
    "M",
    "Message",
    "Shape",
    "enum_names",
    "enum_numbers",
    "shape_of",
]

M = TypeVar("M", bound=Message)
"""A message class of :mod:`kitwire.messages`."""

UNKNOWN = "_unknown_fields"
"""Where betterproto2 keeps the fields that it does not know: encoded, in the order they came."""


class Label(Enum):
    """How often a field may stand in a message, and whether its absence shows."""

    IMPLICIT = "implicit"
    """Once; zero and absent are the same."""
    EXPLICIT = "explicit"
    """Once; absent is ``None``: messages, ``optional`` scalars, members of a oneof."""
    REPEATED = "repeated"
    """A list."""
    MAP = "map"
    """A dict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field."""

    name: str
    """The attribute of the class."""
    proto_name: str
    """The name in the schema."""
    json_name: str
    """The name in JSON: camel case."""
    number: int
    kind: str
    """The protobuf type, as one of betterproto2's ``TYPE_`` constants."""
    label: Label
    group: str | None = None
    """The oneof that it is a member of."""
    message: type[Message] | None = None
    """The class, when ``kind`` is a message."""
    enum: type[betterproto2.Enum] | None = None
    """The class, when ``kind`` is an enum."""
    entry: tuple[Field, Field] | None = None
    """The key and the value of a map, as fields of the message that an entry is on the wire."""
    secret: bool = False
    """Whether the value must never be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One message class, as a table."""

    cls: type[Message]
    name: str
    fields: tuple[Field, ...]
    """By ascending number, which is the order on the wire."""
    by_name: Mapping[str, Field]
    """By the two names that JSON may use."""
    oneofs: Mapping[str, tuple[Field, ...]]
    """Group → members."""


@cache
def shape_of(cls: type[Message]) -> Shape:
    """The shape of a message class of :mod:`kitwire.messages`."""
    fields = tuple(sorted(_fields(cls), key=lambda field: field.number))
    oneofs: dict[str, tuple[Field, ...]] = {}
    for group in {field.group: None for field in fields if field.group is not None}:
        oneofs[group] = tuple(field for field in fields if field.group == group)
    return Shape(
        cls=cls,
        name=cls.__name__,
        fields=fields,
        by_name={name: field for field in fields for name in (field.proto_name, field.json_name)},
        oneofs=oneofs,
    )


@cache
def enum_names(enum: type[betterproto2.Enum]) -> Mapping[int, str]:
    """Number → name in the schema; betterproto2's own names lack the common prefix."""
    return {int(member): member.proto_name or member.name for member in enum}


@cache
def enum_numbers(enum: type[betterproto2.Enum]) -> Mapping[str, int]:
    """Name in the schema → number."""
    return {name: number for number, name in enum_names(enum).items()}


def _fields(cls: type[Message]) -> list[Field]:
    hints = typing.get_type_hints(cls)
    secret = SECRET_FIELDS.get(cls.__name__, frozenset())
    renamed = PROTO_FIELD_NAMES.get(cls.__name__, {})
    found = []
    for declared in dataclasses.fields(typing.cast("Any", cls)):
        meta = betterproto2.FieldMetadata.get(declared)
        field = _field(renamed.get(declared.name, declared.name), meta)
        targets = typing.get_args(hints[declared.name]) or (hints[declared.name],)
        if meta.map_meta is not None:
            parts = zip(("key", "value"), meta.map_meta, targets, strict=True)
            key, value = (_typed(_field(name, part), target) for name, part, target in parts)
            field = dataclasses.replace(field, entry=(key, value))
        else:
            field = _typed(field, targets[0])
        found.append(dataclasses.replace(field, name=declared.name, secret=declared.name in secret))
    return found


def _field(proto_name: str, meta: betterproto2.FieldMetadata) -> Field:
    label = Label.IMPLICIT
    if meta.map_meta is not None:
        label = Label.MAP
    elif meta.repeated:
        label = Label.REPEATED
    elif meta.optional or meta.group or meta.proto_type == betterproto2.TYPE_MESSAGE:
        label = Label.EXPLICIT
    return Field(
        name=proto_name,
        proto_name=proto_name,
        json_name=_camel(proto_name),
        number=meta.number,
        kind=meta.proto_type,
        label=label,
        group=meta.group,
    )


def _typed(field: Field, target: type) -> Field:
    """The field with the class of its values: X of ``X``, ``X | None`` and ``list[X]``."""
    if field.kind == betterproto2.TYPE_MESSAGE:
        return dataclasses.replace(field, message=target)
    if field.kind == betterproto2.TYPE_ENUM:
        return dataclasses.replace(field, enum=target)
    return field


def _camel(proto_name: str) -> str:
    """The JSON name that protobuf derives: each underscore goes, the letter after it is raised."""
    head, *rest = proto_name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
