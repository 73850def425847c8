"""Measures one process's share: `python -m bench.wire.timings -o FILE`, for pyperf to read.

Who is compared takes turns, some milliseconds each: a machine that is slower for a while is slower
for all of them, so that the quotient of two turns in a row holds where neither of them alone does.
pyperf's own runner measures one after the other, minutes apart.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyperf  # type: ignore[import-untyped] # it ships no types

from bench.wire.corpus import DECODED, ENCODED
from bench.wire.path import FRAMES, SUBJECTS
from bench.wire.subjects import DECODERS, ENCODERS, stock_request
from kitwire.codec import implementation

__all__ = ["comparisons", "main"]

_TURNS: Final = 24
"""How many each has."""
_TURN: Final = 0.004
"""Seconds that one lasts at least."""

Call = Callable[[Any], Any]
Comparison = tuple[str, Mapping[str, tuple[Call, Any]]]
"""What is done with which frame; subject → function and argument."""


def comparisons() -> Iterator[Comparison]:
    """All of them."""
    for name, data in DECODED.items():
        yield f"decode/{name}", {subject: (call, data) for subject, call in DECODERS.items()}
    for name, message in ENCODED.items():
        theirs = stock_request(message)
        yield (
            f"encode/{name}",
            {
                subject: (call, message if subject == "kitwire" else theirs)
                for subject, call in ENCODERS.items()
            },
        )
    for name, data in FRAMES.items():
        yield f"path/{name}", {subject: (make(), data) for subject, make in SUBJECTS.items()}


def main(arguments: Sequence[str]) -> None:
    """Measure all and write the file."""
    parser = argparse.ArgumentParser(prog="python -m bench.wire.timings", description=__doc__)
    parser.add_argument("-o", "--output", required=True)
    output = parser.parse_args(arguments).output
    benchmarks = []
    for name, calls in comparisons():
        for subject, values in _turns(calls).items():
            metadata = {"name": f"{name}/{subject}", "unit": "second", "codec": implementation}
            benchmarks.append(pyperf.Benchmark([pyperf.Run(values, metadata=metadata)]))
    pyperf.BenchmarkSuite(benchmarks).dump(output)


def _turns(calls: Mapping[str, tuple[Call, Any]]) -> Mapping[str, list[float]]:
    """Seconds a call, of each turn."""
    loops = {subject: _loops(*call) for subject, call in calls.items()}
    values: dict[str, list[float]] = {subject: [] for subject in calls}
    for _ in range(_TURNS):
        gc.collect()  # what one of them leaves behind is not another's to clear away
        for subject, call in calls.items():
            values[subject].append(_timed(*call, loops[subject]) / loops[subject])
    return values


def _loops(call: Call, argument: object) -> int:
    loops = 1
    while _timed(call, argument, loops) < _TURN:
        loops *= 2
    return loops


def _timed(call: Call, argument: object, loops: int) -> float:
    turns = range(loops)
    begun = time.perf_counter()
    for _ in turns:
        call(argument)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(sys.argv[1:])
