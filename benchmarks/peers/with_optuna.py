"""Optuna: `study.optimize` in this process, or in several that share a JournalStorage, as its documentation on parallel runs says."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna

from benchmarks.peers.shared import lag, measured, objectives
from benchmarks.peers.shared.in_optuna import (
    DISTRIBUTIONS,
    rate_of,
    report_all,
    reports_of,
    study_in,
    study_with,
    suggest_all,
)
from benchmarks.peers.shared.processes import Claims, together

LIBRARIES = ("optuna",)
LESS = {
    "embed": "trials run in a thread of the host; nothing is on disk",
    "search": "asks on the spot; nothing is on disk",
}
MOST = {"overhead": 10_000, "reports": 200, "utilisation": 400}
_MOST_DURABLE = 1_000  # a dozen times for each trial a disk is waited for


def overhead(n_trials: int, workers: int = 0, durable: bool = False) -> dict[str, float]:
    with _run(n_trials, workers, durable, lambda trial: objectives.noop(suggest_all(trial))) as (study, began_at):
        return rate_of(study, n_trials, began_at)


def reports(n_trials: int, workers: int = 2, n_reports: int = 100, pruner: str = "none") -> dict[str, float]:
    def objective(trial: optuna.Trial) -> float:
        return report_all(trial, n_reports, pruner)

    with _run(n_trials, workers, workers > 0, objective, pruner) as (study, began_at):
        return reports_of(study, n_trials, began_at)


def utilisation(workers: int, low_s: float, high_s: float, n_trials: int) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as file:
        nap = objectives.Nap(file.name, low_s, high_s)
        with _run(n_trials, workers, True, lambda trial: nap(suggest_all(trial))):
            return measured.share(measured.spans(file.name), n_trials, workers)


def search(history: int, n_asks: int) -> dict[str, float]:
    study, took_s = study_with(history), []
    for _ in range(n_asks):
        began_at = time.perf_counter()
        trial = study.ask(DISTRIBUTIONS)
        took_s.append(time.perf_counter() - began_at)
        study.tell(trial, objectives.bowl(trial.params))
    return measured.quantiles("ask_ms", took_s)


def startup() -> dict[str, float]:
    study_in().optimize(lambda trial: objectives.noop(suggest_all(trial)), n_trials=1)
    return {"first_finished_at": time.time(), "memory_mb": measured.memory_mb()}


def embed(seconds: float) -> dict[str, float]:
    study = study_in()
    return lag.lag_in_thread(lambda: study.optimize(lambda trial: objectives.noop(suggest_all(trial)), timeout=seconds))


@contextlib.contextmanager
def _run(
    n_trials: int, workers: int, durable: bool, objective: Callable[[optuna.Trial], float], pruner: str = "none"
) -> Iterator[tuple[optuna.Study, float]]:
    """The study right after so many trials, and when they began."""
    if workers and not durable:
        raise NotImplementedError("processes of Optuna's share their trials through a storage on disk")
    if durable and n_trials > _MOST_DURABLE:
        raise NotImplementedError(f"more than {_MOST_DURABLE:,} trials on a journal would take minutes")
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "journal")) if durable else None
        study, claims = study_in(file, pruner), Claims(n_trials)

        def work() -> None:
            if claims.take():
                callbacks = [lambda its, _: None if claims.take() else its.stop()]
                study_in(file, pruner).optimize(objective, callbacks=callbacks)

        if workers:
            began_at = together(workers, work)
        else:
            began_at = time.monotonic()
            study.optimize(objective, n_trials=n_trials)
        yield study, began_at
