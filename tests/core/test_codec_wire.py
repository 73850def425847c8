"""The facts of the wire."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kitwire.codec import wire
from proto.generator.facts import FieldFacts
from tests.fuzz.everything import KINDS


@given(st.integers(0, 2**64 - 1) | st.integers(0, 63).map(lambda bits: 1 << bits))
def test_a_varint_is_minimal_and_read_back(number: int) -> None:
    data = wire.varint(number)
    assert len(data) == max(1, -(-number.bit_length() // 7))
    assert all(byte & 0x80 for byte in data[:-1])
    assert sum((byte & 0x7F) << 7 * at for at, byte in enumerate(data)) == number
    assert data[-1] < 0x80


@given(st.integers(-(2**63), -1))
def test_a_negative_number_is_written_as_its_complement(number: int) -> None:
    assert wire.varint(number) == wire.varint(number + 2**64)


def test_every_type_has_its_wire_type() -> None:
    """As the generator knows them."""
    found: dict[int, set[str]] = {}
    for kind in KINDS:
        field = FieldFacts(name="x", proto_name="x", number=1, kind=kind)
        assert field.tag == 8 | field.wire
        found.setdefault(field.wire, set()).add(kind)
    assert found == {
        wire.FIXED64: {"double", "fixed64", "sfixed64"},
        wire.FIXED32: {"float", "fixed32", "sfixed32"},
        wire.BLOCK: {"string", "bytes", "message"},
        wire.VARINT: {"int64", "uint64", "int32", "bool", "uint32", "enum", "sint32", "sint64"},
    }
