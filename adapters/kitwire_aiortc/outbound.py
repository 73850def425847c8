"""One sending section of a peer connection: from the user's source to its packets."""

from __future__ import annotations

from aiortc import RTCRtpTransceiver
from aiortc.codecs import get_capabilities
from aiortc.mediastreams import MediaStreamTrack

from kitwire_aiortc.encoding import limit_bitrate
from kitwire_aiortc.internals import FORCE_KEYFRAME, SENDER_TRACK_ID, STREAM_ID
from kitwire_aiortc.proxy import ProxyTrack, SourceListener

__all__ = ["Outbound"]


class Outbound:
    """A sending section. It outlives what is published on it: the next publication takes it over.

    What it says of directions and tracks takes effect with the next offer.
    """

    def __init__(self, transceiver: RTCRtpTransceiver, proxy: ProxyTrack) -> None:
        self._transceiver = transceiver
        self._proxy = proxy
        self._max_bitrate: int | None = None
        self._offered = False
        self._claimed = False

    @property
    def kind(self) -> str:
        """``audio`` or ``video``."""
        return self._proxy.kind

    @property
    def mid(self) -> str | None:
        """The name of its section; None before it was offered."""
        return self._transceiver.mid

    @property
    def in_use(self) -> bool:
        """Whether something is published on it."""
        return self._transceiver.direction == "sendonly"

    @property
    def free(self) -> bool:
        """Whether another publication may take it over.

        Not before the far end has agreed that nothing is sent on it: it takes what comes next on a
        section that it knows to send for the track that it knows it by, whatever a later offer
        calls it.
        """
        return not self.in_use and not self._claimed

    @property
    def muted(self) -> bool:
        """Whether the source is read and nothing of it is sent."""
        return self._proxy.muted

    def mute(self, muted: bool) -> None:
        """Send nothing of the source from now on, or send it again."""
        if self._proxy.muted and not muted:
            # Whoever watched the pause has lost the picture that the next would build upon.
            FORCE_KEYFRAME.set(self._transceiver.sender, True)
        self._proxy.muted = muted

    @property
    def source(self) -> MediaStreamTrack | None:
        """Where its frames come from."""
        return self._proxy.source

    def publish(
        self,
        *,
        cid: str,
        stream: str,
        source: MediaStreamTrack | None,
        listener: SourceListener | None = None,
        max_bitrate: int | None = None,
        max_framerate: float | None = None,
        codec: str | None = None,
    ) -> None:
        """Send this from the next offer on.

        Args:
            cid: the id by which the track was announced; the offer names it in ``a=msid``.
            stream: the first word of that attribute.
            source: where frames come from.
            listener: hears when the source ends or fails.
            max_bitrate: bits a second.
            max_framerate: frames of video a second; those above are left out.
            codec: ``vp8`` or ``h264`` for video; the server's first choice with None.

        Raises:
            ValueError: for a codec that aiortc does not have, a source of the other kind, and
                names that cannot stand in a description.
        """
        for word in (cid, stream):
            if not word or not word.isprintable() or " " in word:
                raise ValueError(f"{word!r} cannot stand in a session description")
        self._prefer(codec)
        self._proxy.limit_framerate(max_framerate)
        self._proxy.listener = listener
        self._proxy.set_source(source)
        self._proxy.muted = False
        sender = self._transceiver.sender
        SENDER_TRACK_ID.set(sender, cid)
        STREAM_ID.set(sender, stream)
        FORCE_KEYFRAME.set(sender, True)
        self._transceiver.direction = "sendonly"
        self._max_bitrate = max_bitrate

    def set_source(self, source: MediaStreamTrack | None) -> None:
        """Take frames from another source, with no new negotiation.

        Raises:
            ValueError: when it is of the other kind.
        """
        self._proxy.set_source(source)
        FORCE_KEYFRAME.set(self._transceiver.sender, True)

    def unpublish(self) -> None:
        """Send nothing from now on; the next offer says so. The source is let go, not stopped."""
        self._proxy.set_source(None)
        self._transceiver.direction = "inactive"

    def offered(self) -> None:
        """Called for every offer, as it is made."""
        self._offered = self.in_use
        self._claimed |= self._offered

    def negotiated(self) -> None:
        """Called after every answer to the last offer, before the sender starts."""
        self._claimed = self._offered
        if self._max_bitrate is not None:
            limit_bitrate(self._transceiver, self._max_bitrate)

    def _prefer(self, codec: str | None) -> None:
        if codec is None:
            return
        known = get_capabilities(self.kind).codecs
        wanted = [each for each in known if each.name.lower() == codec.lower()]
        if not wanted:
            raise ValueError(f"aiortc cannot encode {codec!r}")
        rtx = [each for each in known if each.name.lower() == "rtx"]
        self._transceiver.setCodecPreferences([*wanted, *rtx])
