"""Data packets, with Google's protobuf as the second source of what they are."""

from __future__ import annotations

import pytest
from livekit.protocol import models

from kitwire import LocalProtocolError
from kitwire_aiortc.feeds import Feed
from kitwire_aiortc.packets import MAX_PACKET, DataInbox, DataReceived, packet_of
from tests.media.loopback import run


def user(
    payload: bytes, *, sequence: int = 0, sid: str = "PA_a", topic: str | None = None
) -> bytes:
    packet = models.DataPacket(
        user=models.UserPacket(payload=payload, topic=topic),
        participant_identity="ann",
        participant_sid=sid,
        sequence=sequence,
    )
    return packet.SerializeToString()


def received(*messages: tuple[str, bytes], inbox: DataInbox | None = None) -> list[DataReceived]:
    """What a reader gets of these."""

    async def main() -> list[DataReceived]:
        box = inbox or DataInbox(lambda sid, sequence: None)
        feed: Feed[DataReceived] = box.feeds.open()
        for label, data in messages:
            box.receive(label, data)
        feed.end()
        return [each async for each in feed]

    return run(main())


def unexpected(sid: str, sequence: int) -> None:
    raise AssertionError(f"packet {sequence} of {sid} was noted")


@pytest.mark.parametrize("topic", [None, "", "a topic"])
def test_a_packet_is_what_others_read(topic: str | None) -> None:
    data = packet_of(b"hello", topic=topic, destination_identities=["ben", "cid"], sequence=7)
    packet = models.DataPacket.FromString(data)
    assert packet.user.payload == b"hello"
    assert packet.user.HasField("topic") == (topic is not None)
    assert packet.user.topic == (topic or "")
    assert list(packet.destination_identities) == ["ben", "cid"]
    assert packet.sequence == 7


def test_the_limit_is_of_the_whole_packet() -> None:
    def size(length: int) -> int:
        data = packet_of(b"x" * length, topic="t", destination_identities=["ben"], sequence=1)
        return len(data)

    largest = MAX_PACKET - (size(60_000) - 60_000)
    assert size(largest) == MAX_PACKET == 64_000
    with pytest.raises(LocalProtocolError, match="has 64001 bytes"):
        size(largest + 1)


def test_what_cannot_be_encoded_is_the_callers_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="publish_data"):
        packet_of(b"x", topic="\ud800", destination_identities=(), sequence=0)


def test_messages_carry_who_sent_them_and_how() -> None:
    got = received(
        ("_reliable", user(b"one", sequence=1, topic="t")), ("_lossy", user(b"two", sid=""))
    )
    assert got == [
        DataReceived(
            data=b"one",
            topic="t",
            participant_identity="ann",
            participant_sid="PA_a",
            reliable=True,
        ),
        DataReceived(
            data=b"two",
            topic=None,
            participant_identity="ann",
            participant_sid="",
            reliable=False,
        ),
    ]
    assert "one" not in repr(got[0])


def test_older_senders_stand_in_the_user_packet() -> None:
    packet = models.DataPacket(
        user=models.UserPacket(payload=b"x", participant_sid="PA_o", participant_identity="old")
    )
    (message,) = received(("_reliable", packet.SerializeToString()))
    assert (message.participant_identity, message.participant_sid) == ("old", "PA_o")


def test_reliable_packets_are_received_once() -> None:
    noted: list[tuple[str, int]] = []
    inbox = DataInbox(lambda sid, sequence: noted.append((sid, sequence)))
    numbers = [(b"a", 1), (b"b", 2), (b"a", 1), (b"b", 2), (b"c", 3)]
    messages = [("_reliable", user(data, sequence=number)) for data, number in numbers]
    other = ("_reliable", user(b"other", sequence=1, sid="PA_b"))
    got = received(*messages, other, inbox=inbox)
    assert [each.data for each in got] == [b"a", b"b", b"c", b"other"]
    assert inbox.last == {"PA_a": 3, "PA_b": 1}
    assert noted == [("PA_a", 1), ("PA_a", 2), ("PA_a", 3), ("PA_b", 1)]
    inbox.forget("PA_a")
    inbox.forget("PA_x")
    assert inbox.last == {"PA_b": 1}


def test_unnumbered_and_lossy_packets_are_not_counted() -> None:
    inbox = DataInbox(unexpected)
    twice = [("_reliable", user(b"x"))] * 2 + [("_lossy", user(b"y", sequence=1))] * 2
    assert len(received(*twice, inbox=inbox)) == 4
    assert inbox.last == {}


def test_what_is_no_message_is_nobodys() -> None:
    inbox = DataInbox(unexpected)
    speaker = models.DataPacket(speaker=models.ActiveSpeakerUpdate()).SerializeToString()
    got = received(
        ("_reliable", b"\xff\xff"), ("_lossy", speaker), ("_data_track", user(b"x")), inbox=inbox
    )
    assert got == []
    assert inbox.unreadable == 1
