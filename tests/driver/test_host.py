"""The sampler host is killed in mid-sweep, restarted, and told everything again."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Any

import anyio
import optuna
import psutil
import pytest

import asyncsweep as sw
from tests.parts import Noting, NotingPruner
from tests.small_objectives import SPACE

pytestmark = [pytest.mark.anyio, pytest.mark.any_loop]


def hosts() -> list[psutil.Process]:
    """The running sampler hosts of this process, without their guards."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if "asyncsweep.search.host" in " ".join(process.cmdline()) and not process.children():
                found.append(process)
    return found


def notes(path: Path) -> list[list[str]]:
    """What each host in turn wrote."""
    by_process: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        process, what = line.split(" ", 1)
        by_process.setdefault(process, []).append(what)
    return list(by_process.values())


async def killing(trial: Any) -> float:
    """Kills the host in trial 3, before anything is asked of the next one."""
    if trial.number == 3:
        for host in hosts():
            host.send_signal(signal.SIGKILL)
    return float(trial.params["x"])


@pytest.mark.each_loop
async def test_a_killed_host_is_restarted_and_told_everything_again(tmp_path: Path) -> None:
    with anyio.fail_after(30):
        sweep = sw.Sweep(killing, SPACE, sampler=Noting(tmp_path / "notes"), n_trials=6, seed=1)
        result = await sweep.run()
    assert result.counts[sw.State.COMPLETE] == 6
    first, second = notes(tmp_path / "notes")
    assert first[:7] == ["ask 0", "tell 0", "ask 1", "tell 1", "ask 2", "tell 2", "ask 3"]
    assert second == ["tell 0", "tell 1", "tell 2", "tell 3", "ask 4", "tell 4", "ask 5", "tell 5"]


async def test_a_host_that_is_killed_at_every_trial_still_gets_there(tmp_path: Path) -> None:
    async def relentless(trial: Any) -> float:
        for host in hosts():
            host.send_signal(signal.SIGKILL)
        return float(trial.params["x"])

    with anyio.fail_after(60):
        sampler = Noting(tmp_path / "notes")
        result = await sw.Sweep(relentless, SPACE, sampler=sampler, n_trials=5, seed=1).run()
    assert result.counts[sw.State.COMPLETE] == 5


async def test_a_tpe_whose_host_was_killed_goes_on_and_repeats_nothing() -> None:
    with anyio.fail_after(60):
        result = await sw.Sweep(killing, SPACE, sampler="tpe", n_trials=8, seed=1).run()
    assert len({trial.params["x"] for trial in result.trials}) == 8


@pytest.mark.each_loop
async def test_a_verdict_that_died_with_its_host_is_asked_for_again() -> None:
    async def objective(trial: Any) -> float:
        for step in range(3):
            trial.report(float(trial.number) + step, step)
            if trial.number == 7 and step == 1:
                for host in hosts():
                    host.send_signal(signal.SIGSTOP)  # it cannot answer any more
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(kill_soon)
                    pruned = await trial.should_prune_async()
            else:
                pruned = await trial.should_prune_async()
            if pruned:
                raise sw.TrialPruned
        return float(trial.number)

    async def kill_soon() -> None:
        for host in hosts():
            host.send_signal(signal.SIGKILL)

    with anyio.fail_after(60):
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)
        result = await sw.Sweep(objective, SPACE, sampler="random", pruner=pruner, n_trials=9, seed=1).run()
    found = [(trial.state.value, len(list(trial.reports))) for trial in result.trials]
    assert found == [("COMPLETE", 3)] * 5 + [("PRUNED", 2)] * 4


@pytest.mark.each_loop
async def test_no_host_is_started_for_what_answers_here() -> None:
    async def looking(trial: Any) -> float:
        return float(len(hosts()))

    result = await sw.Sweep(looking, SPACE, sampler="random", pruner="median", n_trials=2).run()
    assert [trial.value for trial in result.trials] == [0.0, 0.0]


async def test_one_host_serves_a_sampler_and_a_pruner() -> None:
    async def looking(trial: Any) -> float:
        return float(len(hosts()))

    pruner = optuna.pruners.MedianPruner()
    result = await sw.Sweep(looking, SPACE, sampler="tpe", pruner=pruner, n_trials=2).run()
    assert [trial.value for trial in result.trials] == [1.0, 1.0]


@pytest.mark.parametrize("host", ["inline", "process"])
async def test_a_pruner_hears_every_report_of_the_attempt_at_hand_once(tmp_path: Path, host: str) -> None:
    attempts = []

    async def objective(trial: Any) -> float:
        attempts.append(trial.number)
        for step in range(4):
            trial.report(float(step), step)
            if step == 1:
                await trial.should_prune_async()
            if step == 2 and len(attempts) == 1:
                raise ValueError("once")
        return 1.0

    pruner = NotingPruner(tmp_path / "notes", host)
    await sw.Sweep(objective, SPACE, sampler="random", pruner=pruner, n_trials=1, retries=1).run()
    heard = (tmp_path / "notes").read_text().splitlines()
    first = ["report 0 0 0.0", "report 0 1 1.0", "judge 0 1"]
    assert heard == [*first, "restart 0", *first, "report 0 2 2.0", "report 0 3 3.0", "finish 0"]


async def test_a_new_host_hears_nothing_of_a_question_that_an_earlier_attempt_left(tmp_path: Path) -> None:
    """The host dies with a verdict open on an attempt that has failed meanwhile, when the next attempt runs."""
    attempts = []

    async def objective(trial: Any) -> float:
        attempts.append(trial.attempt)
        if trial.attempt == 1:
            trial.report(1.0, 0)
            for host in hosts():
                host.send_signal(signal.SIGSTOP)  # it cannot answer any more
            with anyio.move_on_after(0):
                await trial.should_prune_async()
            raise ValueError("nobody waits for the verdict")
        (tmp_path / "notes").unlink(missing_ok=True)
        trial.report(10.0, 0)
        trial.report(11.0, 1)
        for host in hosts():
            host.send_signal(signal.SIGKILL)
        await trial.should_prune_async()
        return 1.0

    pruner = NotingPruner(tmp_path / "notes", "process")
    with anyio.fail_after(60):
        await sw.Sweep(objective, SPACE, sampler="random", pruner=pruner, n_trials=1, retries=1).run()
    assert attempts == [1, 2]
    assert (tmp_path / "notes").read_text().splitlines() == [
        "report 0 0 10.0",
        "report 0 1 11.0",
        "judge 0 1",
        "finish 0",
    ]
