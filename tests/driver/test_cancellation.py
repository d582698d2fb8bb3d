"""A sweep that is cancelled at any instant leaves nothing: no task, thread, process, descriptor or lock."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

import asyncsweep as sw
from asyncsweep.journal import lock
from tests.small_objectives import SPACE, curve, plain_curve

pytestmark = pytest.mark.anyio


class Seen:
    """What a process has, as far as a sweep could leak it."""

    def __init__(self) -> None:
        gc.collect()
        self.descriptors = {fd: target for fd in os.listdir("/proc/self/fd") if (target := _target(fd)) is not None}
        # Both libraries keep idle threads for later.
        pools = ("AnyIO worker", "Trio thread")
        self.threads = {thread for thread in threading.enumerate() if not thread.name.startswith(pools)}
        self.children = psutil.Process().children()
        self.locks = set(lock._held)
        self.tasks = _tasks()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seen) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return repr(vars(self))


def _target(fd: str) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return None  # of the listing itself


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # trio, whose nurseries cannot lose a task
        return 0


SETTINGS: dict[str, dict[str, Any]] = {
    "inline": {"objective": curve, "pruner": "median", "concurrency": 3},
    "host": {"objective": curve, "sampler": "tpe", "concurrency": 2},
    "thread": {"objective": plain_curve, "executor": "thread", "pruner": "median", "concurrency": 2},
    "process": {"objective": plain_curve, "executor": "process", "concurrency": 2},
}
LONGEST_S = {"inline": 0.05, "host": 0.6, "thread": 0.05, "process": 0.5}
TIMES = {"inline": 12, "host": 4, "thread": 10, "process": 4}


@pytest.mark.parametrize("kind", SETTINGS)
async def test_a_sweep_that_is_cancelled_at_any_instant_leaves_nothing(tmp_path: Path, kind: str) -> None:
    rng = random.Random(kind)
    settings: dict[str, Any] = {"space": SPACE, "sampler": "random", "n_trials": None, "seed": 1, **SETTINGS[kind]}
    with anyio.move_on_after(LONGEST_S[kind]):  # what is made once in a process is there before
        await sw.Sweep(directory=tmp_path / "first", **settings).run()
    before, n_threads = Seen(), threading.active_count()
    leaked = []
    for number in range(TIMES[kind]):
        with anyio.move_on_after(rng.uniform(0.0, LONGEST_S[kind])) as scope:
            await sw.Sweep(directory=tmp_path / f"{number}", **settings).run()
        assert scope.cancelled_caught
        after = Seen()
        if after != before:
            leaked.append(after)
    assert leaked == []
    assert threading.active_count() < n_threads + 10


@pytest.mark.parametrize("kind", SETTINGS)
async def test_what_was_cancelled_can_be_resumed(tmp_path: Path, kind: str) -> None:
    settings: dict[str, Any] = {"space": SPACE, "sampler": "random", "n_trials": None, "seed": 1, **SETTINGS[kind]}

    seen = []  # how many there are when it is cancelled depends on the machine

    async def until_three_are_final() -> None:
        async with anyio.create_task_group() as tasks, sw.Sweep(directory=tmp_path, **settings).start() as run:
            seen.append(run)
            async for _ in run.updates():
                if sum(trial.is_final for trial in run.trials) >= 3:
                    tasks.cancel_scope.cancel()

    await until_three_are_final()
    n_trials = len(seen[0].trials) + 20
    result = await sw.Sweep.resume(tmp_path, settings["objective"], n_trials=n_trials)
    assert (len(result.trials), all(trial.is_final for trial in result.trials)) == (n_trials, True)


async def test_a_cancelled_task_is_cancelled_and_not_finished(tmp_path: Path) -> None:
    reached = []
    with anyio.CancelScope() as scope:

        async def objective(trial: Any) -> float:
            scope.cancel()
            await anyio.sleep_forever()
            return 0.0

        await sw.Sweep(objective, SPACE, sampler="random").run()
        reached.append("behind run()")
    assert (reached, scope.cancelled_caught) == ([], True)


async def test_a_trial_sees_its_cancellation_and_may_clean_up() -> None:
    cleaned = []

    async def objective(trial: Any) -> float:
        try:
            await anyio.sleep_forever()
        finally:
            cleaned.append(trial.number)
        return 0.0

    with anyio.move_on_after(0.05):
        await sw.Sweep(objective, SPACE, sampler="random", concurrency=3).run()
    assert sorted(cleaned) == [0, 1, 2]
