"""What the generated decoders share, alone; the rules themselves are held to google.protobuf."""

from __future__ import annotations

import pytest

from kitwire import messages as msg
from kitwire.codec import reading
from kitwire.codec._encoders import ENTRY_ENCODERS
from kitwire.codec.reading import Malformed
from kitwire.codec.wire import varint
from kitwire.codec.writing import Entry


def refused(error: pytest.ExceptionInfo[Malformed]) -> tuple[str, int]:
    return error.value.problem, error.value.offset


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x05", 5),
        (b"\x85\x00", 5),
        (b"\x80\x01", 1 << 7),
        (b"\x80\x80\x01", 1 << 14),
        *((b"\x80" * size + b"\x01", 1 << 7 * size) for size in range(3, 9)),
        *((b"\xff" * size + b"\x7f", (1 << 7 * size + 7) - 1) for size in range(9)),
        (b"\x80" * 9 + b"\x01", 1 << 63),
        (b"\xff" * 9 + b"\x01", (1 << 64) - 1),
        (b"\xff" * 9 + b"\x7f", (1 << 64) - 1),
    ],
)
def test_numbers_of_every_length(data: bytes, value: int) -> None:
    assert reading.read_number(b"?" + data + b"?", 1) == (value, 1 + len(data))
    assert reading.numbers(data * 2, 0, 2 * len(data)) == [value, value]


def test_a_number_ends_within_ten_bytes_and_within_the_data() -> None:
    with pytest.raises(Malformed) as error:
        reading.read_number(b"\x80" * 11, 0)
    assert refused(error) == ("a number has more than 10 bytes", 0)
    for size in range(1, 10):
        with pytest.raises(IndexError):
            reading.read_number(b"\x80" * size, 0)


def test_packed_numbers_end_where_their_block_does() -> None:
    for rest in (b"\x01", b""):
        with pytest.raises(Malformed) as error:
            reading.numbers(b"\x01\x80" + rest, 0, 2)
        assert refused(error) == ("a number is cut short", 1)


@pytest.mark.parametrize(
    ("read", "what", "limit"),
    [(reading.read_tag, "tag", 0xFFFF_FFFF), (reading.read_length, "length", 0x7FFF_FFFF)],
)
def test_tags_and_lengths_have_32_bits_in_five_bytes(
    read: reading.Decode, what: str, limit: int
) -> None:
    largest = b"\xff\xff\xff\xff" + bytes([limit >> 28])
    assert read(largest, 0, 5) == (limit, 5)
    for data, end, problem in (
        (b"\xff\xff\xff\xff\x10", 5, f"a {what} is too large"),
        (b"\x80\x80\x80\x80\x80\x00", 6, f"a {what} has more than 5 bytes"),
        (b"\x80\x80", 2, f"a {what} is cut short"),
        (b"\x80\x01", 1, f"a {what} is cut short"),
    ):
        with pytest.raises(Malformed) as error:
            read(data, 0, end)
        assert refused(error) == (problem, 0)


@pytest.mark.parametrize("read", [reading.read_tag, reading.read_length])
@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x05", 5),
        (b"\x85\x00", 5),
        (b"\xff\x01", 0xFF),
        (b"\xff\x7f", 0x3FFF),
        *((b"\x80" * size + b"\x01", 1 << 7 * size) for size in range(5)),
        *((b"\xff" * size + b"\x7f", (1 << 7 * size + 7) - 1) for size in range(4)),
    ],
)
def test_tags_and_lengths_of_every_size(read: reading.Decode, data: bytes, value: int) -> None:
    assert read(b"\x80" + data + b"\x80", 1, 1 + len(data)) == (value, 1 + len(data))
    assert read(data + b"\x80", 0, len(data) + 1) == (value, len(data))


def test_signs() -> None:
    assert [reading.signed32(n) for n in (1, 0x7FFF_FFFF, 0x8000_0000, 0x1_FFFF_FFFF)] == [
        1,
        0x7FFF_FFFF,
        -0x8000_0000,
        -1,
    ]
    assert [reading.signed64(n) for n in (1, 1 << 63, (1 << 64) - 1)] == [1, -(1 << 63), -1]
    assert [reading.zigzag(n) for n in range(5)] == [0, -1, 1, -2, 2]


@pytest.mark.parametrize(
    ("entry", "pair"),
    [
        (b"\x0a\x01k\x12\x02vw", ("k", "vw")),
        (b"\x0a\x00\x12\x00", ("", "")),
        (b"\x0a\x02\xc3\xa4\x12\x03\xe2\x82\xac", ("ä", "€")),
        (b"\x0a\x7b" + b"k" * 123 + b"\x12\x00", ("k" * 123, "")),
        (b"\x0a\x00\x12\x7b" + b"v" * 123, ("", "v" * 123)),
        (b"\x0a\x7c" + b"k" * 124 + b"\x12\x00", None),
        (b"\x0a\x00\x12\x7c" + b"v" * 124, None),
        (b"\x0a\x80\x01" + b"k" * 128 + b"\x12\x00", None),
        (b"\x0a\x00\x12\x80\x01" + b"v" * 128, None),
        (b"\x12\x01v\x0a\x01k", None),
        (b"\x12\x01v\x12\x01w", None),
        (b"\x0a\x01k\x1a\x01v", None),
        (b"\x0a\x01k", None),
        (b"\x0a\x01k\x12", None),
        (b"\x0a\x01k\x12\x01", None),
        (b"\x0a\x01k\x12\x01vw", None),
        (b"\x0a\x05k\x12\x01v", None),
        (b"\x0a\x01\xff\x12\x01v", None),
        (b"\x0a\x01k\x12\x01\xff", None),
        (b"\x0a\x01k\x12\x01v\x18\x01", None),
        (b"\x12\x00", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("behind", [b"", b"\x01\x01", b"\x22\x04\x0a\x00\x12\x00"])
def test_only_an_entry_as_everybody_writes_it_is_a_pair(
    entry: bytes, pair: tuple[str, str] | None, behind: bytes
) -> None:
    plain = b"\x22\x06\x0a\x01a\x12\x01b"
    written = plain + b"\x22" + varint(len(entry)) + entry
    end = len(written) + 1
    read: dict[str, str] = {}
    stopped = reading.read_pairs(b"?" + written + behind, 1, end, 0x22, read)
    assert read == {"a": "b"} | ({} if pair is None else dict([pair]))
    # Of what is left, the field stands there whole.
    assert stopped == (len(plain) + 1 if pair is None else end)


@pytest.mark.parametrize("behind", [b"\x2a\x00", b"\xa2\x01\x00", b"\x22", b""])
def test_pairs_end_where_another_field_begins_or_the_message_does_not_go_on(behind: bytes) -> None:
    plain = b"\x22\x06\x0a\x01a\x12\x01b"
    frame = plain + behind + plain
    read: dict[str, str] = {}
    assert reading.read_pairs(frame, 0, len(plain + behind), 0x22, read) == len(plain)
    assert read == {"a": "b"}
    # Nor is one read that goes beyond the message.
    assert reading.read_pairs(frame, 0, len(plain) - 1, 0x22, read) == 0


NAMES = {10: "text", 16: "number"}
NO_TEXT = UnicodeDecodeError("utf-8", b"ab\xff", 2, 3, "bad")


@pytest.mark.parametrize(
    ("met", "tag", "problem", "offset", "path"),
    [
        (IndexError(), 16, "a number is cut short", 7, ["number"]),
        (IndexError(), 10, "a length is cut short", 7, ["text"]),
        (IndexError(), 24, "a number is cut short", 7, []),
        (IndexError(), 0, "a tag is cut short", 6, []),
        (
            UnicodeDecodeError("utf-8", b"ab\xff", 2, 3, "bad"),
            10,
            "a string is not UTF-8",
            9,
            ["text"],
        ),
        (Malformed("odd", 3), 10, "odd", 3, ["text"]),
        (Malformed("odd", 3), 24, "odd", 3, []),
    ],
)
def test_what_is_met_becomes_one_error_with_a_path(
    met: Exception, tag: int, problem: str, offset: int, path: list[str]
) -> None:
    found = reading.fault(met, 7, tag, NAMES)
    assert (found.problem, found.offset, found.path) == (problem, offset, path)


@pytest.mark.parametrize(
    "field",
    [
        b"\x08\x80\x01",
        b"\x09" + bytes(8),
        b"\x0a\x03abc",
        b"\x0d" + bytes(4),
        b"\x0b\x0c",
        b"\x0b\x13\x08\x05\x14\x0c",
    ],
    ids=["number", "eight bytes", "block", "four bytes", "group", "groups"],
)
def test_unknown_fields_are_stepped_over_whole(field: bytes) -> None:
    assert reading.skip(field + b"?", 0, 1, len(field) + 1, field[0], 100) == len(field)
    for end in range(1, len(field)):
        with pytest.raises(Malformed):
            reading.skip(field[:end], 0, 1, end, field[0], 100)


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        (b"\x00", "field number 0"),
        (b"\x0c", "the end of a group that did not begin"),
        (b"\x0b\x14", "the end of a group that did not begin"),
        (b"\x0e", "wire type 6"),
        (b"\x0b\x0b\x0b", reading.TOO_DEEP),
    ],
)
def test_what_is_no_field(field: bytes, problem: str) -> None:
    with pytest.raises(Malformed) as error:
        reading.skip(field, 0, 1, len(field), field[0], 2)
    assert error.value.problem == problem


def test_unknown_fields_grow_in_one_place() -> None:
    message = msg.Ping()
    growing: reading.Growing = []
    reading.keep(message, b"one", growing)
    reading.keep(message, b"two", growing)
    assert message._unknown_fields == bytearray(b"onetwo")
    assert [each is message for each in growing] == [True]


def test_an_entry_that_is_not_understood_is_kept_as_written_anew() -> None:
    message = msg.ParticipantInfo()
    entry = Entry("k", "v")
    entry._unknown_fields = b"\x18\x01"
    encode = ENTRY_ENCODERS[msg.ParticipantInfo, "attributes"]
    reading.keep_entry(message, 15, encode, entry, [])
    assert message._unknown_fields == b"\x7a\x08\x0a\x01k\x12\x01v\x18\x01"


def test_which_member_of_a_oneof_is_held() -> None:
    held = msg.SignalRequest(ping=0)
    assert reading.chosen_of(held, ("offer", "ping", "leave")) == "ping"
    assert reading.chosen_of(held, ("offer", "leave")) == ""


def test_a_member_gives_way_to_another_and_not_to_itself() -> None:
    offer = msg.SessionDescription(sdp="v=0")
    held = msg.SignalRequest(offer=offer)
    assert reading.displace(held, "offer", "offer") is offer
    assert held.offer is offer
    assert reading.displace(held, "offer", "answer") is None
    assert held.offer is None
