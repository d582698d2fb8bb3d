"""What a sweep takes from an earlier search, whatever the source: states, values, counts, complaints."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.core.records import PastTrial
from tests.history.sources import GOOD, SPACE, loaded, objective, refusal, reported, result, trial


def test_final_trials_are_taken_in_their_order_with_all_that_a_sweep_learns_from() -> None:
    constrained = reported(trial(0, "COMPLETE", GOOD, value=1.0, size=5.0), (0, 4.0), (2, 1.0))
    constrained.constraints = {"memory": -1.0}
    pruned = reported(trial(1, "PRUNED", {**GOOD, "depth": 4}, value=7.0), (0, 7.0))
    assert loaded(result(constrained, pruned, trial(2, "FAILED", {**GOOD, "depth": 5}))).trials == (
        PastTrial(GOOD, sw.State.COMPLETE, {"value": 1.0, "size": 5.0}, (0, 2), (4.0, 1.0), {"memory": -1.0}),
        PastTrial({**GOOD, "depth": 4}, sw.State.PRUNED, {"value": 7.0}, (0,), (7.0,)),
        PastTrial({**GOOD, "depth": 5}, sw.State.FAILED),
    )


def test_trials_that_did_not_end_by_themselves_are_left_out_and_counted_apart() -> None:
    past = loaded(
        result(
            trial(0, "COMPLETE", GOOD, value=1.0),
            trial(1, "CANCELLED", {**GOOD, "lr": 9.0}),
            trial(2, "RUNNING", GOOD),
            trial(3, "WAITING", None),
            trial(4, "FAILED", None),
        )
    )
    assert (past.taken, past.skipped, past.left_out, past.without_params) == (1, 0, 3, 1)


def test_a_trial_that_failed_before_it_had_parameters_is_not_said_to_have_been_stopped() -> None:
    past = loaded(result(trial(0, "COMPLETE", GOOD, value=1.0), trial(1, "FAILED", None)))
    assert str(past) == "history=Result: 1 trials taken, 1 left out that failed before they had parameters"


def test_nan_in_a_metric_makes_the_trial_failed() -> None:
    past = loaded(result(trial(0, "COMPLETE", GOOD, value=math.nan, size=2.0)))
    assert past.trials == (PastTrial(GOOD, sw.State.FAILED, {"size": 2.0}),)


def test_an_infinite_metric_is_a_metric() -> None:
    past = loaded(result(trial(0, "COMPLETE", GOOD, value=-math.inf)))
    assert past.trials == (PastTrial(GOOD, sw.State.COMPLETE, {"value": -math.inf}),)


def test_the_first_of_several_reports_at_one_step_counts() -> None:
    past = loaded(result(reported(trial(0, "COMPLETE", GOOD, value=1.0), (1, 5.0), (0, 4.0), (1, 3.0))))
    assert (past.trials[0].steps, past.trials[0].values) == ((1, 0), (5.0, 4.0))


def test_metrics_come_in_the_order_of_the_directions() -> None:
    directions = {"b": "minimize", "a": "maximize"}
    past = loaded(
        result(trial(0, "COMPLETE", GOOD, a=1.0, c=3.0, b=2.0), a="maximize", b="minimize"), direction=directions
    )
    assert list(past.trials[0].metrics) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({**GOOD, "lr": 5.0}, "parameter 'lr': 5.0 (float) is not accepted; give a number from 1e-05 to 0.1"),
        ({**GOOD, "opt": "adamw"}, "parameter 'opt': 'adamw' (str) is not accepted; give one of ['sgd', 'adam']"),
        ({**GOOD, "dept": 2}, "parameter 'dept' is unknown (did you mean 'depth'?); there are: 'lr', 'depth', 'opt'"),
        ({"lr": 0.01, "opt": "sgd"}, "parameter 'depth' is missing; give an integer from 1 to 8"),
    ],
    ids=["outside", "no-choice", "unknown", "missing"],
)
def test_a_trial_outside_the_space_is_refused_with_its_number_and_the_reason(
    params: dict[str, Any], complaint: str
) -> None:
    text = refusal(result(trial(0, "COMPLETE", GOOD, value=1.0), trial(7, "COMPLETE", params, value=1.0)))
    assert text.startswith(f"history=Result: trial 7: {complaint}")


def test_an_inactive_parameter_is_refused() -> None:
    space = {"opt": sw.Categorical(["sgd", "adam"]), "momentum": sw.Float(0, 1, when={"opt": "sgd"})}
    text = refusal(result(trial(0, "COMPLETE", {"opt": "adam", "momentum": 0.5}, value=1.0)), space)
    assert "parameter 'momentum': 0.5 is given, but it exists only when 'opt' is 'sgd'" in text


def test_trials_outside_the_space_are_skipped_and_counted_with_each_reason_once() -> None:
    source = result(
        trial(0, "COMPLETE", GOOD, value=1.0),
        trial(1, "COMPLETE", {**GOOD, "depth": 9}, value=1.0),
        trial(2, "COMPLETE", {**GOOD, "depth": 9}, value=1.0),
        trial(3, "COMPLETE", {**GOOD, "extra": 9}, value=1.0),
    )
    past = loaded(sw.History(source, outside="skip"))
    assert (past.taken, past.skipped, [reason.partition(" is")[0] for reason in past.reasons]) == (
        1,
        3,
        ["trial 1: parameter 'depth': 9 (int)", "trial 3: parameter 'extra'"],
    )


def test_no_more_than_ten_reasons_are_kept() -> None:
    trials = [trial(n, "COMPLETE", {**GOOD, "depth": 100 + n}, value=1.0) for n in range(30)]
    past = loaded(sw.History(result(*trials), outside="skip"))
    assert (past.skipped, len(past.reasons)) == (30, 10)


def test_what_was_taken_and_what_was_not_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    source = result(
        trial(0, "COMPLETE", GOOD, value=1.0),
        trial(1, "COMPLETE", {**GOOD, "depth": 9}, value=1.0),
        trial(2, "CANCELLED", GOOD),
    )
    with caplog.at_level(logging.INFO, logger="asyncsweep"):
        loaded(sw.History(source, outside="skip"))
    assert [record.getMessage() for record in caplog.records] == [
        "history=Result: 1 trials taken, 1 skipped (first: trial 1: parameter 'depth': 9 (int) is not accepted; "
        "give an integer from 1 to 8), 1 left out that had not ended by themselves"
    ]


def test_constants_may_be_missing() -> None:
    assert loaded(result(trial(0, "COMPLETE", GOOD, value=1.0)), {**SPACE, "epochs": 30}).taken == 1


def test_constants_must_not_differ() -> None:
    text = refusal(result(trial(0, "COMPLETE", {**GOOD, "epochs": 20}, value=1.0)), {**SPACE, "epochs": 30})
    assert "trial 0: parameter 'epochs': 20 (int) is not accepted; give the constant 30" in text


def test_a_parameter_that_is_ignored_is_no_reason() -> None:
    source = result(trial(0, "COMPLETE", {**GOOD, "epochs": 20}, value=1.0))
    assert loaded(sw.History(source, ignore=["epochs"])).trials[0].params == GOOD


def test_a_metric_that_went_the_other_way_is_refused() -> None:
    text = refusal(result(trial(0, "COMPLETE", GOOD, value=1.0)), direction="maximize")
    assert "that sweep had to minimize the metric 'value', this one has to maximize it" in text


def test_a_metric_that_was_never_recorded_is_refused() -> None:
    text = refusal(result(trial(0, "COMPLETE", GOOD, loss=1.0), loss="minimize"), direction={"los": "minimize"})
    assert "that sweep has no metric 'los' (did you mean 'loss'?); its metrics: loss" in text


def test_a_further_metric_of_an_earlier_sweep_may_have_a_direction_now() -> None:
    source = result(trial(0, "COMPLETE", GOOD, value=1.0, size=2.0), trial(1, "COMPLETE", GOOD, value=1.0))
    past = loaded(sw.History(source, outside="skip"), direction={"value": "minimize", "size": "minimize"})
    assert (past.taken, past.skipped, past.reasons[0].partition(";")[0]) == (
        1,
        1,
        "trial 1: the metric 'size' is missing",
    )


def test_without_history_there_is_none() -> None:
    assert sw.Sweep(objective, SPACE).history is None


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"outside": "skipp"}, "outside='skipp': expected \"refuse\" or \"skip\" (did you mean 'skip'?)"),
        ({"study_name": 3}, "study_name=3: expected a text, or None for the only study"),
        ({"ignore": "lr"}, "ignore='lr': expected a list of names"),
        ({"ignore": 3}, "ignore=3: expected a list of names"),
    ],
    ids=["outside", "study_name", "ignore", "ignore-number"],
)
def test_a_wrong_option_is_refused_at_once(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(sw.ConfigError) as caught:
        sw.History([], **options)
    assert str(caught.value) == f"history: {complaint}"


@pytest.mark.parametrize("source", [3, b"x", {"lr": 1}, object()], ids=["int", "bytes", "dict", "object"])
def test_what_is_no_source_is_refused(source: Any) -> None:
    assert "expected the directory of a sweep, a Result, an Optuna study" in refusal(source)


def test_a_path_at_which_nothing_is_is_refused() -> None:
    assert refusal("nowhere/at/all.csv").startswith("history='nowhere/at/all.csv': there is no such file or directory")


def test_a_long_path_is_shortened() -> None:
    text = refusal("a" * 3000)
    assert text.startswith("history='aaa") and text.endswith("...: it cannot be looked at: File name too long")
    assert len(text) < 150


def test_a_study_name_is_for_optunas_storages_alone() -> None:
    assert "study_name='a' is for Optuna storages; leave it out" in refusal(sw.History([], study_name="a"))
