"""The executors that call the objective in the application's own process: `inline` and `thread`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

import asyncsweep as sw
from tests import objectives
from tests.leaks import nothing_left

pytestmark = pytest.mark.anyio

X = {"x": sw.Float(0, 1)}
EVERYWHERE = pytest.mark.parametrize("executor", ["inline", "thread", "process"])


def form(name: str, executor: str) -> Callable[..., Any]:
    """An objective of `tests.objectives`, in the form that the executor takes."""
    found: Callable[..., Any] = getattr(objectives, f"{name}_async" if executor == "inline" else name)
    return found


async def sweep(objective: Any, space: dict[str, Any], **settings: Any) -> sw.Result:
    settings = {"sampler": "random", "n_trials": 3, "seed": 1, "grace_s": 0.2, **settings}
    async with nothing_left():
        return await sw.Sweep(objective, space, **settings).run()


# -- what an objective sees is the same everywhere ---------------------------------------------------------------------


@EVERYWHERE
async def test_parameters_are_defined_while_the_objective_runs(executor: str) -> None:
    result = await sweep(form("suggests", executor), {}, executor=executor)
    for trial in result.trials:
        assert list(trial.params) == ["x", "n", "kind"]
        assert trial.value == trial.params["x"] + trial.params["n"]


@EVERYWHERE
async def test_the_same_seed_suggests_the_same_everywhere(executor: str) -> None:
    here = await sweep(objectives.suggests_async, {}, executor="inline")
    there = await sweep(form("suggests", executor), {}, executor=executor)
    assert [trial.params for trial in there.trials] == [trial.params for trial in here.trials]


@EVERYWHERE
async def test_an_impossible_suggestion_fails_its_trial(executor: str) -> None:
    result = await sweep(form("suggests_nonsense", executor), {}, executor=executor, n_trials=1)
    assert str(result.trials[0].error).startswith("TrialError: ") and "2.0" in str(result.trials[0].error)


@EVERYWHERE
async def test_a_script_reports_without_the_trial_at_hand(executor: str) -> None:
    result = await sweep(form("reports_as_a_script", executor), X, executor=executor, direction={"loss": "minimize"})
    for trial in result.trials:
        x = trial.params["x"]
        assert (list(trial.reports), trial.user_attrs) == ([(0, x), (1, x + 1), (2, x + 2)], {"seen": trial.number})


@EVERYWHERE
async def test_attributes_that_cannot_be_stored_are_refused_where_they_are_set(executor: str) -> None:
    result = await sweep(form("stores_what_cannot_be_stored", executor), {}, executor=executor, n_trials=1)
    assert result.trials[0].value == 6.0


@EVERYWHERE
async def test_an_objective_cannot_change_the_space_or_the_record(executor: str) -> None:
    space = {"layers": [1, 2], "deep": {"inner": [3]}}
    result = await sweep(form("changes_its_parameters", executor), space, executor=executor)
    assert space == {"layers": [1, 2], "deep": {"inner": [3]}}
    for trial in result.trials:
        assert trial.params == {"layers": [1, 2], "deep": {"inner": [3]}, "choice": [1]}
        assert (trial.value, trial.user_attrs) == (3.0, {"attr": ["first"]})


@pytest.mark.parametrize("executor", ["thread", "process"])
async def test_several_threads_of_an_objective_report(executor: str) -> None:
    result = await sweep(objectives.reports_from_threads, {}, executor=executor, n_trials=1)
    assert [step for step, _ in result.trials[0].reports] == list(range(100))


async def test_a_forked_child_cannot_report() -> None:
    result = await sweep(objectives.reports_from_a_fork, {}, executor="process", n_trials=1)
    assert (result.trials[0].value, list(result.trials[0].reports)) == (42.0, [])


async def test_a_forked_child_that_comes_back_from_the_objective_ends_without_a_word() -> None:
    result = await sweep(objectives.forks_and_returns_twice, {}, executor="process", n_trials=1)
    assert result.trials[0].value == 0.0


# -- inline ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [objectives.square, "tests.objectives:square"])
async def test_inline_refuses_a_plain_function(objective: Any) -> None:
    with pytest.raises(sw.ConfigError, match="needs an `async def` objective"):
        await sweep(objective, X, executor="inline")


@pytest.mark.parametrize("objective", [objectives.square_async, "tests.objectives:square_async"])
async def test_thread_refuses_a_coroutine_function(objective: Any) -> None:
    with pytest.raises(sw.ConfigError, match="needs a plain function"):
        await sweep(objective, X, executor="thread")


async def test_trials_run_on_this_loop_at_the_same_time() -> None:
    together = anyio.Event()
    running = 0

    async def objective(x: float) -> float:
        nonlocal running
        running += 1
        if running == 3:
            together.set()
        await together.wait()
        return x

    with anyio.fail_after(5):
        result = await sweep(objective, X, concurrency=3)
    assert result.counts[sw.State.COMPLETE] == 3


async def test_a_trial_that_is_out_of_time_is_cancelled_and_may_clean_up() -> None:
    cleaned = []

    async def objective(trial: Any) -> float:
        try:
            await anyio.sleep(60)
        finally:
            cleaned.append(trial.number)
        return 0.0

    result = await sweep(objective, {}, trial_timeout=0.05, n_trials=2)
    assert ([trial.error.type for trial in result.trials if trial.error], cleaned) == (["TrialTimeout"] * 2, [0, 1])


async def test_a_trial_whose_nursery_is_cancelled_makes_room_for_the_next(anyio_backend: str) -> None:
    """Trio's own nurseries raise a group of cancellations."""

    async def objective(trial: Any) -> float:
        opened = trio.open_nursery() if anyio_backend == "trio" else anyio.create_task_group()
        async with opened as tasks:
            tasks.start_soon(anyio.sleep, 60)
            tasks.start_soon(anyio.sleep, 60)
            await anyio.sleep(60)
        return 0.0

    with anyio.fail_after(5):
        result = await sweep(objective, {}, trial_timeout=0.05, n_trials=2)
    assert [trial.error.type for trial in result.trials if trial.error] == ["TrialTimeout"] * 2


async def test_sys_exit_in_a_task_group_of_a_trial_fails_it() -> None:
    async def objective(trial: Any) -> float:
        if trial.number == 1:
            raise BaseExceptionGroup("of a task group", [SystemExit(3)])
        return 0.0

    result = await sweep(objective, {})
    assert [str(trial.state) for trial in result.trials] == ["COMPLETE", "FAILED", "COMPLETE"]


async def test_a_cancellation_of_the_objectives_own_fails_its_trial_alone() -> None:
    async def objective(trial: Any) -> float:
        if trial.number == 1:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await anyio.sleep(1)
            raise TimeoutError("own")
        return 0.0

    result = await sweep(objective, {})
    assert [str(trial.state) for trial in result.trials] == ["COMPLETE", "FAILED", "COMPLETE"]


async def test_cancelling_the_sweep_cancels_its_trials() -> None:
    started = anyio.Event()

    async def objective(x: float) -> float:
        started.set()
        await anyio.sleep(60)
        return x

    async with nothing_left(), anyio.create_task_group() as tasks:
        tasks.start_soon(sw.Sweep(objective, X, sampler="random").run)
        await started.wait()
        tasks.cancel_scope.cancel()


def test_trials_that_ran_when_asyncio_ended_are_taken_up_again(tmp_path: Path) -> None:
    """`asyncio.run` cancels every task by itself when its main function returns."""
    again = []

    async def waits(trial: Any) -> float:
        await anyio.sleep(60)
        return 0.0

    async def returns(trial: Any) -> float:
        again.append((trial.number, trial.attempt))
        return 0.0

    async def main() -> None:
        both_run = asyncio.Event()

        async def in_the_background() -> None:
            sweep = sw.Sweep(waits, {}, sampler="random", n_trials=2, concurrency=2, directory=tmp_path)
            async with sweep.start() as run:
                async for update in run.updates():
                    if isinstance(update, sw.TrialStarted) and update.trial == 1:
                        both_run.set()

        task = asyncio.create_task(in_the_background())
        await asyncio.wait_for(both_run.wait(), 10)
        assert not task.done()

    asyncio.run(main())
    result = asyncio.run(sw.Sweep.resume(tmp_path, returns))
    assert (result.counts[sw.State.COMPLETE], len(again)) == (2, 2)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_objective_that_cancels_its_own_task_fails_alone() -> None:
    async def objective(trial: Any) -> float:
        if trial.number == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await anyio.sleep(60)
        return 0.0

    with anyio.fail_after(5):
        result = await sweep(objective, {})
    assert [str(trial.state) for trial in result.trials] == ["COMPLETE", "FAILED", "COMPLETE"]


async def test_two_tasks_of_one_trial_ask_for_the_same_parameter() -> None:
    async def objective(trial: Any) -> float:
        values = []

        async def ask() -> None:
            values.append(await trial.suggest_float_async("x", 0, 1))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
        return float(values[0] == values[1])

    with anyio.fail_after(10):
        result = await sweep(objective, {}, sampler="tpe", n_trials=1)
    assert result.trials[0].value == 1.0


# -- threads -----------------------------------------------------------------------------------------------------------


async def test_a_class_is_built_once_for_all_threads() -> None:
    result = await sweep(objectives.Counting, X, executor="thread")
    assert [trial.metrics["calls"] for trial in result.trials] == [1, 2, 3]


async def test_a_thread_that_does_not_come_back_is_abandoned_and_unheard() -> None:
    release = threading.Event()

    def objective(trial: Any) -> float:
        if trial.number == 0:
            release.wait(20)
            trial.report(666.0, 0)
        return float(trial.number)

    with anyio.fail_after(10):
        result = await sweep(objective, {}, executor="thread", trial_timeout=0.1, grace_s=0.05)
    release.set()
    assert [str(trial.state) for trial in result.trials] == ["FAILED", "COMPLETE", "COMPLETE"]
    assert list(result.trials[0].reports) == []


async def test_a_killed_trial_in_a_thread_ends_at_its_next_report() -> None:
    ended = threading.Event()

    def objective(trial: Any) -> float:
        try:
            step = 0
            while True:
                trial.report(0.0, step)
                step += 1
                time.sleep(0.001)
        finally:
            ended.set()

    await sweep(objective, {}, executor="thread", trial_timeout=0.1, n_trials=1, grace_s=10)
    assert ended.is_set()


async def test_two_threads_of_one_trial_hear_their_own_answers() -> None:
    def objective(trial: Any) -> float:
        kinds: list[Any] = []

        def ask(name: str) -> None:
            kinds.append((name, trial.suggest_categorical(name, [name])))

        threads = [threading.Thread(target=ask, args=(f"p{n}",)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return float(sum(name == value for name, value in kinds))

    result = await sweep(objective, {}, executor="thread", n_trials=1)
    assert result.trials[0].value == 20.0


NEVER_RETURNS = """
import asyncio, sys, time
import asyncsweep as sw
def objective(x):
    while True:
        time.sleep(0.01)
class Objective:
    def __init__(self):
        objective(0)
    def __call__(self, x):
        return x
async def main():
    sweep = sw.Sweep(
        Objective if sys.argv[1] == "building" else objective, {"x": sw.Float(0, 1)},
        executor="thread", sampler="random", n_trials=1, trial_timeout=0.1, grace_s=0.1,
    )
    async with sweep.start() as run:
        if sys.argv[1] == "building":
            run.stop("enough", now=True)
        await run.result()
asyncio.run(main())
print("the end")
"""


@pytest.mark.parametrize("while_it_is", ["running", "building"])
def test_an_objective_that_never_returns_does_not_keep_the_interpreter(while_it_is: str) -> None:
    command = [sys.executable, "-c", NEVER_RETURNS, while_it_is]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.stdout, ended.returncode) == ("the end\n", 0), ended.stderr


async def test_threads_end_with_their_trials() -> None:
    threads: list[threading.Thread] = []

    def objective(x: float) -> float:
        threads.append(threading.current_thread())
        return x

    await sweep(objective, X, executor="thread")
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join, 5)
    assert [thread.is_alive() for thread in threads] == [False] * 3


async def test_an_objective_in_a_thread_sees_the_context_of_its_sweep() -> None:
    tenant: ContextVar[float] = ContextVar("tenant", default=0.0)
    tenant.set(7.0)
    result = await sweep(lambda x: tenant.get(), X, executor="thread", n_trials=1)
    assert result.trials[0].value == 7.0
