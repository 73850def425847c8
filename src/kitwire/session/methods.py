"""The 22 requests as typed methods, for every class that has a session underneath.

Each method checks its arguments before anything changes, and raises
:class:`~kitwire.errors.LocalProtocolError` with what was wrong. Most return a
:class:`~kitwire.events.RequestKey` and lead to exactly one
:class:`~kitwire.events.RequestEnded`; the ``send_`` methods, which are the negotiation's and the
keep-alive's, return nothing and pass the gate. ``leave`` is :meth:`close` of the class itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from .. import messages as msg
from ..codec import which_variant
from ..config import ClientConfig
from ..errors import LocalProtocolError
from ..events import RequestKey
from .keepalive import milliseconds
from .requests import Completion, Match, MatchKind

__all__ = ["RequestMethods"]


class RequestMethods(ABC):
    """Typed requests. ``now`` is the time in monotonic seconds, in every method."""

    config: ClientConfig

    @abstractmethod
    def _request(
        self,
        name: str,
        message: msg.SignalRequest,
        *,
        now: float,
        completion: Completion = Completion.SENT,
        match: Match | None = None,
        timeout: float = 0.0,
        muted: bool | None = None,
    ) -> RequestKey:
        """Register a request and send it, or hold it until the gate opens."""

    @abstractmethod
    def _pass(self, name: str, message: msg.SignalRequest, *, now: float) -> None:
        """Send a request that the gate does not hold."""

    @abstractmethod
    def _next_request_id(self) -> int:
        """A request id that is not in use."""

    # --- our tracks ---

    def add_track(self, track: msg.AddTrackRequest, *, now: float) -> RequestKey:
        """Announce a track. ``cid`` is the caller's name for it; the result is its TrackInfo.

        Fails after ``timeouts.add_track`` without an answer; a refusal is noticed at once, by the
        echoed request (livekit pkg/rtc/participant.go, ``sendRequestResponse``).
        """
        _require("add_track", track.cid != "", "the track needs a cid")
        kinds = (msg.TrackType.AUDIO, msg.TrackType.VIDEO)
        _require("add_track", track.type in kinds, "the track's type must be AUDIO or VIDEO")
        return self._request(
            "add_track",
            msg.SignalRequest(add_track=track),
            now=now,
            completion=Completion.RESULT,
            match=Match(MatchKind.CID, track.cid),
            timeout=self.config.timeouts.add_track,
        )

    def mute_track(self, sid: str, muted: bool, *, now: float) -> RequestKey:
        """Mute or unmute a track of ours. Done when our own participant shows it.

        Where nothing changes the server is silent; then it is done when no refusal has come for
        ``timeouts.refusal``.
        """
        _require("mute_track", sid != "", "which track? sid is empty")
        return self._request(
            "mute_track",
            msg.SignalRequest(mute=msg.MuteTrackRequest(sid=sid, muted=muted)),
            now=now,
            completion=Completion.NO_REFUSAL,
            match=Match(MatchKind.MUTE_SID, sid),
            timeout=self.config.timeouts.refusal,
            muted=muted,
        )

    def update_audio_track(
        self, track_sid: str, features: Sequence[msg.AudioTrackFeature], *, now: float
    ) -> RequestKey:
        """Replace the features of an audio track of ours. Done when no refusal has come."""
        _require("update_audio_track", track_sid != "", "which track? track_sid is empty")
        update = msg.UpdateLocalAudioTrack(track_sid=track_sid, features=list(features))
        return self._request(
            "update_audio_track",
            msg.SignalRequest(update_audio_track=update),
            now=now,
            completion=Completion.NO_REFUSAL,
            match=Match(MatchKind.AUDIO_TRACK_SID, track_sid),
            timeout=self.config.timeouts.refusal,
        )

    def update_video_track(
        self, track_sid: str, *, width: int, height: int, now: float
    ) -> RequestKey:
        """Say the size of a video track of ours, in pixels. Done when no refusal has come."""
        _require("update_video_track", track_sid != "", "which track? track_sid is empty")
        update = msg.UpdateLocalVideoTrack(track_sid=track_sid, width=width, height=height)
        return self._request(
            "update_video_track",
            msg.SignalRequest(update_video_track=update),
            now=now,
            completion=Completion.NO_REFUSAL,
            match=Match(MatchKind.VIDEO_TRACK_SID, track_sid),
            timeout=self.config.timeouts.refusal,
        )

    def update_video_layers(
        self, track_sid: str, layers: Sequence[msg.VideoLayer], *, now: float
    ) -> RequestKey:
        """Say the layers of a video track of ours. Deprecated: servers ignore it."""
        _require("update_video_layers", track_sid != "", "which track? track_sid is empty")
        update = msg.UpdateVideoLayers(track_sid=track_sid, layers=list(layers))
        return self._request(
            "update_video_layers", msg.SignalRequest(update_layers=update), now=now
        )

    # --- tracks of others ---

    def update_subscription(
        self,
        *,
        subscribe: bool,
        track_sids: Sequence[str] = (),
        participant_tracks: Sequence[msg.ParticipantTracks] = (),
        now: float,
    ) -> RequestKey:
        """Subscribe to tracks or unsubscribe, by their sids or grouped by participant.

        Done when sent: a later :class:`~kitwire.events.SubscriptionFailed` tells of a failure.
        """
        _require_sids("update_subscription", track_sids)
        _require(
            "update_subscription",
            bool(track_sids or participant_tracks),
            "which tracks? track_sids and participant_tracks are both empty",
        )
        update = msg.UpdateSubscription(
            track_sids=list(track_sids),
            subscribe=subscribe,
            participant_tracks=list(participant_tracks),
        )
        return self._request("update_subscription", msg.SignalRequest(subscription=update), now=now)

    def update_track_settings(
        self,
        track_sids: Sequence[str],
        *,
        disabled: bool = False,
        quality: msg.VideoQuality = msg.VideoQuality.HIGH,
        width: int = 0,
        height: int = 0,
        fps: int = 0,
        priority: int = 0,
        now: float,
    ) -> RequestKey:
        """Say how we want tracks of others: paused, at a quality, or at a size and rate.

        Args:
            width: in pixels; with ``height`` it takes the place of ``quality``. 0 for any.
            height: in pixels; 0 for any.
            fps: frames a second; 0 for any.
            priority: from 1, the highest; 0 for none.
        """
        _require_sids("update_track_settings", track_sids)
        _require("update_track_settings", bool(track_sids), "which tracks? track_sids is empty")
        settings = msg.UpdateTrackSettings(
            track_sids=list(track_sids),
            disabled=disabled,
            quality=quality,
            width=width,
            height=height,
            fps=fps,
            priority=priority,
        )
        return self._request(
            "update_track_settings", msg.SignalRequest(track_setting=settings), now=now
        )

    def update_subscription_permission(
        self,
        *,
        all_participants: bool,
        track_permissions: Sequence[msg.TrackPermission] = (),
        now: float,
    ) -> RequestKey:
        """Say who may subscribe to our tracks: everybody, or those listed. Done when sent."""
        permission = msg.SubscriptionPermission(
            all_participants=all_participants, track_permissions=list(track_permissions)
        )
        return self._request(
            "update_subscription_permission",
            msg.SignalRequest(subscription_permission=permission),
            now=now,
        )

    # --- ourselves ---

    def update_metadata(
        self,
        metadata: str = "",
        *,
        name: str = "",
        attributes: Mapping[str, str] | None = None,
        now: float,
    ) -> RequestKey:
        """Change our metadata, name or attributes. Needs the grant ``canUpdateOwnMetadata``.

        Empty means unchanged: the server cannot clear metadata or name. An attribute with an
        empty value is deleted.
        """
        _require(
            "update_metadata",
            bool(metadata or name or attributes),
            "nothing to change: metadata, name and attributes are all empty",
        )
        request_id = self._next_request_id()
        update = msg.UpdateParticipantMetadata(
            metadata=metadata, name=name, attributes=dict(attributes or {}), request_id=request_id
        )
        return self._request(
            "update_metadata",
            msg.SignalRequest(update_metadata=update),
            now=now,
            completion=Completion.REPLY,
            match=Match(MatchKind.REQUEST_ID, request_id),
            timeout=self.config.timeouts.metadata,
        )

    # --- data tracks and blobs ---

    def publish_data_track(
        self,
        name: str,
        *,
        pub_handle: int,
        encryption: msg.EncryptionType = msg.EncryptionType.NONE,
        frame_encoding: msg.DataTrackFrameEncoding | None = None,
        schema: msg.DataTrackSchemaId | None = None,
        now: float,
    ) -> RequestKey:
        """Announce a data track under a handle of ours; the result is its DataTrackInfo.

        Args:
            name: 1 to 256 characters, unique among our data tracks.
            pub_handle: 1 to 65535, unique among our data tracks.
        """
        _require_handle("publish_data_track", pub_handle)
        _require("publish_data_track", 0 < len(name) <= 256, "name needs 1 to 256 characters")
        request = msg.PublishDataTrackRequest(
            pub_handle=pub_handle,
            name=name,
            encryption=encryption,
            frame_encoding=frame_encoding,
            schema=schema,
        )
        return self._request(
            "publish_data_track",
            msg.SignalRequest(publish_data_track_request=request),
            now=now,
            completion=Completion.RESULT,
            match=Match(MatchKind.PUBLISH_HANDLE, pub_handle),
            timeout=self.config.timeouts.data_track,
        )

    def unpublish_data_track(self, pub_handle: int, *, now: float) -> RequestKey:
        """Take a data track of ours down; the result is its DataTrackInfo."""
        _require_handle("unpublish_data_track", pub_handle)
        request = msg.UnpublishDataTrackRequest(pub_handle=pub_handle)
        return self._request(
            "unpublish_data_track",
            msg.SignalRequest(unpublish_data_track_request=request),
            now=now,
            completion=Completion.RESULT,
            match=Match(MatchKind.UNPUBLISH_HANDLE, pub_handle),
            timeout=self.config.timeouts.data_track,
        )

    def update_data_subscription(
        self, updates: Sequence[msg.UpdateDataSubscriptionUpdate], *, now: float
    ) -> RequestKey:
        """Subscribe to data tracks or unsubscribe. Done when sent."""
        _require("update_data_subscription", bool(updates), "which tracks? updates is empty")
        update = msg.UpdateDataSubscription(updates=list(updates))
        return self._request(
            "update_data_subscription", msg.SignalRequest(update_data_subscription=update), now=now
        )

    def store_data_blob(self, key: msg.DataBlobKey, contents: bytes, *, now: float) -> RequestKey:
        """Store a blob with the server; the result is its key."""
        _require_member("store_data_blob", key, "the key")
        request_id = self._next_request_id()
        request = msg.StoreDataBlobRequest(
            request_id=request_id, blob=msg.DataBlob(key=key, contents=contents)
        )
        return self._request(
            "store_data_blob",
            msg.SignalRequest(store_data_blob_request=request),
            now=now,
            completion=Completion.RESULT,
            match=Match(MatchKind.REQUEST_ID, request_id),
            timeout=self.config.timeouts.data_blob,
        )

    def get_data_blob(
        self, key: msg.DataBlobKey, *, participant_identity: str, now: float
    ) -> RequestKey:
        """Ask for a blob that a participant stored; the result is the DataBlob."""
        _require_member("get_data_blob", key, "the key")
        request_id = self._next_request_id()
        request = msg.GetDataBlobRequest(
            request_id=request_id, participant_identity=participant_identity, key=key
        )
        return self._request(
            "get_data_blob",
            msg.SignalRequest(get_data_blob_request=request),
            now=now,
            completion=Completion.RESULT,
            match=Match(MatchKind.REQUEST_ID, request_id),
            timeout=self.config.timeouts.data_blob,
        )

    # --- negotiation, keep-alive, simulation: these pass the gate ---

    def send_offer(self, sdp: str, *, offer_id: int, now: float) -> None:
        """Offer a session description for the publisher's peer connection.

        ``offer_id`` counts offers from 1, so that an answer
        (:class:`~kitwire.events.AnswerReceived`) can be told from a stale one.
        """
        _require("send_offer", sdp != "", "the offer is empty")
        offer = msg.SessionDescription(type="offer", sdp=sdp, id=offer_id)
        self._pass("send_offer", msg.SignalRequest(offer=offer), now=now)

    def send_answer(self, sdp: str, *, offer_id: int, now: float) -> None:
        """Answer an :class:`~kitwire.events.OfferReceived`, with its id."""
        _require("send_answer", sdp != "", "the answer is empty")
        answer = msg.SessionDescription(type="answer", sdp=sdp, id=offer_id)
        self._pass("send_answer", msg.SignalRequest(answer=answer), now=now)

    def send_trickle(
        self, candidate_init: str, *, target: msg.SignalTarget, final: bool = False, now: float
    ) -> None:
        """Send an ICE candidate: the JSON text of an ``RTCIceCandidateInit``."""
        _require("send_trickle", candidate_init != "", "the candidate is empty")
        trickle = msg.TrickleRequest(candidate_init=candidate_init, target=target, final=final)
        self._pass("send_trickle", msg.SignalRequest(trickle=trickle), now=now)

    def send_sync_state(self, state: msg.SyncState, *, now: float) -> None:
        """Tell the server what we believe to be true, after a resume."""
        self._pass("send_sync_state", msg.SignalRequest(sync_state=state), now=now)

    @abstractmethod
    def send_ping_req(self, *, now: float) -> None:
        """Ping now, besides the keep-alive; :class:`~kitwire.events.PongReceived` tells the rtt."""

    def send_ping(self, *, now: float) -> None:
        """Send a legacy ping, which :class:`~kitwire.events.LegacyPongReceived` answers."""
        self._pass("send_ping", msg.SignalRequest(ping=milliseconds(now)), now=now)

    def simulate(self, scenario: msg.SimulateScenario, *, now: float) -> None:
        """Ask the server to simulate a fault; servers do so for testing."""
        _require_member("simulate", scenario, "the scenario")
        self._pass("simulate", msg.SignalRequest(simulate=scenario), now=now)


def _require(method: str, condition: bool, problem: str) -> None:
    if not condition:
        raise LocalProtocolError(method, problem)


def _require_member(
    method: str, message: msg.DataBlobKey | msg.SimulateScenario, what: str
) -> None:
    try:
        member = which_variant(message)
    except ValueError as error:
        raise LocalProtocolError(method, str(error)) from None
    _require(method, member is not None, f"{what} is empty")


def _require_sids(method: str, track_sids: Sequence[str]) -> None:
    # A text is a sequence of texts as well, each of them one letter.
    _require(method, not isinstance(track_sids, str), "track_sids must be a list, not one sid")


def _require_handle(method: str, pub_handle: int) -> None:
    _require(method, 0 < pub_handle <= 0xFFFF, "pub_handle must be from 1 to 65535")
