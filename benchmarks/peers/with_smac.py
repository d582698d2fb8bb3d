"""SMAC: a `RandomFacade` on a scenario with one worker, which is this process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ConfigSpace import Categorical, Configuration, ConfigurationSpace, Float, Integer
from smac import HyperparameterOptimizationFacade, RandomFacade, Scenario
from smac.runhistory.dataclasses import TrialInfo, TrialValue
from smac.runhistory.enumerations import StatusType

from benchmarks.peers.shared import lag, measured, objectives
from benchmarks.peers.shared.space import SPACE, Choice, Real, Whole

LIBRARIES = ("smac",)
LESS = {"embed": "trials run in a thread of the host", "search": "asks on the spot"}
MOST = {"overhead": 1_000}


def overhead(n_trials: int, workers: int = 0, durable: bool = True) -> dict[str, float]:
    if not durable:
        raise NotImplementedError("it always keeps its state on disk")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "spans")
        n_complete = _minimize(folder, _target(objectives.Nap(str(file))), workers, n_trials)
        ended_at = time.monotonic()
        return measured.rate(n_trials, n_complete, measured.spans(file)[0][0], ended_at)


def search(history: int, n_asks: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        space, took_s = _space(), []
        scenario = Scenario(space, n_trials=history + n_asks, output_directory=Path(folder), deterministic=True)
        facade = HyperparameterOptimizationFacade(scenario, _target(objectives.bowl), logging_level=False)
        for config in space.sample_configuration(history):
            facade.tell(TrialInfo(config, seed=0), TrialValue(objectives.bowl(dict(config))), save=False)
        for _ in range(n_asks):
            began_at = time.perf_counter()
            trial = facade.ask()
            took_s.append(time.perf_counter() - began_at)
            facade.tell(trial, TrialValue(objectives.bowl(dict(trial.config))), save=False)
        return measured.quantiles("ask_ms", took_s)


def startup() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        _minimize(folder, _target(objectives.noop), 0, 1)
        return {"first_finished_at": time.time(), "memory_mb": measured.memory_mb()}


def embed(seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return lag.lag_in_thread(lambda: _minimize(folder, _target(objectives.noop), 0, 10**6, seconds))


def _target(evaluate: Callable[[dict[str, Any]], float]) -> Callable[[Configuration, int], float]:
    def target(config: Configuration, seed: int = 0) -> float:
        return evaluate(dict(config))

    return target


def _minimize(folder: str, target: Any, workers: int, n_trials: int, seconds: float = float("inf")) -> int:
    """How many trials ended as they should."""
    if workers:
        raise NotImplementedError("with several workers, half of its trials never ended where this was tried")
    scenario = Scenario(
        _space(), output_directory=Path(folder), deterministic=True, n_trials=n_trials, walltime_limit=seconds
    )
    facade = RandomFacade(scenario, target, overwrite=True, logging_level=False)
    facade.optimize()
    return sum(value.status == StatusType.SUCCESS for value in facade.runhistory.values())


def _space() -> ConfigurationSpace:
    space = ConfigurationSpace()
    for name, domain in SPACE.items():
        space.add(_domain(name, domain))
    return space


def _domain(name: str, domain: Real | Whole | Choice) -> Any:
    if isinstance(domain, Choice):
        return Categorical(name, domain.options)
    if isinstance(domain, Whole):
        return Integer(name, (domain.low, domain.high), log=domain.is_log)
    if domain.step is not None:  # it has no steps: as many whole numbers
        return Integer(name, (0, round((domain.high - domain.low) / domain.step)))
    return Float(name, (domain.low, domain.high), log=domain.is_log)
