"""Messages that wait to be carried, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import anyio
import anyio.to_thread

from asyncsweep.core.events import Reported, SeriesReported, Started
from asyncsweep.executors.outposts.messages import Message, packed

# The time in which a short trial ends: what nobody waits for is held back as long.
LINGER_S = 0.005
_UNHURRIED = frozenset((Started, Reported, SeriesReported))


class Outbox:
    """What gathers while bytes are on their way goes together with the next ones.

    Attributes:
        n_waiting: How many messages wait.
    """

    def __init__(self) -> None:
        self._waiting: deque[Message | Iterator[Message]] = deque()
        self._news = anyio.Event()
        self._taken = anyio.Event()
        self._is_closed = False
        self._is_interrupted = False

    @property
    def n_waiting(self) -> int:
        return len(self._waiting)

    def put(self, *messages: Message) -> None:
        self._waiting += messages
        self._news.set()

    def put_slowly(self, messages: Iterator[Message]) -> None:
        """Large messages, which are made in a thread when it is their turn, one at a time."""
        self._waiting.append(messages)
        self._news.set()

    def close(self) -> None:
        """Nothing more comes."""
        self._is_closed = True
        self._news.set()

    async def take(self) -> bytes:
        """Wait for messages, and give those that there are; b"" when nothing more comes."""
        while True:
            if self._waiting:
                await self._linger()
            messages: list[Message] = []
            while self._waiting:
                first = self._waiting[0]
                if isinstance(first, Iterator):
                    if messages:
                        break
                    large = await anyio.to_thread.run_sync(next, first, None, limiter=anyio.CapacityLimiter(1))
                    if large is not None:
                        return packed([large])
                    self._waiting.popleft()
                else:
                    messages.append(first)
                    self._waiting.popleft()
            if messages:
                return packed(messages)
            if self._is_closed:
                return b""
            self._taken.set()
            self._news, self._is_interrupted = anyio.Event(), False
            await self._news.wait()
            if self._is_interrupted:
                return packed([])

    async def _linger(self) -> None:
        """Give what nobody waits for the time in which it may have company: a short trial's end, say."""
        self._is_interrupted = False
        with anyio.move_on_after(LINGER_S):
            while (
                not self._is_interrupted
                and not self._is_closed
                and all(type(message) in _UNHURRIED for message in self._waiting)
            ):
                self._news = anyio.Event()
                await self._news.wait()

    def take_now(self) -> bytes:
        """What waits, if anything does; b"" otherwise. There must be nothing slow."""
        messages = [message for message in self._waiting if not isinstance(message, Iterator)]
        self._waiting.clear()
        return packed(messages) if messages else b""

    def interrupt(self) -> None:
        """Have whoever waits in `take` wait no more, but get bytes with no message in them."""
        self._is_interrupted = True
        self._news.set()

    async def emptied(self) -> None:
        """Wait until everything was taken, and more is asked for."""
        while self._waiting:
            self._taken = anyio.Event()
            await self._taken.wait()
