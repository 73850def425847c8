"""Turns inputs and outputs into redacted trace records; costs nothing without a callback.

A record must tell a replay all that the session decides on, and nobody any secret. So the secrets
that it compares have names (:class:`.Pseudonyms`), and what stands for a secret is
valid where it stands: a session that is given it decides as it did on the secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Final

from ..codec import (
    MASK,
    Message,
    decode_request,
    decode_response,
    redact_text,
    to_plain,
    unknown_fields,
)
from ..codec.redaction import Pseudonyms
from ..codec.schema import Field, shape_of
from ..commands import SendMessage, SessionCommand
from ..config import is_sendable
from ..errors import MalformedFrame
from ..events import Event
from ..trace import TraceRecord
from .regions import LONGEST_ANSWER

__all__ = ["DRAWN", "UNKNOWN_FIELDS", "Tracer"]

DRAWN: Final = "jitter"
"""The record of a number that the session drew; its one field is ``number``."""

UNKNOWN_FIELDS: Final = "unknown_fields"
"""Beside the members of a message that came: the numbers of those that this version lacks."""

_LONGEST_BODY: Final = LONGEST_ANSWER
"""In bytes; a session reads no more of a body."""

_HIDDEN_BYTES: Final = "PHJlZGFjdGVkPg=="
"""The mask in base64, for secret bytes."""

_Plain = dict[str, object]


class Tracer:
    """Hands records to a callback, if there is one.

    Args:
        callback: called with every record; None for no trace.

    Attributes:
        on: whether there is one; what is done for every frame asks before it makes a record.
    """

    def __init__(self, callback: Callable[[TraceRecord], None] | None) -> None:
        self.on = callback is not None
        self._callback = callback
        self._pseudonyms = Pseudonyms()

    def input(self, at: float, name: str, arguments: dict[str, object]) -> None:
        """Record a method call."""
        if self._callback is None:
            return
        plain = {
            key: self._received(value) if key == "message" else self._plain(value)
            for key, value in arguments.items()
        }
        self._callback(TraceRecord(at=at, direction="in", name=name, fields=plain))

    def drawn(self, at: float, number: float) -> float:
        """Record a random number that the session drew, and give it back."""
        if self._callback is not None:
            fields = {"number": number}
            self._callback(TraceRecord(at=at, direction="in", name=DRAWN, fields=fields))
        return number

    def output(self, at: float, output: SessionCommand | Event) -> None:
        """Record a command or an event."""
        if self._callback is None:
            return
        name = type(output).__name__
        if isinstance(output, SendMessage):
            plain: _Plain = {
                "link": output.link,
                "message": self._message(decode_request(output.data)),
            }
        else:
            plain = self._fields(output)
        self._callback(TraceRecord(at=at, direction="out", name=name, fields=plain))

    def _received(self, frame: object) -> object:
        """A frame of the server's as the message that it is, if it is one."""
        assert isinstance(frame, bytes | str)
        try:
            message = decode_response(frame)
        except MalformedFrame as error:
            return {"malformed": redact_text(str(error)), "size": len(frame)}
        plain = self._message(message)
        if unknown := unknown_fields(message):
            plain[UNKNOWN_FIELDS] = list(unknown)
        return plain

    def _fields(self, value: object) -> _Plain:
        assert is_dataclass(value), "commands, events, and what is in them that is no message"
        return {
            field.name: self._plain(getattr(value, field.name)) if field.repr else MASK
            for field in fields(value)
        }

    def _plain(self, value: object) -> object:
        match value:
            case str():
                return self._pseudonyms.redact_text(value)
            case bytes():
                return self._body(value)
            case Message():
                return self._message(value)
            case tuple():
                return [self._plain(each) for each in value]
            case _ if is_dataclass(value):
                return self._fields(value)
            case _:
                return to_plain(value)

    def _body(self, body: bytes) -> str:
        """What came with an HTTP answer, without characters that could tear a secret apart."""
        text = body[:_LONGEST_BODY].decode("utf-8", "replace")
        printable = ("".join(filter(str.isprintable, line)) for line in text.splitlines())
        return self._pseudonyms.redact_text("\n".join(printable))

    # --- messages ---

    def _message(self, message: Message) -> _Plain:
        plain = to_plain(message)
        assert isinstance(plain, dict), "only times are no objects, and they are no variants"
        self._name_secrets(message, plain)
        return plain

    def _name_secrets(self, message: Message, plain: object) -> None:
        """Replace in a message's plain data the masks of secrets by what can be fed again."""
        if not isinstance(plain, dict):
            return  # A time, which is a text.
        for field in shape_of(type(message)).fields:
            value = getattr(message, field.name)
            if field.secret and value:
                plain[field.proto_name] = self._secret(field, value)
            elif field.message is not None:
                self._name_secrets_in(value, plain.get(field.proto_name))

    def _name_secrets_in(self, value: object, plain: object) -> None:
        match value, plain:
            case Message(), _:
                self._name_secrets(value, plain)
            case list() | tuple(), list():
                for each, plain_each in zip(value, plain, strict=True):
                    self._name_secrets_in(each, plain_each)
            case _:
                pass

    def _secret(self, field: Field, value: object) -> str:
        if not isinstance(value, str):
            return _HIDDEN_BYTES
        if field.name in _DESCRIPTIONS:
            return self._pseudonyms.redact_text(value)
        name = self._pseudonyms.of(value)
        # What cannot travel in a header is no token to use.
        return name if is_sendable(value) else name.replace("-", " ")


_DESCRIPTIONS: Final = frozenset({"sdp", "candidate_init"})
"""Secret only in part, as in :func:`~kitwire.codec.to_plain`."""
