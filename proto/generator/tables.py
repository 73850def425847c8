"""Prints the small tables that the running library needs beside the message classes."""

from collections.abc import Mapping

from betterproto2_compiler.plugin.models import OutputTemplate

from generator.annotations import PERSONAL, SECRET


def render_secrets(output: OutputTemplate, privacy: Mapping[str, str], header: str) -> str:
    """The text of `kitwire/messages/_secrets.py`, unformatted."""
    lines = [
        header,
        '"""Which fields of which message class are secret or personal."""',
        "",
        "from collections.abc import Mapping",
        "from types import MappingProxyType",
        "",
    ]
    for name, kind, meaning in (
        ("SECRET_FIELDS", SECRET, "never in a repr, an event, a trace or a terminal"),
        ("PERSONAL_FIELDS", PERSONAL, "for the application; left out where records are kept"),
    ):
        lines += [
            f"{name}: Mapping[str, frozenset[str]] = MappingProxyType({{",
            *_entries(output, privacy, kind),
            "})",
            f'"""Class name → names of its attributes that are {kind}: {meaning}."""',
            "",
        ]
    return "\n".join(lines)


def _entries(output: OutputTemplate, privacy: Mapping[str, str], kind: str) -> list[str]:
    lines = []
    for message in sorted(output.messages.values(), key=lambda message: message.py_name):
        names = sorted(
            field.py_name
            for field in message.fields
            if privacy.get(f"{message.prefixed_proto_name}.{field.proto_name}") == kind
        )
        if names:
            quoted = ", ".join(f'"{name}"' for name in names)
            lines.append(f'    "{message.py_name}": frozenset({{{quoted}}}),')
    return lines
