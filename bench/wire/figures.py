"""What was measured of the wire: runs the timings for both codecs, and what stands beside them."""

from __future__ import annotations

import base64
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """One codec beside its peers: seconds a call in each turn, by action, frame and subject."""

    turns: Mapping[tuple[str, str, str], Sequence[float]]

    def frames(self, action: str) -> tuple[str, ...]:
        """The frames that were read, or written."""
        return tuple(dict.fromkeys(frame for done, frame, _ in self.turns if done == action))

    def seconds(self, action: str, frame: str) -> float:
        """What kitwire takes when nobody disturbs the machine: the least of all turns."""
        return min(self.turns[action, frame, "kitwire"])

    def ratio(self, action: str, frame: str, subject: str) -> float:
        """How many times as long a subject takes: in the median, of its turn and ours before it."""
        ours, theirs = self.turns[action, frame, "kitwire"], self.turns[action, frame, subject]
        return statistics.median(its / our for our, its in zip(ours, theirs, strict=True))

    def ratios(self, action: str, subject: str) -> list[float]:
        """The same for all frames."""
        return [self.ratio(action, frame, subject) for frame in self.frames(action)]


def timings(installed: Path | None, processes: int) -> Timings:
    """Measure the codec that is installed in a folder, or the sources, beside its peers.

    Args:
        installed: where `make wheel-compiled` was installed to.
        processes: how many measure, one after the other: memory lies differently in each.

    Raises:
        subprocess.CalledProcessError: one failed; its words are on the terminal.
    """
    environment = dict(os.environ)
    if installed is not None:
        environment["PYTHONPATH"] = str(installed)
    codec = "pure" if installed is None else "compiled"
    turns: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(processes):
        for name, values in _process(environment, codec):
            action, frame, subject = name.split("/")
            turns.setdefault((action, frame, subject), []).extend(values)
    return Timings(turns=turns)


def _process(environment: Mapping[str, str], codec: str) -> Iterator[tuple[str, Sequence[float]]]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "timings.json"
        command = [sys.executable, "-m", "bench.wire.timings", "-o", str(output)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        suite = pyperf.BenchmarkSuite.load(str(output))
    for benchmark in suite.get_benchmarks():
        measured = benchmark.get_metadata()["codec"]
        assert measured == codec, f"the {measured} codec was measured, not the {codec} one"
        yield benchmark.get_name(), benchmark.get_values()


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
