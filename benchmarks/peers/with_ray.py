"""Ray Tune: a `Tuner` over a class of trials whose actors are used again, on a local cluster with a CPU for each trial at a time."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, MedianStoppingRule

from benchmarks.peers.shared import lag, measured, objectives
from benchmarks.peers.shared.in_ray import DOMAINS, Steps

LIBRARIES = ("ray",)
LESS: dict[str, str] = {}
MOST = {"overhead": 1_000, "reports": 100, "utilisation": 200}
_MOST_WORKERS = 8
_SCHEDULERS: dict[str, Callable[[], Any]] = {
    "none": FIFOScheduler,
    "median": lambda: MedianStoppingRule("training_iteration", grace_period=1, min_time_slice=10**9),
    "asha": lambda: AsyncHyperBandScheduler(time_attr="training_iteration", grace_period=1, reduction_factor=4),
}


def overhead(n_trials: int, workers: int = 2, durable: bool = True) -> dict[str, float]:
    if not workers or not durable:
        raise NotImplementedError("it runs trials in actors, and always keeps its state on disk")
    with _cluster(workers):
        results = _tune(n_trials, workers, objectives.noop)
        ended_at = time.monotonic()
        return measured.rate(n_trials, _n_done(results), _began_at(results), ended_at)


def reports(n_trials: int, workers: int = 2, n_reports: int = 100, pruner: str = "none") -> dict[str, float]:
    with _cluster(workers):
        results = _tune(n_trials, workers, objectives.noop, n_reports, pruner)
        ended_at = time.monotonic()
        n_made = [result.metrics["training_iteration"] for result in results if result.error is None]
        n_pruned = sum(made < n_reports for made in n_made)
        return measured.reports(
            n_trials, _n_done(results) + n_pruned, sum(n_made), n_pruned, _began_at(results), ended_at
        )


def utilisation(workers: int, low_s: float, high_s: float, n_trials: int) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as file, _cluster(workers):
        _tune(n_trials, workers, objectives.Nap(file.name, low_s, high_s))
        return measured.share(measured.spans(file.name), n_trials, workers)


def startup() -> dict[str, float]:
    with _cluster(1):
        (result,) = _tune(1, 1, objectives.noop)
        return {"first_finished_at": result.metrics["finished_at"], "memory_mb": measured.memory_mb()}


def embed(seconds: float) -> dict[str, float]:
    with _cluster(2):
        return lag.lag_in_thread(lambda: _tune(-1, 2, objectives.noop, time_budget_s=seconds))


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[None]:
    """Ray on this machine; its folder has a short name, for the sockets in it."""
    if workers > _MOST_WORKERS:
        raise NotImplementedError(f"{workers} actors take minutes to start on a small machine")
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="error", _temp_dir=folder)
    try:
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _tune(
    n_trials: int,
    workers: int,
    evaluate: Any,
    n_steps: int = 1,
    pruner: str = "none",
    time_budget_s: float | None = None,
) -> tune.ResultGrid:
    with tempfile.TemporaryDirectory() as folder:
        tuning = tune.TuneConfig(
            metric="loss",
            mode="min",
            num_samples=n_trials,
            max_concurrent_trials=workers,
            reuse_actors=True,
            scheduler=_SCHEDULERS[pruner](),
            time_budget_s=time_budget_s,
        )
        space = DOMAINS | {"evaluate": evaluate, "n_steps": n_steps}
        saving = tune.CheckpointConfig(checkpoint_at_end=False)  # there is nothing in a trial to go on from
        running = tune.RunConfig(storage_path=folder, verbose=0, checkpoint_config=saving)
        return tune.Tuner(Steps, param_space=space, tune_config=tuning, run_config=running).fit()


def _n_done(results: tune.ResultGrid) -> int:
    return sum(result.error is None and bool(result.metrics.get("done")) for result in results)


def _began_at(results: tune.ResultGrid) -> float:
    return float(min(result.metrics["began_at"] for result in results))
