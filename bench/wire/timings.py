"""Runs under pyperf, `python -m bench.wire.timings -o FILE`: each frame, and each who takes it."""

from __future__ import annotations

import os

import pyperf  # type: ignore[import-untyped] # it ships no types

from bench.wire.corpus import DECODED, ENCODED
from bench.wire.path import FRAMES, SUBJECTS
from bench.wire.subjects import DECODERS, ENCODERS, stock_request

__all__ = ["main"]

COMPILED_BESIDE = ("kitwire", "betterproto2", "google.protobuf, parsed and copied")
"""Whom the compiled codec is measured beside; the pure one beside everybody."""


def main() -> None:
    """Measure; frame by frame, so that who is compared is measured at nearly the same time."""
    runner = pyperf.Runner(
        processes=1, values=4, warmups=1, min_time=0.02, program_args=("-m", "bench.wire.timings")
    )
    codec = runner.metadata["codec"] = os.environ.get("KITWIRE_EXPECT_CODEC", "pure")
    for frame, data in DECODED.items():
        for subject, decode in DECODERS.items():
            if codec == "compiled" and subject not in COMPILED_BESIDE:
                continue
            runner.bench_func(f"decode/{frame}/{subject}", decode, data)
    for name, message in ENCODED.items():
        theirs = stock_request(message)
        for subject, encode in ENCODERS.items():
            given = message if subject == "kitwire" else theirs
            runner.bench_func(f"encode/{name}/{subject}", encode, given)
    for frame, data in FRAMES.items():
        for subject, make in SUBJECTS.items():
            runner.bench_func(f"path/{frame}/{subject}", make(), data)


if __name__ == "__main__":
    main()
