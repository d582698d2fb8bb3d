"""The percentile and median rules: equal to Optuna's, cheap, and clear about wrong options."""

from __future__ import annotations

import math
import warnings
from array import array
from typing import Any, NamedTuple

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Pruner, VerdictSteps
from asyncsweep.pruners.percentile import MedianPruner, PercentilePruner

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Report(NamedTuple):
    trial: int
    step: int
    value: float


class End(NamedTuple):
    trial: int
    state: State


N_TRIALS = 8
TOLD = {
    State.COMPLETE: {"values": 0.0},
    State.PRUNED: {"state": optuna.trial.TrialState.PRUNED},
    State.FAILED: {"state": optuna.trial.TrialState.FAIL},
}
numbers = [-1.0, 0.0, 0.5, 1.0, 2.0, math.nan, math.inf, -math.inf]
curves = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(numbers)), max_size=6)
states = st.sampled_from([State.COMPLETE, State.COMPLETE, State.COMPLETE, State.PRUNED, State.FAILED])
options = st.fixed_dictionaries(
    {
        "percentile": st.sampled_from([0.0, 10.0, 25, 50.0, 66.6, 100.0]),
        "n_startup_trials": st.sampled_from([0, 0, 1, 3]),
        "n_warmup_steps": st.sampled_from([0, 0, 1, 2]),
        "interval_steps": st.integers(1, 3),
        "n_min_trials": st.integers(1, 3),
    }
)


@st.composite
def traces(draw: st.DrawFn) -> list[Report | End]:
    """Some trials that are over, then some at a time, their reports in any order; a trial may report a step twice."""
    trace: list[Report | End] = []
    n_over = draw(st.integers(0, N_TRIALS - 2))
    for trial in range(n_over):
        trace += [Report(trial, step, value) for step, value in draw(curves)]
        trace.append(End(trial, draw(states)))
    together: list[Report | End] = []
    for trial in range(n_over, N_TRIALS):
        together += [Report(trial, step, value) for step, value in draw(curves)]
        together += [End(trial, state) for state in draw(st.lists(states, max_size=1))]
    return trace + draw(st.permutations(together))


def finished(number: int, state: State, reported: list[tuple[int, float]]) -> TrialRecord:
    steps = array("q", [step for step, _ in reported])
    return TrialRecord(number, state=state, steps=steps, reported=array("d", [value for _, value in reported]))


def our_verdicts(pruner: Pruner, direction: Direction, trace: list[Report | End]) -> list[bool]:
    pruner.open(direction, 0, "sweep")
    reported: dict[int, list[tuple[int, float]]] = {}
    over: set[int] = set()
    verdicts = []
    for event in trace:
        if event.trial in over:
            continue
        mine = reported.setdefault(event.trial, [])
        if isinstance(event, End):
            over.add(event.trial)
            pruner.finish(finished(event.trial, event.state, mine))
        else:
            mine.append((event.step, event.value))
            pruner.report(event.trial, event.step, event.value)
            verdicts.append(pruner.judge(event.trial, max(step for step, _ in mine)))
    return verdicts


def optunas_verdicts(pruner: optuna.pruners.BasePruner, direction: Direction, trace: list[Report | End]) -> list[bool]:
    study = optuna.create_study(direction=direction, pruner=pruner, sampler=optuna.samplers.RandomSampler())
    asked = [study.ask() for _ in range(N_TRIALS)]
    over: set[int] = set()
    verdicts = []
    for event in trace:
        if event.trial in over:
            continue
        if isinstance(event, End):
            over.add(event.trial)
            study.tell(event.trial, **TOLD[event.state])
        else:
            asked[event.trial].report(event.value, event.step)
            verdicts.append(asked[event.trial].should_prune())
    return verdicts


@settings(max_examples=400, deadline=None)
@given(options, st.sampled_from(["minimize", "maximize"]), traces())
def test_verdicts_equal_optunas_on_any_trace(
    chosen: dict[str, Any], direction: Direction, trace: list[Report | End]
) -> None:
    ours = our_verdicts(PercentilePruner(**chosen), direction, trace)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a step reported twice, a percentile of nothing but NaN
        assert ours == optunas_verdicts(optuna.pruners.PercentilePruner(**chosen), direction, trace)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["minimize", "maximize"]))
def test_the_median_pruner_equals_optunas_with_default_options(seed: int, direction: Direction) -> None:
    random = np.random.default_rng(seed)
    trace: list[Report | End] = []
    for trial in range(N_TRIALS):
        trace += [Report(trial, step, float(random.normal())) for step in range(10)]
        trace.append(End(trial, State.COMPLETE))
    theirs = optunas_verdicts(optuna.pruners.MedianPruner(), direction, trace)
    assert our_verdicts(MedianPruner(), direction, trace) == theirs


def test_some_trials_are_stopped_and_some_are_not() -> None:
    trace: list[Report | End] = []
    for trial in range(5):
        trace += [Report(trial, 0, float(trial)), End(trial, State.COMPLETE)]
    trace += [Report(5, 0, 1.9), Report(6, 0, 2.1)]
    assert our_verdicts(MedianPruner(), "minimize", trace) == [False] * 5 + [False, True]


def test_a_retold_history_gives_the_same_verdicts() -> None:
    history = [finished(number, State.COMPLETE, [(0, float(number)), (1, -float(number))]) for number in range(6)]
    told = MedianPruner(n_startup_trials=1)
    told.open("minimize", 0, "sweep")
    for trial in history:
        told.finish(trial)
    told.report(9, 0, 3.0)
    assert told.judge(9, 0)


def test_nothing_of_a_running_trial_is_kept_after_its_end() -> None:
    pruner = MedianPruner()
    pruner.open("minimize", 0, "sweep")
    for number, state in enumerate([State.COMPLETE, State.PRUNED, State.FAILED, State.CANCELLED]):
        pruner.report(number, 0, 1.0)
        pruner.finish(finished(number, state, [(0, 1.0)]))
    assert not pruner._running


def test_a_retried_trial_is_judged_on_its_new_reports_alone() -> None:
    pruner = MedianPruner(n_startup_trials=1)
    pruner.open("minimize", 0, "sweep")
    pruner.finish(finished(0, State.COMPLETE, [(0, 1.0)]))
    pruner.report(1, 0, 0.5)
    pruner.restart(1)
    pruner.report(1, 0, 2.0)
    assert pruner.judge(1, 0)


def test_a_trial_that_never_reported_is_not_stopped() -> None:
    pruner = MedianPruner(n_startup_trials=0)
    pruner.open("minimize", 0, "sweep")
    pruner.finish(finished(0, State.COMPLETE, [(0, 1.0)]))
    assert not pruner.judge(1, 0)


def test_a_trial_of_nans_goes_on_as_long_as_no_trial_is_complete() -> None:
    trace: list[Report | End] = [Report(0, 0, math.nan)]
    assert our_verdicts(MedianPruner(n_startup_trials=0), "minimize", trace) == [False]


def test_of_two_reports_at_one_step_a_complete_trials_first_counts() -> None:
    trace: list[Report | End] = [Report(0, 0, 1.0), Report(0, 0, 9.0), End(0, State.COMPLETE), Report(1, 0, 5.0)]
    assert our_verdicts(MedianPruner(n_startup_trials=0), "minimize", trace)[-1]


def test_workers_need_to_ask_from_the_end_of_the_warm_up_on() -> None:
    assert PercentilePruner(25.0, n_warmup_steps=30, interval_steps=10).verdict_steps() == VerdictSteps(30, 1)


def test_the_pruners_keep_the_contract() -> None:
    assert isinstance(MedianPruner(), Pruner) and MedianPruner.host == "inline"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"percentile": 101}, "pruner.percentile: expected a number from 0 to 100, got 101"),
        ({"percentile": math.nan}, "pruner.percentile: expected a number from 0 to 100, got nan"),
        ({"percentile": "25"}, "pruner.percentile: expected a number from 0 to 100, got '25'"),
        ({"percentile": True}, "pruner.percentile: expected a number from 0 to 100, got True"),
        ({"n_startup_trials": -1}, "pruner.n_startup_trials: expected a whole number of at least 0, got -1"),
        ({"n_warmup_steps": 1.5}, "pruner.n_warmup_steps: expected a whole number of at least 0, got 1.5"),
        ({"interval_steps": 0}, "pruner.interval_steps: expected a whole number of at least 1, got 0"),
        ({"n_min_trials": True}, "pruner.n_min_trials: expected a whole number of at least 1, got True"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PercentilePruner(**{"percentile": 25.0, **wrong})
    assert str(refused.value) == message
