"""The loop that docs/embedding.md prints: it is the file, it is short, and it does what loops must.

That it lives with a real server is shown by the interop suite and by running the page.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from livekit.protocol import models, rtc

from kitwire import (
    Client,
    ClientConfig,
    Closed,
    CloseReason,
    Event,
    Joined,
    Origin,
    ParticipantsUpdated,
    Reason,
    RequestEnded,
    Timeouts,
)
from kitwire_cli import bare
from tests.peers.scripted_server import Connection, scripted_server

PROJECT = Path(__file__).resolve().parents[2]


class Life:
    """One client on the bare loop, from connect to close."""

    def __init__(
        self,
        url: str,
        react: Callable[[Client, Event], object] | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        config = ClientConfig(
            url=url, token="a.b.c", timeouts=timeouts or Timeouts(), reconnect=None
        )
        self.client = Client(config)
        self.events: list[Event] = []
        self.selector = selectors.DefaultSelector()
        self._react = react

    def run(self) -> CloseReason:
        """Why it ended."""
        with self.selector:
            self.client.connect(now=monotonic())
            bare.run(self.client, self._on_event, self.selector)
            assert all(callable(key.data) for key in self.selector.get_map().values())
        last = self.events[-1]
        assert isinstance(last, Closed)
        return last.reason

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        if self._react is not None:
            self._react(self.client, event)


def leave_when_joined(client: Client, event: Event) -> None:
    if isinstance(event, Joined):
        client.close(now=monotonic())


def says_nothing(connection: Connection) -> None:
    connection.wait_for_end()


def refuses(connection: Connection) -> None:
    connection.end.refuse(401, "invalid API key")
    connection.flush()


def resets(connection: Connection) -> None:
    connection.let_in()
    connection.request("ping_req")
    connection.reset()


def test_the_page_prints_the_file_and_it_is_short() -> None:
    file = (PROJECT / "adapters" / "kitwire_cli" / "bare.py").read_text(encoding="utf-8")
    page = (PROJECT / "docs" / "embedding.md").read_text(encoding="utf-8")
    assert f"```python\n{file}```\n" in page
    assert len(file.splitlines()) <= 60


def test_joining_asking_and_leaving() -> None:
    def react(client: Client, event: Event) -> None:
        if isinstance(event, Joined):
            client.update_metadata(metadata="x" * 500_000, now=monotonic())
        if isinstance(event, RequestEnded):
            assert event.failure is None
            client.close(now=monotonic())

    with scripted_server() as server:
        life = Life(server.url, react)
        assert life.run().reason is Reason.CLIENT_INITIATED
    assert isinstance(life.events[0], Joined)


@pytest.mark.parametrize(
    ("script", "timeouts", "origin", "reason"),
    [
        (says_nothing, Timeouts(open=0.2), Origin.TIMEOUT, Reason.OPEN_TIMEOUT),
        (refuses, Timeouts(), Origin.AUTH, Reason.BAD_TOKEN),
        (resets, Timeouts(), Origin.LINK, Reason.LINK_LOST),
    ],
)
def test_what_the_server_may_do_is_classified(
    script: Callable[[Connection], None], timeouts: Timeouts, origin: Origin, reason: Reason
) -> None:
    with scripted_server(script) as server:
        ended = Life(server.url, timeouts=timeouts).run()
    assert (ended.origin, ended.reason) == (origin, reason)


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "ws://no-such-host.invalid"])
def test_a_server_that_is_not_there(url: str) -> None:
    ended = Life(url).run()
    assert ended.reason is Reason.UNREACHABLE
    assert ended.retryable


def test_what_else_is_in_the_selector_is_called() -> None:
    ask, asked = socket.socketpair()
    joined = threading.Event()

    def react(client: Client, event: Event) -> None:
        if isinstance(event, Joined):
            joined.set()

    def leave() -> None:
        asked.recv(1)
        life.client.close(now=monotonic())

    def ask_when_joined() -> None:
        assert joined.wait(10)
        ask.send(b"!")

    asker = threading.Thread(target=ask_when_joined)
    with scripted_server() as server, ask, asked:
        life = Life(server.url, react)
        life.selector.register(asked, selectors.EVENT_READ, leave)
        asker.start()
        assert life.run().reason is Reason.CLIENT_INITIATED
        asker.join()


def test_tls_in_both_directions(
    trusting: ssl.SSLContext, presenting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages of many TLS records: nothing that TLS has read already may wait unseen."""
    big = models.ParticipantInfo(sid="PA_2", identity="bob", metadata="y" * 1_000_000)

    def script(connection: Connection) -> None:
        connection.let_in()
        connection.send(rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=[big])))
        asked = connection.request("update_metadata").update_metadata
        assert asked.metadata == "x" * 1_000_000
        connection.request("leave")
        connection.end.close()
        connection.flush()
        connection.wait_for_end()

    def react(client: Client, event: Event) -> None:
        if isinstance(event, ParticipantsUpdated):
            client.update_metadata(metadata="x" * 1_000_000, now=monotonic())
            client.close(now=monotonic())

    monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
    with scripted_server(script, tls=presenting) as server:
        life = Life(server.url, react)
        assert life.run().reason is Reason.CLIENT_INITIATED
    (news,) = [event for event in life.events if isinstance(event, ParticipantsUpdated)]
    assert len(news.participants[0].metadata) == 1_000_000


def test_a_certificate_that_nobody_trusts(presenting: ssl.SSLContext) -> None:
    with scripted_server(tls=presenting) as server:
        ended = Life(server.url).run()
    assert ended.reason is Reason.TLS_FAILURE


def test_a_server_that_stops_reading_does_not_stop_time() -> None:
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.let_in()
        assert done.wait(20)

    def react(client: Client, event: Event) -> None:
        if isinstance(event, Joined):
            for number in range(12):
                client.send_offer("v" * 1_000_000, offer_id=number + 1, now=monotonic())
            client.close(now=monotonic())

    with scripted_server(script) as server:
        try:
            started = monotonic()
            assert Life(server.url, react, Timeouts(close=0.2)).run().retryable is False
            assert monotonic() - started < 10
        finally:
            done.set()


def test_closing_before_the_first_turn() -> None:
    with scripted_server() as server:
        life = Life(server.url)
        life.client.connect(now=monotonic())
        life.client.close(now=monotonic())
        with life.selector:
            bare.run(life.client, life.events.append, life.selector)
    assert [type(event) for event in life.events] == [Closed]


def test_closing_before_a_dial_that_fails() -> None:
    life = Life("ws://127.0.0.1:1")
    life.client.connect(now=monotonic())
    life.client.close(now=monotonic())
    with life.selector:
        bare.run(life.client, life.events.append, life.selector)
    assert [type(event) for event in life.events] == [Closed]
