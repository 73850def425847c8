"""LiveKit's own Python SDK as the other participant, in a process of its own.

Whatever is said on its stderr fails the test, but for what the SDK says of itself (`OWN_WORDS`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.interop.processes import STRICT, ParticipantProcess, participant_process

__all__ = ["MEDIA_PROGRAM", "OWN_WORDS", "PROGRAM", "official_participant"]

PROGRAM: Final = Path(__file__).with_name("official_program.py")
MEDIA_PROGRAM: Final = PROGRAM.with_name("official_media_program.py")

OWN_WORDS: Final = "|".join(
    (
        # Its own disconnect overtook an offer that it makes or has just made.
        r".*livekit::rtc_engine\S* - .*\bclosed\b.*",
        # The program, on a busy machine, takes pictures more slowly than they come.
        r".*native video stream queue overflow; dropped \d+ queued frames",
    )
)
"""What the SDK may log."""


@contextlib.contextmanager
def official_participant(
    url: str, token: str, *, program: Path = PROGRAM
) -> Iterator[ParticipantProcess]:
    """Join by the official SDK for the length of a `with`, and see that it ends cleanly.

    `program` is PROGRAM or MEDIA_PROGRAM, which know different commands.
    """
    with participant_process(*STRICT, str(program), own_words=OWN_WORDS) as participant:
        participant.do("connect", url=url, token=token)
        yield participant
        participant.do("disconnect")
