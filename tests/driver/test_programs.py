"""Scripts and programs as the sweep holds them."""

from __future__ import annotations

import importlib
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


@pytest.mark.parametrize(
    "read", ['os.environ["DATA_DIR"]', "os.environ.get('DATA_DIR', '/data')", 'os.getenv("DATA_DIR")']
)
def test_a_variable_that_a_script_reads_and_will_not_get_is_told(
    read: str, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", "/mnt/data")
    script.write_text(f"import os\nprint({read})\n")
    with pytest.warns(
        UserWarning, match=r"train\.py reads DATA_DIR.* 'pass_env': \['DATA_DIR'\]\}.*--pass-env DATA_DIR"
    ):
        sw.Sweep(sw.Script(script), SPACE).start()


def test_a_variable_that_a_script_gets_or_that_is_not_set_is_not_told(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", "/mnt/data")
    monkeypatch.delenv("NOT_SET", raising=False)
    script.write_text('import os\nprint(os.environ["DATA_DIR"], os.environ["HOME"], os.environ["NOT_SET"])\n')
    sw.Sweep(
        sw.Script(script), SPACE, executor={"name": "process", "pass_env": ["DATA_*"]}
    ).start()  # warnings are errors


def test_a_variable_that_a_function_reads_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", "/mnt/data")
    (tmp_path / "own_objective.py").write_text(
        'import os\ndef own(lr):\n    return lr if os.getenv("DATA_DIR") else 0\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    own = importlib.import_module("own_objective").own
    with pytest.warns(UserWarning, match="own_objective:own reads DATA_DIR"):
        sw.Sweep(own, SPACE).start()


def test_a_metric_without_a_global_variable_is_told_before_anything_runs(script: Path) -> None:
    directions = {"loss": "minimize", "size": "minimize"}
    with pytest.raises(sw.ConfigError, match=r"Script\.metric='best': where is 'size'\?"):
        sw.Sweep(sw.Script(script, metric="best"), SPACE, direction=directions)


def test_a_pattern_without_a_group_for_a_metric_is_told_before_anything_runs() -> None:
    command = sw.Command([sys.executable], pattern=r"loss=(?P<loss>\S+)")
    with pytest.raises(sw.ConfigError, match="size"):
        sw.Sweep(command, SPACE, direction={"loss": "minimize", "size": "minimize"})
