"""The server's ICE candidates: read, and held until their peer connection can take them.

A candidate belongs to one generation of ICE credentials. The server names the generation at the end
of the candidate's line (``ufrag``); others do it in ``usernameFragment``. A candidate may come
before the description that it belongs to can be applied, and one of the generation before may come
after it.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CandidateQueue", "RemoteCandidate", "read_candidate", "user_fragments"]

_HELD: Final = 100
_IN_CANDIDATE: Final = re.compile(r"\sufrag (\S+)")
_IN_DESCRIPTION: Final = re.compile(r"^a=ice-ufrag:(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCandidate:
    """A candidate of the server's, as ``RTCIceCandidateInit`` has it."""

    candidate: str = field(repr=False)
    """Empty for the end of the candidates."""
    sdp_mid: str | None
    sdp_mline_index: int | None
    username_fragment: str | None = field(repr=False)
    final: bool


def read_candidate(candidate_init: str, *, final: bool) -> RemoteCandidate | None:
    """A candidate from the JSON text that the protocol carries, or None where it is none.

    A candidate needs a section to belong to (W3C WebRTC 1.0, ``addIceCandidate``); the end of the
    candidates does not.
    """
    try:
        fields = json.loads(candidate_init)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    candidate = fields.get("candidate")
    mid = fields.get("sdpMid")
    index = fields.get("sdpMLineIndex")
    fragment = fields.get("usernameFragment")
    if not isinstance(candidate, str) or not isinstance(mid, str | None):
        return None
    if not isinstance(index, int | None) or isinstance(index, bool):
        return None
    if not isinstance(fragment, str | None) or (candidate and mid is None and index is None):
        return None
    if not fragment:
        named = _IN_CANDIDATE.search(candidate)
        fragment = named[1] if named else None
    return RemoteCandidate(
        candidate=candidate,
        sdp_mid=mid,
        sdp_mline_index=index,
        username_fragment=fragment,
        final=final,
    )


def user_fragments(sdp: str) -> frozenset[str]:
    """The ICE user names of a description; empty where it has none."""
    return frozenset(_IN_DESCRIPTION.findall(sdp))


class CandidateQueue:
    """The candidates of one peer connection.

    Those without a generation wait for the first description only. When too many wait, the oldest
    are dropped.
    """

    def __init__(self) -> None:
        self._held: deque[RemoteCandidate] = deque(maxlen=_HELD)
        self._fragments: frozenset[str] | None = None
        self._past: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def fragments(self) -> frozenset[str]:
        """The ICE user names of the description in force."""
        return self._fragments or frozenset()

    def add(self, candidate: RemoteCandidate) -> tuple[RemoteCandidate, ...]:
        """Take a candidate in; give what can be used now."""
        fragment, current = candidate.username_fragment, self._fragments
        if current is not None and (not fragment or not current or fragment in current):
            return (candidate,)
        if fragment not in self._past:
            self._held.append(candidate)
        return ()

    def described(self, fragments: frozenset[str]) -> tuple[RemoteCandidate, ...]:
        """A description of the server's is in force; give what can be used now."""
        self._past = (self._past | self.fragments) - fragments
        self._fragments = fragments
        held = tuple(self._held)
        self._held.clear()
        return tuple(usable for candidate in held for usable in self.add(candidate))

    def clear(self) -> None:
        """Forget what is held."""
        self._held.clear()
