"""How much of the loop's time viewers may take: the sweep and its host have precedence.

The work for viewers goes in rounds: one look at what is new, and the messages that follow from it. The next round is due so much later
that the work of this one is a twentieth of the time.

A backlog can be longer than a round bears: a sweep may end more trials in a second than can be shown in one. Where the loop is idle for
half of the time anyway, all of it is done at once. Where it is not, the time is tight: a round has so much work and no more, the rest
waits for later ones, and these are twice as rare, because what they push out of the processor's caches costs the sweep as much again.
How idle the loop is, its thread tells: by the time that it has worked, or would have if the processor had not been with others.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TICK_S = 0.1
LONGEST_TICK_S = 2.0
WORK_SHARE = 0.05
# The look of a round that is tight takes no longer.
LOOK_S = 0.0125
# The share of the time from which on others have the thread so much that it is tight.
TIGHT_SHARE = 0.5


def wanted_s() -> float:
    """For how many seconds this thread has worked or waited for a processor. Where the system does not tell the latter: has worked."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as stat:
            worked_ns, waited_ns, _ = stat.read().split()
    except (OSError, ValueError):  # it is Linux that has this
        return time.thread_time()
    return (int(worked_ns) + int(waited_ns)) / 1e9


class Budget:
    """The budget of one sweep's viewers.

    Args:
        is_shared: Whether there is anything else on the loop that has precedence.
        clock: Tells seconds.
        busy: Tells the seconds that the loop's thread has worked, or wanted to.

    Attributes:
        round: The number of this round.
        due_at: When the next one may begin.
        is_tight: Whether a round has to be short.
    """

    def __init__(self, is_shared: bool, clock: Callable[[], float], busy: Callable[[], float] = wanted_s) -> None:
        self.round = 0
        self.due_at = 0.0
        self.is_tight = False
        self._is_shared = is_shared
        self._clock = clock
        self._busy = busy
        self._spent_s = 0.0
        self._began_at = clock()
        self._busy_s = busy()

    def spend(self, work_s: float) -> None:
        """Somebody has worked so long for viewers."""
        self._spent_s += work_s
        self.due_at = self._began_at + self._pause_s()

    def begin(self, *, is_tight: bool = True) -> None:
        """A round begins; it is not tight whatever the loop does when `is_tight` is False."""
        now, busy_s = self._clock(), self._busy()
        others_s = busy_s - self._busy_s - self._spent_s
        if now - self._began_at >= TICK_S / 2:  # a shorter time says nothing
            self.is_tight = self._is_shared and others_s > TIGHT_SHARE * (now - self._began_at)
        self.is_tight = self.is_tight and is_tight
        self._began_at, self._busy_s, self._spent_s = now, busy_s, 0.0
        self.round += 1
        self.due_at = now + TICK_S

    @property
    def has_looked(self) -> bool:
        """Whether the look of this round has to end here."""
        return self.is_tight and self._spent_s >= LOOK_S

    def _pause_s(self) -> float:
        rare = 2 if self.is_tight else 1
        return min(LONGEST_TICK_S * rare, max(TICK_S, self._spent_s / WORK_SHARE * rare))
