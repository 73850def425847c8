"""A recorded input as a call that gives it to a session again.

No list of inputs: what an input takes is what its method is annotated with. Two things are recorded
otherwise than they are given. Of a request, its message is; its arguments are the fields of that.
Of a frame, the message in it is; it is encoded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType
from typing import Final

from ..codec import Message, encode_response, message_from_json, which_variant
from ..codec.schema import shape_of
from ..codec.wire import varint
from ..messages import SignalRequest, SignalResponse
from ..session.session import Session
from ..session.tracing import UNKNOWN_FIELDS
from ..trace import TraceRecord, to_json_line
from .values import hints_of, typed

__all__ = ["prepared"]

_NOT_GIVEN: Final = object()


def prepared(session: Session, record: TraceRecord) -> Callable[[], object]:
    """The call by which a session is given a recorded input.

    Raises:
        ValueError: for an input that this version does not have, or not with such arguments.
    """
    method = getattr(type(session), record.name, None)
    hints = hints_of(method) if isinstance(method, FunctionType) else {}
    if not isinstance(method, FunctionType) or record.name.startswith("_") or "now" not in hints:
        raise ValueError(f"there is no {record.name}")
    kinds = {name: kind for name, kind in hints.items() if name not in ("now", "return")}
    arguments = _arguments(kinds, dict(record.fields))
    if missing := _required(method) & (kinds.keys() - arguments.keys()):
        raise ValueError(f"{record.name} needs {', '.join(sorted(missing))}")
    return partial(method, session, **arguments, now=record.at)


def _required(method: FunctionType) -> set[str]:
    """The names of the parameters without a default."""
    code = method.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    positional = names[: code.co_argcount]
    optional = set(positional[len(positional) - len(method.__defaults__ or ()) :])
    return set(names) - optional - (method.__kwdefaults__ or {}).keys()


def _arguments(kinds: Mapping[str, object], plain: dict[str, object]) -> dict[str, object]:
    request = plain.pop("request", _NOT_GIVEN)
    if request is not _NOT_GIVEN:
        return _of_request(kinds, request)
    arguments: dict[str, object] = {}
    if "message" in plain:
        arguments["data"] = _frame(plain.pop("message"))
    if unknown := plain.keys() - kinds.keys():
        raise ValueError(f"nothing takes {', '.join(sorted(unknown))}")
    return arguments | {name: typed(kinds[name], value) for name, value in plain.items()}


# --- requests ---


def _of_request(kinds: Mapping[str, object], plain: object) -> dict[str, object]:
    """The arguments of a request's method, out of the message that it made."""
    request = typed(SignalRequest, plain)
    assert isinstance(request, SignalRequest), "it was asked for"
    found = which_variant(request)
    if found is None:
        raise ValueError("the request is empty")
    _, message = found
    if not isinstance(message, Message):
        return {}  # A time, made of `now`.
    taken = {name: _taken(name, kind, message) for name, kind in kinds.items()}
    return {name: value for name, value in taken.items() if value is not _NOT_GIVEN}


def _taken(name: str, kind: object, message: Message) -> object:
    """An argument: the message itself, a field of it, or a field of a message in it."""
    if type(message) is kind:
        return message
    values = {field.name: getattr(message, field.name) for field in shape_of(type(message)).fields}
    field = "id" if name == "offer_id" else name  # as a description calls it
    if field in values:
        return values[field]
    inner = (_taken(name, kind, value) for value in values.values() if isinstance(value, Message))
    return next((value for value in inner if value is not _NOT_GIVEN), _NOT_GIVEN)


# --- frames ---


def _frame(plain: object) -> bytes | str:
    """A frame that says what one of the server's said, or none of the same size."""
    match plain:
        case {"malformed": _, "size": int(size)}:
            return "{" * size
        case {**members}:
            numbers = typed(tuple[int, ...], members.pop(UNKNOWN_FIELDS, []))
            assert isinstance(numbers, tuple), "it was asked for"
            message = message_from_json(SignalResponse, to_json_line(members))
            # Nobody knows what was in them; an empty one has the same number.
            unknown = b"".join(varint(number << 3) + b"\0" for number in numbers)
            return encode_response(message) + unknown
        case _:
            raise ValueError("a message is a JSON object")
