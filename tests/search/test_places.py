"""Where samplers and pruners run: on the loop, in a thread, in a process; the answers are the same."""

from __future__ import annotations

import os
import threading
from typing import Any

import anyio
import optuna
import psutil
import pytest

import asyncsweep as sw
from asyncsweep.samplers.random import RandomSampler
from tests.parts import Whereabouts

pytestmark = pytest.mark.anyio

SPACE = {"x": sw.Float(-5.0, 5.0), "n": sw.Int(1, 9), "c": sw.Categorical(["a", "b"])}
PLACES = ("inline", "thread", "process")


async def curve(trial: sw.Trial) -> float:
    level = (trial.params["x"] - 1) ** 2 + trial.params["n"] / 10
    for step in range(6):
        trial.report(level + 1 / (step + 1), step)
        if await trial.should_prune_async():
            raise sw.TrialPruned
    return float(level)


def story(result: sw.Result) -> list[Any]:
    return [(t.number, t.state, t.params, t.metrics, len(t.steps or ())) for t in result.trials]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
async def test_suggestions_are_the_same_everywhere(sampler: str) -> None:
    stories = [
        story(
            await sw.Sweep(
                curve, SPACE, sampler=sw.sampler(sampler, host=place), pruner="median", n_trials=16, seed=3
            ).run()
        )
        for place in PLACES
    ]
    assert stories[0] == stories[1] == stories[2]
    assert any(trial[1] is sw.State.PRUNED for trial in stories[0])


@pytest.mark.any_loop
@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
async def test_verdicts_are_the_same_everywhere(pruner: str) -> None:
    stories = [
        story(
            await sw.Sweep(
                curve, SPACE, sampler="random", pruner={"name": pruner, "host": place}, n_trials=16, seed=3
            ).run()
        )
        for place in PLACES
    ]
    assert stories[0] == stories[1] == stories[2]
    assert any(trial[1] is sw.State.PRUNED for trial in stories[0])


@pytest.mark.any_loop
@pytest.mark.parametrize("sampler_host", PLACES)
@pytest.mark.parametrize("pruner_host", PLACES)
async def test_sampler_and_pruner_may_be_in_different_places(sampler_host: Any, pruner_host: Any) -> None:
    sweep = sw.Sweep(
        curve,
        SPACE,
        sampler=sw.sampler("tpe", host=sampler_host),
        pruner=sw.pruner("median", host=pruner_host),
        n_trials=14,
        seed=3,
    )
    plain = sw.Sweep(curve, SPACE, sampler=sw.sampler("tpe", host="inline"), pruner="median", n_trials=14, seed=3)
    assert story(await sweep.run()) == story(await plain.run())


@pytest.mark.parametrize("place", ["inline", "thread"])
async def test_instances_of_optuna_run_in_this_process_too(place: Any) -> None:
    class Placed(optuna.samplers.TPESampler):
        host = place

    sampler = Placed(seed=1)
    before = psutil.Process().children()
    result = await sw.Sweep(curve, SPACE, sampler=sampler, n_trials=12).run()
    assert result.counts[sw.State.COMPLETE] == 12
    assert psutil.Process().children() == before


@pytest.mark.any_loop
async def test_inline_is_on_the_loop_thread_in_a_thread_and_process_elsewhere() -> None:
    async def pid(trial: sw.Trial) -> float:
        return 0.0

    found = {}
    space = {"where": sw.Categorical([[0, ""]])}
    for place in PLACES:
        sweep = sw.Sweep(pid, space, sampler=Whereabouts(place), n_trials=1)
        error = str((await sweep.run()).trials[0].error)
        found[place] = error
    here, main = str(os.getpid()), threading.current_thread().name
    assert here in found["inline"] and main in found["inline"]
    assert here in found["thread"] and "asyncsweep-sampler" in found["thread"]
    assert here not in found["process"]


@pytest.mark.parametrize("kind", ["sampler", "pruner"])
async def test_a_place_that_does_not_exist_is_refused(kind: str) -> None:
    name = "random" if kind == "sampler" else "median"
    with pytest.raises(sw.ConfigError, match=rf"{kind}.host='thraed': expected .*did you mean 'thread'"):
        sw.Sweep(curve, SPACE, **{kind: {"name": name, "host": "thraed"}})


async def test_the_place_is_kept_for_a_resumed_sweep(tmp_path: Any) -> None:
    sampler = sw.sampler("tpe", host="inline")
    await sw.Sweep(curve, SPACE, sampler=sampler, n_trials=2, directory=tmp_path / "sweep").run()
    assert sw.Sweep.open(tmp_path / "sweep", curve, n_trials=3).spec.sampler.host == "inline"


async def test_a_sampler_that_never_comes_back_from_its_thread_does_not_keep_the_sweep_from_ending() -> None:
    release.clear()
    with anyio.fail_after(20):
        async with sw.Sweep(curve, {"x": sw.Float(0.0, 1.0)}, sampler=Stuck(), n_trials=1).start() as run:
            run.stop("enough", now=True)
        result = await run.result()
    assert result.reason == "enough"
    release.set()


release = threading.Event()


class Stuck(RandomSampler):
    host = "thread"  # type: ignore[assignment]

    def ask(self, trial: Any) -> dict[str, Any]:
        release.wait(30)
        return {"x": 0.5}


class Exits(RandomSampler):
    host = "thread"  # type: ignore[assignment]

    def ask(self, trial: Any) -> dict[str, Any]:
        raise SystemExit(3)


async def test_a_thread_that_ends_on_every_ask_ends_the_sweep_with_an_error() -> None:
    with anyio.fail_after(20), pytest.raises(sw.PluginError, match="ended by itself"):
        await sw.Sweep(curve, {"x": sw.Float(0.0, 1.0)}, sampler=Exits(), n_trials=1).run()


@pytest.mark.parametrize("place", ["inline", "thread"])
async def test_a_sampler_in_this_process_leaves_optunas_log_as_it_is(
    place: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = optuna.logging.get_verbosity()
    sampler = optuna.samplers.TPESampler(seed=1)
    sampler.host = place  # type: ignore[attr-defined]
    await sw.Sweep(curve, SPACE, sampler=sampler, n_trials=3, reproducible=2).run()
    assert optuna.logging.get_verbosity() == before
    assert capsys.readouterr().err == ""
