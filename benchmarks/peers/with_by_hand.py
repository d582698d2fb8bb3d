"""The strongest loop that a user builds today: Optuna's ask and tell on asyncio, child processes behind pipes (`shared/pipe_loop.py`)."""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from collections.abc import Callable
from typing import Any

import optuna

from benchmarks.peers.shared import lag, measured, objectives
from benchmarks.peers.shared.in_optuna import rate_of, reports_of, study_in
from benchmarks.peers.shared.pipe_loop import Evaluate, PipeLoop, children

LIBRARIES = ("optuna",)
LESS = {
    "overhead": "nothing is on disk, a child that dies ends it",
    "reports": "nothing is on disk, a child that dies ends it",
    "utilisation": "nothing is on disk, a child that dies ends it",
    "startup": "nothing is on disk, a child that dies ends it",
    "embed": "nothing is on disk, a child that dies ends it",
}
MOST = {"overhead": 20_000, "reports": 2_000}


def overhead(n_trials: int, workers: int = 2, durable: bool = False) -> dict[str, float]:
    if durable or not workers:
        raise NotImplementedError("it keeps nothing on disk, and runs trials in child processes")
    study, began_at, ended_at = _run(n_trials, workers, lambda params, _: objectives.noop(params))
    return rate_of(study, n_trials, began_at, ended_at)


def reports(n_trials: int, workers: int = 2, n_reports: int = 100, pruner: str = "none") -> dict[str, float]:
    def evaluate(params: dict[str, Any], report: Callable[[float, int], bool]) -> float:
        for step in range(1, n_reports + 1):
            if report(objectives.reported(step), step):
                return math.nan
        return objectives.noop(params)

    study, began_at, ended_at = _run(n_trials, workers, evaluate, pruner)
    return reports_of(study, n_trials, began_at, ended_at)


def utilisation(workers: int, low_s: float, high_s: float, n_trials: int) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as file:
        nap = objectives.Nap(file.name, low_s, high_s)
        _run(n_trials, workers, lambda params, _: nap(params))
        return measured.share(measured.spans(file.name), n_trials, workers)


def startup() -> dict[str, float]:
    _run(1, 1, lambda params, _: objectives.noop(params))
    return {"first_finished_at": time.time(), "memory_mb": measured.memory_mb()}


def embed(seconds: float) -> dict[str, float]:
    with children(2, lambda params, _: objectives.noop(params), is_pruned=False) as pipes:
        loop = PipeLoop(study_in(), pipes, is_pruned=False, seconds=seconds)
        return asyncio.run(lag.lag_during(loop.run))


def _run(n_trials: int, workers: int, evaluate: Evaluate, pruner: str = "none") -> tuple[optuna.Study, float, float]:
    """The study after so many trials, when they began, and when the last one was told."""
    is_pruned = pruner != "none"
    with children(workers, evaluate, is_pruned) as pipes:
        study, began_at = study_in(pruner=pruner), time.monotonic()
        asyncio.run(PipeLoop(study, pipes, is_pruned, n_trials).run())
        return study, began_at, time.monotonic()
