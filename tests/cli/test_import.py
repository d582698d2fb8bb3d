"""`asyncsweep import`: a sweep's directory made of another search, which every other command takes for one of ours."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import anyio
import optuna
import pytest
from click.testing import CliRunner, Result

import asyncsweep as sw
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.cli.show import read
from asyncsweep.core import events as ev
from asyncsweep.importing.search import NUMBER
from asyncsweep.journal import inspection
from asyncsweep.journal.files import OsFiles
from asyncsweep.journal.writer import NAME
from asyncsweep.testing.events import Bench, finished, reported, spec, started, suggested, worker_joined
from tests.cli import made

SPACE = {"x": sw.Float(0.0, 1.0), "k": sw.Categorical(["a", "b"])}


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def imported(*arguments: Any) -> dict[str, Any]:
    answer = run("import", *arguments, "--json")
    assert (answer.exit_code, answer.stderr) == (0, "")
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def study_objective(trial: optuna.Trial) -> float:
    x, k = trial.suggest_float("x", 0.0, 1.0), trial.suggest_categorical("k", ["a", "b"])
    trial.set_user_attr("note", k)
    trial.report(x, 0)
    if x > 0.8:
        raise ValueError("too large")
    if x > 0.6:
        raise optuna.TrialPruned
    return x


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A storage with a study of 12 ended trials and a running one."""
    url = f"sqlite:///{tmp_path_factory.mktemp('optuna')}/study.db"
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.create_study(
        study_name="s", storage=url, sampler=optuna.samplers.RandomSampler(seed=1), direction="maximize"
    )
    study.optimize(study_objective, n_trials=12, catch=(ValueError,))
    study.ask()
    return url


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "trials.csv"
    path.write_text("lr,opt,loss\n0.001,sgd,3\n0.1,adam w,2\n0.01,sgd,nan\n")
    return path


def asked_again(x: float, k: str) -> float:
    return x


def test_a_study_becomes_a_sweep_that_every_command_takes_for_one(storage: str, tmp_path: Path) -> None:
    directory = tmp_path / "d"
    theirs = [trial for trial in optuna.load_study(study_name="s", storage=storage).trials if trial.state.is_finished()]
    document = imported(storage, directory)
    assert (document["trials"], document["left_out"], document["directions"]) == (12, 1, {"value": "maximize"})
    ours = read(directory).result
    assert [trial.params for trial in ours.trials] == [trial.params for trial in theirs]
    states = {"COMPLETE": "COMPLETE", "PRUNED": "PRUNED", "FAIL": "FAILED"}
    assert [trial.state for trial in ours.trials] == [states[trial.state.name] for trial in theirs]
    assert [trial.value for trial in ours.trials] == [trial.value for trial in theirs]
    assert [dict(trial.reports) for trial in ours.trials] == [trial.intermediate_values for trial in theirs]
    assert [trial.user_attrs for trial in ours.trials] == [trial.user_attrs for trial in theirs]
    assert inspection.check(directory).damage is None
    row = json.loads(run("ls", directory, "--json").stdout)[0]
    assert (row["state"], row["reason"], row["trials"]) == ("ended", f"imported from {storage}", 12)
    assert "Ended: imported from sqlite:" in run("show", directory).stdout
    assert run("export", "json", directory).exit_code == 0
    assert run("rm", "--yes", directory).exit_code == 0 and not directory.exists()


class Listening:
    """A sampler that notes what it is told."""

    host = "inline"

    def __init__(self) -> None:
        self.told: list[tuple[int, str]] = []

    def open(self, space: Any, directions: Any, seed: int) -> None:
        self.space = space

    def ask(self, trial: Any) -> dict[str, Any]:
        return {"x": 0.5, "k": "a"}

    def tell(self, trial: Any) -> None:
        self.told.append((trial.number, trial.state.value))

    def suggest(self, trial: Any, name: str, domain: Any) -> Any:
        raise AssertionError(name)


def test_an_imported_study_goes_on_and_its_sampler_is_told_of_it(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASYNCSWEEP_DEBUG", "1")
    imported(storage, tmp_path / "d")
    before = read(tmp_path / "d").result
    sampler = Listening()
    sweep = sw.Sweep.open(tmp_path / "d", asked_again, n_trials=14, sampler=sampler, executor="thread")
    result = anyio.run(sweep.run)
    assert [trial.number for trial in result.trials] == list(range(14))
    assert sampler.told[:12] == [(trial.number, trial.state.value) for trial in before.trials]
    assert [trial.params for trial in result.trials[12:]] == [{"x": 0.5, "k": "a"}] * 2
    assert result.best is not None and result.best.value == max(
        trial.value for trial in before.trials if trial.state == "COMPLETE"
    )


def test_what_was_imported_counts_for_the_rules_that_stop_a_sweep(storage: str, tmp_path: Path) -> None:
    imported(storage, tmp_path / "d")
    best = read(tmp_path / "d").result.best_value
    settings = {"n_trials": 20, "target": best, "sampler": "random", "executor": "thread"}
    result = anyio.run(sw.Sweep.open(tmp_path / "d", asked_again, **settings).run)
    assert (len(result.trials), result.reason) == (12, f"target {best} reached")


def test_it_goes_on_with_its_own_settings(storage: str, tmp_path: Path) -> None:
    imported(storage, tmp_path / "d", "--objective", "tests.cli.test_import:asked_again", "--seed", "7")
    spec = read(tmp_path / "d").spec
    assert (spec.objective, spec.seed, spec.sampler.name, spec.executor.name) == (
        "tests.cli.test_import:asked_again",
        7,
        "tpe",
        "process",
    )
    result = anyio.run(sw.Sweep.open(tmp_path / "d", asked_again, n_trials=13).run)
    assert result.trials[12].state == "COMPLETE"


def test_what_is_said_names_the_counts_and_how_to_go_on(storage: str, tmp_path: Path) -> None:
    lines = run("import", storage, tmp_path / "d").stdout.splitlines()
    assert lines[0].startswith(f"12 trials imported into {tmp_path / 'd'}: ")
    assert lines[1] == "1 left out that had not ended by themselves."
    assert lines[-1] == f"Go on with: asyncsweep resume {tmp_path / 'd'} TARGET --trials 112"


def test_an_exported_study_comes_back(tmp_path: Path) -> None:
    bench = Bench(spec(n_trials=2, space=SPACE, directions={"loss": "maximize"}), worker_joined())
    for number in range(2):
        bench.send(suggested(number, x=number / 2, k="a"), started(number), reported(number, 0, 1.5), after_s=1)
        bench.send(ev.Finished(number, 1, {"loss": float(number)}), after_s=1)
    source = made.put(tmp_path / "source", bench.journal)
    run("export", "optuna", source, "--storage", f"sqlite:///{tmp_path}/s.db")
    imported(f"sqlite:///{tmp_path}/s.db", tmp_path / "back")
    first, second = read(source), read(tmp_path / "back")
    assert (second.spec.space, second.spec.directions) == (first.spec.space, first.spec.directions)
    for one, other in zip(first.result.trials, second.result.trials, strict=True):
        assert (one.params, one.metrics, list(one.reports)) == (other.params, other.metrics, list(other.reports))
        assert (one.started_at, one.finished_at) == (other.started_at, other.finished_at)


# -- CSV files --------------------------------------------------------------------------------------------------------


def test_a_csv_file_without_a_space_is_answered_with_a_command_that_works(csv_file: Path, tmp_path: Path) -> None:
    answer = run("import", csv_file, tmp_path / "d")
    assert answer.exit_code == 2
    assert "a CSV file does not tell the space and the direction of each metric" in answer.stderr
    proposed = shlex.split(answer.stderr.splitlines()[-1])
    assert proposed[4:] == [
        "--space=lr=log_uniform(0.001, 0.1)",
        '--space=opt=categorical(sgd, "adam w")',
        "--direction=loss=minimize",
    ]
    assert run(*proposed[1:]).exit_code == 0
    trials = read(tmp_path / "d").result.trials
    assert [(trial.state.value, trial.params, trial.metrics) for trial in trials] == [
        ("COMPLETE", {"lr": 0.001, "opt": "sgd"}, {"loss": 3.0}),
        ("COMPLETE", {"lr": 0.1, "opt": "adam w"}, {"loss": 2.0}),
        ("FAILED", {"lr": 0.01, "opt": "sgd"}, {}),
    ]


def test_nothing_is_made_without_a_space(csv_file: Path, tmp_path: Path) -> None:
    run("import", csv_file, tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_a_table_of_ours_comes_back_with_times_attempts_and_errors(tmp_path: Path) -> None:
    bench = made.open_still(space={"x": sw.Float(0.0, 1.0)})
    source = made.put(tmp_path / "source", bench.journal)
    run("export", "csv", source, "-o", tmp_path / "a.csv")
    options = ("--space", "x=uniform(0, 1)", "--direction", "minimize")
    document = imported(tmp_path / "a.csv", tmp_path / "back", *options)
    assert (document["trials"], document["left_out"]) == (2, 1)
    for one, other in zip(read(source).result.trials, read(tmp_path / "back").result.trials, strict=False):
        assert (one.state, one.params, one.metrics, one.attempt) == (
            other.state,
            other.params,
            other.metrics,
            other.attempt,
        )
        assert (one.started_at, one.finished_at, str(one.error)) == (
            other.started_at,
            pytest.approx(other.finished_at),
            str(other.error),
        )


def test_optunas_own_table_is_read_with_its_times(storage: str, tmp_path: Path) -> None:
    theirs = optuna.load_study(study_name="s", storage=storage)
    theirs.trials_dataframe().to_csv(tmp_path / "frame.csv", index=False)
    options = ("--space", "x=uniform(0, 1)", "--space", "k=categorical(a, b)", "--direction", "maximize")
    imported(tmp_path / "frame.csv", tmp_path / "d", *options)
    first, ours = theirs.trials[0], read(tmp_path / "d").result.trials[0]
    assert first.datetime_start is not None
    assert (ours.params, ours.value, ours.user_attrs) == (
        {"x": pytest.approx(first.params["x"]), "k": first.params["k"]},
        pytest.approx(first.value),
        first.user_attrs,
    )
    assert ours.started_at == first.datetime_start.timestamp()


def test_a_column_that_some_rows_leave_blank_is_no_part_of_the_space(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,deep,loss\n0.5,,1\n0.25,3,2\n")
    options = ("--space", "x=uniform(0, 1)", "--space", "deep=int_uniform(1, 5)", "--direction", "loss=minimize")
    document = imported(tmp_path / "a.csv", tmp_path / "d", *options)
    assert list(document["space"]) == ["x"] and "'deep': not every trial has it" in document["notes"][0]
    assert [trial.params for trial in read(tmp_path / "d").result.trials] == [{"x": 0.5}, {"x": 0.25, "deep": 3}]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            ("--space", "lr=uniform(0, 0.05)", "--direction", "loss=minimize", "--ignore", "opt"),
            "line 3: parameter 'lr': ",
        ),
        (("--space", "lr=uniform(0, 1)", "--direction", "loss=minimize"), "--ignore 'opt' passes over it"),
        (("--space", "lr=uniform(0, 1)", "--direction", "minimize"), "there is no column for the metric 'value'"),
        (("--direction", "minimize"), "there is no column for the metric 'value'; there are: 'lr', 'opt', 'loss'"),
        (("--study", "s"), "--study 's' is for Optuna storages"),
        (("--direction", "loss=down"), "down"),
        (("--space", "lr"), "--space 'lr': expected NAME=..."),
    ],
)
def test_what_does_not_fit_is_bad_usage_and_makes_nothing(
    csv_file: Path, tmp_path: Path, options: tuple[str, ...], why: str
) -> None:
    answer = run("import", csv_file, tmp_path / "d", *options)
    assert (answer.exit_code, why in answer.stderr) == (2, True)
    assert not (tmp_path / "d").exists()


# -- other sweeps, and what cannot be -----------------------------------------------------------------------------------


def test_another_sweep_is_taken_with_all_that_its_journal_knows(tmp_path: Path) -> None:
    bench = Bench(spec(n_trials=3, objective="train:objective", seed=5), worker_joined(slots=3))
    bench.send(*(suggested(number, {"own": number}, x=0.25) for number in range(3)))
    bench.send(*(started(number) for number in range(3)), reported(2, 0, 4.0), finished(0, 1.0), finished(2, 3.0))
    source = made.put(tmp_path / "source", bench.journal)
    document = imported(source, tmp_path / "d")
    assert (document["trials"], document["left_out"]) == (2, 1)
    story = read(tmp_path / "d")
    assert story.spec == read(source).spec
    first, second = story.result.trials
    assert (first.metrics, first.sampler_attrs, first.attrs) == ({"value": 1.0}, {"own": 0}, None)
    assert (second.number, list(second.reports), second.user_attrs) == (1, [(0, 4.0)], {NUMBER: 2})


def test_a_reproducible_sweep_with_other_numbers_is_one_no_more(tmp_path: Path) -> None:
    bench = Bench(spec(n_trials=9, reproducible=2, concurrency=2), worker_joined(slots=2))
    bench.send(suggested(0, x=0.25), suggested(1, x=0.5), started(0), started(1), finished(1, 1.0))
    document = imported(made.put(tmp_path / "source", bench.journal), tmp_path / "d")
    assert (read(tmp_path / "d").spec.reproducible, len(document["notes"])) == (0, 2)


def test_a_whole_reproducible_sweep_goes_on_as_its_source_would(tmp_path: Path) -> None:
    def sweep(directory: Path, n_trials: int) -> list[Any]:
        settings = {"sampler": "random", "executor": "thread", "n_trials": n_trials, "seed": 3}
        opened = sw.Sweep(asked_again, SPACE, directory=directory, reproducible=2, concurrency=2, **settings)
        return [trial.params for trial in anyio.run(opened.run).trials]

    whole = sweep(tmp_path / "whole", 8)
    sweep(tmp_path / "half", 4)
    imported(tmp_path / "half", tmp_path / "d")
    result = anyio.run(sw.Sweep.open(tmp_path / "d", asked_again, n_trials=8).run)
    assert [trial.params for trial in result.trials] == whole


def test_a_directory_with_a_sweep_is_refused_and_not_changed(storage: str, tmp_path: Path) -> None:
    directory = made.put(tmp_path / "d", made.ended().journal)
    before = (directory / NAME).read_bytes()
    answer = run("import", storage, directory)
    assert (answer.exit_code, "holds a sweep already" in answer.stderr) == (2, True)
    assert (directory / NAME).read_bytes() == before


def test_an_import_that_is_cut_short_leaves_nothing(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: OsFiles, source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OsFiles, "replace", refused)
    answer = run("import", storage, tmp_path / "d")
    assert (answer.exit_code, "No space left on device" in answer.stderr) == (2, True)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("missing", "there is no such file or directory; a storage of Optuna is named by a URL"),
        ("sqlite:///missing.db", "there is no file"),
        ("study.db", "that is a database of SQLite; name an Optuna storage by its URL, 'sqlite:///study.db'"),
        ("empty.csv", "the file is empty, or its first line is; expected a CSV file whose first line names a column"),
        ("folder", "holds no sweep"),
        ("nosuch://user:secret@host/db", "cannot be read as an Optuna storage"),
    ],
)
def test_a_source_that_is_none_is_bad_usage(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, why: str
) -> None:
    (tmp_path / "study.db").write_bytes(Path(storage.removeprefix("sqlite:///")).read_bytes())
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    answer = run("import", source, "d")
    assert (answer.exit_code, why in answer.stderr, "secret" in answer.stderr) == (2, True, False)
    assert not (tmp_path / "d").exists()


def test_hostile_text_of_a_source_is_said_escaped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\x1b[31m,loss\n0.5,1\n")
    answer = run("import", tmp_path / "a.csv", tmp_path / "d")
    assert answer.exit_code == 2 and "\x1b" not in answer.stderr


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("train.py", "import argparse\n\nprint(1)\n", "its first line is 'import argparse'; expected a CSV file"),
        (
            "train.py",
            '"""Trains, and tests."""\nimport argparse\n',
            "its first line is '\"Trains, and tests.\"'; expected",
        ),
        ("notes.txt", "first, this\nthen that\n", "line 2 has 1 value for 2 columns; expected a CSV file"),
        ("header.csv", "lr,loss\n", "it has the names of columns, and no row below them"),
    ],
)
def test_what_is_no_table_of_trials_is_refused_without_a_guess(
    tmp_path: Path, name: str, content: str, why: str
) -> None:
    (tmp_path / name).write_text(content)
    answer = run("import", str(tmp_path / name), str(tmp_path / "d"))
    assert (answer.exit_code, why in answer.stderr, "--space" in answer.stderr) == (2, True, False), answer.stderr
