"""Sweeps over a table of known results, in virtual time."""

from __future__ import annotations

import math
import time
from typing import Any

import pandas
import pytest

import asyncsweep as sw
from asyncsweep.testing import Curve, Simulated, simulate

SPACE = {"x": sw.Float(0.0, 1.0)}
LEVELS = {"x": sw.Categorical([0, 1, 2, 3])}
ROWS = [{"x": level, "values": [level + 2.0, level + 1.0, float(level)], "step_s": 10.0} for level in range(4)]
N_STEPS = 27


def curve(params: dict[str, Any]) -> Curve:
    """Falls towards a value that is best at x = 0.3; each of the steps takes ten seconds."""
    best = (params["x"] - 0.3) ** 2
    return Curve([best + 1.0 / (step + 1) for step in range(N_STEPS)], 10.0)


def told(simulated: Simulated) -> list[tuple[object, ...]]:
    """Everything about the trials of a sweep."""
    return [
        (t.params, t.state, t.metrics, t.started_at, t.finished_at, list(t.reports)) for t in simulated.result.trials
    ]


def test_the_best_row_of_a_table_is_found() -> None:
    result = simulate(LEVELS, ROWS, sampler="grid", n_trials=None, timeout=1e6).result
    assert (len(result.trials), result.best_params, result.best_value) == (4, {"x": 0}, 0.0)


def test_with_maximize_the_highest_value_is_the_best() -> None:
    assert simulate(LEVELS, ROWS, sampler="grid", n_trials=4, direction="maximize").result.best_params == {"x": 3}


def test_trials_take_as_long_as_their_steps_and_begin_when_a_slot_is_free() -> None:
    found = simulate(LEVELS, ROWS, sampler="grid", n_trials=4, concurrency=2)
    times = [(t.started_at - found.began_at, t.duration_s) for t in found.result.trials]
    assert times == [(0.0, 30.0), (0.0, 30.0), (30.0, 30.0), (30.0, 30.0)]
    assert (found.duration_s, found.busy_s) == (60.0, 120.0)


def test_each_step_may_take_its_own_time() -> None:
    found = simulate({"x": 1}, [{"values": [3.0, 2.0], "step_s": [5.0, 7.5]}], sampler="random", n_trials=2)
    assert found.duration_s == 25.0


def test_a_trial_without_values_takes_one_step_and_reports_nothing() -> None:
    found = simulate(SPACE, lambda params: {"value": 1, "step_s": 4}, sampler="random", n_trials=1)
    (trial,) = found.result.trials
    assert (trial.value, trial.duration_s, list(trial.reports)) == (1.0, 4.0, [])


def test_a_trial_reports_its_curve_and_returns_its_value() -> None:
    found = simulate(SPACE, lambda params: Curve([5.0, 4.0], value=0.5), sampler="random", n_trials=1)
    (trial,) = found.result.trials
    assert (list(trial.reports), trial.value) == ([(0, 5.0), (1, 4.0)], 0.5)


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
def test_a_pruner_saves_virtual_time(pruner: str) -> None:
    settings: dict[str, Any] = {"sampler": "random", "n_trials": 40, "concurrency": 8, "seed": 3}
    without = simulate(SPACE, curve, **settings)
    pruned = simulate(SPACE, curve, pruner=pruner, **settings)
    assert without.duration_s == 40 / 8 * N_STEPS * 10.0
    assert pruned.duration_s < 0.8 * without.duration_s
    assert pruned.result.counts[sw.State.PRUNED] > 0
    assert [trial.params for trial in pruned.result.trials] == [trial.params for trial in without.result.trials]


def test_eight_workers_take_an_eighth_of_the_time() -> None:
    times = [simulate(SPACE, curve, sampler="random", n_trials=40, concurrency=n).duration_s for n in (1, 8)]
    assert times[0] == 8 * times[1]


@pytest.mark.parametrize("sampler", ["tpe", "random", "sobol"])
def test_the_same_seed_gives_the_same_sweep(sampler: str) -> None:
    settings: dict[str, Any] = {"sampler": sampler, "pruner": "median", "n_trials": 15, "concurrency": 4}
    first, again, other = (simulate(SPACE, curve, seed=seed, **settings) for seed in (5, 5, 6))
    assert told(first) == told(again)
    assert told(first) != told(other)


def test_tpe_learns_from_the_table() -> None:
    found = simulate(SPACE, curve, sampler="tpe", n_trials=40, seed=1)
    away = [abs(trial.params["x"] - 0.3) for trial in found.result.trials]
    assert sum(away[-20:]) < 0.6 * sum(away[:20])


def test_a_reproducible_sweep_does_not_depend_on_its_concurrency() -> None:
    settings: dict[str, Any] = {"sampler": "tpe", "n_trials": 14, "seed": 2, "reproducible": 4, "pruner": "median"}
    one, four = (simulate(SPACE, curve, concurrency=n, **settings) for n in (1, 4))
    assert [(t.params, t.state, t.metrics) for t in one.result.trials] == [
        (t.params, t.state, t.metrics) for t in four.result.trials
    ]
    assert one.duration_s > four.duration_s


def test_a_sampler_and_a_pruner_may_be_objects() -> None:
    import optuna

    sampler, pruner = optuna.samplers.RandomSampler(seed=1), optuna.pruners.MedianPruner(n_startup_trials=2)
    assert simulate(SPACE, curve, sampler=sampler, pruner=pruner, n_trials=10).result.counts[sw.State.PRUNED] > 0


def test_the_timeout_counts_virtual_seconds() -> None:
    found = simulate(SPACE, curve, sampler="random", n_trials=None, timeout=300.0)
    assert (found.duration_s, found.result.reason) == (300.0, "timeout")
    assert [str(trial.state) for trial in found.result.trials] == ["COMPLETE", "CANCELLED"]


def test_a_target_stops_the_sweep() -> None:
    assert len(simulate(LEVELS, ROWS, sampler="grid", n_trials=4, target=3.0).result.trials) == 1


def test_several_directions_have_their_values_by_name() -> None:
    found = simulate(
        SPACE,
        lambda params: Curve(value={"loss": params["x"], "size": 1 - params["x"]}),
        direction={"loss": "minimize", "size": "minimize"},
        sampler="random",
        n_trials=5,
    )
    assert len(found.result.best_trials) == 5


def test_a_value_that_is_nan_fails_the_trial() -> None:
    (trial,) = simulate(SPACE, lambda params: Curve(value=math.nan), sampler="random", n_trials=1).result.trials
    assert trial.state is sw.State.FAILED


def test_a_year_of_training_takes_no_time() -> None:
    before = time.monotonic()
    found = simulate(SPACE, lambda params: Curve([1.0], 365 * 24 * 3600.0), sampler="random", n_trials=1)
    assert found.duration_s == 365 * 24 * 3600.0
    assert time.monotonic() - before < 30


@pytest.mark.anyio
async def test_it_can_be_called_where_an_event_loop_runs() -> None:
    assert simulate(SPACE, curve, sampler="random", pruner="median", n_trials=10).duration_s > 0


# -- looking up ------------------------------------------------------------------------------------------------------------


def test_a_data_frame_is_a_table() -> None:
    frame = pandas.DataFrame(ROWS)
    settings: dict[str, Any] = {"sampler": "grid", "n_trials": 4}
    assert told(simulate(LEVELS, frame, **settings)) == told(simulate(LEVELS, ROWS, **settings))


def test_numbers_that_are_in_no_row_have_the_curve_of_the_nearest() -> None:
    rows = [{"x": 0.0, "value": 1.0}, {"x": 0.4, "value": 2.0}, {"x": 1.0, "value": 3.0}]
    for trial in simulate(SPACE, rows, sampler="random", n_trials=20, seed=1).result.trials:
        x = trial.params["x"]
        assert trial.value == (1.0 if x < 0.2 else 2.0 if x < 0.7 else 3.0)


def test_of_a_logarithmic_domain_the_nearest_is_found_by_the_logarithm() -> None:
    space = {"lr": sw.Float(1e-4, 1.0, log=True)}
    rows = [{"lr": 1e-4, "value": 1.0}, {"lr": 1.0, "value": 2.0}]
    for trial in simulate(space, rows, sampler="random", n_trials=20, seed=1).result.trials:
        assert trial.value == (1.0 if trial.params["lr"] < 1e-2 else 2.0)


def test_conditional_parameters_are_left_out_of_rows_where_they_do_not_apply() -> None:
    space = {"opt": sw.Categorical(["sgd", "adam"]), "momentum": sw.Float(0.0, 1.0, when={"opt": "sgd"})}
    frame = pandas.DataFrame([{"opt": "sgd", "momentum": 0.5, "value": 1.0}, {"opt": "adam", "value": 2.0}])
    for trial in simulate(space, frame, sampler="random", n_trials=10, seed=1).result.trials:
        assert trial.value == (1.0 if trial.params["opt"] == "sgd" else 2.0)


def test_a_choice_that_is_in_no_row_is_an_error() -> None:
    with pytest.raises(sw.ConfigError, match=r"no row has the choices of \{'x': 3\}, only numbers"):
        simulate(LEVELS, ROWS[:3], sampler="grid", n_trials=4)


def test_with_missing_error_every_trial_must_be_in_the_table() -> None:
    with pytest.raises(
        sw.ConfigError, match=r"no row has the parameters \{'x': 0.*\}; missing='nearest' takes the row"
    ):
        simulate(SPACE, [{"x": 0.5, "value": 1.0}], sampler="random", n_trials=1, missing="error")


# -- what is refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "table: it has no rows"),
        ("table.csv", "table='table.csv': expected a list of dicts, a DataFrame, or a function"),
        ([3], "table: row 0 is 3; expected a dict"),
        ([{"x": 2.0, "value": 1}], "table: row 0: parameter 'x': 2.0 .* give a number from 0.0 to 1.0"),
        ([{"value": 1}], "table: row 0: parameter 'x' is missing"),
        ([{"x": 0.1}], "table: row 0: it has neither values nor a value"),
        ([{"x": 0.1, "value": "good"}], "table: row 0: value='good': expected a number"),
        ([{"x": 0.1, "values": [1, "b"]}], r"table: row 0: values\[1\]='b': expected a number"),
        ([{"x": 0.1, "values": "abc"}], "table: row 0: values='abc': expected a list of numbers"),
        ([{"x": 0.1, "values": [1, 2], "step_s": [1]}], "table: row 0: step_s has 1 numbers for 2 steps"),
        ([{"x": 0.1, "value": 1, "step_s": 0}], "table: row 0: step_s=0.0: expected seconds above 0"),
        (
            [{"x": 0.1, "value": 1, "loss": 2}],
            "table: row 0: 'loss' is neither a parameter of the space nor one of values",
        ),
        (lambda params: 3, r"table\(...\) gave 3; expected a Curve, or a dict with values, step_s, value"),
        (lambda params: {"loss": 3}, r"table\(...\): 'loss' is none of values, step_s, value"),
    ],
)
def test_a_wrong_table_is_refused(table: Any, message: str) -> None:
    with pytest.raises(sw.ConfigError, match=message):
        simulate(SPACE, table, sampler="random", n_trials=1)


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        ({}, {}, "space: it is empty"),
        (SPACE, {"n_trials": None}, "n_trials=None: give n_trials, or a timeout"),
        (SPACE, {"missing": "near"}, "missing='near': expected 'nearest' or 'error'"),
        (SPACE, {"sampler": "rando"}, "did you mean 'random'"),
        (SPACE, {"concurrency": 0}, "concurrency=0"),
        (SPACE, {"direction": {"a": "minimize", "b": "minimize"}}, "expected a number for each of a, b, by name"),
        ({"value": sw.Float(0, 1)}, {}, "the space has a parameter 'value', which is a field of a row"),
    ],
)
def test_wrong_settings_are_refused(space: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(sw.ConfigError, match=message):
        simulate(space, [{"x": 0.1, "value": 1.0}], **{"sampler": "random", **settings})
