"""What the generated encoders share, alone."""

from __future__ import annotations

import pytest

from kitwire.codec import writing
from kitwire.codec.values import Unwritable


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
