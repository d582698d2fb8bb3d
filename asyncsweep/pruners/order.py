"""Order statistics of a changing collection of numbers, one kind in each class."""

from __future__ import annotations

import math
from collections import Counter
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


class RunningTop:
    """The worst of the smallest `count // factor` numbers, and of at least one: O(1) to read, O(log n) to change.

    Two heaps meet there: `_top` holds those numbers (negated, so that its top is the largest), `_rest` the others. A number
    that is taken out again stays in its heap until it comes up.

    Attributes:
        count: How many numbers there are.
    """

    __slots__ = ("_factor", "_gone", "_gone_from_top", "_rest", "_size", "_top", "count")

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._top: list[float] = []
        self._rest: list[float] = []
        self._size = 0  # of `_top`, without what was taken out
        self._gone_from_top: Counter[float] = Counter()
        self._gone: Counter[float] = Counter()
        self.count = 0

    @property
    def last(self) -> float:
        """The worst number of the top.

        Raises:
            IndexError: There is no number.
        """
        return -self._top[0]

    def add(self, number: float) -> None:
        """Take one more number into account; it is not NaN."""
        self.count += 1
        if self._top and number <= self.last:
            heappush(self._top, -number)
            self._size += 1
        else:
            heappush(self._rest, number)
        self._settle()

    def remove(self, number: float) -> None:
        """Take out a number that was added."""
        self.count -= 1
        if number <= self.last:
            self._gone_from_top[number] += 1
            self._size -= 1
        else:
            self._gone[number] += 1
        self._settle()

    def _settle(self) -> None:
        size = min(max(self.count // self._factor, 1), self.count)
        while self._size < size:
            number = heappop(self._rest)
            if not _was_gone(self._gone, number):
                heappush(self._top, -number)
                self._size += 1
        while self._top and (self._size > size or self._gone_from_top):
            if _was_gone(self._gone_from_top, self.last):
                heappop(self._top)
            elif self._size > size:
                heappush(self._rest, -heappop(self._top))
                self._size -= 1
            else:
                break


def _was_gone(gone: Counter[float], number: float) -> bool:
    """Whether the number was taken out before; it is struck off then."""
    if number not in gone:
        return False
    gone[number] -= 1
    if not gone[number]:
        del gone[number]
    return True
