"""How fast a sweep goes and when it will end, counted from its updates. The caller gives the time, in seconds since the epoch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from asyncsweep.core.effects import TrialFinished, TrialRetried, TrialStarted, Update
from asyncsweep.core.records import State, TrialRecord

RECENT = 100


class _Running(NamedTuple):
    since: float
    is_first: bool


class Tally:
    """What one watcher has seen of a sweep.

    Args:
        trials: The trials as they are at the beginning.
        now: When the watching begins.
    """

    def __init__(self, trials: Iterable[TrialRecord], now: float) -> None:
        self._since = now
        self._n_finished = 0
        self._workers: set[str | None] = set()
        self._running: dict[int, _Running] = {}
        # A worker's first trial also imports what the objective needs: it says little about the others.
        self._first: deque[float] = deque(maxlen=RECENT)
        self._later: deque[float] = deque(maxlen=RECENT)
        for trial in trials:
            if trial.state is State.RUNNING:
                self._start(trial.number, trial.worker, trial.started_at)

    def see(self, update: Update) -> None:
        if isinstance(update, TrialStarted):
            self._start(update.trial, update.worker, update.at)
        elif isinstance(update, TrialRetried):
            self._running.pop(update.trial, None)
        elif isinstance(update, TrialFinished):
            self._n_finished += 1
            running = self._running.pop(update.trial, None)
            if running is not None and update.state is not State.CANCELLED:
                durations = self._first if running.is_first else self._later
                durations.append(update.at - running.since)

    def elapsed_s(self, now: float) -> float:
        return max(0.0, now - self._since)

    def rate(self, now: float) -> float | None:
        """Finished trials per second; None before the first."""
        elapsed = self.elapsed_s(now)
        return self._n_finished / elapsed if self._n_finished and elapsed else None

    def left_s(self, now: float, n_open: int, concurrency: int) -> float | None:
        """The time until the end; None before the first trial has finished.

        Each open trial is taken to last as long as the recent ones did on average, less the time that it runs already.

        Args:
            now: The time.
            n_open: How many trials are still to finish.
            concurrency: How many of them run at a time.
        """
        durations = self._later or self._first
        if n_open <= 0:
            return 0.0
        if not durations:
            return None
        mean = sum(durations) / len(durations)
        work = mean * max(0, n_open - len(self._running))
        work += sum(max(0.0, mean - (now - running.since)) for running in self._running.values())
        return work / min(concurrency, n_open)

    def _start(self, trial: int, worker: str | None, at: float) -> None:
        self._running[trial] = _Running(at, is_first=worker not in self._workers)
        self._workers.add(worker)
