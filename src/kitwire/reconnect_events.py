"""How a session gets over a loss, for the application; part of :data:`~.events.Event`.

An episode begins with :class:`Lost` and ends with :class:`Resumed`, :class:`Restarted` or
:class:`~.events.Closed`. Between them there is one :class:`Resuming` or :class:`Restarting` for
each attempt; no attempt resumes once one has restarted.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import CloseReason
from .messages import TrackPublishedResponse

__all__ = ["Lost", "ReconnectEvent", "Restarted", "Restarting", "Resumed", "Resuming"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The session was lost, and is about to be brought back. Once an episode."""

    cause: CloseReason
    """What began the episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resuming:
    """The session will be resumed: the same participant, the same tracks, a new link."""

    attempt: int
    """From 1, through the whole episode."""
    cause: CloseReason
    """Why there is this attempt: the loss, or how the last attempt ended."""
    next_in: float
    """Seconds until the attempt begins; 0 for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """All is as before. Requests that were held have left, in order."""

    sid: str
    """Our participant's sid, which is the same."""
    attempt: int
    """The attempt that succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarting:
    """The session will be begun anew: another participant sid, new peer connections.

    What was bound to the old session is gone: requests under way have failed with ``ABORTED``.
    :class:`~.events.Joined` follows when the room is joined again.
    """

    attempt: int
    """From 1, through the whole episode."""
    cause: CloseReason
    """Why there is this attempt: the loss, or how the last attempt ended."""
    next_in: float
    """Seconds until the attempt begins; 0 for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """The room is joined anew, and every peer connection that is needed is connected."""

    sid: str
    """Our participant's new sid."""
    attempt: int
    """The attempt that succeeded."""
    lost_tracks: tuple[TrackPublishedResponse, ...]
    """The tracks that we had published, with their cids: publish them again where an adapter does
    not do so by itself."""


ReconnectEvent = Lost | Resuming | Resumed | Restarting | Restarted
"""Everything that a session tells of a loss that it gets over."""
