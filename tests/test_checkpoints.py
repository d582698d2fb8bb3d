"""`trial.checkpoint_dir`: what one attempt saves, the next one finds."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.worker.folders import make
from asyncsweep.worker.trial import Trial
from tests import checkpoint_objectives as objectives

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]

EXECUTORS = {
    "inline": objectives.steps_inline,
    "thread": objectives.steps_of,
    "process": objectives.dying,
}
WHERE = {"inline": objectives.where, "thread": objectives.where_in_thread, "process": objectives.where_in_thread}

KILLED = """
import asyncio, sys
import asyncsweep as sw
from tests.checkpoint_objectives import steps_of

sweep = sw.Sweep(steps_of, {"x": sw.Float(0, 1)}, sampler="random", executor="thread", n_trials=1, directory=sys.argv[1])
asyncio.run(sweep.run())
"""


def sweep(objective: Any, directory: Path | None = None, **settings: Any) -> sw.Sweep:
    settings = {"sampler": "random", "n_trials": 1, "seed": 1, "space": {"x": sw.Float(0, 1)}, **settings}
    return sw.Sweep(objective, directory=directory, **settings)


def run_and_kill(directory: Path) -> None:
    """A process that runs a sweep, killed when its trial has saved its second step."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ASYNCSWEEP_TEST_WAITS": "1"}
    command = [sys.executable, "-c", KILLED, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"saved\n"
        process.kill()


def names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


# -- attempts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("in_memory", [False, True], ids=["directory", "memory"])
async def test_a_retry_goes_on_at_the_saved_step(executor: str, in_memory: bool, tmp_path: Path) -> None:
    directory = None if in_memory else tmp_path
    result = await sweep(EXECUTORS[executor], directory, executor=executor, retries=1).run()
    (trial,) = result.trials
    assert (trial.value, trial.attempt, trial.user_attrs) == (4.0, 2, {"began_at": objectives.DIES_AFTER})


async def test_a_sweep_that_was_killed_goes_on_at_the_saved_step(tmp_path: Path) -> None:
    await anyio.to_thread.run_sync(run_and_kill, tmp_path)
    result = await sw.Sweep.resume(tmp_path, objectives.steps_of)
    (trial,) = result.trials
    assert (trial.value, trial.attempt, trial.user_attrs) == (4.0, 2, {"began_at": objectives.DIES_AFTER})


# -- places ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", WHERE)
async def test_in_a_directory_each_trial_has_its_own_folder(executor: str, tmp_path: Path) -> None:
    result = await sweep(WHERE[executor], tmp_path, executor=executor, n_trials=2).run()
    assert [Path(trial.user_attrs["folder"]) for trial in result.trials] == [
        tmp_path / "trials" / "0" / "checkpoint",
        tmp_path / "trials" / "1" / "checkpoint",
    ]


@pytest.mark.parametrize("executor", WHERE)
async def test_in_memory_the_folders_are_temporary_ones_and_go_with_the_run(executor: str, temporary: Path) -> None:
    result = await sweep(WHERE[executor], executor=executor, n_trials=2).run()
    folders = [Path(trial.user_attrs["folder"]) for trial in result.trials]
    assert [folder.parents[2] for folder in folders] == [temporary] * 2
    assert names_in(temporary) == []


async def test_two_sweeps_in_memory_have_names_that_nobody_can_guess(temporary: Path) -> None:
    names = set()
    for _ in range(2):
        (trial,) = (await sweep(objectives.where).run()).trials
        names.add(Path(trial.user_attrs["folder"]).parents[1].name)
    assert len(names) == 2
    assert all(len(bytes.fromhex(name.removeprefix("asyncsweep-"))) >= 16 for name in names)


async def test_temporary_folders_go_when_the_block_is_left_by_an_exception(temporary: Path) -> None:
    async def fail_at_the_first_trial() -> None:
        async with sweep(objectives.where, n_trials=None).start() as run:
            async for update in run.updates():
                if isinstance(update, sw.TrialFinished):
                    raise KeyError

    with pytest.raises(KeyError):
        await fail_at_the_first_trial()
    assert names_in(temporary) == []


async def test_temporary_folders_go_when_the_run_is_cancelled(temporary: Path) -> None:
    async with anyio.create_task_group() as tasks, sweep(objectives.where, n_trials=None).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialFinished):
                break
        assert len(names_in(temporary)) == 1
        tasks.cancel_scope.cancel()
    assert names_in(temporary) == []


async def test_nothing_is_made_for_trials_that_ask_for_nothing(temporary: Path, tmp_path: Path) -> None:
    async def objective(x: float) -> float:
        assert names_in(temporary) == []
        return x

    result = await sweep(objective).run()
    await sweep(objective, tmp_path / "sweep").run()
    assert [trial.error for trial in result.trials] == [None]
    assert not (tmp_path / "sweep" / "trials").exists()


async def test_a_killed_thread_makes_no_folder_after_the_run(temporary: Path) -> None:
    """It is abandoned after its grace, and runs on."""
    import threading

    killed, done = threading.Event(), threading.Event()
    seen = []

    def objective(trial: Any) -> float:
        trial.report(0.0)
        killed.wait(30)
        try:
            seen.append(trial.checkpoint_dir)
        finally:
            done.set()
        return 0.0

    async with sweep(objective, executor="thread", grace_s=0.0).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialReported):
                run.stop(now=True)
    killed.set()
    await anyio.to_thread.run_sync(done.wait, 30)
    assert (seen, names_in(temporary)) == ([], [])


def test_an_executor_that_gives_no_folders_makes_it_an_error_that_says_so() -> None:
    class Port:
        """As a plugin wrote it before there were folders."""

    trial = Trial(Port(), 0, 1, {}, ("value",), None)  # type: ignore[arg-type]
    with pytest.raises(
        sw.TrialError, match=r"^trial\.checkpoint_dir: the executor of this sweep gives its trials no fold"
    ):
        _ = trial.checkpoint_dir


# -- folders are private, and ours -------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_folder_has_the_mode_0700_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        path = Path(make(str(tmp_path / "trials"), "7", "checkpoint"))
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (path, path.parent, path.parent.parent)]
    assert modes == [0o700] * 3


@pytest.mark.parametrize("level", ["trials", "trials/0", "trials/0/checkpoint"])
def test_a_symbolic_link_in_the_place_of_a_folder_is_refused(level: str, tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "sweep" / level
    elsewhere.mkdir()
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(NotADirectoryError, match="must be one, and no symbolic link"):
        make(str(tmp_path / "sweep" / "trials"), "0", "checkpoint")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("executor", WHERE)
async def test_a_trial_that_finds_a_symbolic_link_fails(executor: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sweep" / "trials").mkdir(parents=True)
    (tmp_path / "sweep" / "trials" / "0").symlink_to(tmp_path / "elsewhere")
    (trial,) = (await sweep(WHERE[executor], tmp_path / "sweep", executor=executor).run()).trials
    assert trial.error is not None
    assert trial.error.type == "NotADirectoryError"
