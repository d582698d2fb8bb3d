"""Needs that nobody can meet are refused as soon as that is known; executors that are added are held to the same rules as the first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep.core.records import State
from asyncsweep.hooks.contracts import Inbox, Setup
from tests.driver.test_crew import SPACE, Answers, Waits, sweep, where

pytestmark = pytest.mark.anyio


async def coroutine(x: float) -> float:
    await anyio.lowlevel.checkpoint()
    return x


class FindsOut(Answers):
    """One that knows what it has only when it is open."""

    resources: dict[str, Any] | None = None

    def __init__(self, offered: dict[str, Any], name: str = "w") -> None:
        super().__init__(1, name, offered)

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self.resources = self.offered
        async with super().open(setup, inbox), anyio.create_task_group():
            yield


class Poor(Answers):
    resources: ClassVar[dict[str, Any]] = {"cpus": 2}


async def test_needs_that_an_executor_cannot_meet_once_it_is_open_end_the_sweep() -> None:
    executor = FindsOut({"gpus": 1.0, "labels": {"gpu": "A"}})
    made = sw.Sweep(where, SPACE, executor=executor, needs={"labels": {"gpu": "B"}})
    with pytest.raises(
        sw.ConfigError,
        match=r"needs=\{'labels': \{'gpu': 'B'\}\}: no trial could run: executor='FindsOut' offers labels=\{'gpu': 'A'\}",
    ):
        await made.run()
    assert (executor.launched, executor.is_open) == ([], False)


async def test_one_of_several_that_meets_the_needs_is_enough() -> None:
    poor, rich = FindsOut({}), FindsOut({"gpus": 1}, "rich")
    assert (await sweep(poor, rich, needs={"gpus": 1}).run()).counts[State.COMPLETE] == 12
    with pytest.raises(
        sw.ConfigError, match=r"executor='FindsOut' offers no gpus.*; executor='FindsOut-2' offers no gpus"
    ):
        await sweep(FindsOut({}), FindsOut({}), needs={"gpus": 1}).run()


async def test_an_executor_that_cannot_meet_the_needs_is_not_added() -> None:
    first = Waits(1, "rich", {"gpus": 1})
    async with sw.Sweep(where, SPACE, sampler="random", executor=first, n_trials=3, needs={"gpus": 1}).start() as run:
        for added in ("thread", Poor(name="poor")):
            with pytest.raises(sw.ConfigError, match=r"add_executor\(\): needs=\{'gpus': 1.0\}: no trial could run"):
                await run.add_executor(added)
        late = FindsOut({"gpus": 0.5}, "late")
        with pytest.raises(
            sw.ConfigError, match=r"add_executor\(\): .* executor='FindsOut' offers gpus=0.5, and 1 is needed"
        ):
            await run.add_executor(late)
        assert (run.executors, run.concurrency, late.is_open, late.launched) == (("Waits",), 1, False, [])
        run.stop(now=True)


async def test_one_whose_code_fails_as_it_is_opened_is_not_added() -> None:
    class Fails(Answers):
        @asynccontextmanager
        async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
            async with anyio.create_task_group():
                raise RuntimeError("no route")
            yield

    async with sw.Sweep(where, SPACE, sampler="random", executor=Waits(), n_trials=3).start() as run:
        with pytest.raises(sw.PluginError, match="Fails' failed: RuntimeError: no route"):
            await run.add_executor(Fails())
        assert (run.executors, run.is_over) == (("Waits",), False)
        run.stop(now=True)


async def test_an_executor_that_cannot_run_the_objective_is_not_added() -> None:
    async with sw.Sweep(where, SPACE, sampler="random", executor=Waits(), n_trials=3).start() as run:
        with pytest.raises(
            sw.ConfigError, match="executor='inline': it runs on the event loop and needs an `async def`"
        ):
            await run.add_executor("inline")
        run.stop(now=True)
    async with sw.Sweep(coroutine, SPACE, sampler="random", executor=Waits(), n_trials=3).start() as run:
        with pytest.raises(sw.ConfigError, match="executor='thread': it needs a plain function"):
            await run.add_executor("thread")
        run.stop(now=True)
    program = sw.Command(["true", "{x}"])
    async with sw.Sweep(program, SPACE, sampler="random", executor="process", n_trials=1).start() as run:
        with pytest.raises(sw.ConfigError, match=r"it runs objectives in this process, and .* is a program"):
            await run.add_executor("thread")
        run.stop(now=True)


def test_a_list_in_a_list_is_refused() -> None:
    with pytest.raises(sw.ConfigError, match=r"executor\[1\]=\['process'\]: expected one executor, not a list"):
        sweep("thread", ["process"])


async def test_a_sweep_of_one_executor_goes_on_with_several_without_a_word_on_concurrency(tmp_path: Path) -> None:
    first = sw.Sweep(
        where, SPACE, sampler="random", executor="thread", n_trials=2, concurrency=2, directory=tmp_path / "s"
    )
    await first.run()
    again = sw.Sweep.open(tmp_path / "s", where, n_trials=6, executor=["thread", {"name": "thread", "slots": 2}])
    assert again.spec.concurrency == 0
    assert (await again.run()).counts[State.COMPLETE] == 6
    with pytest.raises(sw.ConfigError, match="concurrency=3: several executors have slots of their own"):
        sw.Sweep.open(tmp_path / "s", where, concurrency=3)


async def test_concurrency_is_what_there_is_once_slots_were_changed() -> None:
    one = Waits(2)
    async with sw.Sweep(where, SPACE, sampler="random", executor=one, concurrency=2, n_trials=20).start() as run:
        assert run.concurrency == 2
        await run.add_executor(Waits(1, "more"))
        assert run.concurrency == 3
        await run.resize("Waits", 1)
        assert run.concurrency == 2
        await run.resize("Waits-2", 4)
        assert run.concurrency == 5
        run.stop(now=True)
