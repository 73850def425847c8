"""One peer connection: descriptions made and applied one at a time, sections, channels, its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Final, Protocol, TypeVar

from aiortc import (
    RTCIceParameters,
    RTCIceTransport,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamTrack
from aiortc.sdp import SessionDescription, candidate_from_sdp

from kitwire.commands import DataChannel, PeerState
from kitwire.messages import IceServer
from kitwire_aiortc.channels import Channels, DataListener
from kitwire_aiortc.gathering import Gathering, configuration
from kitwire_aiortc.ice_facade import install_path
from kitwire_aiortc.ice_restart import IcePath
from kitwire_aiortc.inbound import Inbound
from kitwire_aiortc.outbound import Outbound
from kitwire_aiortc.proxy import ProxyTrack, SourceListener
from kitwire_aiortc.routing import install_router
from kitwire_aiortc.sdp import Section, sections, without_idle_sources
from kitwire_aiortc.settling import LIMIT, settle
from kitwire_aiortc.starting import Starter
from kitwire_aiortc.statistics import (
    PeerStatistics,
    inbound_statistics,
    outbound_statistics,
    transport_statistics,
)

__all__ = ["Peer", "PeerClosed", "PeerListener", "PeerRefused"]

T = TypeVar("T")

SPEAKING: Final = (InternalError, InvalidAccessError, InvalidStateError, OperationError)
"""Exceptions of aiortc whose text is its own, and never a line of a description."""


class PeerRefused(Exception):
    """A peer connection could not do what it was asked. The text holds no secret."""


class PeerClosed(PeerRefused):
    """It is closed, or was closed meanwhile."""


class PeerListener(DataListener, Protocol):
    """Hears what happens on one peer connection, in the event loop's thread."""

    def state_changed(self, state: PeerState) -> None:
        """It went from one state to another."""

    def inbound_opened(self, inbound: Inbound) -> None:
        """A section receives for the first time. It stays until the connection is closed."""


class Peer:
    """One peer connection.

    What is asked of it is done one after the other, in the order of asking.

    Args:
        listener: hears what happens.
        gathering: where to gather candidates.
        ice_servers: those that the server handed out.
        data_channels: those to open with the first offer.

    Attributes:
        ice_servers: those that the server named last; an ICE restart heeds it.
        channels: its data channels.
        inbound: its receiving sections by mid.
    """

    def __init__(
        self,
        listener: PeerListener,
        *,
        gathering: Gathering | None = None,
        ice_servers: Sequence[IceServer] = (),
        data_channels: Sequence[DataChannel] = (),
    ) -> None:
        self._listener = listener
        self._gathering = gathering or Gathering()
        self._connection = RTCPeerConnection(configuration(self._gathering, ice_servers))
        self._starter = Starter(self._connection)
        self._state = PeerState.NEW
        self._closed = False
        self._turn = asyncio.Lock()
        self._operation: asyncio.Task[object] | None = None
        self._starting: set[asyncio.Task[None]] = set()
        self._outbound: list[tuple[RTCRtpTransceiver, Outbound]] = []
        self._remote: tuple[Section, ...] = ()
        self._heard_at: float | None = None
        self._tell_next: list[Callable[[], None]] = []
        self.ice_servers = tuple(ice_servers)
        self.inbound: dict[str, Inbound] = {}
        self.channels = Channels(self._connection, listener, data_channels)
        self._connection.on("connectionstatechange", self._state_changed)

    @property
    def state(self) -> PeerState:
        """How far it is."""
        return self._state

    @property
    def connection(self) -> RTCPeerConnection:
        """aiortc's own object, to look at. What is changed on it, nothing here knows."""
        return self._connection

    @property
    def silent_for(self) -> float | None:
        """Seconds since the last datagram came in, STUN's included; None when none came yet.

        An age rather than a time, because whoever asks may have another loop with another clock.
        What a working path carries is heard every 6 seconds at the latest: the far end answers
        aioice's checks of its consent (RFC 7675).
        """
        heard = self._heard_at
        return None if heard is None else asyncio.get_running_loop().time() - heard

    def tell_next_datagram(self, tell: Callable[[], None]) -> None:
        """Ask for a datagram, and call this once, when the next comes in, STUN's included."""
        self._tell_next.append(tell)
        for path in self._paths():
            path.ask()

    @property
    def remote_sections(self) -> tuple[Section, ...]:
        """The sections of the last description of the far end."""
        return self._remote

    # --- descriptions ---

    async def make_offer(
        self, *, audio_sections: int = 0, video_sections: int = 0, ice_restart: bool = False
    ) -> str:
        """Make an offer, and make it the local description. It has all local candidates.

        An earlier offer that was not answered is replaced. The first offer declares the data
        channels.

        Args:
            audio_sections: how many receive-only sections to add.
            video_sections: likewise.
            ice_restart: whether to offer new ICE credentials. What is in use stays until the answer
                has led to a new path. Before the first answer there is nothing to restart.

        Returns:
            the SDP to send.

        Raises:
            PeerRefused: when aiortc does not make it.
        """
        return await self._run(
            lambda: self._make_offer(audio_sections, video_sections, ice_restart)
        )

    async def apply_answer(self, sdp: str) -> None:
        """Apply the far end's answer to the last offer.

        Raises:
            PeerRefused: when it cannot be applied; nothing was changed if it could not be read.
        """
        await self._run(lambda: self._apply_answer(sdp))

    async def apply_offer(self, sdp: str) -> str:
        """Apply an offer of the far end's, and answer it. It may restart ICE.

        Returns:
            the SDP of the answer, which is the local description now.

        Raises:
            PeerRefused: when it cannot be applied; nothing was changed if it could not be read.
        """
        return await self._run(lambda: self._apply_offer(sdp))

    async def add_candidate(self, candidate: str) -> None:
        """Add a candidate of the far end's: what ``RTCIceCandidateInit`` has in ``candidate``.

        All sections share one transport, so it does not matter which one it is addressed to; to
        aiortc it would, which drops those addressed to others than the first. Candidates for TCP
        and the empty one are ignored.

        Raises:
            PeerRefused: when it cannot be read.
        """
        await self._run(lambda: self._add_candidate(candidate))

    # --- sending ---

    def publish(
        self,
        kind: str,
        *,
        cid: str,
        stream: str,
        source: MediaStreamTrack | None,
        listener: SourceListener | None = None,
        max_bitrate: int | None = None,
        max_framerate: float | None = None,
        codec: str | None = None,
    ) -> Outbound:
        """Send a source from the next offer on, on a section that is free, or on a new one.

        The arguments are those of :meth:`Outbound.publish`.

        Raises:
            PeerClosed: when it is closed.
            ValueError: for arguments that cannot work.
        """
        if self._closed:
            raise PeerClosed("the peer connection is closed")
        free = (out for _, out in self._outbound if out.kind == kind and out.free)
        outbound = next(free, None)
        if outbound is None:
            proxy = ProxyTrack(kind)
            transceiver = self._connection.addTransceiver(proxy, direction="sendonly")
            outbound = Outbound(transceiver, proxy)
            self._outbound.append((transceiver, outbound))
        outbound.publish(
            cid=cid,
            stream=stream,
            source=source,
            listener=listener,
            max_bitrate=max_bitrate,
            max_framerate=max_framerate,
            codec=codec,
        )
        return outbound

    # --- the rest ---

    async def statistics(self) -> PeerStatistics:
        """What it has carried so far."""
        # The connection's own getStats waits, while sections come and go, for tasks that the close
        # cancels; those of its senders never wait.
        transceivers = self._connection.getTransceivers()
        by_mid = {each.mid: each for each in transceivers}
        inbound = [
            inbound_statistics(each, by_mid[mid].receiver) for mid, each in self.inbound.items()
        ]
        outbound = [
            await outbound_statistics(transceiver.mid, transceiver.sender)
            for transceiver, out in self._outbound
            if transceiver.mid is not None and out.in_use
        ]
        transport = await transport_statistics(transceivers[0].sender) if transceivers else None
        return PeerStatistics(
            inbound=tuple(each for each in inbound if each is not None),
            outbound=tuple(outbound),
            transport=transport,
        )

    async def close(self) -> None:
        """Close it. Then no task, socket or thread of it is left; sources are not stopped.

        It waits for a gathering under way, which :attr:`Gathering.patience` bounds.
        """
        self._closed = True
        self._tell_next.clear()
        self.channels.close()
        for task in (*self._starting, self._operation):
            if task is not None:
                task.cancel()
        if self._operation is not None:
            # Not after the close: STUN requests under way would go on over a closed socket.
            await asyncio.wait({self._operation})
        with contextlib.suppress(TimeoutError):
            # When all tasks were cancelled, as at the end of asyncio.run, aiortc's own close too:
            # a second one would wait for it for ever.
            await asyncio.wait_for(self._connection.close(), LIMIT)
        await settle(self._connection, self._starter)
        self._state_changed()

    # --- operations ---

    async def _run(self, operation: Callable[[], Coroutine[object, object, T]]) -> T:
        """Do one thing after the other; closing cancels it, and says so to who waits for it."""
        own = asyncio.current_task()
        async with self._turn:
            if self._closed:
                raise PeerClosed("the peer connection is closed")
            self._operation = task = asyncio.ensure_future(operation())
            try:
                return await task
            except asyncio.CancelledError:
                if own is not None and own.cancelling():
                    raise
                raise PeerClosed("the peer connection is closed") from None
            except PeerRefused:
                raise
            except Exception as error:  # noqa: BLE001 - whatever aiortc stumbles over
                if self._connection.signalingState == "closed":
                    # By the far end: aiortc closes everything when DTLS says goodbye.
                    raise PeerClosed("the peer connection is closed") from None
                # What is not aiortc's own text may quote a line of the description.
                words = f": {error}" if isinstance(error, SPEAKING) else ""
                raise PeerRefused(type(error).__name__ + words) from None
            finally:
                self._operation = None

    async def _make_offer(self, audio_sections: int, video_sections: int, ice_restart: bool) -> str:
        connection = self._connection
        for kind, count in (("audio", audio_sections), ("video", video_sections)):
            for _ in range(count):
                connection.addTransceiver(kind, direction="recvonly")
        # Only now that the transceivers are there: Channels.declare says why.
        self.channels.declare()
        for _, outbound in self._outbound:
            outbound.offered()
        for path in self._paths() if ice_restart else ():
            path.restart(self.ice_servers)
        return await self._describe(await connection.createOffer())

    async def _apply_answer(self, sdp: str) -> None:
        ice = readable(sdp, "answer")
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        self._follow(ice)
        for _, outbound in self._outbound:
            outbound.negotiated()
        self._described(sdp)

    async def _apply_offer(self, sdp: str) -> str:
        ice = readable(sdp, "offer")
        restarting = [path for path in self._paths() if path.restarts(ice)]
        for path in restarting:
            # Before aiortc adds the offer's candidates, which are for the new connection.
            path.restart(self.ice_servers)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        except Exception:
            for path in restarting:
                path.abandon()
            raise
        self._described(sdp)
        answer = await self._describe(await self._connection.createAnswer())
        self._follow(ice)
        self._described(sdp)
        return answer

    async def _describe(self, description: RTCSessionDescription) -> str:
        for path in self._paths():
            if path.restarting:
                # aiortc itself gathers once.
                await path.gather()
        await self._connection.setLocalDescription(description)
        # Not the one that was made: only this one has the candidates.
        return without_idle_sources(self._connection.localDescription.sdp)

    async def _add_candidate(self, candidate: str) -> None:
        text = candidate.removeprefix("candidate:").strip()
        if not text:
            return
        parsed = candidate_from_sdp(text)
        if parsed.protocol.lower() == "udp":
            for transport in self._ice_transports():
                await transport.addRemoteCandidate(parsed)

    def _described(self, sdp: str) -> None:
        """After every description of the far end's: what aiortc does not do with it."""
        self._remote = sections(sdp)
        by_mid = {each.mid: each for each in self._connection.getTransceivers()}
        for section in self._remote:
            transceiver = by_mid.get(section.mid)
            if transceiver is None:
                continue
            install_router(transceiver.receiver.transport)
            inbound = self.inbound.get(section.mid)
            if inbound is not None:
                inbound.describe(section)
            elif section.direction.sends:
                inbound = Inbound(transceiver.receiver, kind=section.kind, mid=section.mid)
                self.inbound[section.mid] = inbound
                inbound.describe(section)
                self._listener.inbound_opened(inbound)

    def _follow(self, ice: RTCIceParameters) -> None:
        for path in self._paths():
            path.follow(ice)

    def _paths(self) -> list[IcePath]:
        return [install_path(each, self._gathering, self._heard) for each in self._ice_transports()]

    def _heard(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        waiting, self._tell_next = self._tell_next, []
        for tell in waiting:
            tell()

    def _ice_transports(self) -> set[RTCIceTransport]:
        transceivers = self._connection.getTransceivers()
        found = {each.receiver.transport.transport for each in transceivers}
        if self._connection.sctp is not None:
            found.add(self._connection.sctp.transport.transport)
        return found

    def _state_changed(self) -> None:
        state = PeerState(self._connection.connectionState)
        if state is self._state:
            return
        self._state = state
        if state is PeerState.CONNECTED and not self._closed:
            # What a second description adds while the transport connects is never started: the
            # task that would do so has already passed it. So it runs once more.
            task = asyncio.ensure_future(self._starter.start())
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
        self._listener.state_changed(state)


def readable(sdp: str, kind: str) -> RTCIceParameters:
    """Check that aiortc can read a description, before it changes anything by it.

    Returns:
        its ICE credentials, which are the same in all sections, as they share one transport.

    Raises:
        PeerRefused: otherwise.
    """
    try:
        parsed = SessionDescription.parse(sdp)
        complete = all(
            media.dtls is not None
            and media.dtls.fingerprints
            and media.ice is not None
            and media.ice.usernameFragment
            and media.ice.password
            for media in parsed.media
        )
    except Exception:  # noqa: BLE001 - aiortc's parser raises whatever it stumbles over
        raise PeerRefused(f"the {kind} cannot be read") from None
    if not parsed.media:
        raise PeerRefused(f"the {kind} has no section")
    if not complete:
        raise PeerRefused(f"the {kind} lacks ICE or DTLS parameters")
    ice = parsed.media[0].ice
    assert ice is not None, "just checked"
    return ice
