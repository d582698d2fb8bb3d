"""Patience around a pruner: what goes through to it; `test_equal_to_optuna.py` holds its verdicts against Optuna's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import FinishedTrial, Pruner, VerdictSteps
from asyncsweep.pruners.patient import PatientPruner
from asyncsweep.settings import pruner as pruner_setting


class Bare:
    """A pruner of the contract alone, which keeps what it is told and stops everything."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        self.told.append(("open", direction, seed, sweep))

    def report(self, trial: int, step: int, value: float) -> None:
        self.told.append(("report", trial, step, value))

    def restart(self, trial: int) -> None:
        self.told.append(("restart", trial))

    def judge(self, trial: int, step: int) -> bool:
        self.told.append(("judge", trial, step))
        return True

    def finish(self, trial: FinishedTrial) -> None:
        self.told.append(("finish", trial.number))


class Full(Bare):
    """One with all that a pruner may have."""

    host = "inline"
    steps: VerdictSteps | None = VerdictSteps()

    def verdict_steps(self) -> VerdictSteps | None:
        return self.steps

    def attrs(self, trial: int) -> dict[str, Any]:
        return {"kept": trial}

    def restore(self, trial: int, attrs: Mapping[str, Any]) -> None:
        self.told.append(("restore", trial, dict(attrs)))


def around(wrapped: object, patience: int = 0, **options: Any) -> PatientPruner:
    pruner = PatientPruner(wrapped, patience, **options)
    pruner.open("minimize", 7, "sweep")
    return pruner


def verdicts(pruner: PatientPruner, *values: float) -> list[bool]:
    found = []
    for step, value in enumerate(values):
        pruner.report(0, step, value)
        found.append(pruner.judge(0, step))
    return found


def test_without_a_wrapped_pruner_a_trial_that_does_not_improve_is_stopped() -> None:
    assert verdicts(around(None, 1), 3.0, 2.0, 2.5, 2.1, 1.0) == [False, False, False, True, False]


def test_the_wrapped_pruner_is_not_asked_while_there_is_patience() -> None:
    wrapped = Bare()
    assert verdicts(around(wrapped), 3.0, 2.0) == [False, False]
    assert [told for told in wrapped.told if told[0] == "judge"] == []


def test_the_wrapped_pruner_decides_when_patience_is_lost() -> None:
    wrapped = Bare()
    assert verdicts(around(wrapped), 3.0, 3.5) == [False, True]
    assert wrapped.told[-1] == ("judge", 0, 1)


def test_everything_is_handed_on_to_the_wrapped_pruner() -> None:
    wrapped = Full()
    pruner = around(wrapped)
    pruner.restore(4, {"kept": 4})
    pruner.report(4, 1, 0.5)
    pruner.restart(4)
    pruner.finish(TrialRecord(4, State.FAILED))
    assert wrapped.told == [
        ("open", "minimize", 7, "sweep"),
        ("restore", 4, {"kept": 4}),
        ("report", 4, 1, 0.5),
        ("restart", 4),
        ("finish", 4),
    ]
    assert pruner.attrs(4) == {"kept": 4}


@pytest.mark.parametrize("wrapped", [None, Bare()])
def test_what_the_wrapped_pruner_cannot_do_is_not_asked_of_it(wrapped: Bare | None) -> None:
    pruner = around(wrapped)
    pruner.restore(4, {"kept": 4})
    assert pruner.attrs(4) == {}


def test_a_retried_trial_has_patience_again() -> None:
    pruner = around(None)
    verdicts(pruner, 1.0, 2.0)
    pruner.restart(0)
    assert verdicts(pruner, 5.0) == [False]


def test_nothing_of_a_trial_is_kept_after_its_end() -> None:
    pruner = around(None)
    verdicts(pruner, 1.0)
    pruner.finish(TrialRecord(0, State.COMPLETE))
    assert not pruner._running


@pytest.mark.parametrize(
    ("steps", "patience", "expected"),
    [
        (VerdictSteps(), 3, VerdictSteps(4, 1)),
        (VerdictSteps(10, 1), 3, VerdictSteps(10, 1)),
        (VerdictSteps(2, 5), 8, VerdictSteps(12, 5)),
        (VerdictSteps(2, 5), 6, VerdictSteps(7, 5)),
        (VerdictSteps(9, 4, factor=3), 0, VerdictSteps(9, 1)),
        (None, 3, None),
    ],
)
def test_workers_need_to_ask_where_the_wrapped_pruner_can_stop_and_patience_can_be_lost(
    steps: VerdictSteps | None, patience: int, expected: VerdictSteps | None
) -> None:
    wrapped = Full()
    wrapped.steps = steps
    assert around(wrapped, patience).verdict_steps() == expected


@pytest.mark.parametrize("wrapped", [None, Bare()])
def test_a_wrapped_pruner_that_names_no_steps_may_stop_at_any(wrapped: Bare | None) -> None:
    assert around(wrapped).verdict_steps() == VerdictSteps(1, 1)


@pytest.mark.parametrize(
    ("wrapped", "host"), [(None, "inline"), ("median", "inline"), (Full(), "inline"), (Bare(), "process")]
)
def test_it_runs_where_the_wrapped_pruner_runs(wrapped: object, host: str) -> None:
    assert PatientPruner(wrapped, 0).host == host


@pytest.mark.parametrize(
    "wrapped",
    [
        {"name": "threshold", "upper": 1.0},
        pruner_setting("threshold", upper=1.0),
        ["pruner", "threshold", {"upper": 1.0}, ""],
    ],
)
def test_the_wrapped_pruner_is_chosen_as_a_sweeps_is(wrapped: Any) -> None:
    pruner = around(wrapped)
    assert verdicts(pruner, 0.1, 0.5, 1.5) == [False, False, True]


def test_it_keeps_the_contract() -> None:
    assert isinstance(PatientPruner(None, 1), Pruner)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patience": -1}, "pruner.patience: expected a whole number of at least 0, got -1"),
        ({"min_delta": -0.5}, "pruner.min_delta: expected a number of at least 0, got -0.5"),
        ({"min_delta": math.nan}, "pruner.min_delta: expected a number of at least 0, got nan"),
        (
            {"wrapped_pruner": 5},
            'pruner.wrapped_pruner: expected a name, a mapping with a "name", an object of the contract Pruner, or None, got 5',
        ),
        (
            {"wrapped_pruner": pruner_setting("nan", host="thread")},
            "pruner.wrapped_pruner: expected no host, for both run in one place, got 'thread'",
        ),
        (
            {"wrapped_pruner": {"upper": 1}},
            'pruner.wrapped_pruner: expected a name, a mapping with a "name", an object of the contract Pruner, or None, '
            "got {'upper': 1}",
        ),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PatientPruner(**{"wrapped_pruner": None, "patience": 0, **wrong})
    assert str(refused.value) == message


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^pruner\.wrapped_pruner: .*'medain'.*'median'"):
        PatientPruner("medain", 0)


def test_a_wrong_option_of_the_wrapped_pruner_is_told_as_such() -> None:
    with pytest.raises(ConfigError, match=r"^pruner\.wrapped_pruner: pruner\.lower: expected a number"):
        PatientPruner("threshold", 0)


def test_a_class_is_no_pruner() -> None:
    with pytest.raises(ConfigError, match=r"pruner\.wrapped_pruner: expected"):
        PatientPruner(Bare, 0)
