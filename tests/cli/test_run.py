"""`asyncsweep run`: what it does with good and bad usage, what it prints, how it is interrupted."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import asyncsweep as sw
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.cli.options import value_of
from asyncsweep.driver.replay import replay
from asyncsweep.errors import ConfigError
from asyncsweep.journal import journal
from tests.cli.conftest import COMMAND, Cli

X = ("--x", "uniform(0, 1)", "--sampler", "random", "--seed", "1")
IN_MEMORY = (*X, "--in-memory")


def test_a_sweep_prints_a_line_for_each_trial_and_its_best(cli: Cli) -> None:
    done = cli("run", "objectives:square", *IN_MEMORY, "--n-trials", "3")
    *trials, last = done.stdout.splitlines()
    assert [line.split(" with value: ")[0] for line in trials] == [f"Trial {k} finished" for k in range(3)]
    assert "(n_trials reached): complete 3. Best is trial " in last
    assert (done.returncode, done.stderr) == (0, "")


def test_json_is_all_of_the_standard_output_though_the_objective_prints(cli: Cli) -> None:
    done = cli(
        "run", "objectives:kind", *IN_MEMORY, "--space", "opt=categorical(sgd, adam)", "--n-trials", "4", "--json"
    )
    document = json.loads(done.stdout)
    assert document["counts"]["COMPLETE"] == 4
    assert [trial["number"] for trial in document["trials"]] == [0, 1, 2, 3]
    assert {trial["params"]["opt"] for trial in document["trials"]} <= {"sgd", "adam"}
    assert "noise 0." in done.stderr and "Trial 0 finished" in done.stderr


def test_every_setting_reaches_the_journal(cli: Cli, folder: Path) -> None:
    settings = (
        "--direction=loss=minimize --direction=size=maximize --n-trials=2 --concurrency=2 --sampler=tpe "
        "--sampler-option=n_startup_trials=5 --sampler-option=multivariate=true --executor=process "
        "--executor-option=fresh=true --seed=7 --timeout=40 --trial-timeout=30 --retries=1 --max-failures=3 --directory=d "
        "--retry-on=OSError --backoff 1 30 --fsync=never --keep=best"
    )
    done = cli("run", "objectives:two", "--space", "x=log_uniform(1e-5, 1e-1)", *settings.split())
    assert done.returncode == 0, done.stderr
    spec = replay(journal.read(folder / "d").events, "d").spec
    assert (spec.space["x"].low, spec.space["x"].high, spec.space["x"].log) == (1e-5, 1e-1, True)
    assert spec.directions == {"loss": "minimize", "size": "maximize"}
    assert (spec.sampler.name, spec.sampler.options) == ("tpe", {"n_startup_trials": 5, "multivariate": True})
    assert (spec.executor.name, spec.executor.options) == ("process", {"fresh": True})
    assert (spec.n_trials, spec.concurrency, spec.seed, spec.max_failures) == (2, 2, 7, 3)
    assert (spec.retries, spec.fsync, spec.keep) == (sw.Retry(1, ("OSError",), (1.0, 30.0)), "never", "best")
    assert (spec.timeout, spec.trial_timeout) == (40.0, 30.0)


def test_a_sweep_without_a_space_in_which_everything_fails_says_what_the_objective_got(cli: Cli) -> None:
    done = cli("run", "objectives:square", "--sampler", "random", "--n-trials", "1", "--in-memory")
    *_, error, hint = done.stderr.splitlines()
    assert error == "error: no trial completed"
    assert hint == "hint: without --space the objective gets a Trial; name its parameters by --space NAME=DOMAIN"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--space", "x"], "error: --space 'x': expected NAME=..., such as lr='log_uniform(1e-5, 1e-1)'"),
        (["--space", "x=1", "--space", "x=2"], "error: --space 'x=2': 'x' is given twice"),
        (["--space", "x=log_unifrm(1, 2)"], "did you mean log_uniform?"),
        ([*X, "--n-trials", "0"], "error: --n-trials 0: expected a whole number >= 1"),
        ([*X, "--n-trials", "many"], "Invalid value for '--n-trials'"),
        ([*X, "--direction", "max"], "error: direction='max' of 'value': expected \"minimize\" or \"maximize\""),
        ([*X, "--direction", "a=minimize", "--direction", "maximize"], "expected NAME=..., such as loss=minimize"),
        ([*X, "--pruner", "medien"], "(did you mean 'median'?)"),
        ([*X, "--pruner-option", "n_warmup_steps=3"], "say which pruner by --pruner"),
        (["--space", "x=1", "--x", "2"], "error: --x '2': 'x' is given twice"),
        ([*X, "y"], "error: y: there is a target already, objectives:square"),
        ([*X, "--flag", "--n-trials", "2"], "error: --flag has no value: a parameter has one"),
        ([*X, "-v"], "error: -v: parameters have two dashes"),
        ([*X, "--trails", "20"], "error: --trails 20: there is no such option (did you mean --trials?)"),
        ([*X, "--style", "name=value"], "error: --style: objectives:square is a function"),
        ([*X, "--", "now"], "error: -- now: objectives:square is a function"),
        (["--algorithm", "grid_serch"], "one of grid_search, random_search, optuna (did you mean 'grid_search'?)"),
        ([*X, "--algorithm", "optuna"], "error: --algorithm optuna and --sampler random: they say the same"),
        ([*IN_MEMORY, "--directory", "d"], "error: --in-memory and --directory exclude each other"),
        ([*X, "--enqueue", "lr=1"], "error: --enqueue 'lr=1': it is not valid JSON"),
        ([*X, "--exporter-option", "csv.path=x"], "say which by --exporter NAME"),
        ([*X, "--directory", ""], "error: --directory '': that is no path"),
        ([*X, "--directory", "a" * 300], "cannot be used: File name too long"),
        (["--resume", "--directory", ""], "error: --directory '': that is no path"),
        (["--resume"], "error: --resume: name the sweep by --directory"),
        (["--resume", "--directory", "nowhere"], "nowhere' holds no sweep"),
        (["--resume", "--directory", "nowhere", *X], "the space cannot be changed"),
    ],
)
def test_bad_usage_is_told_in_a_line_and_exits_2(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], complaint: str
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    answer = CliRunner().invoke(command, ["run", "objectives:square", *arguments])
    assert complaint in answer.stderr
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert not (folder / "sweeps").exists()


def test_an_objective_that_is_not_there_exits_2_without_a_traceback(cli: Cli) -> None:
    done = cli("run", "objectives:sqare", *X)
    assert done.stderr == "error: objective='objectives:sqare': objectives has no 'sqare'\n"
    assert done.returncode == 2


def test_too_many_failures_exit_1_and_the_result_is_written_all_the_same(cli: Cli) -> None:
    done = cli("run", "objectives:hostile", *IN_MEMORY, "--max-failures", "1", "--json")
    assert "error: 2 trials failed, max_failures=1" in done.stderr
    assert json.loads(done.stdout)["counts"]["FAILED"] == 2
    assert done.returncode == 1


def test_a_sweep_without_one_complete_trial_exits_1(cli: Cli) -> None:
    done = cli("run", "objectives:hostile", *IN_MEMORY, "--n-trials", "2")
    assert done.stderr == "error: no trial completed\n"
    assert done.returncode == 1


def test_control_characters_of_an_error_are_shown_and_not_obeyed(cli: Cli) -> None:
    done = cli("run", "objectives:hostile", *IN_MEMORY, "--n-trials", "1")
    line = done.stdout.splitlines()[0]
    assert line.startswith(r"Trial 0 failed with ValueError: [red]bad\x1b[31m\x07\nsecond line and parameters: ")


@pytest.mark.parametrize("signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM]])
@pytest.mark.timeout(150)
def test_an_interrupted_sweep_stops_its_trials_says_how_to_go_on_and_does(
    cli: Cli, folder: Path, environment: dict[str, str], signals: list[signal.Signals]
) -> None:
    arguments = ("run", "objectives:forever", *X, "--n-trials", "3", "--directory", "d")
    sweep = subprocess.Popen([*COMMAND, *arguments], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    worker = wait_for_worker(folder)
    for number in signals:
        sweep.send_signal(number)
        assert sweep.stderr is not None
        assert sweep.stderr.readline()  # it has been heard
    _, said = sweep.communicate(timeout=90)  # a disk that has much to write may take its time to sync
    assert said.endswith("Interrupted. Go on with: asyncsweep resume d\n")
    assert sweep.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)

    (folder / "go").touch()
    resumed = cli("run", "objectives:forever", "--directory", "d", "--resume", "--n-trials", "4")
    assert "complete 4." in resumed.stdout, resumed.stderr
    assert resumed.returncode == 0


def test_a_terminal_gets_a_summary_that_stays_below_the_lines(folder: Path, environment: dict[str, str]) -> None:
    shown = in_a_terminal(folder, environment, "run", "objectives:hostile", *X, "--n-trials", "3", "--directory", "d")
    assert "\x1b[1A" in shown or "\x1b[2K" in shown  # it goes back up to draw again
    assert "3/3 trials" in shown
    assert "failed 3" in shown
    assert r"ValueError: [red]bad\x1b[31m\x07\nsecond line" in shown.replace("\r\n", "")


def test_plain_on_a_terminal_is_lines_alone(folder: Path, environment: dict[str, str]) -> None:
    shown = in_a_terminal(folder, environment, "run", "objectives:square", *IN_MEMORY, "--n-trials", "2", "--plain")
    assert "\x1b[" not in shown
    assert "Trial 1 finished" in shown


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("0.5", 0.5), ("true", True), ("sgd", "sgd"), ("[1, 2]", [1, 2]), ('"5"', "5")]
)
def test_an_option_is_read_as_a_constant_of_a_space_is(text: str, value: object) -> None:
    assert value_of(text, "option") == value


def test_a_domain_is_no_value_of_an_option() -> None:
    with pytest.raises(ConfigError, match="option n='uniform\\(0, 1\\)': expected a value, not a domain"):
        value_of("uniform(0, 1)", "n")


def wait_for_worker(folder: Path) -> int:
    """The process id of the worker that runs `forever`."""
    while True:
        for path in folder.glob("worker-*"):
            return int(path.name.removeprefix("worker-"))


def in_a_terminal(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**environment, "COLUMNS": "200", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = bytearray()
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # Linux's way to say that the other end is closed
        assert sys.platform == "linux"
    finally:
        os.close(ours)
        command.wait(timeout=30)
    return shown.decode()
