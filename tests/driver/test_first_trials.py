"""The first trials of a sweep without a seed, which need not wait for the sampler's process."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

import asyncsweep as sw
from asyncsweep.hooks.contracts import TrialRef
from asyncsweep.samplers.random import RandomSampler

SPACE = {"x": sw.Float(-10, 10), "n": sw.Int(1, 1000)}


async def square(x: float, n: int) -> float:
    return x * x + n


async def drawn_here(sweep: sw.Sweep) -> list[bool]:
    """Run a sweep; for each trial, whether its parameters are what the native random sampler draws."""
    result = await sweep.run()
    sampler = RandomSampler()
    sampler.open(sw.Space(SPACE), result.directions, sweep.spec.seed)
    return [trial.params == sampler.ask(TrialRef(trial.number)) for trial in result.trials]


@pytest.mark.anyio
async def test_as_many_as_run_at_a_time_are_drawn_here_and_the_next_ones_by_the_sampler() -> None:
    assert await drawn_here(sw.Sweep(square, SPACE, n_trials=4, concurrency=2)) == [True, True, False, False]


@pytest.mark.any_loop
@pytest.mark.anyio
async def test_they_are_told_to_the_sampler_and_the_pruner_once() -> None:
    async def reports(trial: sw.Trial) -> float:
        trial.report(trial.params["x"], 0)
        await trial.should_prune_async()
        return float(trial.params["x"])

    pruner = optuna.pruners.MedianPruner()
    sweep = sw.Sweep(reports, SPACE, sampler="tpe", pruner=pruner, n_trials=14, concurrency=2)
    async with sweep.start() as run:
        failures = [update async for update in run.updates() if isinstance(update, sw.PluginFailed)]
        result = await run.result()
    assert failures == []
    assert result.counts[sw.State.COMPLETE] + result.counts[sw.State.PRUNED] == 14


@pytest.mark.any_loop
@pytest.mark.anyio
@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 1},
        {"sampler": {"name": "tpe", "n_startup_trials": 5}},
        {"sampler": {"name": "tpe", "host": "thread"}},
        {"sampler": "cmaes"},
        {"reproducible": True},
        {"history": [{"x": 1.0, "n": 3, "value": 4.0}]},
    ],
    ids=["seed", "options", "thread", "cmaes", "reproducible", "history"],
)
async def test_where_the_first_suggestion_is_the_samplers_own_it_is_waited_for(settings: dict[str, Any]) -> None:
    assert await drawn_here(sw.Sweep(square, SPACE, n_trials=1, **settings)) == [False]


@pytest.mark.any_loop
@pytest.mark.anyio
async def test_what_is_enqueued_goes_before() -> None:
    result = await sw.Sweep(square, SPACE, n_trials=2, concurrency=2, enqueue=[{"n": 7}]).run()
    assert [trial.params["n"] == 7 for trial in result.trials] == [True, False]
