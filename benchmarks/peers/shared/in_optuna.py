"""What the adapters on top of Optuna share (Optuna itself, Dask, the hand-written loop): the space, studies and objectives."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from benchmarks.peers.shared import measured, objectives
from benchmarks.peers.shared.space import SPACE, Choice, Real, Whole

PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "asha": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=4),
}
optuna.logging.set_verbosity(optuna.logging.WARNING)


def distribution_of(domain: Real | Whole | Choice) -> BaseDistribution:
    """One parameter as Optuna's."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    if isinstance(domain, Whole):
        return IntDistribution(domain.low, domain.high, log=domain.is_log)
    return FloatDistribution(domain.low, domain.high, log=domain.is_log, step=domain.step)


DISTRIBUTIONS = {name: distribution_of(domain) for name, domain in SPACE.items()}


def suggest_all(trial: optuna.Trial) -> dict[str, Any]:
    """All eight, as an objective of Optuna's asks for them."""
    return {
        "momentum": trial.suggest_float("momentum", 0.0, 1.0),
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 1.0, step=0.1),
        "depth": trial.suggest_int("depth", 1, 100),
        "width": trial.suggest_int("width", 1, 1024, log=True),
        "optimizer": trial.suggest_categorical("optimizer", ("sgd", "adam", "lion")),
        "nesterov": trial.suggest_categorical("nesterov", (True, False)),
        "bias": trial.suggest_float("bias", -5.0, 5.0),
    }


def study_in(file: str | None = None, pruner: str = "none") -> optuna.Study:
    """A study with random parameters: in memory, or the one that a journal in this file holds."""
    storage = None if file is None else optuna.storages.JournalStorage(JournalFileBackend(file))
    return study_on(storage, pruner)


def study_on(storage: Any, pruner: str = "none") -> optuna.Study:
    """A study with random parameters on this storage, which may hold it already."""
    sampler = optuna.samplers.RandomSampler()
    return optuna.create_study(
        storage=storage, study_name="s", sampler=sampler, pruner=PRUNERS[pruner](), load_if_exists=True
    )


def report_all(trial: optuna.Trial, n_reports: int, pruner: str) -> float:
    """The objective with reports, and with a verdict awaited after each where there is a pruner."""
    value = objectives.noop(suggest_all(trial))
    for step in range(1, n_reports + 1):
        trial.report(objectives.reported(step), step)
        if pruner != "none" and trial.should_prune():
            raise optuna.TrialPruned
    return value


def rate_of(study: optuna.Study, n_trials: int, began_at: float, ended_at: float | None = None) -> dict[str, float]:
    """Trials per second from one time to another, or until now."""
    ended_at = ended_at or time.monotonic()
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return measured.rate(n_trials, len(complete), began_at, ended_at)


def reports_of(study: optuna.Study, n_trials: int, began_at: float, ended_at: float | None = None) -> dict[str, float]:
    """Reports per second from one time to another, or until now."""
    ended_at = ended_at or time.monotonic()
    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])
    n_pruned = sum(trial.state == TrialState.PRUNED for trial in ended)
    n_reports = sum(len(trial.intermediate_values) for trial in ended)
    return measured.reports(n_trials, len(ended), n_reports, n_pruned, began_at, ended_at)


def study_with(history: int) -> optuna.Study:
    """A study in memory with so many finished random trials, and Optuna's default sampler from now on."""
    study = study_in()
    for _ in range(history):
        trial = study.ask(DISTRIBUTIONS)
        study.tell(trial, objectives.bowl(trial.params))
    study.sampler = optuna.samplers.TPESampler()
    return study
