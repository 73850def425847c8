"""Who reads and writes the frames: each a function of one frame or message.

betterproto2 is measured as its own compiler writes classes, without what `kitwire.messages` adds to
them. google.protobuf is measured three times: what parsing costs is not what an application pays
that wants objects of Python's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final

import betterproto2
from google.protobuf.message import Message as OfficialMessage
from livekit.protocol import rtc

from kitwire import messages
from kitwire.codec import decode_response, encode_request
from kitwire.codec.schema import shape_of

__all__ = ["DECODERS", "ENCODERS", "copied", "read", "stock", "stock_request"]


def _stock_messages() -> ModuleType:
    """Our classes over betterproto2's own base, as its compiler has it."""
    assert messages.__file__ is not None
    lines = Path(messages.__file__).read_text(encoding="utf-8").splitlines()
    base = "from kitwire.messages._base import Message as _Message"
    kept = [
        line
        for line in lines[: lines.index("for _cls in _Message.__subclasses__():")]
        if "_supply_zeros" not in line
    ]
    kept[kept.index(base)] = "from betterproto2 import Message as _Message"
    module = ModuleType("stock_messages")
    sys.modules[module.__name__] = module
    exec("\n".join(kept), vars(module))
    return module


stock: Final = _stock_messages()
"""The schema's classes as betterproto2's compiler writes them."""


def stock_request(message: betterproto2.Message) -> betterproto2.Message:
    """The same request as one of these classes."""
    cls: type[betterproto2.Message] = vars(stock)[type(message).__name__]
    return cls.parse(bytes(message))


def read(message: OfficialMessage) -> None:
    """Read every field that is set, as an application might."""
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            getattr(message, field.name)
        elif field.is_repeated:
            for each in value:
                read(each)
        else:
            read(value)


_new = object.__new__
_PARTS: dict[object, tuple[type, dict[int, tuple[str, int]]]] = {}
"""Descriptor → class, and number of a field → its name and what it holds."""
_PLAIN, _LIST, _MAP, _ONE, _MANY = range(5)
_CLASSES = {name.lower(): cls for name, cls in vars(messages).items() if isinstance(cls, type)}


def copied(message: OfficialMessage) -> object:
    """An object of ours with what is set, as quickly as Python can: by tables, without a check."""
    descriptor = message.DESCRIPTOR
    parts = _PARTS.get(descriptor)
    if parts is None:
        parts = _PARTS[descriptor] = _parts_of(message)
    cls, kinds = parts
    made: object = _new(cls)
    for field, value in message.ListFields():
        name, kind = kinds[field.number]
        if kind == _PLAIN:
            setattr(made, name, value)
        elif kind == _ONE:
            setattr(made, name, copied(value))
        elif kind == _MANY:
            setattr(made, name, [copied(each) for each in value])
        else:
            setattr(made, name, list(value) if kind == _LIST else dict(value))
    return made


def _parts_of(message: OfficialMessage) -> tuple[type, dict[int, tuple[str, int]]]:
    descriptor = message.DESCRIPTOR
    name = descriptor.full_name.removeprefix("livekit.").replace(".", "").lower()
    cls = _CLASSES[name]
    names = {field.number: field.name for field in shape_of(cls).fields}
    return cls, {field.number: (names[field.number], _kind(field)) for field in descriptor.fields}


def _kind(field: Any) -> int:  # noqa: ANN401 # upb's descriptors have a type of their own
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _MAP
    if field.message_type is not None:
        return _MANY if field.is_repeated else _ONE
    return _LIST if field.is_repeated else _PLAIN


_official = rtc.SignalResponse.FromString

DECODERS: Final[Mapping[str, Callable[[bytes], Any]]] = MappingProxyType(
    {
        "kitwire": decode_response,
        "betterproto2": stock.SignalResponse.parse,
        "google.protobuf, parsed": _official,
        "google.protobuf, parsed and read": lambda frame: read(_official(frame)),
        "google.protobuf, parsed and copied": lambda frame: copied(_official(frame)),
    }
)
"""Who reads a frame."""
ENCODERS: Final[Mapping[str, Callable[[Any], bytes]]] = MappingProxyType(
    {"kitwire": encode_request, "betterproto2": bytes}
)
"""Who writes a message; betterproto2 takes what `stock_request` makes of it."""
