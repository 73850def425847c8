"""Which versions of aiortc and aioice this package was tested with, checked before it is used.

The receiving side of aiortc is made for calls between two browsers; fitting it to an SFU reaches
into private parts of it (``internals.py``), which any release may change. So the window is narrow,
and outside of it we say so at import instead of failing in the middle of a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

__all__ = ["WINDOW", "require"]

INSTALL: Final = "pip install 'kitwire[media]'"

WINDOW: Final[Mapping[str, tuple[tuple[int, int], tuple[int, int]]]] = {
    "aiortc": ((1, 16), (1, 17)),
    "aioice": ((0, 13), (0, 14)),
}
"""From this minor version on, and below that one. ``pyproject.toml`` says the same."""

NEEDED: Final = (*WINDOW, "av", "numpy")


def require(find: Callable[[str], str] = version) -> None:
    """Check that what the media plane needs is installed, in versions that it knows.

    Args:
        find: tells the installed version of a distribution, or raises PackageNotFoundError.

    Raises:
        ImportError: when something is missing, or outside the window.
    """
    for name in NEEDED:
        try:
            installed = find(name)
        except PackageNotFoundError:
            raise ImportError(f"kitwire_aiortc needs {name}: {INSTALL}", name=name) from None
        if name in WINDOW and not _within(installed, *WINDOW[name]):
            low, high = (f"{major}.{minor}" for major, minor in WINDOW[name])
            wanted = f"{name} >={low},<{high}"
            raise ImportError(
                f"kitwire_aiortc needs {wanted}, not {installed}: {INSTALL}", name=name
            )


def _within(installed: str, low: tuple[int, int], high: tuple[int, int]) -> bool:
    digits = [part for part in installed.split(".")[:2] if part.isdecimal()]
    return len(digits) == 2 and low <= (int(digits[0]), int(digits[1])) < high
