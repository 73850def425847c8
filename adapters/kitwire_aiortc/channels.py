"""The data channels of a peer connection: declared up front, opened, filled within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from aiortc import RTCDataChannel, RTCPeerConnection

from kitwire.commands import DataChannel
from kitwire_aiortc.internals import OUTBOUND_QUEUE, SENT_QUEUE, WAITING_QUEUE

__all__ = ["ChannelClosed", "Channels", "DataListener"]

MAX_BUFFERED: Final = 1024 * 1024
"""Bytes that may wait in a channel before a sender has to."""

ACKNOWLEDGED_POLL: Final = 0.01
"""Seconds between two looks at what the far end has acknowledged; aiortc tells nobody."""


class ChannelClosed(Exception):
    """The channel will carry nothing any more."""


class DataListener(Protocol):
    """Hears of the channels of one peer connection, in the event loop's thread."""

    def channel_opened(self, label: str) -> None:
        """Messages can be sent on the channel."""

    def channel_closed(self, label: str) -> None:
        """The channel will carry nothing any more."""

    def data_received(self, label: str, data: bytes) -> None:
        """A message came."""


class Channels:
    """All channels of one peer connection, by label: those we open and those opened for us.

    Args:
        connection: the peer connection.
        listener: hears of them.
        declared: those that we open.
    """

    def __init__(
        self,
        connection: RTCPeerConnection,
        listener: DataListener,
        declared: Sequence[DataChannel] = (),
    ) -> None:
        self._connection = connection
        self._undeclared = tuple(declared)
        self._listener = listener
        self._channels: dict[str, RTCDataChannel] = {}
        self._closed = False
        self._waiters: set[asyncio.Future[None]] = set()
        connection.on("datachannel", self._offered)

    def declare(self) -> None:
        """Open those that are ours, with the next offer. The second time it does nothing.

        There must be a transceiver by then, unless there will be none in that first offer: with
        one bundled transport, aiortc otherwise stops the very transport that everything shares.
        """
        for each in self._undeclared:
            channel = self._connection.createDataChannel(
                each.label, ordered=each.ordered, maxRetransmits=each.max_retransmits
            )
            self._add(channel)
        self._undeclared = ()

    def is_open(self, label: str) -> bool:
        """Whether messages can be sent on it now."""
        channel = self._channels.get(label)
        return channel is not None and channel.readyState == "open"

    def stream(self, label: str) -> int | None:
        """The number of a channel's SCTP stream; None before it opens."""
        channel = self._channels.get(label)
        return None if channel is None else channel.id

    async def send(self, label: str, data: bytes) -> None:
        """Send a message, once the channel is open and holds less than a bound.

        Raises:
            ChannelClosed: when it is closed, or closes meanwhile.
            ValueError: when the message is longer than the far end takes.
        """
        await self._until(lambda: self._room(label) or self._is_over(label))
        channel = self._channels.get(label)
        if self._is_over(label) or channel is None:
            raise ChannelClosed(f"the channel {label} is closed")
        channel.send(data)

    async def drain(self) -> None:
        """Wait until the far end has acknowledged everything sent on any channel.

        It returns at once when nothing can arrive any more. Callers set the limit of time.
        """
        while (transport := self._connection.sctp) is not None:
            queues = (WAITING_QUEUE, OUTBOUND_QUEUE, SENT_QUEUE)
            if transport.state != "connected" or not any(q.get(transport) for q in queues):
                return
            await asyncio.sleep(ACKNOWLEDGED_POLL)

    def close(self) -> None:
        """Nothing will be sent or heard any more; who waits is told."""
        self._closed = True
        self._wake()

    # --- what aiortc reports ---

    def _offered(self, channel: RTCDataChannel) -> None:
        self._add(channel)
        self._listener.channel_opened(channel.label)
        self._wake()

    def _add(self, channel: RTCDataChannel) -> None:
        label = channel.label
        self._channels[label] = channel
        channel.bufferedAmountLowThreshold = MAX_BUFFERED // 2

        def opened() -> None:
            self._listener.channel_opened(label)
            self._wake()

        def closed() -> None:
            if not self._closed:
                self._listener.channel_closed(label)
            self._wake()

        def received(data: bytes | str) -> None:
            if not self._closed:
                self._listener.data_received(label, _as_bytes(data))

        channel.on("open", opened)
        channel.on("close", closed)
        channel.on("message", received)
        channel.on("bufferedamountlow", self._wake)

    # --- waiting ---

    def _room(self, label: str) -> bool:
        channel = self._channels.get(label)
        return (
            channel is not None
            and channel.readyState == "open"
            and channel.bufferedAmount < MAX_BUFFERED
        )

    def _is_over(self, label: str) -> bool:
        channel = self._channels.get(label)
        return self._closed or (channel is not None and channel.readyState in ("closing", "closed"))

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def _as_bytes(data: bytes | str) -> bytes:
    """A message as bytes: others may send text, which is no packet of the protocol."""
    return data.encode() if isinstance(data, str) else data
