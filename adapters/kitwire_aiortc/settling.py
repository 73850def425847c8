"""Waits until nothing of a closed peer connection runs any more.

aiortc starts tasks that it keeps no reference to, and cancels others without waiting for them, so
some are still there when its ``close()`` returns. All of them run a method of the connection or of
a part of it, and that is how they are found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from aiortc import RTCPeerConnection

from kitwire_aiortc.internals import ICE_CONNECTION

__all__ = ["LIMIT", "settle"]

LIMIT: Final = 3.0
"""Seconds after which we no longer wait, whatever still runs."""


async def settle(connection: RTCPeerConnection, *parts: object) -> None:
    """End the tasks of a peer connection that has been closed, and wait for them.

    ``parts`` are ours: what was put in the place of a part of aiortc's.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LIMIT
    owners = {id(each) for each in (*_parts(connection), *parts)}
    # Most end by themselves within a moment; some, ending, begin others.
    await asyncio.sleep(0)
    while (running := _running(owners)) and loop.time() < deadline:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=deadline - loop.time())


def _running(owners: set[int]) -> set[asyncio.Task[object]]:
    running = {task for task in asyncio.all_tasks() if id(_owner(task)) in owners}
    return running - {asyncio.current_task()}


def _owner(task: asyncio.Task[object]) -> object:
    """Whose method a task runs; None for anything else."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    return None if frame is None else frame.f_locals.get("self")


def _parts(connection: RTCPeerConnection) -> Iterator[object]:
    yield connection
    transports = []
    for transceiver in connection.getTransceivers():
        yield from (transceiver.sender, transceiver.receiver)
        transports.append(transceiver.receiver.transport)
    if connection.sctp is not None:
        yield connection.sctp
        transports.append(connection.sctp.transport)
    for transport in transports:
        gatherer = transport.transport.iceGatherer
        yield from (transport, transport.transport, gatherer, ICE_CONNECTION.get(gatherer))
