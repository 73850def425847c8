"""Which response belongs to which request.

A request is registered before its frame is sent, and ends exactly once. The server correlates in
four ways (protocol/livekit_rtc: only three requests carry a ``request_id``): by client id, by
request id, by data track handle, and by echoing the refused request with ``request_id`` 0
(livekit pkg/rtc/participant.go). Some requests it answers only to refuse them: those count as done
when no refusal has come for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from ..codec import redact_text
from ..errors import FailureReason, RequestFailure
from ..events import (
    DataBlobReceived,
    DataBlobStored,
    DataTrackPublished,
    DataTrackUnpublished,
    EchoedRequest,
    Event,
    RequestKey,
    RequestResult,
    TrackPublished,
)
from ..messages import (
    AddTrackRequest,
    DataBlob,
    DataBlobKey,
    DataTrackInfo,
    MuteTrackRequest,
    PublishDataTrackRequest,
    RequestResponseReason,
    TrackInfo,
    UnpublishDataTrackRequest,
    UpdateLocalAudioTrack,
    UpdateLocalVideoTrack,
    UpdateParticipantMetadata,
)

__all__ = [
    "Completion",
    "Match",
    "MatchKind",
    "Pending",
    "PendingRequests",
    "failure_of",
    "is_result_of",
    "match_of_echo",
    "result_of",
]


class MatchKind(Enum):
    """What a response is matched by."""

    CID = auto()
    REQUEST_ID = auto()
    PUBLISH_HANDLE = auto()
    UNPUBLISH_HANDLE = auto()
    MUTE_SID = auto()
    AUDIO_TRACK_SID = auto()
    VIDEO_TRACK_SID = auto()


class Match(NamedTuple):
    """What a response must carry to belong to a request."""

    kind: MatchKind
    value: str | int


class Completion(Enum):
    """How a request ends when nothing goes wrong."""

    RESULT = auto()
    """By a response of its own kind; without one it fails at its deadline."""
    REPLY = auto()
    """By a RequestResponse that says OK; without one it fails at its deadline."""
    NO_REFUSAL = auto()
    """By the absence of a refusal until its deadline."""
    SENT = auto()
    """By being sent: the server never answers."""


@dataclass(slots=True)
class Pending:
    """A request whose outcome is open."""

    key: RequestKey
    completion: Completion
    match: Match | None
    timeout: float
    """Seconds from being sent to the deadline."""
    muted: bool | None = None
    """What a mute request asked for."""
    deadline: float | None = None
    """None while the gate holds the request."""


# From the type of an echoed request to what it is matched by.
_ECHOES: dict[type[object], Callable[..., Match]] = {
    AddTrackRequest: lambda echo: Match(MatchKind.CID, echo.cid),
    MuteTrackRequest: lambda echo: Match(MatchKind.MUTE_SID, echo.sid),
    UpdateParticipantMetadata: lambda echo: Match(MatchKind.REQUEST_ID, echo.request_id),
    UpdateLocalAudioTrack: lambda echo: Match(MatchKind.AUDIO_TRACK_SID, echo.track_sid),
    UpdateLocalVideoTrack: lambda echo: Match(MatchKind.VIDEO_TRACK_SID, echo.track_sid),
    PublishDataTrackRequest: lambda echo: Match(MatchKind.PUBLISH_HANDLE, echo.pub_handle),
    UnpublishDataTrackRequest: lambda echo: Match(MatchKind.UNPUBLISH_HANDLE, echo.pub_handle),
}


def match_of_echo(request_id: int, echo: EchoedRequest | None) -> Match | None:
    """What the request of a RequestResponse is matched by, or None where nothing says it.

    A request id counts when it is not zero; otherwise the echoed request does.
    """
    if request_id:
        return Match(MatchKind.REQUEST_ID, request_id)
    build = _ECHOES.get(type(echo))
    return None if build is None else build(echo)


# What each method that has a result gives.
_RESULTS: dict[str, type[TrackInfo | DataTrackInfo | DataBlobKey | DataBlob]] = {
    "add_track": TrackInfo,
    "publish_data_track": DataTrackInfo,
    "unpublish_data_track": DataTrackInfo,
    "store_data_blob": DataBlobKey,
    "get_data_blob": DataBlob,
}


def is_result_of(result: RequestResult, request: str) -> bool:
    """Whether a result is of the kind that the method gives: request ids are shared by kinds."""
    kind = _RESULTS.get(request)
    return kind is not None and isinstance(result, kind)


def result_of(event: Event) -> tuple[Match, RequestResult] | None:
    """The request that an event answers with a result, or None where it answers none.

    What a response leaves out is empty, as protobuf has it.
    """
    match event:
        case TrackPublished(cid=cid, track=track):
            return Match(MatchKind.CID, cid), track or TrackInfo()
        case DataTrackPublished(info=DataTrackInfo() as info):
            return Match(MatchKind.PUBLISH_HANDLE, info.pub_handle), info
        case DataTrackUnpublished(info=DataTrackInfo() as info):
            return Match(MatchKind.UNPUBLISH_HANDLE, info.pub_handle), info
        case DataBlobStored(request_id=request_id, key=key):
            return Match(MatchKind.REQUEST_ID, request_id), key or DataBlobKey()
        case DataBlobReceived(request_id=request_id, blob=blob):
            return Match(MatchKind.REQUEST_ID, request_id), blob or DataBlob()
        case _:
            return None


def failure_of(reason: RequestResponseReason, message: str) -> RequestFailure:
    """The failure that a RequestResponse states; ``message`` is the server's own words."""
    known = FailureReason.__members__.get(reason.name or "", FailureReason.UNKNOWN)
    return RequestFailure(reason=known, message=redact_text(message))


class PendingRequests:
    """The requests whose outcome is open, in the order in which they were made."""

    def __init__(self) -> None:
        self._pending: dict[RequestKey, Pending] = {}
        self._last_request_id = 0

    def __len__(self) -> int:
        return len(self._pending)

    def next_request_id(self) -> int:
        """The next request id: counting up from 1 through 32 bits, without 0 and those in use.

        It is used up when a request is registered that waits for it.
        """
        request_id = self._last_request_id
        while True:
            request_id = request_id % 0xFFFF_FFFF + 1
            if self.find(Match(MatchKind.REQUEST_ID, request_id)) is None:
                return request_id

    def register(self, pending: Pending) -> None:
        """Take note of a request, before it is sent."""
        self._pending[pending.key] = pending
        match pending.match:
            case Match(kind=MatchKind.REQUEST_ID, value=int(request_id)):
                self._last_request_id = request_id
            case _:
                pass

    def sent(self, key: RequestKey, now: float) -> Pending:
        """Start the deadline of a request that has just been sent."""
        pending = self._pending[key]
        pending.deadline = now + pending.timeout
        return pending

    def find(self, match: Match) -> Pending | None:
        """The earliest request that waits for this match."""
        return next((item for item in self._pending.values() if item.match == match), None)

    def find_mute(self, sid: str, muted: bool) -> Pending | None:
        """The earliest mute request for a track that asked for this state."""
        match = Match(MatchKind.MUTE_SID, sid)
        return next(
            (
                item
                for item in self._pending.values()
                if item.match == match and item.muted is muted
            ),
            None,
        )

    def end(self, key: RequestKey) -> None:
        """Forget a request, whose outcome is now known."""
        del self._pending[key]

    def due(self, now: float) -> Pending | None:
        """A request whose deadline has come; the earliest deadline first."""
        timed = [item for item in self._pending.values() if item.deadline is not None]
        first = min(timed, key=_deadline, default=None)
        return first if first is not None and _deadline(first) <= now else None

    def deadline(self) -> float | None:
        """The earliest deadline, or None."""
        return min(
            (item.deadline for item in self._pending.values() if item.deadline is not None),
            default=None,
        )

    def abandon(self, but: Collection[RequestKey] = ()) -> tuple[Pending, ...]:
        """Give up every request, in order, but for those."""
        abandoned = tuple(item for key, item in self._pending.items() if key not in but)
        self._pending = {key: item for key, item in self._pending.items() if key in but}
        return abandoned


def _deadline(pending: Pending) -> float:
    return float("inf") if pending.deadline is None else pending.deadline
