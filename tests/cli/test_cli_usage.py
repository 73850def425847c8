"""What is wrong with a command line, without what was typed."""

from __future__ import annotations

from typing import Literal

import pytest
from cyclopts import App, ArgumentCollection, CycloptsError, Token, UnknownOptionError

from kitwire_cli.usage import spread_attributes, usage_sentence


@pytest.mark.parametrize(
    ("given", "spread"),
    [
        ("join u", "join u"),
        ("--attribute a=1", "--attribute a=1"),
        ("--attribute a=1 b=2 c=", "--attribute a=1 --attribute b=2 --attribute c="),
        ("--attribute=a=1 b=2", "--attribute=a=1 --attribute b=2"),
        ("--attribute a=1 ws://h/?x=1", "--attribute a=1 ws://h/?x=1"),
        ("--attribute a=1 --metadata b=2", "--attribute a=1 --metadata b=2"),
        ("--attribute a=1 u b=2", "--attribute a=1 u b=2"),
        ("--attribute odd b=2", "--attribute odd --attribute b=2"),
        ("--attribute", "--attribute"),
        ("x=1 y=2", "x=1 y=2"),
    ],
)
def test_attributes_may_follow_one_another(given: str, spread: str) -> None:
    assert spread_attributes(given.split()) == spread.split()


def complaint(*arguments: str) -> str:
    app = App(name="it", result_action="return_value")

    @app.command
    def go(  # the parser finds it by its registration
        where: str,
        *,
        token: str = "",
        loop: Literal["asyncio", "trio", "bare"] = "asyncio",
        many: int | None = None,
    ) -> None: ...

    with pytest.raises(CycloptsError) as error:
        app(arguments, exit_on_error=False, print_error=False)
    return usage_sentence(error.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["go", "x", "--tokn", "hush"], "there is no option --tokn; did you mean --token?"),
        (["go", "x", "--tokn=hush"], "there is no option --tokn; did you mean --token?"),
        (["go", "x", "--something-else"], "there is no option --something-else"),
        (["go", "x", "hush"], "there are more arguments than expected; quote values that contain"),
        (["hush"], "there is no such command; kitwire knows join, publish, record, replay and"),
        (
            ["go", "x", "--token"],
            "--token needs a value; one that begins with - is given as --token=VALUE",
        ),
        (["go", "x", "--token", "hush", "--token", "hush"], "--token is given twice; give it once"),
        (["go"], "--where needs a value"),
        (["go", "x", "--loop", "hush"], "--loop must be asyncio, trio or bare"),
        (["go", "x", "--many", "hush"], "--many must be of another kind"),
    ],
)
def test_sentences(arguments: list[str], sentence: str) -> None:
    said = complaint(*arguments)
    assert said.startswith(sentence)
    assert "hush" not in said


def test_anything_else_is_a_sentence_too() -> None:
    assert usage_sentence(CycloptsError(msg="hush")) == "the command line cannot be understood"


def test_an_unknown_option_that_looks_like_a_value_is_not_shown() -> None:
    none = ArgumentCollection()  # type: ignore[no-untyped-call] # cyclopts leaves it untyped
    error = UnknownOptionError(token=Token(value="hush"), argument_collection=none)
    assert usage_sentence(error).startswith("there are more arguments than expected")
