"""A stream of frames into a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream as AudioTrack
from av.container import OutputContainer
from av.video.stream import VideoStream as VideoTrack

from kitwire_aiortc.frames import AudioStream, VideoStream
from kitwire_aiortc.loops import in_thread
from kitwire_aiortc.shaping import Packet

__all__ = ["Progress", "RecordingFailed", "record"]

AUDIO_CODECS: Final[Mapping[str, str]] = {
    "matroska": "libopus",
    "mp3": "mp3",
    "mp4": "aac",
    "ogg": "libopus",
    "opus": "libopus",
    "wav": "pcm_s16le",
    "webm": "libopus",
}
VIDEO_CODECS: Final[Mapping[str, str]] = {
    "matroska": "libx264",
    "mp4": "libx264",
    "webm": "libvpx",
}
"""By the name of the container. For audio, others get what FFmpeg prefers for them."""

OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "b": "2000000"},
    "libx264": {"preset": "veryfast"},
}
"""So that encoding keeps up with a call."""

MILLISECOND: Final = Fraction(1, 1000)

MAX_HOLE: Final = 60.0
"""Seconds of a hole in the audio that become silence; a longer one is cut out."""


class RecordingFailed(Exception):
    """A file could not be made or written."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a recording is."""

    duration: float = 0.0
    """Seconds in the file."""
    frames: int = 0
    octets: int = 0
    """Bytes of media written, without those of the container."""


async def record(
    stream: AudioStream | VideoStream,
    path: str | PathLike[str],
    *,
    progress: Progress | None = None,
) -> Progress:
    """Write a stream into a file until it ends. Cancelled, it leaves a whole file too.

    The ending of the path says which container and, with it, which codec: ``.webm``, ``.mp4``
    and ``.mkv`` for both kinds, ``.ogg``, ``.wav``, ``.mp3`` and others of FFmpeg's for audio.
    Holes in the audio become silence, so the file is as long as the call; video of another size is
    scaled to the first one.
    Encoding happens in a thread of the loop's own; aiortc's MediaRecorder does it in the loop,
    where everything else has to wait meanwhile.

    Args:
        stream: what to write.
        path: where to.
        progress: brought up to date after every frame.

    Raises:
        RecordingFailed: when the file cannot be made or written.
    """
    progress = Progress() if progress is None else progress
    file: _File = (
        _AudioFile(fspath(path), progress, stream)
        if isinstance(stream, AudioStream)
        else _VideoFile(fspath(path), progress)
    )
    try:
        try:
            await in_thread(file.open)
            async for frame in stream:
                await in_thread(partial(file.write, frame))
        finally:
            await in_thread(file.close)
    except (OSError, ValueError, av.FFmpegError) as error:
        raise RecordingFailed(f"{fspath(path)}: {error}") from error
    return progress


class _File:
    """A container with one stream. All methods run in a thread, one after the other."""

    def __init__(self, path: str, progress: Progress) -> None:
        self._path = path
        self._progress = progress
        self._container: OutputContainer | None = None

    def open(self) -> None:
        """Make the file."""
        # FFmpeg would do so with the first frame: too late to say that it cannot.
        Path(self._path).touch()
        self._container = av.open(self._path, "w")
        self._prepare(self._container)

    def close(self) -> None:
        """Write what the encoder still holds, and close the file; without a frame there is none.

        Harmless when it is not open.
        """
        container, self._container = self._container, None
        if container is not None:
            try:
                self._flush(container)
            finally:
                container.close()
            if not self._progress.frames:
                Path(self._path).unlink(missing_ok=True)

    def write(self, frame: av.AudioFrame | av.VideoFrame) -> None:
        """Encode and write a frame."""
        if self._container is not None:
            self._write(self._container, frame)
            self._progress.frames += 1

    def _mux(self, container: OutputContainer, packets: Iterable[Packet]) -> None:
        for packet in packets:
            self._progress.octets += packet.size
            container.mux(packet)

    def _prepare(self, container: OutputContainer) -> None:
        raise NotImplementedError

    def _write(self, container: OutputContainer, frame: av.AudioFrame | av.VideoFrame) -> None:
        raise NotImplementedError

    def _flush(self, container: OutputContainer) -> None:
        raise NotImplementedError


class _AudioFile(_File):
    """Audio without holes: what is missing becomes silence."""

    def __init__(self, path: str, progress: Progress, stream: AudioStream) -> None:
        super().__init__(path, progress)
        self._rate = stream.sample_rate
        self._layout = "mono" if stream.channels == 1 else "stereo"
        self._track: AudioTrack | None = None
        self._written = 0
        self._begin: Fraction | None = None

    def _prepare(self, container: OutputContainer) -> None:
        codec = AUDIO_CODECS.get(container.format.name, container.default_audio_codec)
        track = container.add_stream(codec, rate=self._rate, layout=self._layout)
        if not isinstance(track, AudioTrack):
            raise ValueError("this kind of file holds no audio")
        self._track = track

    def _write(self, container: OutputContainer, frame: av.AudioFrame | av.VideoFrame) -> None:
        assert isinstance(frame, av.AudioFrame)
        missing = self._hole(frame)
        if missing > 0:
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, missing * frame.layout.nb_channels), np.int16),
                format="s16",
                layout=frame.layout.name,
            )
            silence.sample_rate = self._rate
            self._append(container, silence)
        self._append(container, frame)

    def _hole(self, frame: av.AudioFrame) -> int:
        """Samples missing before a frame."""
        if frame.pts is None or frame.time_base is None:
            return 0
        at = frame.pts * Fraction(frame.time_base.numerator, frame.time_base.denominator)
        written = Fraction(self._written, self._rate)
        if self._begin is None or not -MAX_HOLE < at - self._begin - written < MAX_HOLE:
            self._begin = at - written
        return round((at - self._begin - written) * self._rate)

    def _append(self, container: OutputContainer, frame: av.AudioFrame) -> None:
        assert self._track is not None
        frame.pts, frame.time_base = self._written, Fraction(1, self._rate)
        self._written += frame.samples
        self._progress.duration = self._written / self._rate
        self._mux(container, self._track.encode(frame))

    def _flush(self, container: OutputContainer) -> None:
        if self._track is not None:
            self._mux(container, self._track.encode(None))


class _VideoFile(_File):
    """Video with the times that its frames have."""

    _track: VideoTrack | None = None
    _begin: Fraction | None = None
    _last = -1

    def _prepare(self, container: OutputContainer) -> None:
        # The stream is made with the first frame, which knows the size.
        if container.format.name not in VIDEO_CODECS:
            raise ValueError("video goes into .webm, .mp4 and .mkv")

    def _write(self, container: OutputContainer, frame: av.AudioFrame | av.VideoFrame) -> None:
        assert isinstance(frame, av.VideoFrame)
        if self._track is None:
            self._track = self._begin_track(container, frame.width, frame.height)
        track = self._track
        picture = frame.reformat(width=track.width, height=track.height, format="yuv420p")
        at = Fraction(0)
        if frame.pts is not None and frame.time_base is not None:
            at = frame.pts * Fraction(frame.time_base.numerator, frame.time_base.denominator)
        if self._begin is None:
            self._begin = at
        self._last = max(self._last + 1, round((at - self._begin) / MILLISECOND))
        picture.pts, picture.time_base = self._last, MILLISECOND
        self._progress.duration = self._last * float(MILLISECOND)
        self._mux(container, track.encode(picture))

    def _begin_track(self, container: OutputContainer, width: int, height: int) -> VideoTrack:
        codec = VIDEO_CODECS[container.format.name]
        track = container.add_stream(codec, options=dict(OPTIONS[codec]))
        assert isinstance(track, VideoTrack)
        # Encoders of 4:2:0 refuse odd sizes.
        track.width, track.height = width // 2 * 2, height // 2 * 2
        track.pix_fmt = "yuv420p"
        track.codec_context.time_base = MILLISECOND
        return track

    def _flush(self, container: OutputContainer) -> None:
        if self._track is not None:
            self._mux(container, self._track.encode(None))
