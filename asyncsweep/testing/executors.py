"""What every executor must do, as a test suite: subclass it with one fixture.

    class TestMine(ExecutorSuite):
        @pytest.fixture
        def executor(self) -> MyExecutor:
            return MyExecutor()

The tests are `async` and run under anyio's pytest plugin, on each event loop that your `anyio_backend` fixture names. They
need `pytest`; nothing else of asyncsweep imports this module.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import AnswerParam, AnswerVerdict
from asyncsweep.core.records import ErrorInfo
from asyncsweep.hooks.contracts import Answer, Executor, Job, JobId, ObjectiveSpec, Setup, VerdictSteps
from asyncsweep.space import Float
from asyncsweep.testing import objectives
from asyncsweep.worker.objective import Call, load

_ENDS = (ev.Finished, ev.Pruned, ev.Failed, ev.Killed, ev.LaunchFailed)
_GRACE_S = 0.2


class Stand:
    """An executor that is open, and everything that it said.

    Attributes:
        executor: The executor.
        events: What it posted, in order.
        patience_s: How long it may take for anything.
    """

    def __init__(self, executor: Executor, patience_s: float) -> None:
        self.executor = executor
        self.events: list[ev.Event] = []
        self.patience_s = patience_s
        self._answers: dict[type[ev.Event], Answer] = {}
        self._news = anyio.Event()

    def post(self, *events: ev.Event) -> None:
        """The executor's inbox: keeps events, a series of reports as its reports, and answers questions at once, as a driver may."""
        for event in events:
            if isinstance(event, ev.SeriesReported):
                self.events += [ev.Reported(event.trial, event.attempt, *report) for report in event.reports]
            else:
                self.events.append(event)
            answer = self._answers.get(type(event))
            if answer is not None:
                self.executor.answer(JobId(event.trial, event.attempt), answer)  # type: ignore[attr-defined]
        self._news.set()

    def answer_with(self, question: type[ev.Event], answer: Answer) -> None:
        """From now on answer every question of this kind so."""
        self._answers[question] = answer

    async def next(self, *kinds: type[ev.Event], trial: int | None = None, count: int = 1) -> Any:
        """Wait for the `count`-th event of these kinds, of this trial.

        Raises:
            TimeoutError: It did not come in time.
        """
        with anyio.fail_after(self.patience_s):
            while True:
                found = [e for e in self.events if isinstance(e, kinds) and trial in (None, getattr(e, "trial", None))]
                if len(found) >= count:
                    return found[count - 1]
                self._news = anyio.Event()
                await self._news.wait()

    async def free_worker(self, number: int = 1) -> str:
        """The name of the `number`-th worker that joined; one with several slots counts once for each."""
        with anyio.fail_after(self.patience_s):
            while True:
                slots = [
                    event.worker
                    for event in self.events
                    if isinstance(event, ev.WorkerJoined)
                    for _ in range(event.slots)
                ]
                if len(slots) >= number:
                    return slots[number - 1]
                self._news = anyio.Event()
                await self._news.wait()

    async def launch(self, trial: int = 0, *, slot: int = 1, attempt: int = 1, **params: Any) -> None:
        """Launch an attempt in the `slot`-th slot."""
        self.executor.launch(Job(trial, attempt, await self.free_worker(slot), params or {"x": 0.5}))

    async def end(self, trial: int = 0) -> ev.Event:
        """How the trial's attempt ended: its own word, or the loss of its worker."""
        event: ev.Event = await self.next(*_ENDS, ev.WorkerLost, trial=trial)
        return event

    def said(self, trial: int = 0) -> list[str]:
        """The kinds of events of a trial, in order, without repetitions in a row, and without what is measured whenever it is."""
        told = [
            event for event in self.events if getattr(event, "trial", None) == trial and not isinstance(event, ev.Used)
        ]
        kinds = [type(event).__name__ for event in told]
        return [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]


@pytest.mark.anyio
class ExecutorSuite:
    """Subclass it with a fixture `executor`: a new executor, not yet open.

    Attributes:
        patience_s: How long an executor may take to start a worker or to end a trial.
        counts_fds: False where a library that the executor uses keeps connections of its own, which come and go.
    """

    patience_s: ClassVar[float] = 20.0
    counts_fds: ClassVar[bool] = True

    @pytest.fixture
    def executor(self) -> Executor:
        """The executor under test."""
        raise pytest.UsageError("a subclass of ExecutorSuite needs a fixture `executor`")

    @asynccontextmanager
    async def open(
        self, executor: Executor, objective: str, *, slots: int = 1, verdicts: VerdictSteps | None = None
    ) -> AsyncIterator[Stand]:
        """Open the executor for an objective of `asyncsweep.testing.objectives`."""
        target = f"{objectives.__name__}:{objective}" + ("_async" if executor.runs == "async" else "")
        names = ("x",) if objective == "doubles" else ()
        call = None if executor.remote else Call(load(target), names)
        spec = ObjectiveSpec(target, b"", names, names, ("value",))
        stand = Stand(executor, self.patience_s)
        async with executor.open(Setup(call, spec, slots, verdicts, None, _GRACE_S), stand):
            yield stand

    async def test_as_many_slots_join_as_were_asked_for(self, executor: Executor) -> None:
        async with self.open(executor, "doubles", slots=2) as stand:
            await stand.free_worker(2)
            assert sum(event.slots for event in stand.events if isinstance(event, ev.WorkerJoined)) == 2

    async def test_a_trial_starts_and_finishes_with_its_value(self, executor: Executor) -> None:
        async with self.open(executor, "doubles") as stand:
            await stand.launch(x=0.25)
            assert await stand.end() == ev.Finished(0, 1, {"value": 0.5})
            assert stand.said() == ["Started", "Finished"]

    async def test_a_slot_takes_one_trial_after_the_other(self, executor: Executor) -> None:
        async with self.open(executor, "doubles") as stand:
            for trial in range(3):
                await stand.launch(trial, x=float(trial))
                assert await stand.end(trial) == ev.Finished(trial, 1, {"value": 2.0 * trial})

    async def test_slots_run_at_the_same_time(self, executor: Executor) -> None:
        async with self.open(executor, "goes_on", slots=2) as stand:
            await stand.launch(0, slot=1)
            await stand.launch(1, slot=2)
            await stand.next(ev.Reported, trial=0)
            await stand.next(ev.Reported, trial=1)

    async def test_reports_arrive_in_order_and_before_the_end(self, executor: Executor) -> None:
        async with self.open(executor, "reports") as stand:
            await stand.launch()
            await stand.end()
            reported = [event for event in stand.events if isinstance(event, ev.Reported)]
            assert reported == [ev.Reported(0, 1, n, float(n), {"loss": 1.0} if n == 2 else None) for n in range(5)]
            assert stand.said() == ["Started", "Reported", "AttrSet", "Finished"]
            assert await stand.next(ev.AttrSet) == ev.AttrSet(0, 1, "key", ["a", 1])

    async def test_constraints_arrive_in_order_and_before_the_end(self, executor: Executor) -> None:
        async with self.open(executor, "constrains") as stand:
            await stand.launch()
            await stand.end()
            constraints = [event for event in stand.events if isinstance(event, ev.ConstraintSet)]
            assert constraints == [ev.ConstraintSet(0, 1, "memory", -1.0), ev.ConstraintSet(0, 1, "time", 0.5)]
            assert stand.said() == ["Started", "ConstraintSet", "Reported", "Finished"]

    @pytest.mark.parametrize("prune", [True, False])
    async def test_the_verdict_reaches_the_objective(self, executor: Executor, prune: bool) -> None:
        async with self.open(executor, "obeys", verdicts=VerdictSteps()) as stand:
            stand.answer_with(ev.VerdictAsked, AnswerVerdict(0, 1, 0, prune))
            await stand.launch()
            assert type(await stand.end()) is (ev.Pruned if prune else ev.Finished)

    async def test_nobody_is_asked_for_a_verdict_without_a_pruner(self, executor: Executor) -> None:
        async with self.open(executor, "obeys") as stand:
            await stand.launch()
            await stand.end()
            assert stand.said() == ["Started", "Reported", "Finished"]

    async def test_a_suggestion_reaches_the_objective(self, executor: Executor) -> None:
        async with self.open(executor, "suggests") as stand:
            stand.answer_with(ev.ParamAsked, AnswerParam(0, 1, "y", 0.75))
            await stand.launch()
            assert await stand.end() == ev.Finished(0, 1, {"value": 0.75})
            assert await stand.next(ev.ParamAsked) == ev.ParamAsked(0, 1, "y", Float(0.0, 1.0))

    async def test_a_suggestion_that_fails_fails_the_trial(self, executor: Executor) -> None:
        async with self.open(executor, "suggests") as stand:
            stand.answer_with(ev.ParamAsked, AnswerParam(0, 1, "y", error=ErrorInfo("ValueError", "no idea")))
            await stand.launch()
            failed = await stand.end()
            assert isinstance(failed, ev.Failed)
            assert (failed.error.type, "no idea" in failed.error.message) == ("TrialError", True)

    async def test_an_exception_comes_as_type_message_and_traceback(self, executor: Executor) -> None:
        async with self.open(executor, "raises") as stand:
            await stand.launch()
            failed = await stand.end()
            assert isinstance(failed, ev.Failed)
            assert (failed.error.type, failed.error.message) == ("LookupError", "boom")
            assert "in raises" in failed.error.traceback

    async def test_what_is_no_number_fails_the_trial(self, executor: Executor) -> None:
        async with self.open(executor, "returns_text") as stand:
            await stand.launch()
            failed = await stand.end()
            assert isinstance(failed, ev.Failed) and failed.error.type == "TrialError"

    async def test_sys_exit_ends_the_trial_alone(self, executor: Executor) -> None:
        async with self.open(executor, "exits") as stand:
            await stand.launch()
            failed = await stand.end()
            assert isinstance(failed, ev.Failed | ev.WorkerLost)

    @pytest.mark.parametrize("objective", ["goes_on", "hangs"])
    async def test_a_killed_trial_ends_within_its_grace(self, executor: Executor, objective: str) -> None:
        async with self.open(executor, objective) as stand:
            await stand.launch()
            await stand.next(ev.Reported)
            with anyio.fail_after(objectives.HANG_S / 2):
                executor.kill(JobId(0, 1), _GRACE_S)
                await stand.next(ev.Killed)

    async def test_the_slot_of_a_killed_trial_comes_back_and_the_trial_is_silent(self, executor: Executor) -> None:
        async with self.open(executor, "goes_on") as stand:
            await stand.launch()
            await stand.next(ev.Reported)
            executor.kill(JobId(0, 1), _GRACE_S)
            killed = stand.events.index(await stand.next(ev.Killed))
            lost = any(isinstance(event, ev.WorkerLost) for event in stand.events)
            await stand.launch(1, slot=2 if lost else 1)
            await stand.next(ev.Reported, trial=1, count=5)
            assert [event for event in stand.events[killed + 1 :] if getattr(event, "trial", None) == 0] == []

    async def test_killing_what_does_not_run_is_answered(self, executor: Executor) -> None:
        async with self.open(executor, "doubles") as stand:
            await stand.launch()
            await stand.end()
            executor.kill(JobId(0, 1), _GRACE_S)
            assert await stand.next(ev.Killed) == ev.Killed(0, 1)

    async def test_an_answer_that_nobody_waits_for_is_ignored(self, executor: Executor) -> None:
        async with self.open(executor, "doubles") as stand:
            await stand.launch()
            await stand.end()
            executor.answer(JobId(0, 1), AnswerVerdict(0, 1, 0, True))
            await stand.launch(1, x=1.0)
            assert await stand.end(1) == ev.Finished(1, 1, {"value": 2.0})

    @pytest.mark.parametrize("objective", ["goes_on", "hangs"])
    async def test_leaving_with_work_open_leaves_nothing_behind(self, executor: Executor, objective: str) -> None:
        await anyio.to_thread.run_sync(int)  # the event loop's own first thread is not the executor's
        before = _belongings(self.counts_fds)
        with anyio.fail_after(self.patience_s):
            async with self.open(executor, objective, slots=2) as stand:
                await stand.launch()
                await stand.next(ev.Reported)
        assert _belongings(self.counts_fds) == before

    async def test_being_cancelled_leaves_nothing_behind(self, executor: Executor) -> None:
        await anyio.to_thread.run_sync(int)
        before = _belongings(self.counts_fds)
        with anyio.CancelScope() as scope:
            async with self.open(executor, "goes_on") as stand:
                await stand.launch()
                await stand.next(ev.Reported)
                scope.cancel()
                await anyio.sleep_forever()
        assert _belongings(self.counts_fds) == before


def _belongings(counts_fds: bool) -> tuple[int, list[str]]:
    """The tasks of this loop and, if they count, the open file descriptors of this process."""
    gc.collect()
    fds = os.listdir("/proc/self/fd") if counts_fds and os.path.isdir("/proc/self/fd") else []
    return len(anyio.get_running_tasks()), sorted(fds)
