"""What ASHA keeps, gives out and takes back; `test_equal_to_optuna.py` holds its verdicts against Optuna's."""

from __future__ import annotations

import math
from array import array
from typing import Any

import pytest

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Pruner, VerdictSteps
from asyncsweep.hooks.registry import Registry
from asyncsweep.pruners.asha import AshaPruner


def opened(direction: Direction = "minimize", **options: Any) -> AshaPruner:
    pruner = AshaPruner(**({"min_resource": 1, "reduction_factor": 2} | options))
    pruner.open(direction, 0, "sweep")
    return pruner


def asked(pruner: AshaPruner, trial: int, value: float, step: int = 1) -> bool:
    pruner.report(trial, step, value)
    return pruner.judge(trial, step)


def finished(number: int, attrs: dict[str, Any] | None = None, steps: tuple[int, ...] = ()) -> TrialRecord:
    reported = array("d", [0.0] * len(steps))
    return TrialRecord(number, State.COMPLETE, steps=array("q", steps), reported=reported, pruner_attrs=attrs)


@pytest.mark.parametrize(("direction", "verdicts"), [("minimize", [False, True]), ("maximize", [False, False])])
def test_of_two_trials_the_better_goes_on(direction: Direction, verdicts: list[bool]) -> None:
    pruner = opened(direction)
    assert [asked(pruner, 0, 1.0), asked(pruner, 1, 2.0)] == verdicts


def test_a_rung_completed_by_a_verdict_is_told_once() -> None:
    pruner = opened()
    asked(pruner, 0, 0.5, step=2)
    assert [pruner.attrs(0), pruner.attrs(0)] == [{"completed_rung_0": 0.5, "completed_rung_1": 0.5}, {}]


def test_a_report_alone_completes_no_rung() -> None:
    pruner = opened()
    pruner.report(0, 9, 0.5)
    assert pruner.attrs(0) == {}


def test_a_trial_that_was_never_told_of_has_no_attributes_and_goes_on() -> None:
    pruner = opened()
    assert (pruner.judge(7, 3), pruner.attrs(7)) == (False, {})


def test_nan_is_stopped_and_completes_no_rung() -> None:
    pruner = opened()
    assert (asked(pruner, 0, math.nan), pruner.attrs(0)) == (True, {})


def test_the_end_of_a_trial_that_was_judged_here_counts_its_rungs_once() -> None:
    pruner = opened(reduction_factor=3)
    for number, value in enumerate([1.0, 2.0, 3.0, 4.0]):
        asked(pruner, number, value)
        pruner.finish(finished(number, pruner.attrs(number)))
    # Of five trials the best goes on, of nine the best three would.
    assert asked(pruner, 4, 1.5)


def test_rungs_of_a_trial_that_was_judged_elsewhere_are_taken_from_its_attributes() -> None:
    pruner = opened()
    pruner.finish(finished(0, {"completed_rung_0": 1.0, "completed_rung_1": 1.0}))
    assert [asked(pruner, 1, 2.0), asked(pruner, 2, 0.5, step=3)] == [True, False]


def test_a_running_trial_goes_on_from_the_rungs_that_are_given_back() -> None:
    pruner = opened()
    asked(pruner, 0, 0.0)
    pruner.restore(1, {"completed_rung_0": 5.0})
    assert (asked(pruner, 1, 9.0), pruner.attrs(1)) == (False, {})


def test_what_is_given_back_competes() -> None:
    pruner = opened()
    pruner.restore(1, {"completed_rung_0": 1.0})
    assert asked(pruner, 2, 2.0)


def test_a_retried_trial_competes_anew_and_its_earlier_attempt_no_more() -> None:
    pruner = opened()
    asked(pruner, 0, 1.0)
    pruner.restart(0)
    assert [asked(pruner, 1, 2.0), asked(pruner, 0, 3.0)] == [False, True]
    assert pruner.attrs(0) == {"completed_rung_0": 3.0}


def test_a_retry_of_a_trial_that_never_reported_changes_nothing() -> None:
    pruner = opened()
    asked(pruner, 0, 1.0)
    pruner.restart(1)
    assert asked(pruner, 2, 2.0)


def test_nothing_of_a_running_trial_is_kept_after_its_end() -> None:
    pruner = opened()
    asked(pruner, 0, 1.0)
    pruner.finish(finished(0, pruner.attrs(0)))
    assert not pruner._running


def test_what_auto_means_is_found_at_the_first_verdict_after_a_complete_trial() -> None:
    pruner = opened(min_resource="auto")
    pruner.finish(finished(0, steps=(0, 500)))
    assert asked(pruner, 1, 1.0, step=4) is False
    pruner.finish(finished(2, steps=(0, 900)))
    assert [pruner.attrs(1), asked(pruner, 1, 1.0, step=5), pruner.attrs(1)] == [
        {"asha:min_resource": 5},
        False,
        {"completed_rung_0": 1.0},
    ]


def test_what_auto_meant_before_a_restart_it_means_after_it() -> None:
    pruner = opened(min_resource="auto")
    pruner.finish(finished(0, steps=(0, 900)))
    pruner.finish(finished(1, {"asha:min_resource": 5}))
    asked(pruner, 2, 1.0, step=5)
    assert pruner.attrs(2) == {"asha:min_resource": 5, "completed_rung_0": 1.0}


def test_a_given_min_resource_is_not_changed_by_what_others_learnt() -> None:
    pruner = opened(min_resource=2)
    pruner.finish(finished(1, {"asha:min_resource": 1}))
    asked(pruner, 2, 1.0, step=1)
    assert pruner.attrs(2) == {}


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"min_resource": 2, "reduction_factor": 3, "min_early_stopping_rate": 2}, VerdictSteps(18, factor=3)),
        ({"min_resource": "auto"}, VerdictSteps(0, 1)),
        ({"min_resource": 1, "reduction_factor": 2**70}, VerdictSteps(1, factor=2**62)),
        ({"min_resource": 2, "min_early_stopping_rate": 62}, None),
    ],
)
def test_workers_ask_at_the_rungs_when_they_are_known(options: dict[str, Any], steps: VerdictSteps | None) -> None:
    assert opened(**options).verdict_steps() == steps


@pytest.mark.parametrize("name", ["asha", "successive_halving"])
def test_it_goes_by_two_names(name: str) -> None:
    assert type(Registry().build("pruner", name)) is AshaPruner


def test_it_keeps_the_contract() -> None:
    assert isinstance(AshaPruner(), Pruner) and AshaPruner.host == "inline"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_resource": 0}, 'pruner.min_resource: expected "auto" or a whole number of at least 1, got 0'),
        ({"min_resource": "all"}, "pruner.min_resource: expected \"auto\" or a whole number of at least 1, got 'all'"),
        ({"min_resource": True}, 'pruner.min_resource: expected "auto" or a whole number of at least 1, got True'),
        ({"reduction_factor": 1}, "pruner.reduction_factor: expected a whole number of at least 2, got 1"),
        (
            {"min_early_stopping_rate": -1},
            "pruner.min_early_stopping_rate: expected a whole number of at least 0, got -1",
        ),
        ({"bootstrap_count": -1}, "pruner.bootstrap_count: expected a whole number of at least 0, got -1"),
        ({"bootstrap_count": 1}, 'pruner.bootstrap_count: expected 0 with min_resource="auto", got 1'),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        AshaPruner(**wrong)
    assert str(refused.value) == message
