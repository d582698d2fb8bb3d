"""Members of a crew that fail: what they had goes elsewhere, what was to be killed there is over, and nobody hears of them again."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Event, ExecutorFailed, Finished, Killed, Started, WorkerJoined, WorkerLost
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.driver.crew import Crew
from asyncsweep.hooks.contracts import Inbox, Job, JobId, Setup
from tests.driver.test_crew import SPACE, Answers, Waits, sweep, where

pytestmark = pytest.mark.anyio

GONE = ErrorInfo("OSError", "one is gone")


class Silent(Waits):
    """One whose launches begin nothing, and whose kills are never answered."""

    def __init__(self, slots: int = 1, name: str = "silent") -> None:
        super().__init__(slots, name)
        self.killed: list[JobId] = []

    def launch(self, job: Job) -> None:
        self.launched.append(job)

    def kill(self, job: JobId, grace_s: float) -> None:
        self.killed.append(job)


class Breaks(Silent):
    """The same, until its own code fails."""

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        async with super().open(setup, inbox), anyio.create_task_group() as tasks:
            tasks.start_soon(self._break)
            yield
            tasks.cancel_scope.cancel()

    async def _break(self) -> None:
        await self.breaks.wait()
        raise RuntimeError("the cluster is gone")


async def test_what_a_member_has_that_cannot_go_on_is_tried_elsewhere_though_it_says_nothing_of_its_workers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad, good = Silent(3), Waits(1, "good")
    with caplog.at_level(logging.ERROR, "asyncsweep"):
        async with sweep(bad, good, retries=1, n_trials=4).start() as run:
            assert (len(bad.launched), len(good.launched)) == (3, 1)
            bad.inbox.post(ExecutorFailed(GONE))
            assert run.concurrency == 1
            while len(good.launched) < 4:
                last = good.launched[-1]
                good.inbox.post(Finished(last.trial, last.attempt, {"value": 0.0}))
            last = good.launched[-1]
            good.inbox.post(Finished(last.trial, last.attempt, {"value": 0.0}))
            result = await run.result()
    assert result.counts[State.COMPLETE] == 4
    assert "the executor 'Silent' failed, the sweep goes on without it: OSError: one is gone" in caplog.text
    assert not bad.is_open


async def test_a_member_that_cannot_go_on_is_closed_while_the_sweep_goes_on() -> None:
    bad, good = Silent(), Waits(1, "good")
    async with sweep(bad, good).start() as run:
        bad.inbox.post(ExecutorFailed(GONE))
        with anyio.fail_after(5):
            while bad.is_open:
                await anyio.lowlevel.checkpoint()
        assert (good.is_open, run.is_over, run.executors) == (True, False, ("Waits",))
        run.stop(now=True)


async def test_nothing_is_heard_of_a_member_that_failed() -> None:
    bad, good = Silent(), Waits(1, "good")
    async with sweep(bad, good, retries=1).start() as run:
        job = bad.launched[0]
        bad.inbox.post(ExecutorFailed(GONE))
        stale = run._driver.machine.stale
        bad.inbox.post(Started(job.trial, job.attempt), Finished(job.trial, job.attempt, {"value": 0.0}))
        bad.inbox.post(WorkerJoined("new", 4), WorkerLost("silent"), ExecutorFailed(GONE))
        assert (run._driver.machine.stale, run.concurrency, run.is_over) == (stale, 1, False)
        run.stop(now=True)


@pytest.mark.parametrize("breaks", [True, False])
async def test_what_was_to_be_killed_at_a_member_that_failed_is_over(breaks: bool) -> None:
    bad, good = Breaks(), Waits(1, "good")
    async with sweep(bad, good, n_trials=2).start() as run:
        bad.inbox.post(Started(bad.launched[0].trial, 1))
        run.cancel_trial(bad.launched[0].trial)
        assert bad.killed == [JobId(bad.launched[0].trial, 1)]
        if breaks:
            bad.breaks.set()
        else:
            bad.inbox.post(ExecutorFailed(GONE))
        good.inbox.post(Finished(good.launched[0].trial, 1, {"value": 0.0}))
        with anyio.fail_after(5):
            result = await run.result()
    assert {str(trial.state) for trial in result.trials} == {"CANCELLED", "COMPLETE"}


class Joins(Waits):
    """One whose workers come when they are told to, and whose launches begin nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(1, name)
        self.killed: list[JobId] = []

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self.inbox = inbox
        yield

    def kill(self, job: JobId, grace_s: float) -> None:
        self.killed.append(job)

    def launch(self, job: Job) -> None:
        self.launched.append(job)


class Heard:
    """An inbox that keeps what was posted."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def post(self, *events: Event) -> None:
        self.events += events


@asynccontextmanager
async def crew_of(*members: Joins) -> AsyncIterator[tuple[Crew, Heard]]:
    """A crew without a sweep; each member has a worker that is named after it."""
    crew, heard = Crew([(member.name, member) for member in members]), Heard()
    setup: Any = SimpleNamespace(grace_s=0.0, needs={})
    crew.set_up(lambda member: setup)
    async with crew.open(setup, heard):
        for member in members:
            member.inbox.post(WorkerJoined(member.name, 1))
        yield crew, heard


async def test_orders_for_what_waited_at_a_lost_worker_go_to_who_has_it_now() -> None:
    """It has not begun, so that the next launch has the same number."""
    one, two = Joins("one"), Joins("two")
    async with crew_of(one, two) as (crew, heard):
        crew.launch(Job(0, 1, "one", {}))
        one.inbox.post(WorkerLost("one"))
        crew.kill(JobId(0, 1), 0.0)
        assert (one.killed, heard.events[-1]) == ([], Killed(0, 1))
        crew.launch(Job(0, 1, "two", {}))
        crew.kill(JobId(0, 1), 0.0)
        assert (one.killed, two.killed) == ([], [JobId(0, 1)])
        two.inbox.post(Killed(0, 1))
        two.inbox.post(ExecutorFailed(GONE))
        assert heard.events.count(Killed(0, 1)) == 2


async def test_a_launch_for_a_lost_worker_is_nobodys() -> None:
    one, two = Joins("one"), Joins("two")
    async with crew_of(one, two) as (crew, _):
        one.inbox.post(WorkerLost("one"))
        crew.launch(Job(0, 1, "one", {}))
        assert (one.launched, two.launched) == ([], [])


async def test_what_one_worker_of_a_failed_member_had_is_not_launched_on_the_next_one_of_it() -> None:
    bad, good = Breaks(1, "bad"), Waits(1, "good")
    async with sweep(bad, good, n_trials=2, retries=1).start() as run:
        bad.inbox.post(WorkerJoined("bad-too", 1))
        bad.inbox.post(Started(bad.launched[0].trial, 1))
        bad.breaks.set()
        while len(good.launched) < 2:
            good.inbox.post(*(Finished(job.trial, job.attempt, {"value": 0.0}) for job in good.launched))
            await anyio.lowlevel.checkpoint()
        assert len(bad.launched) == 1
        run.stop(now=True)
        result = await run.result()
    assert [len(trial.failures) for trial in result.trials] == [1, 0]


async def test_a_member_that_fails_while_another_one_is_being_added_was_the_last_one() -> None:
    class OpensNever(Waits):
        @asynccontextmanager
        async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
            first.inbox.post(ExecutorFailed(GONE))
            raise sw.ConfigError("no GPU is here")
            yield

    first = Waits(name="first")
    async with sweep(first).start() as run:
        with pytest.raises(sw.ConfigError, match="no GPU is here"):
            await run.add_executor(OpensNever())
        with pytest.raises(sw.PluginError, match="one is gone"):
            await run.result()


async def test_what_the_first_executor_still_runs_is_ended_when_it_has_failed() -> None:
    first, added = Joins("first"), Waits(1, "added")
    async with sw.Sweep(where, SPACE, sampler="random", executor=first, n_trials=3, retries=1).start() as run:
        first.inbox.post(WorkerJoined("first", 1), WorkerJoined("first-too", 1))
        run.cancel_trial(0)
        await run.add_executor(added)
        first.inbox.post(ExecutorFailed(GONE))
        assert (first.killed, run.executors) == ([JobId(0, 1), JobId(1, 1)], ("Waits",))
        assert [str(trial.state) for trial in run.trials[:1]] == ["CANCELLED"]
        for _ in range(2):
            last = added.launched[-1]
            added.inbox.post(Finished(last.trial, last.attempt, {"value": 0.0}))
        result = await run.result()
    assert [trial.attempt for trial in result.trials] == [1, 2, 1]


async def test_the_first_executor_that_cannot_go_on_is_missed_by_nobody_where_another_one_was_added(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, added = Waits(name="first"), Answers(name="added")
    with caplog.at_level(logging.ERROR, "asyncsweep"):
        async with sw.Sweep(where, SPACE, sampler="random", executor=first, n_trials=12, retries=1).start() as run:
            await run.add_executor(added)
            first.inbox.post(ExecutorFailed(GONE))
            with anyio.fail_after(5):
                result = await run.result()
    assert result.counts[State.COMPLETE] == 12
    assert "the executor 'Waits' failed, the sweep goes on without it" in caplog.text


async def test_the_sweep_ends_with_the_last_of_all_that_were_added() -> None:
    first, added = Waits(name="first"), Waits(name="added")
    async with sw.Sweep(where, SPACE, sampler="random", executor=first, n_trials=12, retries=1).start() as run:
        await run.add_executor(added)
        added.inbox.post(ExecutorFailed(GONE))
        assert not run.is_over
        first.inbox.post(ExecutorFailed(ErrorInfo("OSError", "two is gone")))
        with pytest.raises(sw.PluginError, match="two is gone"):
            await run.result()
