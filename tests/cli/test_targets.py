"""`asyncsweep run` with each kind of target, what it leaves, and how it is gone on with."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from asyncsweep.cli import record, signing
from asyncsweep.cli.directories import new_directory, unmake
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.cli.options import PROGRAM_NAMES, as_in
from asyncsweep.cli.run import _reads_arguments
from asyncsweep.cli.target import Target, target_of
from asyncsweep.cli.words import Given, Words
from asyncsweep.errors import ConfigError
from asyncsweep.journal import journal
from asyncsweep.space import Categorical
from asyncsweep.space.choices import Constant
from tests.cli.conftest import Cli

ARGPARSE = """
import argparse, os
import asyncsweep

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--model.depth", type=int)
parser.add_argument("--verbose", action="store_true")
args = parser.parse_args()
assert args.verbose, os.getcwd()
asyncsweep.finish(loss=args.lr)
"""
OPTIONS = {name: () if name in ("metrics", "env", "preload") else None for name in PROGRAM_NAMES}


@pytest.fixture
def environment(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {**environment, "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config"))}


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    (folder / "train.py").write_text(ARGPARSE)
    return folder


@pytest.mark.parametrize(
    ("words", "options", "target"),
    [
        (Words([], ["train.py"], [], ["-v"]), {}, Target({"script": "train.py", "args": ["-v"]}, "train")),
        (
            Words([], ["train.py"], [Given("x", "1", "x=")], None),
            {"metrics": ("a=b",), "env": ("A=b=c",), "preload": ("json",), "cwd": "/"},
            Target(
                {
                    "script": "train.py",
                    "args": [],
                    "style": "name=value",
                    "cwd": "/",
                    "metric": {"a": "b"},
                    "env": {"A": "b=c"},
                    "preload": ["json"],
                },
                "train",
            ),
        ),
        (
            Words([], ["train.py"], [Given("x", "1", "x=")], None),
            {"style": "--name value", "metrics": ("loss",)},
            Target({"script": "train.py", "args": [], "style": "--name value", "metric": "loss"}, "train"),
        ),
        (Words([], ["objectives:square"], [], None), {}, Target("objectives:square", "objectives-square")),
        (Words([], ["some/sweep.toml"], [], None), {}, Target(None, "sweep", Path("some/sweep.toml"))),
        (
            Words([], [], [], ["./t.sh", "{lr}"]),
            {"reports": "none", "pattern": "x"},
            Target({"command": ["./t.sh", "{lr}"], "reports": None, "pattern": "x"}, "t"),
        ),
        (Words([], [], [], ["python", "go.py"]), {}, Target({"command": ["python", "go.py"]}, "go")),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_target_is_told_by_its_looks(words: Words, options: dict[str, object], target: Target) -> None:
    assert target_of(words, {**OPTIONS, **options}) == target


@pytest.mark.parametrize(
    ("words", "options", "complaint"),
    [
        (Words([], [], [], None), {}, "name what is to be run: a script"),
        (Words([], ["nowhere.py"], [], None), {}, "nowhere.py: there is no such file"),
        (Words([], ["train"], [], None), {}, r"is it train.py, or a function train:NAME\?"),
        (Words([], ["train.py:main"], [], None), {}, "say train.py --objective main, or train:main"),
        (Words([], ["."], [], None), {}, "is a folder; to go on with the sweep in it: asyncsweep resume"),
        (Words([], ["ls"], [], None), {}, "to run a program, name it after --"),
        (Words([], ["what?"], [], None), {}, "expected a script"),
        (Words([], ["train.py"], [], None), {"pattern": "x"}, "--pattern: train.py is a script"),
        (Words([], [], [], ["ls"]), {"metrics": ("x",)}, "--metric: ls is a program"),
        (Words([], ["s.toml"], [], None), {"result_file": "x"}, "--result-file: s.toml has that in its objective"),
        (Words([], ["s.toml"], [], ["-v"]), {}, "-- -v: s.toml has the arguments in its objective"),
        (
            Words([], ["train.py"], [Given("x", "1", "x="), Given("y", "1", "--y")], None),
            {},
            "all parameters in one style",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_is_no_target_is_refused_with_the_mend(words: Words, options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        target_of(words, {**OPTIONS, **options})


def test_a_script_leaves_a_directory_that_is_gone_on_with_by_its_name_alone(cli: Cli, here: Path) -> None:
    done = cli(
        "run", "train.py", "--lr", "log_uniform(0.001, 0.1)", "--model.depth=3", "--trials", "2", "--", "--verbose"
    )
    first, *_, last = done.stdout.splitlines()
    assert (first, last, done.stderr) == (
        "Sweep in sweeps/train-1",
        "Look at it with: asyncsweep show sweeps/train-1",
        "",
    )
    (elsewhere := here / "elsewhere").mkdir()
    os.rename(here / "sweeps", elsewhere / "moved")
    done = cli("resume", "elsewhere/moved/train-1", "--trials", "3")
    assert "complete 3." in done.stdout, done.stderr


def test_a_sweep_that_was_recorded_by_somebody_else_is_not_run(
    cli: Cli,
    here: Path,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cli("run", "objectives:square", "--x", "uniform(0, 1)", "--sampler=random", "--trials", "1", "--directory", "d")
    environment["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("theirs"))
    monkeypatch.setenv("XDG_CONFIG_HOME", environment["XDG_CONFIG_HOME"])
    signing.signature(b"", make=True)  # somebody else has a key too
    refused = CliRunner().invoke(command, ["resume", "d", "--trials", "2"])
    assert refused.exit_code == 2
    assert "this sweep was recorded elsewhere, so what it names is not run; name the objective: " in refused.stderr
    done = cli("resume", "d", "objectives:square", "--trials", "2")
    assert "complete 2." in done.stdout, done.stderr


def test_a_sweep_whose_record_cannot_be_signed_runs_and_says_so(
    cli: Cli, here: Path, environment: dict[str, str]
) -> None:
    environment["XDG_CONFIG_HOME"] = str(here / "objectives.py")  # a file: no folder can be made in it
    done = cli("run", "objectives:square", "--x", "uniform(0, 1)", "--sampler=random", "--trials", "1")
    assert "warning: to resume this sweep, its TARGET must be given again: the key cannot be kept" in done.stderr
    assert done.returncode == 0
    assert not (here / "sweeps" / "objectives-square-1" / record.NAME).exists()


def test_a_program_gets_its_parameters(cli: Cli, here: Path) -> None:
    (here / "t.sh").write_text('#!/bin/sh\necho "{\\"value\\": $1}"\n')
    (here / "t.sh").chmod(0o755)
    done = cli("run", "--x", "[0.25]", "--sampler=random", "--trials", "1", "--", "./t.sh", "{x}")
    assert "Trial 0 finished with value: 0.25 and parameters: {'x': 0.25}." in done.stdout, done.stderr


def test_a_file_runs_and_options_replace_its_fields(cli: Cli, here: Path) -> None:
    assert "sweep.toml is written" in cli("init").stdout
    (here / "train.py").write_text(ARGPARSE.replace("verbose", "opt").replace(', action="store_true"', ""))
    done = cli("run", "sweep.toml", "--trials", "2", "--sampler", "random", "--lr", "0.5", "--json")
    document = json.loads(done.stdout)
    assert document["counts"]["COMPLETE"] == 2, done.stderr
    assert {trial["params"]["lr"] for trial in document["trials"]} == {0.5}
    assert "sampler_options" not in document
    refused = cli("init")
    assert (refused.returncode, refused.stderr) == (
        2,
        "error: sweep.toml is there already, and is left alone; name another file\n",
    )


def test_a_script_that_cannot_be_run_leaves_no_directory(cli: Cli, here: Path) -> None:
    done = cli("run", "objectives:nothing", "--x", "1")
    assert done.returncode == 2
    assert not (here / "sweeps").exists()


@pytest.mark.usefixtures("here")
def test_directories_are_counted_and_named_safely() -> None:
    assert [str(new_directory(name)) for name in ("a", "a", "../b c;", "..", "-")] == [
        "sweeps/a-1",
        "sweeps/a-2",
        "sweeps/b-c-1",
        "sweeps/sweep-1",
        "sweeps/sweep-2",
    ]
    assert stat.S_IMODE(os.stat("sweeps/a-1").st_mode) == 0o700


@pytest.mark.usefixtures("here")
def test_a_directory_with_a_sweep_is_never_removed() -> None:
    directory = new_directory("a")
    (directory / journal.NAME).touch()
    (directory / record.NAME).touch()
    unmake(directory, whole=True)
    assert sorted(os.listdir(directory)) == sorted([journal.NAME, record.NAME])
    (directory / journal.NAME).unlink()
    unmake(directory, whole=True)
    assert not directory.exists()


def test_a_script_gets_what_was_written(cli: Cli, here: Path) -> None:
    (here / "argv.py").write_text("import sys, asyncsweep\nprint('got', *sys.argv[1:])\nasyncsweep.finish(0)")
    given = ["--commit", "7e3", "--version", "1.10", "--flag", "true", "--sha=" + "9" * 30, "--on=True", "--n", "3"]
    lists = ["--v", "[1.10, 1.20]", "--depth", "[null, 3]"]
    more = ["--sampler", "grid", "--enqueue", '{"v": 1.2, "depth": null}', "--directory", "d"]
    done = cli("run", "argv.py", *given, *lists, *more)
    assert done.returncode == 0, done.stderr
    seen = {log.read_text().splitlines()[0] for log in here.glob("d/trials/*/attempt-*.log")}
    same = f"got --commit=7e3 --version=1.10 --flag=true --sha={'9' * 30} --on=True --n=3"
    assert seen == {f"{same} --v={v} --depth={depth}" for v in ("1.10", "1.20") for depth in ("null", "3")}
    assert (here / "d/trials/0/attempt-1.log").read_text().startswith(f"{same} --v=1.20 --depth=null")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("objective", "is_read"),
    [
        ({"script": "train.py"}, True),
        ({"script": "train.py", "style": "--name value"}, True),
        ({"command": ["ls"]}, True),
        ({"script": "train.py", "style": "name=value"}, False),
        ({"script": "train.py", "objective": "main"}, False),
        ("module:function", False),
    ],
    ids=str,
)
def test_only_who_reads_arguments_gets_texts_for_numbers(objective: Any, is_read: bool) -> None:
    assert _reads_arguments(Target(objective, "x")) is is_read
    Path("s.json").write_text(json.dumps({"objective": objective}))
    assert _reads_arguments(Target(None, "s", Path("s.json"))) is is_read


def test_enqueued_numbers_are_the_choices_that_were_written() -> None:
    space = {
        "lr": Categorical(["1e-3", "1e-2"]),
        "flag": Constant("true"),
        "n": Categorical([1, 2]),
        "opt": Constant("a b"),
    }
    params = {"lr": 0.01, "flag": True, "n": 2, "opt": 3, "other": 1}
    assert as_in(space, params) == {"lr": "1e-2", "flag": "true", "n": 2, "opt": 3, "other": 1}


def test_a_result_file_below_the_trials_folder_is_each_trials_own(cli: Cli, here: Path) -> None:
    (here / "write.py").write_text("import sys\nopen('m.json', 'w').write(sys.argv[1].split('=')[1])")
    given = ["write.py", "--x", "[1, 2, 3, 4]", "--sampler=grid", "--parallel=3", "--result-file=m.json"]
    refused = cli("run", *given)
    assert refused.returncode == 2
    assert "3 trials run at a time, and would read each other's metrics in it" in refused.stderr
    assert 'result_file="{trial_dir}/m.json" or cwd="{trial_dir}"' in refused.stderr
    done = cli("run", *given, "--cwd={trial_dir}", "--json")
    trials = json.loads(done.stdout)["trials"]
    assert [trial["metrics"]["value"] for trial in trials] == [trial["params"]["x"] for trial in trials]
    assert (here / "sweeps/write-1/trials/0/artifacts/m.json").exists()


def test_the_first_sweep_of_the_commented_file_runs_the_script_of_the_docs(cli: Cli, here: Path) -> None:
    (here / "train.py").write_text(
        "import argparse\nimport asyncsweep\n\nparser = argparse.ArgumentParser()\n"
        'parser.add_argument("--lr", type=float, default=0.1)\nparser.add_argument("--opt", default="sgd")\n'
        'args = parser.parse_args()\nasyncsweep.finish(loss=(args.lr - 0.01) ** 2 + (args.opt == "adam"))\n'
    )
    cli("init")
    done = cli("run", "sweep.toml", "--trials", "2", "--sampler", "random")
    assert "complete 2." in done.stdout, done.stderr


def test_the_folder_of_a_sweep_may_begin_at_home(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    environment["HOME"] = str(here / "home")
    done = cli("run", "objectives:square", "--x", "[1]", "--sampler", "random", "--trials", "1", "--directory=~/d")
    assert (here / "home" / "d" / journal.NAME).exists(), done.stderr
