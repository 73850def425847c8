"""Prints the small tables that the running library needs beside the message classes."""

from collections.abc import Iterator, Mapping

from betterproto2_compiler.plugin.models import MessageCompiler, OutputTemplate

from .annotations import PERSONAL, SECRET

_IMPORTS = ("from collections.abc import Mapping", "from types import MappingProxyType", "")


def secrets(output: OutputTemplate, privacy: Mapping[str, str], header: str) -> str:
    """The text of `kitwire/messages/_secrets.py`, unformatted."""
    lines = [f"# {header}", '"""Which attributes of which message are secret or personal."""', ""]
    lines += _IMPORTS
    for name, kind, meaning in (
        ("SECRET_FIELDS", SECRET, "never in a repr, an event, a trace or a terminal"),
        ("PERSONAL_FIELDS", PERSONAL, "for the application, left out where records are kept"),
    ):
        lines.append(f"{name}: Mapping[str, frozenset[str]] = MappingProxyType({{")
        for message in _messages(output):
            attributes = sorted(
                field.py_name
                for field in message.fields
                if privacy.get(f"{message.prefixed_proto_name}.{field.proto_name}") == kind
            )
            if attributes:
                quoted = ", ".join(f'"{attribute}"' for attribute in attributes)
                lines.append(f'"{message.py_name}": frozenset({{{quoted}}}),')
        lines += ["})", f'"""Class name → its {kind} attributes: {meaning}."""', ""]
    return "\n".join(lines)


def names(output: OutputTemplate, header: str) -> str:
    """The text of `kitwire/messages/_names.py`, unformatted."""
    lines = [f"# {header}", '"""Where the schema\'s names differ from the Python ones."""', ""]
    lines += _IMPORTS
    lines.append("PROTO_TYPE_NAMES: Mapping[str, str] = MappingProxyType({")
    lines += (f'"{ours}": "{theirs}",' for ours, theirs in _renamed_types(output))
    lines += [
        "})",
        '"""Class name → name in the schema, without the package, where they differ."""',
        "",
    ]
    lines.append("PROTO_FIELD_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType({")
    for message in _messages(output):
        renamed = [
            f'"{field.py_name}": "{field.proto_name}"'
            for field in message.fields
            if field.py_name != field.proto_name
        ]
        if renamed:
            lines.append(f'"{message.py_name}": MappingProxyType({{{", ".join(renamed)}}}),')
    lines += [
        "})",
        '"""Class name → attribute → field name in the schema, where they differ."""',
        "",
    ]
    return "\n".join(lines)


def _messages(output: OutputTemplate) -> list[MessageCompiler]:
    return sorted(output.messages.values(), key=lambda message: message.py_name)


def _renamed_types(output: OutputTemplate) -> Iterator[tuple[str, str]]:
    messages = [(item.py_name, item.prefixed_proto_name) for item in output.messages.values()]
    enums = [(item.py_name, item.prefixed_proto_name) for item in output.enums.values()]
    return ((ours, theirs) for ours, theirs in sorted(messages + enums) if ours != theirs)
