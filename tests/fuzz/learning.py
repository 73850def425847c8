"""Codecs for message classes of the tests' own, printed as the generator prints the schema's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import betterproto2

from kitwire.codec import reading, schema, values, wire, writing
from kitwire.codec._decoders import DECODERS
from kitwire.codec._encoders import ENCODERS
from kitwire.messages._base import supply_zeros
from proto.generator import decoders, encoders
from proto.generator.facts import FieldFacts, MessageFacts

__all__ = ["learn"]


def learn(*classes: type[betterproto2.Message]) -> None:
    """Print, run and add to the table what reads and writes these classes and no others."""
    known: dict[str, object] = {cls.__name__: cls for cls in classes}
    facts = []
    for cls in classes:
        supply_zeros(cls)
        fields = schema.shape_of(cls).fields
        facts.append(MessageFacts(name=cls.__name__, fields=tuple(map(_facts, fields))))
        for field in fields:
            for each in (field, *(field.entry or ())):
                if each.enum is not None:
                    known[each.enum.__name__] = each.enum
    names: dict[str, Any] = {
        "Any": Any,
        "Callable": Callable,
        "Final": Final,
        "Mapping": Mapping,
        "Message": betterproto2.Message,
    }
    for module in (schema, values, wire, reading, writing):
        names |= vars(module)
    names["m"] = SimpleNamespace(**known)
    lines = [*encoders.definitions(facts), *decoders.definitions(facts)]
    exec("\n".join(["from __future__ import annotations", *lines]), names)
    ENCODERS.update(names["ENCODERS"])
    DECODERS.update(names["DECODERS"])


def _facts(field: schema.Field) -> FieldFacts:
    target = field.message or field.enum
    return FieldFacts(
        name=field.name,
        proto_name=field.proto_name,
        number=field.number,
        kind="map" if field.entry else field.kind,
        target="" if target is None else target.__name__,
        repeated=field.label is schema.Label.REPEATED,
        explicit=field.label is schema.Label.EXPLICIT,
        group=field.group or "",
        entry=None if field.entry is None else (_facts(field.entry[0]), _facts(field.entry[1])),
    )
