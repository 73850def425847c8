"""The links of a session: at most one at a time, by numbers that rise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..commands import CloseLink, HttpGet, LinkCommand, LinkId, OpenLink, SendMessage
from ..config import ClientConfig, TokenPlacement
from ..link.address import headers

__all__ = ["Links"]


class Links:
    """What a session asks of the owner of its links.

    Args:
        config: for the headers.
        emit: tells of a command.
    """

    def __init__(self, config: ClientConfig, *, emit: Callable[[LinkCommand], None]) -> None:
        self._config = config
        self._emit = emit
        self._opened = 0
        self._current: LinkId | None = None

    def is_current(self, link: LinkId) -> bool:
        """Whether a link still stands, or is being opened."""
        return link == self._current

    def open(self, url: str, token: str) -> None:
        """Ask for a WebSocket."""
        link = self._next()
        self._emit(OpenLink(link=link, url=url, headers=headers(self._config, token=token)))

    def get(self, url: str, token: str, *, bearer: bool = False) -> None:
        """Ask for the answer to a GET.

        Args:
            url: the whole URL.
            token: the access token.
            bearer: whether it travels in the header, wherever the config places it.
        """
        config = self._config
        if bearer:
            config = replace(config, token_placement=TokenPlacement.HEADER)
        link = self._next()
        self._emit(HttpGet(link=link, url=url, headers=headers(config, token=token)))

    def send(self, frame: bytes | str) -> None:
        """Send a frame on the current link."""
        assert self._current is not None, "there is a link in every phase that sends"
        self._emit(SendMessage(link=self._current, data=frame))

    def drop(self) -> None:
        """Let go of the current link, if there is one."""
        if self._current is not None:
            self._emit(CloseLink(link=self._current))
            self._current = None

    def _next(self) -> LinkId:
        self._opened += 1
        self._current = LinkId(self._opened)
        return self._current
