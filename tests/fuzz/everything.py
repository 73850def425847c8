"""A message with every protobuf type in every place: LiveKit's own schema uses a few of them.

``Everything`` is made as the generator makes classes, ``official_everything`` by google.protobuf
from a descriptor of its own, so that the codec is compared on what a later schema may bring.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, cast

import betterproto2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message as OfficialMessage
from google.protobuf.message_factory import GetMessageClass

from tests.fuzz.learning import learn

__all__ = ["KEY_KINDS", "KINDS", "Colour", "Everything", "official_everything"]


class Colour(betterproto2.Enum):
    RED = 0
    GREEN = 1
    BLUE = -5


KINDS = (
    "double",
    "float",
    "int64",
    "uint64",
    "int32",
    "fixed64",
    "fixed32",
    "bool",
    "string",
    "bytes",
    "uint32",
    "enum",
    "sfixed32",
    "sfixed64",
    "sint32",
    "sint64",
    "message",
)
KEY_KINDS = tuple(
    kind for kind in KINDS if kind not in ("double", "float", "bytes", "enum", "message")
)
_TYPES: dict[str, type] = {
    **dict.fromkeys(KINDS, int),
    "double": float,
    "float": float,
    "bool": bool,
    "string": str,
    "bytes": bytes,
    "enum": Colour,
}


if TYPE_CHECKING:

    class Everything(betterproto2.Message):
        def __init__(self, **values: object) -> None: ...

        def __getattr__(self, name: str) -> object: ...


@dataclasses.dataclass(eq=False, repr=False)
class Leaf(betterproto2.Message):
    text: str = betterproto2.field(1, betterproto2.TYPE_STRING)


def _layout() -> list[tuple[str, str, str, str]]:
    """(name, place, kind, kind of the key) of every field; its number is its position."""
    fields = []
    for kind in KINDS:
        fields.append((f"one_{kind}", "one", kind, ""))
        fields.append((f"maybe_{kind}", "maybe", kind, ""))
        fields.append((f"many_{kind}", "many", kind, ""))
        fields.append((f"any_{kind}", "any", kind, ""))
        fields.append((f"map_to_{kind}", "map", kind, "int32"))
    fields += [(f"map_of_{kind}", "map", "int32", kind) for kind in KEY_KINDS]
    return fields


def _our_class() -> type[betterproto2.Message]:
    fields: list[tuple[str, object, object]] = []
    for number, (name, place, kind, key) in enumerate(_layout(), 1):
        plain: type = Leaf if kind == "message" else _TYPES[kind]
        hint: object = plain
        default = (lambda: Colour(0)) if kind == "enum" else None
        if place == "map":
            hint = dict[_TYPES[key], plain]  # type: ignore[valid-type] # made at run time
            made = betterproto2.field(number, "map", map_meta=betterproto2.map_meta(key, kind))
        elif place == "many":
            hint = list[plain]  # type: ignore[valid-type] # made at run time
            made = betterproto2.field(number, kind, repeated=True)
        elif place == "one" and kind != "message":
            made = betterproto2.field(number, kind, default_factory=default)
        else:
            hint = plain | None
            group = "any" if place == "any" else None
            made = betterproto2.field(number, kind, optional=True, group=group)
        fields.append((name, hint, made))
    return cast(
        "type[betterproto2.Message]",
        dataclasses.make_dataclass(
            "Everything",
            fields,
            bases=(betterproto2.Message,),
            eq=False,
            repr=False,
            kw_only=True,
            namespace={"__module__": __name__},
        ),
    )


if not TYPE_CHECKING:
    Everything = _our_class()
learn(Everything, Leaf)


def _add(
    message: DescriptorProto, name: str, number: int, kind: str, place: str
) -> FieldDescriptorProto:
    field = message.field.add(name=name, number=number)
    field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    field.label = (
        FieldDescriptorProto.LABEL_REPEATED
        if place in ("many", "map")
        else FieldDescriptorProto.LABEL_OPTIONAL
    )
    if kind in ("enum", "message"):
        field.type_name = ".everything.Colour" if kind == "enum" else ".everything.Leaf"
    return field


@functools.cache
def official_everything() -> type[OfficialMessage]:
    """google.protobuf's class of the same message."""
    file = FileDescriptorProto(name="everything.proto", package="everything", syntax="proto3")
    colour = file.enum_type.add(name="Colour")
    for member in Colour:
        colour.value.add(name=member.name, number=member.value)
    _add(file.message_type.add(name="Leaf"), "text", 1, "string", "one")
    whole = file.message_type.add(name="Everything")
    whole.oneof_decl.add(name="any")
    for number, (name, place, kind, key) in enumerate(_layout(), 1):
        if place == "map":
            entry = whole.nested_type.add(name=_entry_name(name))
            entry.options.map_entry = True
            _add(entry, "key", 1, key, "one")
            _add(entry, "value", 2, kind, "one")
            field = _add(whole, name, number, "message", place)
            field.type_name = f".everything.Everything.{entry.name}"
            continue
        field = _add(whole, name, number, kind, place)
        if place == "any":
            field.oneof_index = 0
        elif place == "maybe" and kind != "message":
            field.proto3_optional = True
            field.oneof_index = len(whole.oneof_decl)
            whole.oneof_decl.add(name=f"_{name}")
    pool = DescriptorPool()
    pool.Add(file)
    made: type[OfficialMessage] = GetMessageClass(
        pool.FindMessageTypeByName("everything.Everything")
    )
    return made


def _entry_name(field_name: str) -> str:
    return "".join(part.capitalize() for part in field_name.split("_")) + "Entry"
