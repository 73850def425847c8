"""Times as protobuf's JSON spells them: RFC 3339 in UTC, with 0, 3, 6 or 9 digits of a second."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

__all__ = ["format_timestamp", "parse_timestamp"]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout, the offset is worked out by hand
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The first second of year 1 and the last of year 9999."""

_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:Z|([-+])([0-9]{2}):([0-9]{2}))"
)


def parse_timestamp(text: str) -> tuple[int, int] | None:
    """Seconds since 1970 and nanoseconds; ``None`` when the text is no time."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    moment, fraction, sign, hours, minutes = found.groups()
    try:
        seconds = (datetime.fromisoformat(moment) - _EPOCH) // timedelta(seconds=1)
    except ValueError:
        return None
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            return None
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds -= offset if sign == "+" else -offset
    if not _FIRST <= seconds <= _LAST:
        return None
    return seconds, int((fraction or "").ljust(9, "0"))


def format_timestamp(seconds: int, nanos: int) -> str | None:
    """The text; ``None`` when there is none."""
    if not (_FIRST <= seconds <= _LAST and 0 <= nanos < 1_000_000_000):
        return None
    fraction = f".{nanos:09d}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    moment = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    return f"{moment}{fraction.rstrip('.')}Z"
