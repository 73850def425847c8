"""Two network namespaces with a network between them that a test can change: veth, on Linux.

A namespace has no name here, only a file that is open: so it and all that is in it is gone when the
last process of it is, however the tests end. What a thread starts while it is inside, runs inside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["INTERFACE", "MOVED", "SERVER", "Namespace", "Network", "NoNamespaces", "network"]

NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET
HERE: Final = "/proc/thread-self/ns/net"
TOOLS: Final = {"ip": "iproute2", "iptables": "iptables"}
"""What is run, and Debian's packages of it."""

SERVER: Final = "10.213.7.1"
CLIENT: Final = "10.213.7.2"
MOVED: Final = "10.213.7.3"
"""Another address for the client."""
INTERFACE: Final = "veth"
APPEND: Final = ("iptables", "--append", "INPUT", "--in-interface", INTERFACE)
COUNT: Final = re.compile(r"^ *(\d+) +\d+ (DROP|ACCEPT) ", re.MULTILINE)


class NoNamespaces(Exception):
    """This machine does not have them, or not for us; the text says what is missing."""


class CommandFailed(Exception):
    """A program that sets up the network failed; the text has what it said."""


class Namespace:
    """A network namespace of our own, with nothing but loopback in it at first.

    Raises:
        NoNamespaces: when it is not permitted.
    """

    def __init__(self) -> None:
        with _this_thread_back():
            try:
                _system_call("unshare", NEW_NETWORK)
            except OSError as error:
                raise NoNamespaces(f"network namespaces: {error.strerror}") from None
            self._file = os.open(HERE, os.O_RDONLY)

    def close(self) -> None:
        """Let go of it; it ends when nothing runs inside any more."""
        os.close(self._file)

    @property
    def path(self) -> str:
        """The file by which other programs find it, as long as it is open here."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Have this thread inside for the length of a `with`, and what it starts for longer."""
        with _this_thread_back():
            _system_call("setns", self._file, NEW_NETWORK)
            yield

    def run(self, *command: str) -> str:
        """Run a program inside; returns what it prints.

        Raises:
            CommandFailed: when it fails.
        """
        with self.inside():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandFailed(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout


@dataclass(frozen=True, kw_only=True)
class Network:
    """A server's namespace and a client's, on one wire.

    Packets are dropped where they come in: who sends is not told, as by a real network.
    """

    server: Namespace
    client: Namespace

    def lose(self, share: float) -> None:
        """Lose this share of the packets each way, at random; 1.0 is a blackout, 0.0 repairs."""
        statistic = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        which = statistic if share < 1 else ()
        for end in (self.server, self.client):
            end.run("iptables", "--flush", "INPUT")
            if share:
                end.run(*APPEND, *which, "--jump", "DROP")
                end.run(*APPEND, "--jump", "ACCEPT")

    def lost(self) -> float:
        """The share of the packets that was lost since :meth:`lose`."""
        dropped = passed = 0
        for end in (self.server, self.client):
            listed = end.run("iptables", "--list", "INPUT", "--verbose", "--exact")
            counts = {what: int(count) for count, what in COUNT.findall(listed)}
            dropped += counts["DROP"]
            passed += counts["ACCEPT"]
        return dropped / (dropped + passed)

    def move_client(self, address: str) -> None:
        """Take the client's address away, and give it another."""
        self.client.run("ip", "address", "flush", "dev", INTERFACE)
        self.client.run("ip", "address", "add", f"{address}/24", "dev", INTERFACE)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A network for the length of a `with`.

    Raises:
        NoNamespaces: when there can be none.
    """
    _check()
    with contextlib.ExitStack() as stack:
        server, client = Namespace(), Namespace()
        stack.callback(server.close)
        stack.callback(client.close)
        made = Network(server=server, client=client)
        try:
            _set_up(made)
        except CommandFailed as failure:
            raise NoNamespaces(str(failure)) from None
        yield made


def _check() -> None:
    if sys.platform != "linux":
        raise NoNamespaces("network namespaces are Linux's")
    if os.geteuid() != 0:
        raise NoNamespaces("network namespaces need root")
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise NoNamespaces(f"{tool} was not found: install {package}")


def _set_up(made: Network) -> None:
    peer = ("peer", "name", INTERFACE, "netns", made.client.path)
    made.server.run("ip", "link", "add", INTERFACE, "type", "veth", *peer)
    for end, address in ((made.server, SERVER), (made.client, CLIENT)):
        # IPv4 alone: nobody here has an address of IPv6's that is worth a candidate.
        end.run("ip", "link", "set", INTERFACE, "addrgenmode", "none")
        end.run("ip", "address", "add", f"{address}/24", "dev", INTERFACE)
        end.run("ip", "link", "set", INTERFACE, "up")
        end.run("ip", "link", "set", "lo", "up")
    made.lose(0.5)  # To see whether the kernel can.
    made.lose(0.0)


@contextlib.contextmanager
def _this_thread_back() -> Iterator[None]:
    """Bring this thread back to the network that it is in now."""
    here = os.open(HERE, os.O_RDONLY)
    try:
        yield
    finally:
        _system_call("setns", here, NEW_NETWORK)
        os.close(here)


def _system_call(name: str, *arguments: int) -> None:
    # Python has them from 3.12 on.
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
