"""An audio jitter buffer in which one lost packet costs one packet's audio.

aiortc's is made for video: it gives out a frame once a packet of the next timestamp has come, and
waits at a hole until the buffer of 16 packets is full, then drops to the hole what it held. With
1, 5 and 20 % of the packets lost, 10, 24 and 70 % of the audio are. In Opus every packet is a
frame of its own (RFC 7587, section 4.2), so nothing has to be assembled, and nothing has to be
dropped but what is missing.
"""

from __future__ import annotations

from typing import Final

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

__all__ = ["AudioJitterBuffer"]

PATIENCE: Final = 3
"""How many later packets to hold before a missing one counts as lost: the 60 ms by which Opus
packets of 20 ms may be out of order."""

RESTART: Final = 100
"""How far a sequence number may be from the expected one before it is taken for a new start."""

SEQUENCE: Final = 1 << 16


class AudioJitterBuffer(JitterBuffer):
    """Puts packets in order, and gives up on missing ones soon.

    A packet in order leaves at once, so that without loss there is no delay at all.

    Attributes:
        lost: packets given up on.
        late: packets that came after they had been given up on, or twice.
    """

    def __init__(self) -> None:
        super().__init__(capacity=16)
        self.lost = 0
        self.late = 0
        self._next: int | None = None
        self._held: dict[int, RtpPacket] = {}

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet in; the first frame that is ready. :meth:`pop` gives those after it."""
        sequence = packet.sequence_number
        ahead = self._distance(sequence)
        if self._next is None or abs(ahead) > RESTART:
            self._held.clear()
            self._next = sequence
        elif ahead < 0 or sequence in self._held:
            self.late += 1
            return False, None
        self._held[sequence] = packet
        return False, self.pop()

    def pop(self) -> JitterFrame | None:
        """The next frame that is ready; None while there is none."""
        while self._held:
            assert self._next is not None
            packet = self._held.pop(self._next, None)
            if packet is None:
                if len(self._held) < PATIENCE:
                    return None
                after = min(self._held, key=self._distance)
                self.lost += self._distance(after)
                self._next = after
                continue
            self._next = (self._next + 1) % SEQUENCE
            # aiortc has taken the payload apart by now, and keeps it here. A packet of padding
            # alone is no frame: to a decoder, no data means the end.
            data: bytes = getattr(packet, "_data")  # noqa: B009 - aiortc adds it, untyped
            if data:
                return JitterFrame(data=data, timestamp=packet.timestamp)
        return None

    def restart(self) -> None:
        """Forget what is held: another source begins, or the same after a pause."""
        self._held.clear()
        self._next = None

    def _distance(self, sequence: int) -> int:
        """How far after the expected packet this one is; below zero when before it."""
        if self._next is None:
            return 0
        half = SEQUENCE // 2
        return (sequence - self._next + half) % SEQUENCE - half
