"""What a field may hold."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwire.codec.schema import shape_of
from kitwire.codec.values import (
    CHECKS,
    Unwritable,
    check_list,
    check_map,
    check_message,
    check_oneofs,
    float32,
    integer_range,
)
from kitwire.messages import Ping, Pong, SignalRequest
from tests.fuzz.everything import KINDS


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("int32", -(2**31), 2**31 - 1),
        ("sint32", -(2**31), 2**31 - 1),
        ("sfixed32", -(2**31), 2**31 - 1),
        ("enum", -(2**31), 2**31 - 1),
        ("uint32", 0, 2**32 - 1),
        ("fixed32", 0, 2**32 - 1),
        ("int64", -(2**63), 2**63 - 1),
        ("sint64", -(2**63), 2**63 - 1),
        ("sfixed64", -(2**63), 2**63 - 1),
        ("uint64", 0, 2**64 - 1),
        ("fixed64", 0, 2**64 - 1),
    ],
)
def test_integers_have_the_range_of_their_type(kind: str, low: int, high: int) -> None:
    assert integer_range(kind) == (low, high)
    check = CHECKS[kind]
    assert (check(low), check(high)) == (low, high)
    for number in (low - 1, high + 1):
        with pytest.raises(Unwritable, match=f"is out of the range of {kind}"):
            check(number)


def test_every_scalar_type_is_checked() -> None:
    assert set(KINDS) - {"message"} == set(CHECKS) & set(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "message"])
def test_nothing_takes_an_object(kind: str) -> None:
    with pytest.raises(Unwritable, match="not object") as caught:
        CHECKS[kind](object())
    assert caught.value.error is TypeError


@given(st.floats(width=32))
def test_float32_keeps_what_is_one(number: float) -> None:
    assert struct.pack("<f", float32(number)) == struct.pack("<f", number)


def test_float32_rounds() -> None:
    assert float32(0.1) == 0.10000000149011612
    assert (float32(3.5e38), float32(-3.5e38)) == (math.inf, -math.inf)
    assert CHECKS["float"](1) == 1.0
    assert CHECKS["double"](2**53 + 1) == 2.0**53
    for kind in ("float", "double"):
        assert CHECKS[kind](-math.inf) == -math.inf
        assert math.isnan(CHECKS[kind](math.nan))
        for beyond in (10**400, -(10**400)):
            with pytest.raises(Unwritable, match=f"is out of the range of {kind}"):
                CHECKS[kind](beyond)
    with pytest.raises(Unwritable, match="is out of the range of float"):
        CHECKS["float"](-3.5e38)


def test_bytes_are_copied() -> None:
    data = bytearray(b"ab")
    checked = CHECKS["bytes"](data)
    data[0] = 0
    assert checked == b"ab"
    assert type(checked) is bytes


def test_containers() -> None:
    assert check_list([1]) == [1]
    assert check_list((1,)) == (1,)
    assert check_map({"a": 1}) == {"a": 1}
    for check, value in ((check_list, "ab"), (check_list, {1}), (check_map, [("a", 1)])):
        with pytest.raises(Unwritable, match="must be a"):
            check(value)


def test_a_message_is_of_its_class() -> None:
    check_message(Ping, Ping(rtt=5))
    with pytest.raises(Unwritable, match="must be a Ping, not Pong"):
        check_message(Ping, Pong())


def test_one_member_of_a_oneof() -> None:
    shape = shape_of(SignalRequest)
    check_oneofs(shape, SignalRequest())
    check_oneofs(shape, SignalRequest(ping=0))
    with pytest.raises(Unwritable, match="may hold one of ping and ping_req, not both") as caught:
        check_oneofs(shape, SignalRequest(ping=0, ping_req=Ping()))
    assert str(caught.value.raised(SignalRequest)).startswith("SignalRequest may hold")


def test_the_path_is_gathered_from_the_inside() -> None:
    error = Unwritable("is wrong", ValueError)
    error.path += ["inner", "outer"]
    raised = error.raised(SignalRequest)
    assert type(raised) is ValueError
    assert str(raised) == "SignalRequest.outer.inner is wrong"
