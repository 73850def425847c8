"""Plain data back to the values that it was made of, by their annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum, IntEnum
from types import UnionType
from typing import Final, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from ..codec import Message, message_from_json
from ..codec.schema import enum_numbers
from ..trace import TraceRecord, to_json_line

__all__ = ["hints_of", "typed"]

T = TypeVar("T")

_SPELLED: Final = frozenset({"NaN", "Infinity", "-Infinity"})
"""The floats for which JSON has no number."""


def hints_of(annotated: object) -> dict[str, object]:
    """The annotations of a function or a class, evaluated."""
    return get_type_hints(annotated, localns={"TraceRecord": TraceRecord})


def typed(kind: object, plain: object) -> object:
    """The value of an annotated type that ``plain`` is the plain data of.

    Takes what :class:`~kitwire.config.ClientConfig` and the inputs of a session are annotated with:
    messages, dataclasses, enums, scalars, and tuples, sequences, mappings and unions of these.

    Raises:
        ValueError: when it is that of no such value.
    """
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Union or origin is UnionType:
        return _one_of(arguments, plain)
    if origin is tuple or origin is Sequence:
        return tuple(typed(arguments[0], each) for each in _expected(list, plain))
    if origin is Mapping:
        entries = _expected(dict, plain).items()
        return {typed(arguments[0], name): typed(arguments[1], each) for name, each in entries}
    assert isinstance(kind, type), f"{kind} is no annotation of an input or a setting"
    return _single(kind, plain)


def _single(kind: type, plain: object) -> object:
    if issubclass(kind, Message):
        return message_from_json(kind, to_json_line(_expected(dict, plain)))
    if issubclass(kind, Enum):
        return _member(kind, plain)
    if is_dataclass(kind):
        return _instance(kind, _expected(dict, plain))
    if kind is bytes:
        return _expected(str, plain).encode()
    if kind is float and (type(plain) is int or (type(plain) is str and plain in _SPELLED)):
        return float(plain)
    return _expected(kind, plain)


def _one_of(kinds: tuple[object, ...], plain: object) -> object:
    problems = []
    for kind in kinds:
        try:
            return typed(kind, plain)
        except ValueError as error:
            problems.append(str(error))
    # The first kind is what is meant, where the others are ways to say nothing.
    raise ValueError(problems[0])


def _member(kind: type[Enum], plain: object) -> Enum:
    if issubclass(kind, IntEnum) and isinstance(plain, str):
        plain = enum_numbers(kind).get(plain, plain)
    return kind(plain)


def _instance(kind: type, plain: dict[str, object]) -> object:
    if unknown := plain.keys() - {field.name for field in fields(kind)}:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    hints = hints_of(kind)
    values = {name: typed(hints[name], value) for name, value in plain.items()}
    try:
        instance: object = kind(**values)
    except TypeError:
        raise ValueError(f"something of {kind.__name__} is missing") from None
    return instance


def _expected(kind: type[T], plain: object) -> T:
    if type(plain) is not kind:
        raise ValueError(f"{kind.__name__} expected, not {type(plain).__name__}")
    return plain
