"""Columns and rows: what a value is in the stream, and that what was sent stays right."""

from __future__ import annotations

import json
import math
from array import array
from typing import Any

import msgspec
import pytest

from asyncsweep.columns import Columns
from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo, TrialRecord
from asyncsweep.space import Categorical, Constant, Domain, Float, Int
from asyncsweep.testing import events as on
from asyncsweep.viewer import columns as columns_module
from asyncsweep.viewer import values
from asyncsweep.viewer.columns import MOST_CHOICES, OTHERS, TableColumns
from asyncsweep.viewer.forms import JSON, MSGPACK
from asyncsweep.viewer.hub import Hub
from tests.viewer.histories import BenchSource, opened


def trial(
    params: dict[str, Any], metrics: dict[str, float] | None = None, domains: dict[str, Domain] | None = None
) -> TrialRecord:
    record = TrialRecord(0, domains=domains)
    record.param_names, record.param_values = tuple(params), tuple(params.values())
    record.metric_names, record.metric_values = tuple(metrics or {}), tuple((metrics or {}).values())
    return record


def seen(columns: TableColumns, record: TrialRecord) -> list[Any]:
    columns.see_params(record)
    columns.see_results(record)
    cells = columns.row(record)
    columns.see_growth()
    return cells


def keys(columns: TableColumns) -> list[str]:
    return [field["key"] for field in columns.fields()]


def looked(source: BenchSource) -> Hub:
    hub = Hub(source)
    source.publish()
    hub.pull()
    while hub.has_work:
        hub.pull()
    return hub


def row(source: BenchSource, number: int = 0) -> list[Any]:
    hub = looked(source)
    found: list[Any] = json.loads(JSON.encode(hub.rows.row(number, source.trials[number])))
    return found


# -- columns -------------------------------------------------------------------------------------------------------------


def test_columns_tell_their_domains() -> None:
    space = {
        "lr": Float(1e-5, 0.1, log=True),
        "n": Int(1, 2**60),
        "opt": Categorical(("sgd", 1, "1", None)),
        "fixed": Constant(30),
        "sometimes": Constant("x", when={"opt": ("sgd",)}),
    }
    columns = TableColumns(space, {"loss": "minimize", "acc": "maximize"})
    common = {"kind": "param", "low": None, "high": None, "log": False, "choices": None, "direction": None}
    metric = {**common, "kind": "metric", "type": "float"}
    assert columns.fields() == [
        {**common, "key": "lr", "name": "lr", "type": "float", "low": 1e-5, "high": 0.1, "log": True},
        {**common, "key": "n", "name": "n", "type": "int", "low": 1, "high": str(2**60)},
        {**common, "key": "opt", "name": "opt", "type": "category", "choices": ["sgd", "1", '"1"', "None"]},
        {**common, "key": "fixed", "name": "fixed", "type": "constant", "choices": ["30"]},
        {**common, "key": "sometimes", "name": "sometimes", "type": "category", "choices": ["x"]},
        {**metric, "key": "loss", "name": "loss", "direction": "minimize"},
        {**metric, "key": "acc", "name": "acc", "direction": "maximize"},
    ]
    params = {"lr": 0.01, "n": 2**60, "opt": "1", "fixed": 30, "sometimes": "x"}
    assert seen(columns, trial(params, {"loss": 1.0, "acc": 0.5})) == [0.01, str(2**60), 2, None, 0, 1.0, 0.5]


def test_a_metric_gives_way_to_a_parameter_that_turns_up_later() -> None:
    columns = TableColumns({}, {"loss": "minimize"})
    seen(columns, trial({"a": 1}, {"loss": 1.0, "depth": 2.0}))
    assert keys(columns) == ["loss", "a", "depth"]
    before = columns.version
    first = trial({"depth": 3}, {"loss": 0.5})
    assert seen(columns, first) == [0.5, None, None, 3]
    assert columns.version > before
    assert keys(columns) == ["loss", "a", "metric:depth", "depth"]


def test_keys_are_those_of_the_result_table() -> None:
    records = [
        trial({"lr": 1, "state": 2, "param:x": 3}, {"value": 1.0}),
        trial({"value": 1}, {"value": 1.0, "lr": 2.0, "number": 0.0, "metric:m": 1.0}),
    ]
    records[1].constraints = {"c": 1.0, "lr": 0.0}
    columns = TableColumns({"lr": Float(0.0, 1.0)}, {"value": "minimize"})
    for record in records:
        seen(columns, record)
    names = Columns(["lr"], ["value"], records)
    expected = {*names.params.values(), *names.metrics.values(), *names.constraints.values()}
    assert sorted(keys(columns)) == sorted(expected)


def test_a_range_grows_and_a_float_may_become_anything() -> None:
    columns = TableColumns({}, {"loss": "minimize"})
    seen(columns, trial({"a": 2}, domains={"a": Int(1, 4, log=True)}))
    seen(columns, trial({"a": 9}, domains={"a": Int(1, 9)}))
    field = columns.fields()[1]
    assert (field["type"], field["low"], field["high"], field["log"]) == ("int", 1, 9, False)
    seen(columns, trial({"a": 0.5}, domains={"a": Float(0.0, 1.0)}))
    field = columns.fields()[1]
    assert (field["type"], field["low"], field["high"]) == ("float", 0.0, 9)
    assert seen(columns, trial({"a": "x"}, domains={"a": Categorical(("x", "y"))})) == [None, "x"]
    field = columns.fields()[1]
    assert (field["type"], field["low"], field["choices"]) == ("any", None, None)


def test_choices_of_a_category_are_added_at_the_end() -> None:
    columns = TableColumns({}, {"loss": "minimize"})
    assert seen(columns, trial({"a": "y"}, domains={"a": Categorical(("x", "y"))}))[1] == 1
    before = columns.version
    assert seen(columns, trial({"a": "z"}, domains={"a": Categorical(("y", "z"))}))[1] == 2
    assert seen(columns, trial({"a": 1}, domains={"a": Int(1, 2)}))[1] == 3
    assert seen(columns, trial({"a": "1"}, domains={"a": Categorical(("1",))}))[1] == 4
    assert columns.version > before
    assert columns.fields()[1]["choices"] == ["x", "y", "z", "1", '"1"']


def test_choices_that_turn_up_are_told_apart_by_their_texts() -> None:
    columns = TableColumns({}, {"loss": "minimize"})
    for choice in ("3", 3, None, "None", True, "True"):
        seen(columns, trial({"a": choice}, domains={"a": Categorical((choice,))}))
    assert columns.fields()[1]["choices"] == ["3", "3 (int)", "None", '"None"', "True", '"True"']


def test_choices_without_end_share_the_last_place() -> None:
    columns = TableColumns({}, {"loss": "minimize"})
    for n in range(MOST_CHOICES + 50):
        cells = seen(columns, trial({"a": f"v{n}"}, domains={"a": Categorical((f"v{n}",))}))
    choices = columns.fields()[1]["choices"]
    assert len(choices) == 1 + MOST_CHOICES + 1
    assert choices[cells[1]] == OTHERS
    version = columns.version
    seen(columns, trial({"a": "one more"}, domains={"a": Categorical(("one more",))}))
    assert columns.fields()[1]["choices"] == choices and columns.version == version


def test_parameters_without_end_have_a_last_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_module, "MOST_COLUMNS", 4)
    columns = TableColumns({}, {"loss": "minimize"})
    for n in range(10):
        cells = seen(columns, trial({f"p{n}": n}, {"loss": 1.0, f"m{n}": 2.0}))
    assert keys(columns) == ["loss", "p0", "m0", "p1"]
    assert cells == [1.0, None, None, None]


def test_long_names_are_cut_and_stay_different() -> None:
    long = "x" * 2_000
    columns = TableColumns({f"{long}a": Float(0.0, 1.0), f"{long}b": Float(0.0, 1.0)}, {"loss": "minimize"})
    first, second, _ = keys(columns)
    assert first != second and max(len(first), len(second)) <= values.CELL_CHARS


def test_a_name_that_was_not_published_yet_has_no_cell() -> None:
    columns = TableColumns({}, {"loss": "minimize"})
    assert columns.row(trial({"later": 1}), 1) == [None]


# -- values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (-0.0, -0.0), (0.1, 0.1),
        (2**53, 2**53), (2**53 + 1, str(2**53 + 1)), (-(2**63), str(-(2**63))), (True, True), (None, None),
        ("text", "text"), (b"\x00\xff", "00ff"), ([1, None, math.nan, 2**60], [1, None, "NaN", str(2**60)]),
        ({"a": [b"\x01"], "__proto__": {"x": 1}}, {"a": ["01"], "__proto__": {"x": 1}}),
        ("\ud800<", "\ufffd<"), ("x" * 2_000, f"{'x' * 999}\u2026"),
    ],
    ids=repr,
)  # fmt: skip
def test_any_value_has_a_cell_in_both_forms(value: Any, cell: Any) -> None:
    found = values.cell(value)
    assert found == cell and repr(found) == repr(cell)
    assert repr(json.loads(JSON.encode(found))) == repr(cell)
    assert repr(msgspec.msgpack.decode(MSGPACK.encode(found))) == repr(cell)


def test_a_long_list_is_its_text_cut() -> None:
    found = values.cell(list(range(10_000)))
    assert isinstance(found, str) and len(found) == values.CELL_CHARS
    assert found.startswith("[0, 1, 2")


# -- rows ----------------------------------------------------------------------------------------------------------------


def test_a_final_trial_has_everything() -> None:
    events = (on.worker_joined(), on.suggested(0, x=0.25), on.started(0), on.reported(0, 3, 0.5))
    source = opened(on.spec(), *events)
    source.bench.send(on.finished(0, 1.5, other=math.nan), after_s=2.5)
    assert row(source) == [0, "COMPLETE", 1, None, None, 3, 0.5, None, 0.25, 1.5, "NaN"]


def test_times_are_those_of_the_events() -> None:
    source = opened(on.spec(n_trials=1))
    source.bench.send(on.worker_joined(), on.suggested(0), on.started(0), after_s=1.0)
    assert row(source) == [0, "RUNNING", 1, 3.0, None, None, None, None, 0.5]
    source.bench.send(on.finished(0), after_s=2.0)
    assert row(source)[3:5] == [3.0, 2.0]


def test_nulls_at_the_end_are_left_out() -> None:
    source = opened(on.spec(space={}), ev.ExternalAsked())
    source.bench.send(on.ask_failed(0))
    assert row(source) == [0, "FAILED", 0, None, None, None, None, "ValueError: boom"]
    source = opened(on.spec(space={}), on.worker_joined(), ev.Suggested(0, {}))
    assert row(source) == [0, "WAITING", 0]


def test_an_error_is_cut() -> None:
    error = ErrorInfo("ValueError", "x" * 1_000)
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0), on.failed(0, error=error))
    found = row(source)[7]
    assert found.startswith("ValueError: xxx") and len(found) == 200


def test_a_huge_step_is_text() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0), on.reported(0, 2**62, math.nan))
    assert row(source)[5:7] == [str(2**62), "NaN"]
    source.bench.send(on.finished(0))
    assert row(source)[5:7] == [str(2**62), "NaN"]


def test_metrics_and_constraints_of_a_trial_that_runs_are_not_shown() -> None:
    events = (on.worker_joined(), on.suggested(0), on.started(0), on.constraint_set(0, "c", 1.0))
    source = opened(on.spec(), *events)
    hub = looked(source)
    assert [column["key"] for column in hub.column_fields()] == ["x", "value"]
    source.bench.send(on.finished(0, 1.0))
    source.publish()
    hub.pull()
    assert [column["key"] for column in hub.column_fields()] == ["x", "value", "constraint:c"]


def test_arrays_of_messagepack_have_any_length() -> None:
    for length in (0, 15, 16, 65_535, 65_536):
        joined = MSGPACK.joined([b"\x01"] * length)
        assert msgspec.msgpack.decode(MSGPACK.encode({"rows": joined}))["rows"] == [1] * length


def test_a_record_is_read_once_for_each_set_of_names() -> None:
    columns = TableColumns({"x": Float(0.0, 1.0)}, {"value": "minimize"})
    record = trial({"x": 0.5}, {"value": 1.0})
    record.steps, record.reported = array("q"), array("d")
    seen(columns, record)
    version = columns.version
    for _ in range(3):
        seen(columns, record)
    assert columns.version == version
