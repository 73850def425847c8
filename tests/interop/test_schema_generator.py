"""The generator's own promises: it says what differs, and stops rather than guess."""

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from proto.generator import annotations, command, proto_text, upstream


@pytest.fixture(scope="module")
def files() -> dict[Path, str]:
    return command.generated()


def test_generating_twice_gives_the_same(files: dict[Path, str]) -> None:
    assert command.generated() == files


def test_drift_is_empty_after_writing_and_shows_each_difference(
    files: dict[Path, str], tmp_path: Path
) -> None:
    assert "+message SignalRequest {" in command.drift(files, tmp_path)
    command.write(files, tmp_path)
    assert command.drift(files, tmp_path) == ""
    changed = tmp_path / "proto" / "kitwire" / "rtc.proto"
    changed.write_text(changed.read_text().replace("int64 rtt = 2;", "int64 rtt = 3;"))
    (tmp_path / "proto" / "kitwire" / "old.proto").touch()
    difference = command.drift(files, tmp_path)
    assert "-  int64 rtt = 3;\n" in difference
    assert "+  int64 rtt = 2;\n" in difference
    assert difference.endswith("proto/kitwire/old.proto would no longer be generated\n")


def test_the_command_checks_writes_and_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[dict[Path, str]] = []
    monkeypatch.setattr(command, "generated", lambda: {Path("proto/kitwire/rtc.proto"): "new\n"})
    monkeypatch.setattr(command, "write", written.append)
    assert command.main(["--check"]) == 1
    assert "+new\n" in capsys.readouterr().out
    assert written == []
    assert command.main([]) == 0
    assert written == [{Path("proto/kitwire/rtc.proto"): "new\n"}]
    monkeypatch.setattr(command, "pins", lambda: {"livekit-protocol": "0.0.1"})
    assert command.main(["--check"]) == 2
    assert "proto/upstream.lock pins 0.0.1" in capsys.readouterr().err


def file_with(field: FieldDescriptorProto) -> FileDescriptorProto:
    file = FileDescriptorProto(name="x.proto", package="livekit", syntax="proto3")
    file.message_type.add(name="M").field.append(field)
    return file


def text_field(name: str) -> FieldDescriptorProto:
    return FieldDescriptorProto(
        name=name,
        number=1,
        type=FieldDescriptorProto.TYPE_STRING,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
    )


def test_a_text_field_that_nobody_classified_stops_the_generator() -> None:
    schema = [file_with(text_field("new_token"))]
    with pytest.raises(annotations.AnnotationError, match=r"missing: M\.new_token; .*: none"):
        annotations.check_privacy(schema, {})
    with pytest.raises(annotations.AnnotationError, match=r"missing: none; .*: M\.old"):
        annotations.check_privacy(schema, {"M.new_token": "secret", "M.old": "public"})
    annotations.check_privacy(schema, {"M.new_token": "secret"})


def test_text_is_found_in_maps_and_not_in_numbers() -> None:
    file = file_with(text_field("plain"))
    (message,) = file.message_type
    message.field.add(name="number", number=2, type=FieldDescriptorProto.TYPE_INT32)
    entry = message.nested_type.add(name="TagsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=FieldDescriptorProto.TYPE_UINT32)
    entry.field.add(name="value", number=2, type=FieldDescriptorProto.TYPE_BYTES)
    message.field.add(
        name="tags",
        number=3,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".livekit.M.TagsEntry",
        label=FieldDescriptorProto.LABEL_REPEATED,
    )
    assert list(annotations.text_fields([file])) == ["M.plain", "M.tags"]


def test_privacy_is_decided_once_and_in_known_classes() -> None:
    assert annotations.privacy_by_field({"secret": {"M": ["a"]}, "public": {"M": ["b"]}}) == {
        "M.a": "secret",
        "M.b": "public",
    }
    with pytest.raises(annotations.AnnotationError, match="listed twice"):
        annotations.privacy_by_field({"secret": {"M": ["a"]}, "public": {"M": ["a"]}})
    with pytest.raises(annotations.AnnotationError, match="no class hidden"):
        annotations.privacy_by_field({"hidden": {"M": ["a"]}})


def test_comments_are_about_what_is_there() -> None:
    schema = [file_with(text_field("a"))]
    annotations.check_comments(schema, {"M": "…"}, {"M.a": "…"})
    with pytest.raises(annotations.AnnotationError, match=r"missing: M;"):
        annotations.check_comments(schema, {}, {})
    with pytest.raises(annotations.AnnotationError, match=r"not in the schema: M\.b"):
        annotations.check_comments(schema, {"M": "…"}, {"M.b": "…"})


def test_what_upstream_calls_secret_is_secret_here() -> None:
    """Upstream marks some fields for its own logs; ours may be stricter, never laxer."""
    notes = annotations.read(command.PROTO, upstream.schema())
    marked: dict[str, set[str]] = {"SENSITIVITY_SECRET": set(), "SENSITIVITY_PII": set()}
    for source in upstream.official_files().values():
        file = FileDescriptorProto()
        source.CopyToProto(file)
        for name, message in upstream.messages_of(file):
            for field in message.field:
                for sensitivity, fields in marked.items():
                    if sensitivity in str(field.options):
                        fields.add(f"{name}.{field.name}")
    secret, personal = marked["SENSITIVITY_SECRET"], marked["SENSITIVITY_PII"]
    assert {"SignalResponse.refresh_token", "ICEServer.credential"} <= secret
    assert {notes.privacy[name] for name in secret & notes.privacy.keys()} == {"secret"}
    assert {notes.privacy[name] for name in personal & notes.privacy.keys()} == {
        "secret",
        "personal",
    }


@pytest.mark.parametrize(
    "unusual",
    [
        {"type": FieldDescriptorProto.TYPE_GROUP},
        {"label": FieldDescriptorProto.LABEL_REQUIRED},
        {"default_value": "x"},
        {"json_name": "other"},
    ],
)
def test_what_the_generator_does_not_carry_over_stops_it(
    unusual: dict[str, str | int], monkeypatch: pytest.MonkeyPatch
) -> None:
    field = text_field("a")
    for name, value in unusual.items():
        setattr(field, name, value)
    with pytest.raises(upstream.SchemaError, match="field a"):
        upstream.our_file(file_with(field), "kitwire/x.proto", frozenset({"livekit.M"}))


def test_an_old_syntax_stops_it_too() -> None:
    file = file_with(text_field("a"))
    file.syntax = "proto2"
    with pytest.raises(upstream.SchemaError, match=r"x\.proto"):
        upstream.our_file(file, "kitwire/x.proto", frozenset())


def test_reservations_aliases_and_deprecations_reach_the_text() -> None:
    """Upstream has few of them today: the printer must not lose one that comes."""
    file = file_with(text_field("a"))
    (message,) = file.message_type
    message.options.deprecated = True
    message.field[0].options.deprecated = True
    message.reserved_range.add(start=4, end=5)
    message.reserved_range.add(start=7, end=10)
    message.reserved_name.append("gone")
    enum = message.enum_type.add(name="E")
    enum.options.allow_alias = enum.options.deprecated = True
    enum.reserved_range.add(start=9, end=9)
    enum.value.add(name="ZERO", number=0).options.deprecated = True
    kept = frozenset({"livekit.M", "livekit.M.E"})
    ours = upstream.our_file(file, "kitwire/x.proto", kept)
    assert proto_text.proto_text(ours, {"M": "About M.", "M.a": "About a."}, "Header.") == (
        "// Header.\n"
        "\n"
        'syntax = "proto3";\n'
        "\n"
        "package kitwire;\n"
        "\n"
        "// About M.\n"
        "message M {\n"
        "  option deprecated = true;\n"
        "  reserved 4, 7 to 9;\n"
        '  reserved "gone";\n'
        "  enum E {\n"
        "    option allow_alias = true;\n"
        "    option deprecated = true;\n"
        "    reserved 9;\n"
        "    ZERO = 0 [deprecated = true];\n"
        "  }\n"
        "\n"
        "  // About a.\n"
        "  string a = 1 [deprecated = true];\n"
        "}\n"
    )
