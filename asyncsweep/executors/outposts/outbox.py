"""Messages that wait to be carried, in their order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import anyio
import anyio.to_thread

from asyncsweep.executors.outposts.messages import Message, packed


class Outbox:
    """What gathers while bytes are on their way goes together with the next ones; the least patient message says when all go.

    Attributes:
        is_hurried: Whether nothing waits for company, however patient it is.
        n_waiting: How many messages wait.
    """

    def __init__(self) -> None:
        self._waiting: deque[Message | Iterator[Message]] = deque()
        self._news = anyio.Event()
        self._taken = anyio.Event()
        self._is_closed = False
        self.is_hurried = False
        # That of the least patient message that waits.
        self._patience_s = math.inf

    @property
    def n_waiting(self) -> int:
        return len(self._waiting)

    def put(self, *messages: Message, patience_s: float = 0.0) -> None:
        """Have messages carried; whoever is there to take them waits for `patience_s` at most, so that they may have company."""
        self._waiting += messages
        self._patience_s = min(self._patience_s, patience_s)
        self._news.set()

    def put_slowly(self, messages: Iterator[Message]) -> None:
        """Large messages, which are made in a thread when it is their turn, one at a time."""
        self._waiting.append(messages)
        self._patience_s = 0.0
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
                    self._left()
                else:
                    messages.append(first)
                    self._waiting.popleft()
            if messages:
                self._left()
                return packed(messages)
            if self._is_closed:
                return b""
            self._taken.set()
            self._news = anyio.Event()
            await self._news.wait()

    async def _linger(self) -> None:
        """Wait as long as what waits has patience."""
        began_at = anyio.current_time()
        while not (self._is_closed or self.is_hurried):
            due_at = began_at + self._patience_s
            if anyio.current_time() >= due_at:
                return
            self._news = anyio.Event()
            with anyio.CancelScope(deadline=due_at):
                await self._news.wait()

    def _left(self) -> None:
        """Messages were taken; what was behind them goes with the next ones."""
        self._patience_s = 0.0 if self._waiting else math.inf

    def take_now(self) -> bytes:
        """What waits, if anything does; b"" otherwise. There must be nothing slow."""
        messages = [message for message in self._waiting if not isinstance(message, Iterator)]
        self._waiting.clear()
        self._left()
        return packed(messages) if messages else b""

    async def emptied(self) -> None:
        """Wait until everything was taken, and more is asked for."""
        while self._waiting:
            self._taken = anyio.Event()
            await self._taken.wait()
