"""Virtual time: nothing waits, the next thing that is to happen simply does.

A world is a heap of calls by their time. Whatever a driver otherwise has from the system's clocks and from its event loop is
here: `now` is the monotonic clock, `WallClock` the other one, `VirtualTimers` are the driver's timers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from asyncsweep.core.events import TimerFired
from asyncsweep.driver.clock import Timers

# When simulations begin, by their wall clock: seconds since the epoch.
EPOCH_S = 1_700_000_000.0


class World:
    """What is to happen, in the order of its time; of equal times, in the order in which it was planned.

    Attributes:
        now: Seconds since the world began.
        n_steps: How much has happened.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.n_steps = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._n_planned = 0

    def at(self, time_s: float, call: Callable[[], None]) -> None:
        """Plan a call for a moment that is not over."""
        heapq.heappush(self._heap, (max(time_s, self.now), self._n_planned, call))
        self._n_planned += 1

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Plan a call."""
        self.at(self.now + delay_s, call)

    def step(self) -> bool:
        """Have the next thing happen; False when nothing is left."""
        if not self._heap:
            return False
        self.now, _, call = heapq.heappop(self._heap)
        self.n_steps += 1
        call()
        return True


class WallClock:
    """A clock that people and daemons set, forwards and back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._offset_s = EPOCH_S

    def read(self) -> float:
        """Seconds since the epoch, as it seems."""
        return self._offset_s + self._world.now

    def jump(self, by_s: float) -> None:
        self._offset_s += by_s


class VirtualTimers(Timers):
    """A driver's timers; there is no `run`, the world sees to them."""

    def __init__(self, world: World, post: Callable[[TimerFired], None]) -> None:
        super().__init__(post)
        self._world = world
        self._running: dict[tuple[int, int], int] = {}
        self._n_set = 0

    def set(self, trial: int, attempt: int, delay_s: float) -> None:
        self._n_set += 1
        number = self._running[trial, attempt] = self._n_set
        self._world.after(delay_s, lambda: self._run_out(trial, attempt, number))

    def cancel(self, trial: int, attempt: int) -> None:
        self._running.pop((trial, attempt), None)

    def _run_out(self, trial: int, attempt: int, number: int) -> None:
        if self._running.get((trial, attempt)) == number:
            del self._running[trial, attempt]
            self._post(TimerFired(trial, attempt))
