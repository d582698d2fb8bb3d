"""What the counted trials do. Imported by worker processes, so it imports next to nothing."""

from __future__ import annotations

import os
from typing import Any, cast

from asyncsweep.worker import link
from benchmarks.guard.tracing import Tracer

REPORTS_PER_TRIAL = 100
MARK = "/asyncsweep-guard-mark"

# A worker sends what waits for longer than this: the slower it is, the more often. Here time does not count.
if not hasattr(link, "FLUSH_AFTER_S"):
    raise RuntimeError(
        "asyncsweep.worker.link has no FLUSH_AFTER_S any more: have the guard hold its flushes in the new way"
    )
_NEVER_S = 3600.0


async def noop_async(trial: Any) -> float:
    return cast(float, trial.params["momentum"])


def noop(trial: Any) -> float:
    return cast(float, trial.params["momentum"])


def reporting(trial: Any) -> float:
    """Reports that are the same in each trial, so that no trial is stopped: which one would be depends on who comes first."""
    link.FLUSH_AFTER_S = _NEVER_S
    for step in range(REPORTS_PER_TRIAL):
        trial.report(1.0 / (1 + step), step)
        if trial.should_prune():
            raise RuntimeError("a trial is stopped, and then they do not all do the same")
    return 0.0


class Marked:
    """An objective whose calls can be found among a process's system calls: it looks for a file of this name, in vain."""

    def __init__(self, objective: Any) -> None:
        self._objective = objective

    def __call__(self, trial: Any) -> float:
        os.access(MARK, os.F_OK)
        return cast(float, self._objective(trial))


async def marked_noop_async(trial: Any) -> float:
    """The same for `noop_async`."""
    os.access(MARK, os.F_OK)
    return cast(float, trial.params["momentum"])


class Traced:
    """An objective that has the process around it counted, from one call to the next: a whole round of a worker.

    Args:
        objective: What is called.
        folder: Where a file with the counts is written.
        n_trials: After so many calls.
    """

    def __init__(self, objective: Any, folder: str, n_trials: int) -> None:
        self._objective = objective
        self._folder = folder
        self._n_trials = n_trials
        self._rounds: list[tuple[int, int]] = []
        self._tracer = Tracer()

    def __call__(self, trial: Any) -> float:
        tracer = self._tracer
        tracer.stop()
        self._rounds.append(tracer.counts)
        if len(self._rounds) == self._n_trials:
            with open(os.path.join(self._folder, "rounds"), "w", encoding="utf-8") as file:
                file.writelines(f"{calls} {instructions}\n" for calls, instructions in self._rounds)
            return 0.0
        tracer.start()
        return cast(float, self._objective(trial))
