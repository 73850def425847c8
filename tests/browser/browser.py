"""LiveKit's JS client in a real Chromium, as the other participant.

Node drives Chromium by driver.mjs, in the way of `tests.interop.processes`. Its camera and its
microphone are Chromium's own fakes; what it sees and hears is written to files as the page got it,
for the tests to judge.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from tests.interop.livekit_server import masked
from tests.interop.processes import ParticipantProcess
from tests.media.judging import RATE, Samples

__all__ = [
    "ARTEFACTS",
    "Browser",
    "BrowserUnavailable",
    "Installed",
    "Seen",
    "alive",
    "installed",
    "running",
]

HERE: Final = Path(__file__).resolve().parent
FOLDER: Final = HERE.parents[1] / ".browser"
"""Where `make browser` puts everything."""

ARTEFACTS: Final = FOLDER / "artefacts"
"""Where screenshots are kept for people to look at."""

WITHIN: Final = 20.0
"""Seconds to wait for anything; Chromium starts in one or two."""

Pictures = npt.NDArray[np.uint8]


class BrowserUnavailable(Exception):
    """Something that is needed is not there; the text says what to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Where Node and Chromium are."""

    node: Path
    chromium: Path


def installed(folder: Path = FOLDER) -> Installed:
    """What `make browser` installed. Raises BrowserUnavailable when anything of it is not there.

    $KITWIRE_CHROMIUM names another Chromium than the one that it found.
    """
    listed, wanted = folder / "package.json", HERE / "package.json"
    if not listed.is_file() or listed.read_bytes() != wanted.read_bytes():
        raise BrowserUnavailable("LiveKit's JS client is not installed: run `make browser`")
    found = folder / "chromium"
    name = os.environ.get("KITWIRE_CHROMIUM") or (found.read_text() if found.is_file() else "")
    chromium, node = shutil.which(name.strip()), shutil.which("node")
    if chromium is None:
        where = f" at {name.strip()}" if name else ""
        raise BrowserUnavailable(f"there is no Chromium{where}: run `make browser`")
    if node is None:
        raise BrowserUnavailable("there is no Node: install it, and run `make browser`")
    return Installed(node=Path(node), chromium=Path(chromium))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Pictures that the page showed, one behind the other."""

    pictures: Pictures
    """Pictures × height × width × 4: red, green, blue and opacity."""
    seconds: float
    """How long they took by the page's clock."""


class Browser:
    """A running Chromium with one page at a time. Each method blocks until it is done, or fails."""

    def __init__(self, driver: ParticipantProcess, driver_pid: int, folder: Path) -> None:
        self._driver = driver
        self._errors = folder / "errors"
        self.folder = folder
        """For all that is kept while it runs."""
        self.driver_pid = driver_pid
        self.pid = cast(int, driver.answer("start", 0)["pid"])
        """Chromium's own; its children are in its process group."""

    def _do(self, command: str, **arguments: str | float) -> dict[str, object]:
        # The driver's commands are JSON, so numbers may be among their arguments.
        answer = self._driver.do(command, **cast(dict[str, str], arguments))
        assert "failed" not in answer, masked(f"{command}: {answer['failed']}")
        return answer

    def join(self, url: str, token: str, *, width: int, height: int) -> tuple[str, str]:
        """Join by a new page and publish microphone and camera; returns their sids."""
        answer = self._do("join", url=url, token=token, width=width, height=height)
        return str(answer["audio"]), str(answer["video"])

    def see(self, sid: str, count: int) -> Seen:
        """So many pictures of a track."""
        into = self.folder / "seen"
        answer = self._do("see", sid=sid, count=count, into=str(into))
        shape = (count, cast(int, answer["height"]), cast(int, answer["width"]), 4)
        pictures = np.frombuffer(into.read_bytes(), np.uint8).reshape(shape)
        return Seen(pictures=pictures, seconds=cast(float, answer["seconds"]))

    def hear(self, sid: str, seconds: float) -> Samples:
        """So many seconds of a track, from where its sound begins."""
        into = self.folder / "heard"
        self._do("hear", sid=sid, seconds=seconds, rate=RATE, into=str(into))
        return np.frombuffer(into.read_bytes(), np.int16)

    def screenshot(self, into: Path) -> tuple[slice, slice]:
        """Save the page as a PNG; returns the rows and the columns where our video is."""
        into.parent.mkdir(parents=True, exist_ok=True)
        answer = self._do("screenshot", into=str(into))
        left, top, width, height = (
            round(cast(float, answer[each])) for each in ("x", "y", "width", "height")
        )
        return slice(top, top + height), slice(left, left + width)

    def leave(self) -> None:
        """Leave the room, close the page, and see that nothing went wrong in any so far."""
        self._do("leave")
        assert self._driver.events("page_error") == []

    def account(self, lines: int = 60) -> str:
        """The last that Node, the page and Chromium said."""
        text = self._errors.read_text(errors="replace").splitlines()[-lines:]
        return masked("\n".join(text))


@contextlib.contextmanager
def running(where: Installed) -> Iterator[Browser]:
    """Chromium for the length of a `with`; it has ended when that has, whatever happened in it."""
    with (
        tempfile.TemporaryDirectory(prefix="kitwire-browser-") as name,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        process = stack.enter_context(
            subprocess.Popen(
                [str(where.node), str(HERE / "driver.mjs"), str(FOLDER), str(where.chromium)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stack.enter_context((folder / "errors").open("w")),
                text=True,
                bufsize=1,
                # Profiles go into our folder, and Chromium's words to Node's stderr.
                env={**os.environ, "TMPDIR": name, "DEBUG": "pw:browser"},
                start_new_session=True,
            )
        )
        driver = ParticipantProcess(process, WITHIN)
        browser: Browser | None = None
        try:
            browser = Browser(driver, process.pid, folder)
            yield browser
            assert driver.end() == 0
        except BaseException as error:
            said = (folder / "errors").read_text(errors="replace")
            error.add_note(f"The browser said:\n{masked(said)}")
            raise
        finally:
            # Without its driver Chromium ends by itself too, but perhaps after its folder does.
            kill(process.pid)
            if browser is not None:
                kill(browser.pid)
            driver.end()


def kill(group: int) -> None:
    """End a process group, and wait until nobody of it is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
        deadline = time.monotonic() + WITHIN
        while alive(group) and time.monotonic() < deadline:
            time.sleep(0.01)


def alive(group: int) -> bool:
    """Whether a process of the group still runs; one that nobody has waited for does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False
