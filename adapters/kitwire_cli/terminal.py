"""Text from elsewhere, made fit for a terminal: no control characters, no secrets, not endless."""

from __future__ import annotations

import unicodedata
from typing import Final

from kitwire.codec.redaction import MASK, redact_jwt

__all__ = ["LONGEST", "Secrets", "one_line", "quoted"]

LONGEST: Final = 200
"""How many characters of a foreign text are shown."""

_SHORTEST_SECRET: Final = 8
"""Replacing anything shorter would garble text rather than protect anybody."""

# Controls, formatting (among it the marks that reverse the direction of text), surrogates, and the
# separators of lines and paragraphs. What joins emoji is harmless and common.
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_HARMLESS: Final = frozenset({"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"})


def one_line(text: str, *, longest: int = LONGEST) -> str:
    """The text on one line, with escapes for what a terminal would obey, cut at ``longest``."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return "".join(_escaped(character) for character in text)


def quoted(text: str) -> str:
    """The same between double quotes."""
    return f'"{one_line(text)}"'


def _escaped(character: str) -> str:
    if character in _HARMLESS or unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")


class Secrets:
    """What must not be printed: everything shaped like a token, and the secrets of this run."""

    def __init__(self, *known: str) -> None:
        self._known = sorted(
            {secret for secret in known if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True
        )

    def masked(self, text: str) -> str:
        """The text without them."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return redact_jwt(text)
