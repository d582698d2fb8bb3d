"""Hyperband's brackets and options; `test_equal_to_optuna.py` holds its verdicts against Optuna's."""

from __future__ import annotations

from array import array
from typing import Any

import optuna
import pytest

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Pruner, VerdictSteps
from asyncsweep.pruners.hyperband import HyperbandPruner


def opened(sweep: str = "sweep", **options: Any) -> HyperbandPruner:
    pruner = HyperbandPruner(**options)
    pruner.open("minimize", 0, sweep)
    return pruner


def complete(number: int, last_step: int, attrs: dict[str, Any] | None = None) -> TrialRecord:
    steps, values = array("q", [last_step]), array("d", [0.0])
    return TrialRecord(number, State.COMPLETE, steps=steps, reported=values, pruner_attrs=attrs)


def first_rungs(pruner: HyperbandPruner, trials: range) -> list[int]:
    """The lowest step at which each trial completes a rung: it tells its bracket."""
    found = []
    for trial in trials:
        step = 0
        while "completed_rung_0" not in pruner.attrs(trial):
            step += 1
            pruner.report(trial, step, 1.0)
            pruner.judge(trial, step)
        found.append(step)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"min_resource": 1, "max_resource": 81},
        {"min_resource": 2, "max_resource": 100, "reduction_factor": 2},
        {"min_resource": 5, "max_resource": 5, "reduction_factor": 4},
    ],
)
def test_every_trial_is_in_the_bracket_that_optuna_puts_it_in(options: dict[str, Any]) -> None:
    theirs = optuna.pruners.HyperbandPruner(**options)
    study = optuna.create_study(study_name="name", pruner=theirs)
    theirs._try_initialization(study)
    brackets = [theirs._get_bracket_id(study, optuna.trial.FrozenTrial(**_trial(number))) for number in range(200)]
    factor = options.get("reduction_factor", 3)
    assert first_rungs(opened("name", **options), range(200)) == [
        options["min_resource"] * factor**bracket for bracket in brackets
    ]


def _trial(number: int) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(("value", "datetime_start", "datetime_complete"))
    names = ("params", "distributions", "user_attrs", "system_attrs", "intermediate_values")
    empty: dict[str, Any] = {name: {} for name in names}
    return {"number": number, "trial_id": number, "state": optuna.trial.TrialState.RUNNING, **nothing, **empty}


def test_trials_of_different_brackets_do_not_compete() -> None:
    brackets = first_rungs(opened(max_resource=81), range(20))
    other = next(number for number, step in enumerate(brackets) if step != brackets[0])
    pruner = opened(max_resource=81)
    verdicts = []
    for trial, value in [(0, 0.0), (other, 1.0)]:
        pruner.report(trial, 81, value)
        verdicts.append(pruner.judge(trial, 81))
    assert verdicts == [False, False]


def test_what_auto_means_is_kept_with_every_trial_that_is_judged() -> None:
    pruner = opened()
    pruner.finish(complete(0, last_step=8))
    pruner.report(1, 0, 1.0)
    pruner.judge(1, 0)
    assert pruner.attrs(1) == {"hyperband:max_resource": 9}


def test_rungs_that_are_retold_go_to_their_brackets_whatever_comes_first() -> None:
    won = {"hyperband:max_resource": 1, "completed_rung_0": 1.0}
    pruner = opened()
    pruner.finish(complete(0, 80, won))
    pruner.finish(complete(1, 80))
    pruner.report(2, 1, 2.0)
    assert (pruner.judge(2, 1), pruner.attrs(2)["hyperband:max_resource"]) == (True, 1)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"min_resource": 2, "max_resource": 50}, VerdictSteps(2, factor=3)),
        ({"max_resource": "auto"}, VerdictSteps(0, 1)),
        ({"min_resource": 2**63, "max_resource": 2**64}, None),
    ],
)
def test_workers_ask_at_the_rungs_when_they_are_known(options: dict[str, Any], steps: VerdictSteps | None) -> None:
    assert opened(**options).verdict_steps() == steps


def test_it_keeps_the_contract() -> None:
    assert isinstance(HyperbandPruner(), Pruner) and HyperbandPruner.host == "inline"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_resource": "auto"}, "pruner.min_resource: expected a whole number of at least 1, got 'auto'"),
        ({"max_resource": 0}, 'pruner.max_resource: expected "auto" or a whole number of at least 1, got 0'),
        ({"min_resource": 5, "max_resource": 4}, "pruner.max_resource: expected at least min_resource, 5, got 4"),
        ({"reduction_factor": 1}, "pruner.reduction_factor: expected a whole number of at least 2, got 1"),
        ({"bootstrap_count": -1}, "pruner.bootstrap_count: expected a whole number of at least 0, got -1"),
        ({"bootstrap_count": 1}, 'pruner.bootstrap_count: expected 0 with max_resource="auto", got 1'),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        HyperbandPruner(**wrong)
    assert str(refused.value) == message
