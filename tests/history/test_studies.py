"""Warm starts from Optuna studies and their storages."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend

import asyncsweep as sw
from asyncsweep.core.records import PastTrial
from tests.history.sources import GOOD, SPACE, loaded, refusal, reported, result, trial


@pytest.fixture(autouse=True)
def optuna_is_quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


def suggesting(trial: optuna.Trial) -> float:
    lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    depth = trial.suggest_int("depth", 1, 8)
    trial.suggest_categorical("opt", ["sgd", "adam"])
    for step in range(3):
        trial.report(lr + step, step)
    if depth == 2:
        raise optuna.TrialPruned
    if depth == 3:
        raise ValueError("boom")
    return lr + depth


def study(storage: Any = None, name: str | None = None, n_trials: int = 20) -> optuna.Study:
    """A study with COMPLETE, PRUNED and FAIL trials."""
    made = optuna.create_study(storage=storage, study_name=name, sampler=optuna.samplers.RandomSampler(seed=3))
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    made.optimize(suggesting, n_trials=n_trials, catch=ValueError)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return made


def facts(trials: list[optuna.trial.FrozenTrial]) -> list[PastTrial]:
    """What a sweep has to take over."""
    states = {"COMPLETE": sw.State.COMPLETE, "PRUNED": sw.State.PRUNED, "FAIL": sw.State.FAILED}
    return [
        PastTrial(
            t.params,
            states[t.state.name],
            {} if t.value is None else {"value": t.value},
            tuple(t.intermediate_values),
            tuple(t.intermediate_values.values()),
        )
        for t in trials
    ]


def test_every_finished_trial_of_a_study_is_taken_with_its_reports() -> None:
    source = study()
    past = loaded(source)
    assert list(past.trials) == facts(source.trials)
    assert len({found.state for found in past.trials}) == 3


def test_trials_that_wait_or_run_are_left_out() -> None:
    source = study(n_trials=2)
    source.enqueue_trial(GOOD)
    source.ask()
    source.enqueue_trial(GOOD)
    assert (loaded(source).taken, loaded(source).left_out) == (2, 2)


def test_a_trial_that_failed_before_it_had_parameters_is_left_out() -> None:
    source = optuna.create_study()
    source.add_trial(optuna.create_trial(state=optuna.trial.TrialState.FAIL))
    assert (loaded(source).taken, loaded(source).left_out, loaded(source).without_params) == (0, 0, 1)


def test_constraints_of_a_study_are_taken() -> None:
    source = optuna.create_study()
    asked = source.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    asked.set_constraint("memory", -2.0)
    source.tell(asked, 1.0)
    assert loaded(source, {"x": sw.Float(0, 1)}).trials[0].constraints == {"memory": -2.0}


def test_a_report_at_a_step_below_zero_is_refused() -> None:
    source = optuna.create_study()
    source.add_trial(optuna.create_trial(value=1.0, intermediate_values={-1: 2.0}))
    assert "trial 0: the step -1 of a report is not from 0 to" in refusal(source, {})


def test_directions_that_do_not_agree_are_refused() -> None:
    source = optuna.create_study(directions=["minimize", "maximize"])
    text = refusal(source, direction={"loss": "minimize", "size": "minimize"})
    assert "the study's directions are minimize, maximize, this sweep's 'loss': minimize, 'size': minimize" in text


def test_the_metric_names_of_a_study_decide_which_value_is_which() -> None:
    source = optuna.create_study(directions=["minimize", "maximize"])
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        source.set_metric_names(["loss", "accuracy"])
    source.add_trial(optuna.create_trial(values=[1.0, 2.0]))
    past = loaded(source, {}, {"accuracy": "maximize", "loss": "minimize"})
    assert past.trials[0].metrics == {"accuracy": 2.0, "loss": 1.0}


def test_a_parameter_outside_the_space_is_refused_with_the_trials_number() -> None:
    text = refusal(study(), {**SPACE, "depth": sw.Int(1, 4)})
    assert "(int) is not accepted; give an integer from 1 to 4" in text and ": trial " in text


def test_the_study_of_a_sweep_goes_in_again_as_the_sweep_itself() -> None:
    space = {"layers": sw.Categorical([[64, 32], [64]]), "n": sw.Int(1, 9, log=True), "flag": sw.Categorical([1, True])}
    sweep = result(
        reported(trial(0, "COMPLETE", {"layers": [64], "n": 3, "flag": True}, value=1.0), (0, 2.0)),
        trial(1, "FAILED", {"layers": [64, 32], "n": 9, "flag": 1}),
        space=space,
    )
    assert [repr(past) for past in loaded(sweep.to_optuna(), space).trials] == [
        repr(past) for past in loaded(sweep, space).trials
    ]


@pytest.fixture(scope="module")
def two_studies(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('studies')}/optuna.db"
    for name, n_trials in (("first", 3), ("second", 5)):
        study(url, name, n_trials)._storage._backend.engine.dispose()  # type: ignore[attr-defined]
    return url


def test_a_storage_url_gives_the_study_that_is_named(two_studies: str) -> None:
    assert [loaded(sw.History(two_studies, study_name=name)).taken for name in ("first", "second")] == [3, 5]


def test_of_several_studies_one_must_be_named(two_studies: str) -> None:
    assert "study_name is needed, there are: 'first', 'second'" in refusal(two_studies)


def test_an_unknown_study_is_answered_with_the_nearest(two_studies: str) -> None:
    text = refusal(sw.History(two_studies, study_name="secnd"))
    assert "study_name='secnd': there is no such study (did you mean 'second'?)" in text


def test_a_storage_object_is_a_source(tmp_path: Path) -> None:
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    study(storage, n_trials=4)
    assert loaded(storage).taken == 4


def test_a_database_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    text = refusal(f"sqlite:///{tmp_path}/missing.db")
    assert ("there is no file" in text, list(tmp_path.iterdir())) == (True, [])


def test_a_database_of_somebody_else_is_refused_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("create table mine (x)")
    connection.close()
    before = path.read_bytes()
    text = refusal(f"sqlite:///{path}")
    assert ("that database is not of Optuna: it lacks the tables" in text, path.read_bytes()) == (True, before)


def test_a_path_of_a_database_is_answered_with_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite3.connect(tmp_path / "study.db").execute("create table mine (x)").connection.close()
    monkeypatch.chdir(tmp_path)
    assert refusal("study.db") == (
        "history='study.db': that is a database of SQLite; name an Optuna storage by its URL, 'sqlite:///study.db'"
    )


def test_a_url_of_a_long_path_is_refused_and_shortened() -> None:
    text = refusal("sqlite:///" + "a" * 3000)
    assert text.startswith("history='sqlite:///aaa") and text.endswith(": it cannot be looked at: File name too long")
    assert len(text) < 150


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.db").write_text("not a database, but long enough to be taken for one" * 20)
    assert "that file is no database of SQLite, and so no Optuna storage" in refusal(f"sqlite:///{tmp_path}/note.db")


@pytest.mark.parametrize("url", ["mysql://me:secret@127.0.0.1:1/db", "postgresql://me:secret@127.0.0.1:1/db", "redis://me:secret@h/0"])  # fmt: skip
def test_a_password_in_a_url_is_never_shown(url: str) -> None:
    assert "secret" not in refusal(url)


def test_a_url_that_is_none_is_refused() -> None:
    assert refusal("what://").startswith("history='what://")


def test_optuna_is_not_imported_for_a_source_that_is_not_optunas(tmp_path: Path) -> None:
    code = (
        "import sys, asyncsweep as sw\n"
        "def f(x): return x\n"
        "sw.Sweep(f, {'x': sw.Float(0, 1)}, sampler='random', history=[{'x': 0.5, 'value': 1.0}])\n"
        "print('optuna' in sys.modules, 'pandas' in sys.modules, 'sqlalchemy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.split() == ["False"] * 3
