"""Parameters that the user wants tried first, or next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw

pytestmark = pytest.mark.anyio

SPACE = {"x": sw.Float(0.0, 1.0), "opt": sw.Categorical(["sgd", "adam"]), "m": sw.Float(0.0, 1.0, when={"opt": "sgd"})}
WANTED = [{"x": 0.25, "opt": "adam"}, {"x": 0.5}, {"opt": "sgd", "m": 0.75}]
PLACES = pytest.mark.parametrize(
    "sampler", ["random", {"name": "tpe", "host": "inline"}, "tpe"], ids=["random", "here", "host"]
)


async def square(trial: sw.Trial) -> float:
    await anyio.lowlevel.checkpoint()
    return float(trial.params["x"]) ** 2


@PLACES
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_what_is_enqueued_at_the_start_is_tried_first(sampler: Any, concurrency: int) -> None:
    sweep = sw.Sweep(square, SPACE, sampler=sampler, enqueue=WANTED, n_trials=6, concurrency=concurrency, seed=1)
    first, second, third, *_ = (trial.params for trial in (await sweep.run()).trials)
    assert first == {"x": 0.25, "opt": "adam"}
    assert second["x"] == 0.5
    assert third | {"x": 0.0} == {"x": 0.0, "opt": "sgd", "m": 0.75}


async def test_a_reproducible_sweep_tries_it_first_at_any_concurrency() -> None:
    stories = []
    for concurrency in (1, 3):
        sweep = sw.Sweep(
            square, SPACE, sampler="random", enqueue=WANTED, n_trials=8, concurrency=concurrency, seed=1, reproducible=3
        )
        stories.append([trial.params for trial in (await sweep.run()).trials])
    assert stories[0] == stories[1]
    assert stories[0][0] == WANTED[0]


async def test_one_mapping_is_enough() -> None:
    result = await sw.Sweep(square, SPACE, sampler="random", enqueue=WANTED[0], n_trials=1).run()
    assert result.trials[0].params == WANTED[0]


async def test_what_was_enqueued_and_not_tried_is_tried_after_a_resume(tmp_path: Path) -> None:
    settings = {"sampler": "random", "enqueue": WANTED[:2], "directory": tmp_path / "sweep", "n_trials": 3}
    await sw.Sweep(square, SPACE, **settings, stop_when=lambda run: True).run()
    result = await sw.Sweep.resume(tmp_path / "sweep", square, stop_when=None)
    assert [trial.params["x"] for trial in result.trials][:2] == [0.25, 0.5]


@PLACES
async def test_an_objective_that_asks_for_a_parameter_gets_what_was_enqueued(sampler: Any) -> None:
    async def asks(trial: sw.Trial) -> float:
        return await trial.suggest_float_async("lr", 0.0, 1.0) + await trial.suggest_int_async("n", 1, 3)

    sweep = sw.Sweep(asks, {}, sampler=sampler, enqueue=[{"lr": 0.125, "n": 3}, {"lr": 0.25}], n_trials=3)
    first, second, _ = (trial.params for trial in (await sweep.run()).trials)
    assert first == {"lr": 0.125, "n": 3}
    assert second["lr"] == 0.25


async def test_a_value_outside_of_what_the_objective_asks_for_fails_that_trial() -> None:
    async def asks(trial: sw.Trial) -> float:
        return await trial.suggest_float_async("lr", 0.0, 1.0)

    result = await sw.Sweep(asks, {}, sampler="random", enqueue={"lr": 7.0}, n_trials=2).run()
    assert [trial.state.value for trial in result.trials] == ["FAILED", "COMPLETE"]
    assert "7.0 was enqueued, which is not in" in str(result.trials[0].error)


@pytest.mark.parametrize(
    ("enqueue", "message"),
    [
        ([{"x": 0.5}, {"y": 1}], r"enqueue\[1\]: parameter 'y' is unknown"),
        ([{"x": 7.0}], r"enqueue\[0\]: parameter 'x': 7\.0"),
        ([{"opt": "adam", "m": 0.5}], r"enqueue\[0\]: parameter 'm': 0\.5 is given, but"),
        ([3], r"enqueue\[0\]: params=3"),
        ("x", "enqueue='x': expected a list or tuple"),
    ],
)
def test_what_is_not_in_the_space_is_refused_with_its_place(enqueue: Any, message: str) -> None:
    with pytest.raises(sw.ConfigError, match=message):
        sw.Sweep(square, SPACE, enqueue=enqueue)


async def test_what_is_enqueued_goes_before_what_was_fetched_ahead() -> None:
    """Trials are short and the sampler is slow, so many suggestions wait; the next trial to start is the user's."""
    started: list[int] = []
    fetched = 0

    async def slow_enough(trial: sw.Trial) -> float:
        started.append(trial.number)
        await anyio.sleep(0.02)
        return 0.0

    sampler = {"name": "tpe", "host": "process", "n_startup_trials": 1}
    async with sw.Sweep(slow_enough, SPACE, sampler=sampler, n_trials=120, concurrency=4, seed=1).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialFinished) and not fetched:
                ready = [t for t in run.trials if t.state is sw.State.WAITING and t.param_names is not None]
                if len(ready) > 2:
                    fetched = len(run.trials)
                    run.enqueue({"x": 0.125})
        result = await run.result()
    assert fetched
    mine = next(trial.number for trial in result.trials if trial.params["x"] == 0.125)
    # Those that ran, and those that took a slot before its parameters came from the host.
    before = started.index(mine)
    assert before <= mine
    assert sum(number > mine for number in started[:before]) == 0
