"""What the generated encoders share, alone."""

from __future__ import annotations

import pytest

from kitwire.codec import wire, writing
from kitwire.codec.values import Unwritable


@pytest.mark.parametrize("size", [0, 1, 0x7F, 0x80, 20_000])
def test_blocks_follow_their_size(size: int) -> None:
    out = bytearray(b"x")
    writing.put_block(out, bytes(size))
    assert out == b"x" + wire.varint(size) + bytes(size)


def test_an_error_is_named_on_its_way_up() -> None:
    error = Unwritable("must be an int", TypeError)
    assert writing.flaw(writing.flaw(error, "inner"), "outer") is error
    assert error.path == ["inner", "outer"]
    assert writing.flaw(error, "").path == ["inner", "outer"]


def test_a_text_that_is_not_unicode_is_not_quoted() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        "secret\ud800".encode()
    error = writing.flaw(caught.value, "token")
    assert (error.error, error.path) == (ValueError, ["token"])
    assert "secret" not in str(error)
