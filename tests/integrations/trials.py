"""What the tests of callbacks share: a trial that writes down what it is told, and a sweep of two trials, one of them hopeless."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio

import asyncsweep as sw
from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial

# An objective's parameter: a trial with it is to be pruned at its second report.
HOPELESS = "hopeless"


class Notes:
    """The outside of a trial: keeps its reports, and says that it is hopeless from `stop_at` on."""

    def __init__(self, stop_at: int | None) -> None:
        self.reports: list[tuple[int, float]] = []
        self.further: list[dict[str, float] | None] = []
        self._stop_at = stop_at

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        self.reports.append((step, value))
        self.further.append(metrics)

    def verdict(self, step: int) -> bool:
        return self._stop_at is not None and step >= self._stop_at

    @property
    def steps(self) -> list[int]:
        return [step for step, _ in self.reports]


def noted(stop_at: int | None = None, metrics: Sequence[str] = ("value",)) -> tuple[Trial, Notes]:
    """A trial, and what it reported."""
    notes = Notes(stop_at)
    port: Any = notes  # of a port it has what a callback needs
    return Trial(port, 0, 1, {}, metrics, Steps(0, 1)), notes


def two_trials(objective: Callable[[sw.Trial], Any]) -> sw.Result:
    """A sweep of a good trial and of one with `hopeless`, which reports what the threshold prunes at step 1."""
    sweep = sw.Sweep(
        objective,
        {HOPELESS: sw.Categorical([False, True])},
        enqueue=[{HOPELESS: False}, {HOPELESS: True}],
        sampler="random",
        pruner={"name": "threshold", "upper": 100.0, "n_warmup_steps": 1},
        executor="thread",
        n_trials=2,
    )
    result: sw.Result = anyio.run(sweep.run)
    return result


def course(result: sw.Result) -> list[tuple[str, list[int]]]:
    """State and reported steps of each trial; the error instead, where there is one."""
    return [
        (trial.state.value if trial.error is None else str(trial.error), [step for step, _ in trial.reports])
        for trial in result.trials
    ]


@contextmanager
def warned() -> Iterator[list[str]]:
    """The texts of our own warnings in the block; what a library warns of besides is its own affair."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    texts += [str(one.message) for one in caught if one.category is UserWarning and "asyncsweep" in str(one.message)]
