"""Promise R26: pause, unpause, stop, cancel and reopening are idempotent in every state and order, and journaled.

First on machines in worlds where nobody can be relied on: after each command the same command again changes nothing and asks
for nothing. Then on real sweeps, steered while they run, left and opened again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

import asyncsweep as sw
from asyncsweep.core import events as ev
from asyncsweep.core.invariants import state_of
from asyncsweep.driver.replay import replay
from asyncsweep.journal import journal as journals
from tests.core.worlds import WEIGHTS, World, some_spec

pytestmark = pytest.mark.anyio

DEEP = os.environ.get("ASYNCSWEEP_DEEP") == "1"
N_SEQUENCES = 500
N_SWEEPS = 40 if DEEP else 5

# `seq`, `at` and `stale` come first in a state, and are what the journal's length and the clock make of it.
_COUNTERS = 3


def command(world: World, dice: random.Random) -> ev.Event:
    """Something that the user does to a sweep in any state."""
    commands: list[ev.Event] = [
        ev.Paused(),
        ev.Unpaused(),
        ev.StopRequested("enough"),
        ev.StopRequested("enough", now=True),
        ev.Reopened(world.machine.spec),
    ]
    commands += [ev.TrialCancelled(dice.randrange(len(world.machine.trials)))] * 3 if world.machine.trials else []
    return dice.choice(commands)


def told_twice(world: World, event: ev.Event) -> None:
    """The second time changes nothing, and nothing more is to be done."""
    world.send(event)
    if isinstance(event, ev.Reopened):  # another process, which asks again: only the trials are as they were
        trials = [msgspec.structs.replace(trial) for trial in world.machine.trials]
        world.send(msgspec.structs.replace(event), after_s=0.0)
        assert world.machine.trials == trials
        return
    before = state_of(world.machine)[_COUNTERS:]
    world.send(msgspec.structs.replace(event), after_s=0.0)
    assert state_of(world.machine)[_COUNTERS:] == before, event
    assert world.bench.effects[-1] == [], event


def steered(seed: int) -> World:
    """A world with a command after every few events."""
    dice = random.Random(seed)
    world = World(some_spec(dice.randrange(30), dice.randrange(100)))
    for action in dice.choices(list(WEIGHTS), list(WEIGHTS.values()), k=60):
        action(world, dice.randrange(8), dice.randrange(100))
        if dice.random() < 0.2:
            told_twice(world, command(world, dice))
    return world


@pytest.mark.parametrize("tenth", [0, *(pytest.param(tenth, marks=pytest.mark.deep) for tenth in range(1, 10))])
def test_a_command_given_twice_is_the_command_given_once(tenth: int) -> None:
    for seed in range(tenth * N_SEQUENCES // 10, (tenth + 1) * N_SEQUENCES // 10):
        world = steered(seed)
        if world.bench.watch.ledger.finished:
            n_trials = len(world.machine.trials) + 2
            world.send(ev.Reopened(msgspec.structs.replace(world.machine.spec, n_trials=n_trials)))
        world.drain()
        world.replay()


def test_commands_in_another_order_leave_a_sweep_that_goes_on() -> None:
    for seed in range(N_SEQUENCES if DEEP else N_SEQUENCES // 20):
        dice = random.Random(seed)
        world = steered(seed)
        for _ in range(10):
            world.send(command(world, dice))
        world.send(ev.Reopened(msgspec.structs.replace(world.machine.spec, n_trials=len(world.machine.trials) + 2)))
        world.drain()
        assert all(trial.is_final for trial in world.machine.trials)


# -- real sweeps -------------------------------------------------------------------------------------------------------

SPACE = {"x": sw.Float(0.0, 1.0)}
N_TRIALS = 30


async def slow(trial: Any) -> float:
    for step in range(4):
        trial.report(trial.params["x"] + step, step)
        await anyio.lowlevel.checkpoint()
    return float(trial.params["x"])


class User:
    """Steers a sweep at random, says everything twice, and remembers what it wanted."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.paused = False
        self.cancelled: set[int] = set()
        self.enqueued: list[float] = []

    def pause(self, run: sw.SweepRun) -> None:
        self.paused = self.paused or not run.is_over
        run.pause()
        run.pause()

    def unpause(self, run: sw.SweepRun) -> None:
        self.paused = self.paused and run.is_over
        run.unpause()
        run.unpause()

    def stop(self, run: sw.SweepRun) -> None:
        now = self.dice.random() < 0.5
        run.stop("enough", now=now)
        run.stop("enough", now=now)

    def cancel(self, run: sw.SweepRun) -> None:
        if run.trials:
            trial = self.dice.choice(run.trials)
            if not trial.is_final:
                self.cancelled.add(trial.number)
            run.cancel_trial(trial.number)
            if trial.number < len(run.trials):  # one that never started may be gone
                run.cancel_trial(trial.number)

    def enqueue(self, run: sw.SweepRun) -> None:
        x = self.dice.random()
        with suppress(sw.ConfigError):  # the sweep takes no more trials
            run.enqueue({"x": x})
            self.enqueued.append(x)

    async def steer(self, run: sw.SweepRun) -> None:
        """Some commands, a few turns of the loop apart; then the sweep is left, whatever it does."""
        commands: list[Callable[[sw.SweepRun], None]] = [self.pause, self.unpause, self.cancel, self.enqueue]
        for _ in range(self.dice.randrange(12)):
            for _ in range(self.dice.randrange(20)):
                await anyio.lowlevel.checkpoint()
            self.dice.choice([*commands, *commands, self.stop])(run)


async def until_left(sweep: sw.Sweep, user: User) -> bool:
    """Run and steer it until the user leaves; True when the pause that was there at the beginning still held."""
    with anyio.CancelScope() as scope:
        async with sweep.start() as run:
            held = run._driver.machine.paused
            await user.steer(run)
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    return held


@pytest.mark.parametrize("seed", range(N_SWEEPS))
async def test_a_steered_sweep_that_is_left_and_opened_again_and_again_ends_as_it_was_told(
    seed: int, tmp_path: Path
) -> None:
    user = User(seed)
    settings: dict[str, Any] = {"sampler": "random", "n_trials": N_TRIALS, "concurrency": 3, "seed": seed}
    with anyio.fail_after(20):
        await until_left(sw.Sweep(slow, SPACE, directory=tmp_path, **settings), user)
        for _ in range(4):
            wanted = user.paused
            assert await until_left(sw.Sweep.open(tmp_path, slow), user) is wanted
        result = await sw.Sweep.resume(tmp_path, slow)
    assert (result.reason, len(result.trials)) == ("n_trials reached", N_TRIALS)
    assert all(trial.is_final for trial in result.trials)
    cancelled = {trial.number for trial in result.trials if trial.state is sw.State.CANCELLED}
    assert cancelled <= user.cancelled | stopped_now(tmp_path)
    tried = [trial.params.get("x") for trial in result.trials if trial.fixed]
    assert sorted(tried) == sorted(user.enqueued)
    assert list(result.trials) == replay(journals.read(tmp_path).events, "journal").trials


def stopped_now(directory: Path) -> set[int]:
    """The trials that may be CANCELLED because the user stopped everything: those open at such a stop."""
    machine_events = journals.read(directory).events
    found: set[int] = set()
    for place, event in enumerate(machine_events):
        if isinstance(event, ev.StopRequested) and event.now:
            found |= {t.number for t in replay(machine_events[:place], "journal").trials if not t.is_final}
    return found
