"""Keeps secrets out of what aiortc and aioice log.

At the level DEBUG aiortc writes whole descriptions, ICE passwords included, and aioice whole STUN
and TURN messages with user names. Programs that ask for that level get the same lines, masked.
"""

from __future__ import annotations

import logging
import re
from typing import Final

__all__ = ["SecretFilter", "mask_logs"]

LOGGERS: Final = ("aioice.ice", "aioice.turn", "aiortc.rtcpeerconnection")
"""Those that write such things; a filter counts only at the logger that writes."""

SECRETS: Final = re.compile(r"(?<=a=ice-pwd:)\S+|(?<=a=ice-ufrag:)\S+|(?<='USERNAME': ')[^']*")


class SecretFilter(logging.Filter):
    """Masks ICE credentials in what is logged; drops nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record in place."""
        text = record.getMessage()
        masked = SECRETS.sub("[secret]", text)
        if masked != text:
            record.msg, record.args = masked, ()
        return True


def mask_logs() -> None:
    """Put a filter before each of the loggers, unless one is there."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, SecretFilter) for each in logger.filters):
            logger.addFilter(SecretFilter())
