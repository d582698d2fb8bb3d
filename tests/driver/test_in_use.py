"""An executor, sampler or pruner that was given as an object serves one run at a time."""

from __future__ import annotations

from typing import Any

import anyio
import optuna
import pytest

import asyncsweep as sw
from asyncsweep.executors.inline import InlineExecutor
from asyncsweep.pruners.percentile import MedianPruner
from asyncsweep.samplers.random import RandomSampler
from tests.small_objectives import SPACE, endless, square

pytestmark = pytest.mark.anyio

OBJECTS: list[tuple[str, Any]] = [
    ("executor", InlineExecutor),
    ("sampler", RandomSampler),
    ("pruner", MedianPruner),
]


def sweep(objective: Any = square, **settings: Any) -> sw.Sweep:
    return sw.Sweep(objective, SPACE, **{"sampler": "random", "n_trials": 2, **settings})


@pytest.mark.parametrize(("kind", "make"), OBJECTS)
async def test_an_object_that_another_run_uses_is_refused(kind: str, make: Any) -> None:
    part = make()
    async with sweep(endless, **{kind: part}).start() as run:
        with pytest.raises(sw.ConfigError, match=f"this {kind} object is in use by another run; make one for each"):
            await sweep(**{kind: part}).run()
        run.stop(now=True)


async def test_a_refused_run_leaves_the_objects_of_the_other_run_in_use() -> None:
    executor, sampler = InlineExecutor(), RandomSampler()
    async with sweep(endless, sampler=sampler).start() as run:
        for _ in range(2):
            with pytest.raises(sw.ConfigError, match="sampler object is in use"):
                await sweep(executor=executor, sampler=sampler).run()
        assert len((await sweep(executor=executor).run()).trials) == 2
        run.stop(now=True)


@pytest.mark.parametrize(("kind", "make"), OBJECTS)
async def test_an_object_serves_one_run_after_another(kind: str, make: Any) -> None:
    part = make()
    results = [await sweep(**{kind: part}).run() for _ in range(2)]
    assert [len(result.trials) for result in results] == [2, 2]


async def test_an_object_is_free_again_after_a_failure() -> None:
    executor = InlineExecutor()
    with pytest.raises(KeyError):
        async with sweep(endless, executor=executor).start():
            raise KeyError
    assert len((await sweep(executor=executor).run()).trials) == 2


async def test_an_object_is_free_again_after_a_part_could_not_be_opened() -> None:
    class Shut(RandomSampler):
        def open(self, *_: Any) -> None:
            raise ValueError("shut")

    executor = InlineExecutor()
    with pytest.raises(sw.PluginError, match="shut"):
        await sweep(executor=executor, sampler=Shut()).run()
    assert len((await sweep(executor=executor).run()).trials) == 2


async def test_an_object_is_free_again_after_cancellation() -> None:
    executor = InlineExecutor()
    with anyio.move_on_after(0):
        await sweep(endless, executor=executor).run()
    async with sweep(endless, executor=executor).start() as run:
        run.stop(now=True)
    assert run.is_over


@pytest.mark.any_loop
async def test_what_the_host_gets_a_copy_of_serves_several_runs() -> None:
    sampler = optuna.samplers.RandomSampler()
    async with sweep(endless, sampler=sampler).start() as run:
        assert len((await sweep(sampler=sampler).run()).trials) == 2
        run.stop(now=True)
