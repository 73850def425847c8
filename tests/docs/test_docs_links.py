"""Links lead somewhere, commands exist, and the two commands of the README are those of the CI."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import PAGES, PROJECT, blocks, shell_lines

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"`[^`\n]*`")
MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"(?m)^([a-z][a-z-]*):(?!=)", MAKEFILE))


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    lines, fenced = [], False
    for line in page.read_text().splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            lines.append(line)
    return "\n".join(lines)


def anchors(page: Path) -> set[str]:
    """What links may point at, as GitHub names headings."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"(?m)^#+ (.+)$", prose(page)):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        names.add(name if count == 0 else f"{name}-{count}")
    return names


def links(page: Path) -> list[str]:
    # Code in a link's text is fine; a bracket and a parenthesis in code are no link.
    text = CODE.sub(lambda match: match[0].translate({91: 40, 93: 41}), prose(page))
    return [match["target"] for match in LINK.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        pointed = (page.parent / name).resolve() if name else page
        assert pointed.exists(), target
        assert pointed.is_relative_to(PROJECT), target
        if anchor:
            assert anchor in anchors(pointed), target


def test_every_page_is_on_the_map() -> None:
    index = PROJECT / "docs" / "index.md"
    mapped = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    decisions = PROJECT / "docs" / "decisions" / "README.md"
    mapped |= {
        (decisions.parent / target.partition("#")[0]).resolve() for target in links(decisions)
    }
    in_docs = {page for page in PAGES if page.is_relative_to(index.parent)}
    assert in_docs - mapped - {index} == set()


def test_every_make_command_is_a_target() -> None:
    seen = set()
    for page in PAGES:
        in_prose = re.findall(r"`make ([a-z-]+)", prose(page))
        in_blocks = [
            word
            for _, command in shell_lines(page)
            if command.startswith("make ") or " make " in f" {command}"
            for word in command.partition("make ")[2].split()
            if re.fullmatch(r"[a-z-]+", word)
        ]
        seen |= set(in_prose) | set(in_blocks)
    assert seen - TARGETS == set()
    assert {"demo", "test"} <= seen


def test_the_two_commands_are_those_of_the_ci() -> None:
    (section,) = re.findall(
        r"(?s)## Running the project\n(.+?)\n## ", (PROJECT / "README.md").read_text()
    )
    fenced = re.findall(r"(?s)```sh\n(.+?)```", section)
    assert fenced == ["make demo\nmake test\n"]
    steps = re.findall(r"(?m)^step (make \S+)", (PROJECT / ".ci" / "run").read_text())
    assert {"make demo", "make test"} <= set(steps)


def test_the_extras_of_the_readme_exist() -> None:
    declared = (PROJECT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")
    known = set(re.findall(r"(?m)^(\w+) = \[", declared[2].partition("\n[project.scripts]")[0]))
    used = {
        extra
        for page in PAGES
        for names in re.findall(r"pip install '(?:\.|kitwire)\[([\w,]+)\]'", page.read_text())
        for extra in names.split(",")
    }
    assert used
    assert used <= known


def test_no_block_is_left_open() -> None:
    for page in PAGES:
        list(blocks(page))


def test_anchors_are_named_as_on_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b_c`: d × e\n## A\n## A\n```sh\n# not a heading\n```\n")
    assert anchors(page) == {"a-b_c-d--e", "a", "a-1"}


def test_links_are_found_outside_code_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[`a[0]`](x.md) `d[1](y.md)` ![i](i.png)\n```text\n[n](n.md)\n```\n")
    assert links(page) == ["x.md"]
