"""The exporter of CSV, on real sweeps and files."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.core.effects import TrialDropped
from asyncsweep.exporters.csv_table import CsvExporter
from asyncsweep.hooks.contracts import SweepInfo
from tests.exporters.sweeps import SPACE, quick, run

pytestmark = pytest.mark.anyio


def rows(path: Path) -> list[dict[str, str]]:
    """What the cells say, without the blank ones."""
    with open(path, newline="") as file:
        return [{key: cell for key, cell in row.items() if cell} for row in csv.DictReader(file)]


def header(path: Path) -> list[str]:
    with open(path, newline="") as file:
        return next(csv.reader(file))


async def test_the_cells_are_those_of_result_to_csv(tmp_path: Path) -> None:
    result = await run(exporters=[{"name": "csv", "path": str(tmp_path / "live.csv")}], n_trials=8)
    result.to_csv(tmp_path / "after.csv")
    assert rows(tmp_path / "live.csv") == rows(tmp_path / "after.csv")


async def test_the_columns_are_there_before_the_first_trial(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    async def looking(trial: Any) -> float:
        seen.append(header(tmp_path / "t.csv"))
        return 0.5

    await run(looking, exporters=[{"name": "csv", "path": str(tmp_path / "t.csv")}], n_trials=1)
    assert seen == [
        ["number", "state", "x", "kind", "epochs", "value", "attempts", "started_at", "duration_s", "error"]
    ]


async def test_what_turns_up_later_gets_a_column_in_every_row(tmp_path: Path) -> None:
    async def growing(trial: Any) -> Any:
        if trial.number == 2:
            await trial.suggest_float_async("momentum", 0.0, 1.0)
            trial.set_constraint("size", 1.0)
            return {"value": 0.5, "accuracy": 0.25}
        return 0.5

    await run(growing, {}, exporters=[{"name": "csv", "path": str(tmp_path / "t.csv")}], n_trials=4)
    found = header(tmp_path / "t.csv")
    assert found == [
        *("number", "state", "momentum", "value", "accuracy", "constraint:size"),
        *("attempts", "started_at", "duration_s", "error"),
    ]
    assert [row.get("accuracy") for row in rows(tmp_path / "t.csv")] == [None, None, "0.25", None]
    assert os.listdir(tmp_path) == ["t.csv"]


async def test_a_metric_gives_way_to_a_parameter_that_turns_up_with_its_name(tmp_path: Path) -> None:
    async def clashing(trial: Any) -> float:
        await trial.suggest_float_async("value", 0.0, 1.0)
        return 0.5

    await run(clashing, {}, exporters=[{"name": "csv", "path": str(tmp_path / "t.csv")}], n_trials=2)
    assert [row["metric:value"] for row in rows(tmp_path / "t.csv")] == ["0.5", "0.5"]


async def test_a_resumed_sweep_has_each_trial_once(tmp_path: Path) -> None:
    exporters = [{"name": "csv", "path": str(tmp_path / "t.csv")}]
    await run(quick, directory=tmp_path / "sweep", n_trials=3, exporters=exporters)
    with anyio.fail_after(50):
        await sw.Sweep.resume(tmp_path / "sweep", quick, n_trials=5)
    assert [row["number"] for row in rows(tmp_path / "t.csv")] == ["0", "1", "2", "3", "4"]


async def test_a_file_that_lacks_trials_has_them_all_after_a_resume(tmp_path: Path) -> None:
    exporters = [{"name": "csv", "path": str(tmp_path / "t.csv")}]
    await run(quick, directory=tmp_path / "sweep", n_trials=3, exporters=exporters)
    text = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text(text[: len(text) // 2])  # as a killed process leaves it
    with anyio.fail_after(50):
        await sw.Sweep.resume(tmp_path / "sweep", quick, n_trials=4)
    assert [row["number"] for row in rows(tmp_path / "t.csv")] == ["0", "1", "2", "3"]


async def test_it_is_read_again_as_history(tmp_path: Path) -> None:
    await run(quick, SPACE, exporters=[{"name": "csv", "path": str(tmp_path / "t.csv")}], n_trials=4)
    sweep = sw.Sweep(quick, SPACE, sampler="random", n_trials=1, history=tmp_path / "t.csv")
    with anyio.fail_after(50):
        async with sweep.start() as running:
            await running.result()
            assert len(running._driver.machine.history) == 4


@pytest.mark.parametrize("text", ["name,age\nbob,3\n", "number,state\n0,COMPLETE\n"])
async def test_a_file_with_something_else_in_it_is_left_alone(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(sw.ConfigError, match=r"exporter\.path: '.*t\.csv' is there already; .* overwrite=True"):
        await run(exporters=[{"name": "csv", "path": str(tmp_path / "t.csv")}])
    assert (tmp_path / "t.csv").read_text() == text


async def test_a_file_is_replaced_when_the_user_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,age\n")
    await run(exporters=[{"name": "csv", "path": str(tmp_path / "t.csv"), "overwrite": True}])
    assert len(rows(tmp_path / "t.csv")) == 5


async def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "t.csv")
    await run(exporters=[{"name": "csv", "path": str(tmp_path / "link.csv")}])
    assert (tmp_path / "link.csv").is_symlink() and len(rows(tmp_path / "t.csv")) == 5


@pytest.mark.parametrize("name", ["missing/t.csv", "."])
async def test_a_path_that_cannot_be_written_is_a_config_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(sw.ConfigError, match=r"^exporter\.path: "):
        await run(exporters=[{"name": "csv", "path": str(tmp_path / name)}])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, "exporter.path: expected the path of a file, got ''"),
        ({"path": 3}, "exporter.path: expected the path of a file, got 3"),
        ({"path": "t.csv", "overwrite": 1}, "exporter.overwrite: expected True or False, got 1"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(sw.ConfigError) as caught:
        CsvExporter(**options)
    assert str(caught.value) == message


def test_a_trial_that_is_dropped_goes_from_the_table(tmp_path: Path) -> None:
    exporter = CsvExporter(tmp_path / "t.csv")
    info = SweepInfo("sweep", None, sw.Space({}), {"value": "minimize"}, "f", lambda: ())
    exporter.open(info)
    exporter.write((), [sw.TrialRecord(0, sw.State.COMPLETE), sw.TrialRecord(1, sw.State.COMPLETE)])
    exporter.write([TrialDropped(at=1.0, trial=1)], ())
    exporter.close()
    assert [row["number"] for row in rows(tmp_path / "t.csv")] == ["0"]


async def test_a_metric_or_parameter_may_be_called_anything(tmp_path: Path) -> None:
    space = {'a,b\n"c"': sw.Float(0.0, 1.0), "number": sw.Int(1, 3)}

    async def objective(trial: Any) -> Any:
        return {"state": 1.0}

    result = await run(
        objective, space, direction={"state": "minimize"}, exporters=[{"name": "csv", "path": str(tmp_path / "t.csv")}]
    )
    result.to_csv(tmp_path / "after.csv")
    assert rows(tmp_path / "t.csv") == rows(tmp_path / "after.csv")
