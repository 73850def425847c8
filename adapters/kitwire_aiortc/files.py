"""A file as a source: its audio and its video, decoded as they are needed.

aiortc's MediaPlayer reads ahead in a thread at the pace of the clock into a queue without bounds,
whether anybody reads or not, and afterwards sends in a burst what had waited. Here each frame is
decoded when it is asked for, in the loop's default executor: a file that nobody reads stands still.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike, fspath
from typing import Final, Protocol

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.container import InputContainer

__all__ = ["FileTrack", "MediaFile", "open_file"]

LATE: Final = 0.2
"""Seconds behind which the clock starts anew instead of catching up in a burst."""

RATE: Final = 48_000
SAMPLES: Final = 960
VIDEO_RATE: Final = 90_000

Frame = av.AudioFrame | av.VideoFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """The tracks of a file, one of each kind at most. Each decodes for itself."""

    audio: FileTrack | None
    video: FileTrack | None

    @property
    def tracks(self) -> tuple[FileTrack, ...]:
        """Those that there are."""
        return tuple(each for each in (self.audio, self.video) if each is not None)

    def close(self) -> None:
        """Close the file. Tracks do so themselves at their end."""
        for track in self.tracks:
            track.stop()


class FileTrack(MediaStreamTrack):
    """The first stream of one kind in a file, in real time, ending with it.

    Args:
        path: the file.
        kind: ``audio`` or ``video``.
        loop: whether to begin again at the end, for ever.

    Raises:
        OSError: when the file cannot be opened.
        ValueError: when it has no such stream, or cannot be read (av.InvalidDataError is one).
    """

    def __init__(self, path: str | PathLike[str], kind: str, *, loop: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self._path = fspath(path)
        self._repeat = loop
        self._container: InputContainer | None = av.open(self._path)
        try:
            self._decoded = self._decode(self._container)
        except BaseException:
            self._container.close()
            raise
        self._fit: _Fit = _Pieces() if kind == "audio" else _Pictures()
        self._fitted: deque[Frame] = deque()
        self._reading: asyncio.Future[Frame | None] | None = None
        self._lock = threading.Lock()
        self._busy = False
        self._epoch: float | None = None

    async def recv(self) -> Frame:
        """The next frame, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        # What is being decoded goes on when its reader is cancelled; the next one gets it.
        if self._reading is None:
            self._reading = loop.run_in_executor(None, self._next)
            self._reading.add_done_callback(_heed)
        frame = await asyncio.shield(self._reading)
        self._reading = None
        if frame is None or self._container is None:
            self.stop()
            raise MediaStreamError
        at = frame.time
        assert at is not None, "it was fitted"
        now = loop.time()
        if self._epoch is None or now - (self._epoch + at) > LATE:
            self._epoch = now - at
        elif (ahead := self._epoch + at - now) > 0:
            await asyncio.sleep(ahead)
        return frame

    def stop(self) -> None:
        """Close the file. This may be called in any thread."""
        super().stop()
        with self._lock:
            container, self._container = self._container, None
            # A thread that is in the middle of it closes it then.
            if container is not None and not self._busy:
                container.close()

    # --- in the executor ---

    def _next(self) -> Frame | None:
        with self._lock:
            container = self._container
            if container is None:
                return None
            self._busy = True
        try:
            return self._next_of(container)
        finally:
            with self._lock:
                self._busy = False
                if self._container is None:
                    container.close()

    def _next_of(self, container: InputContainer) -> Frame | None:
        while not self._fitted:
            frame = next(self._decoded, None)
            if frame is None and self._repeat and self._container is not None:
                container.seek(0)
                self._decoded = self._decode(container)
                self._fit.again()
                frame = next(self._decoded, None)
            self._fitted.extend(self._fit.take(frame))
            if frame is None:
                break
        return self._fitted.popleft() if self._fitted else None

    def _decode(self, container: InputContainer) -> Iterator[Frame]:
        streams = container.streams
        match self.kind:
            case "audio" if streams.audio:
                return container.decode(streams.audio[0])
            case "video" if streams.video:
                return container.decode(streams.video[0])
            case _:
                raise ValueError(f"{self._path} has no {self.kind}")


class _Fit(Protocol):
    """Gives frames a time since the beginning, through all rounds of a loop."""

    def take(self, frame: Frame | None) -> Iterable[Frame]:
        """What becomes of a frame; None is the end."""

    def again(self) -> None:
        """The file begins again."""


class _Pieces:
    """Audio in pieces of 20 ms. Files have frames of up to 100 ms, which would go out in bursts."""

    def __init__(self) -> None:
        self._resampler = av.AudioResampler("s16", "stereo", RATE, frame_size=SAMPLES)
        self._position = 0
        self._ended = False

    def take(self, frame: Frame | None) -> Iterable[Frame]:
        if self._ended:
            return []
        self._ended = frame is None
        if frame is not None:
            assert isinstance(frame, av.AudioFrame)
            frame.pts = None
        pieces = self._resampler.resample(frame)
        for piece in pieces:
            piece.pts, piece.time_base = self._position, Fraction(1, RATE)
            self._position += piece.samples
        return pieces

    def again(self) -> None:
        """The pieces go on."""


class _Pictures:
    """Video with times that begin at 0, and go on when the file begins again."""

    def __init__(self) -> None:
        self._begin: Fraction | None = None
        self._offset = Fraction(0)
        self._end = Fraction(0)
        self._length = Fraction(1, 25)

    def take(self, frame: Frame | None) -> Iterable[Frame]:
        if frame is None:
            return []
        at = self._end
        if frame.pts is not None and frame.time_base:
            at = frame.pts * Fraction(frame.time_base.numerator, frame.time_base.denominator)
            self._begin = at if self._begin is None else self._begin
            at += self._offset - self._begin
        # As long as the one before: only the seam of a loop needs it.
        before = self._end - self._length
        self._length = at - before if Fraction(0) < at - before < 1 else self._length
        self._end = at + self._length
        frame.pts, frame.time_base = round(at * VIDEO_RATE), Fraction(1, VIDEO_RATE)
        return [frame]

    def again(self) -> None:
        self._offset, self._begin = self._end, None


def open_file(path: str | PathLike[str], *, loop: bool = False) -> MediaFile:
    """The first audio and the first video stream of a file, as far as there are.

    Args:
        path: the file.
        loop: whether to begin again at the end, for ever.

    Raises:
        OSError: when the file cannot be opened.
        ValueError: when it cannot be read, or has neither.
    """
    with av.open(fspath(path)) as container:
        audio, video = bool(container.streams.audio), bool(container.streams.video)
    if not (audio or video):
        raise ValueError(f"{fspath(path)} has neither audio nor video")
    return MediaFile(
        audio=FileTrack(path, "audio", loop=loop) if audio else None,
        video=FileTrack(path, "video", loop=loop) if video else None,
    )


def _heed(done: asyncio.Future[Frame | None]) -> None:
    """What failed is no news to asyncio when nobody reads on."""
    if not done.cancelled():
        done.exception()
