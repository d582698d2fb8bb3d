"""What becomes of odd values: the tables of docs/values.md cell by cell, and round trips through everything that keeps values."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from typing import Any

import anyio
import numpy
import pytest

import asyncsweep as sw
from asyncsweep.space.values import same
from asyncsweep.testing.events import spec
from asyncsweep.worker.outcome import describe
from asyncsweep.worker.trial import Trial
from asyncsweep.worker.values import check_attr

DEEP = os.environ.get("ASYNCSWEEP_DEEP") == "1"
DOCUMENT = Path(__file__).parents[1] / "docs" / "values.md"


class Colour(IntEnum):
    RED = 1


KNOWN = {
    "nan": nan, "inf": inf, "numpy": numpy, "Decimal": Decimal, "Fraction": Fraction, "datetime": datetime, "Colour": Colour,
}  # fmt: skip


# -- the tables --------------------------------------------------------------------------------------------------------


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the table under a heading of the document, by column."""
    lines = re.findall(
        r"^\|.*$", DOCUMENT.read_text().split(f"## {heading}\n")[1].split("\n## ")[0], flags=re.MULTILINE
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def value_of(cell: str) -> Any:
    found = re.fullmatch("`(.*)`", cell)
    assert found, cell
    return eval(found[1], dict(KNOWN))


def cells(heading: str, key: str) -> list[Any]:
    """Value, place and what becomes of it there, for each cell of a table."""
    return [
        pytest.param(row[key], place, cell, id=f"{row[key]} {place}".encode("unicode_escape").decode())
        for row in table(heading)
        for place, cell in row.items()
        if place != key
    ]


class Port:
    """Keeps what a trial says."""

    said: Any = None

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        self.said = (step, value, metrics)

    def set_attr(self, key: str, value: Any) -> None:
        self.said = (key, check_attr(key, value))

    def set_constraint(self, name: str, value: float) -> None:
        self.said = (name, value)


def on_port(call: Callable[[Trial], None]) -> Any:
    port = Port()
    call(Trial(port, 0, 1, {}, ("value",), None))  # type: ignore[arg-type]
    return port.said


def run(objective: Any, space: Any = (), **options: Any) -> sw.TrialRecord:
    options = {"sampler": "random", "n_trials": 1, "seed": 1, **options}
    result = anyio.run(sw.Sweep(objective, dict(space), **options).run)
    (trial,) = result.trials
    return trial


def as_parameter(value: Any) -> Any:
    """As a choice, a constant and an enqueued parameter: the same each time, in the objective and in the result."""
    seen = []

    async def objective(trial: Any) -> float:
        await trial.suggest_categorical_async("p", [value, "another"])
        seen.append(trial.params["p"])
        return 0.0

    choice, another = sw.Categorical([value, "another"]).checked("parameter 'p'").choices
    seen.append(run(objective, {"p": value}).params["p"])
    seen.append(run(objective, enqueue=[{"p": value}]).params["p"])
    assert another == "another"
    assert set(map(repr, seen)) <= {repr(choice), repr(value)}  # an objective is given its own tuples back
    return choice


def as_returned(value: Any) -> Any:
    async def objective(trial: Any) -> Any:
        return {"value": value}

    trial = run(objective)
    if trial.error is not None:
        assert trial.error.type == "TrialError"
    return trial.state.value if trial.state is sw.State.FAILED else trial.value


PLACES: dict[str, Callable[[Any], Any]] = {
    "parameter": as_parameter,
    "attribute": lambda value: on_port(lambda trial: trial.set_user_attr("key", value))[1],
    "returned": as_returned,
    "reported": lambda value: on_port(lambda trial: trial.report(value))[1],
    "constraint": lambda value: on_port(lambda trial: trial.set_constraint("c", value))[1],
    "step": lambda value: on_port(lambda trial: trial.report(0.0, value))[0],
}


@pytest.mark.parametrize(("value", "place", "cell"), cells("What is taken", "value"))
def test_a_value_becomes_what_the_table_says(value: str, place: str, cell: str) -> None:
    hold_against_the_table(PLACES[place], value_of(value), cell)


def hold_against_the_table(place: Callable[[Any], Any], value: Any, cell: str) -> None:
    if cell.endswith("Error"):
        with pytest.raises(Exception, match=r".") as refused:
            place(value)
        assert (refused.typename, len(str(refused.value)) < 400) == (cell, True)
        return
    found = place(value)
    expected = cell if cell == "FAILED" else value if cell == "kept" else value_of(cell)
    assert (type(found), repr(found)) == (type(expected), repr(expected))


@pytest.mark.parametrize(
    ("domain", "value", "becomes"),
    [
        (sw.Float(0, 1e300), 7, "7.0"),
        (sw.Float(0, 1e300), Fraction(1, 4), "0.25"),
        (sw.Float(0, 1e300), numpy.float32(0.25), "0.25"),
        (sw.Float(0, 1e300), numpy.array(0.25), "0.25"),
        (sw.Float(-1, 1), -0.0, "-0.0"),
        (sw.Int(0, 9), numpy.uint8(7), "7"),
        (sw.Int(0, 9), numpy.array(7), "7"),
    ],
    ids=str,
)
def test_a_range_takes_numbers_and_makes_them_its_own(domain: sw.Domain, value: Any, becomes: str) -> None:
    """Whatever makes NumPy warn, of a float32 beside a greater float for example, is an error here."""
    assert repr(sw.Space({"x": domain}).check({"x": value})["x"]) == becomes


@pytest.mark.parametrize("value", [True, "0.5", Decimal("0.5"), nan, None, numpy.bool_(True)], ids=repr)
@pytest.mark.parametrize("domain", [sw.Float(0, 1), sw.Int(0, 1)], ids=["Float", "Int"])
def test_a_range_refuses_what_is_no_number(domain: sw.Domain, value: Any) -> None:
    with pytest.raises(sw.ConfigError, match=r"parameter 'x': .* is not accepted; give an? (number|integer) from"):
        sw.Space({"x": domain}).check({"x": value})


def test_int_takes_no_float() -> None:
    with pytest.raises(sw.ConfigError, match="is not accepted; give an integer"):
        sw.Space({"x": sw.Int(0, 9)}).check({"x": 7.0})


NAMES: dict[str, Callable[[Any], Any]] = {
    "parameter": lambda name: next(iter(run(constantly, {name: 1}).params)),
    "metric": lambda name: next(iter(on_port(lambda trial: trial.report({"value": 0.0, name: 1.0}))[2])),
    "attribute": lambda name: on_port(lambda trial: trial.set_user_attr(name, 1))[0],
    "constraint": lambda name: on_port(lambda trial: trial.set_constraint(name, 1.0))[0],
    "message of an error": lambda text: describe(ValueError(text))[1],
}


async def constantly(trial: Any) -> float:
    return 0.0


@pytest.mark.parametrize(("text", "place", "cell"), cells("Names and texts", "text"))
def test_a_name_becomes_what_the_table_says(text: str, place: str, cell: str) -> None:
    hold_against_the_table(NAMES[place], value_of(text), cell)


def test_the_middle_of_a_very_long_message_is_left_out() -> None:
    message = describe(ValueError("a" * 1_000_000))[1]
    assert message == f"{'a' * 8_000}\n... 984000 characters left out ...\n{'a' * 8_000}"


def choosing(choices: list[Any], picked: list[Any]) -> sw.Result:
    """A result whose trials had these of the choices, under the name "p"."""
    space = sw.Space({"p": sw.Categorical(choices)})
    trials = []
    for number, value in enumerate(picked):
        trial = sw.TrialRecord(number, sw.State.COMPLETE, attempt=1, started_at=1.5, finished_at=2.5)
        trial.param_names, trial.param_values = ("p",), (space.domains["p"].normalise(value),)
        trial.metric_names, trial.metric_values = ("value",), (0.5,)
        trials.append(trial)
    return sw.Result(spec(space=space.domains, directions={"value": "minimize"}), trials)


@pytest.mark.parametrize(("value", "place", "cell"), cells("What is written", "value"))
def test_a_value_is_written_as_the_table_says(value: str, place: str, cell: str, tmp_path: Path) -> None:
    result = choosing([value_of(value), "another"], [value_of(value)])
    expected = cell.strip("`")
    if place == "JSON":
        result.to_json(tmp_path / "result.json")
        found = json.dumps(strict_json(tmp_path / "result.json")["trials"][0]["params"]["p"], ensure_ascii=False)
    else:
        result.to_csv(tmp_path / "result.csv")
        with open(tmp_path / "result.csv", newline="", encoding="utf-8") as file:
            found = next(csv.DictReader(file))["p"]
    assert found == expected


@pytest.mark.parametrize("value", [row["value"] for row in table("What is written")], ids=ascii)
def test_history_reads_what_csv_says(value: str, tmp_path: Path) -> None:
    result = choosing([value_of(value), "another"], [value_of(value)])
    assert same(read_back(result, tmp_path), [value_of(value)])


def read_back(result: sw.Result, folder: Path) -> list[Any]:
    """What a new sweep takes from the CSV file of the result."""
    result.to_csv(folder / "result.csv")
    past = sw.Sweep(constantly, result.space, direction=dict(result.directions), history=folder / "result.csv").history
    assert past is not None
    return [trial.params["p"] for trial in past.trials]


def strict_json(path: Path) -> Any:
    """JSON as the standard has it: no NaN, no Infinity, no key twice."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(path.read_bytes().decode(), parse_constant=refuse, object_pairs_hook=once)
