"""`asyncsweep demo`: it survives `kill -9`, it starts anew, and it removes nothing but what it made."""

from __future__ import annotations

import importlib.util
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

import asyncsweep as sw
from asyncsweep.cli.demo import MARK, fresh, resumed
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.core.effects import Tell
from asyncsweep.core.machine import Machine
from asyncsweep.driver.replay import steps
from asyncsweep.journal import journal
from asyncsweep.journal.lock import Lock
from tests.cli.conftest import COMMAND, Cli


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """What an earlier demo left."""
    directory = tmp_path / "demo-sweep"
    (directory / "trials" / "0").mkdir(parents=True)
    for name in (MARK, journal.NAME, "lock", "trials/0/attempt-1.log", "worker-ab12.log", "control"):
        (directory / name).write_text("earlier")
    return directory


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_killed_demo_is_resumed_with_no_trial_lost_or_told_twice(
    cli: Cli, folder: Path, environment: dict[str, str]
) -> None:
    demo = subprocess.Popen([*COMMAND, "demo"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    for _ in range(5):
        assert demo.stdout.readline().startswith("Trial ")
    demo.kill()
    demo.communicate(timeout=30)
    before = trials_of(folder / "demo-sweep")

    done = cli("demo", "--resume")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-2].startswith("Sweep ended after ") and "Best is trial " in lines[-2]
    assert lines[-1] == "Look at the trials again with: asyncsweep show demo-sweep"
    after = trials_of(folder / "demo-sweep")
    assert [trial.number for trial in after] == list(range(20))
    assert {trial.state for trial in after} == {sw.State.COMPLETE, sw.State.PRUNED}
    assert len([trial for trial in before if trial.is_final]) >= 5
    for trial in before:
        if trial.is_final:
            assert (after[trial.number].state, after[trial.number].metrics) == (trial.state, trial.metrics)
    assert tells_of(folder / "demo-sweep") == dict.fromkeys(range(20), 1)


def test_a_second_demo_removes_the_first_one(made: Path) -> None:
    fresh(made)
    assert names(made) == [MARK]


def test_an_empty_folder_may_hold_a_demo(tmp_path: Path) -> None:
    fresh(tmp_path)
    assert names(tmp_path) == [MARK]


def test_a_folder_that_the_demo_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).write_text("somebody's sweep")
    with pytest.raises(sw.ConfigError, match="is left alone: the demo did not make it; name another one"):
        fresh(tmp_path)
    assert names(tmp_path) == [journal.NAME]


def test_a_folder_with_something_else_in_it_is_left_alone(made: Path) -> None:
    (made / "thesis.tex").touch()
    before = names(made)
    with pytest.raises(sw.ConfigError, match=r"it holds 'thesis\.tex', which the demo did not make"):
        fresh(made)
    assert names(made) == before


def test_a_symbolic_link_is_not_followed(made: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(made)
    with pytest.raises(sw.ConfigError, match="it is a symbolic link"):
        fresh(tmp_path / "link")
    assert journal.NAME in names(made)


def test_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(sw.ConfigError, match="it is a file"):
        fresh(tmp_path / "file")


def test_a_demo_at_work_is_left_alone(made: Path) -> None:
    lock = Lock(made)
    try:
        with pytest.raises(sw.JournalError, match="is in use by"):
            fresh(made)
    finally:
        lock.release()
    assert journal.NAME in names(made)


def test_there_is_nothing_to_resume_without_a_demo(tmp_path: Path) -> None:
    with pytest.raises(sw.ConfigError, match="holds no demo; start one with: asyncsweep demo"):
        resumed(tmp_path)


def test_without_scikit_learn_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    answer = CliRunner().invoke(command, ["demo", "--directory", str(tmp_path / "d")])
    assert answer.exit_code == 1
    assert answer.stderr == 'Error: the demo needs scikit-learn: pip install "asyncsweep[demo]"\n'
    assert not (tmp_path / "d").exists()


def trials_of(directory: Path) -> list[sw.TrialRecord]:
    machine = Machine()
    for _ in steps(machine, journal.read(directory).events, ""):
        pass
    return machine.trials


def tells_of(directory: Path) -> dict[int, int]:
    """How often each trial was told, in all processes that worked on the sweep."""
    effects = [effect for batch in steps(Machine(), journal.read(directory).events, "") for effect in batch]
    return dict(sorted(Counter(effect.trial for effect in effects if isinstance(effect, Tell)).items()))
