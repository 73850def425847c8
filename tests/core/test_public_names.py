"""The public names: what type checkers see, what there is, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import kitwire

ROOT = ast.parse(Path(kitwire.__file__).read_text())
TYPED_ONLY = {"messages"}
ALWAYS = {"__version__"}
# Public in their module for the layers above, of no use to an application.
INTERNAL = {"config": {"is_sendable"}, "commands": {"Headers"}}


def twins() -> dict[str, str]:
    """What the TYPE_CHECKING block imports: name → module."""
    (block,) = [
        node
        for node in ROOT.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    found: dict[str, str] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        assert node.level == 1
        for alias in node.names:
            assert alias.asname is None
            assert alias.name not in found
            found[alias.name] = node.module or ""
    return found


def test_type_checkers_see_what_there_is() -> None:
    typed = twins()
    assert {name for name, module in typed.items() if not module} == TYPED_ONLY
    assert {name: module for name, module in typed.items() if module} == kitwire._NAMES
    assert [*kitwire.__all__] == sorted({*kitwire._NAMES, *TYPED_ONLY, *ALWAYS})
    assert dir(kitwire) == kitwire.__all__


@pytest.mark.parametrize("name", sorted(kitwire._NAMES))
def test_each_name_is_the_one_in_its_module(name: str) -> None:
    module = import_module(f"kitwire.{kitwire._NAMES[name]}")
    assert getattr(kitwire, name) is getattr(module, name)
    assert name in module.__all__
    # The second time it is there without looking.
    assert vars(kitwire)[name] is getattr(module, name)


@pytest.mark.parametrize("module", ["commands", "config", "errors", "events", "trace"])
def test_the_whole_vocabulary_is_public(module: str) -> None:
    words = set(import_module(f"kitwire.{module}").__all__) - INTERNAL.get(module, set())
    assert words <= set(kitwire.__all__)


def test_the_messages_are_there_under_one_name() -> None:
    assert kitwire.messages is import_module("kitwire.messages")
    assert kitwire.Room.__module__ == "kitwire.room"
    assert kitwire.messages.Room.__module__ == "kitwire.messages"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'kitwire' has no attribute 'Clinet'"):
        _ = kitwire.Clinet  # type: ignore[attr-defined]  # the point


PRINT = "print(*sorted(set(sys.modules) - before))"


def modules_after(program: str) -> set[str]:
    """The modules that a program of its own has loaded beyond those of a bare interpreter."""
    run = subprocess.run(
        [
            *(sys.executable, "-I", "-W", "error", "-c"),
            f"import sys; before = set(sys.modules); {program}; {PRINT}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


def test_importing_kitwire_loads_next_to_nothing() -> None:
    loaded = modules_after("import kitwire; dir(kitwire)")
    assert {name for name in loaded if name.startswith("kitwire")} == {
        "kitwire",
        "kitwire._version",
    }
    heavy = {"betterproto2", "websockets", "h11", "json", "dataclasses", "asyncio", "socket"}
    assert not loaded & heavy


def test_errors_load_without_the_messages() -> None:
    assert "kitwire.messages" not in modules_after("import kitwire; kitwire.ConnectFailed")


def test_a_client_that_was_made_has_loaded_all_that_it_needs() -> None:
    """Nothing is left for the first frame: an import then would cost where it is felt."""
    made = modules_after(
        "import kitwire;"
        "config = kitwire.ClientConfig(url='ws://h', token='t');"
        "client = kitwire.Client(config)"
    )
    used = modules_after(
        "import kitwire;"
        "config = kitwire.ClientConfig(url='ws://h', token='t');"
        "client = kitwire.Client(config);"
        "client.connect(now=0.0);"
        "link = client.poll().link;"
        "client.dialed(link, now=0.0);"
        "client.receive(link, b'HTTP/1.1 404 x\\r\\nContent-Length: 0\\r\\n\\r\\n', now=0.0);"
        "client.handle_timeout(now=100.0);"
        "[repr(output) for output in iter(client.poll, None)]"
    )
    assert {"betterproto2", "websockets.client", "h11", "kitwire.messages"} <= made
    late = used - made
    # permessage-deflate and masks are websockets' own affair.
    assert {name for name in late if name.startswith("kitwire")} == set()
    assert late == set()
