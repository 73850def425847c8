"""kitwire under trio: ``async with kitwire_trio.connect(url, token=token) as room``."""

try:
    import trio  # noqa: F401 - to say what is missing, in one sentence
except ModuleNotFoundError as error:
    if error.name != "trio":
        raise
    raise ImportError("kitwire_trio needs trio: pip install 'kitwire[trio]'") from error

from kitwire_trio.connection import connect

__all__ = ["connect"]
