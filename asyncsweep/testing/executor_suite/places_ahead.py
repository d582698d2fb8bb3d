"""Attempts that wait at a busy worker."""

from __future__ import annotations

import anyio
import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import AnswerVerdict
from asyncsweep.hooks.contracts import Executor, JobId, VerdictSteps
from asyncsweep.testing import objectives
from asyncsweep.testing.executor_suite.bench import GRACE_S, Bench
from asyncsweep.testing.executor_suite.stand import ENDS


class PlacesAhead(Bench):
    """For executors that offer places ahead; on others all of it is skipped."""

    async def test_what_waits_at_a_busy_worker_begins_when_the_other_has_ended(self, executor: Executor) -> None:
        async with self.open(executor, "ends_at_last") as stand:
            await stand.two_at_one_slot()
            assert await stand.next(ev.Finished, trial=1) == ev.Finished(1, 1, {"value": 0.25})
            told = [(type(e), e.trial) for e in stand.events if isinstance(e, ev.Started | ev.Finished)]
            assert told == [(ev.Started, 0), (ev.Finished, 0), (ev.Started, 1), (ev.Finished, 1)]

    @pytest.mark.parametrize("objective", ["goes_on", "hangs"])
    async def test_what_waits_is_given_back_while_the_other_runs_on(self, executor: Executor, objective: str) -> None:
        async with self.open(executor, objective) as stand:
            await stand.two_at_one_slot()
            with anyio.fail_after(objectives.HANG_S / 2):
                executor.take_back(JobId(1, 1))  # type: ignore[attr-defined]
                assert await stand.next(ev.TakenBack) == ev.TakenBack(1, 1)
            assert stand.said(1) == ["TakenBack"]
            assert not any(isinstance(event, (*ENDS, ev.WorkerLost)) for event in stand.events)

    async def test_what_was_given_back_never_begins_and_may_be_launched_again(self, executor: Executor) -> None:
        async with self.open(executor, "ends_at_last") as stand:
            await stand.two_at_one_slot()
            executor.take_back(JobId(1, 1))  # type: ignore[attr-defined]
            await stand.next(ev.TakenBack)
            await stand.launch(2, x=0.75)
            assert await stand.next(ev.Finished, trial=2) == ev.Finished(2, 1, {"value": 0.75})
            assert stand.said(1) == ["TakenBack"]
            await stand.launch(1, x=0.5)
            assert await stand.next(ev.Finished, trial=1) == ev.Finished(1, 1, {"value": 0.5})

    async def test_what_has_begun_is_not_given_back(self, executor: Executor) -> None:
        async with self.open(executor, "ends_at_last") as stand:
            await stand.two_at_one_slot()
            await stand.next(ev.Reported, trial=1)
            executor.take_back(JobId(1, 1))  # type: ignore[attr-defined]
            executor.take_back(JobId(7, 1))  # type: ignore[attr-defined]  # nobody's
            assert await stand.end(1) == ev.Finished(1, 1, {"value": 0.25})

    async def test_what_waits_is_killed_without_harm_to_what_runs(self, executor: Executor) -> None:
        async with self.open(executor, "ends_at_last") as stand:
            await stand.two_at_one_slot()
            executor.kill(JobId(1, 1), GRACE_S)
            assert await stand.next(ev.Killed) == ev.Killed(1, 1)
            assert await stand.end(0) == ev.Finished(0, 1, {"value": 0.5})
            assert stand.said(1) == ["Killed"]

    async def test_what_waits_behind_a_trial_that_is_killed_is_not_lost(self, executor: Executor) -> None:
        """It is given back, is known to be lost with its worker, or begins."""
        async with self.open(executor, "goes_on") as stand:
            await stand.two_at_one_slot()
            executor.kill(JobId(0, 1), GRACE_S)
            await stand.next(ev.Killed, trial=0)
            told = await stand.next(ev.TakenBack, ev.WorkerLost, ev.Started, count=2)
            assert isinstance(told, ev.TakenBack | ev.WorkerLost) or told == ev.Started(1, 1)

    async def test_verdicts_reach_a_trial_while_another_one_waits(self, executor: Executor) -> None:
        async with self.open(executor, "obeys", verdicts=VerdictSteps()) as stand:
            await stand.two_at_one_slot()
            await stand.next(ev.VerdictAsked, trial=0)
            executor.answer(JobId(0, 1), AnswerVerdict(0, 1, 0, True))
            await stand.next(ev.VerdictAsked, trial=1)
            executor.answer(JobId(1, 1), AnswerVerdict(1, 1, 0, False))
            assert (await stand.end(0), await stand.end(1)) == (ev.Pruned(0, 1), ev.Finished(1, 1, {"value": 1.0}))
