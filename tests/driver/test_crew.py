"""Several executors in one sweep: from its beginning, and added and resized while it runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.core.events import ExecutorFailed, Finished, SlotsChanged, Started, WorkerJoined, WorkerLost
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup

pytestmark = pytest.mark.anyio

SPACE = {"x": sw.Float(0.0, 1.0)}


def where(x: float) -> dict[str, float]:
    """Runs anywhere, and takes its time."""
    threading.Event().wait(0.01)
    return {"value": x}


class Answers:
    """An executor whose trials end as soon as they are launched, on workers that are all named alike."""

    remote = False
    runs: ClassVar[str] = "both"
    own_slots = True

    def __init__(self, slots: int = 1, name: str = "w", resources: dict[str, Any] | None = None) -> None:
        self.slots = slots
        self.name = name
        self.offered = resources or {}
        self.launched: list[Job] = []
        self.setups: list[Setup] = []
        self.is_open = False
        self.breaks = anyio.Event()
        self.inbox: Inbox

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self.setups.append(setup)
        self.inbox = inbox
        self.is_open = True
        inbox.post(WorkerJoined(self.name, self.slots, 0, self.offered))
        try:
            yield
        finally:
            self.is_open = False

    def launch(self, job: Job) -> None:
        self.launched.append(job)
        self.inbox.post(Started(job.trial, job.attempt), Finished(job.trial, job.attempt, {"value": 0.0}))

    def kill(self, job: JobId, grace_s: float) -> None:
        raise AssertionError("nothing runs")

    def answer(self, job: JobId, answer: Answer) -> None:
        raise AssertionError("nothing asks")

    def resize(self, slots: int) -> None:
        self.inbox.post(SlotsChanged(self.name, slots))


class Waits(Answers):
    """One whose trials never end by themselves."""

    def launch(self, job: Job) -> None:
        self.launched.append(job)
        self.inbox.post(Started(job.trial, job.attempt))

    def kill(self, job: JobId, grace_s: float) -> None:
        from asyncsweep.core.events import Killed

        self.inbox.post(Killed(*job))


class CannotOpen(Answers):
    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        raise sw.ConfigError("no GPU is here")
        yield


class BreaksDown(Waits):
    """Its own code fails once a trial runs."""

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        async with super().open(setup, inbox), anyio.create_task_group() as tasks:
            tasks.start_soon(self._break)
            yield
            tasks.cancel_scope.cancel()

    async def _break(self) -> None:
        await self.breaks.wait()
        raise RuntimeError("the cluster is gone")

    def launch(self, job: Job) -> None:
        super().launch(job)
        self.breaks.set()


def sweep(*executors: Any, **settings: Any) -> sw.Sweep:
    options: dict[str, Any] = {"sampler": "random", "n_trials": 12, **settings}
    return sw.Sweep(where, SPACE, executor=list(executors), **options)


async def test_trials_run_on_all_of_several_executors_each_with_its_own_slots() -> None:
    workers: dict[str, str] = {}
    async with sweep({"name": "process", "slots": 2}, {"name": "thread", "slots": 1}, n_trials=None).start() as run:
        assert run.executors == ("process", "thread")
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted) and update.worker is not None:
                workers[update.worker] = update.worker.partition("-")[0]
            if len(workers) == 3:
                break
        assert run.concurrency == 3
        run.stop()
        result = await run.result()
    assert sorted(workers.values()) == ["process", "process", "thread"]
    assert {str(trial.state) for trial in result.trials} == {"COMPLETE"}


async def test_workers_that_are_named_alike_are_told_apart_and_each_gets_its_own_name_back() -> None:
    one, two = Waits(2), Waits(1)
    async with sweep(one, two).start() as run:
        assert run.executors == ("Waits", "Waits-2")
        assert [job.worker for job in one.launched] == ["w", "w"]
        assert [job.worker for job in two.launched] == ["w"]
        assert [trial.worker for trial in run.trials] == ["w", "w", "Waits-2:w"]
        await run.resize("Waits-2", 2)
        assert [(job.trial, job.worker) for job in two.launched] == [(2, "w"), (3, "w")]
        run.stop(now=True)  # each is told to kill its own
        result = await run.result()
    assert result.counts[State.CANCELLED] == 4


async def test_a_member_that_cannot_be_opened_ends_the_sweep_before_anything_was_launched() -> None:
    first = Answers()
    with pytest.raises(sw.ConfigError, match="no GPU is here"):
        await sweep(first, CannotOpen()).run()
    assert (first.launched, first.is_open) == ([], False)


def test_a_list_with_an_unknown_name_or_with_concurrency_is_refused() -> None:
    with pytest.raises(sw.ConfigError, match="there is no executor 'proces'"):
        sweep("thread", "proces")
    with pytest.raises(sw.ConfigError, match=r'concurrency=4: several executors have slots of their own.*"slots": 2'):
        sweep("thread", "process", concurrency=4)
    with pytest.raises(sw.ConfigError, match="reproducible=True: without concurrency"):
        sweep("thread", reproducible=True)


async def test_a_member_whose_code_fails_is_left_out_and_its_trials_are_tried_elsewhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, good = BreaksDown(), Answers(name="good")
    with caplog.at_level(logging.ERROR, "asyncsweep"):
        result = await sweep(broken, good, retries=1).run()
    assert result.counts[State.COMPLETE] == 12
    assert [str(error) for trial in result.trials for error in trial.failures] == [
        "WorkerLost: the executor 'BreaksDown' failed: RuntimeError: the cluster is gone"
    ]
    assert "the executor 'BreaksDown' failed, the sweep goes on without it" in caplog.text


async def test_the_last_member_that_fails_ends_the_sweep() -> None:
    with pytest.raises(sw.PluginError, match="the cluster is gone"):
        await sweep(BreaksDown()).run()


async def test_a_member_that_says_that_it_cannot_go_on_ends_the_sweep_only_with_the_last_one() -> None:
    one, two = Waits(name="one"), Waits(name="two")
    async with sweep(one, two).start() as run:
        one.inbox.post(WorkerLost("one"), ExecutorFailed(ErrorInfo("OSError", "one is gone")))
        assert not run.is_over
        two.inbox.post(ExecutorFailed(ErrorInfo("OSError", "two is gone")))
        with pytest.raises(sw.PluginError, match="two is gone"):
            await run.result()


async def test_an_executor_that_is_added_gets_trials_until_the_end() -> None:
    first, added = Waits(name="first"), Answers(name="added")
    async with sw.Sweep(where, SPACE, sampler="random", executor=first, n_trials=12).start() as run:
        assert run.executors == ("Waits",)
        assert await run.add_executor(added) == "Answers"
        assert (run.executors, run.concurrency) == (("Waits", "Answers"), 2)
        async for update in run.updates():
            if isinstance(update, sw.TrialFinished) and run.counts[State.COMPLETE] == 11:
                break
        run.stop(now=True)
        result = await run.result()
    assert (result.counts[State.COMPLETE], len(first.launched), added.is_open) == (11, 1, False)


async def test_an_executor_that_is_added_by_name_runs_an_objective_that_was_not_packed_for_it() -> None:
    async with sw.Sweep(where, SPACE, sampler="random", executor=Waits(), n_trials=6).start() as run:
        assert await run.add_executor({"name": "process", "slots": 1}) == "process"
        while run.counts[State.COMPLETE] < 5:
            await anext(aiter(run.updates()))
        run.stop(now=True)


async def test_one_that_cannot_be_added_changes_nothing() -> None:
    async with sw.Sweep(where, SPACE, sampler="random", executor=Waits(), n_trials=2).start() as run:
        with pytest.raises(sw.ConfigError, match="no GPU is here"):
            await run.add_executor(CannotOpen())
        with pytest.raises(sw.ConfigError, match="expected one executor"):
            await run.add_executor(["thread"])
        with pytest.raises(sw.ConfigError, match="there is no executor 'no-such'"):
            await run.add_executor("no-such")
        assert (run.executors, run.is_over) == (("Waits",), False)
        run.stop(now=True)
        await run.result()
        with pytest.raises(sw.ConfigError, match="the sweep has ended"):
            await run.add_executor(Answers())


async def test_an_executor_is_resized_by_its_name() -> None:
    executor = Waits()
    async with sw.Sweep(where, SPACE, sampler="random", executor=executor, n_trials=9).start() as run:
        await run.resize("Waits", 3)
        assert (len(executor.launched), run.concurrency) == (3, 3)
        with pytest.raises(
            sw.ConfigError, match=r"resize\('thread', ...\): there is no such executor; there are: Waits"
        ):
            await run.resize("thread", 2)
        with pytest.raises(sw.ConfigError, match="slots=0: expected a whole number from 1"):
            await run.resize("Waits", 0)
        run.stop(now=True)


async def test_local_processes_become_more_and_fewer_while_trials_run() -> None:
    executor = {"name": "process", "slots": 1}
    async with sw.Sweep(where, SPACE, sampler="random", executor=executor, n_trials=None).start() as run:
        seen: dict[str | None, int] = {}
        n_after = 0
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                seen[update.worker] = update.trial
                if update.trial == 10:
                    await run.resize("process", 3)
                elif len(seen) == 3 and run.concurrency == 3:
                    await run.resize("process", 1)
                n_after += len(seen) == 3 and run.concurrency == 1
                if n_after > 30:
                    break
        assert len([trial for trial in run.trials if trial.state is State.RUNNING]) <= 1
        run.stop()
        result = await run.result()
    assert {(str(trial.state), trial.attempt) for trial in result.trials} == {("COMPLETE", 1)}


async def test_trials_run_only_where_their_needs_are_met() -> None:
    poor, rich = Answers(4, "poor", {"cpus": 8}), Answers(1, "rich", {"gpus": 1.0})
    result = await sweep(poor, rich, needs={"gpus": 1}).run()
    assert (result.counts[State.COMPLETE], poor.launched, len(rich.launched)) == (12, [], 12)
    assert rich.setups[0].needs == {"gpus": 1.0}


async def test_a_sweep_on_several_executors_goes_on_with_them_when_it_is_opened_again(tmp_path: Any) -> None:
    given: list[Any] = [{"name": "thread", "slots": 1}, "process"]
    first = sw.Sweep(where, SPACE, sampler="random", executor=given, n_trials=4, directory=tmp_path / "s")
    await first.run()
    again = sw.Sweep.open(tmp_path / "s", where, n_trials=8)
    assert again.spec.executor == first.spec.executor
    assert again.executor == [{"name": "thread", "slots": 1}, {"name": "process"}]
    assert (await again.run()).counts[State.COMPLETE] == 8
