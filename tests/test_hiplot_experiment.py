"""`result.to_hiplot()`: an experiment that HiPlot takes, whatever the trials are."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from typing import Any

import hiplot
import pytest
from hiplot import ValueType

import asyncsweep as sw
from tests.test_result import result, trial


def values(experiment: hiplot.Experiment) -> list[dict[str, Any]]:
    return [point.values for point in experiment.datapoints]


def column(experiment: hiplot.Experiment, name: str) -> list[Any]:
    return [point.values.get(name) for point in experiment.datapoints]


def strictly(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_types_ranges_and_scales_are_those_of_the_space() -> None:
    space = {
        "lr": sw.Float(1e-5, 1e-1, log=True),
        "depth": sw.Int(1, 8),
        "width": sw.Int(1, 1024, log=True),
        "opt": sw.Categorical(["sgd", "adam"]),
        "epochs": 30,
        "one": sw.Float(2, 2),
    }
    params = {"lr": 0.01, "depth": 3, "width": 64, "opt": "sgd", "epochs": 30, "one": 2.0}
    experiment = result(trial(0, "COMPLETE", params, value=1.0), space=space).to_hiplot().validate()
    found = {
        name: (made.type, made.force_value_min, made.force_value_max)
        for name, made in experiment.parameters_definition.items()
    }
    assert found == {
        "state": (ValueType.CATEGORICAL, None, None),
        "lr": (ValueType.NUMERIC_LOG, 1e-5, 1e-1),
        "depth": (ValueType.NUMERIC, 1, 8),
        "width": (ValueType.NUMERIC_LOG, 1, 1024),
        "opt": (ValueType.CATEGORICAL, None, None),
        "epochs": (ValueType.CATEGORICAL, None, None),
        "one": (ValueType.NUMERIC, None, None),
        "value": (ValueType.NUMERIC, None, None),
    }
    keys = {"type", "colors", "colormap", "force_value_min", "force_value_max", "label_css", "label_html"}
    assert all(set(made) == keys for made in experiment._asdict()["parameters_definition"].values())


def test_each_final_state_has_a_colour_that_hiplot_knows() -> None:
    colours = result(trial(0, "FAILED")).to_hiplot().parameters_definition["state"].colors
    assert colours is not None and set(colours) == {"COMPLETE", "PRUNED", "FAILED", "CANCELLED"}
    assert all(re.fullmatch(r"rgb\(\d+, \d+, \d+\)", colour) for colour in colours.values())


def test_what_a_trial_does_not_have_is_left_out_and_what_is_not_finite_is_text() -> None:
    experiment = result(
        trial(0, "COMPLETE", {"x": 0.5}, value=math.inf),
        trial(1, "PRUNED", {"x": 0.25}, value=math.nan),
        trial(2, "COMPLETE", {"x": 0.25}, value=-math.inf),
        trial(3, "COMPLETE", {}, value=1.0),
        trial(4, "FAILED", {"x": 0.1}),
    ).to_hiplot()
    assert values(experiment.validate()) == [
        {"state": "COMPLETE", "x": 0.5, "value": "inf"},
        {"state": "PRUNED", "x": 0.25, "value": "NaN"},
        {"state": "COMPLETE", "x": 0.25, "value": "-inf"},
        {"state": "COMPLETE", "value": 1.0},
        {"state": "FAILED", "x": 0.1},
    ]
    assert experiment.parameters_definition["value"].type is ValueType.NUMERIC


def test_a_metric_that_is_never_finite_is_no_scale() -> None:
    experiment = result(trial(0, "COMPLETE", {"x": 0.5}, value=math.inf)).to_hiplot()
    assert experiment.parameters_definition["value"].type is ValueType.CATEGORICAL


def test_choices_are_told_apart_and_numbers_stay_numbers() -> None:
    choices = ["sgd", True, 1, "1", None, "None", [1, {"a": math.nan}], b"\xff", 0.5, math.inf, ""]
    trials = [trial(n, "COMPLETE", {"c": choice}, value=1.0) for n, choice in enumerate(choices)]
    experiment = result(*trials, space={"c": sw.Categorical(choices)}).to_hiplot().validate()
    found = column(experiment, "c")
    assert found == ["sgd", "True", 1, '"1"', "None", '"None"', '[1, {"a": "NaN"}]', "ff", 0.5, "inf", ""]
    assert experiment.parameters_definition["c"].type is ValueType.CATEGORICAL


def test_long_choices_are_cut_and_still_told_apart() -> None:
    choices = ["x" * 400 + "a", "x" * 400 + "b"]
    trials = [trial(n, "COMPLETE", {"c": choice}, value=1.0) for n, choice in enumerate([*choices, choices[0]])]
    one, two, again = column(result(*trials, space={"c": sw.Categorical(choices)}).to_hiplot(), "c")
    assert one == again != two and len(one) < 320


def test_domains_that_objectives_made_up_are_put_together() -> None:
    first = trial(0, "COMPLETE", {"a": 0.5, "b": 1, "c": 2, "d": "1"}, value=1.0)
    second = trial(1, "FAILED", {"a": 5.0, "b": "x", "c": 3, "d": 1})
    same = sw.Categorical(["1", 1])
    first.domains = {"a": sw.Float(0.1, 1, log=True), "b": sw.Int(0, 3), "c": sw.Int(0, 3), "d": same}
    second.domains = {"a": sw.Float(0, 9), "b": sw.Categorical(["x"]), "c": sw.Int(1, 8), "d": same}
    experiment = result(first, second, space={"k": 1}).to_hiplot().validate()
    made = experiment.parameters_definition
    assert [(made[n].type, made[n].force_value_min, made[n].force_value_max) for n in "abc"] == [
        (ValueType.NUMERIC, 0, 9),
        (ValueType.CATEGORICAL, None, None),
        (ValueType.NUMERIC, 0, 8),
    ]
    assert column(experiment, "d") == ['"1"', 1]


HOSTILE = [
    "uid",
    "from_uid",
    "state",
    "__proto__",
    "constructor",
    "toString",
    "🎉",
    "<b>x</b>",
    "\u2039b>x\u2039/b>",
    "param:a",
    "length",
    "",
]


def test_no_name_hides_another_column_or_changes_what_the_page_is_made_of() -> None:
    params = {name: float(place) for place, name in enumerate(HOSTILE)}
    taken = trial(0, "COMPLETE", params)
    taken.metric_names, taken.metric_values = tuple(HOSTILE), (0.5,) * len(HOSTILE)
    experiment = result(taken, space={"k": 1}).to_hiplot().validate()
    names = list(experiment.parameters_definition)
    assert names == list(experiment.datapoints[0].values)
    assert len(names) == len(set(names)) == 1 + 2 * len(HOSTILE)
    assert not {"uid", "from_uid", "__proto__", "constructor", "toString"} & set(names)
    assert [experiment.datapoints[0].values[name] for name in ("param:uid", "param:__proto__", "🎉")] == [0.0, 3.0, 6.0]
    assert not any("<" in name for name in names)


def test_metrics_are_the_last_columns_and_the_first_of_them_gives_the_colour() -> None:
    experiment = result(
        trial(0, "COMPLETE", {"x": 0.5}, extra=1.0, loss=1.0, acc=2.0),
        trial(1, "FAILED"),
        loss="minimize",
        acc="maximize",
    ).to_hiplot()
    order = experiment.display_data(hiplot.Displays.PARALLEL_PLOT)["order"]
    assert (order, experiment.colorby) == (["acc", "loss", "extra", "x", "state"], "loss")


def test_where_all_trials_failed_the_state_gives_the_colour() -> None:
    assert result(trial(0, "FAILED"), trial(1, "FAILED")).to_hiplot().validate().colorby == "state"


def test_without_a_final_trial_there_is_no_experiment() -> None:
    for found in (result(), result(trial(0, "RUNNING", {"x": 0.5}))):
        with pytest.raises(sw.ConfigError, match=r"^to_hiplot\(\): no trial has ended yet"):
            found.to_hiplot()


PAYLOADS = ['<img src=x onerror="window.__xss=1">', "</script><script>window.__xss=1</script>", "&lt;img src=x onerror=window.__xss=1>", "\u2028;window.__xss=1//"]  # fmt: skip


def hostile(n_trials: int) -> sw.Result:
    trials = [
        trial(n, "COMPLETE", {"c": PAYLOADS[n % 4], PAYLOADS[n % 4]: PAYLOADS[n % 4], "__proto__": n % 3}, **{PAYLOADS[0]: 1.0, "value": n * 0.1})
        for n in range(n_trials)
    ]  # fmt: skip
    return result(*trials, space={"c": sw.Categorical(PAYLOADS), "__proto__": sw.Int(0, 9)})


@pytest.mark.parametrize("n_trials", [1, 2, 9])
def test_an_experiment_becomes_strict_json_and_comes_back(n_trials: int) -> None:
    experiment = hostile(n_trials).to_hiplot().validate()
    text = json.dumps(experiment._asdict(), allow_nan=False)
    rows = [{"uid": point["uid"], **point["values"]} for point in strictly(text)["datapoints"]]
    again = hiplot.Experiment.from_iterable(rows).validate()
    assert [(point.uid, point.values) for point in again.datapoints] == [
        (point.uid, point.values) for point in experiment.datapoints
    ]
    assert "<" not in text


def test_hiplot_is_imported_when_it_is_needed_and_its_absence_is_told() -> None:
    program = (
        "import sys, asyncsweep as sw; from asyncsweep.testing.events import spec\n"
        "found = sw.Result(spec(), [sw.TrialRecord(0, sw.State.FAILED)])\n"
        "assert 'hiplot' not in sys.modules; sys.modules['hiplot'] = None\n"
        "try: found.to_hiplot()\n"
        "except sw.ConfigError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout, done.stderr) == ('hiplot is not installed: pip install "asyncsweep[viewer]"\n', "")
