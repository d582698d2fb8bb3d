"""With `fsync="always"` a launch waits for its sync, and its worker may be lost meanwhile: then it was no launch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import anyio
import anyio.from_thread
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Finished, Killed, Started, WorkerJoined, WorkerLost
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.journal.writer import Journal

pytestmark = pytest.mark.anyio


class Fleeting:
    """An executor whose first worker is lost before anything was launched there.

    Attributes:
        jobs: What it was to launch.
    """

    remote = True
    runs: Literal["async", "sync", "both"] = "both"

    def __init__(self, *, at_once: bool, second: str = "second") -> None:
        self._at_once = at_once
        self.second = second
        self.jobs: list[Job] = []

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self._inbox = inbox
        inbox.post(WorkerJoined("first", 1))
        if self._at_once:
            self.lose()
        yield

    def lose(self) -> None:
        self._inbox.post(WorkerLost("first", "gone"), WorkerJoined(self.second, 1))

    def launch(self, job: Job) -> None:
        self.jobs.append(job)
        self._inbox.post(Started(job.trial, job.attempt), Finished(job.trial, job.attempt, {"value": 1.0}))

    def kill(self, job: JobId, grace_s: float) -> None:
        self._inbox.post(Killed(*job))

    def answer(self, job: JobId, answer: Answer) -> None:
        """Nothing asks."""


async def result_of(executor: Fleeting, tmp_path: Path) -> sw.Result:
    sweep = sw.Sweep(
        "asyncsweep.testing.objectives:doubles",
        {"x": sw.Float(0.0, 1.0)},
        sampler="random",
        executor=executor,
        n_trials=1,
        fsync="always",
        directory=tmp_path / "sweep",
    )
    with anyio.fail_after(30):
        return await sweep.run()


def assert_it_ran_once_elsewhere(result: sw.Result, executor: Fleeting) -> None:
    (trial,) = result.trials
    assert (trial.state, trial.attempt, trial.failures) == (sw.State.COMPLETE, 1, ())
    assert [(job.trial, job.attempt, job.worker) for job in executor.jobs] == [(0, 1, executor.second)]


# A worker may come back by the name that it had.
NAMES = pytest.mark.parametrize("second", ["second", "first"])


@NAMES
async def test_a_launch_whose_worker_is_lost_before_its_sync_began_goes_elsewhere(tmp_path: Path, second: str) -> None:
    executor = Fleeting(at_once=True, second=second)
    assert_it_ran_once_elsewhere(await result_of(executor, tmp_path), executor)


@NAMES
async def test_a_launch_whose_worker_is_lost_during_its_sync_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    executor, is_lost = Fleeting(at_once=False, second=second), False
    sync = Journal.sync

    def lost_meanwhile(journal: Journal) -> None:
        nonlocal is_lost
        if not is_lost and hasattr(executor, "_inbox"):
            is_lost = True
            anyio.from_thread.run_sync(executor.lose)
        sync(journal)

    monkeypatch.setattr(Journal, "sync", lost_meanwhile)
    assert_it_ran_once_elsewhere(await result_of(executor, tmp_path), executor)
    assert is_lost
