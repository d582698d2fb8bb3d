"""What a result gives out: rows, files, frames, studies, fronts."""

from __future__ import annotations

import csv
import json
import logging
import math
from array import array
from pathlib import Path
from typing import Any

import anyio
import numpy
import optuna
import pytest

import asyncsweep as sw
from asyncsweep.core.records import Direction, ErrorInfo
from asyncsweep.testing.events import spec

INFINITE = float("inf")


def trial(number: int, state: str, params: dict[str, Any] | None = None, **metrics: float) -> sw.TrialRecord:
    """A record; it ran from second 10 to second 12."""
    record = sw.TrialRecord(number, sw.State(state), attempt=1, started_at=10.0, finished_at=12.0)
    if params is not None:
        record.param_names, record.param_values = tuple(params), tuple(params.values())
    record.metric_names, record.metric_values = tuple(metrics), tuple(metrics.values())
    return record


def result(*trials: sw.TrialRecord, space: dict[str, Any] | None = None, **directions: Direction) -> sw.Result:
    return sw.Result(
        spec(space=sw.Space(space or {"x": sw.Float(0, 1)}).domains, directions=directions or {"value": "minimize"}),
        trials,
        "n_trials reached",
    )


def test_the_best_trial_is_the_earliest_of_the_best_complete_ones() -> None:
    found = result(
        trial(0, "PRUNED", {"x": 0.1}, value=-5.0),
        trial(1, "COMPLETE", {"x": 0.2}, value=2.0),
        trial(2, "COMPLETE", {"x": 0.3}, value=1.0),
        trial(3, "COMPLETE", {"x": 0.4}, value=1.0),
        trial(4, "FAILED", {"x": 0.5}),
    )
    assert found.best is found.trials[2]


def test_the_best_of_a_maximized_metric_is_the_greatest() -> None:
    found = result(*(trial(n, "COMPLETE", {"x": 0.0}, acc=v) for n, v in enumerate([0.1, 0.9, 0.5])), acc="maximize")
    assert found.best is found.trials[1]


def test_without_a_complete_trial_there_is_no_best() -> None:
    assert result(trial(0, "FAILED")).best is None


def test_the_parameters_and_the_value_of_the_best_trial_are_at_hand() -> None:
    found = result(trial(0, "COMPLETE", {"x": 0.2}, value=2.0), trial(1, "COMPLETE", {"x": 0.3}, value=1.0, size=5.0))
    assert (found.best_params, found.best_value) == ({"x": 0.3}, 1.0)


def test_without_a_best_trial_there_are_no_best_parameters_and_no_best_value() -> None:
    found = result(trial(0, "FAILED", {"x": 0.2}))
    assert (found.best_params, found.best_value) == (None, None)


@pytest.mark.parametrize("name", ["best", "best_params", "best_value"])
def test_with_several_directions_there_is_no_best(name: str) -> None:
    found = result(trial(0, "COMPLETE", {"x": 0.5}, a=1.0, b=2.0), a="minimize", b="minimize")
    with pytest.raises(sw.ConfigError, match=f"^{name}: the sweep has the directions a, b; use best_trials$"):
        getattr(found, name)


def test_the_front_holds_the_trials_that_no_other_dominates() -> None:
    points = [(1.0, 1.0), (2.0, 2.0), (0.5, 0.5), (1.0, 1.0), (3.0, 3.5), (0.5, 0.4), (INFINITE, 9.0)]
    trials = [trial(n, "COMPLETE", {"x": 0.0}, loss=loss, acc=acc) for n, (loss, acc) in enumerate(points)]
    found = result(*trials, trial(7, "PRUNED"), loss="minimize", acc="maximize")
    assert [t.number for t in found.best_trials] == [0, 1, 2, 3, 4, 6]


def test_the_front_equals_optunas() -> None:
    import random

    rng = random.Random(0)
    points = [(rng.randint(0, 9), rng.randint(0, 9), rng.randint(0, 9)) for _ in range(200)]
    trials = [trial(n, "COMPLETE", {"x": 0.0}, a=a, b=b, c=c) for n, (a, b, c) in enumerate(points)]
    found = result(*trials, a="minimize", b="maximize", c="minimize")
    assert [t.number for t in found.best_trials] == [t.number for t in found.to_optuna().best_trials]


def test_counts_are_by_state() -> None:
    counts = result(trial(0, "COMPLETE", value=1.0), trial(1, "FAILED"), trial(2, "FAILED")).counts
    assert {state.value: n for state, n in counts.items() if n} == {"COMPLETE": 1, "FAILED": 2}


def test_a_row_has_what_its_trial_has() -> None:
    failed = trial(1, "FAILED", {"x": 0.5})
    failed.error = ErrorInfo("ValueError", "boom")
    rows = result(trial(0, "COMPLETE", {"x": 0.25}, value=1.5, size=3.0), failed, sw.TrialRecord(2)).to_rows()
    times = {"attempts": 1, "started_at": 10.0, "duration_s": 2.0}
    assert rows == [
        {"number": 0, "state": "COMPLETE", "x": 0.25, "value": 1.5, "size": 3.0, **times},
        {"number": 1, "state": "FAILED", "x": 0.5, **times, "error": "ValueError: boom"},
        {"number": 2, "state": "WAITING", "attempts": 0},
    ]


def test_no_parameter_or_metric_hides_another_column() -> None:
    taken = trial(0, "COMPLETE", {"state": 1, "loss": 2, "uid": 3}, loss=0.5, error=0.25)
    row = result(taken).to_rows()[0]
    assert {
        name: row[name] for name in ("state", "param:state", "loss", "metric:loss", "metric:error", "param:uid")
    } == {
        "state": "COMPLETE",
        "param:state": 1,
        "loss": 2,
        "metric:loss": 0.5,
        "metric:error": 0.25,
        "param:uid": 3,
    }


def test_a_csv_file_has_a_column_for_everything_that_any_row_has(tmp_path: Path) -> None:
    found = result(
        trial(0, "COMPLETE", {"x": [1, "a"], "y": None}, value=math.nan),
        trial(1, "FAILED", {"z": 'a,"b"\nc', "b": b"\x01"}),
    )
    found.to_csv(tmp_path / "trials.csv")
    with open(tmp_path / "trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["x"], row["value"], row["z"], row["b"]) for row in rows] == [
        ('[1, "a"]', "nan", "", ""),
        ("", "", 'a,"b"\nc', "01"),
    ]


def test_a_csv_file_of_no_trials_has_a_header(tmp_path: Path) -> None:
    result().to_csv(tmp_path / "trials.csv")
    assert (tmp_path / "trials.csv").read_text() == "number,state\n"


def strictly(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_a_json_file_is_strict_json_with_reports_and_attributes(tmp_path: Path) -> None:
    record = trial(0, "COMPLETE", {"x": 0.5, "é": [b"\xff", {"k": INFINITE}]}, value=-INFINITE)
    record.steps, record.reported, record.attrs = array("q", [0, 3]), array("d", [1.0, math.nan]), {"note": "ü"}
    result(record).to_json(tmp_path / "trials.json")
    found = strictly((tmp_path / "trials.json").read_text(encoding="utf-8"))
    assert (found["directions"], found["reason"]) == ({"value": "minimize"}, "n_trials reached")
    assert [{k: t[k] for k in ("number", "params", "metrics", "reports", "user_attrs")} for t in found["trials"]] == [
        {
            "number": 0,
            "params": {"x": 0.5, "é": ["ff", {"k": "Infinity"}]},
            "metrics": {"value": "-Infinity"},
            "reports": [[0, 1.0], [3, "NaN"]],
            "user_attrs": {"note": "ü"},
        }
    ]


def test_a_frame_has_a_row_for_each_trial() -> None:
    frame = result(trial(0, "COMPLETE", {"x": 0.5}, value=1.0), trial(1, "FAILED", {"x": 0.25})).to_pandas()
    assert frame[["number", "state", "x"]].to_dict("list") == {
        "number": [0, 1],
        "state": ["COMPLETE", "FAILED"],
        "x": [0.5, 0.25],
    }


def test_a_hiplot_experiment_has_a_point_for_each_final_trial() -> None:
    experiment = result(
        trial(0, "COMPLETE", {"x": 0.5}, value=1.0),
        trial(1, "RUNNING", {"x": 0.1}),
        trial(2, "PRUNED", {"x": 0.25}, value=3.0),
    ).to_hiplot()
    experiment.validate()
    assert [(point.uid, point.values) for point in experiment.datapoints] == [
        ("0", {"state": "COMPLETE", "x": 0.5, "value": 1.0}),
        ("2", {"state": "PRUNED", "x": 0.25, "value": 3.0}),
    ]


def test_a_study_has_every_final_trial_with_parameters() -> None:
    done = trial(0, "COMPLETE", {"x": 0.5, "c": "b", "k": 7}, value=1.0, size=9.0)
    done.steps, done.reported, done.attrs = array("q", [0, 1]), array("d", [4.0, 1.0]), {"note": "n"}
    study = result(
        done,
        trial(1, "PRUNED", {"x": 0.25, "c": "a", "k": 7}, value=5.0),
        trial(2, "FAILED", {"x": 0.75, "c": "a", "k": 7}),
        trial(3, "CANCELLED", {"x": 0.1, "c": "a", "k": 7}),
        trial(4, "CANCELLED"),
        trial(5, "RUNNING", {"x": 0.1, "c": "a", "k": 7}),
        space={"x": sw.Float(0, 1), "c": sw.Categorical(["a", "b"]), "k": 7},
    ).to_optuna()
    assert [(t.state.name, t.params, t.value, t.user_attrs["asyncsweep:number"]) for t in study.trials] == [
        ("COMPLETE", {"x": 0.5, "c": "b"}, 1.0, 0),
        ("PRUNED", {"x": 0.25, "c": "a"}, 5.0, 1),
        ("FAIL", {"x": 0.75, "c": "a"}, None, 2),
        ("FAIL", {"x": 0.1, "c": "a"}, None, 3),
    ]
    first = study.trials[0]
    assert (first.intermediate_values, first.duration.total_seconds()) == ({0: 4.0, 1: 1.0}, 2.0)  # type: ignore[union-attr]
    assert {k: first.user_attrs[k] for k in ("k", "size", "note")} == {"k": 7, "size": 9.0, "note": "n"}
    assert first.distributions["c"] == optuna.distributions.CategoricalDistribution(["a", "b"])


def test_a_study_is_made_without_a_word() -> None:
    said: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = said.append  # type: ignore[method-assign]
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    logging.getLogger("optuna").addHandler(handler)
    try:
        result(trial(0, "COMPLETE", {"x": 0.5}, value=1.0)).to_optuna()
        assert (said, optuna.logging.get_verbosity()) == ([], optuna.logging.INFO)
    finally:
        logging.getLogger("optuna").removeHandler(handler)
        optuna.logging.set_verbosity(before)


def test_a_study_knows_the_directions() -> None:
    study = result(trial(0, "COMPLETE", {"x": 0.5}, b=1.0, a=2.0), a="minimize", b="maximize").to_optuna()
    assert ([d.name for d in study.directions], study.trials[0].values) == (["MINIMIZE", "MAXIMIZE"], [2.0, 1.0])


def test_a_study_of_parameters_that_optuna_cannot_hold_has_their_places() -> None:
    study = result(
        trial(0, "COMPLETE", {"c": [3, 4]}, value=1.0), space={"c": sw.Categorical([[1, 2], [3, 4]])}
    ).to_optuna()
    assert study.trials[0].params == {"c": 1}


def test_optunas_importances_work_on_the_study_of_a_sweep() -> None:
    async def objective(trial: Any) -> float:
        return float(trial.params["x"] ** 2 + 0.01 * trial.params["y"])

    space = {"x": sw.Float(0, 1), "y": sw.Float(0, 1)}
    found = anyio.run(sw.Sweep(objective, space, sampler="random", n_trials=40, seed=0).run)
    importances = optuna.importance.get_param_importances(
        found.to_optuna(), evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    assert importances["x"] > importances["y"]


def test_its_text_tells_the_counts_and_the_best() -> None:
    found = result(trial(0, "COMPLETE", {"x": 0.5}, value=1.0), trial(1, "FAILED"))
    assert repr(found) == "<Result: 1 COMPLETE, 1 FAILED; best is trial 0 with 1.0 and {'x': 0.5}>"


def test_the_text_of_a_sweep_with_several_directions_tells_the_counts() -> None:
    found = result(trial(0, "COMPLETE", {"x": 0.5}, a=1.0, b=2.0), a="minimize", b="minimize")
    assert repr(found) == "<Result: 1 COMPLETE>"


def constrained(number: int, constraint: float, **metrics: float) -> sw.TrialRecord:
    record = trial(number, "COMPLETE", {"x": 0.5}, **metrics)
    record.constraints = {"memory": constraint}
    return record


def test_the_best_trial_is_feasible() -> None:
    found = result(constrained(0, 0.5, value=1.0), constrained(1, 0.0, value=3.0), constrained(2, -1.0, value=2.0))
    assert found.best is found.trials[2]


def test_without_a_feasible_trial_there_is_no_best() -> None:
    assert result(constrained(0, 0.5, value=1.0), constrained(1, math.nan, value=1.0)).best is None


def test_the_front_is_one_of_feasible_trials() -> None:
    found = result(
        constrained(0, 1.0, a=0.0, b=0.0),
        constrained(1, -1.0, a=1.0, b=2.0),
        trial(2, "COMPLETE", {"x": 0.5}, a=2.0, b=1.0),
        constrained(3, 0.0, a=2.0, b=2.0),
        a="minimize",
        b="minimize",
    )
    assert [t.number for t in found.best_trials] == [1, 2]


def test_the_best_and_the_front_of_a_constrained_sweep_equal_optunas() -> None:
    import random

    rng = random.Random(1)
    trials = [constrained(n, rng.uniform(-1, 1), a=rng.random(), b=rng.random()) for n in range(100)]
    study = optuna.create_study(directions=["minimize", "maximize"])
    for t in trials:
        attrs = {"constraints:memory": (t.constraints or {})["memory"]}
        study.add_trial(optuna.create_trial(values=list(t.metric_values), system_attrs=attrs))
    found = result(*trials, a="minimize", b="maximize")
    assert [t.number for t in found.best_trials] == [t.number for t in study.best_trials]


def test_with_one_direction_the_front_is_every_best_trial() -> None:
    found = result(*(trial(n, "COMPLETE", {"x": 0.0}, value=v) for n, v in enumerate([2.0, 1.0, 1.0])))
    assert [t.number for t in found.best_trials] == [1, 2]


def test_nan_is_on_no_front() -> None:
    points = [(math.nan, 0.0), (1.0, 1.0), (0.0, math.nan)]
    trials = [trial(n, "COMPLETE", {"x": 0.0}, a=a, b=b) for n, (a, b) in enumerate(points)]
    assert [t.number for t in result(*trials, a="minimize", b="minimize").best_trials] == [1]


def measured(*points: tuple[float, float]) -> sw.Result:
    trials = [trial(n, "COMPLETE", {"x": 0.0}, loss=loss, acc=acc) for n, (loss, acc) in enumerate(points)]
    return result(*trials, trial(99, "PRUNED"), loss="minimize", acc="maximize")


@pytest.mark.parametrize(
    "reference",
    [(4.0, 0.0), [4, 0], {"acc": 0.0, "loss": 4.0}, numpy.array([4, 0])],
    ids=["tuple", "list", "by-name", "array"],
)
def test_the_hypervolume_is_what_the_front_dominates_up_to_the_reference(reference: Any) -> None:
    # 1 is (4-1)*1, 2 adds (4-2)*(2-1); 3 is dominated, 4 and 5 are not better than the reference in each direction.
    assert measured((1.0, 1.0), (2.0, 2.0), (3.0, 1.0), (5.0, 9.0), (0.5, -1.0)).hypervolume(reference) == 5.0


def test_the_reference_is_the_worst_of_all_complete_trials_when_none_is_given() -> None:
    worst = [(4.0, 1.0), (1.0, 0.0), (INFINITE, -INFINITE)]
    assert measured((1.0, 1.0), (2.0, 2.0), *worst).hypervolume() == 5.0


def test_infeasible_trials_add_nothing_to_the_hypervolume() -> None:
    found = result(constrained(0, 1.0, value=0.0), constrained(1, -1.0, value=3.0))
    assert found.hypervolume([4.0]) == 1.0


def test_a_sweep_without_a_complete_trial_has_no_hypervolume() -> None:
    assert (measured().hypervolume(), measured().hypervolume((1.0, 1.0))) == (0.0, 0.0)


@pytest.mark.parametrize("points", [[(-INFINITE, 1.0)], [(-1e308, 1e308), (-1.5e308, 1e307)]], ids=["infinite", "huge"])
def test_what_is_infinitely_good_has_an_infinite_hypervolume(points: Any) -> None:
    assert measured(*points).hypervolume((4.0, 0.0)) == INFINITE


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ((1.0,), "1 value for 2 directions; expected a value for each of loss, acc"),
        ({"loss": 1.0}, "reference={'loss': 1.0}: a value for 'acc' is missing"),
        (numpy.array(1.0), "expected a value for each of loss, acc"),
        (numpy.array([[1.0, 2.0], [3.0, 4.0]]), "[1.0, 2.0] is no number"),
        ({"loss": 1.0, "ac": 1.0}, "there is no direction 'ac' (did you mean 'acc'?)"),
        (1.0, "expected a value for each of loss, acc"),
        ("ab", "expected a value for each of loss, acc"),
        ((1.0, math.nan), "NaN is no place"),
        ((1.0, None), "None is no number"),
    ],
    ids=["short", "missing", "array-of-none", "array-of-arrays", "unknown", "number", "text", "nan", "none"],
)
def test_a_wrong_reference_is_refused(reference: Any, complaint: str) -> None:
    with pytest.raises(sw.ConfigError) as caught:
        measured((1.0, 1.0)).hypervolume(reference)
    assert str(caught.value).startswith("reference") and complaint in str(caught.value)


def test_constraints_have_columns_of_their_own() -> None:
    rows = result(constrained(0, -0.5, value=1.0), trial(1, "COMPLETE", {"x": 0.5}, value=2.0)).to_rows()
    assert [row.get("constraint:memory") for row in rows] == [-0.5, None]


def test_constraints_are_in_the_json_file(tmp_path: Path) -> None:
    result(constrained(0, math.nan, value=1.0), trial(1, "FAILED")).to_json(tmp_path / "trials.json")
    found = strictly((tmp_path / "trials.json").read_text())
    assert [t["constraints"] for t in found["trials"]] == [{"memory": "NaN"}, {}]


def test_a_column_means_the_same_in_every_row() -> None:
    """The second trial does not have the parameter whose name its metric has."""
    found = result(trial(0, "COMPLETE", {"loss": 1}, loss=0.5), trial(1, "COMPLETE", {}, loss=0.25), loss="minimize")
    assert [row["metric:loss"] for row in found.to_rows()] == [0.5, 0.25]


def test_a_name_that_looks_prefixed_is_prefixed() -> None:
    row = result(trial(0, "COMPLETE", {"state": 1, "param:state": 2}, **{"constraint:a": 3.0})).to_rows()[0]
    assert (row["param:state"], row["param:param:state"], row["metric:constraint:a"]) == (1, 2, 3.0)


def test_the_columns_of_a_csv_file_are_in_an_order_that_no_trial_changes(tmp_path: Path) -> None:
    failed = trial(0, "FAILED", {"y": 1, "x": 0.5})
    failed.error = ErrorInfo("ValueError", "boom")
    found = result(failed, constrained(1, 1.0, size=1.0, value=2.0), space={"x": sw.Float(0, 1)})
    found.to_csv(tmp_path / "trials.csv")
    assert (tmp_path / "trials.csv").read_text().splitlines()[0] == (
        "number,state,x,y,value,size,constraint:memory,attempts,started_at,duration_s,error"
    )


def test_in_a_csv_file_none_is_not_nothing(tmp_path: Path) -> None:
    result(trial(0, "FAILED", {"y": None}), trial(1, "FAILED", {})).to_csv(tmp_path / "trials.csv")
    with open(tmp_path / "trials.csv", newline="") as file:
        assert [row["y"] for row in csv.DictReader(file)] == ["None", ""]


def test_in_a_csv_file_choices_that_look_the_same_are_told_apart(tmp_path: Path) -> None:
    choices = [None, "None", 1, "1", True, "True", "", "a"]
    trials = [trial(n, "COMPLETE", {"x": choice}, value=1.0) for n, choice in enumerate(choices)]
    result(*trials, space={"x": sw.Categorical(choices)}).to_csv(tmp_path / "trials.csv")
    with open(tmp_path / "trials.csv", newline="") as file:
        assert [row["x"] for row in csv.DictReader(file)] == ["None", '"None"', "1", '"1"', "True", '"True"', "", "a"]


def test_the_errors_of_earlier_attempts_are_in_the_json() -> None:
    trial = sw.TrialRecord(0, sw.State.COMPLETE, 2, failures=(ErrorInfo("OSError", "no disk"), ErrorInfo("WorkerLost")))
    (row,) = sw.Result(spec(), [trial], "").to_dict()["trials"]
    assert (row["attempts"], row["failures"]) == (2, ["OSError: no disk", "WorkerLost"])
