"""The media plane of kitwire: aiortc's peer connections, fitted to an SFU, and what flows in them.

Rooms, streams of frames, feeds of data and pushed sources can be used on asyncio and on trio.
Peer connections, and what else is aiortc's, belong to one asyncio event loop, which on trio is
another thread's (``kitwire_trio.portal``). ``pip install 'kitwire[media]'``.
"""

# Before anything else is imported: outside the tested window the imports below may fail, or worse.
from kitwire_aiortc.versions import require

require()

from kitwire_aiortc.channels import ChannelClosed  # noqa: E402
from kitwire_aiortc.counter import read_counter, write_counter  # noqa: E402
from kitwire_aiortc.feeds import Feed  # noqa: E402
from kitwire_aiortc.files import FileTrack, MediaFile, open_file  # noqa: E402
from kitwire_aiortc.frames import AudioStream, FrameStream, VideoStream  # noqa: E402
from kitwire_aiortc.gathering import Gathering  # noqa: E402
from kitwire_aiortc.inbound import Frame, Inbound, Reader  # noqa: E402
from kitwire_aiortc.masking import mask_logs  # noqa: E402
from kitwire_aiortc.outbound import Outbound  # noqa: E402
from kitwire_aiortc.owner import MediaListener, Owner  # noqa: E402
from kitwire_aiortc.packets import DataReceived  # noqa: E402
from kitwire_aiortc.peer import Peer, PeerClosed, PeerListener, PeerRefused  # noqa: E402
from kitwire_aiortc.proxy import SourceListener  # noqa: E402
from kitwire_aiortc.publication import LocalPublication  # noqa: E402
from kitwire_aiortc.pushed import PushedAudio, PushedVideo  # noqa: E402
from kitwire_aiortc.recording import Progress, RecordingFailed, record  # noqa: E402
from kitwire_aiortc.remotes import RemotePublications  # noqa: E402
from kitwire_aiortc.room import Media, MediaInbox, MediaRoom  # noqa: E402
from kitwire_aiortc.sinks import (  # noqa: E402
    audio_arrays,
    level,
    pixels,
    samples,
    video_arrays,
    write_png,
)
from kitwire_aiortc.sources import Silence, TestPattern, Tone  # noqa: E402
from kitwire_aiortc.statistics import (  # noqa: E402
    InboundStatistics,
    OutboundStatistics,
    PeerStatistics,
    TransportStatistics,
)

mask_logs()

__all__ = [
    "AudioStream",
    "ChannelClosed",
    "DataReceived",
    "Feed",
    "FileTrack",
    "Frame",
    "FrameStream",
    "Gathering",
    "Inbound",
    "InboundStatistics",
    "LocalPublication",
    "Media",
    "MediaFile",
    "MediaInbox",
    "MediaListener",
    "MediaRoom",
    "Outbound",
    "OutboundStatistics",
    "Owner",
    "Peer",
    "PeerClosed",
    "PeerListener",
    "PeerRefused",
    "PeerStatistics",
    "Progress",
    "PushedAudio",
    "PushedVideo",
    "Reader",
    "RecordingFailed",
    "RemotePublications",
    "Silence",
    "SourceListener",
    "TestPattern",
    "Tone",
    "TransportStatistics",
    "VideoStream",
    "audio_arrays",
    "level",
    "open_file",
    "pixels",
    "read_counter",
    "record",
    "samples",
    "video_arrays",
    "write_counter",
    "write_png",
]
