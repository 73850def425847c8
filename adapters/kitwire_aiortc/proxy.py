"""The only kind of track that aiortc gets to hold for sending.

A sender of aiortc ends for good when its track ends or raises, and closing the connection stops
the track: the user's source would not survive a mute, a republication or a reconnect, and a
failing one would take its section with it. So aiortc holds this proxy, which does neither, and
the source behind it comes and goes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from kitwire_aiortc.shaping import AudioShaper, Media, Shaper, VideoShaper

__all__ = ["ProxyTrack", "SourceListener"]

KINDS: Final = ("audio", "video")


class SourceListener(Protocol):
    """Hears how a source went, in the event loop's thread. The source is let go of before."""

    def source_ended(self, source: MediaStreamTrack) -> None:
        """It said so itself."""

    def source_failed(self, source: MediaStreamTrack, error: Exception) -> None:
        """It raised, or gave something that cannot be sent."""


class ProxyTrack(MediaStreamTrack):
    """A track that never ends, never raises, and has timestamps that always rise.

    Args:
        kind: ``audio`` or ``video``.

    Attributes:
        muted: while true, the source is read at its own pace and nothing of it is sent, as with
            a live microphone.
        source: where frames come from; None for nothing. Set it with :meth:`set_source`.
        listener: hears when a source ends or fails.
    """

    def __init__(self, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"a track is audio or video, not {kind!r}")
        super().__init__()
        self.kind = kind
        self.muted = False
        self.source: MediaStreamTrack | None = None
        self.listener: SourceListener | None = None
        clock = asyncio.get_running_loop().time
        self._shaper: Shaper = AudioShaper(clock) if kind == "audio" else VideoShaper(clock)
        self._ready: deque[Media] = deque()
        self._changed = asyncio.Event()
        self._read: asyncio.Task[object] | None = None

    def set_source(self, source: MediaStreamTrack | None) -> None:
        """Take frames from another source from now on; the one before is let go, not stopped.

        Raises:
            ValueError: when it is of the other kind.
        """
        if source is not None and source.kind != self.kind:
            raise ValueError(f"this track sends {self.kind}, the source is {source.kind}")
        self.source = source
        self._ready.clear()
        self._shaper.restart()
        self._changed.set()
        if self._read is not None:
            self._read.cancel()

    def limit_framerate(self, limit: float | None) -> None:
        """Leave out frames of video above this many a second; None for all of them.

        Raises:
            ValueError: for a limit that is not above zero, or of audio.
        """
        if limit is not None:
            if not isinstance(self._shaper, VideoShaper):
                raise ValueError("audio has no frame rate")
            if not limit > 0:
                raise ValueError(f"max_framerate must be above zero, not {limit}")
        if isinstance(self._shaper, VideoShaper):
            self._shaper.max_framerate = limit

    def stop(self) -> None:
        """Called by aiortc when its sender ends. The source is not stopped: it is not aiortc's."""
        self.set_source(None)

    async def recv(self) -> Media:
        """The next frame; it waits for as long as there is none."""
        while not self._ready:
            source = self.source
            if source is None:
                self._changed.clear()
                await self._changed.wait()
                continue
            try:
                data = await self._from(source)
                if data is not None and not self.muted:
                    self._ready.extend(self._shaper.take(data))
            except MediaStreamError:
                self._let_go(source)
                if self.listener is not None:
                    self.listener.source_ended(source)
            except Exception as error:  # noqa: BLE001 - the user's own code: anything may come
                self._let_go(source)
                if self.listener is not None:
                    self.listener.source_failed(source, error)
        return self._ready.popleft()

    async def _from(self, source: MediaStreamTrack) -> object:
        """What the source gives; None when another source was set while waiting for it.

        In a task of its own, so that waiting can end without the sender's task being cancelled.
        """
        own = asyncio.current_task()
        self._read = asyncio.ensure_future(source.recv())
        try:
            data: object = await self._read
        except asyncio.CancelledError:
            if own is not None and own.cancelling():
                raise
            if self.source is source:
                raise RuntimeError("the source cancelled itself") from None
            return None
        finally:
            self._read = None
        return data if self.source is source else None

    def _let_go(self, source: MediaStreamTrack) -> None:
        if self.source is source:
            self.set_source(None)
