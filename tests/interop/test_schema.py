"""The schema and the classes against the official descriptors, fact by fact.

Three witnesses of the same facts: the descriptors in `livekit-protocol`, our .proto files as protoc
reads them, and the betterproto2 classes by their own metadata. None of them is asked through the
generator.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import betterproto2
import pytest
from google.protobuf import timestamp_pb2, unknown_fields
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from livekit.protocol import models, rtc

from kitwire import messages
from kitwire.messages._names import PROTO_FIELD_NAMES, PROTO_TYPE_NAMES
from proto.generator import command

PROTO = Path(__file__).resolve().parents[2] / "proto"
SOURCES = ("kitwire/metrics.proto", "kitwire/models.proto", "kitwire/rtc.proto")
ROOTS = (
    "SignalRequest",
    "SignalResponse",
    "JoinRequest",
    "WrappedJoinRequest",
    "DataPacket",
    "RegionSettings",
)
HOLDERS = {"DataStream", "Encryption"}
"""Messages that nothing reaches, but that hold messages or enums that something does."""

TYPES: dict[int, str] = {
    value: name.removeprefix("TYPE_").lower() for name, value in FieldDescriptorProto.Type.items()
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the wire and a reader need to know of a field."""

    number: int
    kind: str
    refers_to: str | None
    repeated: bool
    presence: bool
    oneof: str | None
    map_key: str | None = None
    map_value: str | None = None


Facts = dict[str, Shape | int | str]
"""Name without the package → a field's shape, a value's number, or "message" or "enum"."""


# -- reading facts ---------------------------------------------------------------------------------


def short(full_name: str) -> str:
    """A full name without the package, whichever the package is."""
    for package in ("google.protobuf.", "livekit.", "kitwire."):
        full_name = full_name.removeprefix(package)
    return full_name


def reached(roots: Iterable[Descriptor]) -> tuple[list[Descriptor], list[EnumDescriptor]]:
    """Every message (no map entries) and enum that the roots reach."""
    found: dict[str, Descriptor] = {}
    enums: dict[str, EnumDescriptor] = {}
    waiting = list(roots)
    while waiting:
        message = waiting.pop()
        if message.full_name in found:
            continue
        found[message.full_name] = message
        for field in message.fields:
            if field.message_type is not None:
                waiting.append(field.message_type)
            if field.enum_type is not None:
                enums[field.enum_type.full_name] = field.enum_type
    whole = [message for message in found.values() if not message.GetOptions().map_entry]
    return whole, list(enums.values())


def shape_of(field: FieldDescriptor, *, synthetic: bool) -> Shape:
    target = field.message_type or field.enum_type
    oneof = None if synthetic or field.containing_oneof is None else field.containing_oneof.name
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields_by_number[1], field.message_type.fields_by_number[2]
        referred = value.message_type or value.enum_type
        return Shape(
            number=field.number,
            kind="map",
            refers_to=None if referred is None else short(referred.full_name),
            repeated=False,
            presence=False,
            oneof=None,
            map_key=TYPES[key.type],
            map_value=TYPES[value.type],
        )
    return Shape(
        number=field.number,
        kind=TYPES[field.type],
        refers_to=None if target is None else short(target.full_name),
        repeated=field.is_repeated,
        presence=field.has_presence,
        oneof=oneof,
    )


def facts_of(roots: Iterable[Descriptor]) -> Facts:
    """What the descriptors say, apart from `asides_of`."""
    whole, enums = reached(roots)
    facts: Facts = {}
    for message in whole:
        facts[short(message.full_name)] = "message"
        for field in message.fields:
            synthetic = proto_of(message, field.name).proto3_optional
            facts[f"{short(message.full_name)}.{field.name}"] = shape_of(field, synthetic=synthetic)
    for enum in enums:
        facts[short(enum.full_name)] = "enum"
        for value in enum.values:
            facts[f"{short(enum.full_name)}.{value.name}"] = value.number
    return facts


def asides_of(roots: Iterable[Descriptor]) -> set[str]:
    """What the descriptors say and the classes do not: deprecations, `optional`, JSON names."""
    whole, enums = reached(roots)
    said: set[str] = set()
    for message in whole:
        name = short(message.full_name)
        said |= {f"{name} deprecated"} if message.GetOptions().deprecated else set()
        for field in message.fields:
            said.add(f"{name}.{field.name} is {field.json_name} in JSON")
            said |= {f"{name}.{field.name} deprecated"} if field.GetOptions().deprecated else set()
            if proto_of(message, field.name).proto3_optional:
                said.add(f"{name}.{field.name} optional")
    for enum in enums:
        for value in enum.values:
            if value.GetOptions().deprecated:
                said.add(f"{short(enum.full_name)}.{value.name} deprecated")
    return said


def proto_of(message: Descriptor, field: str) -> FieldDescriptorProto:
    copied = DescriptorProto()
    message.CopyToProto(copied)
    return next(candidate for candidate in copied.field if candidate.name == field)


def facts_of_classes() -> Facts:
    """What the betterproto2 classes say of themselves."""
    facts: Facts = {}
    for name in messages.__all__:
        item: object = getattr(messages, name)
        assert isinstance(item, type)
        proto_name = PROTO_TYPE_NAMES.get(name, name)
        if issubclass(item, betterproto2.Enum):
            facts[proto_name] = "enum"
            for member in item:
                facts[f"{proto_name}.{member.proto_name or member.name}"] = member.value
        else:
            assert issubclass(item, betterproto2.Message)
            facts[proto_name] = "message"
            for attribute, shape in shapes_of_class(item):
                field = PROTO_FIELD_NAMES.get(name, {}).get(attribute, attribute)
                facts[f"{proto_name}.{field}"] = shape
    return facts


def shapes_of_class(cls: type[betterproto2.Message]) -> Iterator[tuple[str, Shape]]:
    metadata = betterproto2.ProtoClassMetadata(cls)
    for attribute, meta in metadata.meta_by_field_name.items():
        is_map = meta.map_meta is not None
        python_type = metadata.cls_by_field[attribute + (".value" if is_map else "")]
        named = issubclass(python_type, (betterproto2.Message, betterproto2.Enum))
        name = PROTO_TYPE_NAMES.get(python_type.__name__, python_type.__name__)
        yield (
            attribute,
            Shape(
                number=meta.number,
                kind=meta.proto_type,
                refers_to=name if named else None,
                repeated=bool(meta.repeated),
                presence=bool(meta.optional),
                oneof=meta.group,
                map_key=None if meta.map_meta is None else meta.map_meta[0].proto_type,
                map_value=None if meta.map_meta is None else meta.map_meta[1].proto_type,
            ),
        )


def differences(expected: Facts, found: Facts) -> list[str]:
    return [
        f"{name}: {expected.get(name)} became {found.get(name)}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


# -- the witnesses ---------------------------------------------------------------------------------


def roots_in(pool: DescriptorPool, package: str) -> list[Descriptor]:
    return [pool.FindMessageTypeByName(f"{package}.{name}") for name in ROOTS]


def official_roots() -> list[Descriptor]:
    everything = {
        name: message
        for file in (rtc.DESCRIPTOR, models.DESCRIPTOR)
        for name, message in file.message_types_by_name.items()
    }
    return [everything[name] for name in ROOTS]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorSet:
    """Our .proto files as protoc reads them."""
    output = tmp_path_factory.mktemp("protoc") / "schema.bin"
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-o{output}", *SOURCES]
    done = subprocess.run(protoc, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return FileDescriptorSet.FromString(output.read_bytes())


def pool_of(files: FileDescriptorSet) -> DescriptorPool:
    pool = DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


# -- the comparisons -------------------------------------------------------------------------------


def test_the_proto_files_are_those_that_we_compare() -> None:
    assert {str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto")} == set(SOURCES)


def test_the_proto_files_state_the_official_facts(compiled: FileDescriptorSet) -> None:
    ours = roots_in(pool_of(compiled), "kitwire")
    assert differences(facts_of(official_roots()), facts_of(ours)) == []
    assert asides_of(ours) == asides_of(official_roots())


def test_the_proto_files_hold_nothing_else(compiled: FileDescriptorSet) -> None:
    pool = pool_of(compiled)
    whole, enums = reached(roots_in(pool, "kitwire"))
    stated: set[str] = set()
    for source in SOURCES:
        file = pool.FindFileByName(source)
        waiting = list(file.message_types_by_name.values())
        stated |= {short(enum.full_name) for enum in file.enum_types_by_name.values()}
        while waiting:
            message = waiting.pop()
            if not message.GetOptions().map_entry:
                stated.add(short(message.full_name))
            stated |= {short(enum.full_name) for enum in message.enum_types}
            waiting += message.nested_types
    used = {short(message.full_name) for message in whole} | {short(e.full_name) for e in enums}
    assert stated - used == HOLDERS
    assert used - stated == {"Timestamp"}


def test_the_classes_state_the_official_facts() -> None:
    official = facts_of(official_roots())
    holders: Facts = dict.fromkeys(HOLDERS, "message")
    assert differences(official | holders, facts_of_classes()) == []


def test_reserved_numbers_and_names_are_the_official_ones(compiled: FileDescriptorSet) -> None:
    ours = reached(roots_in(pool_of(compiled), "kitwire"))[0]
    for official in reached(official_roots())[0]:
        (mine,) = [m for m in ours if short(m.full_name) == short(official.full_name)]
        a, b = DescriptorProto(), DescriptorProto()
        official.CopyToProto(a)
        mine.CopyToProto(b)
        assert (list(a.reserved_range), list(a.reserved_name)) == (
            list(b.reserved_range),
            list(b.reserved_name),
        )


@pytest.mark.parametrize(
    ("message", "arms"), [("SignalRequest", 22), ("SignalResponse", 30), ("DataPacket", 13)]
)
def test_number_of_arms(message: str, arms: int) -> None:
    cls: type[betterproto2.Message] = getattr(messages, message)
    (group,) = betterproto2.ProtoClassMetadata(cls).oneof_field_by_group.values()
    assert len(group) == arms
    (official,) = [root for root in official_roots() if root.name == message]
    assert len(official.oneofs[0].fields) == arms


def test_classes_declare_fields_in_the_order_of_their_numbers() -> None:
    for name in messages.__all__:
        cls: object = getattr(messages, name)
        if isinstance(cls, type) and issubclass(cls, betterproto2.Message):
            metadata = betterproto2.ProtoClassMetadata(cls)
            numbers = [meta.number for meta in metadata.meta_by_field_name.values()]
            assert numbers == sorted(numbers), name


def test_json_names_follow_from_the_original_ones() -> None:
    """So that a JSON codec needs `PROTO_FIELD_NAMES` and one rule, and no table of its own."""
    for message in reached(official_roots())[0]:
        for field in message.fields:
            first, *rest = field.name.split("_")
            assert field.json_name == first + "".join(part.capitalize() for part in rest)


# -- that the comparisons can fail -----------------------------------------------------------------


def message_in(files: FileDescriptorSet, name: str) -> DescriptorProto:
    return next(m for file in files.file for m in file.message_type if m.name == name)


def field_in(files: FileDescriptorSet, message: str, field: str) -> FieldDescriptorProto:
    return next(f for f in message_in(files, message).field if f.name == field)


def enum_in(files: FileDescriptorSet, name: str) -> EnumDescriptorProto:
    return next(e for file in files.file for e in file.enum_type if e.name == name)


def other_number(files: FileDescriptorSet) -> None:
    field_in(files, "Ping", "rtt").number = 3


def other_name(files: FileDescriptorSet) -> None:
    field_in(files, "Ping", "rtt").name = "round_trip"


def other_type(files: FileDescriptorSet) -> None:
    field_in(files, "Ping", "rtt").type = FieldDescriptorProto.TYPE_SINT64


def other_label(files: FileDescriptorSet) -> None:
    field_in(files, "Ping", "rtt").label = FieldDescriptorProto.LABEL_REPEATED


def other_presence(files: FileDescriptorSet) -> None:
    ping = message_in(files, "Ping")
    ping.oneof_decl.add(name="_rtt")
    field = field_in(files, "Ping", "rtt")
    field.oneof_index, field.proto3_optional = 0, True


def outside_its_oneof(files: FileDescriptorSet) -> None:
    field_in(files, "RpcResponse", "payload").ClearField("oneof_index")


def other_target(files: FileDescriptorSet) -> None:
    field_in(files, "SignalResponse", "answer").type_name = ".kitwire.TrickleRequest"


def other_map_value(files: FileDescriptorSet) -> None:
    (entry,) = message_in(files, "SessionDescription").nested_type
    entry.field[1].type = FieldDescriptorProto.TYPE_BYTES


def missing_field(files: FileDescriptorSet) -> None:
    fields = message_in(files, "Ping").field
    del fields[1]


def additional_field(files: FileDescriptorSet) -> None:
    message_in(files, "Ping").field.add(
        name="extra",
        number=9,
        type=FieldDescriptorProto.TYPE_BOOL,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
    )


def other_enum_number(files: FileDescriptorSet) -> None:
    enum_in(files, "StreamState").value[1].number = 7


def other_enum_name(files: FileDescriptorSet) -> None:
    enum_in(files, "StreamState").value[1].name = "STOPPED"


def missing_enum_value(files: FileDescriptorSet) -> None:
    values = enum_in(files, "StreamState").value
    del values[1]


DOCTORED: list[Callable[[FileDescriptorSet], None]] = [
    other_number,
    other_name,
    other_type,
    other_label,
    other_presence,
    outside_its_oneof,
    other_target,
    other_map_value,
    missing_field,
    additional_field,
    other_enum_number,
    other_enum_name,
    missing_enum_value,
]


@pytest.mark.parametrize("doctor", DOCTORED, ids=lambda doctor: doctor.__name__)
def test_one_changed_fact_is_found(
    compiled: FileDescriptorSet, doctor: Callable[[FileDescriptorSet], None]
) -> None:
    changed = FileDescriptorSet()
    changed.CopyFrom(compiled)
    doctor(changed)
    facts = facts_of(roots_in(pool_of(changed), "kitwire"))
    assert differences(facts_of(official_roots()), facts)
    assert differences(facts_of_classes(), facts | dict.fromkeys(HOLDERS, "message"))


def test_one_changed_deprecation_is_found(compiled: FileDescriptorSet) -> None:
    changed = FileDescriptorSet()
    changed.CopyFrom(compiled)
    field_in(changed, "Ping", "rtt").options.deprecated = True
    assert asides_of(roots_in(pool_of(changed), "kitwire")) - asides_of(official_roots()) == {
        "Ping.rtt deprecated"
    }


# -- the bytes -------------------------------------------------------------------------------------


def some_value(meta: betterproto2.FieldMetadata, cls: type, arm: int) -> object:
    if issubclass(cls, betterproto2.Message):
        return some_message(cls, arm)
    if meta.proto_type == betterproto2.TYPE_STRING:
        return "ä"
    if meta.proto_type == betterproto2.TYPE_BYTES:
        return b"\x00\xff"
    assert issubclass(cls, int | float)
    return cls(1)


def some_message(cls: type[betterproto2.Message], arm: int) -> betterproto2.Message:
    """A message with all fields set, of each oneof the one that `arm` chooses."""
    metadata = betterproto2.ProtoClassMetadata(cls)
    chosen: dict[str, bool] = {}
    for group in metadata.oneof_field_by_group.values():
        members = sorted(field.name for field in group)
        chosen |= {member: member == members[arm % len(members)] for member in members}
    values: dict[str, object] = {}
    for name, meta in metadata.meta_by_field_name.items():
        if not chosen.get(name, True):
            continue
        if meta.map_meta is not None:
            key = "k" if meta.map_meta[0].proto_type == betterproto2.TYPE_STRING else 7
            value = some_value(meta.map_meta[1], metadata.cls_by_field[f"{name}.value"], arm)
            values[name] = {key: value}
        else:
            value = some_value(meta, metadata.cls_by_field[name], arm)
            values[name] = [value, value] if meta.repeated else value
    return cls(**values)


@pytest.mark.parametrize("arm", range(30))
@pytest.mark.parametrize("root", ROOTS)
def test_full_messages_serialise_to_the_official_bytes(root: str, arm: int) -> None:
    """DataPacket too, whose oneof has other fields between its members."""
    data = bytes(some_message(getattr(messages, root), arm))
    (descriptor,) = [found for found in official_roots() if found.name == root]
    official = GetMessageClass(descriptor).FromString(data)
    assert official.SerializeToString(deterministic=True) == data
    assert not unknown_fields.UnknownFieldSet(official)
    assert len(data) > 1


# -- drift -----------------------------------------------------------------------------------------


def test_what_is_generated_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROTO / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_lock_and_the_constraints_pin_the_same() -> None:
    constraints = (PROTO.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for name, version in command.pins().items():
        assert f"{name}=={version}" in constraints
