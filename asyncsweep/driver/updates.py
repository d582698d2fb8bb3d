"""Updates on their way to those who watch: each has a bounded buffer, and whoever falls behind misses some and is told so."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence

import anyio

from asyncsweep.core.effects import Update, UpdatesSkipped

BUFFERED = 10_000


class Watcher:
    """One consumer: an async iterator over updates that ends with the sweep."""

    def __init__(self, buffered: int = BUFFERED) -> None:
        self._updates: deque[Update] = deque()
        self._buffered = buffered
        self._skipped = 0
        self._closed = False
        self._ready = anyio.Event()

    def put(self, updates: Sequence[Update]) -> None:
        room = self._buffered - len(self._updates)
        if room >= len(updates):
            self._updates.extend(updates)
        else:
            self._updates.extend(updates[:room])
            self._skipped += len(updates) - room
        self._ready.set()

    def close(self) -> None:
        self._closed = True
        self._ready.set()

    async def take(self) -> list[Update]:
        """All updates that wait, once there are any; empty when the sweep has ended."""
        while not self._updates and not self._skipped and not self._closed:
            self._ready = anyio.Event()
            await self._ready.wait()
        batch = list(self._updates)
        self._updates.clear()
        if self._skipped:
            at = batch[-1].at if batch else 0.0
            batch.append(UpdatesSkipped(at=at, count=self._skipped))
            self._skipped = 0
        return batch

    async def __aiter__(self) -> AsyncIterator[Update]:
        while True:
            batch = await self.take()
            if not batch:
                return
            for update in batch:
                yield update


class Watchers:
    """All consumers of one sweep."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self._ended = False

    def add(self, buffered: int = BUFFERED) -> Watcher:
        watcher = Watcher(buffered)
        if self._ended:
            watcher.close()
        else:
            self._watchers.append(watcher)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def __bool__(self) -> bool:
        return bool(self._watchers)

    def put(self, updates: Sequence[Update]) -> None:
        for watcher in self._watchers:
            watcher.put(updates)

    def close(self) -> None:
        self._ended = True
        for watcher in self._watchers:
            watcher.close()
