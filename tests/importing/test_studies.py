"""An Optuna study as a sweep's own trials: the space that is made of it, and each trial's content."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

import asyncsweep as sw
from asyncsweep.importing.search import NUMBER, Search
from asyncsweep.importing.studies import read
from asyncsweep.space import Constant

X = FloatDistribution(0.0, 1.0)
STARTED, ENDED = datetime(2026, 1, 1, 12, 0, 0), datetime(2026, 1, 1, 12, 0, 5)


def study(*trials: optuna.trial.FrozenTrial, **options: Any) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(storage=optuna.storages.InMemoryStorage(), **options)
    made.add_trials(trials)
    return made


def frozen(
    params: dict[str, Any],
    domains: dict[str, BaseDistribution] | None = None,
    state: str = "COMPLETE",
    values: list[float] | None = None,
    **more: Any,
) -> optuna.trial.FrozenTrial:
    return optuna.trial.FrozenTrial(
        number=-1,
        trial_id=-1,
        state=TrialState[state],
        value=None,
        values=[0.5] if values is None and state == "COMPLETE" else values,
        datetime_start=STARTED if state != "WAITING" else None,
        datetime_complete=ENDED if state not in ("RUNNING", "WAITING") else None,
        params=params,
        distributions=domains or dict.fromkeys(params, X),
        user_attrs=more.get("user_attrs", {}),
        system_attrs=more.get("system_attrs", {}),
        intermediate_values=more.get("intermediate_values", {}),
    )


def searched(found: optuna.Study, space: dict[str, Any] | None = None, ignore: tuple[str, ...] = ()) -> Search:
    return read(found, space or {}, None, frozenset(ignore))


def test_a_trial_is_what_it_was() -> None:
    first = frozen(
        {"x": 0.25, "k": "a"},
        {"x": X, "k": CategoricalDistribution(["a", "b"])},
        values=[2.0],
        user_attrs={"note": {"deep": [1, None]}},
        system_attrs={"constraints:memory": -1.0},
        intermediate_values={0: 3.0, 2: 2.5},
    )
    found = searched(study(first))
    assert found.spec.space == {"x": sw.Float(0.0, 1.0), "k": sw.Categorical(["a", "b"])}
    assert found.spec.directions == {"value": "minimize"}
    record = found.trials[0]
    assert (record.number, record.state, record.attempt, record.params) == (0, "COMPLETE", 1, {"x": 0.25, "k": "a"})
    assert (record.metrics, list(record.reports), record.rising) == ({"value": 2.0}, [(0, 3.0), (2, 2.5)], True)
    assert (record.user_attrs, record.constraints) == ({"note": {"deep": [1, None]}}, {"memory": -1.0})
    assert (record.started_at, record.finished_at) == (STARTED.timestamp(), ENDED.timestamp())


def test_states_are_ours_and_what_has_not_ended_is_left_out() -> None:
    found = searched(
        study(
            frozen({"x": 0.1}, state="RUNNING"),
            frozen({"x": 0.2}, state="PRUNED", intermediate_values={0: 1.0, 1: 3.0}),
            frozen({}, state="WAITING"),
            frozen({"x": 0.3}, state="FAIL", system_attrs={"fail_reason": "ValueError: too large"}),
            frozen({}, state="FAIL"),
        )
    )
    assert found.n_left_out == 2
    assert [(t.number, t.state, t.user_attrs[NUMBER]) for t in found.trials] == [
        (0, "PRUNED", 1),
        (1, "FAILED", 3),
        (2, "FAILED", 4),
    ]
    pruned, failed, empty = found.trials
    assert pruned.metrics == {"value": 3.0}
    assert (str(failed.error), empty.error, empty.param_names) == ("ValueError: too large", None, None)


def test_several_directions_have_the_names_of_the_study() -> None:
    made = study(frozen({"x": 0.5}, values=[1.0, 2.0]), directions=["minimize", "maximize"])
    assert searched(made).spec.directions == {"value_0": "minimize", "value_1": "maximize"}
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        made.set_metric_names(["loss", "speed"])
    found = searched(made)
    assert found.spec.directions == {"loss": "minimize", "speed": "maximize"}
    assert found.trials[0].metrics == {"loss": 1.0, "speed": 2.0}


def test_a_range_that_changed_becomes_one_that_holds_all() -> None:
    made = study(frozen({"x": 0.5}), frozen({"x": 1.5}, {"x": FloatDistribution(0.2, 2.0)}))
    assert searched(made).spec.space == {"x": sw.Float(0.0, 2.0)}


@pytest.mark.parametrize(
    "other",
    [FloatDistribution(0.1, 1.0, log=True), FloatDistribution(0.0, 1.0, step=0.5), IntDistribution(0, 1)],
    ids=["log", "step", "another kind"],
)
def test_what_was_asked_for_in_ways_that_are_no_one_domain_is_kept_with_the_trials(other: BaseDistribution) -> None:
    value = 1 if isinstance(other, IntDistribution) else 0.5
    found = searched(study(frozen({"x": 0.5}), frozen({"x": value}, {"x": other})))
    assert (found.spec.space, len(found.notes)) == ({}, 1)
    assert [trial.params for trial in found.trials] == [{"x": 0.5}, {"x": value}]
    assert (found.trials[0].domains or {})["x"] == sw.Float(0.0, 1.0)
    assert (found.trials[1].domains or {})["x"] != sw.Float(0.0, 1.0)


def test_ranges_with_steps_from_different_points_are_no_one_domain() -> None:
    domains = IntDistribution(0, 10, step=5), IntDistribution(1, 11, step=5)
    found = searched(study(frozen({"n": 5}, {"n": domains[0]}), frozen({"n": 6}, {"n": domains[1]})))
    assert found.spec.space == {}


def test_a_parameter_of_some_trials_is_not_in_the_space() -> None:
    found = searched(study(frozen({"x": 0.5}), frozen({"x": 0.5, "deep": 0.25})))
    assert list(found.spec.space) == ["x"]
    assert found.trials[1].params == {"x": 0.5, "deep": 0.25}
    assert found.trials[1].domains == {"deep": sw.Float(0.0, 1.0)}
    assert "'deep': not every trial has it" in found.notes[0]


def test_a_trial_that_failed_early_takes_nothing_out_of_the_space() -> None:
    found = searched(study(frozen({"x": 0.5, "y": 0.5}), frozen({"x": 0.5}, state="FAIL")))
    assert list(found.spec.space) == ["x", "y"]
    assert found.trials[1].params == {"x": 0.5}


def test_a_domain_may_be_given_and_a_constant_added() -> None:
    space = {"x": sw.Float(-1.0, 5.0), "epochs": Constant(30)}
    found = searched(study(frozen({"x": 0.5})), space)
    assert found.spec.space == space
    assert found.trials[0].params == {"x": 0.5, "epochs": 30}


@pytest.mark.parametrize(
    ("space", "why"),
    [
        ({"x": sw.Float(0.6, 1.0)}, "trial 0: parameter 'x': "),
        ({"y": sw.Float(0.0, 1.0)}, "--space y: no trial has this parameter; there are: 'x'"),
        ({"deep": sw.Float(0.0, 1.0)}, "--space deep: only some trials have this parameter"),
    ],
)
def test_a_given_domain_that_does_not_fit_is_refused(space: dict[str, Any], why: str) -> None:
    with pytest.raises(sw.ConfigError) as error:
        searched(study(frozen({"x": 0.5}), frozen({"x": 0.5, "deep": 0.5})), space)
    assert str(error.value).startswith(why)


def test_a_parameter_may_be_ignored() -> None:
    found = searched(study(frozen({"x": 0.5, "note": 0.5})), ignore=("note",))
    assert (list(found.spec.space), found.trials[0].params) == (["x"], {"x": 0.5})


def test_an_attribute_that_no_journal_can_hold_becomes_text() -> None:
    found = searched(study(frozen({"x": 0.5}, user_attrs={"big": 2**70})))
    assert found.trials[0].user_attrs == {"big": str(2**70)}


def test_a_study_without_an_ended_trial_is_refused() -> None:
    with pytest.raises(sw.ConfigError, match="no trial of the study has ended"):
        searched(study(frozen({"x": 0.5}, state="RUNNING")))


def test_the_study_is_not_changed() -> None:
    made = study(frozen({"x": 0.5}, user_attrs={"a": [1]}))
    before = repr(made.trials)
    searched(made)
    assert repr(made.trials) == before
