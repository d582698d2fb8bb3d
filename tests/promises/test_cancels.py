"""Promise R15: cancelling whoever waits for a sweep leaves nothing, at whatever instant, with a directory or in memory.

`tests/driver/test_cancellation.py` looks at threads and locks too, with directories alone.
"""

from __future__ import annotations

import gc
import random
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from tests.leaks import belongings, nothing_left
from tests.small_objectives import SPACE, curve, plain_curve

pytestmark = pytest.mark.anyio

SETTINGS: dict[str, dict[str, Any]] = {
    "inline": {"objective": curve, "pruner": "median", "concurrency": 3},
    "thread": {"objective": plain_curve, "executor": "thread", "pruner": "median", "concurrency": 2},
    "host": {"objective": curve, "sampler": "tpe", "concurrency": 2},
    "process": {"objective": plain_curve, "executor": "process", "concurrency": 2},
}
LONGEST_S = {"inline": 0.03, "thread": 0.05, "host": 0.6, "process": 0.5}
# On each of two event loops, with and without a directory: 20 in all, and 200.
TIMES = {"inline": 3, "thread": 2, "host": 0, "process": 0}
DEEP_TIMES = {"inline": 20, "thread": 15, "host": 7, "process": 8}


async def cancels(kind: str, folder: Path | None, times: int) -> None:
    dice = random.Random(f"{kind} {folder is None}")
    settings: dict[str, Any] = {"space": SPACE, "sampler": "random", "n_trials": None, "seed": 1, **SETTINGS[kind]}
    with anyio.move_on_after(LONGEST_S[kind]):  # what is made once in a process is there before
        await sw.Sweep(**settings).run()
    async with nothing_left():
        before = belongings()
        for number in range(times):
            directory = None if folder is None else folder / f"{number}"
            with anyio.move_on_after(dice.uniform(0.0, LONGEST_S[kind])) as scope:
                await sw.Sweep(directory=directory, **settings).run()
            assert scope.cancelled_caught
            gc.collect()
            assert belongings() == before


@pytest.mark.parametrize("where", ["directory", "memory"])
@pytest.mark.parametrize("kind", [kind for kind, times in TIMES.items() if times])
async def test_a_sweep_that_is_cancelled_at_any_instant_leaves_nothing(kind: str, where: str, tmp_path: Path) -> None:
    await cancels(kind, tmp_path if where == "directory" else None, TIMES[kind])


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", ["directory", "memory"])
@pytest.mark.parametrize("kind", SETTINGS)
async def test_two_hundred_cancels_leave_nothing(kind: str, where: str, tmp_path: Path) -> None:
    await cancels(kind, tmp_path if where == "directory" else None, DEEP_TIMES[kind])


@pytest.mark.deep
async def test_a_sweep_that_leaves_something_is_caught(tmp_path: Path) -> None:
    async def leaks(trial: Any) -> float:
        open_files.append(open(tmp_path / f"{trial.number}", "w"))  # noqa: ASYNC230, SIM115  that is the leak
        await anyio.sleep_forever()
        return 0.0

    open_files: list[Any] = []
    before = belongings()
    with anyio.move_on_after(0.1):
        await sw.Sweep(leaks, SPACE, sampler="random").run()
    assert belongings() != before
    for file in open_files:
        file.close()
