"""The awaitable surface of a joined room, written once for every event loop.

A :class:`Room` turns the requests of a :class:`~kitwire.client.Client` into coroutines and its
events into an async iterator. It decides nothing of the protocol and knows no event loop: an
adapter supplies the three primitives of :class:`Runtime`, and feeds every event into an
:class:`Inbox`, which routes outcomes to those who wait for them and holds the rest, bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from . import messages as msg
from .errors import (
    CloseReason,
    ConnectFailed,
    FailureReason,
    Origin,
    Reason,
    RequestFailed,
    RequestFailure,
)
from .events import Closed, Event, Joined, PongReceived, RequestEnded, RequestKey, RequestQueued
from .session.phases import Phase

if TYPE_CHECKING:
    from .client import Client
    from .commands import PeerCommand

__all__ = ["DEFAULT_MAX_EVENTS", "Inbox", "PeerOwner", "Room", "Runtime"]

DEFAULT_MAX_EVENTS: Final = 10_000
"""How many events may wait unread before a room is closed, unless the application says so."""

T = TypeVar("T")


class Inbox:
    """Events on their way from a client to an application: routed, ordered, bounded.

    Args:
        max_events: how many events may wait unread. 0 says that nobody will read: then only
            ``Joined`` and ``Closed`` are kept, and nothing overflows.

    Attributes:
        joined: the ``Joined`` event, once it is there, read or not.
        closed: why the connection ended, once it has, read or not.
        rtt: the last measured round trip in seconds.
    """

    def __init__(self, max_events: int = DEFAULT_MAX_EVENTS) -> None:
        if max_events < 0:
            raise ValueError(f"max_events must be 0 or more, not {max_events}")
        self.joined: Joined | None = None
        self.closed: CloseReason | None = None
        self.rtt: float | None = None
        self._max_events = max_events
        self._overflowed = False
        self._events: deque[Event] = deque()
        self._expected: dict[RequestKey, RequestEnded | None] = {}
        self._forgotten: set[RequestKey] = set()

    def put(self, event: Event) -> CloseReason | None:
        """Take in one event.

        Returns:
            None; or, for the first event that finds no room, the cause to close the client with.
            That event and those after it are dropped, except ``Closed``, and outcomes that
            somebody waits for.
        """
        match event:
            case RequestEnded(key=key) if key in self._expected:
                self._expected[key] = event
                return None
            case RequestEnded(key=key) if key in self._forgotten:
                self._forgotten.discard(key)
                return None
            case RequestQueued(key=key) if key in self._expected or key in self._forgotten:
                return None
            case Joined():
                self.joined = event
            case Closed(reason=reason):
                self.closed = reason
            case PongReceived(rtt=float(rtt)):
                self.rtt = rtt
            case _:
                pass
        return self._hold(event)

    def _hold(self, event: Event) -> CloseReason | None:
        if isinstance(event, Joined | Closed):
            self._events.append(event)
        elif self._overflowed or self._max_events == 0:
            pass
        elif len(self._events) < self._max_events:
            self._events.append(event)
        else:
            self._overflowed = True
            return CloseReason(
                origin=Origin.LOCAL,
                reason=Reason.EVENTS_OVERFLOWED,
                detail=f"{self._max_events} events waited unread; iterate over the room without "
                "long pauses, raise max_events, or pass max_events=0 to read none",
                retryable=True,
            )
        return None

    def pop(self) -> Event | None:
        """The oldest unread event; None when there is none now, or none any more."""
        return self._events.popleft() if self._events else None

    @property
    def readable(self) -> bool:
        """Whether :meth:`pop` has something to say: an event, or that the last one was read."""
        return bool(self._events) or self.closed is not None

    def expect(self, key: RequestKey) -> None:
        """Keep the outcome of a request for :meth:`take` instead of the stream of events.

        To be called before the output that the request made is put in.
        """
        self._expected[key] = None

    def answered(self, key: RequestKey) -> bool:
        """Whether the outcome of an expected request is there."""
        return self._expected.get(key) is not None

    def take(self, key: RequestKey) -> RequestEnded | None:
        """The outcome of an expected request, once; None while there is none."""
        ended = self._expected.get(key)
        if ended is not None:
            del self._expected[key]
        return ended

    def forget(self, key: RequestKey) -> None:
        """Nobody waits any more: drop the outcome, whether it is there or yet to come."""
        if key in self._expected and self._expected.pop(key) is None:
            self._forgotten.add(key)


class Runtime(Protocol):
    """What an adapter supplies: time, a push, and a wait. Everything else is written once."""

    def now(self) -> float:
        """Monotonic seconds, by the clock that the adapter gives to the client."""

    def wake(self) -> None:
        """The client was given input: carry out what it says, and heed its new deadline."""

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until ``ready()``, which can change only when the client has had input.

        Returns at once, without giving way to others, when it is true already.
        """


class PeerOwner(Protocol):
    """Who has the peer connections, where there is media."""

    def execute(self, command: PeerCommand) -> None:
        """Begin to carry a command out; what comes of it is reported to the client."""


class Room:
    """A joined room: ``await`` a request, ``async for`` the events.

    Iterating yields :class:`~kitwire.events.Joined` first and :class:`~kitwire.events.Closed`
    last, then stops, and stops at once ever after. Several tasks may iterate at the same time;
    each event goes to one of them. An event or an outcome is never lost by cancelling a wait.

    Requests raise :class:`~kitwire.errors.RequestFailed` when they are refused, are not answered
    in time, or when the connection ends or has ended, and
    :class:`~kitwire.errors.LocalProtocolError` for arguments that cannot work. Cancelling a wait
    forgets the waiter, not the request: it was sent. What each request means, and when it is done,
    is written at the method of the same name of :class:`~kitwire.client.Client`.

    Attributes:
        client: the client underneath. Its properties may be read; its inputs belong to the
            adapter.
    """

    def __init__(self, client: Client, inbox: Inbox, runtime: Runtime) -> None:
        self.client = client
        self._inbox = inbox
        self._runtime = runtime

    @property
    def joined(self) -> Joined:
        """What the server said at the join: the room, ourselves, who else was there."""
        joined = self._inbox.joined
        if joined is None:
            raise RuntimeError("the room is not joined yet")
        return joined

    @property
    def closed(self) -> CloseReason | None:
        """Why the connection ended; None while it stands. It may be set before it is read."""
        return self._inbox.closed

    @property
    def rtt(self) -> float | None:
        """The last measured round trip in seconds; None before the first."""
        return self._inbox.rtt

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        await self._runtime.until(self._readable)
        event = self._inbox.pop()
        if event is None:
            raise StopAsyncIteration
        return event

    def _readable(self) -> bool:
        return self._inbox.readable

    async def wait_joined(self) -> None:
        """Wait for the join. Adapters do so before they hand a room out.

        Raises:
            ConnectFailed: when the connection ended instead.
        """
        inbox = self._inbox
        await self._runtime.until(lambda: inbox.joined is not None or inbox.closed is not None)
        if inbox.joined is None and inbox.closed is not None:
            raise ConnectFailed(inbox.closed)

    async def leave(
        self, reason: msg.DisconnectReason = msg.DisconnectReason.CLIENT_INITIATED
    ) -> None:
        """Leave the room, and wait until the connection has ended. Harmless when it has already.

        Leaving the ``async with`` block does the same.
        """
        self.client.close(now=self._runtime.now(), leave_reason=reason)
        self._runtime.wake()
        await self._runtime.until(lambda: self._inbox.closed is not None)

    # --- our tracks ---

    async def add_track(self, track: msg.AddTrackRequest) -> msg.TrackInfo:
        """Announce a track of ours."""
        key = self._client_for("add_track").add_track(track, now=self._runtime.now())
        return await self._result(key, msg.TrackInfo)

    async def mute_track(self, sid: str, muted: bool) -> None:
        """Mute or unmute a track of ours."""
        await self._done(
            self._client_for("mute_track").mute_track(sid, muted, now=self._runtime.now())
        )

    async def update_audio_track(
        self, track_sid: str, features: Sequence[msg.AudioTrackFeature]
    ) -> None:
        """Replace the features of an audio track of ours."""
        now = self._runtime.now()
        await self._done(
            self._client_for("update_audio_track").update_audio_track(track_sid, features, now=now)
        )

    async def update_video_track(self, track_sid: str, *, width: int, height: int) -> None:
        """Say the size of a video track of ours, in pixels."""
        now = self._runtime.now()
        key = self._client_for("update_video_track").update_video_track(
            track_sid, width=width, height=height, now=now
        )
        await self._done(key)

    async def update_video_layers(self, track_sid: str, layers: Sequence[msg.VideoLayer]) -> None:
        """Say the layers of a video track of ours. Deprecated in the protocol."""
        now = self._runtime.now()
        await self._done(
            self._client_for("update_video_layers").update_video_layers(track_sid, layers, now=now)
        )

    # --- tracks of others ---

    async def update_subscription(
        self,
        *,
        subscribe: bool,
        track_sids: Sequence[str] = (),
        participant_tracks: Sequence[msg.ParticipantTracks] = (),
    ) -> None:
        """Subscribe to tracks or unsubscribe, by their sids or grouped by participant."""
        key = self._client_for("update_subscription").update_subscription(
            subscribe=subscribe,
            track_sids=track_sids,
            participant_tracks=participant_tracks,
            now=self._runtime.now(),
        )
        await self._done(key)

    async def update_track_settings(
        self,
        track_sids: Sequence[str],
        *,
        disabled: bool = False,
        quality: msg.VideoQuality = msg.VideoQuality.HIGH,
        width: int = 0,
        height: int = 0,
        fps: int = 0,
        priority: int = 0,
    ) -> None:
        """Say how we want tracks of others: paused, at a quality, or at a size and rate."""
        key = self._client_for("update_track_settings").update_track_settings(
            track_sids,
            disabled=disabled,
            quality=quality,
            width=width,
            height=height,
            fps=fps,
            priority=priority,
            now=self._runtime.now(),
        )
        await self._done(key)

    async def update_subscription_permission(
        self, *, all_participants: bool, track_permissions: Sequence[msg.TrackPermission] = ()
    ) -> None:
        """Say who may subscribe to our tracks: everybody, or those listed."""
        key = self._client_for("update_subscription_permission").update_subscription_permission(
            all_participants=all_participants,
            track_permissions=track_permissions,
            now=self._runtime.now(),
        )
        await self._done(key)

    # --- ourselves ---

    async def update_metadata(
        self, metadata: str = "", *, name: str = "", attributes: Mapping[str, str] | None = None
    ) -> None:
        """Change our metadata, name or attributes. Empty means unchanged."""
        key = self._client_for("update_metadata").update_metadata(
            metadata=metadata, name=name, attributes=attributes, now=self._runtime.now()
        )
        await self._done(key)

    # --- data tracks and blobs ---

    async def publish_data_track(
        self,
        name: str,
        *,
        pub_handle: int,
        encryption: msg.EncryptionType = msg.EncryptionType.NONE,
        frame_encoding: msg.DataTrackFrameEncoding | None = None,
        schema: msg.DataTrackSchemaId | None = None,
    ) -> msg.DataTrackInfo:
        """Announce a data track under a handle of ours."""
        key = self._client_for("publish_data_track").publish_data_track(
            name,
            pub_handle=pub_handle,
            encryption=encryption,
            frame_encoding=frame_encoding,
            schema=schema,
            now=self._runtime.now(),
        )
        return await self._result(key, msg.DataTrackInfo)

    async def unpublish_data_track(self, pub_handle: int) -> msg.DataTrackInfo:
        """Take a data track of ours down."""
        key = self._client_for("unpublish_data_track").unpublish_data_track(
            pub_handle, now=self._runtime.now()
        )
        return await self._result(key, msg.DataTrackInfo)

    async def update_data_subscription(
        self, updates: Sequence[msg.UpdateDataSubscriptionUpdate]
    ) -> None:
        """Subscribe to data tracks or unsubscribe."""
        await self._done(
            self._client_for("update_data_subscription").update_data_subscription(
                updates, now=self._runtime.now()
            )
        )

    async def store_data_blob(self, key: msg.DataBlobKey, contents: bytes) -> msg.DataBlobKey:
        """Store a blob with the server."""
        request = self._client_for("store_data_blob").store_data_blob(
            key, contents, now=self._runtime.now()
        )
        return await self._result(request, msg.DataBlobKey)

    async def get_data_blob(
        self, key: msg.DataBlobKey, *, participant_identity: str
    ) -> msg.DataBlob:
        """Ask for a blob that a participant stored."""
        request = self._client_for("get_data_blob").get_data_blob(
            key, participant_identity=participant_identity, now=self._runtime.now()
        )
        return await self._result(request, msg.DataBlob)

    # --- negotiation, keep-alive, simulation: nobody answers these one by one ---

    def send_offer(self, sdp: str, *, offer_id: int) -> None:
        """Offer a session description for the publisher's peer connection."""
        self._client_for("send_offer").send_offer(sdp, offer_id=offer_id, now=self._runtime.now())
        self._runtime.wake()

    def send_answer(self, sdp: str, *, offer_id: int) -> None:
        """Answer an :class:`~kitwire.events.OfferReceived`, with its id."""
        self._client_for("send_answer").send_answer(sdp, offer_id=offer_id, now=self._runtime.now())
        self._runtime.wake()

    def send_trickle(
        self, candidate_init: str, *, target: msg.SignalTarget, final: bool = False
    ) -> None:
        """Send an ICE candidate: the JSON text of an ``RTCIceCandidateInit``."""
        now = self._runtime.now()
        self._client_for("send_trickle").send_trickle(
            candidate_init, target=target, final=final, now=now
        )
        self._runtime.wake()

    def send_sync_state(self, state: msg.SyncState) -> None:
        """Tell the server what we believe to be true, after a resume."""
        self._client_for("send_sync_state").send_sync_state(state, now=self._runtime.now())
        self._runtime.wake()

    def send_ping_req(self) -> None:
        """Ping now, besides the keep-alive."""
        self._client_for("send_ping_req").send_ping_req(now=self._runtime.now())
        self._runtime.wake()

    def send_ping(self) -> None:
        """Send a legacy ping."""
        self._client_for("send_ping").send_ping(now=self._runtime.now())
        self._runtime.wake()

    def simulate(self, scenario: msg.SimulateScenario) -> None:
        """Ask the server to simulate a fault; servers do so for testing."""
        self._client_for("simulate").simulate(scenario, now=self._runtime.now())
        self._runtime.wake()

    def reconnect_now(self) -> None:
        """Make the next attempt at once: the network is back. Harmless when none is waited for."""
        self.client.reconnect_now(now=self._runtime.now())
        self._runtime.wake()

    # --- outcomes ---

    def _client_for(self, request: str) -> Client:
        """The client, unless it takes no requests any more: that it ended is nobody's mistake."""
        if self.client.phase in (Phase.CLOSING, Phase.CLOSED):
            raise self.ended_before(request)
        return self.client

    def ended_before(self, request: str) -> RequestFailed:
        """What a request fails with that the session's end overtook; for rooms made of this."""
        over = self.client.phase in (Phase.CLOSING, Phase.CLOSED)
        why = "the room is being left" if over else "the session was restarted"
        message = str(self.closed or why)
        return RequestFailed(request, RequestFailure(reason=FailureReason.ABORTED, message=message))

    async def _done(self, key: RequestKey) -> None:
        await self._ended(key)

    async def _result(self, key: RequestKey, kind: type[T]) -> T:
        result = (await self._ended(key)).result
        # The client promises one kind of result for each method; anything else is its bug.
        assert isinstance(result, kind), f"{key.request} gave {type(result).__name__}"
        return result

    async def _ended(self, key: RequestKey) -> RequestEnded:
        """Wait for the outcome of a request that the client has just been given."""
        self._inbox.expect(key)
        try:
            self._runtime.wake()
            await self._runtime.until(lambda: self._inbox.answered(key))
            ended = self._inbox.take(key)
        finally:
            self._inbox.forget(key)
        assert ended is not None, "until() returned early"
        if ended.failure is not None:
            raise RequestFailed(key.request, ended.failure)
        return ended
