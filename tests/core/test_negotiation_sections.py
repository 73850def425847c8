"""The account of media sections, held against the server's own way of counting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwire.negotiation.sections import SectionLedger, Sections


def test_the_first_offer_has_its_sections() -> None:
    ledger = SectionLedger(Sections(1, 2))
    assert ledger.due
    assert ledger.take() == (1, 2)
    assert not ledger.due


@pytest.mark.parametrize(
    ("first", "asked", "added"),
    [
        ((0, 0), [(2, 1)], (2, 1)),
        ((1, 1), [(1, 1)], (0, 0)),
        ((1, 1), [(3, 0)], (2, 0)),
        ((1, 1), [(1, 0), (1, 0)], (1, 0)),
        ((1, 1), [(0, 0)], (0, 0)),
        ((5, 0), [(2, 1), (2, 1)], (0, 2)),
    ],
)
def test_sections_on_their_way_count_against_what_is_required(
    first: tuple[int, int], asked: list[tuple[int, int]], added: tuple[int, int]
) -> None:
    ledger = SectionLedger(Sections(*first))
    ledger.take()
    for needed in asked:
        ledger.require(Sections(*needed))
    assert ledger.due is (added != (0, 0))
    assert ledger.take() == added


def test_what_follows_an_answer_counts_from_anew() -> None:
    """Asked for while an offer was out, and asked for again right after its answer: once."""
    ledger = SectionLedger(Sections(0, 0))
    ledger.require(Sections(2, 0))
    assert ledger.take() == (2, 0)
    ledger.require(Sections(1, 0))
    ledger.answered()
    ledger.require(Sections(1, 0))
    assert ledger.take() == (1, 0)


def test_sections_that_were_answered_do_not_count_any_more() -> None:
    ledger = SectionLedger(Sections(3, 0))
    ledger.take()
    ledger.answered()
    ledger.require(Sections(1, 0))
    assert ledger.take() == (1, 0)


class Server:
    """The counting of the server (livekit pkg/rtc/transport.go), for one kind."""

    def __init__(self) -> None:
        self.tracks = 0
        self.sections = 0
        self.requested = 0

    @property
    def outstanding(self) -> int:
        return max(0, self.tracks - self.sections)

    def requirement(self) -> int:
        delta = max(0, self.outstanding - self.requested)
        self.requested += delta
        return delta

    def answers(self, sections: int) -> None:
        self.sections += sections
        self.requested = 0


@given(
    first=st.integers(0, 3),
    steps=st.lists(st.sampled_from(["track", "offer", "receive", "answer"]), max_size=40),
)
def test_the_server_gets_what_it_needs_and_not_one_more(first: int, steps: list[str]) -> None:
    """Messages pass in order, both ways, while tracks come at any time."""
    server, ledger = Server(), SectionLedger(Sections(first, 0))
    on_the_way: int | None = None
    received: int | None = None
    to_client: list[int | None] = []  # a requirement, or None for an answer

    def read() -> None:
        nonlocal received
        for message in to_client:
            if message is None:
                ledger.answered()
                received = None
            else:
                ledger.require(Sections(message, 0))
        to_client.clear()

    def offer() -> None:
        nonlocal on_the_way
        if on_the_way is None and received is None:
            on_the_way = ledger.take().audios

    def receive() -> None:
        nonlocal on_the_way, received
        if on_the_way is not None:
            received, on_the_way = on_the_way, None

    def reply() -> None:
        if received is not None and None not in to_client:
            server.answers(received)
            to_client.append(None)
            if needed := server.requirement():
                to_client.append(needed)

    for step in [*steps, *["offer", "receive", "answer", "read"] * 3]:
        match step:
            case "track":
                server.tracks += 1
                if needed := server.requirement():
                    to_client.append(needed)
            case "offer":
                read()
                offer()
            case "receive":
                receive()
            case "answer":
                reply()
            case _:
                read()
    assert server.outstanding == 0
    assert server.sections == max(first, server.tracks)
