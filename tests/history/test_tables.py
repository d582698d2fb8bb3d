"""Warm starts from CSV files, data frames and lists of dicts."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

import asyncsweep as sw
from asyncsweep.core.records import PastTrial
from tests.history.sources import GOOD, SPACE, loaded, refusal, result, trial

ODD_SPACE: dict[str, Any] = {
    "state": sw.Categorical(["a", "b"]),
    "number": sw.Int(1, 1024, log=True),
    "loss": sw.Float(0.0, 1.0),
    "param:loss": sw.Categorical([None, "None", True, "True", 1, "1", 1.5]),
    "layers": sw.Categorical([[64, 32], [64], []]),
    "kind": sw.Categorical([None, False, ""]),
    "rate": sw.Float(0.0, 1.0, when={"kind": False}),
    "nothing": None,
    "note": "a,b\n'c'",
}
ODD_DIRECTIONS: dict[str, Any] = {"loss": "minimize", "error": "maximize"}


def odd(number: int, **changes: Any) -> sw.TrialRecord:
    params = {
        "state": "a",
        "number": 64,
        "loss": 0.25,
        "param:loss": None,
        "layers": [64, 32],
        "kind": None,
        "nothing": None,
        "note": "a,b\n'c'",
    }
    record = trial(number, "COMPLETE", params | changes, loss=0.5, error=1e-300, size=3.0)
    record.constraints = {"memory": -0.5}
    return record


def odd_sweep() -> sw.Result:
    """A sweep whose names collide with columns, and whose choices look like each other."""
    choices = [odd(n, **{"param:loss": choice}) for n, choice in enumerate(ODD_SPACE["param:loss"].choices)]
    return result(
        trial(90, "FAILED", odd(0).params),  # first, so that its row lacks the metrics
        *choices,
        odd(91, layers=[]),
        odd(92, kind=False, rate=0.1),
        odd(93, kind=""),
        trial(94, "CANCELLED", odd(0).params),
        space=ODD_SPACE,
        **ODD_DIRECTIONS,
    )


def identities(past: Any) -> list[str]:
    """With the types of values: 1, True and 1.0 are three."""
    return [repr(found) for found in past.trials]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "trials.csv"


def written(table: Path, text: str) -> Path:
    table.write_text(text, encoding="utf-8")
    return table


def test_the_csv_of_an_odd_sweep_goes_in_again_as_the_sweep_itself(table: Path) -> None:
    sweep = odd_sweep()
    sweep.to_csv(table)
    from_csv = loaded(table, ODD_SPACE, ODD_DIRECTIONS)
    assert identities(from_csv) == identities(loaded(sweep, ODD_SPACE, ODD_DIRECTIONS))


def test_the_rows_of_an_odd_sweep_go_in_again_as_the_sweep_itself() -> None:
    sweep = odd_sweep()
    assert identities(loaded(sweep.to_rows(), ODD_SPACE, ODD_DIRECTIONS)) == identities(
        loaded(sweep, ODD_SPACE, ODD_DIRECTIONS)
    )


def test_the_frame_of_a_sweep_goes_in_again_as_the_sweep_itself() -> None:
    space = {**SPACE, "layers": sw.Categorical([[1], [2, 3]]), "momentum": sw.Int(1, 3, when={"opt": "sgd"})}
    sweep = result(
        trial(0, "COMPLETE", {**GOOD, "layers": [1]}, value=1.0),
        trial(1, "COMPLETE", {**GOOD, "opt": "sgd", "layers": [2, 3], "momentum": 2}, value=math.nan),
        trial(2, "FAILED", {**GOOD, "layers": [1]}),
        space=space,
    )
    assert identities(loaded(sweep.to_pandas(), space)) == identities(loaded(sweep, space))


def test_a_csv_of_a_sweep_that_has_lost_a_parameter_is_refused(table: Path) -> None:
    result(trial(0, "COMPLETE", {**GOOD, "wd": 0.1}, value=1.0, size=2.0)).to_csv(table)
    assert "line 2: parameter 'wd' is unknown" in refusal(table)


def test_a_csv_of_a_sweep_in_which_all_failed_teaches_what_failed(table: Path) -> None:
    result(trial(0, "FAILED", GOOD)).to_csv(table)
    assert loaded(table).trials == (PastTrial(GOOD, sw.State.FAILED),)


def test_a_plain_csv_needs_no_more_than_parameters_and_metrics(table: Path) -> None:
    written(table, "loss,opt,depth,lr\n0.5,adam,3,1e-2\n,sgd,4,0.02\n")
    assert loaded(table, direction={"loss": "minimize"}).trials == (
        PastTrial(GOOD, sw.State.COMPLETE, {"loss": 0.5}),
        PastTrial({"lr": 0.02, "depth": 4, "opt": "sgd"}, sw.State.FAILED),
    )


def test_a_byte_order_mark_spaces_in_the_header_blank_lines_and_an_index_do_not_matter(table: Path) -> None:
    table.write_bytes(b"\xef\xbb\xbf,lr, depth ,opt,value\r\n0,0.01,3,adam,1\r\n\r\n1,0.01,3,adam,2\r\n")
    assert [past.metrics for past in loaded(table).trials] == [{"value": 1.0}, {"value": 2.0}]


def test_states_of_a_table_count(table: Path) -> None:
    rows = "".join(f"0.01,3,adam,{value},{state}\n" for value, state in [
        ("1", ""), ("1", "complete"), ("2", "PRUNED"), ("", "PRUNED"), ("", "FAIL"), ("", "CANCELLED"), ("", "RUNNING")
    ])  # fmt: skip
    past = loaded(written(table, f"lr,depth,opt,value,state\n{rows}"))
    assert [(found.state.value, found.metrics) for found in past.trials] == [
        ("COMPLETE", {"value": 1.0}),
        ("COMPLETE", {"value": 1.0}),
        ("PRUNED", {"value": 2.0}),
        ("PRUNED", {}),
        ("FAILED", {}),
    ]
    assert past.left_out == 2


def test_names_of_our_columns_are_ordinary_in_a_table_of_somebody_elses() -> None:
    rows = [{"number": 3, "duration_s": 0.5}]
    past = loaded(rows, {"number": sw.Int(1, 5)}, {"duration_s": "minimize"})
    assert past.trials == (PastTrial({"number": 3}, sw.State.COMPLETE, {"duration_s": 0.5}),)


def test_constraints_of_a_table_count(table: Path) -> None:
    written(table, "lr,depth,opt,value,constraint:memory,metric:size\n0.01,3,adam,1,-2,7\n0.01,3,adam,1,,\n")
    assert [(past.constraints, past.metrics) for past in loaded(table).trials] == [
        ({"memory": -2.0}, {"value": 1.0, "size": 7.0}),
        (None, {"value": 1.0}),
    ]


@pytest.mark.parametrize(
    ("domain", "text", "value"),
    [
        (sw.Int(1, 10), "3", 3),
        (sw.Int(1, 10), "3.0", 3),
        (sw.Int(1, 2**62), str(2**60 + 1), 2**60 + 1),
        (sw.Float(0, 1), "1e-1", 0.1),
        (sw.Categorical([True, False]), "true", True),
        (sw.Categorical([None, 0.5]), "None", None),
        (sw.Categorical([None, 0.5]), "0.50", 0.5),
        (sw.Categorical([32, 64]), "64.0", 64),
        (sw.Categorical([[1, 2], [3]]), "[1,2]", [1, 2]),
        (sw.Categorical(["01", "1"]), "01", "01"),
        (sw.Categorical([b"\x01", b"\x02"]), "02", b"\x02"),
        (sw.Categorical([{"a": 1}]), '{"a": 1}', {"a": 1}),
        (sw.Categorical([1, True]), "True", True),
    ],
    ids=str,
)
def test_a_text_means_what_the_domain_says(table: Path, domain: Any, text: str, value: Any) -> None:
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows([["p", "value"], [text, "1"]])
    found = loaded(table, {"p": domain}).trials[0].params["p"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("domain", "text", "complaint"),
    [
        (sw.Int(1, 10), "3.5", "3.5 (float) is not accepted; give an integer from 1 to 10"),
        (sw.Int(1, 10), "0_3", "is not accepted; give an integer from 1 to 10"),
        (sw.Int(1, 10), "9" * 5000, "is not accepted; give an integer from 1 to 10"),
        (sw.Int(1, 10), "nan", "is not accepted; give an integer from 1 to 10"),
        (sw.Float(0, 1), "0,5", "'0,5' (str) is not accepted; give a number from 0.0 to 1.0"),
        (sw.Float(0, 1), "1e999", "inf (float) is not accepted; give a number from 0.0 to 1.0"),
        (sw.Categorical([True, 2]), "1", "'1' (str) is not accepted; give one of [True, 2]"),
        (sw.Categorical(["a"]), "[" * 100_000, "is not accepted; give one of ['a']"),
        (sw.Categorical([b"\x12", 12]), "12", "'12' may be b'\\x12' or 12"),
    ],
    ids=["fraction", "underscore", "digits", "nan", "comma", "huge", "bool", "brackets", "twins"],
)
def test_a_text_without_a_meaning_is_refused(table: Path, domain: Any, text: str, complaint: str) -> None:
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows([["p", "value"], [text, "1"]])
    found = refusal(table, {"p": domain})
    assert "line 2: parameter 'p': " in found and complaint in found


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the file is empty; its first line has to name the columns"),
        (b"\n", "the file is empty; its first line has to name the columns"),
        (b"lr,depth,opt\n", "there is no column for the metric 'value'; there are: 'lr', 'depth', 'opt'"),
        (b"lr,depth,opt,values\n", "the metric 'value' (did you mean 'values'?)"),
        (b"lr,lr,depth,opt,value\n", "two columns are called 'lr'"),
        (b"lr,depth,opt,value\n0.01,3,adam\n", "line 2: 3 values for 4 columns"),
        (b"lr,depth,opt,value\n0.01,3,adam,1,2\n", "line 2: 5 values for 4 columns"),
        (b"lr,opt,value\n0.01,adam,1\n", "line 2: parameter 'depth' is missing"),
        (b"lr,depth,opt,value\n0.01,3,adam,good\n", "line 2: column 'value': 'good' is no number"),
        (b"lr,depth,opt,value\n0.01,3,adam,1_0\n", "line 2: column 'value': '1_0' is no number"),
        (b"lr,depth,opt,value\n0.01,99,adam,1\n", "line 2: parameter 'depth': 99 (int) is not accepted"),
        (b"lr,depth,opt,value,state\n0.01,3,adam,1,DONE\n", "line 2: the state 'DONE' is unknown"),
        (b"lr,deep,opt,value\n0.01,3,adam,1\n", "the column 'deep' is neither a parameter nor a metric (did you mean 'depth'?)"),
        (b"lr,depth,opt,value\n0.01,3,\xff,1\n", "it cannot be read as CSV in UTF-8"),
        (b'lr,depth,opt,value\n0.01,3,"adam,1\n', "it cannot be read as CSV in UTF-8"),
        (b"lr,depth,opt,value\n0.01,3," + b"a" * (2**24 + 1) + b",1\n", "it cannot be read as CSV in UTF-8: field larger"),
        (b"lr;depth;opt;value\n0.01;3;adam;1\n", "'value'; the columns are separated by semicolons, and commas are needed"),
        (b"lr\tdepth\topt\tvalue\n", "'value'; the columns are separated by tabs, and commas are needed"),
        (b"\x89PNG\r\n\x1a\n\0\0", "it cannot be read as CSV in UTF-8"),
    ],
)  # fmt: skip
def test_a_bad_csv_is_refused_with_the_place_of_the_fault(table: Path, content: bytes, complaint: str) -> None:
    table.write_bytes(content)
    assert complaint in refusal(table)


def test_bad_lines_can_be_skipped(table: Path) -> None:
    written(table, "lr,depth,opt,value,why\n0.01,3,adam,1,\n0.01,3,adam\n0.01,9,adam,1,\n0.01,3,adam,1,x\n")
    past = loaded(sw.History(table, outside="skip"))
    assert (past.taken, past.skipped, [reason.partition(":")[0] for reason in past.reasons]) == (
        1,
        3,
        ["line 3", "line 4", "line 5"],
    )


def test_a_column_that_is_ignored_may_say_anything(table: Path) -> None:
    written(table, "lr,depth,opt,value,note\n0.01,3,adam,1,good\n")
    assert loaded(sw.History(table, ignore=["note"])).trials == (PastTrial(GOOD, sw.State.COMPLETE, {"value": 1.0}),)


def test_a_row_is_named_by_its_place_in_the_list() -> None:
    assert "history=list: row 1: parameter 'depth': 0 (int)" in refusal(
        [{**GOOD, "value": 1.0}, {**GOOD, "depth": 0, "value": 1.0}]
    )


def test_a_row_without_the_metric_is_refused() -> None:
    assert "row 0: the metric 'value' is missing; there are: none" in refusal([GOOD])


@pytest.mark.parametrize("row", [3, None, [1, 2], {1: 2}], ids=str)
def test_a_row_that_is_no_dict_with_text_keys_is_refused(row: Any) -> None:
    assert "is no dict with column names as keys" in refusal([row])


def test_rows_of_texts_are_read_as_texts() -> None:
    row = {"lr": "0.01", "depth": "3", "opt": "adam", "value": "1"}
    assert loaded([row]).trials == (PastTrial(GOOD, sw.State.COMPLETE, {"value": 1.0}),)


def test_numbers_of_numpy_become_plain_ones() -> None:
    row = {"lr": numpy.float32(0.5), "depth": numpy.int64(3), "opt": "adam", "value": numpy.float64(1.0)}
    found = loaded([row], {**SPACE, "lr": sw.Float(0, 1)}).trials[0]
    assert [type(value) for value in (*found.params.values(), found.metrics["value"])] == [float, int, str, float]


@pytest.mark.parametrize(
    "value", [numpy.zeros(3), pandas.NA, pandas.NaT, object(), {"a": {1}}, b"x"], ids=lambda value: type(value).__name__
)
@pytest.mark.parametrize(
    "domain", [sw.Float(0, 1), sw.Int(1, 3), sw.Categorical([1, {"a": 1}, "x"])], ids=["float", "int", "choice"]
)
def test_a_value_of_an_odd_type_is_refused(value: Any, domain: Any) -> None:
    assert "row 0: parameter 'p': " in refusal([{"p": value, "value": 1.0}], {"p": domain})


def test_an_empty_list_teaches_nothing() -> None:
    assert loaded([]).taken == 0


def test_a_frame_with_gaps_has_no_value_there() -> None:
    frame = pandas.DataFrame(
        {"opt": ["sgd", "adam"], "momentum": [2.0, None], "value": [1.0, float("nan")], "deep": pandas.array([1, None])}
    )
    space = {
        "opt": sw.Categorical(["sgd", "adam"]),
        "momentum": sw.Int(1, 3, when={"opt": "sgd"}),
        "deep": sw.Categorical([1, None]),
    }
    assert identities(loaded(frame, space)) == [
        repr(PastTrial({"opt": "sgd", "momentum": 2, "deep": 1}, sw.State.COMPLETE, {"value": 1.0})),
        repr(PastTrial({"opt": "adam", "deep": None}, sw.State.FAILED)),
    ]


def test_a_hundred_thousand_lines_take_seconds(table: Path) -> None:
    line = "0.01,3,adam,0.5\n"
    written(table, "lr,depth,opt,value\n" + line * 100_000)
    started = time.process_time()
    assert loaded(table).taken == 100_000
    assert time.process_time() - started < 20  # it takes about two
