"""`kitwire publish`, `record` and `join --media`, as processes, against the real server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

import av
import pytest
from aiortc.mediastreams import MediaStreamTrack

import kitwire_asyncio
from kitwire import PathVersion
from kitwire.messages import TrackInfo, TrackSource, TrackType
from kitwire_aiortc import AudioStream, Media, Tone, read_counter, record
from kitwire_cli.exit_codes import ExitCode
from kitwire_cli.publishing import Publishing, Source
from kitwire_cli.recording import Recording, file_name
from kitwire_cli.report import Report, as_json
from kitwire_cli.terminal import Secrets
from kitwire_cli.tracks import RemoteTrack, mean_level
from tests.interop.livekit_server import LiveKitServer
from tests.interop.processes import STRICT, complaints
from tests.media.loopback import LOOPBACK, frequency, run, until
from tests.peers.scripted_server import Connection, scripted_server

Line = dict[str, object]

KITWIRE: Final = [sys.executable, *STRICT, "-m", "kitwire_cli"]
HERE: Final = ["--ice-servers", "none", "--json", "--bind", "127.0.0.1"]


class Command:
    """A running `kitwire`, and what it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines: list[Line] = []
        self._out: IO[str] = process.stdout

    def read(self) -> Line | None:
        """The next line; None at the end."""
        text = self._out.readline()
        if not text:
            return None
        line: Line = json.loads(text)
        self.lines.append(line)
        return line

    def until(self, name: str, times: int = 1) -> None:
        """Read until there are so many lines of that name."""
        while len(self.named(name)) < times:
            assert self.read() is not None, f"no {name} among {self.names()}"

    def named(self, name: str) -> list[Line]:
        return [line for line in self.lines if line["event"] == name]

    def names(self) -> list[object]:
        return [line["event"] for line in self.lines]

    def end(self) -> tuple[int, str]:
        """Read the rest; the exit code and what is on stderr."""
        while self.read() is not None:
            pass
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, complaints(err)

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.end()


Start = Callable[..., Command]


@pytest.fixture
def start(livekit: LiveKitServer, room_name: str) -> Iterator[Start]:
    """Starts a command under an identity in the test's room."""
    with contextlib.ExitStack() as stack:

        def begin(identity: str, *arguments: str, can_publish: bool = True) -> Command:
            token = livekit.token(identity, room_name, can_publish=can_publish)
            command, *rest = arguments
            process = subprocess.Popen(
                [*KITWIRE, command, livekit.url, *rest, *HERE, "--token", token],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return Command(process)

        yield begin


def decoded(path: str) -> list[av.AudioFrame | av.VideoFrame]:
    with av.open(path) as container:
        frames = list(container.decode(container.streams[0]))
    return [each for each in frames if isinstance(each, av.AudioFrame | av.VideoFrame)]


@pytest.mark.parametrize("path", ["v1", "v0"])
def test_what_one_process_publishes_another_records(
    start: Start, tmp_path: Path, path: str
) -> None:
    recorder = start("rec", "record", "--out", str(tmp_path / "out"), "--path", path)
    recorder.until("joined")
    publisher = start("a/../b", "publish", "tone", "pattern", "--path", path)
    publisher.until("published", 2)
    sids = {line["source"]: line["sid"] for line in publisher.named("published")}
    assert set(sids) == {"tone", "pattern"}
    recorder.until("progress", 4)
    assert publisher.interrupt() == (0, "")
    assert publisher.names()[-1] == "closed"
    assert publisher.named("unpublished") == []
    recorder.until("recorded", 2)
    assert recorder.interrupt() == (0, "")
    assert recorder.names()[-1] == "closed"

    started = {line["kind"]: line for line in recorder.named("recording_started")}
    done = {line["sid"]: line for line in recorder.named("recorded")}
    assert {line["participant"] for line in started.values()} == {"a/../b"}
    assert {kind: line["sid"] for kind, line in started.items()} == {
        "audio": sids["tone"],
        "video": sids["pattern"],
    }
    files = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert files == [
        f"a_.._b-camera-{sids['pattern']}.webm",
        f"a_.._b-microphone-{sids['tone']}.ogg",
    ]

    for kind in ("audio", "video"):
        figures = [
            line for line in recorder.named("progress") if line["sid"] == started[kind]["sid"]
        ]
        last = figures[-1]
        assert isinstance(last["bitrate"], int)
        assert last["bitrate"] > 5_000
        assert isinstance(last["packets"], int)
        assert last["packets"] > 20
        assert last["packets_lost"] == 0
        assert last["file"] == started[kind]["file"]

    sound = [
        each for each in decoded(str(started["audio"]["file"])) if isinstance(each, av.AudioFrame)
    ]
    seconds = sum(each.samples for each in sound) / 48_000
    assert seconds == pytest.approx(done[sids["tone"]]["duration"], abs=0.1)
    assert seconds > 1.0
    assert heard(sound) == pytest.approx(440.0, abs=3.0)

    pictures = [
        each for each in decoded(str(started["video"]["file"])) if isinstance(each, av.VideoFrame)
    ]
    numbers = [number for each in pictures if (number := read_counter(each)) is not None]
    assert len(pictures) == done[sids["pattern"]]["frames"]
    assert len(numbers) > len(pictures) / 2
    assert len(set(numbers)) > 10
    assert numbers == sorted(numbers)


def heard(frames: list[av.AudioFrame]) -> float:
    """The frequency of what a file holds, past its beginning."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    pieces = [piece for frame in frames for piece in resampler.resample(frame)]
    return frequency(pieces[15:])


def test_join_with_media_tells_levels_and_resolutions(start: Start) -> None:
    publisher = start("pub", "publish", "tone", "pattern")
    publisher.until("published", 2)
    watcher = start("see", "join", "--media")
    watcher.until("level", 2)
    watcher.until("resolution")
    assert watcher.interrupt() == (0, "")
    assert publisher.interrupt() == (0, "")
    sids = {line["source"]: line["sid"] for line in publisher.named("published")}
    loud = watcher.named("level")[-1]
    assert (loud["participant"], loud["sid"]) == ("pub", sids["tone"])
    # A sine at half of full scale is -9.03 dBFS; what makes stereo of mono may take 3 dB of it.
    assert isinstance(loud["level"], float)
    assert -13.0 < loud["level"] < -8.0
    for line in watcher.named("resolution"):
        assert (line["participant"], line["sid"]) == ("pub", sids["pattern"])
    last = watcher.named("resolution")[-1]
    assert (last["width"], last["height"]) == (640, 360)
    assert "peers_connected" in watcher.names()


def test_a_file_is_published_to_its_end(start: Start, tmp_path: Path) -> None:
    async def make() -> None:
        tone, stream = Tone(880.0, duration=1.0), AudioStream()
        recording = asyncio.ensure_future(record(stream, tmp_path / "a.ogg"))
        with contextlib.suppress(Exception):
            while True:
                stream.feed(await tone.recv())
        stream.end()
        await recording

    run(make())
    publisher = start("pub", "publish", str(tmp_path / "a.ogg"))
    assert publisher.end() == (0, "")
    (line,) = publisher.named("published")
    (over,) = publisher.named("unpublished")
    assert (line["source"], line["kind"]) == (str(tmp_path / "a.ogg"), "audio")
    assert (over["sid"], over["failure"]) == (line["sid"], None)
    assert publisher.names()[-1] == "closed"


def test_the_duration_ends_all_of_them(start: Start, tmp_path: Path) -> None:
    commands = [
        start("a", "publish", "tone", "--duration", "0.3"),
        start("b", "record", "--out", str(tmp_path), "--duration", "0.3"),
        start("c", "join", "--media", "--duration", "0.3"),
    ]
    for command in commands:
        assert command.end() == (0, "")
        assert command.names()[-1] == "closed"


def test_who_may_not_publish_is_told_so(start: Start) -> None:
    publisher = start("pub", "publish", "tone", "pattern", can_publish=False)
    code, err = publisher.end()
    assert code == 3
    assert err.startswith('error: "tone" cannot be published (')
    assert "\n" not in err
    assert publisher.named("published") == []
    assert publisher.names()[-1] == "closed"


def test_a_refused_join_is_told_as_without_media(livekit: LiveKitServer, room_name: str) -> None:
    token = livekit.token("pub", room_name, api_secret="x" * 36)
    ended = subprocess.run(
        [*KITWIRE, "publish", livekit.url, "tone", *HERE, "--token", token],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    (line,) = ended.stdout.splitlines()
    assert json.loads(line)["reason"] == "BAD_TOKEN"
    assert ended.stderr.startswith("error: the server does not accept the token")
    assert ended.stderr.count("\n") == 1


def test_an_interrupt_before_media_is_connected() -> None:
    def script(connection: Connection) -> None:
        connection.let_in()
        let_in.set()
        connection.wait_for_end()

    let_in = threading.Event()
    with scripted_server(script) as server:
        command = [*KITWIRE, "publish", server.url, "tone", *HERE, "--token", "a.b.c"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert let_in.wait(20)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, complaints(err)) == (130, "")
    (line,) = out.splitlines()
    assert json.loads(line)["reason"] == "CANCELLED"


# --- what a process cannot easily be brought to ---


class Broken(MediaStreamTrack):
    kind = "audio"

    async def recv(self) -> av.AudioFrame:
        raise OSError(5, "Input/output error")


def reporting() -> tuple[Report, Callable[[], list[Line]]]:
    out = io.StringIO()
    report = Report(as_json(Secrets()), out, lambda: 0.0, on_unwritable=lambda: None)
    return report, lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_source_that_fails_is_told_and_the_others_go_on(
    livekit: LiveKitServer, room_name: str
) -> None:
    report, lines = reporting()

    async def main() -> None:
        async with kitwire_asyncio.connect(
            livekit.url, token=livekit.token("ann", room_name), media=Media(gathering=LOOPBACK)
        ) as room:
            await Publishing(
                [
                    Source(word="a.wav", kind="audio", track=Broken()),
                    Source(word="tone", kind="audio", track=Tone(440.0, duration=0.5)),
                ]
            )(room, report)
            assert room.closed is not None

    run(main())
    ends = {line["source"]: line["failure"] for line in lines() if line["event"] == "unpublished"}
    assert ends == {"a.wav": "Input/output error", "tone": None}
    assert report.complaint == (
        ExitCode.USAGE,
        '"a.wav" cannot be read further: Input/output error',
    )


def test_a_file_that_cannot_be_written_is_told_and_the_others_go_on(
    livekit: LiveKitServer, room_name: str, tmp_path: Path
) -> None:
    report, lines = reporting()

    async def main() -> None:
        media = Media(gathering=LOOPBACK)
        async with (
            kitwire_asyncio.connect(
                livekit.url, token=livekit.token("ann", room_name), media=media
            ) as ann,
            kitwire_asyncio.connect(
                livekit.url,
                token=livekit.token("ben", room_name),
                media=media,
                path=PathVersion.V0,
            ) as ben,
        ):
            await ann.publish_audio(Tone(440.0))
            recording = asyncio.ensure_future(Recording(tmp_path / "gone", every=0.05)(ben, report))
            await until(lambda: report.complaint is not None)
            (tmp_path / "gone").mkdir()
            again = await ann.publish_audio(Tone(550.0))
            await until(lambda: any(line["event"] == "progress" for line in lines()))
            await again.unpublish()
            await until(lambda: any(line["event"] == "recorded" for line in lines()))
            await ben.leave()
            await recording

    run(main())
    names = [line["event"] for line in lines() if line["event"] != "progress"]
    assert names == ["recording_started", "recording_failed", "recording_started", "recorded"]
    assert report.complaint is not None
    assert report.complaint[0] is ExitCode.BROKEN
    assert len(list((tmp_path / "gone").iterdir())) == 1


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ("bob", "bob-camera-TR_1.webm"),
        ("../../etc/x", "_.._etc_x-camera-TR_1.webm"),
        ("", "_-camera-TR_1.webm"),
        ("..", "_-camera-TR_1.webm"),
        ("ünï\0", "_n_-camera-TR_1.webm"),
        ("x" * 300, "x" * 64 + "-camera-TR_1.webm"),
    ],
)
def test_file_names_stay_in_the_folder(identity: str, name: str) -> None:
    info = TrackInfo(sid="TR_1", type=TrackType.VIDEO, source=TrackSource.CAMERA)
    assert file_name(RemoteTrack(participant=identity, info=info)) == name


def test_levels_are_averaged_as_power() -> None:
    assert mean_level([-20.0, -20.0]) == pytest.approx(-20.0)
    assert mean_level([0.0, -127.0]) == pytest.approx(-3.01, abs=0.01)
