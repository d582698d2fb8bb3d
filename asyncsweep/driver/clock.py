"""Time for events, and timers.

Events carry seconds since the epoch that never go back, whatever happens to the wall clock: the epoch is read once, and the
monotonic clock counts from there.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

import anyio

from asyncsweep.core.events import TimerFired

_REBUILT_FROM = 1_000


class Clock:
    """Seconds since the epoch, at least `not_before`, counted by the monotonic clock.

    A simulation has clocks of its own: `wall` and `monotonic` stand for those of the system.
    """

    def __init__(
        self,
        not_before: float = 0.0,
        wall: Callable[[], float] | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self._monotonic = monotonic or time.monotonic
        self._offset = max((wall or time.time)(), not_before) - self._monotonic()

    def now(self) -> float:
        return self._offset + self._monotonic()


class Timers:
    """Timers by (trial, attempt); `run` posts a `TimerFired` for each that runs out."""

    def __init__(self, post: Callable[[TimerFired], None]) -> None:
        self._post = post
        self._due: dict[tuple[int, int], float] = {}
        # Cancelled timers stay in the heap until they are due, or until they are more than half of a large one.
        self._heap: list[tuple[float, int, int]] = []
        self._changed = anyio.Event()

    def set(self, trial: int, attempt: int, delay_s: float) -> None:
        due = time.monotonic() + delay_s
        self._due[trial, attempt] = due
        heapq.heappush(self._heap, (due, trial, attempt))
        self._drop_stale()
        if self._heap[0][0] == due:
            self._changed.set()

    def cancel(self, trial: int, attempt: int) -> None:
        self._due.pop((trial, attempt), None)
        self._drop_stale()

    async def run(self) -> None:
        while True:
            self._changed = anyio.Event()
            with anyio.move_on_after(max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None):
                await self._changed.wait()
            while self._heap and self._heap[0][0] <= time.monotonic():
                due, trial, attempt = heapq.heappop(self._heap)
                if self._due.get((trial, attempt)) == due:
                    del self._due[trial, attempt]
                    self._post(TimerFired(trial, attempt))

    def _drop_stale(self) -> None:
        if len(self._heap) > _REBUILT_FROM and len(self._heap) > 2 * len(self._due):
            self._heap = [(due, trial, attempt) for (trial, attempt), due in self._due.items()]
            heapq.heapify(self._heap)
