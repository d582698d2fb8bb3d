"""One order statistic of a growing collection of numbers."""

from __future__ import annotations

import math
from heapq import heappop, heappush


class RunningPercentile:
    """A percentile, fixed beforehand, of the numbers added so far: O(1) to read, O(log n) to add.

    Two heaps meet at the percentile: `_low` holds the numbers up to its lower neighbour (negated, so that its top is the
    largest), `_high` the rest. The value equals `numpy.nanpercentile` (linear interpolation) to the last bit, because a
    verdict is a comparison with it and has to be the same verdict. NaNs are counted and otherwise left out.

    Attributes:
        count: How many numbers were added, NaNs included.
        value: The percentile; NaN when there is no number yet, or when infinite neighbours leave it undefined.
    """

    __slots__ = ("_high", "_low", "_quantile", "count", "value")

    def __init__(self, percentile: float) -> None:
        self._quantile = percentile / 100
        self._low: list[float] = []
        self._high: list[float] = []
        self.count = 0
        self.value = math.nan

    def add(self, number: float) -> None:
        """Take one more number into account."""
        self.count += 1
        if math.isnan(number):
            return
        low, high = self._low, self._high
        if high and number >= high[0]:
            heappush(high, number)
        else:
            heappush(low, -number)
        last = len(low) + len(high) - 1
        position = last * self._quantile
        below = math.floor(position)
        while len(low) <= below:
            heappush(low, -heappop(high))
        while len(low) > below + 1:
            heappush(high, -heappop(low))
        left = -low[0]
        if position >= last:  # the largest number is its own neighbour on both sides
            self.value = left - (left - left)
        else:
            self.value = _between(left, high[0], position - below)


def _between(left: float, right: float, weight: float) -> float:
    """Linear interpolation, rounded as numpy does: from the nearer end."""
    gap = right - left
    return right - gap * (1 - weight) if weight >= 0.5 else left + gap * weight
