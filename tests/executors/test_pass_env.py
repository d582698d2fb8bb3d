"""`pass_env`: which variables of the environment workers get, and what an error says when one was missed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.pass_env import explained, names_of

pytestmark = pytest.mark.anyio

NAME, OTHER = "SOME_DATA_DIR", "SOMEBODYS_API_KEY"

AT_IMPORT = f"""
import os
DATA = os.environ["{NAME}"]

def objective(x):
    return x
"""


def reads(x: float) -> float:
    return x + len(os.environ[NAME])


def has_both(x: float) -> float:
    return float((NAME in os.environ) + (OTHER in os.environ))


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "data")
    monkeypatch.setenv(OTHER, "a-secret-value")


def sweep(objective: Any, pass_env: Any = (), **settings: Any) -> sw.Sweep:
    executor = {"name": "process", "pass_env": pass_env}
    return sw.Sweep(objective, {"x": 1.0}, sampler="random", executor=executor, n_trials=1, **settings)


@pytest.mark.any_loop
async def test_a_trial_that_misses_a_variable_says_how_to_pass_it_on() -> None:
    (trial,) = (await sweep(reads, ["OTHER_*"]).run()).trials
    assert trial.error is not None
    assert trial.error.type == "KeyError"
    assert trial.error.message == (
        f"'{NAME}'; the variable '{NAME}' is set in this process and is not passed on: "
        f"executor={{'name': 'process', 'pass_env': ['OTHER_*', '{NAME}']}} (on the command line --pass-env {NAME})"
    )


@pytest.mark.any_loop
async def test_a_module_that_misses_a_variable_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "at_import.py").write_text(AT_IMPORT)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(sw.AsyncSweepError, match=f"the variable '{NAME}' is set in this process and is not passed on"):
        await sweep("at_import:objective").run()


@pytest.mark.any_loop
@pytest.mark.parametrize("pass_env", [[NAME, OTHER], ("SOME*",), ["*"]], ids=["names", "pattern", "all"])
async def test_what_is_named_reaches_the_trial(pass_env: Any) -> None:
    (trial,) = (await sweep(has_both, pass_env).run()).trials
    assert trial.value == 2.0


@pytest.mark.any_loop
async def test_the_journal_has_the_names_and_not_the_values(tmp_path: Path) -> None:
    await sweep(has_both, [OTHER], directory=tmp_path / "sweep").run()
    journal = (tmp_path / "sweep" / "journal.asyncsweep").read_bytes()
    assert (OTHER.encode() in journal, b"a-secret-value" in journal) == (True, False)
    assert sw.Sweep.open(tmp_path / "sweep", has_both).spec.executor.options == {"pass_env": [OTHER]}


@pytest.mark.parametrize(
    ("pass_env", "told"),
    [
        ("HF_TOKEN", r"must be a list of names, such as \['HF_TOKEN'\]"),
        (None, "must be a list of names"),
        ({"A": "b"}, "must be a list of names"),
        ([1], "1 is no name"),
        ([""], "'' is no name"),
        (["A\0"], "is no name"),
        (["HF_TOKEN=abc"], r"'HF_TOKEN=\.\.\.' is no name .*; give the name alone"),
    ],
    ids=["text", "none", "mapping", "number", "empty", "zero", "value"],
)
def test_what_is_no_list_of_names_is_refused(pass_env: Any, told: str) -> None:
    with pytest.raises(sw.ConfigError, match=rf"executor\.pass_env.*{told}") as refused:
        sweep(reads, pass_env)
    assert "abc" not in str(refused.value)


def test_an_error_without_secrets_stays_as_it_is() -> None:
    error = ErrorInfo("ValueError", "no", "Traceback ...", ("A",))
    assert explained(error, ()) is error


def test_the_error_of_a_worker_has_no_secret_of_this_process() -> None:
    error = ErrorInfo("ValueError", "a-secret-value", "Traceback: a-secret-value", ("A",))
    assert explained(error, ()) == ErrorInfo("ValueError", "***", "Traceback: ***", ("A",))


def test_two_variables_are_told_together() -> None:
    error = explained(ErrorInfo("RuntimeError", f"{NAME} and {OTHER} are not set"), ())
    assert f"the variables '{NAME}' and '{OTHER}' are set" in error.message
    assert f"--pass-env {NAME} --pass-env {OTHER})" in error.message


def test_names_are_kept_as_a_tuple() -> None:
    assert names_of(["A", "B_*"]) == ("A", "B_*")
