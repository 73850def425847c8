"""One participant in a room, by any of the three ways of use, with blocking methods.

A scenario is plain code over :class:`Participant`, and runs the same on asyncio, trio and the bare
loop: each participant has a loop in a thread of its own. Nothing here sleeps; every wait is for an
event and has an end. Whatever a participant showed anybody (events, traces, exceptions) is kept as
text too, so that a test can look for secrets in it.
"""

from __future__ import annotations

import contextlib
import random
import re
import selectors
import socket
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from ssl import SSLContext
from typing import Final, Generic, Literal, Protocol, TypeVar, Unpack, get_args

from anyio.from_thread import BlockingPortal, start_blocking_portal

import kitwire_asyncio
import kitwire_trio
from kitwire import Client, ClientConfig
from kitwire.config import ClientOptions
from kitwire.errors import CloseReason, ConnectFailed, RequestFailed
from kitwire.events import (
    Closed,
    Event,
    Joined,
    ParticipantsUpdated,
    RequestEnded,
    RequestKey,
    RequestResult,
)
from kitwire.messages import ParticipantInfo
from kitwire.room import Room
from kitwire_cli import bare

__all__ = ["LOOPS", "WITHIN", "Log", "LoopName", "Participant", "Witness", "joined", "refusal"]

LoopName = Literal["asyncio", "trio", "bare"]

LOOPS: Final[tuple[LoopName, ...]] = get_args(LoopName)

WITHIN: Final = 10.0
"""Seconds to wait for what usually takes milliseconds."""

SECRET: Final = re.compile(
    r"eyJ[\w-]{8,}\."
    r"|ice-(?:pwd|ufrag):(?!<redacted(?:-\d+)?>)\S{4}"
    r"|ufrag (?!<redacted(?:-\d+)?>)\w+"
)
"""A JWT's header or what it says, and ICE credentials in a session description or a candidate.

With the dot behind it: a participant's sid alone may well begin with the same letters.
"""

E = TypeVar("E", bound=Event)
R = TypeVar("R")
T = TypeVar("T")


class Connect(Protocol):
    """The `connect` of an adapter."""

    def __call__(
        self,
        url: str,
        *,
        token: str,
        ssl: SSLContext | None = None,
        **options: Unpack[ClientOptions],
    ) -> AbstractAsyncContextManager[Room]: ...


CONNECT: Final[dict[str, Connect]] = {
    "asyncio": kitwire_asyncio.connect,
    "trio": kitwire_trio.connect,
}


@dataclass
class Witness:
    """What one or more participants let anybody see, as text."""

    texts: list[str] = field(default_factory=list)

    def note(self, thing: object) -> None:
        """Keep how a thing prints, in both ways that things print."""
        self.texts += [repr(thing), str(thing)]

    def note_error(self, error: BaseException) -> None:
        """Keep an exception as a crash would show it, with all that it came from."""
        self.note(error)
        self.texts.append("".join(traceback.format_exception(error)))

    def secrets(self) -> list[str]:
        """What should not be in there: tokens, passwords of ICE; each with what is before it."""
        return [
            text[max(0, found.start() - 40) : found.end()]
            for text in self.texts
            for found in SECRET.finditer(text)
        ]


class Log(Generic[T]):
    """What has come so far, in order, and waiting for more."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._failure: BaseException | None = None
        self._more = threading.Condition()

    def add(self, item: T) -> None:
        with self._more:
            self._items.append(item)
            self._more.notify_all()

    def fail(self, failure: BaseException) -> None:
        """Nothing more will come: whoever waits is told why."""
        with self._more:
            self._failure = failure
            self._more.notify_all()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        with self._more:
            return iter(tuple(self._items))

    def wait_for(self, find: Callable[[T], R | None], *, within: float, after: int = 0) -> R:
        """What `find` finds first, in items that are there or that are yet to come."""

        def search() -> R | None:
            finds = (find(item) for item in self._items[after:])
            return next((found for found in finds if found is not None), None)

        with self._more:
            self._more.wait_for(lambda: search() is not None or self._failure, within)
            found = search()
            if found is not None:
                return found
            shown = "\n".join(map(repr, self._items[after:]))
        raise AssertionError(f"it did not come within {within} s, but:\n{shown}") from self._failure


class Participant(ABC):
    """Somebody in a room. Every method blocks until it is done, or fails within `WITHIN`."""

    def __init__(self, witness: Witness) -> None:
        self.events: Log[Event] = Log()
        self._witness = witness

    def _add(self, event: Event) -> None:
        self._witness.note(event)
        self.events.add(event)

    @property
    def joined(self) -> Joined:
        """What the server said at the join."""
        return self.wait_for(Joined)

    @property
    def sid(self) -> str:
        """Our participant sid."""
        return self.joined.participant.sid

    @property
    def identity(self) -> str:
        """Our identity, as the server says it."""
        return self.joined.participant.identity

    def call(self, method: str, **arguments: object) -> RequestResult:
        """Make a request by its method's name, which is the same for all ways of use.

        Returns its result once it is done. Raises RequestFailed.
        """
        try:
            return self._call(method, arguments)
        except Exception as error:
            self._witness.note_error(error)
            raise

    def wait_for(
        self,
        kind: type[E],
        where: Callable[[E], object] = lambda event: True,
        *,
        within: float = WITHIN,
        after: int = 0,
    ) -> E:
        """The first event of a kind, whether it has come already or is yet to come.

        `after` leaves out that many events from the beginning: `len(somebody.events)` in time.
        """

        def find(event: Event) -> E | None:
            return event if isinstance(event, kind) and where(event) else None

        return self.events.wait_for(find, within=within, after=after)

    def wait_for_participant(
        self, identity: str, where: Callable[[ParticipantInfo], object] = lambda info: True
    ) -> ParticipantInfo:
        """The first news of somebody (ourselves too) that shows what is looked for."""

        def find(event: Event) -> ParticipantInfo | None:
            infos = event.participants if isinstance(event, ParticipantsUpdated) else ()
            return next((i for i in infos if i.identity == identity and where(i)), None)

        return self.events.wait_for(find, within=WITHIN)

    def closed(self, *, within: float = WITHIN) -> CloseReason:
        """Wait for the end, and say why it came."""
        return self.wait_for(Closed, within=within).reason

    @abstractmethod
    def leave(self) -> CloseReason:
        """Leave, and wait until that is done."""

    @abstractmethod
    def _call(self, method: str, arguments: dict[str, object]) -> RequestResult: ...


class _OnAdapter(Participant):
    """By an adapter: the loop is in a thread of its own, behind anyio's portal."""

    def __init__(self, witness: Witness, portal: BlockingPortal, room: Room) -> None:
        super().__init__(witness)
        self._portal = portal
        self._room = room
        portal.start_task_soon(self._read)

    async def _read(self) -> None:
        try:
            async for event in self._room:
                self._add(event)
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            self.events.fail(error)

    def _call(self, method: str, arguments: dict[str, object]) -> RequestResult:
        async def make() -> RequestResult:
            outcome: Awaitable[RequestResult] | None = getattr(self._room, method)(**arguments)
            return None if outcome is None else await outcome

        return self._portal.start_task_soon(make).result(WITHIN + 1)

    def leave(self) -> CloseReason:
        self._portal.start_task_soon(self._room.leave).result(WITHIN)
        return self.closed()


class _OnBareLoop(Participant):
    """By the loop of docs/embedding.md, in a thread."""

    def __init__(self, witness: Witness, config: ClientConfig) -> None:
        super().__init__(witness)
        self._client = Client(config, jitter=random.random)
        self._tasks: SimpleQueue[Callable[[], object]] = SimpleQueue()
        # Whoever wants something done writes to one end; the loop waits for the other.
        self._bell, self._rope = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="bare loop")
        self._thread.start()

    def _run(self) -> None:
        try:
            with self._bell, selectors.DefaultSelector() as selector:
                selector.register(self._bell, selectors.EVENT_READ, self._answer)
                self._client.connect(now=time.monotonic())
                bare.run(self._client, self._add, selector)
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            self.events.fail(error)

    def _answer(self) -> None:
        for _ in self._bell.recv(64):
            self._tasks.get()()

    def _do(self, task: Callable[[], object]) -> None:
        self._tasks.put(task)
        try:
            self._rope.send(b"!")
        except OSError:  # the loop has ended, and its thread with it: it can be done here
            self._tasks.get()()

    def _call(self, method: str, arguments: dict[str, object]) -> RequestResult:
        made: Future[RequestKey | None] = Future()

        def make() -> None:
            try:
                call = getattr(self._client, method)
                made.set_result(call(**arguments, now=time.monotonic()))
            except Exception as error:  # noqa: BLE001 - raised in the thread that asked
                made.set_exception(error)

        self._do(make)
        key = made.result(WITHIN)
        if key is None:
            return None
        ended = self.wait_for(RequestEnded, lambda ended: ended.key == key, within=WITHIN + 1)
        if ended.failure is not None:
            raise RequestFailed(key.request, ended.failure)
        return ended.result

    def leave(self) -> CloseReason:
        with self._rope:
            self._do(lambda: self._client.close(now=time.monotonic()))
            self._thread.join(WITHIN)
        assert not self._thread.is_alive()
        return self.closed()


@contextlib.contextmanager
def joined(
    loop: LoopName,
    url: str,
    token: str,
    *,
    witness: Witness | None = None,
    ssl: SSLContext | None = None,
    **options: Unpack[ClientOptions],
) -> Iterator[Participant]:
    """A participant for the length of a `with`, which leaves at its end.

    Raises ConnectFailed.
    """
    witness = witness or Witness()
    options.setdefault("trace", witness.note)
    options.setdefault("reconnect", None)
    config = ClientConfig(url=url, token=token, **options)
    witness.note(config)
    try:
        with ExitStack() as stack:
            participant = _join(stack, loop, config, ssl, options, witness)
            yield participant
            participant.leave()
    except ConnectFailed as error:
        witness.note_error(error)
        raise


def _join(
    stack: ExitStack,
    loop: LoopName,
    config: ClientConfig,
    ssl: SSLContext | None,
    options: ClientOptions,
    witness: Witness,
) -> Participant:
    if loop == "bare":
        bare = _OnBareLoop(witness, config)
        stack.callback(bare.leave)
        first = bare.events.wait_for(lambda event: event, within=WITHIN)
        if isinstance(first, Closed):
            raise ConnectFailed(first.reason)
        return bare
    portal = stack.enter_context(start_blocking_portal(loop))
    connecting = CONNECT[loop](config.url, token=config.token, ssl=ssl, **options)
    room = stack.enter_context(portal.wrap_async_context_manager(connecting))
    participant = _OnAdapter(witness, portal, room)
    participant.wait_for(Joined)
    return participant


def refusal(
    loop: LoopName,
    url: str,
    token: str,
    *,
    witness: Witness | None = None,
    ssl: SSLContext | None = None,
    **options: Unpack[ClientOptions],
) -> CloseReason:
    """Why a join fails, that must fail."""
    try:
        with joined(loop, url, token, witness=witness, ssl=ssl, **options) as participant:
            raise AssertionError(f"{participant.identity} joined, and should not have")
    except ConnectFailed as error:
        return error.reason
