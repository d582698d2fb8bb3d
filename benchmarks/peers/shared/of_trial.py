"""Objectives of asyncsweep's trials. Its workers import them, so they import nothing of it, and of the others no more than this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from benchmarks.peers.shared.objectives import noop, reported


class Trial(Protocol):
    """The part of a trial that the objectives need."""

    @property
    def params(self) -> dict[str, Any]: ...
    def report(self, value: float, step: int) -> None: ...
    def report_or_prune(self, value: float, step: int) -> None: ...


class Evaluating:
    """A function of the parameters."""

    def __init__(self, evaluate: Callable[[Mapping[str, Any]], float]) -> None:
        self._evaluate = evaluate

    def __call__(self, trial: Trial) -> float:
        return self._evaluate(trial.params)


class Reporting:
    """So many reports, and a verdict asked for after each where there is a pruner."""

    def __init__(self, n_reports: int, is_pruned: bool) -> None:
        self._n_reports = n_reports
        self._is_pruned = is_pruned

    def __call__(self, trial: Trial) -> float:
        report = trial.report_or_prune if self._is_pruned else trial.report
        for step in range(1, self._n_reports + 1):
            report(reported(step), step)
        return noop(trial.params)


async def noop_async(trial: Trial) -> float:
    """As little as can be, on the sweep's own loop."""
    return noop(trial.params)
