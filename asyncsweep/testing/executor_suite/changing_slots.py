"""Slots and workers that come and go, and launches that cross with that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import TrialFinished
from asyncsweep.core.records import State
from asyncsweep.hooks.contracts import Executor, Job, JobId
from asyncsweep.space import Float
from asyncsweep.sweep import Sweep
from asyncsweep.testing import objectives
from asyncsweep.testing.executor_suite.bench import GRACE_S, Bench


class ChangingSlots(Bench):
    """More slots and fewer, and workers that are lost."""

    async def test_more_slots_join_and_fewer_are_offered_while_trials_run(self, executor: Executor) -> None:
        if not hasattr(executor, "resize"):
            pytest.skip("this executor cannot change how many slots it has")
        async with self.open(executor, "goes_on") as stand:
            await stand.launch()
            await stand.next(ev.Reported)
            executor.resize(3)
            await stand.slots_come_to(3)
            executor.resize(1)
            await stand.slots_come_to(1)
            n_reports = sum(isinstance(event, ev.Reported) for event in stand.events)
            await stand.next(ev.Reported, trial=0, count=n_reports + 3)  # what runs goes on
            executor.kill(JobId(0, 1), GRACE_S)
            await stand.next(ev.Killed)

    @pytest.mark.parametrize("is_late", [False, True])
    async def test_what_is_launched_while_its_slot_is_given_up_runs_there_or_is_given_back(
        self, executor: Executor, is_late: bool
    ) -> None:
        """A launch and a resize cross: the trial is not to blame, so it is neither lost with its worker nor forgotten."""
        if not hasattr(executor, "resize"):
            pytest.skip("this executor cannot change how many slots it has")
        async with self.open(executor, "doubles", slots=2) as stand:
            await stand.free_worker(2)
            if is_late:
                executor.resize(1)
            await stand.launch(0, slot=1, x=1.0)
            await stand.launch(1, slot=2, x=2.0)
            if not is_late:
                executor.resize(1)
            ends = [await stand.end(0), await stand.end(1)]
            await stand.slots_come_to(1)
            (stays,) = (worker for worker, slots in stand.slots.items() if slots)
            for trial, end in enumerate(ends):
                if isinstance(end, ev.TakenBack):
                    await stand.launch(trial, worker=stays, x=trial + 1.0)
                assert await stand.end(trial) == ev.Finished(trial, 1, {"value": 2.0 * (trial + 1)})
                given_back = ["TakenBack"] if isinstance(end, ev.TakenBack) else []
                assert stand.said(trial) == [*given_back, "Started", "Finished"]

    @pytest.mark.parametrize("fsync", ["batch", "always"])
    async def test_no_trial_fails_where_slots_come_and_go_in_a_sweep(
        self, executor: Executor, fsync: Any, tmp_path: Path
    ) -> None:
        """There are no retries, so a trial that were lost with a slot that is given up would be FAILED."""
        if not hasattr(executor, "resize"):
            pytest.skip("this executor cannot change how many slots it has")
        objective = objectives.doubles_async if executor.runs == "async" else objectives.doubles
        space = {"x": Float(0.0, 1.0)}
        directory = tmp_path / "sweep"
        sweep = Sweep(objective, space, sampler="random", executor=executor, fsync=fsync, directory=directory)
        n_ended = 0
        with anyio.fail_after(3 * self.patience_s):
            async with sweep.start() as run:
                async for update in run.updates():
                    n_ended += isinstance(update, TrialFinished)
                    if n_ended >= 15:
                        run.stop()
                    elif isinstance(update, TrialFinished):
                        await run.resize(run.executors[0], 1 + n_ended % 3)
                result = await run.result()
        launched = [trial for trial in result.trials if trial.attempt]  # not what waited for a slot at the end
        told = [(trial.state, trial.attempt, trial.value) for trial in launched]
        assert told == [(State.COMPLETE, 1, 2 * trial.params["x"]) for trial in launched]
        assert len(told) >= 15

    @pytest.mark.parametrize("is_late", [False, True])
    async def test_what_is_launched_while_its_worker_is_lost_is_lost_with_it_and_runs_elsewhere(
        self, executor: Executor, is_late: bool
    ) -> None:
        self.skip_without_lose()
        async with self.open(executor, "tells_its_process") as stand:
            gone = await stand.free_worker()
            await stand.launch(0)
            pid = (await stand.next(ev.AttrSet, trial=0)).value
            await stand.end(0)
            if is_late:
                self.lose(pid)
            await stand.launch(1, x=0.25)
            if not is_late:
                self.lose(pid)
            lost = await stand.next(ev.WorkerLost)
            assert lost.worker == gone
            executor.launch(Job(2, 1, gone, {"x": 0.5}))  # it was on its way
            await stand.launch(1, slot=2, attempt=2, x=0.75)
            assert await stand.next(ev.Finished, trial=1) == ev.Finished(1, 2, {"value": 0.75})
            later = stand.events[stand.events.index(lost) :]
            assert [event for event in later if getattr(event, "attempt", 2) == 1] == []
            assert stand.said(2) == []

    async def test_what_waits_at_a_worker_that_is_lost_may_be_launched_elsewhere_as_the_same_attempt(
        self, executor: Executor
    ) -> None:
        self.skip_without_lose()
        async with self.open(executor, "tells_its_process") as stand:
            await stand.two_at_one_slot()
            self.lose((await stand.next(ev.AttrSet, trial=0)).value)
            await stand.next(ev.WorkerLost)
            await stand.launch(1, slot=2, x=0.75)
            assert await stand.end(1) == ev.Finished(1, 1, {"value": 0.75})
            assert stand.said(1) == ["Started", "AttrSet", "Reported", "Finished"]
