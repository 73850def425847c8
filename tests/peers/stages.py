"""Sessions brought to each stage of a life with a server, with every kind of peer connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from livekit.protocol import models, rtc

from kitwire.commands import ClosePeers, OpenPeers, PeersId, PeerState, PeerTarget, Topology
from kitwire.config import PathVersion, PeerCapabilities, ReconnectPolicy
from kitwire.session.phases import Phase
from tests.peers.frames import join_request
from tests.peers.lives import ANSWER, SessionLife, configured
from tests.peers.media_lives import PUB, SUB, media_join

__all__ = ["MEDIA", "STAGES", "Media", "Stage", "Stay", "resumed_sid"]

_OFFER: Final = rtc.SignalResponse(offer=rtc.SessionDescription(type="offer", sdp="theirs", id=9))


class Media(NamedTuple):
    """By which path a session joins, and what its peer connections can do; None without any."""

    path: PathVersion
    peers: PeerCapabilities | None


MEDIA: Final[Mapping[str, Media]] = {
    "none": Media(PathVersion.V1, None),
    "v1 ice": Media(PathVersion.V1, PeerCapabilities(ice_restart=True)),
    "v1": Media(PathVersion.V1, PeerCapabilities()),
    "v0 ice": Media(PathVersion.V0, PeerCapabilities(ice_restart=True)),
    "v0": Media(PathVersion.V0, PeerCapabilities()),
}
"""With ICE restarts and without."""


class Stay:
    """A session with its server and the owner of its peer connections.

    Args:
        media: a name of MEDIA.
        reconnect: the policy; None to end with the first loss.
        protocol: what the server says of itself.
        resumes: what its client configuration says of resuming, at each join.
        later: what it says of that at each resume; the same unless told otherwise.
        datagrams: whether the owner of the peer connections tells when a datagram comes.

    Attributes:
        life: the session and its time.
    """

    def __init__(
        self,
        media: str,
        *,
        reconnect: ReconnectPolicy | None,
        protocol: int = 17,
        resumes: models.ClientConfigSetting = models.UNSET,
        later: models.ClientConfigSetting | None = None,
        datagrams: bool = False,
    ) -> None:
        path, peers = MEDIA[media]
        if peers is not None:
            peers = replace(peers, datagrams=datagrams)
        self.life = SessionLife(configured(path=path, peers=peers, reconnect=reconnect))
        self._protocol = protocol
        self._resumes = resumes
        self._later = resumes if later is None else later
        self._joins = 0

    @property
    def sid(self) -> str:
        """The newest sid that the server gave to us."""
        return f"PA_{self._joins}"

    @property
    def peers(self) -> tuple[PeersId, PeerTarget] | None:
        """The peer connections that stand, and which of them is needed; None without any."""
        standing: tuple[PeersId, PeerTarget] | None = None
        for output in self.life.outputs:
            match output:
                case OpenPeers(peers=peers, topology=topology):
                    standing = peers, SUB if topology is Topology.DUAL else PUB
                case ClosePeers():
                    standing = None
                case _:
                    pass
        return standing

    # --- steps ---

    def arrive(self) -> None:
        """Connect; the server has not said anything yet."""
        self.life.connect()
        self.life.open()

    def join(self) -> None:
        """The server begins a session."""
        self._joins += 1
        message = media_join(self.life.session.config.path)
        message.join.participant.sid = self.sid
        message.join.server_info.protocol = self._protocol
        message.join.client_configuration.resume_connection = self._resumes
        self.life.hear(message)

    def flow(self) -> None:
        """The newest peer connections exchange descriptions and connect, where there are any."""
        if self.peers is None:
            return
        peers, target = self.peers
        session, now = self.life.session, self.life.now
        if target is SUB:
            self.life.hear(_OFFER)
            session.answer_made(peers, target, _OFFER.offer.id, "ours", now=now)
        else:
            session.offer_made(peers, target, ANSWER.answer.id, "ours", now=now)
            self.life.hear(ANSWER)
            session.answer_applied(peers, target, ANSWER.answer.id, now=now)
        self.change(PeerState.CONNECTED)

    def change(self, state: PeerState) -> None:
        """The peer connection that is needed comes to a state."""
        assert self.peers is not None
        peers, target = self.peers
        self.life.session.peer_state_changed(peers, target, state, now=self.life.now)

    def waver(self) -> None:
        """It is disconnected for a while."""
        self.change(PeerState.DISCONNECTED)

    def break_down(self) -> None:
        """It fails."""
        self.change(PeerState.FAILED)

    def shut(self) -> None:
        """The server closes it."""
        self.change(PeerState.CLOSED)

    def fail(self) -> None:
        """Its owner cannot go on with it."""
        assert self.peers is not None
        peers, target = self.peers
        self.life.session.peer_failed(peers, target, "no", now=self.life.now)

    def cut(self) -> None:
        """The link is lost."""
        self.life.cut(1006)

    def open(self) -> None:
        """The link of an attempt to come back opens."""
        self.life.open()

    def go_on(self) -> None:
        """The server goes on with the session."""
        told = models.ClientConfiguration(resume_connection=self._later)
        reconnect = rtc.ReconnectResponse(client_configuration=told)
        self.life.hear(rtc.SignalResponse(reconnect=reconnect))

    def begin_anew(self) -> None:
        """The server wants another session."""
        action = rtc.LeaveRequest.RECONNECT
        self.life.hear(rtc.SignalResponse(leave=rtc.LeaveRequest(action=action)))

    def answer_pings(self) -> None:
        """The server is heard."""
        self.life.hear(rtc.SignalResponse(pong=1))

    def last(self) -> None:
        """Nothing happens for a while."""
        for _ in range(4):
            self.life.wait(2.0)
            self.answer_pings()

    def close(self) -> None:
        """The application leaves."""
        self.life.close()

    def reach(self, stage: str) -> None:
        """Live straight into a stage; what was said on the way is taken."""
        for step in STAGES[stage].steps:
            step(self)
        assert self.life.session.phase is STAGES[stage].phase
        self.life.take()


class Stage(NamedTuple):
    """A point in a life."""

    phase: Phase
    steps: tuple[Callable[[Stay], None], ...]


_STAND = (Stay.arrive, Stay.join, Stay.flow)
_RESUMING = (*_STAND, Stay.cut)
_RESTARTING = (*_STAND, Stay.begin_anew)
_ANEW = (*_RESTARTING, Stay.open, Stay.join, Stay.flow)

STAGES: Final[Mapping[str, Stage]] = {
    "joining": Stage(Phase.JOINING, (Stay.arrive,)),
    "joined, media to come": Stage(Phase.JOINED, (Stay.arrive, Stay.join)),
    "joined": Stage(Phase.JOINED, _STAND),
    "dialing a resume": Stage(Phase.OPENING, _RESUMING),
    "asking to resume": Stage(Phase.JOINING, (*_RESUMING, Stay.open)),
    "settling": Stage(Phase.SETTLING, (*_STAND, Stay.waver, Stay.cut, Stay.open, Stay.go_on)),
    "resumed": Stage(Phase.JOINED, (*_RESUMING, Stay.open, Stay.go_on)),
    "dialing a restart": Stage(Phase.OPENING, _RESTARTING),
    "joining anew": Stage(Phase.JOINING, (*_RESTARTING, Stay.open)),
    "joined anew, media to come": Stage(Phase.JOINED, (*_RESTARTING, Stay.open, Stay.join)),
    "joined anew": Stage(Phase.JOINED, _ANEW),
    "joined anew for a while": Stage(Phase.JOINED, (*_ANEW, Stay.last)),
    "leaving": Stage(Phase.CLOSING, (*_STAND, Stay.close)),
    "leaving before the join": Stage(Phase.CLOSING, (Stay.arrive, Stay.close)),
    "leaving while asking to resume": Stage(Phase.CLOSING, (*_RESUMING, Stay.open, Stay.close)),
}
"""The points of a life at which things are done to it."""


def resumed_sid(url: str) -> str | None:
    """Whose session the URL asks to go on with; None where it asks for a new one."""
    parts = urlsplit(url)
    if parts.path == "/rtc":
        query = parse_qs(parts.query)
        return query["sid"][0] if query.get("reconnect") == ["1"] else None
    request = join_request(url)
    return request.participant_sid if request.reconnect else None
