"""What every executor must do, as a test suite: subclass it with one fixture.

    class TestMine(ExecutorSuite):
        @pytest.fixture
        def executor(self) -> MyExecutor:
            return MyExecutor()

The tests are `async` and run under anyio's pytest plugin, on each event loop that your `anyio_backend` fixture names. They
need `pytest`; nothing else of asyncsweep imports this module.

Where an executor offers no places ahead, has no `resize`, or keeps no output, the tests of these are skipped and say so. Those of workers that are lost want to be told by `lose` how.
"""

from __future__ import annotations

import pytest

from asyncsweep.testing.executor_suite.changing_slots import ChangingSlots
from asyncsweep.testing.executor_suite.kills import Kills
from asyncsweep.testing.executor_suite.leaving import Leaving
from asyncsweep.testing.executor_suite.places_ahead import PlacesAhead
from asyncsweep.testing.executor_suite.trials import Trials


@pytest.mark.anyio
class ExecutorSuite(Trials, Kills, ChangingSlots, PlacesAhead, Leaving):
    """Subclass it with a fixture `executor`: a new executor, not yet open.

    Attributes:
        patience_s: How long an executor may take to start a worker or to end a trial.
        counts_fds: False where a library that the executor uses keeps connections of its own, which come and go.
        n_many: How many trials many short ones are; fewer where each starts a process.
    """
<<<<<<< HEAD
=======

    patience_s: ClassVar[float] = 20.0
    counts_fds: ClassVar[bool] = True
    n_many: ClassVar[int] = 100

    @pytest.fixture
    def executor(self) -> Executor:
        """The executor under test."""
        raise pytest.UsageError("a subclass of ExecutorSuite needs a fixture `executor`")

    @asynccontextmanager
    async def open(
        self,
        executor: Executor,
        objective: str,
        *,
        slots: int = 1,
        verdicts: VerdictSteps | None = None,
        directory: Path | None = None,
    ) -> AsyncIterator[Stand]:
        """Open the executor for an objective of `asyncsweep.testing.objectives`."""
        target = f"{objectives.__name__}:{objective}" + ("_async" if executor.runs == "async" else "")
        names = ("x",) if objective in ("doubles", "ends_at_last") else ()
        call = None if executor.remote else Call(load(target), names)
        spec = ObjectiveSpec(target, b"", names, names, ("value",))
        stand = Stand(executor, self.patience_s)
        async with executor.open(Setup(call, spec, slots, verdicts, directory, _GRACE_S), stand):
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
            executor.kill(JobId(0, 1), _GRACE_S)
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
            executor.kill(JobId(0, 1), _GRACE_S)
            assert await stand.next(ev.Killed) == ev.Killed(0, 1)
            executor.answer(JobId(0, 2), AnswerVerdict(0, 2, 0, False))
            assert await stand.next(ev.Finished) == ev.Finished(0, 2, {"value": 1.0})

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
            executor.kill(JobId(0, 1), _GRACE_S)
            await stand.next(ev.Killed)

    async def test_a_trial_that_runs_too_long_is_ended_in_a_sweep(self, executor: Executor) -> None:
        objective = objectives.hangs_async if executor.runs == "async" else objectives.hangs
        sweep = Sweep(
            objective, {}, sampler="random", executor=executor, n_trials=1, trial_timeout=0.3, grace_s=_GRACE_S
        )
        with anyio.fail_after(self.patience_s):
            result = await sweep.run()
        assert [(str(trial.state), trial.error and trial.error.type) for trial in result.trials] == [
            ("FAILED", "TrialTimeout")
        ]

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

    # -- places ahead -------------------------------------------------------------------------------------------------

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
            assert not any(isinstance(event, (*_ENDS, ev.WorkerLost)) for event in stand.events)

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
            executor.kill(JobId(1, 1), _GRACE_S)
            assert await stand.next(ev.Killed) == ev.Killed(1, 1)
            assert await stand.end(0) == ev.Finished(0, 1, {"value": 0.5})
            assert stand.said(1) == ["Killed"]

    async def test_what_waits_behind_a_trial_that_is_killed_is_not_lost(self, executor: Executor) -> None:
        """It is given back, is known to be lost with its worker, or begins."""
        async with self.open(executor, "goes_on") as stand:
            await stand.two_at_one_slot()
            executor.kill(JobId(0, 1), _GRACE_S)
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

    async def test_leaving_while_something_waits_leaves_nothing_behind(self, executor: Executor) -> None:
        await anyio.to_thread.run_sync(int)
        before = _belongings(self.counts_fds)
        async with self.open(executor, "hangs") as stand:
            await stand.two_at_one_slot()
        assert _belongings(self.counts_fds) == before
        assert stand.said(1) == []

    # -- what is left -------------------------------------------------------------------------------------------------

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
>>>>>>> 73ce290b508e65479cf4df5f604aa5e3a209b0f1
