"""How many suggestions are fetched before a slot is free for them.

A slot that waits for parameters is idle; a suggestion that is fetched early knows fewer results. So the depth follows what
waiting costs: it grows by one when a slot was idle for a notable share of a trial's duration, and shrinks by one when for
some time more was ready than was needed. Samplers that answer at once, and trials that take long, leave it at 0.
"""

from __future__ import annotations

import math

# Idle time that is worth a fetch, as a share of the trials' duration.
NOTABLE = 0.01
# The depth is at most so many times the number of slots.
MOST_PER_SLOT = 4
# After so many launches for each slot without an idle one, what was always left over is given up.
_CALM_PER_SLOT = 4
# The weight of the newest duration in the average.
_NEWEST = 0.2
_UNKNOWN = math.inf


class Ahead:
    """The depth of one sweep.

    Attributes:
        is_on: False where the depth stays 0; then nothing needs to be told.
        depth: How many trials should have their parameters, or be asked for, beyond those that free slots need.
        idle_since: Since when a slot is free because a sampler has not answered yet; None when none is.
        notable_s: Waiting for longer is worth a fetch; infinite before the first trial ended.
    """

    __slots__ = ("_calm", "_least_left", "_slots", "depth", "idle_since", "is_on", "notable_s")

    def __init__(self, slots: int, *, is_on: bool = True) -> None:
        """`slots` is how many trials run at a time; with one the depth stays 0: each ask knows every result."""
        self.is_on = is_on and slots != 1
        self.depth = 0
        self.idle_since: float | None = None
        self.notable_s = _UNKNOWN
        self._slots = slots  # 0: what `follow` says
        self._calm = 0
        self._least_left = 0

    def kept(self) -> tuple[int, float | None, float, int, int]:
        """For a snapshot: what changes while the sweep runs."""
        return self.depth, self.idle_since, self.notable_s, self._calm, self._least_left

    def restore(self, kept: tuple[int, float | None, float, int, int]) -> None:
        """Become what `kept` told."""
        self.depth, self.idle_since, self.notable_s, self._calm, self._least_left = kept

    def follow(self, slots: int) -> None:
        """So many trials can run at a time now."""
        self._slots = max(1, slots)

    def ran(self, duration_s: float) -> None:
        """A trial ended that ran for so long."""
        known, newest = self.notable_s, NOTABLE * duration_s
        self.notable_s = newest if known == _UNKNOWN else known + (newest - known) * _NEWEST

    def launched(self, at: float, left: int) -> None:
        """A slot got a trial, and so many more have their parameters. At depth 0 only a notable wait needs to be told."""
        if self.idle_since is not None and at - self.idle_since > self.notable_s:
            self.depth = min(self.depth + 1, MOST_PER_SLOT * self._slots)
            self._calm = 0
            return
        self._least_left = left if self._calm == 0 else min(left, self._least_left)
        self._calm += 1
        if self._calm >= _CALM_PER_SLOT * self._slots:
            self._calm = 0
            if self._least_left > 0 and self.depth:
                self.depth -= 1
