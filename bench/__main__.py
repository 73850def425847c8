"""Measure the wire, print tables of ratios, and write them to bench/results.md: `make bench`."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.footprint import import_seconds, installed_bytes
from bench.sessions.figures import BESIDE, CROWDS, SECONDS, Held, beside, crowd
from bench.wire.corpus import DECODED
from bench.wire.figures import COPIED, PEER, Timings, geometric_mean, node, timings
from tests.interop.livekit_server import VERSION, binary_for, running

RESULTS: Final = Path(__file__).resolve().parent / "results.md"


def main(arguments: Sequence[str]) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--compiled", type=Path, required=True, help="where the compiled wheel is installed"
    )
    parser.add_argument("--processes", type=int, default=5, help="how many measure")
    options = parser.parse_args(arguments)
    pure = timings(None, options.processes)
    compiled = timings(options.compiled, options.processes)
    text = "\n".join(report(pure, compiled, options.compiled)) + "\n"
    sys.stdout.write(text)
    RESULTS.write_text(text, encoding="utf-8")


def report(pure: Timings, compiled: Timings, installed: Path) -> Iterator[str]:
    """The page."""
    yield "# The wire, measured"
    yield ""
    yield about()
    yield ""
    yield "## Reading"
    yield ""
    yield from reading(pure, compiled)
    yield ""
    yield "## Writing"
    yield ""
    yield from writing(pure, compiled)
    yield ""
    yield "## The whole way, from the bytes of a socket to the event"
    yield ""
    yield from whole(pure, compiled)
    yield ""
    yield "## Before anything is done"
    yield ""
    yield from footprint()
    yield ""
    yield "## Many sessions in one process"
    yield ""
    yield from sessions(installed)


def about() -> str:
    """What was measured, with what, and when."""
    packages = ("betterproto2", "protobuf", "websockets", "mypy", "pyperf")
    versions = [f"CPython {platform.python_version()}", *(f"{it} {version(it)}" for it in packages)]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, with {', '.join(versions)}. Columns with × say how many "
        "times as long as kitwire others take for the same frame, turn by turn in one process, so "
        "that more is better; µs are kitwire's own, the least of all turns, and do not carry to "
        "other machines. betterproto2 is measured on the classes that its compiler writes; "
        "google.protobuf (upb, in C) when it parses, when all fields are read after it, and when "
        "they are copied into the same objects that kitwire makes; node is "
        "LiveKit's own JS (@livekit/protocol), measured once and compared with the pure codec."
    )


def reading(pure: Timings, compiled: Timings) -> Iterator[str]:
    """The frames of a server."""
    in_node = node()
    columns = (
        *("frame", "bytes", "pure, µs", "compiled, µs"),
        *("pure: betterproto2", "copied", "read", "parsed", "node"),
        *("compiled: betterproto2", "copied"),
    )
    yield row(columns)
    yield row(["---"] * len(columns))
    for frame in pure.frames("decode"):
        ours = pure.seconds("decode", frame)
        yield row(
            (
                frame,
                f"{len(DECODED[frame]):,}",
                microseconds(ours),
                microseconds(compiled.seconds("decode", frame)),
                times(pure.ratio("decode", frame, PEER)),
                *(times(pure.ratio("decode", frame, subject)) for subject in OFFICIAL),
                times(in_node[frame] / ours) if in_node else "–",
                times(compiled.ratio("decode", frame, PEER)),
                times(compiled.ratio("decode", frame, COPIED)),
            )
        )
    yield row(
        (
            *("geometric mean", "", "", ""),
            mean(pure, "decode", PEER),
            *(mean(pure, "decode", subject) for subject in OFFICIAL),
            "",
            mean(compiled, "decode", PEER),
            mean(compiled, "decode", COPIED),
        )
    )


OFFICIAL: Final = (COPIED, "google.protobuf, parsed and read", "google.protobuf, parsed")


def writing(pure: Timings, compiled: Timings) -> Iterator[str]:
    """The messages of a client."""
    columns = (
        "message",
        "pure, µs",
        "compiled, µs",
        "pure: betterproto2",
        "compiled: betterproto2",
    )
    yield row(columns)
    yield row(["---"] * len(columns))
    for name in pure.frames("encode"):
        yield row(
            (
                name,
                microseconds(pure.seconds("encode", name)),
                microseconds(compiled.seconds("encode", name)),
                times(pure.ratio("encode", name, PEER)),
                times(compiled.ratio("encode", name, PEER)),
            )
        )
    means = (mean(pure, "encode", PEER), mean(compiled, "encode", PEER))
    yield row(("geometric mean", "", "", *means))


def whole(pure: Timings, compiled: Timings) -> Iterator[str]:
    """Beside the parsing of the same WebSocket frame by websockets, which is a part of it."""
    columns = ("frame", "pure, µs", "of it websockets", "compiled, µs", "of it websockets")
    yield row(columns)
    yield row(["---"] * len(columns))
    for frame in pure.frames("path"):
        cells = []
        for run in (pure, compiled):
            cells += [
                microseconds(run.seconds("path", frame)),
                f"{run.ratio('path', frame, 'websockets'):.0%}",
            ]
        yield row((frame, *cells))


def footprint() -> Iterator[str]:
    """Import and installation."""
    core, adapters = installed_bytes()
    yield f"- `import kitwire`: {import_seconds('import kitwire') * 1e3:.0f} ms"
    client = import_seconds("import kitwire; kitwire.Client")
    yield f"- the first `kitwire.Client`, which loads all that it needs: {client * 1e3:.0f} ms"
    yield (
        f"- on the disk, with dependencies and bytecode: {core / 1e6:.1f} MB for the core, "
        f"{adapters / 1e6:.1f} MB for the adapters that come with it"
    )


def sessions(installed: Path) -> Iterator[str]:
    """Crowds on the scripted server, and both on a real one."""
    yield (
        "On a scripted server, which tells each session something about once a second (of twenty "
        "messages twelve are of speakers, six of quality, two of a participant), for ten seconds; "
        "kitwire on asyncio. Delays are those of the one event loop, by a timer of 5 ms; timers "
        "that a pause kept from being set count as well. Python's collector is told to look at "
        "100,000 new objects at a time instead of 700, and at none of those that are there when "
        "all have joined (`gc.set_threshold`, `gc.freeze`)."
    )
    yield ""
    columns = (
        "sessions",
        "codec",
        "kB each",
        "events/s",
        "of one core",
        "µs an event",
        "p50",
        "p99",
        "worst",
    )
    yield row(columns)
    yield row(["---"] * len(columns))
    for size in CROWDS:
        for folder in (None, installed):
            yield row(_crowd(crowd(size, folder)))
    yield ""
    yield (
        "On a real livekit-server where nothing happens, beside the official SDK (`livekit`), "
        "which has a peer connection for each room; kitwire has none, which does signaling alone."
    )
    yield ""
    beside_each_other = (
        *("rooms", "kitwire, kB each", "official, kB each"),
        *("kitwire, of one core", "official, of one core"),
    )
    yield row(beside_each_other)
    yield row(["---"] * len(beside_each_other))
    with running(binary_for(VERSION)) as server:
        for size in BESIDE:
            ours, theirs = (beside(subject, server, size) for subject in ("kitwire", "official"))
            memory = (f"{ours.memory / 1e3:.0f}", f"{theirs.memory / 1e3:.0f}")
            yield row((str(size), *memory, f"{ours.cpu:.1%}", f"{theirs.cpu:.1%}"))


def _crowd(held: Held) -> tuple[str, ...]:
    return (
        f"{held.sessions:,}",
        held.codec,
        f"{held.memory / 1e3:.0f}",
        f"{held.events / SECONDS:,.0f}",
        f"{held.cpu:.0%}",
        f"{held.cpu_per_event * 1e6:.0f}",
        *(f"{delay * 1e3:.1f} ms" for delay in (held.median, held.p99, held.worst)),
    )


# --- cells ---


def row(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def microseconds(seconds: float) -> str:
    """For people."""
    return f"{seconds * 1e6:.{0 if seconds > 1e-4 else 1}f}"


def times(ratio: float) -> str:
    """How many times as long somebody takes."""
    return f"{ratio:.{0 if ratio >= 10 else 2}f} ×"


def mean(run: Timings, action: str, subject: str) -> str:
    """Of all frames."""
    return times(geometric_mean(run.ratios(action, subject)))


if __name__ == "__main__":
    main(sys.argv[1:])
