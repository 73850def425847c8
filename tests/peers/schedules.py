"""A server and a network that do their worst, by a seeded lot, for a session that is to survive.

One schedule is one life: the session connects, and from then on each step is drawn: time passes,
the link dies or stalls, the server says something right or wrong, an old link speaks, the peer
connections come and go, the application asks for things. What must hold is looked at after each.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from livekit.protocol import models, rtc

from kitwire.commands import (
    ApplyAnswer,
    ApplyOffer,
    AwaitDatagram,
    CloseLink,
    ClosePeers,
    HttpGet,
    LinkId,
    MakeOffer,
    OpenLink,
    OpenPeers,
    PeersId,
    PeerState,
    PeerTarget,
    SendMessage,
    SessionCommand,
    Topology,
)
from kitwire.config import ClientConfig, PathVersion, PeerCapabilities, ReconnectPolicy
from kitwire.errors import DialError
from kitwire.events import Closed, Event, Joined, RequestEnded, RequestKey
from kitwire.reconnect_events import Lost, Restarted, Restarting, Resumed, Resuming
from kitwire.session.phases import Phase
from kitwire.session.session import Session
from tests.peers.frames import heard, said
from tests.peers.lives import configured
from tests.peers.media_lives import media_join

__all__ = ["Schedule", "run"]

_WAITS_FOR_NOBODY = (Phase.IDLE, Phase.CLOSED)
_SID = "PA_{}"


class Schedule:
    """One life.

    Args:
        seed: says everything that happens.

    Attributes:
        counts: how often each lifecycle event came; how often a link that is gone spoke while
            another was open (``haunted``); and how often each message was the first one in answer
            to a resume (``first: leave``).
    """

    def __init__(self, seed: int) -> None:
        lot = self.lot = random.Random(seed)
        self.now = 0.0
        self.config = self._config()
        self.session = Session(self.config, jitter=lot.random)
        self.counts: Counter[str] = Counter()
        self.over = False
        self._link: LinkId | None = None
        self._opened: set[LinkId] = set()
        self._gone: list[LinkId] = []
        self._peers: PeersId | None = None
        self._work: list[Callable[[], None]] = []
        self._asked: list[RequestKey] = []
        self._ended: set[RequestKey] = set()
        self._last_sent = ""
        self._unsettled_since: float | None = None
        self._episode = False
        self._attempt = 0
        self._restarting = False
        self._steady_at = 0.0
        self._counted = 0
        self._sessions = 0
        self._sid = ""
        self._joined_anew = False
        self._offers = 100

    def _config(self) -> ClientConfig:
        lot = self.lot
        peers = PeerCapabilities(
            ice_restart=lot.random() < 0.7,
            datagrams=lot.random() < 0.5,
            hold_while_connecting=lot.random() < 0.3,
        )
        return replace(
            configured(),
            path=lot.choice([PathVersion.V0, PathVersion.V1]),
            peers=peers if lot.random() < 0.9 else None,
            ice_servers=() if lot.random() < 0.3 else None,
            reconnect=ReconnectPolicy(attempts=lot.randint(1, 6), resumes=lot.randint(0, 3)),
        )

    def live(self, steps: int) -> None:
        """Live for so many steps, then leave, and let time pass until it is over."""
        self.session.connect(now=self.now)
        self._look()
        for _ in range(steps):
            self.lot.choices(_STEPS, _WEIGHTS)[0](self)
            self._look()
            if self.over:
                break
        self.session.close(now=self.now)
        self._look()
        while not self.over:
            self._pass_time()
        assert self.session.deadline is None
        assert set(self._asked) == self._ended, "a request without an outcome"

    # --- what happens ---

    def _pass_time(self) -> None:
        """Until the next deadline, or a part of the way there."""
        deadline = self.session.deadline
        if deadline is None:
            return
        self.now = max(self.now, deadline) if self.lot.random() < 0.8 else self.now + 0.05
        self.session.handle_timeout(now=self.now)
        self._look()

    def _serve(self) -> None:
        """The network and the server do what they should, next."""
        if self._work and self.lot.random() < 0.6:
            self._work.pop(0)()
        elif self._link is not None and self._link not in self._opened:
            self._opened.add(self._link)
            self.session.link_opened(self._link, now=self.now)
        elif self.session.phase is Phase.JOINING:
            self._say(self._first())
        else:
            self._say(rtc.SignalResponse(pong=1))

    def _first(self) -> rtc.SignalResponse:
        """The right first message, as a rule."""
        if not self._resuming:
            return self._join()
        return self.lot.choices([self._reconnect, self._join, self._anything], [8, 1, 1])[0]()

    def _reconnect(self) -> rtc.SignalResponse:
        last = self.lot.randint(0, 3)
        return rtc.SignalResponse(reconnect=rtc.ReconnectResponse(last_message_seq=last))

    def _join(self) -> rtc.SignalResponse:
        self._sessions += 1
        message = media_join(self.config.path)
        message.join.participant.sid = _SID.format(self._sessions)
        if self.lot.random() < 0.05:
            message.join.client_configuration.resume_connection = models.DISABLED
        return message

    def _say(self, message: rtc.SignalResponse) -> None:
        if self._link is None:
            return
        if self._resuming and self.session.phase is Phase.JOINING:
            self.counts[f"first: {message.WhichOneof('message')}"] += 1
        self.session.receive_message(self._link, said(message), now=self.now)

    @property
    def _resuming(self) -> bool:
        return self._attempt > 0 and not self._restarting

    def _misspeak(self) -> None:
        """The server says what nobody asked for."""
        self._say(self._anything())

    def _anything(self) -> rtc.SignalResponse:
        lot = self.lot
        actions = [rtc.LeaveRequest.RESUME, rtc.LeaveRequest.RECONNECT, 7]
        action = lot.choice(actions) if lot.random() < 0.97 else rtc.LeaveRequest.DISCONNECT
        reason = lot.choice([models.STATE_MISMATCH, models.CONNECTION_TIMEOUT])
        leave = rtc.LeaveRequest(action=action, reason=reason)  # type: ignore[arg-type]  # an int, as on the wire
        self._offers += 1
        offer = rtc.SessionDescription(type="offer", sdp="a=ice-ufrag:x", id=self._offers)
        answer = rtc.SessionDescription(type="answer", sdp="theirs", id=lot.randint(0, 4))
        sections = rtc.MediaSectionsRequirement(num_audios=lot.randint(0, 2))
        return lot.choice(
            [
                rtc.SignalResponse(leave=leave),
                rtc.SignalResponse(offer=offer),
                rtc.SignalResponse(answer=answer),
                rtc.SignalResponse(media_sections_requirement=sections),
                rtc.SignalResponse(reconnect=rtc.ReconnectResponse()),
                rtc.SignalResponse(refresh_token=f"token.{lot.randint(0, 9)}.x"),
                self._join(),
                rtc.SignalResponse(),
            ]
        )

    def _garble(self) -> None:
        if self._link is not None:
            for _ in range(self.lot.randint(1, 6)):
                self.session.receive_message(self._link, b"\xff", now=self.now)

    def _break(self) -> None:
        """The link dies, in one way or another."""
        if self._link is None:
            return
        lot, link = self.lot, self._link
        if link in self._opened:
            self.session.link_closed(link, code=lot.choice([None, 1000, 1006]), now=self.now)
        elif lot.random() < 0.5:
            self.session.link_failed(link, lot.choice([*DialError]), now=self.now)
        elif lot.random() < 0.7:
            self.session.link_refused(link, lot.choice([500, 503, 429]), b"", now=self.now)
        else:
            self.session.link_refused(link, lot.choice([401, 403, 404]), b"", now=self.now)

    def _explain(self) -> None:
        if self._link is not None and self.session.phase is Phase.VALIDATING:
            status = self.lot.choice([200, 200, 500, 401])
            self.session.http_responded(self._link, status, b"", now=self.now)

    def _haunt(self) -> None:
        """A link that is gone speaks."""
        if self._gone:
            old = self.lot.choice(self._gone)
            before, token = self.session.phase, self.session.token
            self.counts["haunted"] += self._link in self._opened
            leave = rtc.SignalResponse(leave=rtc.LeaveRequest())
            for message in (self._anything(), leave):
                self.session.receive_message(old, said(message), now=self.now)
            self.session.link_closed(old, now=self.now)
            assert self.session.phase is before, "a dead link was heard"
            assert self.session.token == token, "a dead link was heard"
            assert self.session.poll() is None, "a dead link was heard"

    def _ask(self) -> None:
        """The application asks for something, where it may."""
        if self.session.phase in (Phase.IDLE, Phase.CLOSING, Phase.CLOSED):
            return
        session, number = self.session, len(self._asked)
        ways: list[Callable[[], RequestKey]] = [
            lambda: session.mute_track(f"TR_{number:06}", True, now=self.now),
            lambda: session.update_metadata(f"{number:06}", now=self.now),
            lambda: session.update_subscription(
                subscribe=number % 2 == 0, track_sids=[f"TR_{number}"], now=self.now
            ),
        ]
        made = self.lot.choice(ways)()
        self._asked.append(made)
        self._look()
        if session.phase is Phase.JOINED:
            session.negotiate(now=self.now)

    def _media(self) -> None:
        """A peer connection changes its state."""
        if self._peers is None:
            return
        state = self.lot.choices(
            [PeerState.CONNECTED, PeerState.DISCONNECTED, PeerState.FAILED], [8, 2, 1]
        )[0]
        for target in self._targets:
            self.session.peer_state_changed(self._peers, target, state, now=self.now)

    def _hurry(self) -> None:
        self.session.reconnect_now(now=self.now)

    # --- what comes out ---

    def _look(self) -> None:
        """Take what was said, do what was asked, and see that all is as it must be."""
        while (output := self.session.poll()) is not None:
            assert not self.over, "something after Closed"
            self._take(output)
        phase = self.session.phase
        self.over = phase is Phase.CLOSED
        if phase is Phase.JOINED and self._episode:
            since = self._unsettled_since = self._unsettled_since or self.now
            assert self.now < since + 2 * self.config.timeouts.peers, "never settles"
        else:
            self._unsettled_since = None
        if phase not in _WAITS_FOR_NOBODY and phase is not Phase.JOINED:
            assert self.session.deadline is not None, f"stuck in {phase}"

    def _take(self, output: SessionCommand | Event) -> None:
        session, now = self.session, self.now
        match output:
            case OpenLink(link=link) | HttpGet(link=link):
                assert self._link is None, "two links"
                self._link = link
            case SendMessage(link=link, data=data):
                assert link == self._link, "a message for a dead link"
                assert link in self._opened, "a message for a link that is not open"
                request = heard(data)
                label = request.mute.sid or request.update_metadata.metadata
                if label:
                    assert label[-6:] > self._last_sent, "out of order"
                    self._last_sent = label[-6:]
            case CloseLink(link=link):
                assert link == self._link, "let go of what is not there"
                self._gone.append(link)
                self._link = None
            case OpenPeers(peers=peers, topology=topology):
                assert self._peers is None, "two sets of peer connections"
                self._peers = peers
                both = [PeerTarget.PUBLISHER, PeerTarget.SUBSCRIBER]
                self._targets = both if topology is Topology.DUAL else both[:1]
            case ClosePeers(peers=peers):
                assert peers == self._peers
                self._peers = None
                self._work.clear()
            case MakeOffer(peers=peers, target=target, offer_id=number):
                assert peers == self._peers
                self._work.append(
                    lambda: session.offer_made(peers, target, number, "ours", now=self.now)
                )
            case ApplyAnswer(peers=peers, target=target, offer_id=number):
                assert peers == self._peers
                self._work.append(
                    lambda: session.answer_applied(peers, target, number, now=self.now)
                )
            case ApplyOffer(peers=peers, target=target, offer_id=number):
                assert peers == self._peers
                self._work.append(
                    lambda: session.answer_made(peers, target, number, "ours", now=self.now)
                )
            case AwaitDatagram(peers=peers, target=target):
                assert peers == self._peers
                if self.lot.random() < 0.9:
                    self._work.append(
                        lambda: session.datagram_received(peers, target, now=self.now)
                    )
            case RequestEnded(key=key):
                assert key not in self._ended, "two outcomes"
                self._ended.add(key)
            case Joined(participant=participant):
                self._sid, self._joined_anew = participant.sid, True
            case Lost() | Resuming() | Restarting() | Resumed() | Restarted() | Closed():
                self._follow(output)
            case _:
                pass
        assert now == self.now

    def _follow(self, event: Lost | Resuming | Restarting | Resumed | Restarted | Closed) -> None:
        """Each episode is one Lost, attempts that count up, and one end."""
        self.counts[type(event).__name__] += 1
        match event:
            case Lost():
                assert not self._episode, "an episode within an episode"
                self._episode, self._restarting, self._joined_anew = True, False, False
                # What was restarted must have stood a while.
                self._attempt = self._counted if self.now < self._steady_at else 0
            case Resuming() | Restarting():
                assert self._episode
                assert event.attempt == self._attempt + 1
                assert not (self._restarting and isinstance(event, Resuming)), "back to resuming"
                self._attempt = event.attempt
                self._restarting |= isinstance(event, Restarting)
                assert self._attempt <= (self.config.reconnect or ReconnectPolicy()).attempts
            case Resumed() | Restarted():
                assert self._episode
                assert event.sid == self._sid, "a session that is not there"
                assert self._joined_anew is isinstance(event, Restarted), "not what happened"
                self._counted = self._attempt if isinstance(event, Restarted) else 0
                self._steady_at = self.now + (self.config.reconnect or ReconnectPolicy()).cap
                self._episode, self._attempt, self._restarting = False, 0, False
            case Closed():
                assert self.session.closed


_STEPS = (
    Schedule._pass_time,
    Schedule._serve,
    Schedule._misspeak,
    Schedule._garble,
    Schedule._break,
    Schedule._explain,
    Schedule._haunt,
    Schedule._ask,
    Schedule._media,
    Schedule._hurry,
)
_WEIGHTS = (6, 40, 4, 1, 5, 4, 3, 5, 10, 2)


def run(seeds: range, steps: int) -> Counter[str]:
    """Live so many schedules; how often each lifecycle event came in all of them.

    Raises:
        AssertionError: with the seed, where something does not hold.
    """
    counts: Counter[str] = Counter()
    for seed in seeds:
        schedule = Schedule(seed)
        try:
            schedule.live(steps)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        counts.update(schedule.counts)
    return counts
