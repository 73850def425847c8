"""What was measured of the wire: runs the timings for both codecs, and what stands beside them."""

from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyperf  # type: ignore[import-untyped] # it ships no types

from bench.wire.corpus import DECODED

__all__ = ["COPIED", "PEER", "Timings", "geometric_mean", "node", "timings"]

ROOT: Final = Path(__file__).resolve().parents[2]
PEER: Final = "betterproto2"
COPIED: Final = "google.protobuf, parsed and copied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """One run: seconds by what is done, frame and subject, the least of all values.

    A value is the mean of many calls; the least of them is what the machine does when nobody
    disturbs it.
    """

    seconds: Mapping[tuple[str, str, str], float]

    def frames(self, action: str) -> tuple[str, ...]:
        """The frames that were read, or written."""
        return tuple(dict.fromkeys(frame for done, frame, _ in self.seconds if done == action))

    def ratio(self, action: str, frame: str, subject: str) -> float:
        """How many times as long as kitwire a subject takes."""
        return self.seconds[action, frame, subject] / self.seconds[action, frame, "kitwire"]

    def ratios(self, action: str, subject: str) -> list[float]:
        """The same for all frames."""
        return [self.ratio(action, frame, subject) for frame in self.frames(action)]


def timings(installed: Path | None, rounds: int) -> Timings:
    """Measure the codec that is installed in a folder, or the sources, beside its peers.

    A machine may be slower for some minutes and quicker for others, and pyperf measures one after
    the other: so all is measured in several rounds, of which the least counts.

    Args:
        installed: where `make wheel-compiled` was installed to.
        rounds: how many.

    Raises:
        subprocess.CalledProcessError: it failed; its words are on the terminal.
    """
    environment = dict(os.environ)
    if installed is not None:
        environment["PYTHONPATH"] = str(installed)
        environment["KITWIRE_EXPECT_CODEC"] = "compiled"
    seconds: dict[tuple[str, str, str], float] = {}
    for _ in range(rounds):
        for name, value in _round(environment):
            action, frame, subject = name.split("/")
            key = action, frame, subject
            seconds[key] = min(value, seconds.get(key, value))
    return Timings(seconds=seconds)


def _round(environment: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "timings.json"
        subprocess.run(
            [
                *(sys.executable, "-m", "bench.wire.timings", "--quiet", "-o", str(output)),
                *("--inherit-environ", "PYTHONPATH,KITWIRE_EXPECT_CODEC"),
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        suite = pyperf.BenchmarkSuite.load(str(output))
    for benchmark in suite.get_benchmarks():
        yield benchmark.get_name(), min(benchmark.get_values())


def node() -> Mapping[str, float]:
    """Seconds that LiveKit's JS protobuf takes to read each frame; empty where it is not there."""
    if not (ROOT / ".browser" / "package.json").exists():
        return {}
    frames = {name: base64.b64encode(data).decode() for name, data in DECODED.items()}
    done = subprocess.run(
        ["node", "bench/wire/node.mjs"],
        cwd=ROOT,
        input=json.dumps(frames),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def geometric_mean(values: Iterable[float]) -> float:
    """Of ratios."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))
