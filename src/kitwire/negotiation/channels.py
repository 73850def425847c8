"""The data channels of the protocol, as facts.

Labels and settings are those of livekit pkg/rtc/transport.go and of LiveKit's JavaScript client
(src/room/data-channel/DataChannelManager.ts). The client creates them on its publisher; with two
peer connections, the server opens its own on the subscriber.
"""

from __future__ import annotations

from typing import Final

from ..commands import DataChannel

__all__ = ["DATA_CHANNELS"]

DATA_CHANNELS: Final = (
    DataChannel(label="_reliable", ordered=True, max_retransmits=None),
    DataChannel(label="_lossy", ordered=False, max_retransmits=0),
    DataChannel(label="_data_track", ordered=False, max_retransmits=0),
)
"""In the order of their creation. They stand in the first offer: the server counts a participant as
established when the first two are open."""
