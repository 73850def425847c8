"""What is ours about the schema: comments (`comments.toml`) and who may see which text (`privacy.toml`)."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from generator.upstream import messages_of

SECRET, PERSONAL, PUBLIC = "secret", "personal", "public"
_CLASSES = (SECRET, PERSONAL, PUBLIC)
_TEXT = (FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES)


class AnnotationError(ValueError):
    """The tables beside the schema and the schema do not fit; the text names every field that does not."""


def read_privacy(path: Path) -> dict[str, str]:
    """Full field name (without the package) → secret, personal or public."""
    result: dict[str, str] = {}
    for kind, fields in tomllib.loads(path.read_text()).items():
        if kind not in _CLASSES:
            raise AnnotationError(f"{path.name}: no such class as {kind!r}")
        for message, names in fields.items():
            for name in names:
                key = f"{message}.{name}"
                if key in result:
                    raise AnnotationError(f"{path.name}: {key} is listed twice")
                result[key] = kind
    return result


def text_fields(schema: Sequence[FileDescriptorProto]) -> list[str]:
    """Every field that carries text or bytes, maps included, as Message.field without the package."""
    found = []
    for file in schema:
        for full_name, message in messages_of(file):
            entries = {entry.name: entry for entry in message.nested_type if entry.options.map_entry}
            for field in message.field:
                entry = entries.get(field.type_name.rpartition(".")[2])
                types = [part.type for part in entry.field] if entry else [field.type]
                if any(kind in _TEXT for kind in types):
                    found.append(f"{full_name.partition('.')[2]}.{field.name}")
    return found


def check_privacy(schema: Sequence[FileDescriptorProto], privacy: Mapping[str, str]) -> None:
    """Demand that every text field is classified, and nothing else. Raises AnnotationError."""
    known = set(text_fields(schema))
    undecided, stale = sorted(known - privacy.keys()), sorted(privacy.keys() - known)
    if undecided or stale:
        raise AnnotationError(
            f"privacy.toml: undecided {undecided}; no such text field {stale}"
        )
