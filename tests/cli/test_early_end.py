"""A sweep in which everything fails is stopped early, unless the user said how many failures there may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncsweep.cli.early_end import ENOUGH
from tests.cli.conftest import Cli

OBJECTIVES = """
import asyncsweep

def bad(x):
    raise ValueError(f"no {x}\\nthat is all")

def mixed(trial):
    raise (ValueError if trial.number % 2 else KeyError)("no")

def sixth(trial):
    if trial.number == 0:
        return trial.params["x"]
    raise ValueError("no")

def pruned(trial):
    raise asyncsweep.TrialPruned() if trial.number == 0 else ValueError("no")
"""
MANY = 300  # the trials that begin before the stop takes effect are fewer
X = ("--x", "uniform(0, 1)", "--sampler", "random", "--seed", "1", "--executor", "thread", "--trials", "9")


@pytest.fixture(autouse=True)
def _objectives(folder: Path) -> None:
    (folder / "bad.py").write_text(OBJECTIVES)


def test_five_failures_and_nothing_else_stop_the_sweep_with_what_failed(cli: Cli) -> None:
    done = cli("run", "bad:bad", *X, "--in-memory", "--trials", str(MANY))
    assert f"(the first {ENOUGH} trials failed): failed " in done.stdout
    assert ENOUGH <= done.stdout.count("Trial ") < MANY
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the first 5 trials failed alike: ValueError: no 0.")
    assert line.endswith(" ... that is all; --max-failures N lets more fail")
    assert done.returncode == 1


def test_failures_of_several_kinds_are_not_called_alike(cli: Cli) -> None:
    done = cli("run", "bad:mixed", *X, "--in-memory", "--trials", str(MANY))
    assert "error: the first 5 trials failed: " in done.stderr


@pytest.mark.parametrize("more", [("--max-failures", "none"), ("--retries", "0"), ("--trials", "5")])
def test_who_says_how_many_may_fail_gets_them(cli: Cli, more: tuple[str, ...]) -> None:
    done = cli("run", "bad:bad", *X, "--in-memory", *more)
    assert f"(n_trials reached): failed {5 if '--trials' in more else 9}." in done.stdout
    assert done.stderr == "error: no trial completed\n"


@pytest.mark.parametrize("objective", ["sixth", "pruned"])
def test_one_trial_that_went_well_is_enough_to_go_on(cli: Cli, objective: str) -> None:
    assert "(n_trials reached): " in cli("run", f"bad:{objective}", *X, "--in-memory").stdout


def test_a_resumed_sweep_has_as_many_failures_again(cli: Cli) -> None:
    cli("run", "bad:bad", *X, "--trials", str(MANY), "--directory", "d")
    done = cli("resume", "d")
    assert f"(the first {ENOUGH} trials failed): failed " in done.stdout
    assert ENOUGH <= done.stdout.count("Trial ") < MANY
    assert done.returncode == 1
