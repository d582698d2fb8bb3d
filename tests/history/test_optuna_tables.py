"""Warm starts from `study.trials_dataframe()` of Optuna: the frame, its CSV file, its rows."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import optuna
import pandas
import pytest

import asyncsweep as sw
from asyncsweep.core.records import PastTrial
from tests.history.sources import GOOD, SPACE, loaded, refusal

DISTRIBUTIONS = {
    "lr": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True),
    "depth": optuna.distributions.IntDistribution(1, 8),
    "opt": optuna.distributions.CategoricalDistribution(["sgd", "adam"]),
}


def study() -> optuna.Study:
    """One trial of each state, and a FAIL without parameters; so "params_depth" is a column of floats with gaps."""
    made = optuna.create_study()
    attrs: dict[str, Any] = {"user_attrs": {"note": "good"}, "system_attrs": {"constraints:memory": -2.0}}
    known: dict[str, Any] = {"params": GOOD, "distributions": DISTRIBUTIONS}
    for state in optuna.trial.TrialState:
        value = {"value": 1.5} if state.name in ("COMPLETE", "PRUNED") else {}
        attributes = attrs if state.name == "COMPLETE" else {}
        made.add_trial(optuna.create_trial(state=state, **value, **known, **attributes))
    made.add_trial(optuna.create_trial(state=optuna.trial.TrialState.FAIL))
    return made


TAKEN = {
    "COMPLETE": PastTrial(GOOD, sw.State.COMPLETE, {"value": 1.5}, constraints={"memory": -2.0}),
    "PRUNED": PastTrial(GOOD, sw.State.PRUNED, {"value": 1.5}),
    "FAIL": PastTrial(GOOD, sw.State.FAILED),
}
EXPECTED = [TAKEN[state.name] for state in optuna.trial.TrialState if state.name in TAKEN]


def two_directions(names: list[str] | None) -> pandas.DataFrame:
    made = optuna.create_study(directions=["minimize", "maximize"])
    if names is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made.set_metric_names(names)
    made.add_trial(optuna.create_trial(values=[1.0, 2.0], params=GOOD, distributions=DISTRIBUTIONS))
    return made.trials_dataframe()


def test_the_frame_of_a_study_is_taken_as_the_study_is() -> None:
    past = loaded(study().trials_dataframe())
    assert (list(past.trials), past.left_out, past.without_params) == (EXPECTED, 2, 1)


@pytest.mark.parametrize("index", [True, False])
def test_the_csv_of_such_a_frame_is_taken_as_the_study_is(tmp_path: Path, index: bool) -> None:
    study().trials_dataframe().to_csv(tmp_path / "study.csv", index=index)
    assert list(loaded(tmp_path / "study.csv").trials) == EXPECTED


def test_such_a_csv_read_by_pandas_is_taken_with_its_index(tmp_path: Path) -> None:
    study().trials_dataframe().to_csv(tmp_path / "study.csv")
    assert list(loaded(pandas.read_csv(tmp_path / "study.csv")).trials) == EXPECTED


def test_such_a_frame_with_columns_of_two_levels_is_taken() -> None:
    assert list(loaded(study().trials_dataframe(multi_index=True)).trials) == EXPECTED


def test_the_rows_of_such_a_frame_are_taken() -> None:
    rows = study().trials_dataframe().to_dict("records")
    assert list(loaded(rows).trials) == EXPECTED


def test_such_a_frame_with_values_and_parameters_alone_is_taken() -> None:
    made = optuna.create_study()
    made.add_trial(optuna.create_trial(value=1.5, params=GOOD, distributions=DISTRIBUTIONS))
    frame = made.trials_dataframe(attrs=("value", "params"))
    assert loaded(frame).trials == (PastTrial(GOOD, sw.State.COMPLETE, {"value": 1.5}),)


def test_such_a_frame_without_parameters_is_taken() -> None:
    made = optuna.create_study()
    made.add_trial(optuna.create_trial(value=1.5))
    assert loaded(made.trials_dataframe(), {}).trials == (PastTrial({}, sw.State.COMPLETE, {"value": 1.5}),)


def test_a_column_that_somebody_added_to_such_a_frame_is_refused_as_in_any_other() -> None:
    frame = study().trials_dataframe().assign(mine="x")
    assert "the column 'mine' is neither a parameter nor a metric" in refusal(frame)


def test_a_parameter_of_such_a_frame_that_the_space_lacks_is_named_as_in_the_study() -> None:
    text = refusal(study().trials_dataframe(), {name: SPACE[name] for name in ("lr", "opt")})
    assert "parameter 'depth' is unknown" in text


def test_a_parameter_of_such_a_frame_can_be_ignored() -> None:
    space = {name: SPACE[name] for name in ("lr", "opt")}
    assert loaded(sw.History(study().trials_dataframe(), ignore=["depth"]), space).taken == 3


def test_a_parameter_with_such_a_prefix_in_its_name_is_that_parameter() -> None:
    rows = [{"number": 0, "state": "COMPLETE", "params_x": 0.5, "value": 1.0}]
    assert loaded(rows, {"params_x": sw.Float(0, 1)}).trials[0].params == {"params_x": 0.5}


def test_in_another_table_such_a_prefix_means_nothing() -> None:
    text = refusal([{"params_lr": 0.01, "depth": 3, "opt": "adam", "value": 1.0}])
    assert "the column 'params_lr' is neither a parameter nor a metric" in text


def test_the_only_value_of_such_a_frame_is_the_only_metric_whatever_its_name() -> None:
    frame = study().trials_dataframe()
    named = frame.rename(columns={"value": "value_accuracy"})
    assert [loaded(f, direction={"loss": "minimize"}).trials[0].metrics for f in (frame, named)] == [{"loss": 1.5}] * 2


def test_values_of_several_directions_without_names_go_by_their_places() -> None:
    directions = {"loss": "minimize", "accuracy": "maximize"}
    assert loaded(two_directions(None), direction=directions).trials[0].metrics == {"loss": 1.0, "accuracy": 2.0}


def test_values_of_several_directions_with_names_go_by_these() -> None:
    directions = {"accuracy": "maximize", "loss": "minimize"}
    frame = two_directions(["loss", "accuracy"])
    assert loaded(frame, direction=directions).trials[0].metrics == {"accuracy": 2.0, "loss": 1.0}


def test_values_with_the_names_of_other_metrics_are_not_taken_for_the_sweeps() -> None:
    directions = {"error": "minimize", "accuracy": "maximize"}
    text = refusal(two_directions(["loss", "accuracy"]), direction=directions)
    assert "there is no column for the metric 'error'" in text


def test_more_values_than_directions_are_further_metrics_where_they_have_names() -> None:
    frame = two_directions(["loss", "accuracy"])
    assert loaded(frame, direction={"loss": "minimize"}).trials[0].metrics == {"loss": 1.0, "accuracy": 2.0}


def test_more_values_than_directions_without_names_are_refused() -> None:
    assert "there is no column for the metric 'loss'" in refusal(two_directions(None), direction={"loss": "minimize"})
