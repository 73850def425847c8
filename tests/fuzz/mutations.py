"""Turns good frames into frames that are off by a little: in their bytes, and in their structure.

Random bytes alone are nearly always refused at the first length. So a frame is also taken apart
into fields, the fields are changed, and it is put together with lengths that fit: such frames
reach the rules about repeats, oneofs, maps, packing and unknown fields.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.empty_pb2 import Empty

__all__ = ["mutated", "shuffled", "varint"]


def varint(number: int, padding: int = 0) -> bytes:
    """A number, spelled with ``padding`` bytes more than needed."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    for _ in range(padding):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


@dataclass(slots=True)
class Node:
    """One field on the wire."""

    number: int
    wire: int
    raw: bytes = b""
    """What stands behind the tag; of a length-delimited field, behind the length."""
    children: list[Node] | None = None
    """Of a message, its fields, instead of ``raw``."""
    descriptor: Descriptor | None = None
    tag_padding: int = 0
    length_padding: int = 0
    length_error: int = field(default=0)

    def encoded(self) -> bytes:
        tag = varint(self.number << 3 | self.wire, self.tag_padding)
        if self.wire == 3:
            body = b"".join(child.encoded() for child in self.children or ())
            return tag + body + varint(self.number << 3 | 4)
        body = self.raw
        if self.children is not None:
            body = b"".join(child.encoded() for child in self.children)
        if self.wire != 2:
            return tag + body
        return tag + varint(max(0, len(body) + self.length_error), self.length_padding) + body


def _read_varint(data: bytes, pos: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (data[pos] & 0x7F) << shift
        shift += 7
        pos += 1
        if data[pos - 1] < 0x80:
            return number, pos


def take_apart(data: bytes, descriptor: Descriptor) -> list[Node]:
    """The fields of a well-formed message."""
    nodes = []
    pos = 0
    while pos < len(data):
        tag, pos = _read_varint(data, pos)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            start = pos
            _, pos = _read_varint(data, pos)
            nodes.append(Node(number, wire, data[start:pos]))
        elif wire == 2:
            size, pos = _read_varint(data, pos)
            body = data[pos : pos + size]
            pos += size
            known = descriptor.fields_by_number.get(number)
            if known is not None and known.message_type is not None:
                inner = known.message_type
                nodes.append(Node(number, wire, b"", take_apart(body, inner), inner))
            else:
                nodes.append(Node(number, wire, body))
        else:
            size = 4 if wire == 5 else 8
            nodes.append(Node(number, wire, data[pos : pos + size]))
            pos += size
    return nodes


# ------------------------------------------------------------------------------ random fragments

NUMBERS = (0, 1, 127, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1)
BODIES = (
    b"",
    b"\x00",
    b"a",
    "é".encode(),
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\x80\x01",
    b"\x80",
    b"\x01\x02\x03\x04",
    b"\xff" * 9 + b"\x01",
    b"\xff" * 10 + b"\x01",
    b"\x0b\x0c",
    b"\x0a\x01a\x12\x01b",
    b"\x0a\x01a\x12\x01b\x18\x01",
    b"\x08\x01",
)


def _any_number(rng: random.Random, descriptor: Descriptor) -> int:
    known = list(descriptor.fields_by_number)
    choice = rng.random()
    if choice < 0.8 and known:
        return rng.choice(known)
    return rng.choice((0, 1, 9, 24, 32, 99, 1000, 19_000, 2**29 - 1, 2**29))


def _random_node(rng: random.Random, descriptor: Descriptor, depth: int = 0) -> Node:
    node = Node(_any_number(rng, descriptor), rng.choice((0, 0, 0, 1, 2, 2, 2, 2, 3, 5, 5)))
    known = descriptor.fields_by_number.get(node.number)
    if known is not None and rng.random() < 0.7:
        node.wire = _right_wire(known)
        node.descriptor = known.message_type
    _give_content(rng, node, depth)
    return node


_WIRES = {
    **dict.fromkeys(
        (
            FieldDescriptor.TYPE_MESSAGE,
            FieldDescriptor.TYPE_STRING,
            FieldDescriptor.TYPE_BYTES,
        ),
        2,
    ),
    **dict.fromkeys(
        (
            FieldDescriptor.TYPE_FLOAT,
            FieldDescriptor.TYPE_FIXED32,
            FieldDescriptor.TYPE_SFIXED32,
        ),
        5,
    ),
    **dict.fromkeys(
        (
            FieldDescriptor.TYPE_DOUBLE,
            FieldDescriptor.TYPE_FIXED64,
            FieldDescriptor.TYPE_SFIXED64,
        ),
        1,
    ),
}


def _right_wire(known: FieldDescriptor) -> int:
    return _WIRES.get(known.type, 0)


def _give_content(rng: random.Random, node: Node, depth: int) -> None:
    node.children = None
    if node.wire == 0:
        node.raw = varint(rng.choice(NUMBERS), rng.choice((0, 0, 0, 1, 3, 9)))
    elif node.wire in (1, 5):
        node.raw = rng.randbytes(8 if node.wire == 1 else 4)
    elif node.wire == 3:
        inner = node.descriptor or _EMPTY
        count = 0 if depth > 3 else rng.choice((0, 1, 2))
        node.children = [_random_node(rng, inner, depth + 1) for _ in range(count)]
        if rng.random() < 0.02:
            node.children = [_tower(rng.randrange(95, 101))]
    elif node.descriptor is not None and depth < 4 and rng.random() < 0.8:
        count = rng.choice((0, 1, 2, 3))
        node.children = [_random_node(rng, node.descriptor, depth + 1) for _ in range(count)]
    else:
        node.raw = rng.choice(BODIES)


def _tower(height: int) -> Node:
    node = Node(7, 0, b"\x01")
    for _ in range(height):
        node = Node(7, 3, b"", [node])
    return node


_EMPTY: Descriptor = Empty.DESCRIPTOR


# ------------------------------------------------------------------------- changes of structure

_Change = Callable[[random.Random, list[Node], Descriptor], None]


def _insert(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    nodes.insert(rng.randint(0, len(nodes)), _random_node(rng, descriptor))


def _delete(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    del nodes[rng.randrange(len(nodes))]


def _duplicate(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    nodes.insert(rng.randint(0, len(nodes)), rng.choice(nodes))


def _swap(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    one, other = rng.randrange(len(nodes)), rng.randrange(len(nodes))
    nodes[one], nodes[other] = nodes[other], nodes[one]


def _renumber(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    rng.choice(nodes).number = _any_number(rng, descriptor)


def _rewire(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    node = rng.choice(nodes)
    node.wire = rng.choice((0, 1, 2, 3, 5, 5, 4, 6, 7))
    if rng.random() < 0.8:
        _give_content(rng, node, 0)


def _refill(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    _give_content(rng, rng.choice(nodes), 0)


def _pad(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    node = rng.choice(nodes)
    node.tag_padding = rng.choice((0, 1, 2, 3, 4))
    node.length_padding = rng.choice((0, 1, 2, 3, 4))


def _pack(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    """Several numbers in one length-delimited field, as a packed repeat has them."""
    node = rng.choice(nodes)
    node.wire, node.children = 2, None
    node.raw = b"".join(varint(rng.choice(NUMBERS)) for _ in range(rng.randrange(4)))


def _misjudge(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    rng.choice(nodes).length_error = rng.choice((-2, -1, 1, 2, 100, 2**31, 2**32, 2**63))


_CHANGES: Sequence[tuple[_Change, int]] = (
    (_insert, 8),
    (_delete, 2),
    (_duplicate, 4),
    (_swap, 3),
    (_renumber, 3),
    (_rewire, 2),
    (_refill, 3),
    (_pad, 2),
    (_pack, 1),
    (_misjudge, 1),
)
_CHOICES = [change for change, weight in _CHANGES for _ in range(weight)]


def _restructured(rng: random.Random, data: bytes, descriptor: Descriptor) -> bytes:
    nodes = take_apart(data, descriptor)
    for _ in range(rng.choice((1, 1, 2, 3))):
        group, known = nodes, descriptor
        while rng.random() < 0.6:
            inner = [node for node in group if node.children is not None and node.descriptor]
            if not inner:
                break
            chosen = rng.choice(inner)
            assert chosen.children is not None
            assert chosen.descriptor is not None
            group, known = chosen.children, chosen.descriptor
        change = rng.choice(_CHOICES) if group else _insert
        change(rng, group, known)
    return b"".join(node.encoded() for node in nodes)


# ------------------------------------------------------------------------------ changes of bytes


def _scrambled(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randint(0, len(out))
        match rng.randrange(6):
            case 0:
                del out[at:]
            case 1:
                out[at:at] = rng.randbytes(rng.choice((1, 2, 5)))
            case 2:
                del out[at : at + rng.choice((1, 2, 5))]
            case 3:
                out[at:at] = out[at : at + rng.choice((2, 8, 40))]
            case 4 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case _ if at < len(out):
                out[at] = rng.choice((0, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case _:
                out.append(rng.randrange(256))
    return bytes(out)


def mutated(rng: random.Random, data: bytes, descriptor: Descriptor) -> bytes:
    """A changed copy of a well-formed message."""
    way = rng.random()
    if way < 0.7:
        data = _restructured(rng, data, descriptor)
    if way > 0.6:
        data = _scrambled(rng, data)
    return data


def shuffled(rng: random.Random, data: bytes, descriptor: Descriptor) -> bytes:
    """The same message with its fields in any order, and some that nobody knows, at every depth.

    A map's entry gets none: it would be unknown as a whole.
    """
    nodes = take_apart(data, descriptor)
    _shuffle(rng, nodes, descriptor)
    return b"".join(node.encoded() for node in nodes)


def _shuffle(rng: random.Random, nodes: list[Node], descriptor: Descriptor) -> None:
    for node in nodes:
        if node.children is not None and node.descriptor is not None:
            _shuffle(rng, node.children, node.descriptor)
    if not descriptor.GetOptions().map_entry:
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            number = rng.choice((1_000, 18_999, (1 << 29) - 1))
            wire, raw = rng.choice(_UNKNOWN)
            nodes.append(Node(number, wire, raw))
    rng.shuffle(nodes)


_UNKNOWN = ((0, b"\x05"), (0, b"\xff" * 9 + b"\x01"), (1, bytes(8)), (2, b"abc"), (5, bytes(4)))
"""Wire types, with what may stand there."""
