"""What becomes of trials that are ended from outside."""

from __future__ import annotations

import anyio
import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import AnswerVerdict
from asyncsweep.hooks.contracts import Executor, JobId
from asyncsweep.sweep import Sweep
from asyncsweep.testing import objectives
from asyncsweep.testing.executor_suite.bench import GRACE_S, Bench


class Kills(Bench):
    """Kills, time limits, and answers that nobody waits for."""

    @pytest.mark.parametrize("objective", ["goes_on", "hangs"])
    async def test_a_killed_trial_ends_within_its_grace(self, executor: Executor, objective: str) -> None:
        async with self.open(executor, objective) as stand:
            await stand.launch()
            await stand.next(ev.Reported)
            with anyio.fail_after(objectives.HANG_S / 2):
                executor.kill(JobId(0, 1), GRACE_S)
                await stand.next(ev.Killed)

    async def test_the_slot_of_a_killed_trial_comes_back_and_the_trial_is_silent(self, executor: Executor) -> None:
        async with self.open(executor, "goes_on") as stand:
            await stand.launch()
            await stand.next(ev.Reported)
            executor.kill(JobId(0, 1), GRACE_S)
            killed = stand.events.index(await stand.next(ev.Killed))
            lost = any(isinstance(event, ev.WorkerLost) for event in stand.events)
            await stand.launch(1, slot=2 if lost else 1)
            await stand.next(ev.Reported, trial=1, count=5)
            assert [event for event in stand.events[killed + 1 :] if getattr(event, "trial", None) == 0] == []

    async def test_a_trial_that_runs_too_long_is_ended_in_a_sweep(self, executor: Executor) -> None:
        objective = objectives.hangs_async if executor.runs == "async" else objectives.hangs
        sweep = Sweep(
            objective, {}, sampler="random", executor=executor, n_trials=1, trial_timeout=0.3, grace_s=GRACE_S
        )
        with anyio.fail_after(self.patience_s):
            result = await sweep.run()
        assert [(str(trial.state), trial.error and trial.error.type) for trial in result.trials] == [
            ("FAILED", "TrialTimeout")
        ]

    async def test_killing_what_does_not_run_is_answered(self, executor: Executor) -> None:
        async with self.open(executor, "doubles") as stand:
            await stand.launch()
            await stand.end()
            executor.kill(JobId(0, 1), GRACE_S)
            assert await stand.next(ev.Killed) == ev.Killed(0, 1)

    async def test_an_answer_that_nobody_waits_for_is_ignored(self, executor: Executor) -> None:
        async with self.open(executor, "doubles") as stand:
            await stand.launch()
            await stand.end()
            executor.answer(JobId(0, 1), AnswerVerdict(0, 1, 0, True))
            await stand.launch(1, x=1.0)
            assert await stand.end(1) == ev.Finished(1, 1, {"value": 2.0})
