"""The percentile and median rules; `test_equal_to_optuna.py` holds their verdicts against Optuna's."""

from __future__ import annotations

import math
from array import array
from typing import Any, NamedTuple

import pytest

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Pruner, VerdictSteps
from asyncsweep.pruners.percentile import MedianPruner, PercentilePruner


class Report(NamedTuple):
    trial: int
    step: int
    value: float


class End(NamedTuple):
    trial: int
    state: State


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
