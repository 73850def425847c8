"""Measure all, print a table, and write it to bench/media.md: `make bench-media`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.media.figures import LOADS, joining, load, memory, round_trips
from tests.interop.livekit_server import VERSION, LiveKitServer, binary_for, running

RESULTS: Final = Path(__file__).resolve().parents[1] / "media.md"


def rows(server: LiveKitServer) -> Iterator[tuple[str, str, str, str]]:
    """What was measured, of kitwire, of the official SDK, and the ratio."""
    joined = joining(server)
    ours, theirs = joined["kitwire"], joined["official"]
    for what, one, other in (
        ("connect", ours.connected, theirs.connected),
        ("first frame of another", ours.first_frame, theirs.first_frame),
    ):
        for name in ("p50", "p95"):
            mine, its = getattr(one, name), getattr(other, name)
            yield f"{what}, {name} of 20", milliseconds(mine), milliseconds(its), ratio(mine, its)
    for audio, video in LOADS:
        used = load(server, audio=audio, video=video)
        mine, its = used["kitwire"].cpu, used["official"].cpu
        what = f"CPU to receive {audio} audio" + (", 1 video of 640×360" if video else "")
        yield what, f"{mine:.1%}", f"{its:.1%}", ratio(mine, its)
    busy, idle = round_trips(server)
    yield "ping, 8 audio decoded, p99", milliseconds(busy.p99), "–", "–"
    yield "ping, no media, p99", milliseconds(idle.p99), "–", "–"
    series = memory(server)
    yield "memory after 10 publications", megabytes(series[9]), "–", "–"
    yield "memory after 50 publications", megabytes(series[-1]), "–", "–"


def milliseconds(seconds: float) -> str:
    """For people."""
    return f"{seconds * 1000:.1f} ms"


def megabytes(octets: int) -> str:
    """For people."""
    return f"{octets / 1e6:.1f} MB"


def ratio(ours: float, theirs: float) -> str:
    """Below 1 is better than theirs."""
    return f"{ours / theirs:.2f}"


def about() -> str:
    """What was measured, with what, and when."""
    versions = (
        f"CPython {platform.python_version()}",
        *(f"{name} {version(name)}" for name in ("aiortc", "livekit")),
        f"livekit-server {VERSION}",
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, with {', '.join(versions)}. The official SDK is `livekit`. "
        "Server, publisher and subject have a process each, and meet on loopback. Ratios carry, "
        "absolute figures do not."
    )


def main() -> None:
    """Print each row when it is there, and write all."""
    lines = [
        "# Rooms with media, measured",
        "",
        about(),
        "",
        "| | kitwire | official | ratio |",
        "|---|---|---|---|",
    ]
    with running(binary_for(VERSION)) as server:
        for row in rows(server):
            lines.append("| " + " | ".join(row) + " |")
            sys.stdout.write(lines[-1] + "\n")
            sys.stdout.flush()
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
