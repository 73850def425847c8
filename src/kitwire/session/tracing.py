"""Turns inputs and outputs into redacted trace records; costs nothing without a callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from ..codec import decode_request, decode_response, redact_text, to_plain
from ..commands import DataChannel, SendMessage, SessionCommand
from ..errors import CloseReason, MalformedFrame, RequestFailure
from ..events import Event, RequestKey
from ..trace import TraceRecord

__all__ = ["Tracer"]

_Plain = dict[str, object]


class Tracer:
    """Hands records to a callback, if there is one.

    Args:
        callback: called with every record; None for no trace.
    """

    def __init__(self, callback: Callable[[TraceRecord], None] | None) -> None:
        self._callback = callback

    def input(self, at: float, name: str, arguments: dict[str, object]) -> None:
        """Record a method call."""
        if self._callback is None:
            return
        plain = {
            key: _received(value) if key == "message" else _plain(value)
            for key, value in arguments.items()
        }
        self._callback(TraceRecord(at=at, direction="in", name=name, fields=plain))

    def output(self, at: float, output: SessionCommand | Event) -> None:
        """Record a command or an event."""
        if self._callback is None:
            return
        name = type(output).__name__
        if isinstance(output, SendMessage):
            plain: _Plain = {
                "link": output.link,
                "message": to_plain(decode_request(output.data)),
            }
        else:
            plain = _fields(output)
        self._callback(TraceRecord(at=at, direction="out", name=name, fields=plain))


def _received(frame: object) -> object:
    """A frame of the server's as the message that it is, if it is one."""
    assert isinstance(frame, bytes | str)
    try:
        return to_plain(decode_response(frame))
    except MalformedFrame as error:
        return {"malformed": redact_text(str(error)), "size": len(frame)}


_Record = SessionCommand | Event | CloseReason | RequestFailure | RequestKey | DataChannel


def _fields(value: _Record) -> _Plain:
    return {
        field.name: _plain(getattr(value, field.name)) if field.repr else "<redacted>"
        for field in fields(value)
    }


def _plain(value: object) -> object:
    match value:
        case str():
            return redact_text(value)
        case bytes():
            return f"<{len(value)} bytes>"
        case CloseReason() | RequestFailure() | RequestKey() | DataChannel():
            return _fields(value)
        case tuple():
            return [_plain(each) for each in value]
        case _:
            return to_plain(value)
