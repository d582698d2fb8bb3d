"""What a trial's record says of itself."""

from __future__ import annotations

import math
from array import array

from asyncsweep.core.records import FINAL_STATES, ErrorInfo, PluginSpec, Retry, State, SweepSpec, TrialRecord


def test_a_new_record_waits_and_knows_nothing() -> None:
    trial = TrialRecord(3)
    assert (trial.state, trial.is_final, trial.params, trial.metrics, trial.value) == (
        State.WAITING,
        False,
        {},
        {},
        None,
    )
    assert (trial.user_attrs, list(trial.reports), trial.last_report, trial.duration_s) == ({}, [], None, None)
    assert (trial.attempt, trial.external, trial.asked_at, trial.started_at, trial.finished_at) == (
        0,
        False,
        0.0,
        0.0,
        0.0,
    )


def test_four_states_are_final() -> None:
    assert [state for state in State if TrialRecord(0, state).is_final] == list(FINAL_STATES)


def test_parameters_and_metrics_are_given_by_name() -> None:
    trial = TrialRecord(
        0, param_names=("x", "y"), param_values=(1, 2), metric_names=("a", "b"), metric_values=(0.0, 5.0)
    )
    assert (trial.params, trial.metrics, trial.value) == ({"x": 1, "y": 2}, {"a": 0.0, "b": 5.0}, 0.0)


def test_attributes_are_given_as_a_copy() -> None:
    trial = TrialRecord(0, attrs={"a": 1})
    trial.user_attrs["b"] = 2
    assert trial.user_attrs == {"a": 1}


def test_the_last_report_is_that_of_the_highest_step() -> None:
    trial = TrialRecord(0, steps=array("q", [1, 7, 3]), reported=array("d", [0.1, 0.7, 0.9]))
    assert (trial.last_report, list(trial.reports)) == ((7, 0.7), [(1, 0.1), (7, 0.7), (3, 0.9)])


def test_a_last_report_of_nan_is_none() -> None:
    assert TrialRecord(0, steps=array("q", [1]), reported=array("d", [math.nan])).last_report is None


def test_the_duration_needs_both_times() -> None:
    assert TrialRecord(0, started_at=2.0, finished_at=5.0).duration_s == 3.0
    assert TrialRecord(0, started_at=2.0).duration_s is None
    assert TrialRecord(0, finished_at=5.0).duration_s is None


def test_settings_that_are_left_out_limit_nothing() -> None:
    settings = SweepSpec(space={}, directions={"value": "minimize"})
    limits = (settings.n_trials, settings.timeout, settings.trial_timeout, settings.max_failures, settings.target)
    assert (*limits, settings.patience) == (None,) * 6
    assert (settings.concurrency, settings.grace_s, settings.retries, settings.seed) == (1, 5.0, Retry(), 0)
    assert (settings.sampler, settings.sampler.given) == (PluginSpec("random"), False)


def test_an_error_is_shown_by_its_type_and_message() -> None:
    assert (str(ErrorInfo("ValueError", "boom")), str(ErrorInfo("Killed"))) == ("ValueError: boom", "Killed")
