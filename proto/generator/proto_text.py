"""Prints a file of the schema in the language of Protocol Buffers.

Messages and enums in alphabetical order and fields in that of their numbers, so that a diff shows
what upstream changed and not how it rearranged.
"""

import textwrap
from collections.abc import Iterator, Mapping

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from .upstream import PACKAGE

_WIDTH = 100
_INDENT = "  "
_SCALAR_NAMES = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}


def proto_text(file: FileDescriptorProto, comments: Mapping[str, str], header: str) -> str:
    """The text of one .proto file. Comments are looked up by full name without the package."""
    lines = [
        f"// {header}",
        "",
        'syntax = "proto3";',
        "",
        f"package {file.package};",
    ]
    if file.dependency:
        lines += ["", *(f'import "{dependency}";' for dependency in sorted(file.dependency))]
    for enum in sorted(file.enum_type, key=lambda enum: enum.name):
        lines += ["", *_enum(enum, enum.name, comments)]
    for message in sorted(file.message_type, key=lambda message: message.name):
        lines += ["", *_message(message, message.name, comments)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> Iterator[str]:
    yield from (f"// {line}" for line in textwrap.wrap(text, _WIDTH - 10))


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"{_INDENT}{line}" if line else line for line in lines)


def _enum(enum: EnumDescriptorProto, name: str, comments: Mapping[str, str]) -> Iterator[str]:
    yield from _comment(comments.get(name, ""))
    yield f"enum {enum.name} {{"
    yield from _indented(_enum_body(enum, name, comments))
    yield "}"


def _enum_body(enum: EnumDescriptorProto, name: str, comments: Mapping[str, str]) -> Iterator[str]:
    if enum.options.allow_alias:
        yield "option allow_alias = true;"
    if enum.options.deprecated:
        yield "option deprecated = true;"
    yield from _reserved([(r.start, r.end) for r in enum.reserved_range], list(enum.reserved_name))
    for value in enum.value:
        yield from _comment(comments.get(f"{name}.{value.name}", ""))
        yield f"{value.name} = {value.number}{_deprecated(value.options.deprecated)};"


def _message(message: DescriptorProto, name: str, comments: Mapping[str, str]) -> Iterator[str]:
    yield from _comment(comments.get(name, ""))
    body = list(_indented(_message_body(message, name, comments)))
    if body:
        yield f"message {message.name} {{"
        yield from body
        yield "}"
    else:
        yield f"message {message.name} {{}}"


def _message_body(
    message: DescriptorProto, name: str, comments: Mapping[str, str]
) -> Iterator[str]:
    if message.options.deprecated:
        yield "option deprecated = true;"
    ranges = [(r.start, r.end - 1) for r in message.reserved_range]
    yield from _reserved(ranges, list(message.reserved_name))
    for enum in sorted(message.enum_type, key=lambda enum: enum.name):
        yield from _enum(enum, f"{name}.{enum.name}", comments)
        yield ""
    for nested in sorted(message.nested_type, key=lambda nested: nested.name):
        if not nested.options.map_entry:
            yield from _message(nested, f"{name}.{nested.name}", comments)
            yield ""
    printed_oneofs: set[int] = set()
    for field in sorted(message.field, key=lambda field: field.number):
        if not field.HasField("oneof_index") or field.proto3_optional:
            yield from _field(field, message, name, comments)
        elif field.oneof_index not in printed_oneofs:
            printed_oneofs.add(field.oneof_index)
            yield from _oneof(field.oneof_index, message, name, comments)


def _oneof(
    index: int, message: DescriptorProto, name: str, comments: Mapping[str, str]
) -> Iterator[str]:
    oneof = message.oneof_decl[index].name
    yield from _comment(comments.get(f"{name}.{oneof}", ""))
    yield f"oneof {oneof} {{"
    for field in sorted(message.field, key=lambda field: field.number):
        inside = field.HasField("oneof_index") and field.oneof_index == index
        if inside and not field.proto3_optional:
            yield from _indented(_field(field, message, name, comments))
    yield "}"


def _field(
    field: FieldDescriptorProto,
    message: DescriptorProto,
    name: str,
    comments: Mapping[str, str],
) -> Iterator[str]:
    yield from _comment(comments.get(f"{name}.{field.name}", ""))
    entry = map_entry(field, message)
    if entry is not None:
        key, value = sorted(entry.field, key=lambda part: part.number)
        kind = f"map<{_type(key)}, {_type(value)}>"
    elif field.label == FieldDescriptorProto.LABEL_REPEATED:
        kind = f"repeated {_type(field)}"
    elif field.proto3_optional:
        kind = f"optional {_type(field)}"
    else:
        kind = _type(field)
    yield f"{kind} {field.name} = {field.number}{_deprecated(field.options.deprecated)};"


def map_entry(field: FieldDescriptorProto, message: DescriptorProto) -> DescriptorProto | None:
    """The entry message when the field is a map, else None."""
    last = field.type_name.rpartition(".")[2]
    for nested in message.nested_type:
        if nested.options.map_entry and nested.name == last:
            return nested
    return None


def _type(field: FieldDescriptorProto) -> str:
    scalar = _SCALAR_NAMES.get(field.type)
    return scalar or field.type_name.removeprefix(f".{PACKAGE}.").removeprefix(".")


def _reserved(ranges: list[tuple[int, int]], names: list[str]) -> Iterator[str]:
    if ranges:
        parts = [str(first) if first == last else f"{first} to {last}" for first, last in ranges]
        yield f"reserved {', '.join(parts)};"
    if names:
        quoted = [f'"{name}"' for name in names]
        yield f"reserved {', '.join(quoted)};"


def _deprecated(flag: bool) -> str:
    return " [deprecated = true]" if flag else ""
