"""Prints the Python package `kitwire.messages` from the schema.

betterproto2's own compiler decides names and field declarations; the module around them is laid
out here, because its own layout needs a message pool and a second package for Timestamp, and warns
when a deprecated field is set.
"""

from collections.abc import Iterator, Mapping, Sequence

from betterproto2_compiler.lib.google.protobuf.compiler import CodeGeneratorRequest
from betterproto2_compiler.plugin.models import (
    EnumDefinitionCompiler,
    MessageCompiler,
    OutputTemplate,
    PluginRequestCompiler,
)
from betterproto2_compiler.plugin.parser import get_settings, read_protobuf_type, traverse
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest as OfficialRequest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    SourceCodeInfo,
)

from .upstream import PACKAGE

_MESSAGE_TYPE, _ENUM_TYPE = 4, 5
_FIELD, _NESTED_TYPE, _NESTED_ENUM, _ONEOF = 2, 3, 4, 8
_ENUM_VALUE = 2
"""Field numbers inside descriptor.proto, of which a source location's path is made."""

_TIMESTAMP_COMMENTS = {
    "Timestamp": "A point in time, to the nanosecond (google.protobuf.Timestamp).",
    "Timestamp.seconds": "Since 1970, UTC; negative before.",
    "Timestamp.nanos": "From 0 to 999 999 999, counted forward even before 1970.",
}


def compile_schema(
    schema: Sequence[FileDescriptorProto], comments: Mapping[str, str]
) -> OutputTemplate:
    """What betterproto2's compiler makes of the schema: one flat module with all of it."""
    request = OfficialRequest()
    for file in [timestamp_file(), *schema]:
        request.proto_file.append(for_classes(file, {**comments, **_TIMESTAMP_COMMENTS}))
        request.file_to_generate.append(file.name)
    parsed = CodeGeneratorRequest.parse(request.SerializeToString())
    state = PluginRequestCompiler(plugin_request_obj=parsed)
    output = OutputTemplate(
        parent_request=state, package_proto_obj=parsed.proto_file[0], settings=get_settings([])
    )
    state.output_packages[PACKAGE] = output
    for proto in parsed.proto_file:
        output.input_files.append(proto)
        for item, path, prefixed_name in traverse(proto):
            read_protobuf_type(
                source_file=proto,
                item=item,
                path=path,
                output_package=output,
                prefixed_proto_name=prefixed_name,
            )
    for message in output.messages.values():
        for field in message.fields:
            field.ready()
        message.ready()
    return output


def timestamp_file() -> FileDescriptorProto:
    """google.protobuf.Timestamp as a message like any other.

    betterproto2 would turn it into a datetime, which cuts nanoseconds and cannot hold every value
    that the wire can.
    """
    file = FileDescriptorProto(name="kitwire/timestamp.proto", package=PACKAGE, syntax="proto3")
    message = file.message_type.add(name="Timestamp")
    for number, (name, kind) in enumerate(
        [("seconds", FieldDescriptorProto.TYPE_INT64), ("nanos", FieldDescriptorProto.TYPE_INT32)],
        1,
    ):
        message.field.add(
            name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL
        )
    return file


def for_classes(file: FileDescriptorProto, comments: Mapping[str, str]) -> FileDescriptorProto:
    """The file as betterproto2's compiler needs it.

    Fields in ascending order, since betterproto2 serialises in the order of declaration and
    google.protobuf in that of the numbers; nothing deprecated, since its classes warn even when a
    decoder sets such a field; with source info, without which the compiler fails.
    """
    result = FileDescriptorProto()
    result.CopyFrom(file)
    info = SourceCodeInfo()
    for index, message in enumerate(result.message_type):
        _prepare(message, message.name, [_MESSAGE_TYPE, index], comments, info)
    for index, enum in enumerate(result.enum_type):
        _comment_enum(enum, enum.name, [_ENUM_TYPE, index], comments, info)
    result.source_code_info.CopyFrom(info)
    return result


def _prepare(
    message: DescriptorProto,
    name: str,
    path: list[int],
    comments: Mapping[str, str],
    info: SourceCodeInfo,
) -> None:
    deprecated = message.options.deprecated
    message.options.ClearField("deprecated")
    _comment(info, path, comments.get(name, ""), deprecated)
    ordered = sorted(message.field, key=lambda field: field.number)
    del message.field[:]
    message.field.extend(ordered)
    for index, field in enumerate(message.field):
        if field.type_name == ".google.protobuf.Timestamp":
            field.type_name = f".{PACKAGE}.Timestamp"
        deprecated = field.options.deprecated
        field.ClearField("options")
        _comment(info, [*path, _FIELD, index], comments.get(f"{name}.{field.name}", ""), deprecated)
    for index, oneof in enumerate(message.oneof_decl):
        _comment(info, [*path, _ONEOF, index], comments.get(f"{name}.{oneof.name}", ""), False)
    for index, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            _prepare(nested, f"{name}.{nested.name}", [*path, _NESTED_TYPE, index], comments, info)
    for index, enum in enumerate(message.enum_type):
        _comment_enum(enum, f"{name}.{enum.name}", [*path, _NESTED_ENUM, index], comments, info)


def _comment_enum(
    enum: EnumDescriptorProto,
    name: str,
    path: list[int],
    comments: Mapping[str, str],
    info: SourceCodeInfo,
) -> None:
    _comment(info, path, comments.get(name, ""), enum.options.deprecated)
    for index, value in enumerate(enum.value):
        text = comments.get(f"{name}.{value.name}", "")
        _comment(info, [*path, _ENUM_VALUE, index], text, value.options.deprecated)


def _comment(info: SourceCodeInfo, path: list[int], text: str, deprecated: bool) -> None:
    if deprecated:
        text = f"{text} Deprecated upstream.".strip()
    if text:
        info.location.add(path=path, leading_comments=text)


def render_messages(output: OutputTemplate, compiler_version: str, header: str) -> str:
    """The text of `kitwire/messages/__init__.py`, unformatted."""
    enums = sorted(output.enums.values(), key=lambda enum: enum.py_name)
    messages = sorted(output.messages.values(), key=lambda message: message.py_name)
    names = sorted([enum.py_name for enum in enums] + [message.py_name for message in messages])
    if len(names) != len(set(names)):
        raise ValueError(f"two of the flattened names are the same: {names}")
    lines = [
        f"# {header}",
        '"""Every message and enum of the signaling protocol, by name, as betterproto2 classes."""',
        "",
        "import builtins",
        "from dataclasses import dataclass",
        "",
        "import betterproto2",
        "",
        "from kitwire.messages._base import Message as _Message",
        "from kitwire.messages._base import supply_zeros as _supply_zeros",
        "",
        "__all__ = (",
        *(f'    "{name}",' for name in names),
        ")",
        "",
        f'betterproto2.check_compiler_version("{compiler_version}")',
        "",
    ]
    for enum in enums:
        lines += _enum_lines(enum)
    for message in messages:
        lines += _message_lines(message)
    lines += ["for _cls in _Message.__subclasses__():", "    _supply_zeros(_cls)"]
    text = "\n".join(lines) + "\n"
    return text if "builtins." in text else text.replace("import builtins\n", "")


def _enum_lines(enum: EnumDefinitionCompiler) -> Iterator[str]:
    yield f"class {enum.py_name}(betterproto2.Enum):"
    yield from _docstring(enum.comment)
    for entry in enum.entries:
        yield f"    {entry.name} = {entry.value}"
        yield from _docstring(entry.comment)
    yield ""
    if not enum.has_renamed_entries:
        return
    renamed = [entry for entry in enum.entries if entry.proto_name != entry.name]
    yield "    @classmethod"
    yield "    def betterproto_value_to_renamed_proto_names(cls) -> dict[int, str]:"
    yield "        return {"
    yield from (f'            {entry.value}: "{entry.proto_name}",' for entry in renamed)
    yield "        }"
    yield ""
    yield "    @classmethod"
    yield "    def betterproto_renamed_proto_names_to_value(cls) -> dict[str, int]:"
    yield "        return {"
    yield from (f'            "{entry.proto_name}": {entry.value},' for entry in renamed)
    yield "        }"
    yield ""


def _message_lines(message: MessageCompiler) -> Iterator[str]:
    yield "@dataclass(eq=False, repr=False)"
    yield f"class {message.py_name}(_Message):"
    yield from _docstring(message.comment)
    for field in message.fields:
        yield f"    {field.get_field_string()}"
        yield from _docstring(field.comment)
    if not message.fields and not message.comment:
        yield "    pass"
    yield ""


def _docstring(comment: str) -> Iterator[str]:
    if comment:
        yield f'    """{comment}"""'
        yield ""
