"""The threshold rule; `test_equal_to_optuna.py` holds its verdicts against Optuna's."""

from __future__ import annotations

import math
from typing import Any

import pytest

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Pruner, VerdictSteps
from asyncsweep.pruners.threshold import ThresholdPruner


def verdict(pruner: ThresholdPruner, value: float, step: int = 0) -> bool:
    pruner.report(0, step, value)
    return pruner.judge(0, step)


@pytest.mark.parametrize(
    ("value", "prune"), [(0.0, False), (1.0, False), (-0.1, True), (1.1, True), (math.nan, True), (math.inf, True)]
)
def test_a_value_out_of_bounds_stops_the_trial(value: float, prune: bool) -> None:
    assert verdict(ThresholdPruner(lower=0.0, upper=1), value) is prune


@pytest.mark.parametrize(("limits", "value"), [({"lower": 0.0}, math.inf), ({"upper": 0.0}, -math.inf)])
def test_a_bound_that_is_left_out_is_none(limits: dict[str, float], value: float) -> None:
    assert not verdict(ThresholdPruner(**limits), value)


def test_a_retried_trial_is_judged_on_its_new_reports_alone() -> None:
    pruner = ThresholdPruner(upper=1.0)
    pruner.report(0, 5, 9.0)
    pruner.restart(0)
    assert not verdict(pruner, 0.5, step=0)


def test_nothing_of_a_trial_is_kept_after_its_end() -> None:
    pruner = ThresholdPruner(upper=1.0)
    pruner.report(0, 0, 0.0)
    pruner.finish(TrialRecord(0, State.PRUNED))
    assert not pruner._running


def test_workers_need_to_ask_from_the_end_of_the_warm_up_on() -> None:
    assert ThresholdPruner(upper=1.0, n_warmup_steps=3, interval_steps=5).verdict_steps() == VerdictSteps(3, 1)


def test_it_keeps_the_contract() -> None:
    assert isinstance(ThresholdPruner(lower=0), Pruner) and ThresholdPruner.host == "inline"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "pruner.lower: expected a number here or for `upper`, got None for both"),
        ({"lower": "0"}, "pruner.lower: expected a number, got '0'"),
        ({"upper": math.nan}, "pruner.upper: expected a number, got nan"),
        ({"upper": True}, "pruner.upper: expected a number, got True"),
        ({"lower": 2, "upper": 1}, "pruner.lower: expected at most `upper`, 1, got 2"),
        ({"lower": 0, "n_warmup_steps": -1}, "pruner.n_warmup_steps: expected a whole number of at least 0, got -1"),
        ({"lower": 0, "interval_steps": 0}, "pruner.interval_steps: expected a whole number of at least 1, got 0"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ThresholdPruner(**wrong)
    assert str(refused.value) == message
