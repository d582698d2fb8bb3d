"""The rule for objectives that diverge."""

from __future__ import annotations

import math
from typing import Any

import pytest

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Pruner, VerdictSteps
from asyncsweep.pruners.nan import NanPruner


def verdicts(pruner: NanPruner, *values: float) -> list[bool]:
    pruner.open("minimize", 0, "sweep")
    found = []
    for step, value in enumerate(values):
        pruner.report(0, step, value)
        found.append(pruner.judge(0, step))
    return found


def test_a_trial_whose_last_value_is_nan_is_stopped() -> None:
    assert verdicts(NanPruner(), 1.0, math.inf, math.nan, 2.0) == [False, False, True, False]


def test_infinite_values_stop_a_trial_where_they_are_to() -> None:
    values = (1.0, math.inf, -math.inf, math.nan, 0.0)
    assert verdicts(NanPruner(also_infinite=True), *values) == [False, True, True, True, False]


def test_the_last_value_is_that_of_the_highest_step() -> None:
    pruner = NanPruner()
    pruner.report(0, 5, 1.0)
    pruner.report(0, 4, math.nan)
    assert not pruner.judge(0, 5)


def test_a_trial_that_never_reported_goes_on() -> None:
    assert not NanPruner(also_infinite=True).judge(0, 0)


def test_a_retried_trial_is_judged_on_its_new_reports_alone() -> None:
    pruner = NanPruner()
    pruner.report(0, 5, math.nan)
    pruner.restart(0)
    pruner.report(0, 0, 1.0)
    assert not pruner.judge(0, 0)


def test_nothing_of_a_trial_is_kept_after_its_end() -> None:
    pruner = NanPruner()
    pruner.report(0, 0, math.nan)
    pruner.finish(TrialRecord(0, State.PRUNED))
    assert not pruner._running


def test_it_keeps_the_contract_and_is_asked_at_every_step() -> None:
    assert isinstance(NanPruner(), Pruner) and NanPruner.host == "inline"
    assert NanPruner().verdict_steps() == VerdictSteps()


@pytest.mark.parametrize("wrong", [1, "yes", None])
def test_a_wrong_option_is_named_with_what_is_accepted(wrong: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        NanPruner(also_infinite=wrong)
    assert str(refused.value) == f"pruner.also_infinite: expected True or False, got {wrong!r}"
