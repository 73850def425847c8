"""Times as RFC 3339, with google.protobuf's Timestamp as the second source."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp as OfficialTimestamp
from hypothesis import given
from hypothesis import strategies as st

from kitwire.codec.timestamps import format_timestamp, parse_timestamp

FIRST, LAST = -62_135_596_800, 253_402_300_799
SECONDS = st.integers(FIRST, LAST)
NANOS = st.integers(0, 999_999_999) | st.sampled_from([0, 1, 1000, 5_000_000, 120_000_000])


@given(SECONDS, NANOS)
def test_a_time_is_written_as_by_google_protobuf_and_read_back(seconds: int, nanos: int) -> None:
    text = format_timestamp(seconds, nanos)
    assert text == OfficialTimestamp(seconds=seconds, nanos=nanos).ToJsonString()
    assert text is not None
    assert parse_timestamp(text) == (seconds, nanos)


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(FIRST - 1, 0), (LAST + 1, 0), (0, -1), (0, 1_000_000_000)]
)
def test_a_time_outside_the_years_1_to_9999_has_no_text(seconds: int, nanos: int) -> None:
    assert format_timestamp(seconds, nanos) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", (0, 0)),
        ("1970-01-01T00:00:00.5Z", (0, 500_000_000)),
        ("1969-12-31T23:59:59.999999999Z", (-1, 999_999_999)),
        ("1970-01-01T01:00:00+01:00", (0, 0)),
        ("1969-12-31T18:30:00-05:30", (0, 0)),
        ("2024-02-29T12:00:00Z", (1_709_208_000, 0)),
        ("0001-01-01T00:00:00Z", (FIRST, 0)),
        ("9999-12-31T23:59:59Z", (LAST, 0)),
    ],
)
def test_a_time_is_read(text: str, expected: tuple[int, int]) -> None:
    assert parse_timestamp(text) == expected
    official = OfficialTimestamp()
    official.FromJsonString(text)
    assert (official.seconds, official.nanos) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567890Z",
        "1970-02-30T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+00:60",
        "1970-01-01T00:00:00Z\n",
        "١٩٧٠-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_timestamp(text) is None
