"""What is wrong with a command line, in one sentence that never shows a value.

The parser's own messages repeat what was typed, which may be a token or a secret in a wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final, Literal, get_args, get_origin

from cyclopts import (
    Argument,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from .terminal import one_line

__all__ = ["spread_attributes", "usage_sentence"]

_ATTRIBUTE: Final = "--attribute"

# A key without the characters that every URL has before its first `=`.
_PAIR: Final = re.compile(r"[^-=:/][^=:/]*=.*", re.DOTALL)


def spread_attributes(arguments: Sequence[str]) -> list[str]:
    """``--attribute a=1 b=2`` as ``--attribute a=1 --attribute b=2``."""
    spread: list[str] = []
    previous, after_pair = "", False
    for argument in arguments:
        if previous == _ATTRIBUTE:
            after_pair = True
        elif after_pair and _PAIR.fullmatch(argument):
            spread.append(_ATTRIBUTE)
        else:
            after_pair = argument.startswith(f"{_ATTRIBUTE}=")
        spread.append(argument)
        previous = argument
    return spread


def usage_sentence(error: CycloptsError) -> str:
    """The parser's error as a sentence of ours."""
    match error:
        case UnknownOptionError(token=token, argument_collection=arguments):
            known = [name for argument in arguments for name in argument.names]
            return _unknown_option(token.keyword or token.value, known)
        case UnknownCommandError():
            return "there is no such command; kitwire knows join, publish, record, replay and token"
        case UnusedCliTokensError():
            return "there are more arguments than expected; quote values that contain spaces"
        case RepeatArgumentError(token=token):
            return f"{_option(token.keyword or '')} is given twice; give it once"
        case MissingArgumentError(keyword=str(keyword)) if keyword:
            option = _option(keyword)
            return f"{option} needs a value; one that begins with - is given as {option}=VALUE"
        case MissingArgumentError(argument=Argument() as argument):
            return f"{_option(argument.name)} needs a value"
        case CoercionError(argument=Argument() as argument):
            return f"{argument.name} must be {_expected(argument)}"
        case _:
            return "the command line cannot be understood"


def _unknown_option(typed: str, known: Sequence[str]) -> str:
    option = _option(typed)
    if not option.startswith("-"):
        return "there are more arguments than expected; quote values that contain spaces"
    close = get_close_matches(option, known, n=1)
    return f"there is no option {option}" + (f"; did you mean {close[0]}?" if close else "")


def _option(typed: str) -> str:
    """An option as typed, without a value that was given by ``=``."""
    return one_line(typed.partition("=")[0], longest=40)


def _expected(argument: Argument) -> str:
    choices = _choices(argument.hint)
    if not choices:
        return "of another kind"
    *others, last = choices
    return f"{', '.join(others)} or {last}"


def _choices(hint: object) -> tuple[str, ...]:
    """The values of the first ``Literal`` in a type, however deep."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((found for each in get_args(hint) if (found := _choices(each))), ())
