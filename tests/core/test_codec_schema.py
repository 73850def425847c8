"""The tables that both encodings read, against the official descriptors."""

from __future__ import annotations

from typing import cast

import betterproto2
import pytest
from google.protobuf.descriptor import FieldDescriptor

from kitwire.codec.schema import (
    UNKNOWN,
    Label,
    Message,
    enum_names,
    enum_numbers,
    shape_of,
)
from kitwire.messages import (
    DataTrackFrameEncodingWellKnownFrameEncoding,
    JoinResponse,
    Ping,
    SessionDescription,
    SignalResponse,
    TrickleRequest,
)
from tests.fuzz.official import classes, descriptor_of, entry_parts, official_class, oneof_name


def expected_label(field: FieldDescriptor) -> Label:
    if entry_parts(field) is not None:
        return Label.MAP
    if field.is_repeated:
        return Label.REPEATED
    return Label.EXPLICIT if field.has_presence else Label.IMPLICIT


@pytest.mark.parametrize("cls", classes())
def test_a_shape_says_what_the_official_descriptor_says(cls: type[Message]) -> None:
    shape = shape_of(cls)
    assert shape.cls is cls
    assert shape.name == cls.__name__
    official = sorted(descriptor_of(official_class(cls)).fields, key=lambda field: field.number)
    assert [
        (field.number, field.proto_name, field.json_name, field.label, field.group)
        for field in shape.fields
    ] == [
        (field.number, field.name, field.json_name, expected_label(field), oneof_name(field))
        for field in official
    ]
    for ours, theirs in zip(shape.fields, official, strict=True):
        assert shape.by_name[theirs.name] is ours
        assert shape.by_name[theirs.json_name] is ours
        if ours.message is not None:
            assert theirs.message_type is not None
            assert descriptor_of(official_class(ours.message)) is theirs.message_type
        if ours.enum is not None:
            assert theirs.enum_type is not None
            assert enum_names(ours.enum) == {v.number: v.name for v in theirs.enum_type.values}


def test_no_message_contains_itself() -> None:
    """Decoding and encoding recurse by the schema, so that it must have a bottom, and not far."""

    def depth(cls: type[Message], above: tuple[type[Message], ...]) -> int:
        assert cls not in above
        parts = [part for field in shape_of(cls).fields for part in (field, *(field.entry or ()))]
        inner = [part.message for part in parts if part.message is not None]
        return 1 + max((depth(part, (*above, cls)) for part in inner), default=0)

    assert max(depth(cls, ()) for cls in classes()) <= 10


def test_a_oneof_has_its_members() -> None:
    shape = shape_of(SignalResponse)
    assert shape.oneofs == {"message": shape.fields}
    assert all(field.group == "message" for field in shape.fields)
    assert shape_of(JoinResponse).oneofs == {}


def test_a_map_has_the_fields_of_its_entries() -> None:
    field = shape_of(SessionDescription).by_name["midToTrackId"]
    assert field.entry is not None
    key, value = field.entry
    assert (key.number, key.kind, key.label) == (1, betterproto2.TYPE_STRING, Label.IMPLICIT)
    assert (value.number, value.kind, value.name) == (2, betterproto2.TYPE_STRING, "value")


def test_secret_fields_are_marked() -> None:
    secret = [field.proto_name for field in shape_of(TrickleRequest).fields if field.secret]
    assert secret == ["candidateInit"]
    assert not any(field.secret for field in shape_of(Ping).fields)


def test_names_of_enum_values_are_the_schemas() -> None:
    enum = DataTrackFrameEncodingWellKnownFrameEncoding
    assert enum_names(enum)[2] == "WELL_KNOWN_FRAME_ENCODING_CDR"
    assert enum_numbers(enum)["WELL_KNOWN_FRAME_ENCODING_CDR"] == 2
    assert "CDR" not in enum_numbers(enum)


def test_unknown_fields_stand_where_betterproto2_looks_for_them() -> None:
    ping = Ping()
    setattr(ping, UNKNOWN, b"\xc0\x3e\x01")
    assert bytes(cast("betterproto2.Message", ping)) == b"\xc0\x3e\x01"
