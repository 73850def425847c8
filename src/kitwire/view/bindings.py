"""Which tracks a description of the server's carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["bound_tracks"]

_SECTION: Final = re.compile(r"^(?=m=)", re.MULTILINE)
_SENDS: Final = re.compile(r"^a=(?:sendonly|sendrecv)\s*$", re.MULTILINE)
_TRACK: Final = re.compile(r"^a=msid:\S+ (TR_\S+)", re.MULTILINE)


def bound_tracks(sdp: str, mid_to_track_id: Mapping[str, str]) -> frozenset[str]:
    """The sids of the tracks that the server sends by this description.

    Servers say so in ``mid_to_track_id``. Older ones do not; they name the track in the ``msid`` of
    its section, where the server made the offer.
    """
    if mid_to_track_id:
        return frozenset(mid_to_track_id.values())
    sections = _SECTION.split(sdp)[1:]
    return frozenset(
        sid for section in sections if _SENDS.search(section) for sid in _TRACK.findall(section)
    )
