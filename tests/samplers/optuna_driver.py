"""Runs one objective under plain Optuna and under our classes, one trial after the other."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import optuna

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.hooks.contracts import Params, Pruner, TrialRef
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Space

Curve = Callable[[Params], list[float]]


class Outcome(NamedTuple):
    params: Params
    state: str
    steps: int
    value: float


def final(
    number: int,
    params: Params,
    reports: list[float],
    state: State = State.COMPLETE,
    attrs: dict[str, Any] | None = None,
    metrics: dict[str, float] | None = None,
    **more: Any,
) -> TrialRecord:
    """A final trial that reported at steps 0, 1, ...; a COMPLETE one's value is its last report unless `metrics` are given.

    `more` are further fields of the record.
    """
    if metrics is None:
        metrics = {"value": reports[-1]} if state == State.COMPLETE else {}
    return TrialRecord(
        number,
        state,
        param_names=tuple(params),
        param_values=tuple(params.values()),
        metric_names=tuple(metrics),
        metric_values=tuple(metrics.values()),
        steps=array("q", range(len(reports))),
        reported=array("d", reports),
        sampler_attrs=attrs,
        **more,
    )


def plain_optuna(
    sampler: optuna.samplers.BaseSampler,
    pruner: optuna.pruners.BasePruner,
    suggest: Callable[[optuna.Trial], Params],
    curve: Curve,
    n_trials: int,
) -> list[Outcome]:
    """What `study.optimize` does."""

    def objective(trial: optuna.Trial) -> float:
        values = curve(suggest(trial))
        for step, value in enumerate(values):
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return values[-1]

    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.optimize(objective, n_trials=n_trials)
    return [Outcome(t.params, t.state.name, len(t.intermediate_values), t.value) for t in study.trials]


def one_trial(study: OptunaStudy, pruner: Pruner, number: int, curve: Curve) -> TrialRecord:
    """A trial from ask to tell."""
    params = study.ask(TrialRef(number))
    attrs = study.attrs(number)
    reports: list[float] = []
    state = State.COMPLETE
    for step, value in enumerate(curve(params)):
        reports.append(value)
        pruner.report(number, step, value)
        if pruner.judge(number, step):
            state = State.PRUNED
            break
    record = final(number, params, reports, state, attrs)
    study.tell(record)
    pruner.finish(record)
    return record


def ours(study: OptunaStudy, pruner: Pruner, curve: Curve, n_trials: int) -> list[Outcome]:
    """The same with our classes, opened before."""
    records = (one_trial(study, pruner, number, curve) for number in range(n_trials))
    return [Outcome(r.params, r.state.name, len(list(r.reports)), list(r.reports)[-1][1]) for r in records]


def opened(study: OptunaStudy, space: Space, seed: int = 0, *metrics: str) -> OptunaStudy:
    """The study, ready; it minimizes."""
    directions: dict[str, Direction] = dict.fromkeys(metrics or ("value",), "minimize")
    study.open(space, directions, seed)
    return study


def trials(study: OptunaStudy) -> Iterator[optuna.trial.FrozenTrial]:
    """What Optuna knows."""
    yield from study._study.trials
