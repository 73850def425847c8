"""The lines of a transcript: what each says, written and read.

The first is the header: the version of this format, of kitwire, and the config. Each of the others
is one :class:`~kitwire.trace.TraceRecord`, in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final, NoReturn

from .._version import __version__
from ..codec import MASK, Message, to_plain
from ..codec.redaction import Pseudonyms
from ..config import ClientConfig
from ..errors import KitwireError
from ..link.url import split_url
from ..trace import TraceRecord, from_json_line, to_json_line
from .values import typed

__all__ = ["Transcript", "TranscriptError", "read", "transcript_header", "transcript_line"]

VERSION: Final = 1
"""Of this format. It rises when a transcript of before can no longer be read."""

_MARK: Final = "kitwire_transcript"

# Messages show them as well: a session that is told something else says something else.
_AS_SENT: Final = frozenset({"metadata", "attributes"})


class TranscriptError(KitwireError, ValueError):
    """A text is no transcript, or not one that this version can replay.

    Attributes:
        line: where, counted from 1.
        problem: what is wrong there.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What a transcript says."""

    config: ClientConfig
    records: tuple[TraceRecord, ...]
    """Those of the second line and what follows it."""


# --- writing ---


def transcript_header(config: ClientConfig) -> str:
    """The first line of a transcript, without its line feed: ASCII.

    The config is told without its secrets: no token, of the URL's query only the names. Metadata
    and attributes are told as they are, as in the messages that carry them.

    Raises:
        ValueError: for a URL that cannot be connected to.
    """
    return to_json_line({_MARK: VERSION, "kitwire": __version__, "config": _settings(config)})


def transcript_line(record: TraceRecord) -> str:
    """A record as a line of a transcript, without its line feed: ASCII."""
    return to_json_line(
        {
            "at": record.at,
            "direction": record.direction,
            "name": record.name,
            "fields": dict(record.fields),
        }
    )


def _settings(config: ClientConfig) -> dict[str, object]:
    # Of a word of their own: those of the records are numbered without knowing of these.
    pseudonyms = Pseudonyms("config")
    plain: dict[str, object] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        match field.name:
            case "trace":
                continue
            case "url":
                plain["url"] = _without_values(config.url)
            case "token":
                plain["token"] = MASK
            case name if isinstance(value, str) and not (field.repr or name in _AS_SENT):
                plain[name] = pseudonyms.redact_text(value)
            case name:
                plain[name] = _plain(value)
    return plain


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, Message):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return to_plain(value)


def _without_values(url: str) -> str:
    """The URL with the names of its query only: its values may be anything, a token among it."""
    parts = split_url(url)
    names = (pair.partition("=")[0] for pair in parts.query.split("&") if pair)
    query = "&".join(f"{name}={MASK}" for name in names)
    return replace(parts, query=query).text(scheme="ws")


# --- reading ---


def read(lines: Iterable[str]) -> Transcript:
    """What the lines of a transcript say, with or without their line feeds.

    Raises:
        TranscriptError: when they are none.
    """
    config: ClientConfig | None = None
    records: list[TraceRecord] = []
    for number, line in enumerate(lines, start=1):
        plain = _object(number, line)
        if config is None:
            config = _config(plain)
        else:
            records.append(_record(number, plain))
    if config is None:
        raise TranscriptError(1, "there is nothing: this is no transcript")
    return Transcript(config=config, records=tuple(records))


def _object(number: int, line: str) -> dict[str, object]:
    try:
        plain = from_json_line(line)
    except ValueError:
        _refuse(number, "not JSON, or cut off")
    if not isinstance(plain, dict):
        _refuse(number, "not a JSON object")
    return plain


def _config(plain: dict[str, object]) -> ClientConfig:
    version = plain.get(_MARK)
    if type(version) is not int:
        _refuse(1, "not the header of a transcript")
    if version != VERSION:
        _refuse(1, f"a transcript of version {version}; this kitwire reads version {VERSION}")
    try:
        config = typed(ClientConfig, plain.get("config"))
    except ValueError as error:
        _refuse(1, f"a config that this kitwire does not know ({error})")
    assert isinstance(config, ClientConfig), "it was asked for"
    return config


def _record(number: int, plain: dict[str, object]) -> TraceRecord:
    match plain:
        case {
            "at": float() | int() as at,
            "direction": "in" | "out" as direction,
            "name": str() as name,
            "fields": dict() as values,
        }:
            return TraceRecord(at=at, direction=direction, name=name, fields=values)
        case _:
            _refuse(number, "not the record of an input or an output")


def _refuse(number: int, problem: str) -> NoReturn:
    raise TranscriptError(number, problem) from None
