"""Run by test_wall.py as `python -I -B walled.py`: the core lives a life without the world.

First everything that the core builds on is loaded, then the wall goes up, then kitwire is imported
and driven. Any use of a socket, a clock, randomness, a file, a thread or an event loop raises.
"""

from __future__ import annotations

import asyncio
import builtins
import importlib
import logging
import os
import random
import secrets
import select
import selectors
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final, NoReturn

# What the core builds on. It is loaded first, because loading reads files and the environment.
FOUNDATIONS: Final = (
    "abc",
    "base64",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "gzip",
    "http",
    "ipaddress",
    "json",
    "typing",
    "urllib.parse",
    "zlib",
    "betterproto2",
    "h11",
    "websockets.client",
    "websockets.server",
    "websockets.extensions.permessage_deflate",
)

# The RFC wants masks and keys to be random, so websockets may draw them; nobody else may. Each is
# (what is called, the module that calls it).
EXCEPTIONS: Final = {
    ("secrets.token_bytes", "websockets.frames"),
    ("secrets.token_bytes", "websockets.utils"),
    ("uuid.uuid4", "websockets.protocol"),
    ("os.urandom", "uuid"),
}


class Breach(BaseException):
    """The core reached for the world. Not an Exception, so that nothing swallows it."""


def brick(name: str, original: Callable[..., object]) -> Callable[..., object]:
    """Stands in for a function of the world."""

    def raising(*args: object, **kwargs: object) -> object:
        caller = sys._getframe(1).f_globals.get("__name__")
        if (name, caller) in EXCEPTIONS:
            return original(*args, **kwargs)
        raise Breach(f"{name} called from {caller}")

    return raising


def wall_off(module: ModuleType, names: list[str] | None = None) -> None:
    """Replace the functions of a module: the named ones, or all public ones."""
    for name in names or [name for name in dir(module) if not name.startswith("_")]:
        original = getattr(module, name)
        if callable(original) and not isinstance(original, type):
            setattr(module, name, brick(f"{module.__name__}.{name}", original))


class Walled:
    """Stands in for a class of the world: it cannot be made."""

    def __new__(cls, *args: object, **kwargs: object) -> NoReturn:
        raise Breach("a socket, thread or process made")


def build_the_wall() -> None:
    """From here on the world is gone."""
    for name in FOUNDATIONS:
        importlib.import_module(name)
    for module in (socket, ssl, select, time, random, secrets, uuid, subprocess):
        wall_off(module)
    wall_off(os, ["getenv", "getpid", "listdir", "popen", "scandir", "system", "urandom"])
    wall_off(asyncio, ["get_event_loop", "new_event_loop", "run", "create_task"])
    wall_off(builtins, ["input", "open", "print"])
    for module, name in (
        (socket, "socket"),
        (ssl, "SSLContext"),
        (subprocess, "Popen"),
        (threading, "Thread"),
        (selectors, "DefaultSelector"),
    ):
        setattr(module, name, Walled)
    for owner, name in (
        (logging.Logger, "makeRecord"),
        (Path, "open"),
        (Path, "read_text"),
        (Path, "read_bytes"),
        (random.Random, "random"),
        (random.SystemRandom, "random"),
        (threading.Timer, "start"),
    ):
        setattr(owner, name, brick(f"{owner.__name__}.{name}", getattr(owner, name)))
    # What is reached below the functions above, from C or by another name.
    sys.addaudithook(watch)


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """The interpreter's own account of what is done."""
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "_thread.")):
        raise Breach(event)
    if event == "open" and not str(arguments[0]).endswith((".py", ".pyc")):
        # Only the import system reads, and only modules.
        raise Breach(f"open {arguments[0]}")


def drive() -> str:
    """The life that is lived behind the wall; returns what it came to."""
    kitwire = importlib.import_module("kitwire")
    for name in getattr(kitwire, "__all__", ()):
        getattr(kitwire, name)
    return f"kitwire with {len(getattr(kitwire, '__all__', ()))} public names"


def main(breach: str = "") -> None:
    """Drive the core; or, to show that the wall holds, commit the named breach."""
    build_the_wall()
    sys.stdout.write(str(eval(breach)) if breach else drive())


if __name__ == "__main__":
    main(*sys.argv[1:])
