"""What samplers and pruners of others give is looked at, and what they do to themselves harms no one else."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import numpy
import optuna
import psutil
import pytest

import asyncsweep as sw
from asyncsweep.link import child
from asyncsweep.pruners.percentile import MedianPruner
from asyncsweep.samplers.random import RandomSampler
from asyncsweep.search import places
from tests.parts import Marking, MarkingPruner

pytestmark = [pytest.mark.anyio, pytest.mark.any_loop]

SPACE = {"x": sw.Float(0.0, 1.0), "n": sw.Int(1, 3)}
HOSTS = pytest.mark.parametrize("host", ["inline", "process"])
CYCLE: dict[str, Any] = {}
CYCLE["itself"] = CYCLE
BAD_ATTRS = {
    "a key that is a number": {1: 2},
    "a list": [1],
    "a text": "text",
    "an object": {"a": object()},
    "a number of more than 64 bits": {"a": 2**70},
    "a key within that is a number": {"a": {2: 3}},
    "what has no end": CYCLE,
}
EACH_BAD = pytest.mark.parametrize("attrs", BAD_ATTRS.values(), ids=BAD_ATTRS)


async def square(trial: sw.Trial) -> float:
    return float(trial.params["x"]) ** 2


async def curve(trial: sw.Trial) -> float:
    for step in range(4):
        trial.report(trial.params["x"] + step, step)
        if await trial.should_prune_async():
            raise sw.TrialPruned
    return float(trial.params["x"])


def hosts() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "asyncsweep.search.host" in " ".join(one.cmdline())]


async def until(happens: Callable[[], Any]) -> None:
    """Wait for what another process does."""
    with anyio.fail_after(20):
        while not happens():  # noqa: ASYNC110  nobody here could set an event
            await anyio.sleep(0.005)


@HOSTS
@EACH_BAD
async def test_attributes_that_cannot_be_stored_fail_the_trial_alone(attrs: Any, host: str, tmp_path: Path) -> None:
    sweep = sw.Sweep(square, SPACE, sampler=Marking(attrs, host), n_trials=3, directory=tmp_path / "sweep")
    result = await sweep.run()
    assert [trial.state.value for trial in result.trials] == ["COMPLETE", "FAILED", "COMPLETE"]
    again = await sw.Sweep.resume(tmp_path / "sweep", square, sampler="random", n_trials=4)
    assert [trial.sampler_attrs for trial in again.trials][:3] == [{"fine": 0}, None, {"fine": 2}]


@HOSTS
@EACH_BAD
async def test_attributes_of_a_pruner_that_cannot_be_stored_leave_the_trial_unpruned(
    attrs: Any, host: str, tmp_path: Path
) -> None:
    settings = {"sampler": "random", "pruner": MarkingPruner(attrs, host), "directory": tmp_path / "sweep"}
    result = await sw.Sweep(curve, SPACE, **settings, n_trials=3).run()
    assert [trial.state.value for trial in result.trials] == ["COMPLETE"] * 3
    again = await sw.Sweep.resume(tmp_path / "sweep", curve, pruner=None, n_trials=3)
    assert [trial.pruner_attrs for trial in again.trials] == [{"fine": 0}, None, {"fine": 2}]


@HOSTS
@pytest.mark.parametrize(
    "steps", [7, sw.VerdictSteps(-5), sw.VerdictSteps(every=0), sw.VerdictSteps(factor=0)], ids=str
)
async def test_verdict_steps_that_make_no_sense_are_refused_by_name(steps: Any, host: str) -> None:
    class Stepping(MedianPruner):
        def verdict_steps(self) -> Any:
            return steps

    pruner = Stepping()
    pruner.host = host  # type: ignore[misc, assignment]
    with pytest.raises(sw.PluginError, match=r"Stepping\.verdict_steps returned"):
        await sw.Sweep(curve, SPACE, sampler="random", pruner=pruner, n_trials=2).run()


@HOSTS
async def test_numbers_of_numpy_are_numbers(host: str) -> None:
    class Numpys(RandomSampler):
        def ask(self, trial: Any) -> Any:
            return {"x": numpy.float32(0.5), "n": numpy.int64(2)}

        def suggest(self, trial: Any, name: str, domain: Any) -> Any:
            return numpy.float64(0.25)

    async def asks(trial: sw.Trial) -> float:
        return await trial.suggest_float_async("more", 0.0, 1.0)

    sampler = Numpys()
    sampler.host = host  # type: ignore[misc, assignment]
    result = await sw.Sweep(asks, SPACE, sampler=sampler, n_trials=1).run()
    assert result.trials[0].params == {"x": 0.5, "n": 2, "more": 0.25}
    assert [type(value) for value in result.trials[0].params.values()] == [float, int, float]


class Returning(optuna.samplers.RandomSampler):
    """An Optuna sampler that suggests what it is given."""

    def __init__(self, value: Any) -> None:
        super().__init__(seed=1)
        self.value = value

    def sample_independent(self, *_: Any) -> Any:
        return self.value


@HOSTS
async def test_a_numpy_number_of_an_optuna_instance_is_a_number(host: str) -> None:
    sampler = Returning(numpy.float64(0.5))
    sampler.host = host
    result = await sw.Sweep(square, {"x": SPACE["x"]}, sampler=sampler, n_trials=2).run()
    assert [trial.value for trial in result.trials] == [0.25, 0.25]


@HOSTS
async def test_a_value_outside_of_its_domain_fails_the_trial_of_an_optuna_instance(host: str) -> None:
    sampler = Returning(100.0)
    sampler.host = host
    with pytest.raises(sw.PluginError, match=r"'x': 100\.0"):
        await sw.Sweep(square, {"x": SPACE["x"]}, sampler=sampler, n_trials=5).run()


@pytest.mark.each_loop
@HOSTS
async def test_a_pruner_that_raises_keeps_nothing_from_the_sampler(host: str, tmp_path: Path) -> None:
    class Listening(RandomSampler):
        def tell(self, trial: Any) -> None:
            with open(tmp_path / "told", "a") as file:
                file.write(f"{trial.number} ")

    class Deaf(MedianPruner):
        def report(self, trial: int, step: int, value: float) -> None:
            raise KeyError("deaf")

    sampler, pruner = Listening(), Deaf()
    sampler.host = pruner.host = host  # type: ignore[misc, assignment]
    await sw.Sweep(curve, SPACE, sampler=sampler, pruner=pruner, n_trials=3).run()
    assert (tmp_path / "told").read_text() == "0 1 2 "


@HOSTS
async def test_a_fault_while_learning_is_in_the_log_with_its_traceback(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Deaf(RandomSampler):
        def tell(self, trial: Any) -> None:
            raise KeyError("deaf")

    sampler = Deaf()
    sampler.host = host  # type: ignore[misc, assignment]
    with caplog.at_level(logging.ERROR, "asyncsweep"):
        await sw.Sweep(square, SPACE, sampler=sampler, n_trials=2).run()
    assert "sampler.tell failed, the sweep goes on: KeyError: 'deaf' (in Deaf)" in caplog.text
    assert 'raise KeyError("deaf")' in caplog.text


async def test_optunas_constraints_func_sees_what_the_objective_set() -> None:
    def objective(trial: Any) -> tuple[float, float]:
        x, y = trial.suggest_float("x", 0.0, 5.0), trial.suggest_float("y", 0.0, 3.0)
        trial.set_user_attr("limit", (x - 5) ** 2 + y**2 - 25)
        return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2

    def sampler() -> Any:
        with pytest.warns(FutureWarning, match="constraints_func"):
            return optuna.samplers.NSGAIISampler(
                population_size=8, seed=1, constraints_func=lambda trial: [trial.user_attrs["limit"]]
            )

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler())
    study.optimize(objective, n_trials=40)
    optuna.logging.set_verbosity(verbosity)
    goals = {"a": "minimize", "b": "minimize"}
    result = await sw.Sweep(objective, {}, direction=goals, sampler=sampler(), executor="thread", n_trials=40).run()
    assert [trial.params for trial in result.trials] == [trial.params for trial in study.trials]


# -- hosts that end, or are slow to start -------------------------------------------------------------------------------------


@pytest.mark.each_loop
async def test_a_host_that_is_killed_while_it_starts_is_started_again() -> None:
    async with sw.Sweep(square, SPACE, sampler="tpe", n_trials=3, seed=1).start() as run:
        await until(hosts)
        hosts()[0].send_signal(signal.SIGKILL)
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 3


@pytest.mark.each_loop
async def test_a_host_that_is_slow_to_start_again_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    async def slow() -> Any:
        if started:
            await anyio.sleep(3.0)
        started.append(True)
        return await child.start("asyncsweep.search.host")

    monkeypatch.setitem(places.STARTS, "process", slow)
    with anyio.fail_after(20):
        async with sw.Sweep(square, SPACE, sampler="tpe", n_trials=None, seed=1).start() as run:
            async for update in run.updates():
                if isinstance(update, sw.TrialFinished):
                    break
            hosts()[0].send_signal(signal.SIGKILL)
            await anyio.sleep(0.1)
            run.stop("enough", now=True)
    assert len(started) == 2
    assert hosts() == []


async def test_a_new_host_is_asked_nothing_about_trials_that_have_ended(tmp_path: Path) -> None:
    """The pruner's host hangs over a verdict; the trial is cancelled, and the host killed."""

    class Hanging(MedianPruner):
        host = "process"  # type: ignore[assignment]

        def judge(self, trial: int, step: int) -> bool:
            with open(tmp_path / "asked", "a") as file:
                file.write(f"{trial} ")
            if trial == 0:
                import time

                time.sleep(60)
            return False

    async with sw.Sweep(curve, SPACE, sampler="random", pruner=Hanging(), n_trials=2, grace_s=0.1).start() as run:
        await until((tmp_path / "asked").exists)
        run.cancel_trial(0)
        await until(lambda: run.trials[0].is_final)
        hosts()[0].send_signal(signal.SIGKILL)
        await run.result()
    assert (tmp_path / "asked").read_text().split()[:2] == ["0", "1"]
