"""A running sweep: watched and steered."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.journal import journal as journals
from asyncsweep.samplers.random import RandomSampler
from tests.journal.faulty import FaultyFiles
from tests.small_objectives import SPACE, curve, endless, square, square_by_name

pytestmark = pytest.mark.anyio


class Gate:
    """An objective that waits until it is let through."""

    def __init__(self) -> None:
        self.open = anyio.Event()
        self.running = 0
        self.started = anyio.Event()

    async def __call__(self, trial: Any) -> float:
        self.running += 1
        self.started.set()
        await self.open.wait()
        return float(trial.params.get("x", 0.0))


def sweep(objective: Any, **settings: Any) -> sw.Sweep:
    return sw.Sweep(objective, SPACE, **{"sampler": "random", "seed": 1, **settings})


def names(updates: list[sw.Update]) -> list[str]:
    return [type(update).__name__ for update in updates]


async def until(run: sw.SweepRun, kind: type[sw.Update]) -> sw.Update:
    """The next update of a kind."""
    async for update in run.updates():
        if isinstance(update, kind):
            return update
    raise AssertionError(f"the sweep ended without a {kind.__name__}")


# -- watching ----------------------------------------------------------------------------------------------------------


async def test_the_first_to_watch_sees_the_whole_story_in_order() -> None:
    async with sweep(square, n_trials=2).start() as run:
        await run.result()
        told = [update async for update in run.updates()]
    story = ["TrialSuggested", "TrialStarted", "TrialFinished"]
    assert names(told) == [*story, *story, "SweepFinished"]


async def test_others_see_what_happens_from_then_on() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=1).start() as run:
        run.updates()
        await gate.started.wait()
        watched = run.updates()
        gate.open.set()
        assert names([update async for update in watched]) == ["TrialFinished", "SweepFinished"]


async def test_two_who_watch_see_the_same() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=3).start() as run:
        run.updates()
        both = [run.updates(), run.updates()]
        gate.open.set()
        told = [[update async for update in watched] for watched in both]
    assert told[0] == told[1] != []


async def test_a_consumer_that_went_away_is_forgotten() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=3).start() as run:
        await until(run, sw.TrialStarted)
        gate.open.set()
        await until(run, sw.TrialFinished)
        gc.collect()
        run.pause()
        assert run._driver.watchers._watchers == []
        run.unpause()


async def test_a_consumer_that_falls_behind_is_told_how_much_it_missed() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=1).start() as run:
        watcher = run._driver.watchers.add(buffered=4)
        gate.open.set()
        for _ in range(3):
            run.pause()
            run.unpause()
        seen = await watcher.take()
    assert names(seen) == ["UpdatesSkipped"] + ["SweepPaused", "SweepUnpaused"] * 2
    assert isinstance(seen[0], sw.UpdatesSkipped) and seen[0].count == 2


async def test_a_consumer_that_never_looks_stalls_nothing() -> None:
    async with sweep(curve, n_trials=200).start() as run:
        forgotten = run._driver.watchers.add(buffered=10)
        result = await run.result()
        assert len(result.trials) == 200
        seen = [update async for update in forgotten]
    assert (names(seen)[0], names(seen)[-1], len(seen)) == ("UpdatesSkipped", "SweepFinished", 11)


async def test_updates_end_at_once_after_the_end() -> None:
    async with sweep(square, n_trials=1).start() as run:
        await run.result()
        run.updates()
        assert [update async for update in run.updates()] == []


async def test_updates_end_when_the_sweep_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = FaultyFiles()
    monkeypatch.setattr(journals, "OsFiles", lambda: files)
    gate = Gate()

    async def watch_to_the_end() -> None:
        async with sweep(gate, n_trials=1, directory=tmp_path).start() as run:
            files.writes_left = 0
            gate.open.set()
            async for _ in run.updates():
                pass

    with anyio.fail_after(10), pytest.raises(sw.JournalError):
        await watch_to_the_end()


async def test_a_snapshot_is_a_result_of_what_there_is() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=3, concurrency=2).start() as run:
        await gate.started.wait()
        snapshot = run.snapshot()
        assert ([t.state.value for t in snapshot.trials], snapshot.reason, run.is_over) == (["RUNNING"] * 2, "", False)
        gate.open.set()
    assert (run.is_over, run.snapshot().reason) == (True, "n_trials reached")


async def test_a_snapshot_stays_as_it_was() -> None:
    ready, going_on = anyio.Event(), anyio.Event()

    async def reporting(trial: Any) -> float:
        trial.report({"value": 1.0, "more": 2.0}, 0)
        trial.set_user_attr("a", 1)
        ready.set()
        await going_on.wait()
        trial.report({"value": 3.0, "more": 4.0}, 1)
        trial.set_user_attr("b", 2)
        return 0.0

    async with sweep(reporting, n_trials=1).start() as run:
        await ready.wait()
        trial = run.snapshot().trials[0]
        going_on.set()
        await run.result()
    assert (trial.state, list(trial.reports), trial.user_attrs) == (sw.State.RUNNING, [(0, 1.0)], {"a": 1})
    assert trial.report_metrics == [(0, {"more": 2.0})]


async def test_a_snapshot_of_a_sweep_that_never_opened_is_empty() -> None:
    class Shut(RandomSampler):
        def open(self, *_: Any) -> None:
            raise ValueError("shut")

    run = sweep(square, sampler=Shut()).start()
    with pytest.raises(sw.PluginError, match="shut"):
        await run.__aenter__()
    assert repr(run.snapshot()) == "<Result: no trials>"


async def test_counts_and_best_follow_the_sweep() -> None:
    async with sweep(square, n_trials=4).start() as run:
        result = await run.result()
        assert (run.counts, run.best, run.n_trials, len(run.trials)) == (result.counts, result.best, 4, 4)


# -- steering ----------------------------------------------------------------------------------------------------------


async def test_stop_lets_running_trials_finish() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=10, concurrency=2).start() as run:
        await gate.started.wait()
        run.stop("good enough")
        gate.open.set()
        result = await run.result()
    assert (result.reason, [t.state.value for t in result.trials]) == ("good enough", ["COMPLETE"] * 2)


async def test_stop_now_cancels_running_trials() -> None:
    async with sweep(endless, n_trials=10, concurrency=2).start() as run:
        run.stop(now=True)
        result = await run.result()
    assert (result.reason, [t.state.value for t in result.trials]) == ("stopped", ["CANCELLED"] * 2)


async def test_a_paused_sweep_starts_nothing_until_it_is_unpaused() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=3).start() as run:
        run.pause()
        gate.open.set()
        await until(run, sw.TrialFinished)
        assert (gate.running, run.counts[sw.State.COMPLETE]) == (1, 1)
        run.unpause()
        assert (await run.result()).counts[sw.State.COMPLETE] == 3


async def test_a_cancelled_trial_is_cancelled_and_the_others_go_on() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=3).start() as run:
        await gate.started.wait()
        run.cancel_trial(0)
        gate.open.set()
        result = await run.result()
    assert [t.state.value for t in result.trials] == ["CANCELLED", "COMPLETE", "COMPLETE"]


async def test_cancelling_a_final_trial_changes_nothing() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=2).start() as run:
        gate.open.set()
        await until(run, sw.TrialFinished)
        run.cancel_trial(0)
    assert run.trials[0].state is sw.State.COMPLETE


async def test_enqueued_parameters_are_tried_next() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=3).start() as run:
        run.enqueue({"x": 1})
        run.enqueue({"x": 0.25})
        gate.open.set()
        result = await run.result()
    assert [t.params["x"] for t in result.trials[1:]] == [1.0, 0.25]


async def test_what_the_budget_has_no_room_for_is_not_enqueued() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=3).start() as run:
        run.enqueue({"x": 0.25})
        run.enqueue({"x": 0.5})
        with pytest.raises(sw.ConfigError, match=r"enqueue\(\): the sweep takes no more trials"):
            run.enqueue({"x": 0.75})
        gate.open.set()


async def test_nothing_is_enqueued_after_the_end() -> None:
    async with sweep(square, n_trials=None).start() as run:
        run.stop()
    with pytest.raises(sw.ConfigError, match=r"enqueue\(\): the sweep takes no more trials"):
        run.enqueue({"x": 0.5})


async def test_the_sampler_fills_in_what_was_not_enqueued() -> None:
    gate = Gate()
    space = {"x": sw.Float(0, 1), "n": sw.Int(1, 9)}
    async with sw.Sweep(gate, space, sampler="random", n_trials=2).start() as run:
        run.enqueue({"n": 5})
        gate.open.set()
        result = await run.result()
    params = result.trials[1].params
    assert (list(params), params["n"], 0 <= params["x"] <= 1) == (["x", "n"], 5, True)


async def test_an_asked_trial_is_told_from_outside() -> None:
    async with sweep(square, n_trials=3).start() as run:
        run.pause()
        trial = await run.ask()
        assert (trial.state, list(trial.params)) == (sw.State.RUNNING, ["x"])
        run.tell(trial, -1.0)
        run.unpause()
        result = await run.result()
    assert result.best is not None and result.best.number == trial.number


async def test_an_asked_trial_counts_towards_the_budget_and_holds_no_slot() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=2, concurrency=1).start() as run:
        trial = await run.ask()
        with pytest.raises(sw.ConfigError, match=r"ask\(\): the sweep takes no more trials"):
            await run.ask()
        gate.open.set()
        run.tell(trial, 0.5)
        result = await run.result()
    assert [t.state.value for t in result.trials] == ["COMPLETE", "COMPLETE"]


async def test_an_asked_trial_can_be_told_as_pruned_or_failed() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=3).start() as run:
        run.tell(await run.ask(), state="PRUNED")
        run.tell((await run.ask()).number, state=sw.State.FAILED)
        gate.open.set()
        result = await run.result()
    assert [t.state.value for t in result.trials] == ["COMPLETE", "PRUNED", "FAILED"]


async def test_an_asked_trial_that_is_told_nan_fails() -> None:
    gate = Gate()
    async with sweep(gate, n_trials=2).start() as run:
        run.tell(await run.ask(), float("nan"))
        gate.open.set()
    assert run.trials[1].state is sw.State.FAILED


async def test_ask_waits_for_a_sampler_in_another_process() -> None:
    gate = Gate()
    async with sweep(gate, sampler="tpe", n_trials=2).start() as run:
        trial = await run.ask()
        run.tell(trial, 0.5)
        gate.open.set()
        assert (await run.result()).counts[sw.State.COMPLETE] == 2


async def test_who_waits_in_ask_when_the_sweep_breaks_is_told() -> None:
    class Mute:
        """Dies whenever it is asked."""

        def open(self, *_: Any) -> None: ...
        def ask(self, trial: Any) -> Any:
            import os

            os._exit(3)

        def tell(self, trial: Any) -> None: ...
        def suggest(self, *_: Any) -> Any: ...

    async def ask() -> None:
        async with sweep(square, sampler=Mute()).start() as run:
            with pytest.raises(sw.ConfigError, match="takes no more trials"):
                await run.ask()

    with anyio.fail_after(30), pytest.raises(sw.PluginError, match="exit code 3"):
        await ask()


async def test_two_who_ask_at_once_get_two_trials() -> None:
    gate = Gate()
    got: list[int] = []
    async with sweep(gate, sampler="tpe", n_trials=3).start() as run:

        async def ask() -> None:
            trial = await run.ask()
            got.append(trial.number)
            run.tell(trial, 1.0)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
        gate.open.set()
    assert sorted(got) == [1, 2]


async def test_a_trial_whose_ask_was_cancelled_is_cancelled() -> None:
    gate = Gate()
    async with sweep(gate, sampler="tpe", n_trials=2).start() as run:
        await gate.started.wait()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await run.ask()
        gate.open.set()
        with anyio.fail_after(20):
            result = await run.result()
    assert [t.state.value for t in result.trials] == ["COMPLETE", "CANCELLED"]


async def test_ask_is_refused_by_an_exhausted_sampler() -> None:
    gate = Gate()
    async with sw.Sweep(gate, {"a": sw.Categorical([1])}, sampler="grid", n_trials=None).start() as run:
        await gate.started.wait()
        with anyio.move_on_after(5), pytest.raises(sw.ConfigError, match="takes no more trials"):
            await run.ask()
        gate.open.set()


async def test_the_budget_of_trials_asked_for_alone_needs_no_slot() -> None:
    async with sweep(endless, n_trials=4).start() as run:
        run.pause()
        for _ in range(3):
            run.tell(await run.ask(), 1.0)
        run.stop(now=True)
    assert run.counts[sw.State.COMPLETE] == 3


# -- entering and leaving ----------------------------------------------------------------------------------------------


async def test_leaving_normally_waits_for_the_end() -> None:
    async with sweep(curve, n_trials=20).start() as run:
        pass
    assert run.counts[sw.State.COMPLETE] == 20


async def test_leaving_by_an_exception_stops_and_raises_it_as_it_is() -> None:
    with anyio.fail_after(10), pytest.raises(KeyError, match="mine"):
        async with sweep(endless, concurrency=3).start():
            raise KeyError("mine")


@pytest.mark.parametrize("fault", [SystemExit(4), KeyboardInterrupt()])
async def test_leaving_by_an_order_to_exit_raises_it(fault: BaseException) -> None:
    async def leave() -> None:
        async with sweep(endless).start():
            raise BaseExceptionGroup("several", [ValueError("other"), fault])

    left: list[BaseException] = []
    try:
        await leave()
    except BaseException as error:  # what pytest would take as meant for itself
        left.append(error)
    assert left == [fault]


async def test_leaving_by_an_exception_stops_worker_processes_too() -> None:
    async def leave() -> None:
        async with sweep(square_by_name, executor="process", n_trials=10_000).start() as run:
            await until(run, sw.TrialFinished)
            raise KeyError

    with pytest.raises(KeyError):
        await leave()


async def test_methods_after_the_end_change_nothing() -> None:
    async with sweep(square, n_trials=1).start() as run:
        pass
    run.pause()
    run.unpause()
    run.stop()
    run.cancel_trial(0)
    with pytest.raises(sw.ConfigError, match="takes no more trials"):
        await run.ask()
    assert [t.state.value for t in run.trials] == ["COMPLETE"]


async def test_the_result_can_be_waited_for_by_many() -> None:
    gate, got = Gate(), []
    async with sweep(gate, n_trials=1).start() as run:

        async def wait() -> None:
            got.append((await run.result()).best)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
            gate.open.set()
    assert got == [run.best] * 3
