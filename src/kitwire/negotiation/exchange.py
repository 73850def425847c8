"""What the two kinds of exchange share: a phase by a table, a deadline, an end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from ..errors import LocalProtocolError
from .outputs import NegotiationFailure
from .peer import Peer
from .phases import OVER, Phase, Trigger

__all__ = ["Agreed", "Description", "Exchange"]


_TASKS: Final = MappingProxyType(
    {
        Phase.MAKING: "make an offer",
        Phase.APPLYING: "apply the server's description",
        Phase.SUPERSEDED: "apply the server's description",
    }
)


class Description(NamedTuple):
    """A description of the server's that waits, or is being applied."""

    offer_id: int
    sdp: str
    mid_to_track_id: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Description(offer_id={self.offer_id})"


class Agreed(NamedTuple):
    """The last descriptions that both sides have."""

    offer: str
    answer: str

    def __repr__(self) -> str:
        return "Agreed()"


class Exchange(ABC):
    """The exchange of descriptions of one target. Times are in seconds.

    Args:
        peer: the target's peer connection.
        table: :data:`~.phases.OFFERING` or :data:`~.phases.ANSWERING`.
    """

    def __init__(self, peer: Peer, table: Mapping[tuple[Phase, Trigger], Phase]) -> None:
        self.peer = peer
        self.deadline: float | None = None
        """When what is under way must be done; None where nothing is that has to be."""
        self.agreed: Agreed | None = None
        """The last descriptions that both sides have; None before the first."""
        self._table = table
        self._phase = Phase.UNOPENED

    @property
    def phase(self) -> Phase:
        """Where the exchange is."""
        return self._phase

    @property
    def over(self) -> bool:
        """Whether nothing more is asked of the target."""
        return self._phase in OVER

    def open(self, now: float) -> None:
        """The peer connections are made; what waited for that can begin."""
        self._advance(Trigger.OPEN)
        self.resume(now)

    @abstractmethod
    def resume(self, now: float) -> None:
        """Do what waited, if it can be done now."""

    def fail(self, failure: NegotiationFailure, detail: str) -> None:
        """End for good, and say why. Harmless when it is over."""
        if self._advance(Trigger.FAIL):
            self._forget()
            self.peer.fail(failure, detail)

    def close(self) -> None:
        """The peer connections are closed."""
        self._advance(Trigger.CLOSE)
        self._forget()
        self.peer.end()

    def timed_out(self, now: float) -> None:
        """Fail if a deadline has come."""
        if self.deadline is not None and self.deadline <= now:
            self._overdue()
        elif self.peer.connect_by is not None and self.peer.connect_by <= now:
            within = f"{self.peer.timeouts.peers:g} s"
            self.fail(
                NegotiationFailure.NOT_CONNECTED,
                f"the {self.peer.target} did not connect within {within}",
            )

    def _overdue(self) -> None:
        target, within = self.peer.target, f"{self.peer.timeouts.negotiation:g} s"
        if self._phase is Phase.AWAITING:
            detail = f"the server did not answer the {target}'s offer within {within}"
            self.fail(NegotiationFailure.NO_ANSWER, detail)
        else:
            detail = f"the {target} took more than {within} to {_TASKS[self._phase]}"
            self.fail(NegotiationFailure.PEER_STALLED, detail)

    def _forget(self) -> None:
        """Drop what waits."""
        self.deadline = None

    def _advance(self, trigger: Trigger) -> bool:
        """Move on, where the table says that the trigger means something."""
        phase = self._table.get((self._phase, trigger))
        if phase is None:
            return False
        self._phase = phase
        return True

    def _arm(self, now: float) -> None:
        self.deadline = now + self.peer.timeouts.negotiation

    def _expects(self, method: str, allowed: tuple[Phase, ...], *, due: int, given: int) -> bool:
        """Whether a result of the owner's counts; late ones of a target that is over do not.

        Raises:
            LocalProtocolError: for a result that was not asked for.
        """
        if self.over:
            return False
        names = tuple(str(phase) for phase in allowed)
        if self._phase not in allowed:
            raise LocalProtocolError(
                method,
                f"the {self.peer.target} is {self._phase}; allowed in {', '.join(names)}",
                phase=str(self._phase),
                allowed=names,
            )
        if given != due:
            raise LocalProtocolError(method, f"offer {due} is under way, not {given}")
        return True
