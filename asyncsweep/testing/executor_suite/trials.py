"""What becomes of trials that run to their end, and what they say meanwhile."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import AnswerParam, AnswerVerdict
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.hooks.contracts import Executor, JobId, VerdictSteps
from asyncsweep.space import Float
from asyncsweep.sweep import Sweep
from asyncsweep.testing import objectives
from asyncsweep.testing.executor_suite.bench import GRACE_S, Bench


class Trials(Bench):
    """Slots, reports, verdicts, suggestions, errors, logs."""

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

    async def test_each_trial_has_the_place_for_its_output_and_the_log_of_its_attempt(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        look = getattr(executor, "output", None)
        if look is None:
            pytest.skip("what trials print on this executor goes where the application's own output goes")
        async with self.open(executor, "prints", directory=tmp_path) as stand:
            await stand.launch()
            await stand.next(ev.Reported)
            piece = look(JobId(0, 1), 0, 1000)
            assert piece is not None and piece.data == b"attempt 1 of trial 0\n"
            assert look(JobId(0, 2), 0, 1000) is None
            executor.kill(JobId(0, 1), GRACE_S)
            await stand.next(ev.Killed)
        assert (tmp_path / "trials" / "0" / "attempt-1.log").read_bytes() == b"attempt 1 of trial 0\n"

    async def test_two_launches_in_one_turn_both_run(self, executor: Executor) -> None:
        async with self.open(executor, "doubles", slots=2) as stand:
            await stand.free_worker(2)
            await stand.launch(0, slot=1, x=0.25)
            await stand.launch(1, slot=2, x=0.5)
            ends = [await stand.end(0), await stand.end(1)]
            assert ends == [ev.Finished(0, 1, {"value": 0.5}), ev.Finished(1, 1, {"value": 1.0})]

    async def test_a_second_attempt_is_none_of_the_first(self, executor: Executor) -> None:
        """An answer to the first and the end of the first do not reach the second."""
        async with self.open(executor, "obeys", slots=2, verdicts=VerdictSteps()) as stand:
            await stand.free_worker(2)
            await stand.launch(0, slot=1)
            await stand.next(ev.VerdictAsked)
            executor.answer(JobId(0, 1), AnswerVerdict(0, 1, 0, True))
            assert await stand.end() == ev.Pruned(0, 1)
            await stand.launch(0, slot=2, attempt=2)
            await stand.next(ev.VerdictAsked, count=2)
            executor.answer(JobId(0, 1), AnswerVerdict(0, 1, 0, True))
            executor.kill(JobId(0, 1), GRACE_S)
            assert await stand.next(ev.Killed) == ev.Killed(0, 1)
            executor.answer(JobId(0, 2), AnswerVerdict(0, 2, 0, False))
            assert await stand.next(ev.Finished) == ev.Finished(0, 2, {"value": 1.0})

    async def test_many_short_trials_all_end_with_their_values_in_a_sweep(self, executor: Executor) -> None:
        objective = objectives.doubles_async if executor.runs == "async" else objectives.doubles
        space = {"x": Float(0.0, 1.0)}
        sweep = Sweep(
            objective, space, sampler="random", executor=executor, n_trials=self.n_many, concurrency=2, seed=1
        )
        with anyio.fail_after(3 * self.patience_s):
            result = await sweep.run()
        assert [(trial.value, trial.attempt) for trial in result.trials] == [
            (2 * trial.params["x"], 1) for trial in result.trials
        ]
        assert result.counts[State.COMPLETE] == self.n_many
