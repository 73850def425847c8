"""What is ours about the schema.

Comments (`comments.toml`), and who may see which text (`privacy.toml`).
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from .proto_text import map_entry
from .upstream import enums_of, messages_of

SECRET, PERSONAL, PUBLIC = "secret", "personal", "public"
_CLASSES = (SECRET, PERSONAL, PUBLIC)
_TEXT = (FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES)


class AnnotationError(ValueError):
    """The tables beside the schema do not fit it; the text names every entry that does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Both tables, checked. Names are full ones without the package."""

    comments: Mapping[str, str]
    """Message, enum, field, oneof or value → one or two sentences."""
    privacy: Mapping[str, str]
    """Field with text or bytes → secret, personal or public."""


def read(folder: Path, schema: Sequence[FileDescriptorProto]) -> Notes:
    """Read both tables and check them against the schema. Raises AnnotationError."""
    comments = tomllib.loads((folder / "comments.toml").read_text(encoding="utf-8"))
    privacy = tomllib.loads((folder / "privacy.toml").read_text(encoding="utf-8"))
    notes = Notes(comments=comments["types"] | comments["parts"], privacy=privacy_by_field(privacy))
    check_comments(schema, comments["types"], comments["parts"])
    check_privacy(schema, notes.privacy)
    return notes


def privacy_by_field(table: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, str]:
    """Turn class → message → fields around into field → class. Raises AnnotationError."""
    result: dict[str, str] = {}
    for kind, messages in table.items():
        if kind not in _CLASSES:
            raise AnnotationError(f"privacy.toml: there is no class {kind}")
        for message, fields in messages.items():
            for field in fields:
                name = f"{message}.{field}"
                if name in result:
                    raise AnnotationError(f"privacy.toml: {name} is listed twice")
                result[name] = kind
    return result


def check_privacy(schema: Sequence[FileDescriptorProto], privacy: Mapping[str, str]) -> None:
    """Demand that every field with text or bytes is classified, and nothing else.

    Raises AnnotationError.
    """
    _demand_same("privacy.toml", set(text_fields(schema)), set(privacy), missing_too=True)


def check_comments(
    schema: Sequence[FileDescriptorProto], types: Mapping[str, str], parts: Mapping[str, str]
) -> None:
    """Demand that every message and enum has a comment, and that none is about something gone.

    Raises AnnotationError.
    """
    _demand_same("comments.toml", set(_type_names(schema)), set(types), missing_too=True)
    _demand_same("comments.toml", set(_part_names(schema)), set(parts), missing_too=False)


def text_fields(schema: Sequence[FileDescriptorProto]) -> Iterator[str]:
    """Every field that carries text or bytes, maps with them included."""
    for file in schema:
        for name, message in messages_of(file):
            for field in message.field:
                entry = map_entry(field, message)
                carried = [field] if entry is None else entry.field
                if any(part.type in _TEXT for part in carried):
                    yield f"{name}.{field.name}"


def _type_names(schema: Sequence[FileDescriptorProto]) -> Iterator[str]:
    for file in schema:
        yield from (name for name, _ in messages_of(file))
        yield from (name for name, _ in enums_of(file))


def _part_names(schema: Sequence[FileDescriptorProto]) -> Iterator[str]:
    for file in schema:
        for name, message in messages_of(file):
            yield from (f"{name}.{field.name}" for field in message.field)
            yield from (f"{name}.{oneof.name}" for oneof in message.oneof_decl)
        for name, enum in enums_of(file):
            yield from (f"{name}.{value.name}" for value in enum.value)


def _demand_same(table: str, wanted: set[str], found: set[str], *, missing_too: bool) -> None:
    missing = sorted(wanted - found) if missing_too else []
    stale = sorted(found - wanted)
    if missing or stale:
        raise AnnotationError(
            f"{table}: missing: {', '.join(missing) or 'none'}; "
            f"not in the schema: {', '.join(stale) or 'none'}"
        )
