"""Every verdict of our pruners is the one that Optuna's pruner gives on the same trace."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import numpy as np
import optuna
import pytest

from asyncsweep.core.records import Direction, State
from asyncsweep.hooks.contracts import Pruner, VerdictSteps
from asyncsweep.hooks.registry import Registry
from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial
from tests.pruners.traces import N_TRIALS, SWEEP, Move, Told, Trace

optuna.logging.set_verbosity(optuna.logging.ERROR)

STATES = {
    State.COMPLETE: {"values": 0.0},
    State.PRUNED: {"state": optuna.trial.TrialState.PRUNED},
    State.FAILED: {"state": optuna.trial.TrialState.FAIL},
}
CLASSES = {
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "asha": "SuccessiveHalvingPruner",
    "successive_halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
    "threshold": "ThresholdPruner",
    "patient": "PatientPruner",
    "nop": "NopPruner",
}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "nop": [{}],
    "median": [
        {},
        {"n_startup_trials": 0},
        {"n_startup_trials": 1, "n_warmup_steps": 2, "interval_steps": 3, "n_min_trials": 2},
    ],
    "percentile": [
        {"percentile": 25.0, "n_startup_trials": 0},
        {"percentile": 66.6, "n_startup_trials": 2, "interval_steps": 2},
        {"percentile": 0.0, "n_startup_trials": 0, "n_min_trials": 3},
        {"percentile": 100, "n_startup_trials": 0, "n_warmup_steps": 1},
    ],
    "asha": [
        {},
        {"reduction_factor": 2, "min_early_stopping_rate": 1},
        {"min_resource": 1, "reduction_factor": 2},
        {"min_resource": 1, "reduction_factor": 3, "bootstrap_count": 2},
        {"min_resource": 2, "reduction_factor": 2, "min_early_stopping_rate": 1},
        {"min_resource": 3},
    ],
    "successive_halving": [{"min_resource": 1, "reduction_factor": 2, "bootstrap_count": 1}],
    "hyperband": [
        {},
        {"min_resource": 2, "reduction_factor": 2},
        {"min_resource": 1, "max_resource": 9},
        {"min_resource": 1, "max_resource": 8, "reduction_factor": 2, "bootstrap_count": 1},
        {"min_resource": 2, "max_resource": 2, "reduction_factor": 4},
    ],
    "threshold": [
        {"lower": -1.0},
        {"upper": 1, "n_warmup_steps": 2},
        {"lower": -1.5, "upper": 0.5, "interval_steps": 3, "n_warmup_steps": 1},
    ],
    "patient": [
        {"wrapped_pruner": None, "patience": 0},
        {"wrapped_pruner": None, "patience": 3, "min_delta": 0.25},
        {"wrapped_pruner": {"name": "median", "n_startup_trials": 0, "interval_steps": 2}, "patience": 1},
        {"wrapped_pruner": {"name": "asha", "min_resource": 1, "reduction_factor": 2}, "patience": 2},
        {"wrapped_pruner": {"name": "hyperband", "reduction_factor": 2}, "patience": 0, "min_delta": 0.1},
    ],
}


def optunas(name: str, options: dict[str, Any]) -> optuna.pruners.BasePruner:
    options = dict(options)
    if options.get("wrapped_pruner"):
        inner = dict(options["wrapped_pruner"])
        options["wrapped_pruner"] = optunas(inner.pop("name"), inner)
    return getattr(optuna.pruners, CLASSES[name])(**options)  # type: ignore[no-any-return]


class Theirs:
    """Optuna's pruner in a study in memory."""

    def __init__(self, pruner: optuna.pruners.BasePruner, direction: Direction) -> None:
        sampler = optuna.samplers.RandomSampler()
        self.study = optuna.create_study(direction=direction, pruner=pruner, sampler=sampler, study_name=SWEEP)
        self.trials = [self.study.ask() for _ in range(N_TRIALS)]

    def report(self, trial: int, step: int, value: float) -> None:
        self.trials[trial].report(value, step)

    def ask(self, trial: int) -> bool:
        return self.trials[trial].should_prune()

    def end(self, trial: int, state: State) -> None:
        self.study.tell(trial, **STATES[state])


class _Port:
    """Carries what a worker says to a pruner without a process between them."""

    def __init__(self, told: Told, trial: int) -> None:
        self.told = told
        self.trial = trial

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        self.told.report(self.trial, step, value)

    def verdict(self, step: int) -> bool:
        return self.told.ask(self.trial)


class Workers:
    """Our pruner, asked by workers: where `verdict_steps` lets them, and not of repeated reports."""

    def __init__(self, told: Told) -> None:
        steps: VerdictSteps | None = told.pruner.verdict_steps()  # type: ignore[attr-defined]
        verdicts = None if steps is None else Steps(steps.first, steps.every, steps.factor)
        self.told = told
        self.trials = [
            Trial(_Port(told, number), number, 1, {}, ("value",), verdicts)  # type: ignore[arg-type]
            for number in range(N_TRIALS)
        ]

    def report(self, trial: int, step: int, value: float) -> None:
        self.trials[trial].report(value, step)

    def ask(self, trial: int) -> bool:
        return self.trials[trial].should_prune()

    def end(self, trial: int, state: State) -> None:
        self.told.end(trial, state)


Player = Theirs | Told | Workers


def play(
    trace: Trace, first: Player, second: Player, before_each: Callable[[], object] = lambda: None
) -> tuple[str, list[bool]]:
    """Play a trace to two players: where they differ ("" for nowhere), and the verdicts up to there."""
    verdicts: list[bool] = []
    for position, move in enumerate(trace.moves()):
        before_each()
        answers = [_play(player, move) for player in (first, second)]
        if answers[0] != answers[1]:
            return f"seed {trace.seed}, position {position}, {move}: {answers[0]} and {answers[1]}", verdicts
        if move.what == "ask":
            verdicts.append(bool(answers[0]))
            trace.told(verdicts[-1])
    return "", verdicts


def _play(player: Player, move: Move) -> bool | None:
    if move.what == "ask":
        return player.ask(move.trial)
    if move.what == "report":
        return player.report(move.trial, move.step, move.value)
    return player.end(move.trial, move.state)


def cases(name: str, n_traces: int) -> list[tuple[Trace, dict[str, Any]]]:
    options = OPTIONS[name]
    return [(Trace(seed), options[seed % len(options)]) for seed in range(n_traces)]


@cache
def registry() -> Registry:
    return Registry()


def ours(name: str, options: dict[str, Any]) -> Pruner:
    options = dict(options)
    if options.get("wrapped_pruner"):
        inner = dict(options["wrapped_pruner"])
        options["wrapped_pruner"] = ours(inner.pop("name"), inner)
    return registry().build("pruner", name, options)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_verdict_equals_optunas(name: str) -> None:
    stopped = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter(
            "ignore"
        )  # a step reported twice, a percentile of nothing but NaN, an experimental pruner
        for trace, options in cases(name, 300):
            theirs = Theirs(optunas(name, options), trace.direction)
            difference, verdicts = play(trace, theirs, Told(ours(name, options), trace.direction))
            assert difference == "", options
            stopped += sum(verdicts)
    assert stopped > 300 or name == "nop"


@pytest.mark.parametrize("name", OPTIONS)
def test_workers_that_ask_only_where_they_have_to_hear_the_same_verdicts(name: str) -> None:
    for trace, options in cases(name, 150):
        every_step = Told(ours(name, options), trace.direction)
        workers = Workers(Told(ours(name, options), trace.direction))
        difference, _ = play(trace, every_step, workers)
        assert difference == "", options


@pytest.mark.parametrize("name", OPTIONS)
def test_after_a_restart_the_verdicts_are_those_of_an_undisturbed_pruner(name: str) -> None:
    for trace, options in cases(name, 150):
        undisturbed, disturbed = (Told(ours(name, options), trace.direction) for _ in range(2))
        random = Random(trace.seed)

        def restart(told: Told = disturbed, options: dict[str, Any] = options, random: Random = random) -> None:
            if random.random() < 0.05:
                told.retell(ours(name, options))

        difference, _ = play(trace, undisturbed, disturbed, restart)
        assert difference == "", options


@pytest.mark.parametrize("name", OPTIONS)
def test_attempts_that_were_retried_leave_no_trace(name: str) -> None:
    for trace, options in cases(name, 150):
        untouched, retried = (Told(ours(name, options), trace.direction) for _ in range(2))
        for move in Trace(trace.seed + 1).moves():
            if move.what != "end":
                _play(retried, move)
        for trial in range(N_TRIALS):
            retried.restart(trial)
        difference, _ = play(trace, untouched, retried)
        assert difference == "", options
