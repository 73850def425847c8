"""What atheris found worth keeping, again, without atheris."""

from __future__ import annotations

from pathlib import Path

from .corpus import kept, unpack
from .under_atheris import check


def test_every_input_that_was_kept_is_treated_as_it_should_be() -> None:
    inputs = kept()
    assert len(inputs) > 500
    for data in inputs:
        check(data)


def test_what_is_unpacked_is_what_was_kept(tmp_path: Path) -> None:
    unpack(tmp_path, kept())
    assert {path.read_bytes() for path in tmp_path.iterdir()} == set(kept())
