"""Sessions and clients whose peer connections are played by the test."""

from __future__ import annotations

from typing import Unpack

from livekit.protocol import models, rtc

from kitwire.client import Client
from kitwire.commands import Command, PeerCommand, PeersId, PeerTarget
from kitwire.config import ClientConfig, ClientOptions, PathVersion, PeerCapabilities
from kitwire.errors import CloseReason
from kitwire.events import Event
from kitwire.peer_events import PeerEvent
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from tests.peers.frames import join
from tests.peers.lives import SessionLife, configured
from tests.peers.virtual_server import ClientLife, frame

__all__ = [
    "ABLE",
    "PEERS",
    "PUB",
    "SUB",
    "ClientMedia",
    "MediaLife",
    "SessionMedia",
    "media_join",
    "with_peers",
]

PUB = PeerTarget.PUBLISHER
SUB = PeerTarget.SUBSCRIBER
PEERS = PeersId(1)
ABLE = PeerCapabilities(trickle_out=True)


def with_peers(
    path: PathVersion = PathVersion.V1, /, **options: Unpack[ClientOptions]
) -> ClientConfig:
    """A config whose peer connections have an owner."""
    options.setdefault("peers", ABLE)
    options["path"] = path
    return configured(**options)


def media_join(path: PathVersion) -> rtc.SignalResponse:
    """The join message of a real server: on the old path, the subscriber comes first."""
    message = join()
    message.join.subscriber_primary = path is PathVersion.V0
    message.join.ice_servers[0].credential = "hush-credential"
    message.join.participant.permission.CopyFrom(models.ParticipantPermission(can_subscribe=True))
    return message


class MediaLife:
    """A session or a client, and what both have in common. What came out is taken in parts."""

    def __init__(self, life: SessionLife | ClientLife) -> None:
        self.life = life
        self._taken = 0
        self._requests = 0

    @property
    def core(self) -> Session | Client:
        return self.life.session if isinstance(self.life, SessionLife) else self.life.client

    @property
    def now(self) -> float:
        return self.life.now

    def open(self) -> None:
        """Connect; the server has not said anything yet."""
        self.life.reach(Phase.JOINING)

    def join(self, message: rtc.SignalResponse | None = None) -> None:
        """Connect and be let in."""
        self.open()
        self.say(message or media_join(self.core.config.path))

    def say(self, *messages: rtc.SignalResponse) -> None:
        """The server says something."""
        for message in messages:
            self.say_frame(message.SerializeToString())

    def say_frame(self, data: bytes) -> None:
        """The server says whatever this is."""
        if isinstance(self.life, SessionLife):
            self.life.hear_frame(data)
        else:
            self.life.deliver(frame(2, data))

    def wait(self, seconds: float) -> None:
        self.life.wait(seconds)

    def cut(self) -> None:
        """The link is lost."""
        if isinstance(self.life, SessionLife):
            self.life.cut()
        else:
            self.life.deliver(b"")

    @property
    def reason(self) -> CloseReason:
        _ = self.outputs
        return self.life.reason

    @property
    def outputs(self) -> list[Command | Event]:
        """Everything that was said so far."""
        if isinstance(self.life, ClientLife):
            self.life.settle()
        return [*self.life.outputs]

    def take(self) -> list[PeerCommand | PeerEvent | Event]:
        """Peer commands and events since this was last asked, without what is said of links."""
        fresh = self.outputs[self._taken :]
        self._taken += len(fresh)
        return [item for item in fresh if isinstance(item, PeerCommand | Event)]

    def sent(self) -> list[rtc.SignalRequest]:
        """The requests sent since this was last asked, without pings."""
        _ = self.outputs
        fresh = self.life.requests[self._requests :]
        self._requests += len(fresh)
        return [each for each in fresh if each.WhichOneof("message") != "ping_req"]


class SessionMedia(MediaLife):
    """By messages."""

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(SessionLife(config))


class ClientMedia(MediaLife):
    """By bytes."""

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(ClientLife(config))
