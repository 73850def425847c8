"""What a printer of codecs needs to know of each message: one table, from the compiled schema."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from betterproto2_compiler.plugin.models import (
    FieldCompiler,
    MapEntryCompiler,
    MessageCompiler,
    OneOfFieldCompiler,
    OutputTemplate,
)

VARINT, FIXED64, BLOCK, FIXED32 = 0, 1, 2, 5
_WIRE = {
    "double": FIXED64,
    "fixed64": FIXED64,
    "sfixed64": FIXED64,
    "float": FIXED32,
    "fixed32": FIXED32,
    "sfixed32": FIXED32,
    "string": BLOCK,
    "bytes": BLOCK,
    "message": BLOCK,
}
_ZEROS = {"string": '""', "bytes": 'b""', "bool": "False", "float": "0.0", "double": "0.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFacts:
    """One field."""

    name: str
    """The attribute."""
    proto_name: str
    number: int
    kind: str
    """The protobuf type, in lower case; of a map ``map``."""
    target: str = ""
    """The class of a message or an enum."""
    repeated: bool = False
    explicit: bool = False
    """Whether absence shows."""
    group: str = ""
    """The oneof that it is a member of."""
    entry: tuple["FieldFacts", "FieldFacts"] | None = None
    """Key and value of a map."""

    @property
    def wire(self) -> int:
        """The wire type of one value."""
        return _WIRE.get(self.kind, BLOCK if self.entry else VARINT)

    @property
    def tag(self) -> int:
        """The number before one value."""
        return self.number << 3 | self.wire

    @property
    def zero(self) -> str:
        """What an absent field holds, as source."""
        if self.explicit:
            return "None"
        if self.kind == "enum":
            return f"m.{self.target}(0)"
        return _ZEROS.get(self.kind, "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """One message; its fields by ascending number."""

    name: str
    fields: tuple[FieldFacts, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Its oneofs."""
        return tuple({field.group: None for field in self.fields if field.group})

    def members(self, group: str) -> tuple[FieldFacts, ...]:
        """The members of a oneof."""
        return tuple(field for field in self.fields if field.group == group)


def is_choice(fields: Sequence[FieldFacts]) -> bool:
    """Whether the message is one oneof of many members."""
    return len(fields) > 3 and {field.group for field in fields} == {fields[0].group} != {""}


def halved(variable: str, arms: Sequence[tuple[int, list[str]]]) -> list[str]:
    """Lines that find by halving which number a variable has, and take the steps of that arm."""
    if len(arms) <= 3:
        return [
            line
            for number, arm in arms
            for line in (f"if {variable} == {number}:", *(f"    {step}" for step in arm))
        ]
    middle = len(arms) // 2
    low, high = halved(variable, arms[:middle]), halved(variable, arms[middle:])
    return [
        f"if {variable} < {arms[middle][0]}:",
        *(f"    {line}" for line in low),
        "else:",
        *(f"    {line}" for line in high),
    ]


def messages(output: OutputTemplate) -> tuple[MessageFacts, ...]:
    """Every message, by name."""
    found = sorted(output.messages.values(), key=lambda message: message.py_name)
    return tuple(
        MessageFacts(
            name=message.py_name,
            fields=tuple(sorted(_fields(message), key=lambda field: field.number)),
        )
        for message in found
    )


def _fields(message: MessageCompiler) -> Iterator[FieldFacts]:
    for field in message.fields:
        kind = field.field_type.name.lower()
        if isinstance(field, MapEntryCompiler):
            key, value = field.proto_k_type.lower(), field.proto_v_type.lower()
            yield FieldFacts(
                name=field.py_name,
                proto_name=field.proto_name,
                number=field.proto_obj.number,
                kind="map",
                entry=(
                    FieldFacts(name="key", proto_name="key", number=1, kind=key),
                    FieldFacts(
                        name="value",
                        proto_name="value",
                        number=2,
                        kind=value,
                        target=field.py_v_type if value in ("message", "enum") else "",
                        explicit=value == "message",
                    ),
                ),
            )
            continue
        yield FieldFacts(
            name=field.py_name,
            proto_name=field.proto_name,
            number=field.proto_obj.number,
            kind=kind,
            target=field.py_type if kind in ("message", "enum") else "",
            repeated=field.repeated,
            explicit=field.optional and not field.repeated,
            group=_group(field),
        )


def _group(field: FieldCompiler) -> str:
    if not isinstance(field, OneOfFieldCompiler):
        return ""
    index = field.proto_obj.oneof_index
    assert index is not None, "a member of a oneof names it"
    return field.message.proto_obj.oneof_decl[index].name
