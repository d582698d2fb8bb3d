"""What a `Script` accepts, and what a trial of it is given."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.worker.script import Plan, Script
from asyncsweep.worker.trial import Trial
from tests.worker.test_trial import Port as Silent


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.touch()
    return path


def trial(folders: str = "", **params: Any) -> Trial:
    return Trial(Port(folders), 7, 2, params, ("loss",), None)


class Port(Silent):
    def __init__(self, folders: str) -> None:
        super().__init__()
        self.folders = folders

    def folder(self) -> str:
        return self.folders


# -- what it accepts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"args": "--fast"}, r"Script.args='--fast': expected a list of texts"),
        ({"args": ["--epochs", 3]}, r"Script.args\[1\]=3: expected a text or a path, not int"),
        ({"args": ["{lr"]}, r"Script.args\[0\]='{lr': a lone '{'"),
        ({"args": ["a\0b"]}, r"Script.args\[0\]='a\\x00b': it has a NUL"),
        ({"style": "-name"}, r"style='-name': expected one of"),
        ({"objective": "a.b"}, r"Script.objective='a.b': expected the name of a function"),
        ({"metric": 5}, r"Script.metric=5: expected the name of a global variable"),
        ({"metric": {"loss": "a b"}}, r"Script.metric\['loss'\]='a b'"),
        ({"metric": {}}, r"Script.metric={}"),
        ({"metric": "best", "result_file": "x.json"}, r"metric=..., result_file=...\): a result has one source"),
        ({"result_file": 3}, r"Script.result_file=3: expected a text or a path"),
        ({"cwd": "/no/such/folder"}, r"Script.cwd='/no/such/folder': there is no folder /no/such/folder"),
        ({"env": ["A"]}, r"Script.env=\['A'\]: expected names of variables"),
        ({"env": {"A=B": "c"}}, r"Script.env: 'A=B' cannot be the name"),
        ({"env": {"A": 1}}, r"Script.env\['A'\]: expected a text"),
        ({"preload": "torch"}, r"Script.preload='torch': expected a list of modules"),
        ({"preload": ["os.path", "a b"]}, r"Script.preload\[1\]='a b': expected the name of a module"),
        ({"patch": {"json": repr}}, r"Script.patch: 'json' must have the form 'package.module:Class.method'"),
        ({"patch": {"json:dumps": 3}}, r"Script.patch\['json:dumps'\]=3: expected a function"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_with_its_value_and_a_mend(train: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Script(train, **options)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"Script\('nine.py'\): there is no file {Path.cwd()}/nine.py"):
        Script("nine.py")
    with pytest.raises(ConfigError, match="is a folder; name the file in it"):
        Script(tmp_path)
    with pytest.raises(ConfigError, match="expected a text or a path, not int"):
        Script(3)  # type: ignore[arg-type]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_told(train: Path) -> None:
    train.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read; look at its permissions"):
        Script(train)


def test_a_path_is_of_where_the_script_was_named(train: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(train.parent)
    script = Script("train.py")
    assert (script.path, script.name, repr(script)) == (str(train), "train.py", f"Script({str(train)!r})")


def test_a_script_does_not_change_and_can_be_copied_and_pickled(train: Path) -> None:
    script = Script(
        train, ["--a"], metric={"loss": "best"}, env={"A": "b"}, preload=["json"], patch={"json:dumps": repr}
    )
    with pytest.raises(AttributeError, match=r"Script.path cannot be changed: make a new Script"):
        script.path = "other.py"
    for other in (copy.copy(script), pickle.loads(pickle.dumps(script))):
        assert vars(other) == vars(script)


def test_a_script_that_is_called_says_what_it_needs(train: Path) -> None:
    with pytest.raises(TrialError, match=r"needs worker processes: run it with executor='process'"):
        Script(train)(trial())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"args": ["{lt}"]},
            r"Script.args\[0\]='{lt}': there is no parameter 'lt'; placeholders are {lr}, {depth}, {trial}",
        ),
        ({"result_file": "{out}/m.json"}, r"Script.result_file='{out}/m.json': there is no parameter 'out'"),
        ({"cwd": "{where}"}, r"there is no parameter 'where'"),
    ],
    ids=str,
)
def test_a_placeholder_for_no_parameter_is_told_when_the_space_is_known(
    train: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        Script(train, **options).check(["lr", "depth"])


def test_a_name_that_cannot_be_an_argument_is_told_when_the_space_is_known(train: Path) -> None:
    with pytest.raises(ConfigError, match="the parameter 'a=b' cannot be an argument"):
        Script(train).check(["a=b"])
    Script(train, ["{a=b}"]).check(["a=b"])


# -- what a trial is given ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("--name=value", ["--lr=0.1", "--model.depth=3", "--opt=sgd"]),
        ("--name value", ["--lr", "0.1", "--model.depth", "3", "--opt", "sgd"]),
        ("name=value", ["lr=0.1", "model.depth=3", "opt=sgd"]),
    ],
)
def test_parameters_are_appended_in_the_style(train: Path, style: str, expected: list[str]) -> None:
    plan = Script(train, ["fit"], style=style).plan(trial(**{"lr": 0.1, "model.depth": 3, "opt": "sgd"}))
    assert plan == Plan([str(train), "fit", *expected], None, None)


def test_a_parameter_with_a_placeholder_among_the_arguments_is_not_appended(train: Path) -> None:
    plan = Script(train, ["-l{lr}", "{{}}", "{trial}/{attempt}"], result_file="{depth}.json").plan(
        trial(lr=0.1, depth=3)
    )
    assert plan.argv == [str(train), "-l0.1", "{}", "7/2", "--depth=3"]


def test_folders_are_made_for_placeholders(train: Path, tmp_path: Path) -> None:
    script = Script(train, ["--keep={checkpoint_dir}"], cwd="{trial_dir}", result_file="metrics.json")
    (tmp_path / "trials").mkdir()
    folder = tmp_path / "trials" / "7"
    plan = script.plan(trial(str(tmp_path / "trials")))
    assert plan == Plan(
        [str(train), f"--keep={folder}/checkpoint"],
        str(folder / "artifacts"),
        str(folder / "artifacts" / "metrics.json"),
    )
    assert (folder / "artifacts").is_dir() and (folder / "checkpoint").is_dir()


def test_a_placeholder_that_this_trial_has_no_value_for_is_told(train: Path) -> None:
    with pytest.raises(TrialError, match="there is no parameter 'momentum' in this trial"):
        Script(train, ["{momentum}"]).plan(trial(lr=1))


def test_a_value_that_no_argument_can_have_is_told(train: Path) -> None:
    with pytest.raises(TrialError, match=r"Script.args\[0\]='a\\x00': no argument can have a NUL"):
        Script(train, ["{text}"]).plan(trial(text="a\0"))


def test_braces_of_a_path_are_braces(train: Path, tmp_path: Path) -> None:
    odd = tmp_path / "{x}"
    odd.mkdir()
    script = Script(train, [odd / "data", "{lr}"], cwd=odd, result_file=Path("{lr}.json"))
    script.check(["lr"])
    plan = script.plan(trial(lr=1))
    assert plan == Plan([str(train), f"{odd}/data", "1"], str(odd), f"{odd}/{{lr}}.json")
