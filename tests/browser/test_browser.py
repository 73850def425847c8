"""Rooms with media where LiveKit's JS client in a real Chromium is the other participant."""

from __future__ import annotations

import itertools
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread
import av
import numpy as np
import numpy.typing as npt
import pytest

from kitwire_aiortc import MediaRoom, TestPattern, Tone, read_counter
from kitwire_aiortc.sinks import pixels, samples
from tests.browser.browser import (
    ARTEFACTS,
    Browser,
    BrowserUnavailable,
    Seen,
    alive,
    installed,
    running,
)
from tests.interop.livekit_server import LiveKitServer
from tests.media.judging import BLOCK, RATE, Samples, judge
from tests.media.loopback import Enter, Run, known, together, within

SECONDS: Final = 3.0
BACKLOG: Final = 0.5
"""Seconds in which what had to wait is read; 0.17 s of sound were seen to come so."""
LOUD: Final = 3_000
"""RMS of a block, of 32767 at most: a beep of Chromium's microphone begins at 14 000."""

CAMERA: Final = (640, 360)
PATTERN: Final = (320, 180)

BARS: Final = [
    *((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0)),
    *((191, 0, 191), (191, 0, 0), (0, 0, 191)),
]
"""The pattern's colours as red, green and blue, left to right."""

Picture = npt.NDArray[np.uint8]


def show(line: str) -> None:
    """A figure, for who reads the tests' output."""
    print(line)  # noqa: T201


# --- what reaches kitwire ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    signal: Samples
    elapsed: float
    """Seconds by the clock that it took to come."""


async def listen(room: MediaRoom, sid: str) -> Listened:
    """Some seconds by the clock of the browser's microphone.

    What gathered while both were busy with the beginning comes at once, and is let pass.
    """
    parts: list[Samples] = []
    first = begun = 0.0
    async for frame in room.audio(sid, sample_rate=RATE):
        first = first or time.monotonic()
        if time.monotonic() - first < BACKLOG:
            continue
        begun = begun or time.monotonic()
        parts.append(samples(frame)[:, 0])
        if time.monotonic() - begun >= SECONDS:
            break
    return Listened(signal=np.concatenate(parts), elapsed=time.monotonic() - begun)


async def watch(room: MediaRoom, sid: str) -> list[Picture]:
    """Some seconds by the clock of the browser's camera, from the first picture of full size on.

    It sends several sizes, and the server may begin with a smaller one.
    """
    found: list[Picture] = []
    begun = 0.0
    async for frame in room.video(sid):
        if not begun and (frame.width, frame.height) != CAMERA:
            continue
        begun = begun or time.monotonic()
        found.append(pixels(frame))
        if time.monotonic() - begun >= SECONDS:
            break
    return found


def check_microphone(came: Listened) -> None:
    """It beeps twice a second, and no time is lost or made up."""
    count = len(came.signal) / (came.elapsed * RATE)
    blocks = came.signal[: len(came.signal) // BLOCK * BLOCK].reshape(-1, BLOCK)
    loud = np.sqrt(np.mean(np.square(blocks.astype(np.float64)), axis=1)) > LOUD
    beeps = int(np.count_nonzero(loud[1:] & ~loud[:-1]))
    show(f"browser → kitwire: {len(came.signal)} samples, {count:.1%} of all, {beeps} beeps")
    # By two clocks, on two cores that run Chromium too: 105.5 % were seen, of 3 s.
    assert count == pytest.approx(1.0, abs=0.1)
    assert beeps == pytest.approx(2 * SECONDS, abs=1)
    # Between them it is silent.
    assert 0 < loud.mean() < 0.5


def check_camera(found: list[Picture]) -> None:
    """A green picture in which something moves, 20 times a second."""
    whole = [each.astype(np.int16) for each in found if each.shape == (*CAMERA[::-1], 3)]
    moved = [float(np.abs(one - other).mean()) for one, other in itertools.pairwise(whole)]
    red, green, blue = np.mean([each.mean(axis=(0, 1)) for each in whole], axis=0)
    show(f"browser → kitwire: {len(found)} pictures, {len(whole)} whole, moved {min(moved):.1f} up")
    assert len(found) >= 15 * SECONDS
    assert len(whole) >= 0.95 * len(found)
    assert green > 3 * max(red, blue)
    assert np.mean(np.array(moved) > 0.5) >= 0.95


# --- what reaches the browser ---


def number(picture: Picture, form: str) -> int | None:
    return read_counter(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=form))


def check_tone(signal: Samples, hertz: float) -> None:
    heard = judge(signal, hertz, 1.0)
    show(f"kitwire → browser: {heard}")
    assert heard.hertz == pytest.approx(hertz, abs=2.0)
    assert heard.share > 0.5


def check_pattern(seen: Seen) -> int:
    """Nearly all pictures can be read, and their numbers rise; returns the last."""
    assert seen.pictures.shape[1:3] == PATTERN[::-1]
    read = [each for each in (number(one, "rgba") for one in seen.pictures) if each is not None]
    show(
        f"kitwire → browser: {len(seen.pictures)} pictures in {seen.seconds:.2f} s, "
        f"{len(read)} read, {read[0]}–{read[-1]}"
    )
    assert len(read) >= 0.95 * len(seen.pictures)
    assert read == sorted(read)
    # Where the page was late, it may have taken one twice.
    assert len(set(read)) >= 0.8 * len(read)
    return read[-1]


def shot(path: Path, place: tuple[slice, slice]) -> Picture:
    with av.open(str(path)) as file:
        return pixels(next(file.decode(video=0)))[place]


def check_screenshot(path: Path, place: tuple[slice, slice], after: int) -> None:
    """The file shows our pattern where the page has our video: a later number, and its colours."""
    picture = shot(path, place)
    assert picture.shape == (*PATTERN[::-1], 3)
    shown = number(picture, "rgb24")
    show(f"kitwire → browser: the screenshot {path} shows number {shown}")
    assert shown is not None
    assert shown >= after
    height, width = picture.shape[:2]
    middles = [width * (2 * bar + 1) // (2 * len(BARS)) for bar in range(len(BARS))]
    row = [picture[height // 2, each].astype(int).tolist() for each in middles]
    assert np.array(row) == pytest.approx(np.array(BARS), abs=20)


# --- the tests ---


@pytest.fixture
def artefact(request: pytest.FixtureRequest) -> Path:
    """Where the test's screenshot goes, so that none of them overwrites another's."""
    call = request.node.name.partition("[")[2].rstrip("]")
    path = ARTEFACTS / f"{call}.png"
    path.unlink(missing_ok=True)
    return path


@pytest.mark.slow
def test_a_browser_and_kitwire_hear_and_see_each_other(
    enter: Enter,
    run: Run,
    browser: Browser,
    livekit: LiveKitServer,
    room_name: str,
    artefact: Path,
) -> None:
    async def main() -> None:
        async with enter("ann") as ann:
            tone = await ann.publish_audio(Tone(880.0))
            width, height = PATTERN
            pattern = await ann.publish_video(
                TestPattern(width=width, height=height),
                width=width,
                height=height,
                max_bitrate=800_000,
            )
            token = livekit.token("bob", room_name)
            microphone, camera = await anyio.to_thread.run_sync(
                lambda: browser.join(livekit.url, token, width=CAMERA[0], height=CAMERA[1])
            )
            await known(ann, microphone)
            await known(ann, camera)

            # Judged afterwards: meanwhile, it would make late what is measured.
            came: list[Listened] = []
            found: list[Picture] = []
            heard: list[Samples] = []
            seen: list[Seen] = []
            place: list[tuple[slice, slice]] = []

            async def hear() -> None:
                came.append(await within(15.0, listen(ann, microphone)))

            async def see() -> None:
                found.extend(await within(15.0, watch(ann, camera)))

            def far() -> None:
                heard.append(browser.hear(tone.sid, 1.5))
                seen.append(browser.see(pattern.sid, 25))
                # As of all pictures, one in twenty may be too coarse for its number to be read.
                for _ in range(3):
                    place.append(browser.screenshot(artefact))
                    if number(shot(artefact, place[-1]), "rgb24") is not None:
                        break

            await together(hear(), see(), anyio.to_thread.run_sync(far))
        check_microphone(came[0])
        check_camera(found)
        check_tone(heard[0], 880.0)
        check_screenshot(artefact, place[-1], check_pattern(seen[0]))

    show("")
    run(main(), limit=60.0)


@pytest.mark.slow
def test_nothing_is_left_of_a_browser_whose_driver_is_killed(chromium: Browser) -> None:
    assert alive(chromium.pid)
    with pytest.raises(AssertionError), running(installed()) as browser:
        os.kill(browser.driver_pid, signal.SIGKILL)
    assert not alive(browser.pid)
    assert not browser.folder.exists()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the one that `make browser` leaves, with a Node on the path."""
    monkeypatch.delenv("KITWIRE_CHROMIUM", raising=False)
    wanted = Path(__file__).with_name("package.json")
    (tmp_path / "package.json").write_bytes(wanted.read_bytes())
    (tmp_path / "chromium").write_text("/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\n")
    node.chmod(0o755)
    return tmp_path


def test_what_is_installed_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = installed(folder)
    assert (where.node, where.chromium) == (folder / "node", Path("/bin/sh"))
    monkeypatch.setenv("KITWIRE_CHROMIUM", "/bin/cat")
    assert installed(folder).chromium == Path("/bin/cat")


def test_what_is_missing_is_said_with_what_to_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complaint() -> str:
        with pytest.raises(BrowserUnavailable, match="run `make browser`") as missing:
            installed(folder)
        return str(missing.value)

    monkeypatch.setenv("KITWIRE_CHROMIUM", "/nowhere/chromium")
    assert "no Chromium at /nowhere/chromium" in complaint()
    monkeypatch.delenv("KITWIRE_CHROMIUM")
    (folder / "node").unlink()
    assert "no Node" in complaint()
    (folder / "chromium").unlink()
    assert "no Chromium:" in complaint()
    (folder / "package.json").write_text("{}")
    assert "JS client is not installed" in complaint()
