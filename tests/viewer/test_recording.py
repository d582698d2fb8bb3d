"""What a page that is a file knows: all that a viewer would be told, as far as there is room."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.cli.show import read
from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo
from asyncsweep.testing.events import (
    Bench,
    attr_set,
    finished,
    pruned,
    reported,
    spec,
    started,
    suggested,
    worker_joined,
)
from asyncsweep.viewer.following import JournalSource
from asyncsweep.viewer.forms import JSON
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.recording import of_directory, record
from asyncsweep.viewer.requests import detail
from tests.cli import made


def varied(n_trials: int = 6) -> Bench:
    """COMPLETE with the values n, n - 1, ..., but that number 1 is FAILED, 2 is PRUNED, and the last one runs."""
    bench = Bench(spec(n_trials=n_trials), worker_joined(slots=n_trials))
    for number in range(n_trials):
        bench.send(suggested(number, x=number / n_trials), started(number), after_s=1)
        bench.send(*(reported(number, step, 9.0 - step) for step in range(3)), attr_set(number, "note", "n" * 100))
    for number in range(n_trials - 1):
        if number == 1:
            bench.send(ev.Failed(1, 1, ErrorInfo("ValueError", "no", "Traceback")), after_s=1)
        else:
            bench.send(pruned(2) if number == 2 else finished(number, float(n_trials - number)), after_s=1)
    return bench


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = made.put(tmp_path / "first", varied().journal)
    for number in (0, 1):
        (found / "trials" / str(number)).mkdir(parents=True)
    (found / "trials/0/attempt-1.log").write_text("fine\n")
    (found / "trials/1/attempt-1.log").write_text("é" * 5000 + "\nthe end\n", encoding="utf-8")
    return found


def recorded(directory: Path, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(of_directory(directory, "", **options).text)
    return document


def limited(directory: Path, most_bytes: int) -> dict[str, Any]:
    async def go() -> str:
        source = await JournalSource.open(directory)
        try:
            return (await record(source, most_bytes=most_bytes)).text
        finally:
            source.close()

    document: dict[str, Any] = json.loads(anyio.run(go))
    return document


def test_the_messages_are_the_streams_own(directory: Path) -> None:
    async def told() -> tuple[list[Any], list[Any]]:
        source = await JournalSource.open(directory)
        hub = Hub(source)
        await hub.catch_up()
        rows = [JSON.decode(JSON.encode(hub.rows.row(trial.number, trial))) for trial in source.trials]
        source.close()
        return rows, hub.column_fields()

    hello, snapshot, status = recorded(directory)["messages"]
    rows, columns = anyio.run(told)
    assert (hello["type"], hello["sweeps"], hello["control"]) == ("hello", ["first"], False)
    assert (sorted(snapshot["rows"]), snapshot["columns"]) == (rows, columns)
    assert (status["type"], status["counts"]["COMPLETE"], status["best"]["number"]) == ("status", 3, 4)


def test_every_trial_has_its_details_and_its_whole_curve(directory: Path) -> None:
    found, trials = recorded(directory), read(directory).result.trials
    told = {number: json.loads(JSON.encode(detail(trials[int(number)]))) for number in "01234"}
    assert {number: found["details"][number] for number in "01234"} == told
    assert found["details"]["5"]["state"] == "RUNNING"
    assert sorted(curve["trial"] for curve in found["curves"]) == [0, 1, 2, 3, 4, 5]
    assert {(tuple(curve["steps"]), tuple(curve["values"])) for curve in found["curves"]} == {((0, 1, 2), (9, 8, 7))}


def test_of_failed_trials_the_ends_of_their_logs_are_there(directory: Path) -> None:
    found = recorded(directory)
    assert list(found["logs"]) == ["1"]
    log = found["logs"]["1"]
    assert log["text"].endswith("é\nthe end\n") and "\N{REPLACEMENT CHARACTER}" not in log["text"]
    assert len(log["text"].encode()) == log["next_offset"] - log["offset"] <= 4096
    assert (log["total"], log["is_over"]) == (10_009, True)
    assert found["messages"][1]["info"]["has_logs"] is True


def test_without_logs_none_are_offered(tmp_path: Path) -> None:
    found = recorded(made.put(tmp_path / "first", varied().journal))
    assert (found["logs"], found["messages"][1]["info"]["has_logs"]) == ({}, False)


def test_the_csv_has_the_lines_of_the_whole_file(directory: Path, tmp_path: Path) -> None:
    csv = recorded(directory)["csv"]
    read(directory).result.to_csv(tmp_path / "trials.csv")
    text = csv["head"] + "".join(csv["lines"][str(number)] for number in range(6))
    assert text == (tmp_path / "trials.csv").read_bytes().decode()


def test_of_many_trials_there_is_a_sample_and_the_best_one(tmp_path: Path) -> None:
    found = recorded(made.put(tmp_path / "first", made.ended(100).journal), most_trials=20)
    _, snapshot, status = found["messages"]
    numbers = sorted(row[0] for row in snapshot["rows"])
    assert numbers == [0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96]
    assert (status["stride"], status["total"]) == (8, 100)
    assert sorted(map(int, found["details"])) == sorted(map(int, found["csv"]["lines"])) == numbers


def test_where_there_is_little_room_the_best_and_the_failed_trials_come_first(directory: Path) -> None:
    found = limited(directory, 4_000)
    assert list(found["details"]) == ["4", "1"]
    assert [curve["trial"] for curve in found["curves"]][:2] == [4, 1]
    assert len(found["messages"][1]["rows"]) == 6


def test_a_csv_file_that_does_not_fit_is_left_out(directory: Path) -> None:
    assert limited(directory, 500)["csv"] is None


def test_a_sweep_that_is_damaged_is_there_up_to_the_damage(directory: Path) -> None:
    journal = directory / "journal.asyncsweep"
    data = bytearray(journal.read_bytes())
    data[-200] ^= 255
    journal.write_bytes(data)
    *_, status = recorded(directory)["messages"]
    assert "journal.asyncsweep" in status["problem"]


@pytest.mark.parametrize("name", [b"\xff", "\N{CRAB}".encode()])
def test_a_folder_may_have_any_name(tmp_path: Path, name: bytes) -> None:
    found = of_directory(made.put(tmp_path / os.fsdecode(name), made.ended().journal), "")
    found.text.encode()
    messages = json.loads(found.text)["messages"]
    assert messages[0]["sweeps"] == [messages[1]["sweep"]] == [messages[1]["info"]["name"]] == [found.name]


def test_no_sweep_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(sw.ConfigError, match="holds no sweep"):
        of_directory(tmp_path, "")
