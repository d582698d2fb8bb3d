"""Promises R8 and R29: what a sweep does depends on its seed and on the order in which trials end, and on no clock.

`tests/test_reproducible.py` has what `reproducible=W` adds; here it is done with a hundred seeds.
"""

from __future__ import annotations

import math
import os
import random
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.driver.clock import Clock
from asyncsweep.journal import journal as journals
from tests.small_objectives import endless
from tests.test_reproducible import SAMPLERS, objective, settings, story

pytestmark = pytest.mark.anyio

DEEP = os.environ.get("ASYNCSWEEP_DEEP") == "1"
DAY_S = 86_400.0
N_TRIALS, SLOTS = 16, 3


class WildClock(Clock):
    """Goes forward by anything from nothing to a day."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._dice, self._now = random.Random(seed), 0.0

    def now(self) -> float:
        self._now += self._dice.choice((0.0, 1e-6, 0.1, 60.0, DAY_S)) * self._dice.random()
        return self._now


class Turns:
    """An objective of nine steps, of which one trial at a time takes one: who is next, and so who ends, is drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self._dice, self._left = random.Random(seed), N_TRIALS
        self._waiting: dict[int, anyio.Event] = {}

    async def __call__(self, trial: sw.Trial) -> float:
        level = (trial.params["x"] - 1) ** 2 + trial.params["y"] + trial.params["n"] / 10
        try:
            for step in range(1, 10):
                await self._turn(trial.number)
                trial.report(level + 3.0 / step, step)
                if await trial.should_prune_async():
                    raise sw.TrialPruned
            return float(level)
        finally:
            self._left -= 1
            self._go_on()

    async def _turn(self, number: int) -> None:
        turn = self._waiting[number] = anyio.Event()
        self._go_on()
        await turn.wait()

    def _go_on(self) -> None:
        """Once everybody waits that can run, one goes on."""
        if self._waiting and len(self._waiting) == min(SLOTS, self._left):
            self._waiting.pop(self._dice.choice(sorted(self._waiting))).set()


async def of_a_clock(
    monkeypatch: pytest.MonkeyPatch, seed: int, clock: int = 0, order: int = 0
) -> list[tuple[Any, ...]]:
    """What became of a sweep whose trials take their steps in the order that the seed says, or another one."""
    chosen = {**settings(("random", "tpe")[seed % 2], "median", seed), "reproducible": False, "n_trials": N_TRIALS}
    with monkeypatch.context() as patch:
        if clock:
            patch.setattr("asyncsweep.driver.driver.Clock", lambda _: WildClock(clock))
        return story(await sw.Sweep(Turns(order or seed).__call__, **chosen, concurrency=SLOTS).run())


@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, 100), marks=pytest.mark.deep)], ids=["6", "94"])
async def test_the_same_seed_and_order_of_ends_are_the_same_sweep_whatever_the_clock(
    seeds: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in seeds:
        calm = await of_a_clock(monkeypatch, seed)
        assert await of_a_clock(monkeypatch, seed, 2 * seed + 1) == calm
        assert await of_a_clock(monkeypatch, seed, 2 * seed + 2) == calm


async def test_another_order_of_ends_is_another_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await of_a_clock(monkeypatch, 1, order=2) != await of_a_clock(monkeypatch, 1, order=3)


@pytest.mark.deep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("pruner", ["median", "asha"])
@pytest.mark.parametrize("sampler", SAMPLERS)
async def test_a_hundred_seeds_make_the_same_sweep_at_any_timing_and_concurrency(
    sampler: str, pruner: str, anyio_backend_name: str
) -> None:
    for seed in range(100 if anyio_backend_name == "asyncio" else 10):
        stories = [
            story(await sw.Sweep(objective(seed * 8 + c), **settings(sampler, pruner, seed), concurrency=c).run())
            for c in (1, 2, 5, 8)
        ]
        assert all(other == stories[0] for other in stories)


# -- the wall clock jumps ----------------------------------------------------------------------------------------------


class Jumping:
    """`time.time` of a machine whose clock is set again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        self._dice, self._true, self._off, self.jumps = random.Random(seed), time.time, 0.0, 0
        monkeypatch.setattr(time, "time", lambda: self._true() + self._off)

    def jump(self) -> None:
        self._off += self._dice.choice((-DAY_S, DAY_S))
        self.jumps += 1


def times_of(directory: Path) -> list[float]:
    return [event.at for event in journals.read(directory).events]


async def test_events_never_go_back_when_the_wall_clock_jumps_by_a_day_a_hundred_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Jumping(monkeypatch, 1)

    async def jumps(trial: sw.Trial) -> float:
        clock.jump()
        await anyio.lowlevel.checkpoint()
        clock.jump()
        return float(trial.params["x"])

    space = {"x": sw.Float(0.0, 1.0)}
    await sw.Sweep(jumps, space, sampler="random", n_trials=5, concurrency=2, timeout=60.0, directory=tmp_path).run()
    for n_trials in range(10, 51, 5):
        clock.jump()  # while no process is there
        result = await sw.Sweep.resume(tmp_path, jumps, n_trials=n_trials)
    times = times_of(tmp_path)
    assert clock.jumps >= 100
    assert times == sorted(times)
    assert result.reason == "n_trials reached"
    assert all(trial.state is sw.State.COMPLETE for trial in result.trials)
    assert max(trial.duration_s or math.inf for trial in result.trials) < 60.0


@pytest.mark.parametrize("by_s", [DAY_S, -DAY_S], ids=["forward", "back"])
async def test_a_trial_is_ended_at_its_timeout_when_the_wall_clock_jumps(
    by_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true())
    with anyio.fail_after(20):
        sweep = sw.Sweep(endless, {}, sampler="random", n_trials=1, trial_timeout=0.1, grace_s=0.1)
        async with sweep.start() as run:
            monkeypatch.setattr(time, "time", lambda: true() + by_s)
            result = await run.result()
    assert [trial.error.type for trial in result.trials if trial.error] == ["TrialTimeout"]
    assert 0.1 <= (result.trials[0].duration_s or 0.0) < 20.0


async def test_a_timeout_counts_working_time_alone_when_the_wall_clock_jumps_between_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(trial: sw.Trial) -> float:
        scope.cancel()
        await anyio.sleep_forever()
        return 0.0

    async def short(trial: sw.Trial) -> float:
        await anyio.sleep(0.01)
        return 0.0

    with anyio.CancelScope() as scope:
        await sw.Sweep(interrupted, {}, sampler="random", n_trials=4, timeout=3600.0, directory=tmp_path).run()
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + DAY_S)
    result = await sw.Sweep.resume(tmp_path, short)
    assert (result.reason, result.counts[sw.State.COMPLETE]) == ("n_trials reached", 4)
