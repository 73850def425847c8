"""Every import and every call by name in src/kitwire, read from its syntax and held to a list.

The clearest of the three locks. import-linter sees chains of imports (pyproject.toml), the walled
run sees what third parties do (test_wall.py).
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "kitwire"

EVERYWHERE = {
    "__future__",
    "abc",
    "bisect",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "heapq",
    "itertools",
    "math",
    "operator",
    "re",
    "string",
    "types",
    "typing",
}
"""Pure parts of the standard library."""

BY_LAYER = {
    # Lazy public names (PEP 562).
    "__init__": {"importlib"},
    "config": {"urllib.parse"},
    "messages": {
        "betterproto2",
        "betterproto2.validators",
        "datetime",
        "dateutil",
        "typing_extensions",
    },
    "codec": {
        "base64",
        "betterproto2",
        "binascii",
        "datetime",
        "gzip",
        "json",
        # For types only: a dependency of mypy's, which compiles the codec, and not of ours.
        "mypy_extensions",
        "struct",
        "zlib",
    },
    "trace": {"base64", "json"},
    "link": {
        "base64",
        "binascii",
        "codecs",
        "gzip",
        "h11",
        "http",
        "ipaddress",
        "json",
        "urllib.parse",
        "zlib",
        # websockets' sans-IO half, by module: its other half is I/O.
        "websockets.client",
        "websockets.datastructures",
        "websockets.exceptions",
        "websockets.extensions",
        "websockets.extensions.base",
        "websockets.extensions.permessage_deflate",
        "websockets.frames",
        "websockets.http11",
        "websockets.protocol",
        "websockets.server",
        "websockets.streams",
        "websockets.typing",
        "websockets.uri",
    },
    "negotiation": {"json"},
    "session": {"http", "json"},
}
"""What one layer may import besides."""

BANNED_NAMES = {
    "__import__",
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "input",
    "open",
    "print",
}
"""Builtins that touch the world, or run what cannot be read here."""

BANNED_ATTRIBUTES = {"now", "today", "utcnow", "fromtimestamp"}
"""Of datetime and date: they ask the wall clock or the local time zone."""


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def layer_of(path: Path) -> str:
    """The first part of a module's name inside kitwire: `codec` for codec/binary.py."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def own(name: str) -> bool:
    return name == "kitwire" or name.startswith("kitwire.")


def impurities(tree: ast.AST, layer: str) -> Iterator[str]:
    """What in a module is not allowed in its layer, each as a line for the reader."""
    allowed = EVERYWHERE | BY_LAYER.get(layer, set())
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for name in (alias.name for alias in names):
                    if not own(name) and name not in allowed:
                        yield f"{node.lineno}: imports {name}"
            case ast.ImportFrom(level=0, module=str(module), names=names):
                # `from urllib import parse` imports urllib.parse.
                parts = {f"{module}.{alias.name}" for alias in names}
                if not own(module) and module not in allowed and not parts <= allowed:
                    yield f"{node.lineno}: imports from {module}"
            case ast.Name(id=name, ctx=ast.Load()) if name in BANNED_NAMES:
                yield f"{node.lineno}: uses {name}"
            case ast.Call(func=ast.Name(id="id" | "hash" as name)):
                yield f"{node.lineno}: calls {name}, whose value differs between runs"
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=attribute) if (
                attribute in BANNED_ATTRIBUTES
            ):
                yield f"{node.lineno}: asks {attribute} of the clock"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="gzip"), attr="compress")) if (
                "mtime" not in {keyword.arg for keyword in node.keywords}
            ):
                yield f"{node.lineno}: gzip.compress without mtime writes the wall clock's time"
            case _:
                pass


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_of_the_core_is_pure(path: Path) -> None:
    tree = ast.parse(path.read_text(), str(path))
    assert list(impurities(tree, layer_of(path))) == []


def test_there_is_a_core_to_look_at() -> None:
    assert {"__init__", "events", "messages"} <= {layer_of(path) for path in modules()}


@pytest.mark.parametrize(
    ("layer", "source", "found"),
    [
        ("codec", "import socket", ["1: imports socket"]),
        ("codec", "import time, math", ["1: imports time"]),
        ("codec", "def f():\n    from os import path", ["2: imports from os"]),
        ("codec", "import betterproto2", []),
        ("session", "import betterproto2", ["1: imports betterproto2"]),
        ("session", "from ..codec import binary\nimport kitwire.messages", []),
        ("session", "import kitwireless", ["1: imports kitwireless"]),
        ("link", "from urllib import parse", []),
        ("link", "from urllib import request", ["1: imports from urllib"]),
        ("link", "from websockets.asyncio.client import connect", None),
        ("link", "import websockets", ["1: imports websockets"]),
        ("link", "import gzip\ngzip.compress(b'', mtime=0)", []),
        ("link", "import gzip\ngzip.compress(b'')", None),
        ("trace", "print(1)", ["1: uses print"]),
        ("trace", "write = open", ["1: uses open"]),
        ("trace", "x.open(1)", []),
        ("trace", "x = id(y)", ["1: calls id, whose value differs between runs"]),
        ("trace", "def f(id):\n    return id", []),
        ("codec", "datetime.now()", ["1: asks now of the clock"]),
        ("__init__", "from importlib import import_module", []),
        ("room", "from importlib import import_module", ["1: imports from importlib"]),
    ],
)
def test_the_lock_itself(layer: str, source: str, found: list[str] | None) -> None:
    seen = list(impurities(ast.parse(textwrap.dedent(source)), layer))
    if found is None:
        assert len(seen) == 1
    else:
        assert seen == found
