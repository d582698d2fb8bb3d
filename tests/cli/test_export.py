"""`asyncsweep export`: the same trials as CSV, JSON, a page and a study, written whole or not at all."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import CliRunner, Result

import asyncsweep as sw
from asyncsweep.cli import optuna_target
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.cli.show import read
from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo
from asyncsweep.testing.events import (
    Bench,
    attr_set,
    constraint_set,
    finished,
    pruned,
    reported,
    spec,
    started,
    suggested,
    worker_joined,
)
from asyncsweep.viewer import assets
from tests.cli import made


def export(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["export", *arguments])


def varied() -> Bench:
    """COMPLETE with reports and attributes, PRUNED, FAILED, CANCELLED, and one that runs."""
    bench = Bench(
        spec(n_trials=5, directions={"loss": "maximize"}, space={"x": sw.Float(0.0, 1.0)}), worker_joined(slots=5)
    )
    for number in range(5):
        bench.send(suggested(number, x=number / 5), started(number), after_s=1)
    bench.send(reported(0, 0, 0.5), reported(0, 1, float("nan")), attr_set(0, "note", {"a": b"\xff"}))
    bench.send(constraint_set(0, "memory", -1.0), ev.Finished(0, 1, {"loss": 0.75, "size": 3.0}), after_s=1)
    bench.send(reported(1, 0, 0.25), pruned(1), ev.Failed(2, 1, ErrorInfo("ValueError", "<b>bad</b>\x1b[31m")))
    bench.send(ev.TrialCancelled(3), ev.Killed(3, 1))
    return bench


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return made.put(tmp_path / "d", varied().journal)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_standard_output_has_what_the_result_writes(directory: Path, tmp_path: Path, kind: str) -> None:
    result = read(directory).result
    getattr(result, f"to_{kind}")(tmp_path / "expected")
    answer = export(kind, str(directory))
    assert answer.exit_code == 0
    assert answer.stdout_bytes.rstrip(b"\n") == (tmp_path / "expected").read_bytes().rstrip(b"\n")


def test_the_json_is_strict(directory: Path) -> None:
    document = json.loads(export("json", str(directory)).stdout, parse_constant=pytest.fail)
    assert document == read(directory).result.to_dict()
    assert document["trials"][0]["reports"] == [[0, 0.5], [1, "NaN"]]


def recorded(page: str) -> dict[str, Any]:
    """What a page that is a file has inside."""
    found = re.search(r'<script type="application/json" id="recorded">([^<]*)</script>', page)
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


def test_the_page_has_the_trials_and_the_name_of_the_folder(directory: Path) -> None:
    page = export("html", str(directory)).stdout
    hello, snapshot, status = recorded(page)["messages"]
    assert "<title>d</title>" in page
    assert (hello["sweeps"], snapshot["info"]["name"], status["state"]) == (["d"], "d", "INTERRUPTED")
    assert sorted(row[:2] for row in snapshot["rows"]) == [
        [0, "COMPLETE"],
        [1, "PRUNED"],
        [2, "FAILED"],
        [3, "CANCELLED"],
        [4, "RUNNING"],
    ]


def test_of_the_page_rows_are_a_sample_and_the_title_is_as_wanted(directory: Path) -> None:
    page = export("html", str(directory), "--rows", "2", "--title", "<mine>").stdout
    hello, snapshot, status = recorded(page)["messages"]
    assert "<title>&lt;mine&gt;</title>" in page and hello["sweeps"] == ["<mine>"]
    # Every second of those that have ended; what runs, and the best, are always there.
    assert sorted(row[0] for row in snapshot["rows"]) == [0, 2, 4]
    assert (status["stride"], status["total"]) == (2, 5)


def test_the_plain_page_has_the_trials_and_no_script(directory: Path) -> None:
    page = export("html", str(directory), "--plain").stdout
    assert "<title>d</title>" in page and "Not ended: it ran, or was interrupted." in page
    assert "ValueError: &lt;b&gt;bad&lt;/b&gt;\\x1b[31m" in page
    assert page.count("<tr><td") == 5
    assert "<script" not in page


def test_rows_and_title_of_the_plain_page_are_as_wanted(directory: Path) -> None:
    page = export("html", str(directory), "--plain", "--rows", "2", "--title", "<mine>").stdout
    assert "<title>&lt;mine&gt;</title>" in page and "2 of 5 trials shown" in page


@pytest.mark.parametrize("missing", ["hiplot", "plotly"])
def test_without_the_viewers_extra_the_plain_page_is_left(
    directory: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assets._library.cache_clear()
    answer = export("html", str(directory))
    assert (answer.exit_code, answer.stderr) == (
        2,
        f'error: the viewer needs {missing}: pip install "asyncsweep[viewer]"; or --plain, for a page without scripts\n',
    )
    assert export("html", str(directory), "--plain").exit_code == 0


def test_a_page_is_not_written_to_a_terminal(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    command.main(["export", "html", str(directory)], standalone_mode=False)
    assert "--output: name a file, such as --output d.html" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["csv", "json", "html"])
def test_a_file_is_written_and_no_other_is_replaced_unforced(directory: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    assert export(kind, str(directory), "--output", str(target)).exit_code == 0
    assert target.stat().st_size > 100
    target.write_text("mine")
    answer = export(kind, str(directory), "--output", str(target))
    assert (answer.exit_code, answer.stderr) == (
        2,
        f"error: --output '{target}' is there already; --force replaces it\n",
    )
    assert target.read_text() == "mine"
    assert export(kind, str(directory), "-o", str(target), "--force").exit_code == 0
    assert target.read_text() != "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "out"]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: sw.Result, path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sw.Result, "to_csv", full)
    (tmp_path / "out").write_text("before")
    answer = export("csv", str(directory), "--output", str(tmp_path / "out"), "--force")
    assert (answer.exit_code, "No space left on device" in answer.stderr) == (2, True)
    assert (tmp_path / "out").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "out"]


@pytest.mark.parametrize("output", ["", "missing/out", "d"])
def test_a_place_that_is_no_file_is_bad_usage(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = export("csv", str(directory), "--output", output)
    assert (answer.exit_code, answer.stderr.startswith(f"error: --output '{output or '.'}'")) == (2, True)


def test_a_terminal_gets_control_characters_escaped(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    command.main(["export", "csv", str(directory)], standalone_mode=False)
    assert "\\x1b[31m" in terminal.getvalue()
    assert all(character.isprintable() or character == "\n" for character in terminal.getvalue())


def test_no_sweep_is_bad_usage_and_writes_nothing(tmp_path: Path) -> None:
    answer = export("csv", str(tmp_path), "--output", str(tmp_path / "out"))
    assert (answer.exit_code, "holds no sweep" in answer.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


# -- Optuna -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One storage for all, for making its tables takes half a second."""
    return f"sqlite:///{tmp_path_factory.mktemp('optuna')}/studies.db"


def study(storage: str, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=storage)


def test_a_study_has_states_params_values_reports_attributes_and_times(directory: Path, storage: str) -> None:
    answer = export("optuna", str(directory), "--storage", storage, "--study", "whole")
    assert answer.stdout == (
        "4 trials written into the study 'whole'. 1 left out that have not ended, or failed before they had parameters.\n"
    )
    found = study(storage, "whole")
    assert (found.metric_names, found.directions) == (["loss"], [optuna.study.StudyDirection.MAXIMIZE])
    trials = found.trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "FAIL"]
    assert [trial.params for trial in trials] == [{"x": number / 5} for number in range(4)]
    assert [trial.values for trial in trials] == [[0.75], [0.25], None, None]
    first, record = trials[0], read(directory).result.trials[0]
    assert first.distributions == {"x": optuna.distributions.FloatDistribution(0.0, 1.0)}
    assert (first.intermediate_values[0], str(first.intermediate_values[1])) == (0.5, "nan")
    assert first.user_attrs == {"size": 3.0, "note": {"a": "ff"}, "asyncsweep:number": 0}
    assert first.constraints == {"memory": -1.0}
    assert first.datetime_start == datetime.fromtimestamp(record.started_at)
    assert first.datetime_complete == datetime.fromtimestamp(record.finished_at)


def test_a_study_that_is_there_is_replaced_only_by_force(directory: Path, storage: str) -> None:
    assert export("optuna", str(directory), "--storage", storage).exit_code == 0
    answer = export("optuna", str(directory), "--storage", storage)
    assert (answer.exit_code, "it has a study 'd' already; --force replaces it" in answer.stderr) == (2, True)
    assert len(study(storage, "d").trials) == 4
    assert export("optuna", str(directory), "--storage", storage, "--force").exit_code == 0
    assert len(study(storage, "d").trials) == 4


def test_a_study_that_cannot_be_written_is_not_there(
    directory: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(optuna_target, "_fill", broken)
    answer = export("optuna", str(directory), "--storage", storage, "--study", "half")
    assert (answer.exit_code, "cannot be used: the disk is full" in answer.stderr) == (2, True)
    assert "half" not in optuna.get_all_study_names(storage)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("study.db", "a storage is named by a URL, such as sqlite:///study.db"),
        ("sqlite:////missing/study.db", "unable to open database file"),
        ("nosuch://user:secret@host/db", "Can't load plugin"),
    ],
)
def test_a_storage_that_cannot_be_used_is_bad_usage_and_no_password_is_shown(
    directory: Path, url: str, why: str
) -> None:
    answer = export("optuna", str(directory), "--storage", url)
    assert (answer.exit_code, why in answer.stderr, "secret" in answer.stderr) == (2, True, False)


def test_a_sweep_without_a_final_trial_makes_an_empty_study(tmp_path: Path, storage: str) -> None:
    directory = made.put(tmp_path / "empty", Bench(spec(n_trials=1)).journal)
    assert export("optuna", str(directory), "--storage", storage).exit_code == 0
    assert study(storage, "empty").trials == []


def test_finished_is_told_in_the_study(tmp_path: Path, storage: str) -> None:
    bench = Bench(spec(n_trials=1, space={"x": sw.Float(0.0, 1.0)}), worker_joined())
    bench.send(suggested(0, x=0.5), started(0), finished(0, 1.0))
    export("optuna", str(made.put(tmp_path / "over", bench.journal)), "--storage", storage)
    assert study(storage, "over").user_attrs == {"asyncsweep:reason": "n_trials reached"}
