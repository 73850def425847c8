"""Turns inputs and outputs into redacted trace records; costs nothing without a callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from ..codec import decode_request, decode_response, redact_text, to_plain, which_variant
from ..commands import SendMessage, SessionCommand
from ..errors import MalformedFrame
from ..events import Event
from ..messages import SignalRequest, SignalResponse
from ..trace import TraceRecord

__all__ = ["Tracer"]


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
        plain = {key: _plain(key, value) for key, value in arguments.items()}
        self._callback(TraceRecord(at=at, direction="in", name=name, fields=plain))

    def output(self, at: float, output: SessionCommand | Event) -> None:
        """Record a command or an event."""
        if self._callback is None:
            return
        name = type(output).__name__
        if isinstance(output, SendMessage):
            plain: dict[str, object] = {
                "link": output.link,
                "message": _message(decode_request(output.data)),
            }
        else:
            plain = {
                field.name: _plain(field.name, getattr(output, field.name))
                if field.repr
                else "<redacted>"
                for field in fields(output)
            }
        self._callback(TraceRecord(at=at, direction="out", name=name, fields=plain))


def _plain(name: str, value: object) -> object:
    if name == "message" and isinstance(value, bytes | str):
        try:
            return _message(decode_response(value))
        except MalformedFrame as error:
            return {"malformed": str(error), "size": len(value)}
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return to_plain(value)


def _message(message: SignalRequest | SignalResponse) -> object:
    member = which_variant(message)
    return None if member is None else {member[0]: to_plain(message)}
