"""Frames as they come: read, counted when they are none, and kept while the join is awaited."""

from __future__ import annotations

from typing import Final

from ..codec import decode_response, unknown_fields, which_variant
from ..config import Limits
from ..errors import MalformedFrame
from ..events import FrameRejected, UnknownMessage

__all__ = ["Incoming", "Item"]

_EARLY_MESSAGES: Final = 100

Item = tuple[str, object] | UnknownMessage | FrameRejected
"""A member of SignalResponse with its value, or what there is to say instead."""


class Incoming:
    """What comes on a session's links.

    Args:
        limits: of which ``receive`` and ``malformed_frames`` are used.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._early: list[Item] = []
        self._early_size = 0
        self._overflow = ""
        self._malformed = 0

    def read(self, data: bytes | str) -> Item:
        """What a frame says. Never raises."""
        try:
            message = decode_response(data, max_size=self._limits.receive)
        except MalformedFrame as error:
            self._malformed += 1
            return FrameRejected(detail=str(error), size=len(data))
        self._malformed = 0
        return which_variant(message) or UnknownMessage(field_numbers=unknown_fields(message))

    @property
    def hopeless(self) -> str:
        """Why this is no peer to talk to; empty while it is one."""
        if self._malformed >= self._limits.malformed_frames:
            return f"{self._malformed} malformed frames in a row"
        return self._overflow

    def keep(self, item: Item, size: int) -> None:
        """Keep what came before the join, so that Joined comes first; too much is dropped.

        Args:
            item: what :meth:`read` made of a frame.
            size: that of the frame.
        """
        self._early_size += size if isinstance(item, tuple) else 0
        if len(self._early) >= _EARLY_MESSAGES:
            self._overflow = f"more than {_EARLY_MESSAGES} messages came before the join"
        elif self._early_size > self._limits.receive:
            self._overflow = f"more than {self._limits.receive} bytes came before the join"
        else:
            self._early.append(item)

    def renew(self) -> None:
        """Another link comes, and nothing is held against it."""
        self.kept()
        self._malformed, self._overflow = 0, ""

    def kept(self) -> tuple[Item, ...]:
        """Give up what was kept, in order."""
        early, self._early = tuple(self._early), []
        self._early_size = 0
        return early
