"""Foreign text on a terminal."""

from __future__ import annotations

import unicodedata

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwire.codec.redaction import MASK
from kitwire_cli.terminal import LONGEST, Secrets, one_line, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("grüße 😀", "grüße 😀"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("\x00", r"\x00"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("[bold]not markup[/]", "[bold]not markup[/]"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert quoted(text) == f'"{shown}"'


@given(st.text())
def test_no_text_breaks_the_line(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(each) == "Cc" for each in shown)


def test_long_text_is_cut() -> None:
    assert one_line("x" * LONGEST) == "x" * LONGEST
    assert one_line("x" * (LONGEST + 1)) == "x" * (LONGEST - 1) + "…"
    assert one_line("abcdef", longest=4) == "abc…"


def test_tokens_are_masked_and_our_own_even_if_they_are_none() -> None:
    token = jwt.encode({"sub": "x"}, "k" * 32)
    secrets = Secrets("not-a-jwt", "short", "not-a-jwt-but-longer")
    assert secrets.masked(f"invalid token: {token}, error") == f"invalid token: {MASK}, error"
    assert secrets.masked("was not-a-jwt-but-longer") == f"was {MASK}"
    assert secrets.masked("was not-a-jwt") == f"was {MASK}"
    assert secrets.masked("a short word") == "a short word"
