"""Updates on their way to those who watch: each has a bounded buffer, and whoever falls behind misses some and is told so.

The oldest are dropped, so that the newest state and the end of the sweep always arrive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from weakref import ref

import anyio

from asyncsweep.core.effects import Update, UpdatesSkipped

BUFFERED = 10_000


class Watcher:
    """One consumer: an async iterator over updates that ends with the sweep.

    It is no async generator, so that whoever breaks out of its loop has nothing to close: a watcher that nobody holds any
    more is forgotten.

    Attributes:
        closed: True when no more updates come.
    """

    def __init__(self, buffered: int = BUFFERED) -> None:
        self._updates: deque[Update] = deque(maxlen=buffered)
        self._buffered = buffered
        self._skipped = 0
        self.closed = False
        self._is_waited_for = False
        self._ready = anyio.Event()
        self._taken: deque[Update] = deque()

    def put(self, updates: Sequence[Update]) -> None:
        beyond = len(self._updates) + len(updates) - self._buffered
        if beyond > 0:
            self._skipped += beyond
        self._updates.extend(updates)
        if self._is_waited_for:
            self._is_waited_for = False
            self._ready.set()

    def close(self) -> None:
        self.closed = True
        self._ready.set()

    async def take(self) -> list[Update]:
        """All updates that wait, once there are any; empty when the sweep has ended. What was missed comes first."""
        await self.ready()
        return self.taken()

    async def ready(self) -> None:
        """Wait until there is something to take, or nothing comes any more; several may wait."""
        while not self._updates and not self._skipped and not self.closed:
            if not self._is_waited_for:
                self._ready, self._is_waited_for = anyio.Event(), True
            await self._ready.wait()

    def taken(self) -> list[Update]:
        """All updates that wait now. What was missed comes first."""
        batch = list(self._updates)
        self._updates.clear()
        if self._skipped:
            at = batch[0].at if batch else 0.0
            batch.insert(0, UpdatesSkipped(at=at, count=self._skipped))
            self._skipped = 0
        return batch

    def __aiter__(self) -> Watcher:
        return self

    async def __anext__(self) -> Update:
        if not self._taken:
            self._taken.extend(await self.take())
        if not self._taken:
            raise StopAsyncIteration
        return self._taken.popleft()

    async def aclose(self) -> None:
        """End the iteration; what was not taken is dropped."""
        self._updates.clear()
        self._taken.clear()
        self._skipped = 0
        self.close()


class Watchers:
    """All consumers of one sweep."""

    def __init__(self) -> None:
        self._watchers: list[ref[Watcher]] = []
        self._ended = False

    def add(self, buffered: int = BUFFERED) -> Watcher:
        watcher = Watcher(buffered)
        if self._ended:
            watcher.close()
        else:
            self._watchers.append(ref(watcher))
        return watcher

    def put(self, updates: Sequence[Update]) -> None:
        for watcher in self._alive():
            watcher.put(updates)

    def close(self) -> None:
        self._ended = True
        for watcher in self._alive():
            watcher.close()

    def _alive(self) -> Iterator[Watcher]:
        """Those whose consumers are still there; the others are forgotten."""
        gone = False
        for weak in self._watchers:
            watcher = weak()
            if watcher is None or watcher.closed:
                gone = True
            else:
                yield watcher
        if gone:
            self._watchers = [weak for weak in self._watchers if not ((watcher := weak()) is None or watcher.closed)]
