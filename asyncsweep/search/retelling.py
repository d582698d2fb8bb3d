"""What a new sampler and a new pruner have to hear of a sweep that has begun.

Where results count as they come: every final trial, once, and the others that have parameters as pending. A sampler makes
the best of it, and goes on with new draws.

With a window a new sampler has to become what the old one was. So it is asked again for every trial, told before each what
was told then, and what it answers is dropped: nothing else restores what a sampler keeps to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from asyncsweep.core.records import TrialRecord


class Step(NamedTuple):
    """One thing to do with a trial: "tell", "pending" or "ask"."""

    what: str
    trial: TrialRecord


class Script:
    """The steps in order; what becomes final, or is asked for, while they are gone through is among them.

    Args:
        history: Trials of earlier searches.
        trials: The sweep's trials.
        window: W of a `reproducible` sweep; 0 when results count as they come.
        is_asked: With a window: whether a trial without parameters was asked for already.
    """

    def __init__(
        self,
        history: Sequence[TrialRecord],
        trials: Sequence[TrialRecord],
        window: int,
        is_asked: Callable[[int], bool] = lambda number: False,
    ) -> None:
        self._history = history
        self._trials = trials
        self._window = window
        self._is_asked = is_asked
        self._n_past = 0
        self._next = 0

    def covers(self, number: int) -> bool:
        """Whether the end of this trial, if it comes now, is still among the steps to come."""
        if number < 0:
            return -1 - number >= self._n_past
        return self._window > 0 or number >= self._next

    def __iter__(self) -> Iterator[Step]:
        while self._n_past < len(self._history):
            self._n_past += 1
            yield Step("tell", self._history[self._n_past - 1])
        yield from self._in_order() if self._window else self._as_they_are()

    def _as_they_are(self) -> Iterator[Step]:
        while self._next < len(self._trials):
            trial = self._trials[self._next]
            self._next += 1
            if trial.is_final:
                yield Step("tell", trial)
            elif trial.param_names is not None:
                yield Step("pending", trial)

    def _in_order(self) -> Iterator[Step]:
        while self._next < len(self._trials):
            trial = self._trials[self._next]
            if not trial.is_final and trial.param_names is None and not self._is_asked(trial.number):
                return
            known = self._next - self._window
            self._next += 1
            if known >= 0:
                yield Step("tell", self._trials[known])
            yield Step("ask", trial)
