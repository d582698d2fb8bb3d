"""hyperopt: `fmin` in this process. Its parallel forms need a MongoDB or a Spark cluster."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp
from hyperopt.pyll.base import scope

from benchmarks.peers.shared import lag, measured, objectives
from benchmarks.peers.shared.space import SPACE, Choice, Real, Whole

LIBRARIES = ("hyperopt",)
LESS = {
    "embed": "trials run in a thread of the host; nothing is on disk",
    "search": "asks on the spot; nothing is on disk",
}
MOST = {"overhead": 1_000, "search": 1_000}


def overhead(n_trials: int, workers: int = 0, durable: bool = False) -> dict[str, float]:
    if workers:
        raise NotImplementedError("its processes need a MongoDB or a Spark cluster")
    with tempfile.TemporaryDirectory() as folder:
        trials, began_at = hyperopt.Trials(), time.monotonic()
        file = str(Path(folder, "trials.pickle")) if durable else ""
        _minimize(trials, objectives.noop, max_evals=n_trials, trials_save_file=file)
        return measured.rate(n_trials, _n_complete(trials), began_at)


def search(history: int, n_asks: int) -> dict[str, float]:
    trials, took_s = hyperopt.Trials(), []
    _minimize(trials, objectives.bowl, max_evals=history)

    def timed(*given: Any) -> Any:
        began_at = time.perf_counter()
        suggested = hyperopt.tpe.suggest(*given)
        took_s.append(time.perf_counter() - began_at)
        return suggested

    _minimize(trials, objectives.bowl, suggest=timed, max_evals=history + n_asks)
    return measured.quantiles("ask_ms", took_s)


def startup() -> dict[str, float]:
    trials = hyperopt.Trials()
    _minimize(trials, objectives.noop, max_evals=1)
    return {"first_finished_at": time.time(), "memory_mb": measured.memory_mb()}


def embed(seconds: float) -> dict[str, float]:
    return lag.lag_in_thread(functools.partial(_minimize, hyperopt.Trials(), objectives.noop, timeout=seconds))


def _minimize(
    trials: hyperopt.Trials, objective: Callable[[Any], float], suggest: Any = hyperopt.rand.suggest, **limits: Any
) -> None:
    space = {name: _domain(name, domain) for name, domain in SPACE.items()}
    hyperopt.fmin(
        objective,
        space,
        algo=suggest,
        trials=trials,
        show_progressbar=False,
        verbose=False,
        return_argmin=False,
        **limits,
    )


def _n_complete(trials: hyperopt.Trials) -> int:
    return sum(status == hyperopt.STATUS_OK for status in trials.statuses())


def _domain(name: str, domain: Real | Whole | Choice) -> Any:
    if isinstance(domain, Choice):
        return hp.choice(name, domain.options)
    if isinstance(domain, Whole):
        if domain.is_log:
            return scope.int(hp.qloguniform(name, np.log(domain.low), np.log(domain.high), 1))
        return hp.uniformint(name, domain.low, domain.high)
    if domain.step is not None:
        return hp.quniform(name, domain.low, domain.high, domain.step)
    if domain.is_log:
        return hp.loguniform(name, np.log(domain.low), np.log(domain.high))
    return hp.uniform(name, domain.low, domain.high)
