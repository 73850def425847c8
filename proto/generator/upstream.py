"""The official descriptors, cut down to what signaling needs and moved into a package of our own.

Facts only: names, numbers, types, labels, presence, oneofs, enum values, deprecation, reservation.
The descriptors in `livekit-protocol` carry no comments, and no other option is taken over.
"""

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

ROOTS = (
    "SignalRequest",
    "SignalResponse",
    "JoinRequest",
    "WrappedJoinRequest",
    "DataPacket",
    "RegionSettings",
)
"""What a peer sends or gets as a whole; the rest is kept because one of these reaches it."""

UPSTREAM_PACKAGE = "livekit"

PACKAGE = "kitwire"
"""Our proto package.

Not LiveKit's: google.protobuf has one pool per process, where two of a name cannot meet.
"""

FILES = {
    "livekit_metrics.proto": "kitwire/metrics.proto",
    "livekit_models.proto": "kitwire/models.proto",
    "livekit_rtc.proto": "kitwire/rtc.proto",
}
"""Upstream's file → ours, dependencies first."""

TIMESTAMP_FILE = "google/protobuf/timestamp.proto"


class SchemaError(ValueError):
    """Upstream uses something that this generator does not carry over; the text says where."""


def reachable(roots: Iterable[Descriptor]) -> frozenset[str]:
    """Full names of all messages and enums that the roots reach through fields, roots included."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        message = waiting.pop()
        if message.full_name in found:
            continue
        found.add(message.full_name)
        for field in message.fields:
            if field.message_type is not None:
                waiting.append(field.message_type)
            if field.enum_type is not None:
                found.add(field.enum_type.full_name)
    return frozenset(found)


def official_files() -> dict[str, FileDescriptor]:
    """The descriptors that the installed `livekit-protocol` ships, by upstream's file name."""
    from livekit.protocol import metrics, models, rtc

    files: list[FileDescriptor] = [metrics.DESCRIPTOR, models.DESCRIPTOR, rtc.DESCRIPTOR]
    return {file.name: file for file in files}


def official_roots(files: dict[str, FileDescriptor]) -> list[Descriptor]:
    """The descriptors of `ROOTS`. Raises KeyError when upstream no longer has one of them."""
    messages = {
        name: message
        for file in files.values()
        for name, message in file.message_types_by_name.items()
    }
    return [messages[name] for name in ROOTS]


def schema() -> list[FileDescriptorProto]:
    """Our files, in the order of `FILES`: what is reachable, in our package, stripped to facts."""
    official = official_files()
    kept = reachable(official_roots(official))
    result = []
    for upstream_name, our_name in FILES.items():
        source = FileDescriptorProto()
        official[upstream_name].CopyToProto(source)
        result.append(our_file(source, our_name, kept))
    return result


def messages_of(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """Every message of a file with its name in the package, holders before what they hold.

    Map entries are not messages here.
    """
    pending = [(message.name, message) for message in file.message_type]
    while pending:
        name, message = pending.pop(0)
        yield name, message
        nested = [
            (f"{name}.{inner.name}", inner)
            for inner in message.nested_type
            if not inner.options.map_entry
        ]
        pending[:0] = nested


def enums_of(file: FileDescriptorProto) -> Iterator[tuple[str, EnumDescriptorProto]]:
    """Every enum of a file, nested ones too, with its name in the package."""
    for enum in file.enum_type:
        yield enum.name, enum
    for name, message in messages_of(file):
        for enum in message.enum_type:
            yield f"{name}.{enum.name}", enum


def default_json_name(name: str) -> str:
    """What protoc gives a field as its JSON name: `_x` becomes `X`."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def our_file(
    source: FileDescriptorProto, our_name: str, kept: frozenset[str]
) -> FileDescriptorProto:
    """The kept messages and enums (upstream's full names) of one of upstream's files, as facts.

    Raises SchemaError.
    """
    if source.syntax != "proto3" or source.package != UPSTREAM_PACKAGE:
        raise SchemaError(f"{source.name}: not proto3 in package {UPSTREAM_PACKAGE}")
    file = FileDescriptorProto(name=our_name, package=PACKAGE, syntax="proto3")
    for message in source.message_type:
        pruned = _our_message(message, f"{UPSTREAM_PACKAGE}.{message.name}", kept)
        if pruned is not None:
            file.message_type.append(pruned)
    for enum in source.enum_type:
        if f"{UPSTREAM_PACKAGE}.{enum.name}" in kept:
            file.enum_type.append(_our_enum(enum))
    used = {field.type_name for _, message in messages_of(file) for field in message.field}
    for dependency in source.dependency:
        if dependency in FILES:
            file.dependency.append(FILES[dependency])
        elif dependency == TIMESTAMP_FILE and ".google.protobuf.Timestamp" in used:
            file.dependency.append(dependency)
    return file


def _our_message(
    source: DescriptorProto, upstream_name: str, kept: frozenset[str]
) -> DescriptorProto | None:
    """The message as facts; without fields when only what is nested in it is kept, else None."""
    if source.options.map_entry:
        return _our_map_entry(source)
    message = DescriptorProto(name=source.name)
    for enum in source.enum_type:
        if f"{upstream_name}.{enum.name}" in kept:
            message.enum_type.append(_our_enum(enum))
    for nested in source.nested_type:
        if nested.options.map_entry and upstream_name not in kept:
            continue
        pruned = _our_message(nested, f"{upstream_name}.{nested.name}", kept)
        if pruned is not None:
            message.nested_type.append(pruned)
    if upstream_name not in kept:
        return message if message.nested_type or message.enum_type else None
    if source.options.deprecated:
        message.options.deprecated = True
    message.field.extend(_our_field(field) for field in source.field)
    for oneof in source.oneof_decl:
        message.oneof_decl.add(name=oneof.name)
    message.reserved_range.extend(source.reserved_range)
    message.reserved_name.extend(source.reserved_name)
    return message


def _our_map_entry(source: DescriptorProto) -> DescriptorProto:
    entry = DescriptorProto(name=source.name)
    entry.options.map_entry = True
    entry.field.extend(_our_field(field) for field in source.field)
    return entry


def _our_field(source: FieldDescriptorProto) -> FieldDescriptorProto:
    if (
        source.type == FieldDescriptorProto.TYPE_GROUP
        or source.label == FieldDescriptorProto.LABEL_REQUIRED
        or source.HasField("default_value")
        or source.options.HasField("packed")
        or (source.HasField("json_name") and source.json_name != default_json_name(source.name))
    ):
        raise SchemaError(
            f"field {source.name}: no group, required, default, packed or json_name here yet"
        )
    field = FieldDescriptorProto()
    field.CopyFrom(source)
    deprecated = source.options.deprecated
    field.ClearField("options")
    if deprecated:
        field.options.deprecated = True
    if field.type_name.startswith(f".{UPSTREAM_PACKAGE}."):
        field.type_name = f".{PACKAGE}" + field.type_name.removeprefix(f".{UPSTREAM_PACKAGE}")
    return field


def _our_enum(source: EnumDescriptorProto) -> EnumDescriptorProto:
    enum = EnumDescriptorProto(name=source.name)
    if source.options.allow_alias:
        enum.options.allow_alias = True
    if source.options.deprecated:
        enum.options.deprecated = True
    for value in source.value:
        added = enum.value.add(name=value.name, number=value.number)
        if value.options.deprecated:
            added.options.deprecated = True
    enum.reserved_range.extend(source.reserved_range)
    enum.reserved_name.extend(source.reserved_name)
    return enum
