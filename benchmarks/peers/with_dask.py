"""Dask: a study on a `DaskStorage`, which workers of a local cluster optimize together, as the documentation of Optuna's integration says."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from distributed import Client, LocalCluster, wait
from optuna.storages.journal import JournalFileBackend
from optuna_integration.dask import DaskStorage

from benchmarks.peers.shared import lag, measured, objectives
from benchmarks.peers.shared.in_optuna import rate_of, report_all, reports_of, study_on, suggest_all

LIBRARIES = ("distributed", "optuna", "optuna-integration")
LESS = {
    "reports": "nothing is on disk",
    "utilisation": "nothing is on disk",
    "startup": "nothing is on disk",
    "embed": "nothing is on disk",
}
MOST = {"overhead": 1_000, "reports": 20, "utilisation": 300}
_MOST_WORKERS = 8
_TOGETHER = 10  # trials of a task, as in the documentation's example


def overhead(n_trials: int, workers: int = 2, durable: bool = False) -> dict[str, float]:
    with _cluster(workers, durable) as (client, study), tempfile.NamedTemporaryFile() as file:
        _optimize(client, study, _Napping(objectives.Nap(file.name)), n_trials, _TOGETHER)
        return rate_of(study, n_trials, measured.spans(file.name)[0][0])


def reports(n_trials: int, workers: int = 2, n_reports: int = 100, pruner: str = "none") -> dict[str, float]:
    with _cluster(workers, pruner=pruner) as (client, study):
        began_at = time.monotonic()
        _optimize(client, study, functools.partial(report_all, n_reports=n_reports, pruner=pruner), n_trials, 1)
        return reports_of(study, n_trials, began_at)


def utilisation(workers: int, low_s: float, high_s: float, n_trials: int) -> dict[str, float]:
    with _cluster(workers) as (client, study), tempfile.NamedTemporaryFile() as file:
        _optimize(client, study, _Napping(objectives.Nap(file.name, low_s, high_s)), n_trials, 1)
        return measured.share(measured.spans(file.name), n_trials, workers)


def startup() -> dict[str, float]:
    with _cluster(1) as (client, study):
        _optimize(client, study, _Napping(objectives.noop), 1, 1)
        return {"first_finished_at": time.time(), "memory_mb": measured.memory_mb()}


def embed(seconds: float) -> dict[str, float]:
    with _cluster(2) as (client, study):
        objective = _Napping(objectives.noop)

        def work() -> None:
            wait([client.submit(study.optimize, objective, timeout=seconds, pure=False) for _ in range(2)])

        return lag.lag_in_thread(work)


class _Napping:
    """An objective of a function of parameters."""

    def __init__(self, evaluate: Callable[[Mapping[str, Any]], float]) -> None:
        self._evaluate = evaluate

    def __call__(self, trial: optuna.Trial) -> float:
        return self._evaluate(suggest_all(trial))


@contextlib.contextmanager
def _cluster(workers: int, durable: bool = False, pruner: str = "none") -> Iterator[tuple[Client, optuna.Study]]:
    if not 0 < workers <= _MOST_WORKERS:
        raise NotImplementedError(f"it runs trials in 1 to {_MOST_WORKERS} processes: each takes a second to start")
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, local_directory=folder
        ) as cluster,
        Client(cluster) as client,
    ):
        journal = optuna.storages.JournalStorage(JournalFileBackend(str(Path(folder, "journal")))) if durable else None
        yield client, study_on(DaskStorage(journal), pruner)


def _optimize(client: Client, study: optuna.Study, objective: Any, n_trials: int, together: int) -> None:
    sizes = [min(together, n_trials - done) for done in range(0, n_trials, together)]
    futures = [client.submit(study.optimize, objective, n_trials=size, pure=False) for size in sizes]
    wait(futures)
