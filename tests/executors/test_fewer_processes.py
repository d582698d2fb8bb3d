"""Slots of the process executor are given up at odd moments: what was launched there and has not begun is given back."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Killed, SlotsChanged, TakenBack, WorkerLost
from asyncsweep.executors.process import ProcessExecutor
from asyncsweep.hooks.contracts import Job, JobId, ObjectiveSpec, Setup
from asyncsweep.testing.executor_suite.stand import Stand

pytestmark = [pytest.mark.anyio, pytest.mark.any_loop]

SETTINGS: dict[str, Any] = {"sampler": "random", "seed": 1}
LIMIT_S = 40.0


def short(trial: sw.Trial) -> float:
    return 0.0


async def finished(run: sw.SweepRun) -> AsyncIterator[int]:
    """The numbers of trials, as they end."""
    async for update in run.updates():
        if isinstance(update, sw.TrialFinished):
            yield update.trial


@pytest.mark.parametrize(
    ("settings", "fsync"),
    [
        ({"fresh": True}, "batch"),
        pytest.param({"max_trials_per_worker": 2}, "always", marks=pytest.mark.deep),
        ({}, "always"),
    ],
    ids=["fresh", "replaced", "warm"],
)
async def test_slots_come_and_go_at_every_moment_and_no_trial_notices(
    settings: dict[str, Any], fsync: Any, tmp_path: Path
) -> None:
    executor = {"name": "process", "slots": 2, **settings}
    sweep = sw.Sweep(short, {}, executor=executor, n_trials=16, directory=tmp_path / "s", fsync=fsync, **SETTINGS)
    with anyio.fail_after(LIMIT_S):
        async with sweep.start() as run:
            async for number in finished(run):
                if not run.is_over:
                    await run.resize("process", 1 + number % 2)
            result = await run.result()
    assert {(str(trial.state), trial.attempt, len(trial.failures)) for trial in result.trials} == {("COMPLETE", 1, 0)}


def leaves_marks(trial: sw.Trial) -> float:
    """Says that it has begun; number 20 takes so long that another one waits behind it, which runs until it is told to end."""
    folder = Path(os.environ["ASYNCSWEEP_MARKS"])
    is_behind = MARKED.get("last") == 20
    MARKED["last"] = trial.number
    (folder / str(trial.number)).touch()
    if trial.number == 20:
        time.sleep(0.3)
    while is_behind and not (folder / "go on").exists():
        time.sleep(0.001)
    return 0.0


MARKED: dict[str, int] = {}


@pytest.mark.each_loop
async def test_a_trial_that_is_killed_when_it_has_just_ended_is_over_and_the_next_one_there_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last word is on the way, and what waited behind it has begun: nothing more may be sent there before both are heard."""
    monkeypatch.setenv("ASYNCSWEEP_MARKS", str(tmp_path))
    executor = {"name": "process", "slots": 2, "pass_env": ["ASYNCSWEEP_MARKS"]}
    async with sw.Sweep(leaves_marks, {}, executor=executor, n_trials=60, **SETTINGS).start() as run:
        slots = run._driver.machine.life.slots
        behind = -1
        async for _ in run.updates():
            worker = run.trials[20].worker if len(run.trials) > 20 else None
            if worker in slots.queues and (20, 1) in slots.jobs[worker]:
                behind = next(iter(slots.queues[worker]))[0]
                break
        mark, deadline = tmp_path / str(behind), time.monotonic() + 10
        while not mark.exists():
            assert time.monotonic() < deadline
        run.cancel_trial(20)
        (tmp_path / "go on").touch()
        with anyio.fail_after(LIMIT_S):
            result = await run.result()
    others = {(str(trial.state), trial.attempt) for trial in result.trials if trial.number != 20}
    assert (others, str(result.trials[20].state)) == ({("COMPLETE", 1)}, "COMPLETE")


@pytest.mark.each_loop
async def test_what_is_launched_to_a_slot_that_was_given_up_meanwhile_is_given_back() -> None:
    """A launch may wait for its sync while the user takes the slot away."""
    executor = ProcessExecutor()
    stand = Stand(executor, LIMIT_S)
    objective = ObjectiveSpec(f"{__name__}:short", b"", (), (), ("value",))
    async with executor.open(Setup(None, objective, 1, None, None, 0.5), stand):
        worker = await stand.free_worker()
        executor.resize(0)
        executor.launch(Job(0, 1, worker, {}))
        assert stand.events[-2:] == [SlotsChanged(worker, 0), TakenBack(0, 1)]
        executor.kill(JobId(0, 1), 0.1)  # it is not here any more
        assert stand.events[-1] == Killed(0, 1)
        assert (await stand.next(WorkerLost)).worker == worker
