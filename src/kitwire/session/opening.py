"""How a session gets in: by which path, at which URL, and what the URL could not carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ..codec import redact_text
from ..config import ClientConfig, PathVersion
from ..link.address import Resume, bundles, signal_url, validate_url
from ..messages import SessionDescription, SignalRequest, UpdateParticipantMetadata
from .outbox import bounded_frame

__all__ = ["Opening"]

_PATHS: Final = {PathVersion.V0: "/rtc", PathVersion.V1: "/rtc/v1"}
_TRIED: Final = {
    PathVersion.AUTO: (PathVersion.V1, PathVersion.V0),
    PathVersion.V1: (PathVersion.V1,),
    PathVersion.V0: (PathVersion.V0,),
}
_OFFER_ID: Final = 1


class Opening:
    """The way in, of which the next step is taken when the server does not know the last one.

    Args:
        config: all that is said is made from it here, so that what cannot be said is the caller's
            mistake, and not a surprise in the middle of a session.

    Raises:
        ValueError: for a URL that cannot be connected to, and for settings that cannot be sent.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._given = config
        self._left = list(_TRIED[config.path])
        self._bundled = False
        self._url = ""
        try:
            for version in self._left:
                signal_url(config, version, token=config.token)
            bounded_frame(config, _ourselves(config))
            self._carry(config)
        except (TypeError, ValueError) as error:
            raise ValueError(redact_text(str(error))) from None

    def _carry(self, config: ClientConfig) -> None:
        self._config = config
        self._frames = tuple(bounded_frame(config, each) for each in _unbundled(config))

    @property
    def path(self) -> str:
        """The signal path that is tried: ``/rtc`` or ``/rtc/v1``."""
        return _PATHS[self._left[0]]

    @property
    def bundles_own_offer(self) -> bool:
        """Whether the next URL can carry an offer of the session's own peer connections.

        It pays where they need no ICE servers of the server's, which come with the join.
        """
        config = self._given
        own = config.peers is not None and config.ice_servers is not None
        return own and self._left[0] is not PathVersion.V0

    def bundle(self, sdp: str) -> None:
        """Let the next URL carry an offer of the session's own peer connections."""
        self._carry(replace(self._given, peers=None, publisher_offer=sdp))

    def begin_again(self, *, fresh: bool) -> None:
        """Another session will be joined by the same path.

        Tracks and an offer belonged to the last one. A token that the server has refreshed carries
        our metadata and attributes as they are now; those of the config may be older.

        Args:
            fresh: whether the token is still the first one.
        """
        given = replace(self._given, add_tracks=(), publisher_offer=None)
        self._given = given if fresh else replace(given, metadata="", attributes={})
        self._carry(self._given)

    def url(self, token: str, resume: Resume | None = None, *, base: str = "") -> str:
        """The URL to open now, with everything that fits into it.

        Args:
            token: the access token of this moment.
            resume: set to go on with a session.
            base: the server's URL, where it is not the config's.
        """
        config, version = replace(self._config, url=base or self._config.url), self._left[0]
        if resume is not None:
            self._url = signal_url(config, version, token=token, bundle=False, resume=resume)
            return self._url
        self._bundled = bundles(config, version, token=token)
        self._url = signal_url(
            config, version, token=token, bundle=self._bundled, offer_id=_OFFER_ID
        )
        return self._url

    def dry_run_url(self) -> str:
        """The URL of the GET that explains a refusal of the last one, with the same query."""
        return validate_url(self._url)

    def fall_back(self, status: int) -> bool:
        """Take the next path, if the server's answer says that it does not know this one.

        An offer of the session's own is not carried there: that path has other peer connections.
        """
        if status != 404 or len(self._left) == 1:
            return False
        del self._left[0]
        self._carry(self._given)
        return True

    def unbundled(self) -> tuple[bytes | str, ...]:
        """The tracks and the offer as frames, where the URL did not carry them."""
        return () if self._bundled else self._frames

    @property
    def metadata(self) -> str:
        """The metadata that is still to be said; ``/rtc`` has no room for it in its query."""
        return self._config.metadata if self._left[0] is PathVersion.V0 else ""


def _unbundled(config: ClientConfig) -> Iterator[SignalRequest]:
    for track in config.add_tracks:
        yield SignalRequest(add_track=track)
    if config.publisher_offer is not None:
        if not config.publisher_offer:
            raise ValueError("publisher_offer is empty; None is for no offer")
        offer = SessionDescription(type="offer", sdp=config.publisher_offer, id=_OFFER_ID)
        yield SignalRequest(offer=offer)


def _ourselves(config: ClientConfig) -> SignalRequest:
    """What would say metadata and attributes, with the longest request id there is."""
    update = UpdateParticipantMetadata(
        metadata=config.metadata, attributes=dict(config.attributes), request_id=0xFFFF_FFFF
    )
    return SignalRequest(update_metadata=update)
