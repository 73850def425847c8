"""The life of a session as JSON Lines, to be kept and to be lived again.

Whoever records writes :func:`transcript_header` and then :func:`transcript_line` of each
:class:`~kitwire.trace.TraceRecord` into a file; :func:`replay` reads it. Nothing secret is in it.
"""

from __future__ import annotations

from .lines import TranscriptError, transcript_header, transcript_line
from .replaying import Difference, replay

__all__ = ["Difference", "TranscriptError", "replay", "transcript_header", "transcript_line"]
