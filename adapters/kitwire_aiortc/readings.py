"""Who reads which remote track, whatever section of the peer connection carries it, if any does."""

from __future__ import annotations

import weakref
from typing import Protocol

from kitwire_aiortc.frames import AudioStream, VideoStream
from kitwire_aiortc.inbound import Frame, Reader

__all__ = ["Carrier", "Readings", "Stream"]

Stream = AudioStream | VideoStream


class Carrier(Protocol):
    """What carries a track: an :class:`~kitwire_aiortc.inbound.Inbound`."""

    def attach(self, reader: Reader) -> None:
        """Hand frames to one more reader."""

    def detach(self, reader: Reader) -> None:
        """Hand frames to this reader no more."""


class Readings:
    """The streams of frames that an application reads, by the sids of their tracks.

    A stream lasts as long as its track is published, or the application holds it. In between its
    track may not be there, or move from one section to another.
    """

    def __init__(self) -> None:
        self._readings: dict[str, list[_Reading]] = {}
        self._carried: dict[str, Carrier] = {}

    def add(self, sid: str, stream: Stream) -> None:
        """Feed a stream from now on, with the frames of a track."""
        reading = _Reading(stream)
        live = [each for each in self._readings.get(sid, ()) if each.stream is not None]
        self._readings[sid] = [*live, reading]
        reading.read(self._carried.get(sid))

    def opened(self, sid: str, inbound: Carrier) -> None:
        """A section carries this track from now on."""
        self._carried[sid] = inbound
        for reading in self._readings.get(sid, ()):
            reading.read(inbound)

    def closed(self, sid: str, inbound: Carrier) -> None:
        """That section carries this track no more."""
        if self._carried.get(sid) is inbound:
            del self._carried[sid]
            for reading in self._readings.get(sid, ()):
                reading.read(None)

    def end(self, sid: str) -> None:
        """The track is published no more: its streams end."""
        for reading in self._readings.pop(sid, ()):
            reading.end()

    def end_all(self) -> None:
        """There will be no track any more."""
        self._carried.clear()
        for sid in tuple(self._readings):
            self.end(sid)


class _Reading:
    """Between a section and a stream, which it does not keep alive.

    So that an iteration which was left early costs nothing: the next frame finds nobody.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = weakref.ref(stream)
        self._inbound: Carrier | None = None

    @property
    def stream(self) -> Stream | None:
        """The stream; None when it is let go or has ended."""
        stream = self._stream()
        return None if stream is None or stream.ended else stream

    def feed(self, frame: Frame) -> None:
        stream = self.stream
        if stream is None:
            self.read(None)
        else:
            stream.feed(frame)

    def read(self, inbound: Carrier | None) -> None:
        """Read this section instead of the one before."""
        if self._inbound is not None:
            self._inbound.detach(self)
        self._inbound = inbound if self.stream is not None else None
        if self._inbound is not None:
            self._inbound.attach(self)

    def end(self) -> None:
        """Read no more, and let the stream end after the frames that wait."""
        self.read(None)
        if (stream := self.stream) is not None:
            stream.end()
