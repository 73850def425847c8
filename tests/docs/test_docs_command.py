"""The page about the command knows every option, and no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.docs.snippets import PROJECT

PAGE = (PROJECT / "docs" / "cli.md").read_text()
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def options(text: str) -> set[str]:
    """Long options in a text, positive ones only."""
    return {option for option in OPTION.findall(text) if not option.startswith("--no-")}


@pytest.mark.parametrize("command", ["join", "publish", "record", "token"])
def test_every_option_is_described_and_every_described_option_exists(command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "kitwire_cli", command, "--help"],
        env={**os.environ, "COLUMNS": "250"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (section,) = re.findall(rf"(?s)## `kitwire {command}`\n(.+?)\n## ", PAGE)
    (table,) = re.findall(r"(?s)\n\| Option.+?\n(?:\n|\Z)", section)
    assert options(table) == options(shown)
    assert options(section) == options(shown)


def test_the_names_of_the_variables_are_those_of_the_code() -> None:
    from kitwire_cli import credentials

    variables = {credentials.URL, credentials.TOKEN, credentials.API_KEY, credentials.API_SECRET}
    assert set(re.findall(r"LIVEKIT_\w+", PAGE)) == variables
