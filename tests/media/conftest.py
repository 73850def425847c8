"""The real server's fixtures, and how the tests here run what they test."""

from __future__ import annotations

from tests.interop.conftest import (
    livekit,
    livekit_by_version,
    livekit_version,
    room_name,
    start_livekit,
)

__all__ = ["livekit", "livekit_by_version", "livekit_version", "room_name", "start_livekit"]
