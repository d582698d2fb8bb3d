"""Scripts and programs as the sweep holds them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import asyncsweep as sw
from asyncsweep.driver.objective import Objective

SPACE = {"lr": sw.Float(0, 1)}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text("import asyncsweep\nasyncsweep.finish(loss=0.5)\n")
    return path


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_an_executor_of_this_process_is_refused(script: Path, executor: str) -> None:
    with pytest.raises(sw.ConfigError, match=r"'train\.py' is a program; use executor='process'"):
        sw.Sweep(sw.Script(script), SPACE, executor=executor)


def test_programs_run_in_processes_by_default(script: Path) -> None:
    assert sw.Sweep(sw.Script(script), SPACE).spec.executor.name == "process"


def test_the_journal_calls_a_program_by_its_short_name(script: Path) -> None:
    assert sw.Sweep(sw.Script(script), SPACE).spec.objective == "train.py"


def test_a_placeholder_that_is_no_parameter_is_told_before_anything_runs(script: Path) -> None:
    with pytest.raises(sw.ConfigError, match=r"Script\.args\[0\]='--rate=\{lrr\}'.*did you mean \{lr\}\?"):
        sw.Sweep(sw.Script(script, ["--rate={lrr}"]), SPACE)
    with pytest.raises(sw.ConfigError, match=r"\{lrr\}.*did you mean \{lr\}\?"):
        sw.Sweep(sw.Command([sys.executable, "{lrr}"]), SPACE)


def test_a_parameter_named_trial_does_not_take_the_place_of_the_trial(script: Path) -> None:
    assert Objective(sw.Script(script), sw.Space({"trial": sw.Int(1, 3)})).here().keywords is None


def test_the_class_instead_of_a_script_is_refused() -> None:
    with pytest.raises(sw.ConfigError, match=r"give one of them, such as Script\(\.\.\.\)"):
        sw.Sweep(sw.Script, SPACE)  # type: ignore[arg-type]
