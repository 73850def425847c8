"""Data packets: numbered, within the limit, received once each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from kitwire import messages as msg
from kitwire.codec import decode_message, encode_message
from kitwire.errors import LocalProtocolError, MalformedFrame
from kitwire_aiortc.feeds import Feeds

__all__ = ["MAX_PACKET", "DataInbox", "DataReceived", "packet_of"]

MAX_PACKET: Final = 64_000
"""Bytes of an encoded packet. The server announces 65,535; LiveKit's own clients stop here."""

RELIABLE: Final = "_reliable"
LOSSY: Final = "_lossy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived:
    """A message of another participant's application, or of the server's API."""

    data: bytes = field(repr=False)
    topic: str | None
    """What the sender put it under."""
    participant_identity: str
    """Who sent it; empty when the server's API did."""
    participant_sid: str
    """The sid of that participant's stay; empty likewise, and from older servers."""
    reliable: bool
    """Whether it came on the reliable channel: in order, and once."""


def packet_of(
    data: bytes, *, topic: str | None, destination_identities: Sequence[str], sequence: int
) -> bytes:
    """An application's message as an encoded ``DataPacket``.

    Args:
        data: the message.
        topic: what to put it under.
        destination_identities: for whom; empty for everybody.
        sequence: its number on the reliable channel; 0 on the other.

    Raises:
        LocalProtocolError: when it is too large, or holds what cannot be encoded.
    """
    try:
        user = msg.UserPacket(payload=data, topic=topic)
        encoded = encode_message(
            msg.DataPacket(
                user=user,
                destination_identities=list(destination_identities),
                sequence=sequence,
            )
        )
    except (TypeError, ValueError) as error:
        raise LocalProtocolError("publish_data", str(error)) from None
    if len(encoded) > MAX_PACKET:
        raise LocalProtocolError(
            "publish_data",
            f"the packet has {len(encoded)} bytes, of which topic and addresses are "
            f"{len(encoded) - len(data)}; at most {MAX_PACKET} can be sent",
        )
    return encoded


class DataInbox:
    """What arrives on the data channels.

    Args:
        note: told of each reliable packet: the sid of its sender, and its number.

    Attributes:
        feeds: those who read it.
        last: the number of the newest reliable packet of each participant, by sid. Packets up to
            it are repetitions, which a resumed connection may bring, and are dropped.
        unreadable: how many messages were no packets at all.
    """

    def __init__(self, note: Callable[[str, int], None]) -> None:
        self._note = note
        self.feeds: Feeds[DataReceived] = Feeds()
        self.last: dict[str, int] = {}
        self.unreadable = 0

    def receive(self, label: str, data: bytes) -> None:
        """A message came on a data channel."""
        if label not in (RELIABLE, LOSSY):
            return
        try:
            packet = decode_message(msg.DataPacket, data)
        except MalformedFrame:
            self.unreadable += 1
            return
        reliable = label == RELIABLE
        if reliable and packet.sequence and packet.participant_sid:
            if packet.sequence <= self.last.get(packet.participant_sid, 0):
                return
            self.last[packet.participant_sid] = packet.sequence
            self._note(packet.participant_sid, packet.sequence)
        user = packet.user
        if user is None:
            return
        self.feeds.put(
            DataReceived(
                data=user.payload,
                topic=user.topic,
                participant_identity=packet.participant_identity or user.participant_identity,
                participant_sid=packet.participant_sid or user.participant_sid,
                reliable=reliable,
            )
        )

    def forget(self, participant_sid: str) -> None:
        """That stay is over: its numbers will not come again."""
        self.last.pop(participant_sid, None)
