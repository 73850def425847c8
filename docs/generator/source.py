"""Reads what a module says of itself: classes, their fields and values, with docstrings.

From the syntax, because only there do fields have docstrings and an order among comments.
"""

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

__all__ = ["ClassFacts", "Member", "classes_of", "module_path", "unions_of"]

_SECTION = re.compile(r"# --- (?P<title>.+?)(?: -+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A field of a dataclass, a value of an enum, or a name of a module."""

    name: str
    annotation: str
    """As it is written; empty where there is none."""
    doc: str
    is_class_variable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFacts:
    """A class as its module writes it."""

    name: str
    section: str
    """The title of the comment `# --- title ---` above it; empty where there is none."""
    doc: str
    members: tuple[Member, ...]


def module_path(module: ModuleType) -> Path:
    """The file that a module was loaded from."""
    path = inspect.getsourcefile(module)
    if path is None:
        raise FileNotFoundError(f"{module.__name__} has no source file")
    return Path(path)


def classes_of(module: ModuleType) -> tuple[ClassFacts, ...]:
    """The module's own public classes, in order."""
    text = module_path(module).read_text(encoding="utf-8")
    titles = _sections(text)
    return tuple(
        ClassFacts(
            name=node.name,
            section=_section_at(titles, node.lineno),
            doc=ast.get_docstring(node) or "",
            members=_members(node.body),
        )
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )


def unions_of(module: ModuleType) -> tuple[Member, ...]:
    """The module's own named types (`Name = A | B`), with what they are as the annotation."""
    body = ast.parse(module_path(module).read_text(encoding="utf-8")).body
    documented = _members(body)
    values = {
        node.targets[0].id: ast.unparse(node.value)
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return tuple(
        Member(name=each.name, annotation=values[each.name], doc=each.doc)
        for each in documented
        if each.doc and each.name in values
    )


def _members(body: list[ast.stmt]) -> tuple[Member, ...]:
    members = []
    for position, node in enumerate(body):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=written):
                annotation = ast.unparse(written)
            case ast.Assign(targets=[ast.Name(id=name)]):
                annotation = ""
            case _:
                continue
        if name.startswith("_"):
            continue
        members.append(
            Member(
                name=name,
                annotation=annotation,
                doc=_docstring_after(body, position),
                is_class_variable=annotation.startswith("ClassVar"),
            )
        )
    return tuple(members)


def _docstring_after(body: list[ast.stmt], position: int) -> str:
    match body[position + 1 : position + 2]:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return inspect.cleandoc(text)
        case _:
            return ""


def _sections(text: str) -> list[tuple[int, str]]:
    found = ((line, _SECTION.match(content)) for line, content in enumerate(text.splitlines(), 1))
    return [(line, match["title"]) for line, match in found if match]


def _section_at(titles: list[tuple[int, str]], line: int) -> str:
    return next((title for start, title in reversed(titles) if start < line), "")
