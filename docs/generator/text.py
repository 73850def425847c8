"""Docstrings as Markdown, and tables."""

import inspect
import re
from collections.abc import Callable, Iterable, Sequence

__all__ = ["Links", "cell", "header", "markdown", "paragraphs", "table"]

Links = Callable[[str], str | None]
"""From the name of a class to where it is described, or None."""

_ROLE = re.compile(r":(?:class|exc|data|meth|func|mod|attr):`~?(?P<target>[^`]+)`")
_LITERAL = re.compile(r"``(?P<text>[^`]+)``")


def header(source: str) -> str:
    """The comment at the top of a generated page."""
    return f"<!-- Generated from {source} by `python docs/generate.py`; not edited by hand. -->\n\n"


def markdown(doc: str, links: Links) -> str:
    """A docstring's markup as Markdown: literals as code, references as links where there are."""

    def reference(match: re.Match[str]) -> str:
        name = match["target"].rpartition(".")[2]
        target = links(name)
        return f"[`{name}`]({target})" if target else f"`{name}`"

    return _LITERAL.sub(r"`\g<text>`", _ROLE.sub(reference, doc))


def paragraphs(doc: str, links: Links) -> str:
    """A docstring as paragraphs; its list of `Attributes:` or `Raises:` becomes a list."""
    blocks = []
    for block in inspect.cleandoc(doc).split("\n\n"):
        first, *rest = block.split("\n")
        if first in ("Attributes:", "Raises:", "Args:"):
            items = "\n".join(inspect.cleandoc("\n" + "\n".join(rest)).splitlines())
            items = re.sub(r"\n +", " ", items)
            items = re.sub(r"(?m)^(\w+): ", r"- `\1`: ", items)
            blocks.append(f"{first}\n\n{items}")
        else:
            blocks.append(" ".join(line.strip() for line in block.split("\n")))
    return markdown("\n\n".join(blocks), links)


def cell(text: str) -> str:
    """A text that fits the cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *([cell(each) for each in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
