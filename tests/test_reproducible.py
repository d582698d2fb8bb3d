"""`reproducible=W`: the same sweep, whatever the timing, the concurrency up to W, and whoever dies on the way."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import optuna
import psutil
import pytest

import asyncsweep as sw

pytestmark = pytest.mark.anyio

NUMBERS = {"x": sw.Float(-5.0, 5.0), "y": sw.Float(1e-3, 1.0, log=True), "n": sw.Int(1, 9)}
MIXED = {**NUMBERS, "c": sw.Categorical(["a", "b", "c"])}
SAMPLERS = ("random", "tpe", "cmaes", "nsgaii")


def objective(timing: int, on_step: Any = None) -> Any:
    """A learning curve of nine steps with a failure now and then; `timing` shuffles who is first."""
    dice = random.Random(timing)

    async def curve(trial: sw.Trial) -> float:
        params = trial.params
        level = (params["x"] - 1) ** 2 + params["y"] + params["n"] / 10 + (params.get("c") == "a")
        for step in range(1, 10):
            for _ in range(dice.randrange(5)):
                await anyio.lowlevel.checkpoint()
            if on_step is not None:
                await on_step(trial, step)
            trial.report(level + 3.0 / step, step)
            if await trial.should_prune_async():
                raise sw.TrialPruned
        if params["n"] == 9:
            raise ValueError("no luck with nine")
        return float(level)

    return curve


def settings(sampler: str, pruner: str | None, seed: int, host: str = "inline") -> dict[str, Any]:
    return {
        "space": NUMBERS if sampler == "cmaes" else MIXED,
        "sampler": {"name": sampler, **({} if sampler == "random" else {"host": host})},
        "pruner": pruner,
        "seed": seed,
        "n_trials": 24,
        "reproducible": 8,
    }


def story(result: sw.Result) -> list[tuple[Any, ...]]:
    """Everything of a result that timing could change, but for the times themselves."""
    return [(t.number, t.state, t.params, t.metrics, list(t.reports), str(t.error)) for t in result.trials]


@pytest.mark.parametrize("pruner", ["median", "asha"])
@pytest.mark.parametrize("sampler", SAMPLERS)
async def test_timing_and_concurrency_change_nothing(sampler: str, pruner: str, anyio_backend_name: str) -> None:
    seeds = range(7) if anyio_backend_name == "asyncio" else range(1)
    pruned = 0
    for seed in seeds:
        stories = [
            story(await sw.Sweep(objective(seed * 8 + c), **settings(sampler, pruner, seed), concurrency=c).run())
            for c in (1, 2, 8)
        ]
        assert stories[0] == stories[1]
        assert stories[0] == stories[2]
        pruned += sum(trial[1] is sw.State.PRUNED for trial in stories[0])
    assert pruned > len(seeds)


async def test_without_it_timing_does_change_the_sweep() -> None:
    chosen = {**settings("tpe", "median", 1), "reproducible": False}
    stories = [story(await sw.Sweep(objective(timing), **chosen, concurrency=8).run()) for timing in range(3)]
    assert stories[0] != stories[1] or stories[0] != stories[2]


async def test_another_window_is_another_sweep() -> None:
    chosen = settings("tpe", None, 1)
    eight = await sw.Sweep(objective(1), **chosen, concurrency=1).run()
    one = await sw.Sweep(objective(1), **{**chosen, "reproducible": 1}, concurrency=1).run()
    assert story(eight) != story(one)


async def test_a_window_of_one_is_the_plain_sequential_sweep() -> None:
    chosen = {**settings("tpe", "median", 1), "reproducible": 1}
    one = await sw.Sweep(objective(1), **chosen, concurrency=1).run()
    plain = await sw.Sweep(objective(2), **{**chosen, "reproducible": False}, concurrency=1).run()
    assert story(one) == story(plain)


async def test_true_means_the_concurrency() -> None:
    chosen = settings("random", None, 1)
    sweep = sw.Sweep(objective(1), **{**chosen, "reproducible": True}, concurrency=4)
    assert sweep.spec.reproducible == 4


@pytest.mark.parametrize("rule", [{"patience": 3}, {"target": 2.0}])
async def test_stop_rules_end_the_sweep_at_the_same_trial(rule: dict[str, Any]) -> None:
    ends = set()
    for concurrency in (1, 2, 8):
        for timing in range(4):
            chosen = {**settings("random", None, 3), "n_trials": 60}
            result = await sw.Sweep(objective(timing), **chosen, **rule, concurrency=concurrency).run()
            ends.add(str(story(result)))
    assert len(ends) == 1
    assert len(result.trials) < 60


async def test_trials_beyond_the_stop_are_said_to_be_dropped() -> None:
    chosen = {**settings("random", None, 3), "n_trials": 60, "patience": 3}
    async with sw.Sweep(objective(1), **chosen, concurrency=8).start() as run:
        updates = [update async for update in run.updates()]
        result = await run.result()
    seen = {update.trial for update in updates if isinstance(update, sw.TrialFinished)}
    dropped = {update.trial for update in updates if isinstance(update, sw.TrialDropped)}
    assert dropped
    assert sorted(seen - dropped) == [trial.number for trial in result.trials]


@pytest.mark.parametrize("pruner", [None, "median", "asha"])
@pytest.mark.parametrize("sampler", SAMPLERS)
async def test_an_interrupted_sweep_goes_on_as_if_nothing_had_happened(
    sampler: str, pruner: str | None, tmp_path: Path
) -> None:
    chosen = settings(sampler, pruner, 5)
    undisturbed = story(await sw.Sweep(objective(1), **chosen, concurrency=8).run())
    interruptions = 0
    for at in (9, 15, 21):

        async def interrupt(trial: sw.Trial, step: int, at: int = at) -> None:
            if trial.number == at and step == 5:
                scope.cancel()
            await anyio.lowlevel.checkpoint()

        with anyio.CancelScope() as scope:
            curve = objective(at, interrupt)
            if at == 9:
                await sw.Sweep(curve, **chosen, concurrency=8, directory=tmp_path / "sweep").run()
            else:
                await sw.Sweep.resume(tmp_path / "sweep", curve)
        interruptions += scope.cancelled_caught
    resumed = await sw.Sweep.resume(tmp_path / "sweep", objective(4), concurrency=3)
    assert interruptions
    assert story(resumed) == undisturbed


@pytest.mark.any_loop
@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
async def test_a_killed_sampler_host_changes_nothing(sampler: str) -> None:
    async def kill_host(trial: sw.Trial, step: int) -> None:
        if trial.number in (5, 20) and step == 1:
            for child in psutil.Process().children():
                if "asyncsweep.search.host" in " ".join(child.cmdline()):
                    child.send_signal(signal.SIGKILL)
                    killed.append(child.pid)
                    while alive(child):  # noqa: ASYNC110 - no event tells; on a busy machine the next look would see it again
                        await anyio.sleep(0.005)

    killed: list[int] = []
    chosen = settings(sampler, "median", 6, host="process")
    undisturbed = await sw.Sweep(objective(1), **settings(sampler, "median", 6), concurrency=8).run()
    disturbed = await sw.Sweep(objective(2, kill_host), **chosen, concurrency=8).run()
    assert len(set(killed)) == 2
    assert story(disturbed) == story(undisturbed)


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_retry_changes_nothing() -> None:
    failed = set()

    async def stumble(trial: sw.Trial, step: int) -> None:
        if trial.number % 5 == 2 and step == 4 and trial.number not in failed:
            failed.add(trial.number)
            raise OSError("a flaky disk")

    chosen = {**settings("tpe", "asha", 2), "retries": 1, "n_trials": 16}
    smooth = [t[:5] for t in story(await sw.Sweep(objective(1), **chosen, concurrency=8).run())]
    rough = [t[:5] for t in story(await sw.Sweep(objective(2, stumble), **chosen, concurrency=8).run())]
    assert failed
    assert rough == smooth


async def test_more_concurrency_than_the_window_is_refused() -> None:
    with pytest.raises(sw.ConfigError, match="concurrency=9: reproducible=8 allows at most 8"):
        sw.Sweep(objective(1), **settings("random", None, 1), concurrency=9)


async def test_the_window_stays_what_it_was_when_a_sweep_is_opened_again(tmp_path: Path) -> None:
    await sw.Sweep(objective(1), **settings("random", None, 1), concurrency=2, directory=tmp_path / "sweep").run()
    assert sw.Sweep.open(tmp_path / "sweep", objective(1), n_trials=30).spec.reproducible == 8
    with pytest.raises(sw.ConfigError, match="reproducible=4: it cannot be changed"):
        sw.Sweep.open(tmp_path / "sweep", objective(1), reproducible=4)


@pytest.mark.parametrize("value", [0, -1, 1.5, "yes"])
async def test_a_window_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(sw.ConfigError, match="reproducible="):
        sw.Sweep(objective(1), NUMBERS, reproducible=value)


async def test_trials_cannot_be_taken_out_of_a_reproducible_sweep() -> None:
    async with sw.Sweep(objective(1), **{**settings("random", None, 1), "n_trials": 2}).start() as run:
        with pytest.raises(sw.ConfigError, match="runs its trials itself"):
            await run.ask()


async def test_parameters_outside_the_space_fail_the_trial_where_their_order_would_count() -> None:
    async def asks(trial: sw.Trial) -> float:
        return await trial.suggest_float_async("z", 0.0, 1.0)

    sampler = {"name": "tpe", "host": "inline"}
    result = await sw.Sweep(asks, {"of the space": 1}, sampler=sampler, n_trials=1, reproducible=2).run()
    assert "'z' is not in the space: with `reproducible` every parameter must be" in str(result.trials[0].error)


async def test_parameters_outside_the_space_are_the_same_where_only_their_name_counts() -> None:
    async def asks(trial: sw.Trial) -> float:
        await anyio.lowlevel.checkpoint()
        return await trial.suggest_float_async("z", 0.0, 1.0)

    results = [
        await sw.Sweep(asks, {}, sampler="random", n_trials=9, seed=1, reproducible=4, concurrency=c).run()
        for c in (1, 4)
    ]
    assert story(results[0]) == story(results[1])


def long_and_short(timing: int, on_step: Any = None) -> Any:
    """Trials of 5 to 40 steps: how long the longest is depends on which of them are known."""
    dice = random.Random(timing)

    async def curve(trial: sw.Trial) -> float:
        level = (trial.params["x"] - 1) ** 2 + trial.params["n"] / 10
        for step in range(5 + 7 * (trial.number * 5 % 6)):
            for _ in range(dice.randrange(3)):
                await anyio.lowlevel.checkpoint()
            if on_step is not None:
                await on_step(trial, step)
            trial.report(level + 3.0 / (step + 1), step)
            if await trial.should_prune_async():
                raise sw.TrialPruned
        return float(level)

    return curve


@pytest.mark.parametrize("pruner", ["hyperband", "asha"])
async def test_what_a_pruner_learns_for_itself_is_learnt_again_by_the_next_one(pruner: str, tmp_path: Path) -> None:
    for seed in range(3):
        chosen = {**settings("random", pruner, seed), "n_trials": 40}
        undisturbed = await sw.Sweep(long_and_short(1), **chosen, concurrency=8).run()
        for at in (13, 22, 30):

            async def interrupt(trial: sw.Trial, step: int, at: int = at) -> None:
                if trial.number == at and step == 0:
                    scope.cancel()
                await anyio.lowlevel.checkpoint()

            with anyio.CancelScope() as scope:
                curve = long_and_short(at, interrupt)
                if at == 13:
                    await sw.Sweep(curve, **chosen, concurrency=8, directory=tmp_path / f"{seed}").run()
                else:
                    await sw.Sweep.resume(tmp_path / f"{seed}", curve)
            assert scope.cancelled_caught
        resumed = await sw.Sweep.resume(tmp_path / f"{seed}", long_and_short(4), concurrency=3)
        assert story(resumed) == story(undisturbed)
        assert undisturbed.counts[sw.State.PRUNED] > 5


@pytest.mark.any_loop
async def test_an_optuna_sampler_without_a_seed_is_refused() -> None:
    chosen = {**settings("tpe", None, 1), "n_trials": 2}
    with pytest.raises(sw.ConfigError, match=r"needs a seed of its own: TPESampler\(seed=1\)"):
        await sw.Sweep(objective(1), **{**chosen, "sampler": optuna.samplers.TPESampler()}).run()
    await sw.Sweep(objective(1), **{**chosen, "sampler": optuna.samplers.TPESampler(seed=1)}).run()


@pytest.mark.any_loop
@pytest.mark.parametrize(
    "pruner", [optuna.pruners.HyperbandPruner(), optuna.pruners.SuccessiveHalvingPruner()], ids=["hyperband", "asha"]
)
async def test_an_optuna_pruner_that_learns_its_resource_is_refused(pruner: Any) -> None:
    with pytest.raises(sw.ConfigError, match="its resource must be a number"):
        await sw.Sweep(objective(1), **{**settings("random", None, 1), "pruner": pruner}).run()
