"""Syne Tune: a `Tuner` over a `PythonBackend`, which starts a process for each trial and reads what it prints."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from typing import Any

from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import PythonBackend
from syne_tune.config_space import choice, finrange, lograndint, loguniform, randint, uniform
from syne_tune.optimizer.baselines import ASHA, RandomSearch
from syne_tune.optimizer.schedulers.median_stopping_rule import MedianStoppingRule

from benchmarks.peers.shared import lag, measured
from benchmarks.peers.shared.space import SPACE, Choice, Real, Whole

LIBRARIES = ("syne-tune",)
LESS: dict[str, str] = {}
MOST = {"overhead": 200, "reports": 20, "utilisation": 40}
_MOST_WORKERS = 8
_SLEEP_S = 0.05  # between two looks at the trials; the default of 5 s is meant for long ones
logging.disable(logging.WARNING)


def overhead(n_trials: int, workers: int = 2, durable: bool = True) -> dict[str, float]:
    if not workers or not durable:
        raise NotImplementedError("it runs trials in processes, and always keeps its state on disk")
    with tempfile.NamedTemporaryFile() as file:
        tuner = _tune(n_trials, workers, file.name)
        ended_at = time.monotonic()
        status = tuner.tuning_status  # it starts one trial more than it should
        began_at = measured.spans(file.name)[0][0]
        return measured.rate(max(n_trials, status.num_trials_started), status.num_trials_completed, began_at, ended_at)


def reports(n_trials: int, workers: int = 2, n_reports: int = 100, pruner: str = "none") -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as file:
        tuner = _tune(n_trials, workers, file.name, n_reports=n_reports, pruner=pruner)
        ended_at = time.monotonic()
        status, began_at = tuner.tuning_status, measured.spans(file.name)[0][0]
        made = [status.trial_metric_statistics[number].count for number in range(status.num_trials_started)]
        n_pruned, n_ended = sum(n < n_reports for n in made), status.num_trials_finished - status.num_trials_failed
        return measured.reports(max(n_trials, len(made)), n_ended, sum(made), n_pruned, began_at, ended_at)


def utilisation(workers: int, low_s: float, high_s: float, n_trials: int) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as file:
        _tune(n_trials, workers, file.name, low_s=low_s, high_s=high_s)
        found = measured.spans(file.name)
        return measured.share(found, max(n_trials, len(found)), workers)


def startup() -> dict[str, float]:
    _tune(1, 1)
    return {"first_finished_at": time.time(), "memory_mb": measured.memory_mb()}


def embed(seconds: float) -> dict[str, float]:
    return lag.lag_in_thread(lambda: _tune(10**6, 2, seconds=seconds))


# It is sent as code alone, without its module, and gets what it needs as parameters.
def evaluate(momentum, lr, dropout, depth, width, optimizer, nesterov, bias, file, low_s, high_s, n_reports):  # type: ignore[no-untyped-def]
    from syne_tune import Reporter

    from benchmarks.peers.shared.objectives import Nap, reported

    reporter = Reporter()
    value = Nap(file, low_s, high_s)({"momentum": momentum})
    for step in range(1, n_reports + 1):
        reporter(loss=reported(step) if n_reports > 1 else value, step=step)


def _tune(
    n_trials: int,
    workers: int,
    file: str = os.devnull,
    low_s: float = 0.0,
    high_s: float = 0.0,
    n_reports: int = 1,
    pruner: str = "none",
    seconds: float | None = None,
) -> Tuner:
    if workers > _MOST_WORKERS:
        raise NotImplementedError(f"it starts processes too slowly to keep {workers} busy")
    fixed = {"file": file, "low_s": low_s, "high_s": high_s, "n_reports": n_reports}
    space: dict[str, Any] = {name: _domain(domain) for name, domain in SPACE.items()} | fixed
    scheduler: Any = RandomSearch(space, metrics=["loss"])
    if pruner == "asha":
        scheduler = ASHA(space, metric="loss", time_attr="step", max_t=n_reports, grace_period=1, reduction_factor=4)
    elif pruner == "median":
        scheduler = MedianStoppingRule(scheduler, time_attr="step", metric="loss")
    limits = StoppingCriterion(max_num_trials_started=n_trials, max_wallclock_time=seconds)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SYNETUNE_FOLDER"] = folder
        tuner = Tuner(
            PythonBackend(evaluate, space),
            scheduler,
            limits,
            n_workers=workers,
            sleep_time=_SLEEP_S,
            wait_trial_completion_when_stopping=seconds is None,
        )
        tuner.run()
        return tuner


def _domain(domain: Real | Whole | Choice) -> Any:
    if isinstance(domain, Choice):
        return choice(list(domain.options))
    if isinstance(domain, Whole):
        return (lograndint if domain.is_log else randint)(domain.low, domain.high)
    if domain.step is not None:
        return finrange(domain.low, domain.high, 1 + round((domain.high - domain.low) / domain.step))
    return (loguniform if domain.is_log else uniform)(domain.low, domain.high)
